// SPDX-License-Identifier: BSD-3-Clause
/* The hand-written scanners against the regular expressions that they stand for, and the two ways of merging against a
 * plain one, on random texts. */
#include "base/rng.h"
#include "tokenizer/tokenizer_internal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static pr_rng_key_t key;
static uint64_t counter;

static uint32_t below(uint32_t n)
{
    return (uint32_t)pr_rng_below(&key, n, counter++, 0, 0, 0);
}

static void seed(const char *name)
{
    key = pr_rng_key(20, "tokenizer test", name);
    counter = 0;
}

/* Ranges of letters, marks, numbers, punctuation, symbols and spaces that both libraries know alike. */
static const uint32_t ranges[][2] = {
    {0x20, 0x7E},     {0x00, 0x1F},     {0x7F, 0x17F},    {0x300, 0x36F},     {0x370, 0x3FF},
    {0x400, 0x4FF},   {0x5D0, 0x6FF},   {0x900, 0x9FF},   {0x1100, 0x11FF},   {0x1680, 0x1680},
    {0x1800, 0x1819}, {0x2000, 0x20BF}, {0x2150, 0x218B}, {0x2460, 0x24FF},   {0x3000, 0x30FF},
    {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3}, {0xFE30, 0xFFEF}, {0x1D400, 0x1D7FF}, {0x1F100, 0x1F9FF},
};
static const char *const bits[] = {"'s",        "'LL",      "'re",          "'",  " ",   "  ", "\n", "\r\n",
                                   "\t ",       "a",        "Word",         "12", "345", "!?", " (", "_",
                                   "'\xC5\xBF", "\xC2\xA0", "\xE2\x80\x83", "x"};

static void add_random(pr_buf_t *text, unsigned parts)
{
    for (unsigned i = 0; i < parts; i++) {
        if (below(3)) {
            pr_buf_puts(text, bits[below(sizeof bits / sizeof *bits)]);
            continue;
        }
        const uint32_t *range = ranges[below(sizeof ranges / sizeof *ranges)];
        pr_tok_add_char(text, range[0] + below(range[1] - range[0] + 1));
    }
    pr_buf_add(text, "", 0);
}

static void check_text(pr_tok_scan_t kind, const pr_tok_pattern_t *pattern, const pr_buf_t *text, pr_tok_match_t *m)
{
    pr_tok_iter_t it = {.pattern = pattern, .s = text->data, .n = text->len};
    size_t done = 0, start, end;
    bool found;
    while (done < text->len) {
        ck_assert(pr_tok_iter_next(&it, m, &found, &start, &end, NULL) == PR_OK);
        ck_assert(found);
        ck_assert_uint_eq(start, done);
        ck_assert_msg(pr_tok_scan_next(kind, text->data, text->len, done) == end,
                      "pattern %d, text \"%s\": piece at %zu ends at %zu, expected %zu", (int)kind, text->data, done,
                      pr_tok_scan_next(kind, text->data, text->len, done), end);
        done = end;
    }
    ck_assert(pr_tok_iter_next(&it, m, &found, &start, &end, NULL) == PR_OK);
    ck_assert(!found);
}

START_TEST(scanners_match_their_patterns)
{
    pr_error_t err;
    pr_tok_scan_t kind = (pr_tok_scan_t)_i;
    const char *regex = pr_tok_scan_pattern(kind);
    ck_assert_int_eq(pr_tok_scan_of(regex, strlen(regex)), kind);
    ck_assert_int_eq(pr_tok_scan_of(regex, strlen(regex) - 1), PR_TOK_SCAN_NONE);
    pr_tok_pattern_t pattern = {.kind = PR_TOK_REGEX};
    ck_assert_msg(pr_tok_regex_compile(regex, strlen(regex), "test", &pattern.re, &err) == PR_OK, "%s", err.text);
    pr_tok_match_t match = {0};
    seed(regex);
    for (int i = 0; i < 20000; i++) {
        pr_buf_t text = {0};
        add_random(&text, 1 + below(24));
        check_text(kind, &pattern, &text, &match);
        pr_buf_free(&text);
    }
    pr_tok_match_free(&match);
    pr_tok_pattern_free(&pattern);
}
END_TEST

START_TEST(classes_are_unicode)
{
    ck_assert_uint_eq(pr_tok_class('a'), PR_TOK_L | PR_TOK_W);
    ck_assert_uint_eq(pr_tok_class('_'), PR_TOK_PUNCT | PR_TOK_W);
    ck_assert_uint_eq(pr_tok_class('\r'), PR_TOK_S | PR_TOK_CRLF);
    ck_assert_uint_eq(pr_tok_class(0xBD), PR_TOK_N); // one half
    ck_assert_uint_eq(pr_tok_class(0x301), PR_TOK_W);
    ck_assert_uint_eq(pr_tok_class(0x85), PR_TOK_S);
    ck_assert_uint_eq(pr_tok_class(0x180E), 0); // no space any more
    ck_assert_uint_eq(pr_tok_class(0x2EBF0), PR_TOK_L | PR_TOK_W);
    ck_assert_uint_eq(pr_tok_class(0x10FFFF), 0);
    for (uint32_t c = 0; c < 256; c++)
        ck_assert_int_eq(pr_tok_byte_of_char(pr_tok_char_of_byte((unsigned char)c)), (int)c);
    ck_assert_uint_eq(pr_tok_char_of_byte(' '), 0x120);
    ck_assert_uint_eq(pr_tok_char_of_byte('\n'), 0x10A);
    ck_assert_uint_eq(pr_tok_char_of_byte(0xAD), 0x143);
    ck_assert_int_eq(pr_tok_byte_of_char(0x144), -1);
}
END_TEST

static void refuse(const char *regex, pr_status_t status, const char *message)
{
    pr_error_t err = {0};
    pcre2_code *code = NULL;
    ck_assert_int_eq(pr_tok_regex_compile(regex, strlen(regex), "here", &code, &err), status);
    ck_assert_msg(strstr(err.text, message), "%s", err.text);
    pcre2_code_free(code);
}

START_TEST(refuses_what_the_syntaxes_do_not_share)
{
    refuse("[a-z&&[^b]]", PR_ERR_UNSUPPORTED, "an intersection of classes");
    refuse("[a[b]]", PR_ERR_UNSUPPORTED, "a class within a class");
    refuse("a{1,3}+", PR_ERR_UNSUPPORTED, "an interval");
    refuse("(?m:.)", PR_ERR_UNSUPPORTED, "the flag m");
    refuse("\\Qa\\E", PR_ERR_UNSUPPORTED, "this escape");
    refuse("[\\S\\n]", PR_ERR_UNSUPPORTED, "a negated escape");
    refuse("(a", PR_ERR_FORMAT, "not a valid regular expression");
    refuse("", PR_ERR_FORMAT, "expected 1 to 65536");
    refuse("\\", PR_ERR_FORMAT, "not a valid regular expression");
    refuse("[", PR_ERR_FORMAT, "not a valid regular expression");
    refuse("\\C", PR_ERR_FORMAT, "not a valid regular expression");
}
END_TEST

/* Merges one pair at a time, looking through all of them each time. */
static size_t merge_plainly(const pr_tok_merges_t *m, uint32_t *sym, size_t n)
{
    for (;;) {
        uint32_t best = PR_TOK_NONE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            uint32_t rank = pr_tok_merge_rank(m, sym[i], sym[i + 1]);
            if (rank < best) {
                best = rank;
                at = i;
            }
        }
        if (best == PR_TOK_NONE)
            return n;
        sym[at] = m->result[best];
        memmove(sym + at + 1, sym + at + 2, (n - at - 2) * sizeof *sym);
        n--;
    }
}

static pr_tokenizer_t *open_fixture(const char *kind)
{
    pr_error_t err;
    pr_tokenizer_t *t = NULL;
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    pr_buf_t path = {0};
    pr_buf_printf(&path, "%s/tests/fixtures/tokenizer-%s/tokenizer.json", root ? root : ".", kind);
    ck_assert_msg(pr_tokenizer_load(path.data, &t, &err) == PR_OK, "%s", err.text);
    pr_buf_free(&path);
    return t;
}

/* Pieces of every length around the change from one way of merging to the other, with repeats that meet the cache. */
START_TEST(merging_agrees_with_the_plain_way)
{
    static const char *const parts[] = {"the", "ing", "and", "ou", "e", "s", "t", "a", "h", "er", "xx", "q"};
    pr_tokenizer_t *t = open_fixture("gpt2");
    seed("merges");
    for (int i = 0; i < 3000; i++) {
        pr_buf_t text = {0};
        for (uint32_t k = 1 + below(40); k > 0; k--)
            pr_buf_puts(&text, parts[below(sizeof parts / sizeof *parts)]);
        uint32_t *sym = pr_alloc(text.len, sizeof *sym);
        for (size_t k = 0; k < text.len; k++)
            sym[k] = t->byte_id[(unsigned char)text.data[k]];
        size_t expected = merge_plainly(&t->merges, sym, text.len), n;
        int32_t *ids;
        ck_assert(pr_tokenizer_encode(t, text.data, text.len, false, &ids, &n, NULL) == PR_OK);
        ck_assert_uint_eq(n, expected);
        ck_assert_mem_eq(ids, sym, n * sizeof *ids);
        free(ids);
        free(sym);
        pr_buf_free(&text);
    }
    pr_tokenizer_free(&t);
}
END_TEST

static int32_t *encode(const pr_tokenizer_t *t, const char *s, size_t len, size_t *n)
{
    int32_t *ids;
    ck_assert(pr_tokenizer_encode(t, s, len, false, &ids, n, NULL) == PR_OK);
    return ids;
}

/* A long text, which uses the cache, against its lines one by one, which are too short to. */
START_TEST(the_cache_changes_nothing)
{
    pr_tokenizer_t *t = open_fixture("gpt2");
    seed("cache");
    pr_buf_t text = {0};
    for (int i = 0; i < 4000; i++) {
        add_random(&text, 1 + below(5));
        pr_buf_puts(&text, "x\ny"); // a cut between pieces on either side of the line end
    }
    size_t n, at = 0, len;
    int32_t *all = encode(t, text.data, text.len, &n);
    for (char *line = text.data, *end; line < text.data + text.len; line = end) {
        char *stop = memmem(line, (size_t)(text.data + text.len - line), "x\ny", 3);
        end = stop ? stop + 2 : text.data + text.len;
        int32_t *ids = encode(t, line, (size_t)(end - line), &len);
        ck_assert_uint_le(at + len, n);
        ck_assert_mem_eq(ids, all + at, len * sizeof *ids);
        at += len;
        free(ids);
    }
    ck_assert_uint_eq(at, n);
    free(all);
    pr_buf_free(&text);
    pr_tokenizer_free(&t);
}
END_TEST

/* The Llama-2 form may be cut before ▁; without the cut, the same comes out. */
START_TEST(cutting_changes_nothing)
{
    pr_tokenizer_t *t = open_fixture("llama2");
    ck_assert(t->cut_at_mark);
    seed("cut");
    for (int i = 0; i < 2000; i++) {
        pr_buf_t text = {0};
        size_t n, m;
        add_random(&text, 1 + below(60));
        t->cut_at_mark = true;
        int32_t *a = encode(t, text.data, text.len, &n);
        t->cut_at_mark = false;
        int32_t *b = encode(t, text.data, text.len, &m);
        ck_assert_uint_eq(n, m);
        ck_assert_mem_eq(a, b, n * sizeof *a);
        free(a);
        free(b);
        pr_buf_free(&text);
    }
    pr_tokenizer_free(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer scan");
    TCase *tc = tcase_create("scan");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, scanners_match_their_patterns, PR_TOK_SCAN_GPT2, PR_TOK_SCAN_QWEN2 + 1);
    tcase_add_test(tc, classes_are_unicode);
    tcase_add_test(tc, refuses_what_the_syntaxes_do_not_share);
    tcase_add_test(tc, merging_agrees_with_the_plain_way);
    tcase_add_test(tc, the_cache_changes_nothing);
    tcase_add_test(tc, cutting_changes_nothing);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
