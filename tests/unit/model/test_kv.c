// SPDX-License-Identifier: BSD-3-Clause
/* The KV cache: what is copied, cut and grown is what a fresh cache would hold. */
#include "unit/model/tiny_model.h"

typedef struct cached {
    pr_model_t *m;
    pr_run_t *run;
    pr_kv_t *kv;
    int32_t token[100];
} cached_t;

static void cached_new(cached_t *c, const char *config, int streams)
{
    *c = (cached_t){.m = tiny_model(config, 31)};
    TINY_OK(pr_run_new(c->m, pr_linalg_local(), false, &c->run, err));
    TINY_OK(pr_kv_new(c->m, 0, c->m->config.n_layer, streams, 100, &c->kv, err));
    for (int i = 0; i < 100; i++)
        c->token[i] = (int32_t)(i * 11 % 61);
}

static void cached_free(cached_t *c)
{
    pr_kv_free(&c->kv);
    pr_run_free(&c->run);
    pr_model_free(&c->m);
}

// Runs n tokens behind what a stream holds; h of the last of them.
static void advance(cached_t *c, pr_kv_t *kv, int stream, const int32_t *token, int n, float *last)
{
    int start[2] = {0, n}, d = c->m->config.d_model;
    float *h = pr_alloc((size_t)(n * d), sizeof *h);
    pr_batch_t b = {.n_seq = 1, .seq_start = start, .token = token, .kv = kv, .stream = &stream};
    TINY_OK(pr_forward(c->run, &b, h, err));
    memcpy(last, h + (n - 1) * d, (size_t)d * sizeof *h);
    free(h);
}

/* A sequence that is too long is refused, with the length that was found. */
START_TEST(test_too_long)
{
    cached_t c;
    float h[24];
    pr_error_t why;
    cached_new(&c, TINY_GPT2, 1);
    c.m->config.max_pos = 20;
    advance(&c, c.kv, 0, c.token, 18, h);
    int start[2] = {0, 5}, stream = 0;
    float *out = pr_alloc((size_t)5 * (size_t)c.m->config.d_model, sizeof *out);
    pr_batch_t b = {.n_seq = 1, .seq_start = start, .token = c.token + 18, .kv = c.kv, .stream = &stream};
    ck_assert_int_eq(pr_forward(c.run, &b, out, &why), PR_ERR_FORMAT);
    ck_assert_str_eq(why.text, "a sequence of 23 tokens, but the model's longest has 20");
    free(out);
    cached_free(&c);
}
END_TEST

static const char *const configs[] = {TINY_GPT2, TINY_QWEN3, TINY_MISTRAL};

START_TEST(test_copy)
{
    cached_t c;
    float a[24], b[24];
    pr_kv_t *other = NULL;
    cached_new(&c, configs[_i], 3);
    TINY_OK(pr_kv_new(c.m, 0, c.m->config.n_layer, 1, 50, &other, err));
    for (int len = 1; len <= 35; len += 17) {
        for (int s = 0; s < 3; s++)
            pr_kv_truncate(c.kv, s, 0);
        pr_kv_truncate(other, 0, 0);
        advance(&c, c.kv, 0, c.token, len, a);
        advance(&c, c.kv, 2, c.token + 50, 40, b); // an older, longer content is replaced
        pr_kv_copy(c.kv, 2, 0);
        pr_kv_copy_between(other, 0, c.kv, 0);
        pr_kv_copy(c.kv, 0, 0);
        ck_assert_int_eq(pr_kv_len(c.kv, 2), len);
        ck_assert_int_eq(pr_kv_len(c.kv, 1), 0);
        ck_assert_int_eq(pr_kv_len(other, 0), len);
        for (int i = len; i < len + 10; i++) { // all three go on alike, and do not touch each other
            advance(&c, c.kv, 0, c.token + i, 1, a);
            advance(&c, c.kv, 2, c.token + i, 1, b);
            ck_assert(memcmp(a, b, sizeof a) == 0);
            advance(&c, other, 0, c.token + i, 1, b);
            ck_assert(memcmp(a, b, sizeof a) == 0);
        }
    }
    pr_kv_free(&other);
    cached_free(&c);
}
END_TEST

START_TEST(test_truncate)
{
    cached_t c;
    float a[24], b[24];
    cached_new(&c, configs[_i], 2);
    for (int i = 0; i < 30; i++)
        advance(&c, c.kv, 0, c.token + i, 1, a);
    for (int i = 0; i < 40; i++) // other tokens behind the 20th
        advance(&c, c.kv, 1, i < 20 ? c.token + i : c.token + i + 37, 1, b);
    pr_kv_truncate(c.kv, 1, 50); // it holds only 40
    ck_assert_int_eq(pr_kv_len(c.kv, 1), 40);
    pr_kv_truncate(c.kv, 1, 20);
    ck_assert_int_eq(pr_kv_len(c.kv, 1), 20);
    for (int i = 20; i < 30; i++)
        advance(&c, c.kv, 1, c.token + i, 1, b);
    ck_assert(memcmp(a, b, sizeof a) == 0);
    cached_free(&c);
}
END_TEST

START_TEST(test_impossible_size)
{
    pr_model_t *m = tiny_model(TINY_GPT2, 31);
    pr_kv_t *kv = NULL;
    pr_error_t e = {0};
    check_error("kv", pr_kv_new(m, 0, 2, 2000000000, 2000000000, &kv, &e), PR_ERR_MEMORY, e.text, "2000000000|GB");
    ck_assert_ptr_null(kv);
    pr_kv_free(&kv);
    pr_model_free(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kv");
    TCase *t = tcase_create("kv");
    tcase_add_test(t, test_too_long);
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_add_loop_test(t, test_copy, 0, 3);
    tcase_add_loop_test(t, test_truncate, 0, 3);
    tcase_add_test(t, test_impossible_size);
    suite_add_tcase(s, t);
    return run_suite(s);
}
