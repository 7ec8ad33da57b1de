// SPDX-License-Identifier: BSD-3-Clause
/* JSON as the standard and as Python's json module have it: what is taken, what is refused and where, and nothing else
 * than jansson does with the texts that both know. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch[] = "/tmp/paretorank-json-XXXXXX";

static json_t *parse(const char *text)
{
    json_t *v = NULL;
    pr_error_t e = {0};
    ck_assert_msg(pr_json_parse(text, strlen(text), "here", &v, &e) == PR_OK, "%s: %s", text, e.text);
    return v;
}

/* ---- what is taken ---- */

// {text, the canonical text of its value}
static const char *const taken[][2] = {
    {"{}", "{}"},
    {" [ 1 , -2 ,\t3.5\r\n, -0, 1e2, 1E-2, 0.25e+1 ] ", "[1,-2,3.5,0,100.0,0.01,2.5]"},
    {"\"\"", "\"\""},
    {"null", "null"},
    {"[true,false,null]", "[true,false,null]"},
    {"\xEF\xBB\xBF{\"a\":1}", "{\"a\":1}"},
    {"[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]"},
    // integers of any size: the nearest number
    {"[18446744073709551615]", "[1.8446744073709552e19]"},
    {"[1000000000000000019884624838656,-99999999999999999999]", "[1.0000000000000000e30,-1e20]"},
    // what Python's json.dumps writes of "é€😀\ud800\x00\x7f/\"\\\b\f\n\r\t"; half a pair is U+FFFD
    {"\"\\u00e9\\u20ac\\ud83d\\ude00\\ud800\\u0000\\u007f/\\\"\\\\\\b\\f\\n\\r\\t\"",
     "\"é€😀\xEF\xBF\xBD\\u0000\x7f/\\\"\\\\\\b\\f\\n\\r\\t\""},
    {"\"\\ude00\\ud83d\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\"\\ud83d\\ud83d\\ude00\"", "\"\xEF\xBF\xBD😀\""},
    {"\"\\uD83D\\n\\/\"", "\"\xEF\xBF\xBD\\n/\""},
};

START_TEST(takes)
{
    json_t *found = parse(taken[_i][0]), *expected = parse(taken[_i][1]);
    ck_assert_msg(json_equal(found, expected), "%s", taken[_i][0]);
    json_decref(found);
    json_decref(expected);
}
END_TEST

START_TEST(numbers_that_are_not_finite)
{
    json_t *v =
        parse("{\"a\": NaN, \"b\": Infinity, \"c\": -Infinity, \"d\": 1e999, \"e\": -1e999, \"n\": null, \"x\": 7}");
    static const char *const names[][2] = {
        {"a", "NaN"}, {"b", "Infinity"}, {"c", "-Infinity"}, {"d", "Infinity"}, {"e", "-Infinity"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        pr_error_t e;
        int64_t integer;
        double real;
        bool flag;
        const char *text, *key = names[i][0];
        const json_t *member = json_object_get(v, key);
        ck_assert_str_eq(pr_json_special(member), names[i][1]);
        ck_assert_str_eq(pr_json_type_name(member), names[i][1]);
        ck_assert(!pr_json_is_none(member));
        // a key that is read is named, whatever is expected, and not taken for a missing one
        ck_assert_int_eq(pr_json_get_int(v, key, 3, &integer, "here", &e), PR_ERR_FORMAT);
        ck_assert_ptr_nonnull(strstr(e.text, names[i][1]));
        ck_assert_ptr_nonnull(strstr(e.text, key));
        ck_assert_int_eq(pr_json_get_real(v, key, 3, &real, "here", &e), PR_ERR_FORMAT);
        ck_assert_int_eq(pr_json_get_bool(v, key, true, &flag, "here", &e), PR_ERR_FORMAT);
        ck_assert_int_eq(pr_json_get_string(v, key, "", &text, "here", &e), PR_ERR_FORMAT);
    }
    ck_assert(pr_json_is_none(json_object_get(v, "n")));
    ck_assert(pr_json_is_none(json_object_get(v, "missing")));
    ck_assert_ptr_null(pr_json_special(json_object_get(v, "n")));
    char *text = pr_json_canonical(v); // can still be written
    ck_assert_str_eq(text, "{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":null,\"n\":null,\"x\":7}");
    free(text);
    json_decref(v);
}
END_TEST

START_TEST(large_integer_in_a_key_that_is_read)
{
    pr_error_t e;
    int64_t integer;
    double real;
    json_t *v = parse("{\"n\": 18446744073709551615}");
    ck_assert_int_eq(pr_json_get_int(v, "n", 0, &integer, "here", &e), PR_ERR_FORMAT);
    ck_assert_str_eq(e.text, "here: key 'n': found a number past 2^63, expected an integer");
    ck_assert_int_eq(pr_json_get_real(v, "n", 0, &real, "here", &e), PR_OK);
    ck_assert_double_eq(real, 0x1p64);
    json_decref(v);
}
END_TEST

START_TEST(keys_with_nul)
{
    static const char text[] = "{\"a\\u0000b\":1,\"a\":2,\"a\\u0000\":3}";
    json_t *v = NULL;
    pr_error_t e;
    ck_assert_int_eq(pr_json_parse(text, strlen(text), "here", &v, &e), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "NUL"));
    ck_assert_int_eq(pr_json_parse_with(text, strlen(text), PR_JSON_NUL_KEYS, "here", &v, &e), PR_OK);
    ck_assert_uint_eq(json_object_size(v), 3);
    ck_assert_int_eq(json_integer_value(json_object_getn(v, "a\0b", 3)), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(v, "a")), 2);
    json_decref(v);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *text, *message;
} refused[] = {
    {"", "line 1, column 1: not valid JSON: it ends where a value is expected"},
    {"  \n ", "line 2, column 2: not valid JSON: it ends"},
    {"{\"a\": 1", "line 1, column 8: not valid JSON: expected ',' or '}'"},
    {"[1 2]", "line 1, column 4: not valid JSON: expected ',' or ']'"},
    {"[1,]", "column 4: not valid JSON: a character that begins no value"},
    {"{\"a\":1,}", "column 8: not valid JSON: expected a key"},
    {"{a:1}", "column 2: not valid JSON: expected a key"},
    {"{\"a\" 1}", "column 6: not valid JSON: expected ':'"},
    {"{\n \"a\":1,\n \"a\":2}", "line 3, column 5: not valid JSON: duplicate object key 'a'"},
    {"01", "column 1: not valid JSON: a number"},
    {"-", "column 1: not valid JSON"},
    {"1.", "column 1: not valid JSON: a number"},
    {".5", "column 1: not valid JSON"},
    {"1e", "column 1: not valid JSON: a number"},
    {"+1", "column 1: not valid JSON"},
    {"nan", "column 1: not valid JSON"},
    {"Inf", "column 1: not valid JSON"},
    {"-Inf", "column 1: not valid JSON"},
    {"+Infinity", "column 1: not valid JSON"},
    {"NaN1", "column 4: not valid JSON: something after the value"},
    {"tru", "column 1: not valid JSON"},
    {"[] x", "column 4: not valid JSON: something after the value"},
    {"\"abc", "column 5: not valid JSON: a string without an end"},
    {"\"a\\", "column 4: not valid JSON: an unknown escape"},
    {"\"a\\x\"", "column 4: not valid JSON: an unknown escape"},
    {"\"\\u12g4\"", "column 4: not valid JSON: expected four hexadecimal digits"},
    {"\"\\ud83d\\u12\"", "not valid JSON: expected four hexadecimal digits"},
    {"\"a\nb\"", "column 3: not valid JSON: a control character"},
    {"[\"\xff\"]", "column 2: not valid JSON: a string that is not UTF-8"},
    {"{\"\xed\xa0\x80\":1}", "column 2: not valid JSON: a key that is not UTF-8"},
};

START_TEST(refuses)
{
    json_t *v = NULL;
    pr_error_t e = {0};
    ck_assert_int_eq(pr_json_parse(refused[_i].text, strlen(refused[_i].text), "here", &v, &e), PR_ERR_FORMAT);
    ck_assert_ptr_null(v);
    ck_assert_msg(strncmp(e.text, "here: ", 6) == 0 && strstr(e.text, refused[_i].message), "%s: %s", refused[_i].text,
                  e.text);
}
END_TEST

START_TEST(refuses_depth)
{
    enum { N = 200000 };
    char *deep = pr_alloc(N, 1);
    json_t *v = NULL;
    pr_error_t e = {0};
    memset(deep, '[', N);
    ck_assert_int_eq(pr_json_parse(deep, N, "here", &v, &e), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "within each other"));
    memset(deep + 500, ']', 500);
    ck_assert_int_eq(pr_json_parse(deep, 1000, "here", &v, &e), PR_OK);
    json_decref(v);
    free(deep);
}
END_TEST

/* ---- against jansson ---- */

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

// Mutations of a text with bytes that lead to nothing that the two have different rules for.
START_TEST(agrees_with_jansson)
{
    static const char text[] = "{\"ab\":[1,-2.5e3,0.1E-2,\"x\\n\\u0041\\u00e9 \\\"y\\\\\"],\"cd\":{\"e\":true,\"f\":[],"
                               "\"gh\":{}},\"\xC3\xA9\":null,\"q\":[[false]]} ";
    static const char bytes[] = "{}[]\":,\\0129.eE+- tfnu\n\xC3\xA9\x01z";
    uint64_t state = 11;
    int accepted = 0;
    for (int k = 0; k < 60000; k++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        size_t n = sizeof text - 1 - next_random(&state) % 3;
        for (uint32_t i = next_random(&state) % 3; i > 0; i--)
            copy[next_random(&state) % n] = bytes[next_random(&state) % (sizeof bytes - 1)];
        json_t *theirs = json_loadb(copy, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL),
               *ours = NULL;
        pr_status_t status = pr_json_parse(copy, n, "here", &ours, NULL);
        ck_assert_msg((status == PR_OK) == (theirs != NULL), "%.*s", (int)n, copy);
        ck_assert_msg(!theirs || json_equal(ours, theirs), "%.*s", (int)n, copy);
        accepted += theirs != NULL;
        json_decref(theirs);
        json_decref(ours);
    }
    ck_assert_int_gt(accepted, 5000);
    ck_assert_int_lt(accepted, 55000);
}
END_TEST

/* ---- files ---- */

static pr_status_t load(const char *bytes, size_t n, json_t **v, pr_error_t *e)
{
    char path[64];
    snprintf(path, sizeof path, "%s/file.json", scratch);
    ck_assert_int_eq(pr_file_write(path, bytes, n, e), PR_OK);
    return pr_json_load(path, 0, v, e);
}

static pr_status_t count_line(void *self, const json_t *value, const char *where, pr_error_t *err)
{
    (void)where, (void)err;
    *(int64_t *)self += json_integer_value(json_object_get(value, "n"));
    return PR_OK;
}

START_TEST(files_that_are_not_utf8_text)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *word;
    } wrong[] = {{"\xFF\xFE{\0}\0", 6, "UTF-16"},
                 {"\xFE\xFF\0{\0}", 6, "UTF-16"},
                 {"{\0}\0", 4, "UTF-16"},
                 {"\0{\0}", 4, "UTF-16"},
                 {"\xFF\xFE\0\0{\0\0\0", 8, "UTF-32"}};
    char path[64];
    json_t *v = NULL;
    pr_error_t e = {0};
    int64_t sum = 0;
    snprintf(path, sizeof path, "%s/file.json", scratch);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(load(wrong[i].bytes, wrong[i].n, &v, &e), PR_ERR_FORMAT);
        ck_assert_msg(strstr(e.text, path) && strstr(e.text, wrong[i].word) && strstr(e.text, "iconv"), "%s", e.text);
        ck_assert_int_eq(pr_json_lines(path, 0, count_line, &sum, &e), PR_ERR_FORMAT);
        ck_assert_msg(strstr(e.text, wrong[i].word), "%s", e.text);
    }
    static const char pointer[] =
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22"
        "eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    ck_assert_int_eq(load(pointer, sizeof pointer - 1, &v, &e), PR_ERR_FORMAT);
    ck_assert_msg(strstr(e.text, path) && strstr(e.text, "git lfs pull"), "%s", e.text);
    ck_assert_int_eq(load("\xEF\xBB\xBF[5]", 6, &v, &e), PR_OK);
    json_decref(v);
}
END_TEST

START_TEST(lines_with_a_mark)
{
    static const char text[] = "\xEF\xBB\xBF{\"n\":1, \"score\": NaN}\r\n\n{\"n\":20, \"id\": 18446744073709551616}\n";
    char path[64];
    pr_error_t e = {0};
    int64_t sum = 0;
    snprintf(path, sizeof path, "%s/lines.jsonl", scratch);
    ck_assert_int_eq(pr_file_write(path, text, sizeof text - 1, &e), PR_OK);
    ck_assert_msg(pr_json_lines(path, 0, count_line, &sum, &e) == PR_OK, "%s", e.text);
    ck_assert_int_eq(sum, 21);
}
END_TEST

int main(void)
{
    if (!mkdtemp(scratch))
        return 1;
    Suite *s = suite_create("json");
    TCase *c = tcase_create("parse");
    tcase_set_timeout(c, 60);
    suite_add_tcase(s, c);
    tcase_add_loop_test(c, takes, 0, (int)(sizeof taken / sizeof *taken));
    tcase_add_test(c, numbers_that_are_not_finite);
    tcase_add_test(c, large_integer_in_a_key_that_is_read);
    tcase_add_test(c, keys_with_nul);
    tcase_add_loop_test(c, refuses, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(c, refuses_depth);
    tcase_add_test(c, agrees_with_jansson);
    tcase_add_test(c, files_that_are_not_utf8_text);
    tcase_add_test(c, lines_with_a_mark);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    char path[64];
    snprintf(path, sizeof path, "%s/file.json", scratch);
    unlink(path);
    snprintf(path, sizeof path, "%s/lines.jsonl", scratch);
    unlink(path);
    rmdir(scratch);
    return failed != 0;
}
