// SPDX-License-Identifier: BSD-3-Clause
// The objectives that read texts: known values, and properties on random texts.
#include "base/rng.h"
#include "objective/text.h"
#include "unit/objective/support.h"

static const char lexicon_file[] = "# sentiment\ngood 2\nnot good\t-3\nBad -1.5\ncan't 0.5\n";
static char *lexicon_path, lexicon_options[200];

static void make_lexicon(void)
{
    lexicon_path = temporary_file(lexicon_file, sizeof lexicon_file - 1);
    snprintf(lexicon_options, sizeof lexicon_options, "{'words': '%s'}", lexicon_path);
}

static void remove_lexicon(void)
{
    unlink(lexicon_path);
    free(lexicon_path);
}

static void check_score(const char *type, const char *options, const char *prompt, const char *response, double want)
{
    pr_objective_t *o = open_objective(type, options, "");
    double got = score_of(o, prompt, response);
    ck_assert_msg(fabs(got - want) < 1e-12, "%s %s on '%s': %.15g, expected %.15g", type, options, response, got, want);
    pr_objective_close(&o);
}

/* What a model writes after U+0000 is scored like the rest, and only those objectives trim that say so. */
START_TEST(test_whole_responses)
{
    static const struct {
        const char *type, *options, *response;
        size_t len;
        double score;
    } cases[] = {{"brevity", "{'words': 10}", "one two\0three four", 18, 0.6},
                 {"length_target", "{'words': 4}", "one two\0three four", 18, 1},
                 {"length_target", "{'words': 5, 'unit': 'characters'}", "ab\0cd", 5, 1},
                 {"length_target", "{'words': 6, 'unit': 'characters'}", " ab d ", 6, 1},
                 {"length_target", "{'words': 4, 'unit': 'characters', 'trim': true}", " ab d ", 6, 1},
                 {"distinct", "{'n': 1}", "one\0one", 7, 0.5},
                 {"empathy", "{}", "Hm. \0I am sorry.", 16, 0.5},
                 {"match", "{'pattern': 'z', 'unit': 'response'}", "a\0z", 3, 1},
                 {"match", "{'pattern': '^a', 'unit': 'response'}", " a", 2, 1},
                 {"match", "{'pattern': '^a', 'unit': 'response', 'trim': false}", " a", 2, 0},
                 {"repetition", "{'n': 1}", "go\0go", 5, 0.5},
                 {"reflection", "{'from': '', 'to': ''}", "\0garden", 7, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pr_objective_t *o = open_objective(cases[i].type, cases[i].options, "");
        pr_sample_t s = {.prompt = "garden", .response = cases[i].response, .response_len = cases[i].len};
        pr_error_t err = {0};
        double score = -1;
        pr_status_t status = pr_objective_score(o, &s, 1, &score, &err);
        ck_assert_msg(status == PR_OK, "%s", err.text);
        ck_assert_msg(fabs(score - cases[i].score) < 1e-12, "%s: found %g, expected %g", cases[i].type, score,
                      cases[i].score);
        pr_objective_close(&o);
    }
}
END_TEST

/* Unicode's rule, as published in UAX 29, and what has no letter. */
START_TEST(test_sentences)
{
    static const struct {
        const char *text, *sentence[5];
    } cases[] = {
        {"I am sorry. Then he left.", {"I am sorry.", "Then he left."}},
        {"“I am sorry.” Then he left.", {"“I am sorry.”", "Then he left."}},
        {"\"I am sorry.\" Then he left.", {"\"I am sorry.\"", "Then he left."}},
        {"(I am sorry.) Then he left.", {"(I am sorry.)", "Then he left."}},
        {"[I am sorry!] Then he left.", {"[I am sorry!]", "Then he left."}},
        {"**I am sorry.** Then he left.", {"**I am sorry.", "** Then he left."}},
        {"**I am sorry.**", {"**I am sorry.**"}},
        {"I am sorry.[1] Then he left.", {"I am sorry.[", "1] Then he left."}},
        {"- I am sorry\n- Then he left", {"- I am sorry", "- Then he left"}},
        {"1. I am sorry\n2. Then he left\n\n", {"1. I am sorry", "2. Then he left"}},
        {"one\r\ntwo\n \nthree", {"one", "two", "three"}},
        {"Really?! Yes.", {"Really?!", "Yes."}},
        {"I am sorry… Then he left.", {"I am sorry…", "Then he left."}},
        {"“I am sorry…” Then he left.", {"“I am sorry…”", "Then he left."}},
        {"I am sorry… and so is he.", {"I am sorry… and so is he."}},
        {"It costs 3.50 at Smith.com, e.g. there.", {"It costs 3.50 at Smith.com, e.g. there."}},
        {"Great! 🙂", {"Great! 🙂"}},
        {"Great! 🙂 Thanks!", {"Great!", "🙂 Thanks!"}},
        {"今日は雨。明日は晴れ。", {"今日は雨。", "明日は晴れ。"}},
        {"42.", {"42."}},
        {" \n ", {NULL}},
        {"", {NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pr_spans_t found;
        size_t n = 0;
        pr_text_sentences(cases[i].text, strlen(cases[i].text), &found);
        for (; cases[i].sentence[n]; n++) {
            ck_assert_msg(n < found.n, "%s: %zu sentences", cases[i].text, found.n);
            pr_span_t s = found.at[n];
            ck_assert_msg(s.len == strlen(cases[i].sentence[n]) && memcmp(s.s, cases[i].sentence[n], s.len) == 0,
                          "%s: found '%.*s', expected '%s'", cases[i].text, (int)s.len, s.s, cases[i].sentence[n]);
        }
        ck_assert_msg(n == found.n, "%s: %zu sentences", cases[i].text, found.n);
        pr_spans_free(&found);
    }
}
END_TEST

START_TEST(test_length_target)
{
    check_score("length_target", "{'words': 4}", "", "one two three four", 1);
    check_score("length_target", "{'words': 4}", "", "one two three", 0.75);
    check_score("length_target", "{'words': 4}", "", "a b c d e f g h i j", 0);
    check_score("length_target", "{'words': 4, 'width': 8}", "", "", 0.5);
    check_score("length_target", "{'words': 3, 'unit': 'characters'}", "", "äöü", 1);
    check_score("length_target", "{'words': 2}", "", "Ελληνικά — это", 1);
    pr_objective_t *o = open_objective("length_target", "{'words': 8, 'unit': 'tokens'}", "");
    int32_t id[6] = {0};
    pr_sample_t s = {.prompt = "", .response = "x", .response_len = 1, .response_id = id, .n_response = 6};
    double score;
    ck_assert_int_eq(pr_objective_score(o, &s, 1, &score, NULL), PR_OK);
    ck_assert_double_eq(score, 0.75);
    pr_objective_close(&o);
}
END_TEST

START_TEST(test_distinct)
{
    check_score("distinct", "{}", "", "the cat the cat the dog", 3.0 / 5);
    check_score("distinct", "{'n': 1}", "", "the cat the cat the dog", 0.5);
    check_score("distinct", "{}", "", "The CAT, the cat.", 2.0 / 3);
    check_score("distinct", "{'n': 3}", "", "one two", 0);
    check_score("distinct", "{'n': 2}", "", "ab c a bc", 1);
}
END_TEST

START_TEST(test_repetition)
{
    check_score("repetition", "{}", "", "all of this is new", 1);
    check_score("repetition", "{'n': 2}", "", "I see that I see", 0.6);
    check_score("repetition", "{'n': 1}", "", "no no no no", 0.25);
    check_score("repetition", "{'n': 2}", "my dog died", "your dog died", 1);
    check_score("repetition", "{'n': 2, 'prompt': true}", "my dog died", "your dog died", 1.0 / 3);
    check_score("repetition", "{}", "", "", 0);
}
END_TEST

static double flesch(double words, double sentences, double syllables)
{
    return (206.835 - 1.015 * words / sentences - 84.6 * syllables / words) / 100;
}

START_TEST(test_readability)
{
    check_score("readability", "{}", "", "The cat sat on the mat.", 1); // 116 of 100
    // un-der-stand-ing dif-fi-cult sit-u-a-tions needs pa-tience: "tions" has one group io, "patience" ie
    check_score("readability", "{}", "", "Understanding difficult situations needs patience.",
                fmax(0, flesch(5, 1, 14)));
    check_score("readability", "{}", "", "I liked the wanted tables. The houses moved!", flesch(8, 2, 11));
    check_score("readability", "{}", "", "café fiancé tree house", flesch(4, 1, 6));
    check_score("readability", "{}", "", "?!", 0);
}
END_TEST

START_TEST(test_lexicon)
{
    check_score("lexicon", lexicon_options, "", "Good, this is GOOD", 1);
    check_score("lexicon", lexicon_options, "", "this is not good", -0.75);
    check_score("lexicon", lexicon_options, "", "bad", -1.5);
    check_score("lexicon", lexicon_options, "", "I can\xE2\x80\x99t", 0.25);
    check_score("lexicon", lexicon_options, "", "goodness", 0);
    pr_objective_t *o = open_objective("lexicon", lexicon_options, "");
    ck_assert_double_eq(o->lo, -3);
    ck_assert_double_eq(o->hi, 2);
    pr_objective_close(&o);
}
END_TEST

START_TEST(test_match)
{
    check_score("match", "{'pattern': '\\\\byou\\\\b'}", "", "Are you there? I am. You know.", 2.0 / 3);
    check_score("match", "{'pattern': 'YOU', 'ignore_case': false}", "", "you. YOU.", 0.5);
    check_score("match", "{'pattern': '\\\\?$', 'unit': 'response'}", "", "Is it?", 1);
    check_score("match", "{'pattern': 'a', 'unit': 'word'}", "", "a b a b", 0.5);
    check_score("match", "{'pattern': 'x*', 'unit': 'word'}", "", "aaaa", 1);
    check_score("match", "{'pattern': 'b', 'negate': true, 'unit': 'response'}", "", "abc", 0);
    check_score("match", "{'pattern': 'b', 'negate': true}", "", "", 0);
    check_score("match", "{'pattern': '\\\\p{Greek}+', 'unit': 'word'}", "", "λόγος word", 0.5);
    check_score("match", "{'pattern': 'b'}", "", "\xff\xfe b \xff", 1);
}
END_TEST

START_TEST(test_match_catastrophe)
{
    pr_objective_t *o = open_objective("match", "{'pattern': '^(a+)+$|(?:x*)*y'}", "");
    char text[5001];
    memset(text, 'a', 5000);
    text[4999] = '!';
    text[5000] = 0;
    pr_sample_t s[2] = {{.prompt = "", .response = "fine", .response_len = 4},
                        {.prompt = "", .response = text, .response_len = strlen(text)}};
    double scores[2];
    pr_error_t err;
    ck_assert_int_eq(pr_objective_score(o, s, 2, scores, &err), PR_ERR_SCORER);
    ck_assert_msg(strstr(err.text, "objective 'it' (match): sample 1: the pattern took more steps"), "%s", err.text);
    pr_objective_close(&o);
}
END_TEST

START_TEST(test_match_step_limit)
{
    static const char *const options[] = {"{'pattern': '(a+)+b', 'step_limit': 100}",
                                          "{'pattern': '(a+)+b', 'step_limit': 100000}"};
    pr_sample_t s = {.prompt = "", .response = "aaaaaaac aab", .response_len = 12};
    for (int k = 0; k < 2; k++) {
        double score = -1;
        pr_objective_t *o = open_objective("match", options[k], "");
        ck_assert_int_eq(pr_objective_score(o, &s, 1, &score, NULL), k == 0 ? PR_ERR_SCORER : PR_OK);
        ck_assert(k == 0 || score == 1);
        double unmeasured = -1; // without its length a response goes up to its NUL
        s.response_len = 0;
        ck_assert_int_eq(pr_objective_score(o, &s, 1, &unmeasured, NULL), k == 0 ? PR_ERR_SCORER : PR_OK);
        ck_assert(k == 0 || unmeasured == score);
        s.response_len = 12;
        pr_objective_close(&o);
    }
}
END_TEST

/* ---- properties ---- */
static const char *const subjects[][2] = {
    {"brevity", "{}"},
    {"distinct", "{}"},
    {"distinct", "{'n': 1}"},
    {"empathy", "{}"},
    {"length_target", "{'words': 7}"},
    {"length_target", "{'words': 70, 'unit': 'characters'}"},
    {"lexicon", NULL},
    {"match", "{'pattern': '\\\\w+ed\\\\b|^\\\\s*I'}"},
    {"match", "{'pattern': 'o*', 'unit': 'word'}"},
    {"match", "{'pattern': 'e', 'unit': 'word', 'negate': true}"},
    {"readability", "{}"},
    {"reflection", "{}"},
    {"repetition", "{'n': 2, 'prompt': true}"},
};
enum { N_SUBJECT = sizeof subjects / sizeof *subjects, N_TEXT = 200 };

// Words, ends of sentences, white space, letters of other scripts and bytes that are no UTF-8, in random order.
static char *random_text(const pr_rng_key_t *key, uint64_t which)
{
    static const char *const piece[] = {"good",
                                        "not ",
                                        "I ",
                                        "sorry",
                                        ". ",
                                        "!",
                                        "? ",
                                        " ",
                                        "\n",
                                        "good",
                                        "'",
                                        "ended ",
                                        "é",
                                        "\xE3\x80\x80",
                                        "ΟΔΟΣ",
                                        "日本",
                                        "\xF0\x9F\x99\x82",
                                        "\xff",
                                        "\xC3",
                                        "bad ",
                                        "3.5 ",
                                        "the ",
                                        "feelings ",
                                        "a ",
                                        "\xCC\x81",
                                        "Client:",
                                        "\nCounselor:"};
    pr_buf_t b = {0};
    pr_buf_add(&b, "", 0);
    uint64_t n = pr_rng_below(key, 60, which, 0, 0, 0);
    for (uint64_t i = 1; i <= n; i++)
        pr_buf_puts(&b, piece[pr_rng_below(key, sizeof piece / sizeof *piece, which, i, 0, 0)]);
    return b.data;
}

static pr_objective_t *open_subject(int i)
{
    const char *options = subjects[i][1] ? subjects[i][1] : lexicon_options;
    return open_objective(subjects[i][0], options, "");
}

START_TEST(test_properties)
{
    pr_rng_key_t key = pr_rng_key(7, "texts", subjects[_i][0]);
    pr_objective_t *o = open_subject(_i), *again = open_subject(_i);
    pr_sample_t samples[N_TEXT];
    double together[N_TEXT], lo = INFINITY, hi = -INFINITY;
    for (uint64_t i = 0; i < N_TEXT; i++) {
        char *response = random_text(&key, 2 * i + 1);
        samples[i] =
            (pr_sample_t){.prompt = random_text(&key, 2 * i), .response = response, .response_len = strlen(response)};
    }
    pr_error_t err = {0};
    pr_status_t status = pr_objective_score(o, samples, N_TEXT, together, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    for (int i = 0; i < N_TEXT; i++) {
        ck_assert(together[i] >= o->lo && together[i] <= o->hi && isfinite(together[i]));
        ck_assert_double_eq(together[i], score_of(again, samples[i].prompt, samples[i].response));
        lo = fmin(lo, together[i]);
        hi = fmax(hi, together[i]);
        free((char *)(uintptr_t)samples[i].prompt);
        free((char *)(uintptr_t)samples[i].response);
    }
    ck_assert_msg(lo < hi, "%s says %g to everything", o->type->name, lo);
    double empty = score_of(o, "Client: anything", "");
    ck_assert(empty >= o->lo && empty <= o->hi);
    ck_assert_double_eq(empty, 0);
    ck_assert_double_eq(score_of(o, "", ""), 0);
    ck_assert_int_eq(pr_objective_score(o, NULL, 0, NULL, NULL), PR_OK);
    pr_objective_close(&o);
    pr_objective_close(&again);
    ck_assert_ptr_null(o);
    pr_objective_close(&o);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text objectives");
    TCase *t = tcase_create("known values");
    tcase_add_checked_fixture(t, make_lexicon, remove_lexicon);
    tcase_add_test(t, test_whole_responses);
    tcase_add_test(t, test_sentences);
    tcase_add_test(t, test_length_target);
    tcase_add_test(t, test_distinct);
    tcase_add_test(t, test_repetition);
    tcase_add_test(t, test_readability);
    tcase_add_test(t, test_lexicon);
    tcase_add_test(t, test_match);
    tcase_add_test(t, test_match_catastrophe);
    tcase_add_test(t, test_match_step_limit);
    suite_add_tcase(s, t);
    TCase *p = tcase_create("properties");
    tcase_add_checked_fixture(p, make_lexicon, remove_lexicon);
    tcase_set_timeout(p, 60);
    tcase_add_loop_test(p, test_properties, 0, N_SUBJECT);
    suite_add_tcase(s, p);
    return run_suite(s);
}
