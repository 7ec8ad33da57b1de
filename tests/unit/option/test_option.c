// SPDX-License-Identifier: BSD-3-Clause
// The engine of options: values of every kind against their rows, tables, structures, and the words about them.
#include "base/file.h"
#include "option/option.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fields {
    char *text, *path, *word;
    bool flag, second;
    int whole, n_whole, wholes[3], n_big, n_reals;
    int64_t big, bigs[2];
    double real, seconds, reals[2];
    pr_strings_t texts, command;
    pr_ints_t ints;
    pr_reals_t numbers;
} fields_t;

#define AT(field) .offset = offsetof(fields_t, field)

static const pr_option_t inner[] = {
    {.key = "x", .kind = PR_OPT_INT, .dflt = "3", .min = 0, .max = 9, .help = "an inner one"},
    {0},
};

static const pr_option_t table[] = {
    {.key = "text", .kind = PR_OPT_STRING, AT(text), .dflt = "", .not_empty = true, .help = "a text"},
    {.key = "path", .kind = PR_OPT_FILE, AT(path), .dflt = "", .help = "a file"},
    {.key = "word", .kind = PR_OPT_STRING, AT(word), .dflt = "\"one\"", .choices = "one|two|t", .help = "a word"},
    {.key = "flag", .kind = PR_OPT_BOOL, AT(flag), .dflt = "false", .help = "a flag"},
    {.key = "way", .kind = PR_OPT_SWITCH, AT(second), .dflt = "\"after\"", .choices = "after|before", .help = "which"},
    {.key = "deep.whole", .kind = PR_OPT_INT, AT(whole), .dflt = "5", .min = 1, .max = 1e6, .help = "an integer"},
    {.key = "deep.er.big", .kind = PR_OPT_INT64, AT(big), .dflt = "1", .min = 0, .max = 0x1p63, .help = "a large one"},
    {.key = "deep.real",
     .kind = PR_OPT_REAL,
     AT(real),
     .dflt = "0.5",
     .min = 1e-6,
     .max = 1e30,
     .or_0 = true,
     .help = "a number"},
    {.key = "wait", .kind = PR_OPT_DURATION, AT(seconds), .dflt = "\"2m\"", .min = 1, .max = 1e7, .help = "how long"},
    {.key = "texts", .kind = PR_OPT_STRINGS, AT(texts), .dflt = "[ ]", .not_empty = true, .max_n = 2, .help = "texts"},
    {.key = "wholes",
     .kind = PR_OPT_INTS,
     AT(wholes),
     .count = offsetof(fields_t, n_whole),
     .max_n = 3,
     .dflt = "[ 7 ]",
     .min = 1,
     .max = 100,
     .help = "integers"},
    {.key = "bigs",
     .kind = PR_OPT_INT64S,
     AT(bigs),
     .count = offsetof(fields_t, n_big),
     .max_n = 2,
     .dflt = "[ ]",
     .help = "large ones"},
    {.key = "reals",
     .kind = PR_OPT_REALS,
     AT(reals),
     .count = offsetof(fields_t, n_reals),
     .max_n = 2,
     .dflt = "[ ]",
     .min = 0,
     .max = 1,
     .help = "numbers"},
    {.key = "ints", .kind = PR_OPT_INTS, AT(ints), .dflt = "[ ]", .help = "any number of integers"},
    {.key = "numbers", .kind = PR_OPT_REALS, AT(numbers), .dflt = "", .help = "any number of numbers"},
    {.key = "command", .kind = PR_OPT_COMMAND, AT(command), .dflt = "", .help = "a program | its words"},
    {.key = "groups",
     .kind = PR_OPT_GROUPS,
     .dflt = "",
     .min = 1,
     .max = 4,
     .rows = inner,
     .elsewhere = true,
     .help = "groups"},
    {0},
};

static const pr_option_t needed[] = {
    {.key = "need", .kind = PR_OPT_REAL, .min = 0.001, .max = 1000, .help = "what is needed"},
    {0},
};

static pr_error_t err;

// JSON with ' for ".
static json_t *json_of(const char *text)
{
    char *copy = pr_strdup(text);
    json_t *v = NULL;
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    ck_assert_msg(pr_json_parse(copy, strlen(copy), text, &v, &err) == PR_OK, "%s", err.text);
    free(copy);
    return v;
}

static json_t *read_good(const char *text, const pr_option_reading_t *how)
{
    json_t *given = json_of(text), *out = NULL;
    ck_assert_msg(pr_options_read(table, given, how, &out, &err) == PR_OK, "%s: %s", text, err.text);
    json_decref(given);
    return out;
}

static const struct {
    const char *given, *says;
    pr_status_t status;
} bad[] = {
    {"{'text': 3}", "text: found the integer 3, expected a string that is not empty", PR_ERR_CONFIG},
    {"{'text': ''}", "text: found the string \"\", expected a string that is not empty", PR_ERR_CONFIG},
    {"{'text': 'a\\u0000b'}", "text: the string holds a NUL character", PR_ERR_CONFIG},
    {"{'path': '/no/such/file'}", "path: /no/such/file: no such file", PR_ERR_NOT_FOUND},
    {"{'path': '/tmp'}", "path: /tmp: no such file", PR_ERR_NOT_FOUND},
    {"{'word': 'on'}", "word: found the string \"on\", expected one of one | two | t", PR_ERR_CONFIG},
    {"{'word': 'one|two'}", "word: found the string \"one|two\"", PR_ERR_CONFIG},
    {"{'word': ''}", "expected one of", PR_ERR_CONFIG},
    {"{'flag': 1}", "flag: found the integer 1, expected true or false", PR_ERR_CONFIG},
    {"{'way': true}", "way: found true, expected one of after | before", PR_ERR_CONFIG},
    {"{'deep': {'whole': 0}}", "deep.whole: found the integer 0, expected an integer 1 to 1000000", PR_ERR_CONFIG},
    {"{'deep': {'whole': 2.0}}", "deep.whole: found the number 2, expected an integer", PR_ERR_CONFIG},
    {"{'deep': {'er': {'big': -1}}}", "deep.er.big: found the integer -1, expected an integer 0 to 9223372036854775807",
     PR_ERR_CONFIG},
    {"{'deep': {'er': 3}}", "deep.er: found the integer 3, expected a group", PR_ERR_CONFIG},
    {"{'deep': {'real': 1e-7}}", "deep.real: found the number 1e-07, expected a number 0, or 1e-6 to 1e30",
     PR_ERR_CONFIG},
    {"{'deep': {'real': Infinity}}", "deep.real: found the number inf", PR_ERR_CONFIG},
    {"{'deep': {'real': NaN}}", "deep.real: found the number nan", PR_ERR_CONFIG},
    {"{'wait': 'soon'}", "wait: ", PR_ERR_CONFIG},
    {"{'wait': '1d', 'texts': 3}", "texts: found the integer 3, expected a string or list of strings", PR_ERR_CONFIG},
    {"{'wait': 0.5}", "wait: found the number 0.5, expected a duration such as \"90s\", 1 to 1e7 s", PR_ERR_CONFIG},
    {"{'wait': true}", "wait: found true, expected a duration", PR_ERR_CONFIG},
    {"{'texts': ['a', '']}", "texts: found the string \"\"", PR_ERR_CONFIG},
    {"{'texts': ['a', ['b']]}", "texts: found a list of 1, expected", PR_ERR_CONFIG},
    {"{'texts': ['a', 'b', 'c']}", "texts: found a list of 3, expected at most 2", PR_ERR_CONFIG},
    {"{'wholes': [1, 101]}", "wholes: found the integer 101, expected a list of integers 1 to 100", PR_ERR_CONFIG},
    {"{'wholes': 1}", "wholes: found the integer 1, expected a list of integers", PR_ERR_CONFIG},
    {"{'ints': [2147483648]}", "expected a list of integers -2147483648 to 2147483647", PR_ERR_CONFIG},
    {"{'numbers': [1e31]}", "expected a list of numbers -1e30 to 1e30", PR_ERR_CONFIG},
    {"{'command': []}", "command: found a list of 0", PR_ERR_CONFIG},
    {"{'command': {}}", "command: found a group", PR_ERR_CONFIG},
    {"{'wrod': 'one'}", "unknown key 'wrod'; the nearest known one is 'word'", PR_ERR_CONFIG},
    {"{'deep': {'wole': 1}}", "unknown key 'deep.wole'; the nearest known one is 'deep.whole'", PR_ERR_CONFIG},
    {"{'zzzzzzzzzz': 1}", "unknown key 'zzzzzzzzzz'; there are: text, path, word", PR_ERR_CONFIG},
    {"[1]", "found a list of 1, expected a group", PR_ERR_CONFIG},
};

START_TEST(bad_values)
{
    json_t *given = json_of(bad[_i].given), *out = NULL;
    pr_status_t status = pr_options_resolve(table, given, NULL, &out, &err);
    ck_assert_msg(status == bad[_i].status && !out, "%s: %d", bad[_i].given, status);
    ck_assert_msg(strstr(err.text, bad[_i].says), "%s: %s", bad[_i].given, err.text);
    ck_assert_int_eq(pr_options_resolve(table, given, NULL, &out, NULL), status);
    json_decref(given);
}
END_TEST

START_TEST(required_ones)
{
    json_t *out = NULL, *null = json_of("{'need': null}");
    ck_assert_int_eq(pr_options_resolve(needed, NULL, NULL, &out, &err), PR_ERR_CONFIG);
    ck_assert_str_eq(err.text, "need: missing; expected a number 0.001 to 1000: what is needed");
    ck_assert_int_eq(pr_options_resolve(needed, null, NULL, &out, &err), PR_ERR_CONFIG);
    ck_assert_ptr_null(pr_option_default(needed));
    json_decref(null);
}
END_TEST

START_TEST(defaults_and_a_second_reading)
{
    json_t *once = read_good("{'command': 'ls -l', 'deep': {'real': 0}, 'texts': 'alone'}", NULL), *twice = NULL;
    ck_assert_str_eq(pr_option_string(once, "word"), "one");
    ck_assert(!pr_option_bool(once, "flag"));
    ck_assert_double_eq(pr_option_real(once, "wait"), 120);
    ck_assert(!pr_option_given(once, "text"));
    ck_assert(!pr_option_given(once, "groups"));
    json_t *deep = json_object_get(once, "deep");
    ck_assert_int_eq(pr_option_int(deep, "whole"), 5);
    ck_assert_double_eq(pr_option_real(deep, "real"), 0);
    json_t *want = json_of("['/bin/sh', '-c', 'ls -l']");
    ck_assert(json_equal(json_object_get(once, "command"), want));
    ck_assert_uint_eq(json_array_size(json_object_get(once, "texts")), 1);
    ck_assert_int_eq(pr_options_resolve(table, once, "", &twice, &err), PR_OK);
    ck_assert(json_equal(once, twice));
    json_decref(want);
    json_decref(twice);
    json_decref(once);
}
END_TEST

// What a reader says about places: "KEY:ITEM".
static const char *place(const void *self, const char *key, int item)
{
    static char text[64];
    snprintf(text, sizeof text, "%s %s:%d", (const char *)self, key, item);
    return text;
}

START_TEST(messages_name_the_place)
{
    pr_option_reading_t how = {.label = "list[2].", .see = "the page", .where = place, .self = "f.cfg"};
    const char *const cases[][2] = {
        {"{'wholes': [1, 2, 0]}", "f.cfg wholes:2: list[2].wholes: found the integer 0"},
        {"{'deep': {'whole': 'x'}}", "f.cfg deep.whole:-1: list[2].deep.whole: found the string \"x\""},
        {"{'deep': 1}", "f.cfg deep:-1: list[2].deep: found the integer 1"},
        {"{'wrod': 1}", "f.cfg wrod:-1: unknown key 'list[2].wrod'; the nearest known one is 'word'"},
        {"{'zzzzzzzzzz': 1}", "f.cfg zzzzzzzzzz:-1: unknown key 'list[2].zzzzzzzzzz' (see: the page)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *given = json_of(cases[i][0]), *out = NULL;
        ck_assert_int_eq(pr_options_read(table, given, &how, &out, &err), PR_ERR_CONFIG);
        ck_assert_msg(strstr(err.text, cases[i][1]) == err.text, "%s", err.text);
        json_decref(given);
    }
    how.others = true;
    json_decref(read_good("{'zzzzzzzzzz': 1, 'word': 'two'}", &how));
}
END_TEST

START_TEST(files_are_joined_or_must_exist)
{
    pr_option_reading_t how = {.dir = "/nowhere", .join = true};
    json_t *out = read_good("{'path': 'a/b'}", &how);
    ck_assert_str_eq(pr_option_string(out, "path"), "/nowhere/a/b");
    json_decref(out);
    how = (pr_option_reading_t){.dir = "/etc"};
    out = read_good("{'path': 'passwd'}", &how);
    ck_assert_str_eq(pr_option_string(out, "path"), "passwd");
    char *path = pr_option_path(out, "path", "/etc");
    ck_assert_str_eq(path, "/etc/passwd");
    free(path);
    json_decref(out);
    how = (pr_option_reading_t){.dir = "/\xff", .join = true};
    json_t *given = json_of("{'path': 'a'}");
    ck_assert_int_eq(pr_options_read(table, given, &how, &out, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "path: "));
    ck_assert_ptr_nonnull(strstr(err.text, "not UTF-8"));
    json_decref(given);
}
END_TEST

START_TEST(structures)
{
    fields_t f = {0}, g = {0};
    json_t *out =
        read_good("{'text': 't', 'word': 'two', 'flag': true, 'way': 'before', 'wait': 3, 'wholes': [4, 5, 6],"
                  " 'deep': {'whole': 9, 'er': {'big': 9223372036854775807}, 'real': 1e-6},"
                  " 'texts': ['a', 'b'], 'bigs': [-5000000000], 'reals': [0.25, 1], 'ints': [1, -2, 3],"
                  " 'numbers': [0.5], 'command': ['ls']}",
                  NULL);
    ck_assert_int_eq(pr_option_length(out, "reals"), 2);
    ck_assert_double_eq(pr_option_item(out, "reals", 0), 0.25);
    ck_assert_double_eq(pr_option_item(out, "reals", 1), 1); // an integer there
    ck_assert_int_eq(pr_option_length(out, "absent"), 0);
    pr_options_store(table, out, &f);
    pr_options_store(table, out, &f); // what was there is freed
    ck_assert_str_eq(f.text, "t");
    ck_assert_ptr_null(f.path);
    ck_assert_str_eq(f.word, "two");
    ck_assert(f.flag && f.second);
    ck_assert_int_eq(f.whole, 9);
    ck_assert(f.big == INT64_MAX);
    ck_assert_double_eq(f.real, 1e-6);
    ck_assert_double_eq(f.seconds, 3);
    ck_assert_int_eq(f.texts.n, 2);
    ck_assert_str_eq(f.texts.item[1], "b");
    ck_assert_int_eq(f.n_whole, 3);
    ck_assert_int_eq(f.wholes[2], 6);
    ck_assert_int_eq(f.n_big, 1);
    ck_assert(f.bigs[0] == -5000000000);
    ck_assert_double_eq(f.reals[1], 1);
    ck_assert_int_eq(f.ints.n, 3);
    ck_assert_int_eq(f.ints.item[1], -2);
    ck_assert_int_eq(f.numbers.n, 1);
    ck_assert_str_eq(f.command.item[0], "ls");
    json_t *back = pr_options_json(table, &f);
    ck_assert(json_equal(back, out));
    pr_options_clear(table, &f);
    ck_assert(!f.text && !f.word && f.texts.n == 0 && !f.ints.item && !f.numbers.item);
    json_decref(back);
    json_decref(out);
    out = read_good("{}", NULL);
    pr_options_store(table, out, &g);
    ck_assert(!g.second && g.n_whole == 1 && g.wholes[0] == 7 && !g.text);
    pr_options_clear(table, &g);
    json_decref(out);
}
END_TEST

START_TEST(words_of_a_command_line)
{
    static const struct {
        const char *key, *text, *json; // NULL: no value of that kind
    } cases[] = {
        {"deep.whole", "12", "12"},
        {"deep.whole", "12x", NULL},
        {"deep.whole", "", NULL},
        {"deep.whole", "1.5", NULL},
        {"deep.whole", "99999999999999999999", NULL},
        {"deep.real", "1/4", "0.25"},
        {"deep.real", "1/", NULL},
        {"deep.real", "nan", NULL},
        {"deep.real", "1/0", NULL},
        {"deep.real", "-2e-3", "-0.002"},
        {"wholes", "1,2 3", "[1, 2, 3]"},
        {"wholes", "1,,2", NULL},
        {"wholes", "1,", NULL},
        {"wholes", "1;2", NULL},
        {"reals", "1/2,0.25", "[0.5, 0.25]"},
        {"word", "two", "'two'"},
        {"wait", "90s", "'90s'"},
        {"text", "\xff", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *v = pr_option_parse(pr_option_find(table, cases[i].key), cases[i].text);
        json_t *want = NULL;
        if (cases[i].json) {
            char list[64];
            snprintf(list, sizeof list, "[%s]", cases[i].json);
            json_t *one = json_of(list);
            want = json_incref(json_array_get(one, 0));
            json_decref(one);
        }
        ck_assert_msg((!v && !want) || json_equal(v, want), "%s", cases[i].text);
        json_decref(v);
        json_decref(want);
    }
    ck_assert_ptr_null(pr_option_find(table, "deep"));
    ck_assert_uint_eq(pr_option_count(table), 17);
}
END_TEST

static void facts_are(const char *key, const char *want)
{
    pr_buf_t b = {0};
    pr_option_facts(&b, pr_option_find(table, key));
    ck_assert_str_eq(b.data, want);
    pr_buf_free(&b);
}

START_TEST(what_is_said_of_a_row)
{
    facts_are("text", "string");
    facts_are("word", "string; one | two | t; default \"one\"");
    facts_are("deep.whole", "integer; 1 to 1000000; default 5");
    facts_are("deep.er.big", "integer; 0 to 9223372036854775807; default 1");
    facts_are("deep.real", "number; 0, or 1e-6 to 1e30; default 0.5");
    facts_are("wait", "duration; 1 to 1e7 s; default \"2m\"");
    facts_are("texts", "string or list of strings; default [ ]");
    facts_are("ints", "list of integers; default [ ]");
    facts_are("groups", "list of groups; 1 to 4");
}
END_TEST

static void page_holds(void (*print)(pr_buf_t *), const char *text)
{
    pr_buf_t b = {0};
    print(&b);
    ck_assert_msg(strstr(b.data, text), "'%s' is not in\n%s", text, b.data);
    pr_buf_free(&b);
}

static void as_help(pr_buf_t *b)
{
    pr_options_help(b, table, "  ");
}

static void as_markdown(pr_buf_t *b)
{
    pr_options_markdown(b, table, "key");
}

static void as_roff(pr_buf_t *b)
{
    pr_options_roff(b, table, false);
}

START_TEST(pages)
{
    page_holds(as_help, "  flag (true/false; default false)\n      a flag\n");
    page_holds(as_help, "  groups[].x (integer; 0 to 9; default 3)\n      an inner one\n");
    page_holds(as_markdown, "| key | type | default | range | meaning |\n| --- |");
    page_holds(as_markdown, "| `word` | string | `\"one\"` | one \\| two \\| t | a word |\n");
    page_holds(as_markdown, "| `command` | string or list of strings |  |  | a program \\| its words |\n");
    page_holds(as_markdown, "| `groups[].x` | integer | `3` | 0 to 9 | an inner one |\n");
    page_holds(as_roff, ".TP\n\\fBdeep.real\\fR (number; 0, or 1e\\-6 to 1e30; default 0.5)\na number\n");
    pr_buf_t b = {0};
    static const pr_option_t line[] = {
        {.key = "--n", .kind = PR_OPT_INT, .dflt = "", .value = "N", .help = ".how many\n'times' \\ a-b"}, {0}};
    pr_options_roff(&b, line, true);
    ck_assert_str_eq(b.data, ".TP\n\\fB\\-\\-n\\fR \\fIN\\fR\n\\&.how many\n\\&'times' \\e a\\-b\n");
    pr_buf_free(&b);
    pr_options_markdown(&b, needed, "option");
    ck_assert_ptr_nonnull(strstr(b.data, "| `need` | number | required | 0.001 to 1000 | what is needed |\n"));
    pr_buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("option");
    TCase *t = tcase_create("option");
    tcase_add_loop_test(t, bad_values, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_test(t, required_ones);
    tcase_add_test(t, defaults_and_a_second_reading);
    tcase_add_test(t, messages_name_the_place);
    tcase_add_test(t, files_are_joined_or_must_exist);
    tcase_add_test(t, structures);
    tcase_add_test(t, words_of_a_command_line);
    tcase_add_test(t, what_is_said_of_a_row);
    tcase_add_test(t, pages);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
