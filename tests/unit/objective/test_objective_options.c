// SPDX-License-Identifier: BSD-3-Clause
// Resolving: defaults, hostile options, identity, the reference page and the nearest-word helper.
#include "base/nearest.h"
#include "unit/objective/support.h"

static const struct {
    const char *type, *options;
    pr_status_t status;
    const char *says; // a part of the message
} bad[] = {
    {"brevty", "{}", PR_ERR_CONFIG, "the nearest known one is 'brevity'"},
    {"no such thing at all", "{}", PR_ERR_CONFIG, "there are: brevity, command"},
    {"brevity", "{'word': 3}", PR_ERR_CONFIG, "unknown key 'word'; the nearest known one is 'words'"},
    {"brevity", "{'completely': 3}", PR_ERR_CONFIG, "there are: words, min_words"},
    {"brevity", "{'words': 'many'}", PR_ERR_CONFIG,
     "words: found the string \"many\", expected an integer 1 to 1000000"},
    {"brevity", "{'words': 3.5}", PR_ERR_CONFIG, "expected an integer"},
    {"brevity", "{'words': 0}", PR_ERR_CONFIG, "found the integer 0, expected an integer 1 to 1000000"},
    {"brevity", "{'words': 99999999999}", PR_ERR_CONFIG,
     "found the integer 99999999999, expected an integer 1 to 1000000"},
    {"brevity", "{'words': [3]}", PR_ERR_CONFIG, "found a list of 1"},
    {"brevity", "{'words': 1000001}", PR_ERR_CONFIG, "found the integer 1000001, expected an integer 1 to 1000000"},
    {"command", "{'command': 'cat', 'hi': 1e300}", PR_ERR_CONFIG,
     "found the number 1e+300, expected a number -1e30 to 1e30"},
    {"length_target", "{'words': 5, 'width': 1e-40}", PR_ERR_CONFIG,
     "found the number 1e-40, expected a number 0.001 to 1e6"},
    {"length_target", "{}", PR_ERR_CONFIG, "words: missing; expected an integer 1 to 1000000: the length"},
    {"length_target", "{'words': 5, 'width': 0}", PR_ERR_CONFIG, "width: found"},
    {"length_target", "{'words': 5, 'unit': 'miles'}", PR_ERR_CONFIG, "expected one of words | tokens | characters"},
    {"length_target", "{'words': 5, 'unit': 'word'}", PR_ERR_CONFIG, "unit: found the string \"word\""},
    {"length_target", "{'words': 5, 'unit': ''}", PR_ERR_CONFIG, "expected one of"},
    {"empathy", "{'phrases': '/no/such/file'}", PR_ERR_NOT_FOUND, "/no/such/file"},
    {"empathy", "{'phrases': '/tmp'}", PR_ERR_NOT_FOUND, "/tmp: no such file"},
    {"empathy", "{'phrases': '/dev/null'}", PR_ERR_NOT_FOUND, "/dev/null"},
    {"reflection", "{'from': 'a\\u0000b'}", PR_ERR_CONFIG, "NUL"},
    {"repetition", "{'prompt': 1}", PR_ERR_CONFIG, "expected true or false"},
    {"match", "{}", PR_ERR_CONFIG, "pattern: missing"},
    {"match", "{'pattern': ''}", PR_ERR_CONFIG, "found 0 bytes"},
    {"match", "{'pattern': 'a(b'}", PR_ERR_CONFIG, "at byte 3 of 'a(b'"},
    {"match", "{'pattern': 'a\\\\Cb'}", PR_ERR_CONFIG, "\\C"},
    {"command", "{'command': []}", PR_ERR_CONFIG,
     "found a list of 0, expected a string or list of strings that is not empty"},
    {"command", "{'command': ['/bin/sh', 3]}", PR_ERR_CONFIG, "command: found the integer 3"},
    {"command", "{'command': ['no-such-program-here']}", PR_ERR_NOT_FOUND, "no executable file in PATH"},
    {"command", "{'command': ['./nothing']}", PR_ERR_NOT_FOUND, "'./nothing' is no executable file"},
    {"command", "{'command': ['/etc/passwd']}", PR_ERR_NOT_FOUND, "no executable"},
    {"command", "{'command': 'cat', 'timeout': 'soon'}", PR_ERR_CONFIG, "not a duration"},
    {"command", "{'command': 'cat', 'timeout': 0}", PR_ERR_CONFIG, "timeout: found"},
    {"command", "{'command': 'cat', 'retries': -1}", PR_ERR_CONFIG, "retries: found"},
    {"command", "{'command': 'cat', 'lo': 1, 'hi': 1}", PR_ERR_CONFIG, "expected more than lo"},
    {"reward_model", "{'model': '/no/such/dir'}", PR_ERR_NOT_FOUND, "/no/such/dir: no such directory"},
    {"reward_model", "{'model': '/tmp', 'template': '{prompt}'}", PR_ERR_CONFIG, "no {response}"},
    {"reward_model", "{'model': 'tests/fixtures/reward-gpt2', 'template': '{promt}{response}'}", PR_ERR_CONFIG,
     "template: unknown placeholder '{promt}'; the nearest known one is '{prompt}'"},
    {"reward_model", "{'model': 'tests/fixtures/reward-gpt2', 'template': '{prompt} { response }'}", PR_ERR_CONFIG,
     "template: unknown placeholder '{ response }'; the nearest known one is '{response}'"},
    {"reward_model", "{'model': 'tests/fixtures/reward-gpt2', 'template': '{response}{history}'}", PR_ERR_CONFIG,
     "template: unknown placeholder '{history}'; there are: {prompt}, {response}"},
    {"reward_model", "{'model': 'tests/fixtures/reward-gpt2', 'label': 1}", PR_ERR_CONFIG, "has 1 label"},
    {"reward_model", "{'model': 'tests/fixtures/gpt2'}", PR_ERR_CONFIG, "expected a sequence classification model"},
    {"lexicon", "{}", PR_ERR_CONFIG, "words: missing; expected a file"},
};

START_TEST(test_bad_options)
{
    pr_error_t err = {0};
    json_t *resolved = NULL, *options = options_of(bad[_i].options);
    char *dir = source_file(".");
    pr_status_t status = pr_objective_resolve("mine", bad[_i].type, options, dir, &resolved, &err);
    ck_assert_msg(status == bad[_i].status && resolved == NULL, "%s %s: %s", bad[_i].type, bad[_i].options, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].says) && strstr(err.text, "objective 'mine'"), "%s", err.text);
    ck_assert_int_eq(pr_objective_resolve("mine", bad[_i].type, options, dir, &resolved, NULL), status);
    json_decref(options);
    free(dir);
}
END_TEST

static const struct {
    const char *type, *text;
    size_t len; // 0: strlen
    const char *says;
} bad_lists[] = {
    {"lexicon", "", 0, "no word in the file"},
    {"lexicon", "good 1\nbad\n", 0, "line 2: found 'bad', expected a word"},
    {"lexicon", "good one\n", 0, "line 1: found 'one'"},
    {"lexicon", "good nan\n", 0, "line 1"},
    {"lexicon", "good 1e999\n", 0, "line 1"},
    {"lexicon", "good 1\nGOOD\t2\n", 0, "line 2: 'good' has a weight already"},
    {"lexicon", "--- 1\n", 0, "found 0 words"},
    {"lexicon", "a b c d e f g h i 1\n", 0, "found 9 words"},
    {"lexicon", "good\0 1\n", 8, "byte 4: found 0x00"},
    {"lexicon", "good 1\n\xff\xfe 1\n", 0, "byte 7: found 0xff"},
    {"empathy", "# only this\n\n", 0, "no phrase in the file"},
    {"empathy", "\xc3(\n", 0, "byte 0: found 0xc3"},
};

START_TEST(test_bad_lists)
{
    pr_error_t err = {0};
    size_t len = bad_lists[_i].len ? bad_lists[_i].len : strlen(bad_lists[_i].text);
    char *path = temporary_file(bad_lists[_i].text, len), text[200];
    snprintf(text, sizeof text, "{'%s': '%s'}", strcmp(bad_lists[_i].type, "lexicon") == 0 ? "words" : "phrases", path);
    json_t *resolved = NULL, *options = options_of(text);
    pr_status_t status = pr_objective_resolve("mine", bad_lists[_i].type, options, "", &resolved, &err);
    ck_assert_msg(status == PR_ERR_FORMAT && resolved == NULL, "%d: %s", status, err.text);
    ck_assert_msg(strstr(err.text, bad_lists[_i].says) && strstr(err.text, path), "%s", err.text);
    json_decref(options);
    unlink(path);
    free(path);
}
END_TEST

/* The range that the options give, before anything is opened. */
START_TEST(test_bounds)
{
    static const struct {
        const char *type, *options;
        double lo, hi;
    } cases[] = {{"brevity", "{}", 0, 1},
                 {"command", "{'command': 'cat'}", -INFINITY, INFINITY},
                 {"command", "{'command': 'cat', 'lo': -2, 'hi': 3.5}", -2, 3.5},
                 {"reward_model", "{'model': 'tests/fixtures/reward-gpt2'}", -INFINITY, INFINITY},
                 {"reward_model", "{'model': 'tests/fixtures/reward-gpt2', 'transform': 'sigmoid'}", 0, 1}};
    char *dir = source_file("."), *list = temporary_file("good 2\nbad -0.5\n", 16), options[200];
    double lo = 0, hi = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *o = options_of(cases[i].options);
        ck_assert_int_eq(pr_objective_bounds("it", cases[i].type, o, dir, &lo, &hi, NULL), PR_OK);
        ck_assert_msg(lo == cases[i].lo && hi == cases[i].hi, "%s %s: %g %g", cases[i].type, cases[i].options, lo, hi);
        json_decref(o);
    }
    snprintf(options, sizeof options, "{'words': '%s'}", list);
    json_t *o = options_of(options);
    ck_assert_int_eq(pr_objective_bounds("it", "lexicon", o, dir, &lo, &hi, NULL), PR_OK);
    ck_assert(lo == -0.5 && hi == 2);
    json_decref(o);
    unlink(list);
    free(list);
    free(dir);
}
END_TEST

START_TEST(test_resolved_is_stable)
{
    json_t *once, *twice;
    json_t *options = options_of("{'command': 'cat | cat', 'timeout': '1.5m', 'lo': -1}");
    ck_assert_int_eq(pr_objective_resolve("c", "command", options, NULL, &once, NULL), PR_OK);
    ck_assert_int_eq(pr_objective_resolve("c", "command", once, "", &twice, NULL), PR_OK);
    ck_assert(json_equal(once, twice));
    json_t *want = options_of("{'command': ['/bin/sh', '-c', 'cat | cat'], 'timeout': 90.0, 'retries': 2, 'batch': 1, "
                              "'copies': 1, 'trim': false, 'lo': -1.0}");
    ck_assert(json_equal(once, want));
    json_decref(want);
    json_decref(once);
    json_decref(twice);
    json_decref(options);
    ck_assert_int_eq(pr_objective_resolve("r", "reflection", NULL, "", &once, NULL), PR_OK);
    ck_assert_str_eq(json_string_value(json_object_get(once, "to")), "\nCounselor:");
    ck_assert_ptr_null(json_object_get(once, "stopwords"));
    json_decref(once);
}
END_TEST

static char *identity(const char *type, const char *options, const char *dir)
{
    json_t *v, *o = options_of(options);
    pr_error_t err;
    ck_assert_msg(pr_objective_identity(type, o, dir, &v, &err) == PR_OK, "%s", err.text);
    char *text = pr_json_canonical(v);
    json_decref(v);
    json_decref(o);
    return text;
}

static void check_identity(bool same, const char *type, const char *a, const char *b, const char *dir)
{
    char *x = identity(type, a, dir), *y = identity(type, b, dir);
    ck_assert_msg((strcmp(x, y) == 0) == same, "%s and %s", x, y);
    free(x);
    free(y);
}

START_TEST(test_identity)
{
    char *dir = source_file("tests/fixtures"), *copy, a[300], b[300];
    check_identity(true, "brevity", "{}", "{'words': 30}", dir);
    check_identity(false, "brevity", "{}", "{'words': 31}", dir);
    check_identity(true, "command", "{'command': 'cat'}", "{'command': 'cat', 'timeout': 3, 'retries': 0}", dir);
    check_identity(false, "command", "{'command': 'cat'}", "{'command': 'tac'}", dir);
    check_identity(true, "reward_model", "{'model': 'reward-gpt2'}", "{'model': './reward-gpt2'}", dir);
    check_identity(false, "reward_model", "{'model': 'reward-gpt2'}", "{'model': 'reward-llama'}", dir);
    copy = temporary_file("sorry\n", 6);
    snprintf(a, sizeof a, "{'phrases': '%s'}", copy);
    char *first = identity("empathy", a, dir);
    snprintf(b, sizeof b, "{'command': ['cat', '%s']}", copy);
    char *command = identity("command", b, dir);
    ck_assert_int_eq(pr_file_write(copy, "other\n", 6, NULL), PR_OK);
    char *second = identity("empathy", a, dir), *changed = identity("command", b, dir);
    ck_assert_str_ne(first, second);
    ck_assert_str_ne(command, changed);
    ck_assert_ptr_null(strstr(first, copy));
    // The same program elsewhere is the same, in a list and in a line for the shell; another word is another command.
    char *moved = temporary_file("other\n", 6), c[300];
    snprintf(a, sizeof a, "{'command': 'cat <%s | sort -r'}", copy);
    snprintf(b, sizeof b, "{'command': 'cat <%s | sort -r'}", moved);
    snprintf(c, sizeof c, "{'command': 'cat <%s | sort -n'}", moved);
    check_identity(true, "command", a, b, dir);
    check_identity(false, "command", b, c, dir);
    snprintf(a, sizeof a, "{'command': ['cat', '%s']}", copy);
    snprintf(b, sizeof b, "{'command': ['cat', '%s']}", moved);
    snprintf(c, sizeof c, "{'command': ['cat', '%s', 'x']}", moved);
    check_identity(true, "command", a, b, dir);
    check_identity(false, "command", b, c, dir);
    unlink(moved);
    free(moved);
    unlink(copy);
    free(first);
    free(second);
    free(command);
    free(changed);
    free(copy);
    free(dir);
}
END_TEST

START_TEST(test_nearest)
{
    static const char *const words[] = {"levels", "search", "seed", "objectives"};
    ck_assert_str_eq(pr_nearest("level", words, 4), "levels");
    ck_assert_str_eq(pr_nearest("Serch", words, 4), "search");
    ck_assert_str_eq(pr_nearest("sede", words, 4), "seed");
    ck_assert_str_eq(pr_nearest("objective", words, 4), "objectives");
    ck_assert_ptr_null(pr_nearest("temperature", words, 4));
    const char *const keys[] = {"finetune.kl", "finetune.lr", "finetune.steps", "go", "r"};
    ck_assert_str_eq(pr_nearest("finetune.stpes", keys, 5), "finetune.steps"); // swapped neighbours are one edit
    ck_assert_str_eq(pr_nearest("fintune.steps", keys, 5), "finetune.steps");
    ck_assert_ptr_null(pr_nearest("finetune.foo", keys, 5)); // what is alike is the group
    ck_assert_ptr_null(pr_nearest("foo", keys, 5));
    ck_assert_ptr_null(pr_nearest("x", keys, 5));
    ck_assert_ptr_null(pr_nearest("x", words, 0));
    ck_assert_ptr_null(pr_nearest("", words, 4));
    char *longest = pr_alloc(100001, 1);
    memset(longest, 'a', 100000);
    ck_assert_ptr_null(pr_nearest(longest, words, 4));
    free(longest);
}
END_TEST

START_TEST(test_registry)
{
    size_t n;
    const pr_objective_type_t *const *types = pr_objective_types(&n);
    ck_assert_uint_eq(n, 13);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(i == 0 || strcmp(types[i - 1]->name, types[i]->name) < 0, "%s", types[i]->name);
        ck_assert_ptr_eq(pr_objective_type(types[i]->name), types[i]);
        ck_assert(*types[i]->formula && *types[i]->range && *types[i]->help);
    }
    ck_assert_ptr_null(pr_objective_type("none"));
}
END_TEST

// docs/objectives.md is this page; PARETORANK_WRITE_DOCS=1 writes it anew.
START_TEST(test_page)
{
    char *path = source_file("docs/objectives.md"), *page = pr_objective_page(), *text = NULL;
    size_t len;
    pr_error_t err;
    if (getenv("PARETORANK_WRITE_DOCS"))
        ck_assert_int_eq(pr_file_write(path, page, strlen(page), NULL), PR_OK);
    ck_assert_msg(pr_file_read(path, 0, &text, &len, &err) == PR_OK, "%s", err.text);
    ck_assert_msg(strcmp(text, page) == 0, "docs/objectives.md is not what the registry says; run %s",
                  "PARETORANK_WRITE_DOCS=1 test_objective_options");
    free(text);
    free(page);
    free(path);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("objective options");
    TCase *t = tcase_create("options");
    tcase_add_loop_test(t, test_bad_options, 0, (int)(sizeof bad / sizeof *bad));
    tcase_add_loop_test(t, test_bad_lists, 0, (int)(sizeof bad_lists / sizeof *bad_lists));
    tcase_add_test(t, test_resolved_is_stable);
    tcase_add_test(t, test_identity);
    tcase_add_test(t, test_nearest);
    tcase_add_test(t, test_bounds);
    tcase_add_test(t, test_registry);
    tcase_add_test(t, test_page);
    suite_add_tcase(s, t);
    return run_suite(s);
}
