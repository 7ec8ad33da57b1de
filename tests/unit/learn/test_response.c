// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "learn/response.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pr_tokenizer_t *tokenizer(const char *dir)
{
    char path[1024];
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    pr_tokenizer_t *t = NULL;
    pr_error_t err;
    snprintf(path, sizeof path, "%s/%s/tokenizer.json", root ? root : ".", dir);
    ck_assert_msg(pr_tokenizer_load(path, &t, &err) == PR_OK, "%s", err.text);
    return t;
}

/* Ids of the parts one after the other: tokens as a model may write them, not as one text would be cut. */
static int encode_parts(const pr_tokenizer_t *t, const char *const *part, int32_t *ids)
{
    int n = 0;
    for (; *part; part++) {
        int32_t *some;
        size_t k;
        int id = pr_tokenizer_id(t, *part);
        if (id >= 0) {
            ids[n++] = id;
            continue;
        }
        ck_assert_int_eq(pr_tokenizer_encode(t, *part, strlen(*part), false, &some, &k, NULL), PR_OK);
        memcpy(ids + n, some, k * sizeof *ids);
        n += (int)k;
        free(some);
    }
    return n;
}

typedef struct response_case {
    const char *dir;
    const char *part[8];
    const char *stop[4];
    const char *expected;
    int tokens; // that make it; -1: not looked at
    bool stops;
} response_case_t;

#define COUNSEL "sweeps/counsel/model"
#define SMOLLM "tests/fixtures/smollm2"
#define LLAMA "tests/fixtures/llama"

static const response_case_t cases[] = {
    {COUNSEL, {" I see. \nClient: more"}, {"\n", "STOP"}, " I see. ", -1, true},
    {COUNSEL, {"  both ends  "}, {"\n", "STOP"}, "  both ends  ", -1, false},
    {COUNSEL, {"\nnothing"}, {"\n", "STOP"}, "", 0, true},
    {COUNSEL, {"cut STOP here\n"}, {"\n", "STOP"}, "cut ", -1, true},
    {COUNSEL, {"plain"}, {"\n", "STOP"}, "plain", -1, false},
    // Of the tokens only those count that have something in the text.
    {COUNSEL, {"a", "b", "\n", "c"}, {"\n"}, "ab", 2, true},
    {COUNSEL, {"a", ".", "b"}, {".b"}, "a", 1, true},
    // A special token as a stop text, alone and with text around it, and where nothing stops.
    {SMOLLM, {"a", "<|pad|>"}, {"<|pad|>"}, "a", 1, true},
    {SMOLLM, {"<|pad|>", "a"}, {"<|pad|>"}, "", 0, true},
    {SMOLLM, {"a", "<|pad|>", "b"}, {"<|pad|>b"}, "a", 1, true},
    {SMOLLM, {"a", "b", "<|pad|>"}, {"b<|pad|>"}, "a", 1, true},
    {SMOLLM, {"a", "<|pad|>", "b"}, {"<|pad|>c"}, "ab", 3, false},
    // Without a special token in it, a stop text is found across one that is in no text.
    {SMOLLM, {"a", "<|pad|>", "b"}, {"ab"}, "", 0, true},
    // The earlier one counts, of whichever kind.
    {SMOLLM, {"a", "b", "<|pad|>", "c"}, {"<|pad|>", "b"}, "a", 1, true},
    {SMOLLM, {"a", "<|pad|>", "b"}, {"b", "<|pad|>"}, "a", 1, true},
    // The text of a special token, spelled out in plain tokens.
    {SMOLLM, {"x", "<", "|", "p", "a", "d", "|", ">"}, {"<|pad|>"}, "x", 1, true},
};

START_TEST(responses_end_at_stop_texts)
{
    const response_case_t *c = &cases[_i];
    pr_tokenizer_t *t = tokenizer(c->dir);
    pr_stops_t s;
    pr_response_t r;
    pr_error_t err = {0};
    int32_t ids[64];
    int n_stop = 0, n = encode_parts(t, c->part, ids);
    while (c->stop[n_stop])
        n_stop++;
    pr_status_t status = pr_stops_init(&s, t, n_stop, c->stop, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    bool hit = false;
    for (int k = 1; k <= n; k++)
        hit = hit || pr_stops_hit(&s, ids, k);
    ck_assert_int_eq(hit, c->stops);
    ck_assert_int_eq(pr_response_read(&s, true, ids, n, &r, NULL), PR_OK);
    ck_assert_str_eq(r.text, c->expected);
    ck_assert_uint_eq(r.len, strlen(c->expected));
    if (c->tokens >= 0)
        ck_assert_int_eq(r.n, c->tokens);
    pr_response_clear(&r);
    pr_stops_clear(&s);
    pr_tokenizer_free(&t);
}
END_TEST

/* The id of the token that stands for byte 0. */
static int nul_token(const pr_tokenizer_t *t)
{
    for (int id = 0; id < pr_tokenizer_size(t); id++) {
        char *text;
        size_t len;
        ck_assert_int_eq(pr_tokenizer_decode(t, &(int32_t){id}, 1, true, &text, &len, NULL), PR_OK);
        bool found = len == 1 && text[0] == 0;
        free(text);
        if (found)
            return id;
    }
    ck_abort_msg("no token for byte 0");
}

START_TEST(what_follows_a_nul_byte_is_there)
{
    pr_tokenizer_t *t = tokenizer(COUNSEL);
    const char *const stop = "\n";
    pr_stops_t s;
    pr_response_t r;
    int32_t ids[64];
    int n = encode_parts(t, (const char *[]){"one", NULL}, ids);
    ids[n++] = nul_token(t);
    int before = n;
    n += encode_parts(t, (const char *[]){" two", "\n", NULL}, ids + n);
    ck_assert_int_eq(pr_stops_init(&s, t, 1, &stop, NULL), PR_OK);
    ck_assert(!pr_stops_hit(&s, ids, n - 1));
    ck_assert(pr_stops_hit(&s, ids, n));
    ck_assert_int_eq(pr_response_read(&s, true, ids, n, &r, NULL), PR_OK);
    ck_assert_uint_eq(r.len, 8);
    ck_assert_mem_eq(r.text, "one\0 two", 8);
    ck_assert_int_gt(r.n, before);
    ck_assert_int_eq(r.n, n - 1);
    pr_response_clear(&r);
    pr_stops_clear(&s);
    pr_tokenizer_free(&t);
}
END_TEST

/* The text of a prompt and that of its continuation are the text of both, whatever form the tokenizer has. */
START_TEST(a_continuation_keeps_its_first_space)
{
    static const char *const dirs[] = {COUNSEL, LLAMA, SMOLLM, "tests/fixtures/tokenizer-llama2",
                                       "tests/fixtures/tokenizer-llama3"};
    pr_tokenizer_t *t = tokenizer(dirs[_i]);
    int32_t *ids;
    size_t n, len;
    char *whole;
    pr_stops_t s;
    ck_assert_int_eq(pr_stops_init(&s, t, 0, NULL, NULL), PR_OK);
    ck_assert_int_eq(pr_tokenizer_encode(t, "I feel lost and sad", 19, true, &ids, &n, NULL), PR_OK);
    ck_assert_int_eq(pr_tokenizer_decode(t, ids, n, true, &whole, &len, NULL), PR_OK);
    for (int at = 0; at <= (int)n; at++) {
        pr_response_t first, rest;
        ck_assert_int_eq(pr_response_read(&s, false, ids, at, &first, NULL), PR_OK);
        bool continues = pr_response_continues(t, ids, at);
        ck_assert_int_eq(continues, first.len > 0);
        ck_assert_int_eq(pr_response_read(&s, continues, ids + at, (int)n - at, &rest, NULL), PR_OK);
        ck_assert_uint_eq(first.len + rest.len, len);
        ck_assert_mem_eq(whole, first.text, first.len);
        ck_assert_mem_eq(whole + first.len, rest.text, rest.len);
        pr_response_clear(&first);
        pr_response_clear(&rest);
    }
    free(whole);
    free(ids);
    pr_stops_clear(&s);
    pr_tokenizer_free(&t);
}
END_TEST

START_TEST(stop_texts_that_cannot_be_written_are_refused)
{
    pr_tokenizer_t *t = tokenizer("tests/fixtures/tokenizer-llama2");
    const char *const good[] = {"\nCounselor", " x", "</s>", "\xC3\xA9"}, *const empty = "";
    pr_stops_t s;
    pr_error_t err;
    ck_assert_int_eq(pr_stops_init(&s, t, 4, good, &err), PR_OK);
    pr_stops_clear(&s);
    ck_assert_int_eq(pr_stops_init(&s, t, 1, &empty, &err), PR_ERR_CONFIG);
    pr_tokenizer_free(&t);

    // A vocabulary of few characters behind a normalizer that lower-cases.
    static const char json[] =
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"<unk>\":2},\"merges\":[],\"unk_token\":\"<unk>\"},"
        "\"normalizer\":{\"type\":\"Lowercase\"},\"decoder\":{\"type\":\"Fuse\"},"
        "\"added_tokens\":[{\"id\":2,\"content\":\"<unk>\",\"special\":true}]}";
    char path[] = "/tmp/paretorank-stops-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    fputs(json, f);
    fclose(f);
    ck_assert_msg(pr_tokenizer_load(path, &t, &err) == PR_OK, "%s", err.text);
    const char *const ab = "ab", *const capital = "A", *const other = "c";
    ck_assert_int_eq(pr_stops_init(&s, t, 1, &ab, &err), PR_OK);
    pr_stops_clear(&s);
    ck_assert_int_eq(pr_stops_init(&s, t, 1, &capital, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "\"A\""));
    ck_assert_int_eq(pr_stops_init(&s, t, 1, &other, &err), PR_ERR_CONFIG);
    remove(path);
    pr_tokenizer_free(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("response");
    TCase *c = tcase_create("responses");
    tcase_add_loop_test(c, responses_end_at_stop_texts, 0, sizeof cases / sizeof *cases);
    tcase_add_test(c, what_follows_a_nul_byte_is_there);
    tcase_add_loop_test(c, a_continuation_keeps_its_first_space, 0, 5);
    tcase_add_test(c, stop_texts_that_cannot_be_written_are_refused);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
