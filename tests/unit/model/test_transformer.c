// SPDX-License-Identifier: BSD-3-Clause
/* The forward pass against itself: cached and not, packed and alone, saved and not, adapters mixed and merged; and
 * attention against a plain triple loop. */
#include "model/attention.h"
#include "unit/model/tiny_model.h"

static const char *const configs[] = {TINY_GPT2, TINY_LLAMA, TINY_QWEN2, TINY_QWEN3, TINY_MISTRAL};
enum { N_CONFIG = sizeof configs / sizeof *configs };

static size_t at(int row, int width)
{
    return (size_t)row * (size_t)width;
}

// Rows of a sequence run through the cache in pieces of `step`, as decoding (1) or a long prompt would.
static float *in_pieces(const pr_model_t *m, const tiny_batch_t *t, int step)
{
    int d = m->config.d_model, n = t->b.n_seq, longest = 0;
    float *h = pr_alloc(at(t->start[n], d), sizeof *h), *part = pr_alloc(at(n * step, d), sizeof *part);
    pr_kv_t *kv = NULL;
    pr_run_t *run = NULL;
    TINY_OK(pr_run_new(m, pr_linalg_local(), false, &run, err));
    TINY_OK(pr_kv_new(m, 0, m->config.n_layer, n + 1, 300, &kv, err));
    for (int s = 0; s < n; s++)
        longest = t->start[s + 1] - t->start[s] > longest ? t->start[s + 1] - t->start[s] : longest;
    for (int from = 0; from < longest; from += step) {
        int start[33] = {0}, stream[32], seq[32], live = 0;
        int32_t token[2048];
        for (int s = 0; s < n; s++) {
            int len = t->start[s + 1] - t->start[s], more = len - from < step ? len - from : step;
            if (more <= 0)
                continue;
            seq[live] = s;
            stream[live] = n - s; // streams in another order than sequences
            memcpy(token + start[live], t->token + t->start[s] + from, (size_t)more * sizeof *token);
            start[live + 1] = start[live] + more;
            live++;
        }
        pr_batch_t b = t->b;
        b.n_seq = live, b.seq_start = start, b.token = token, b.kv = kv, b.stream = stream;
        TINY_OK(pr_forward(run, &b, part, err));
        for (int i = 0; i < live; i++)
            memcpy(h + at(t->start[seq[i]] + from, d), part + at(start[i], d),
                   at(start[i + 1] - start[i], d) * sizeof *h);
    }
    for (int s = 0; s < n; s++)
        ck_assert_int_eq(pr_kv_len(kv, n - s), t->start[s + 1] - t->start[s]);
    free(part);
    pr_kv_free(&kv);
    pr_run_free(&run);
    return h;
}

START_TEST(test_cache)
{
    pr_model_t *m = tiny_model(configs[_i], 1);
    tiny_batch_t t;
    const int len[] = {1, 40, 17, 33, 16};
    tiny_sequences(&t, m, 5, len);
    size_t n = at(t.start[5], m->config.d_model);
    float *whole = tiny_forward(m, &t.b, false);
    const int steps[] = {1, 5, 16, 40};
    for (int i = 0; i < 4; i++) {
        float *pieces = in_pieces(m, &t, steps[i]);
        tiny_close("with a cache", n, pieces, whole, 2e-5);
        free(pieces);
    }
    free(whole);
    free(t.token);
    pr_model_free(&m);
}
END_TEST

/* A sequence's numbers do not depend on its neighbours, nor on whether activations are kept. */
START_TEST(test_packing)
{
    pr_model_t *m = tiny_model(configs[_i], 2);
    tiny_batch_t t;
    const int len[] = {3, 290, 1, 64};
    int d = m->config.d_model;
    tiny_sequences(&t, m, 4, len);
    float *all = tiny_forward(m, &t.b, false), *saved = tiny_forward(m, &t.b, true);
    tiny_close("with activations kept", at(t.start[4], d), saved, all, 2e-6);
    for (int s = 0; s < 4; s++) {
        int start[2] = {0, len[s]};
        pr_batch_t one = {.n_seq = 1, .seq_start = start, .token = t.token + t.start[s]};
        float *h = tiny_forward(m, &one, false);
        tiny_close("alone", at(len[s], d), h, all + at(t.start[s], d), 1e-5);
        free(h);
    }
    free(all);
    free(saved);
    free(t.token);
    pr_model_free(&m);
}
END_TEST

/* A position sees nothing behind it, and with a window nothing too far before it. */
START_TEST(test_causality)
{
    pr_model_t *m = tiny_model(configs[_i], 3);
    int start[2] = {0, 200}, d = m->config.d_model, changed = 150;
    int32_t token[200];
    for (int i = 0; i < 200; i++)
        token[i] = i % m->config.vocab;
    pr_batch_t b = {.n_seq = 1, .seq_start = start, .token = token};
    float *before = tiny_forward(m, &b, false);
    token[changed] = (token[changed] + 1) % m->config.vocab;
    float *after = tiny_forward(m, &b, false);
    int reach = m->config.window ? 2 * (m->config.window[0] - 1) : 200; // two layers
    for (int r = 0; r < 200; r++) {
        bool same = memcmp(before + at(r, d), after + at(r, d), (size_t)d * sizeof(float)) == 0;
        if (r < changed)
            ck_assert_msg(same, "position %d sees position %d", r, changed);
        else if (r <= changed + reach)
            ck_assert_msg(!same, "position %d does not see position %d", r, changed);
        else
            ck_assert_msg(same, "position %d sees position %d past the window", r, changed);
    }
    free(before);
    free(after);
    pr_model_free(&m);
}
END_TEST

/* Mixed adapters are the concatenated adapter; rows of different mixes do not touch; an adapter without weight is not
 * read at all. */
START_TEST(test_mixes)
{
    pr_model_t *m = tiny_model(configs[_i], 4);
    const pr_adapter_t *a[4] = {tiny_adapter(m, 3, 1), tiny_adapter(m, 2, 2), tiny_adapter(m, 4, 3), NULL};
    pr_adapter_t *broken = tiny_adapter(m, 2, 4);
    tiny_batch_t t;
    const int len[] = {5, 300, 7, 2, 9, 4};
    const float mix[6][4] = {{1, 0, 0, 0}, {0.5f, 0.25f, 0.75f, 0}, {0, 0, 0, 0}, {0.3f, 0, 0.6f, 0},
                             {0, 1, 0, 0}, {0, 2, 0.5f, 0}};
    int d = m->config.d_model;
    for (size_t i = 0; i < broken->n_data; i++)
        broken->data[i] = NAN;
    a[3] = broken;
    tiny_sequences(&t, m, 6, len);
    t.b.n_adapter = 4;
    t.b.adapter = a;
    t.b.mix = &mix[0][0];
    float *all = tiny_forward(m, &t.b, false);
    for (int s = 0; s < 6; s++) {
        double w[4];
        float one = 1;
        int start[2] = {0, len[s]};
        pr_adapter_t *merged = NULL;
        for (int k = 0; k < 4; k++)
            w[k] = (double)mix[s][k];
        pr_batch_t b = {.n_seq = 1, .seq_start = start, .token = t.token + t.start[s], .mix = &one};
        const pr_adapter_t *list[1];
        if (s != 2) {
            TINY_OK(pr_adapter_concat(a, w, 4, &m->config, &merged, err));
            list[0] = merged;
            b.n_adapter = 1;
            b.adapter = list;
        }
        float *h = tiny_forward(m, &b, false);
        tiny_close("merged", at(len[s], d), all + at(t.start[s], d), h, 1e-5);
        free(h);
        pr_adapter_free(&merged);
    }
    free(all);
    free(t.token);
    for (int k = 0; k < 4; k++) {
        pr_adapter_t *one = (pr_adapter_t *)(uintptr_t)a[k];
        pr_adapter_free(&one);
    }
    pr_model_free(&m);
}
END_TEST

/* An unfrozen run sees a changed adapter; a frozen one was promised that there are none. */
START_TEST(test_adapter_changes)
{
    pr_model_t *m = tiny_model(TINY_QWEN3, 5);
    pr_adapter_t *a = tiny_adapter(m, 3, 1);
    const pr_adapter_t *list[1] = {a};
    float mix[2] = {1, 1}, *h[4];
    tiny_batch_t t;
    const int len[] = {5, 6};
    size_t n = at(11, m->config.d_model);
    tiny_sequences(&t, m, 2, len);
    t.b.n_adapter = 1, t.b.adapter = list, t.b.mix = mix;
    for (int frozen = 0; frozen < 2; frozen++) {
        pr_run_t *run = NULL;
        TINY_OK(pr_run_new(m, pr_linalg_local(), false, &run, err));
        if (frozen)
            pr_run_freeze_adapters(run);
        for (int i = 0; i < 2; i++) {
            h[2 * frozen + i] = pr_alloc(n, sizeof(float));
            TINY_OK(pr_forward(run, &t.b, h[2 * frozen + i], err));
            for (size_t j = 0; j < a->n_data; j++)
                a->data[j] = -a->data[j] * (j % 2 ? 0.5f : 2.0f);
        }
        pr_run_free(&run);
        for (size_t j = 0; j < 2 * a->n_data; j++) // back to where it began
            a->data[j / 2] = -a->data[j / 2] * (j / 2 % 2 ? 2.0f : 0.5f);
    }
    ck_assert(memcmp(h[0], h[1], n * sizeof(float)) != 0);
    ck_assert(memcmp(h[2], h[3], n * sizeof(float)) == 0);
    tiny_close("frozen", n, h[2], h[0], 1e-6);
    for (int i = 0; i < 4; i++)
        free(h[i]);
    free(t.token);
    pr_adapter_free(&a);
    pr_model_free(&m);
}
END_TEST

static void refuse(const pr_model_t *m, const pr_batch_t *b, const char *words)
{
    pr_run_t *run = NULL;
    pr_error_t error = {0};
    float *h = pr_alloc(at(b->seq_start[b->n_seq], m->config.d_model), sizeof *h);
    TINY_OK(pr_run_new(m, pr_linalg_local(), false, &run, err));
    check_error("forward", pr_forward(run, b, h, &error), PR_ERR_FORMAT, error.text, words);
    pr_run_free(&run);
    free(h);
}

START_TEST(test_errors)
{
    pr_model_t *m = tiny_model(TINY_GPT2, 6);
    pr_kv_t *kv = NULL;
    tiny_batch_t t;
    const int len[] = {601}, stream[] = {0};
    tiny_sequences(&t, m, 1, len);
    refuse(m, &t.b, "600");
    t.start[1] = 9;
    t.token[4] = 61;
    refuse(m, &t.b, "token id 61|61");
    t.token[4] = -1;
    refuse(m, &t.b, "token id -1");
    t.token[4] = 1;
    TINY_OK(pr_kv_new(m, 0, 2, 1, 8, &kv, err));
    t.b.kv = kv;
    t.b.stream = stream;
    refuse(m, &t.b, "cache is full|9|8");
    ck_assert_int_eq(pr_kv_len(kv, 0), 0);
    pr_kv_free(&kv);
    free(t.token);
    pr_model_free(&m);
}
END_TEST

// One output row of attention, in double.
static void plain_row(const pr_attention_t *a, const float *qkv, int row, int head, double *out)
{
    int kv = a->q_width + head / (a->n_head / a->n_kv_head) * a->head_dim;
    int first = a->window > 0 && row >= a->window ? row - a->window + 1 : 0;
    double total = 0;
    for (int j = 0; j < a->head_dim; j++)
        out[j] = 0;
    for (int t = first; t <= row; t++) {
        double s = 0;
        for (int j = 0; j < a->head_dim; j++)
            s += (double)qkv[at(row, a->width) + (size_t)(head * a->head_dim + j)] *
                 (double)qkv[at(t, a->width) + (size_t)(kv + j)];
        double p = exp((double)a->scale * s);
        total += p;
        for (int j = 0; j < a->head_dim; j++)
            out[j] += p * (double)qkv[at(t, a->width) + (size_t)(kv + a->kv_width + j)];
    }
    for (int j = 0; j < a->head_dim; j++)
        out[j] /= total;
}

START_TEST(test_attention)
{
    const int windows[] = {0, 1, 7, 130, 1000};
    pr_attention_t a = {.n_head = 6,
                        .n_kv_head = 2,
                        .head_dim = 5,
                        .q_width = 30,
                        .kv_width = 10,
                        .width = 50,
                        .group = 3,
                        .out_width = 30};
    const int n = 700; // several blocks of query rows
    float *qkv = pr_alloc(at(n, a.width), sizeof *qkv), *out = pr_alloc(at(n, a.q_width), sizeof *out);
    float *scratch_memory = pr_alloc(pr_attention_scratch(n), sizeof *scratch_memory);
    a.scale = 0.6f;
    for (size_t i = 0; i < at(n, a.width); i++)
        qkv[i] = (float)pr_rng_normal(&tiny_key, i, 0, 0, 9);
    for (int w = 0; w < 5; w++) {
        a.window = windows[w];
        pr_attention_forward(&a, n, qkv, out, NULL, scratch_memory);
        for (int r = 0; r < n; r += 13)
            for (int h = 0; h < a.n_head; h++) {
                double expected[5];
                plain_row(&a, qkv, r, h, expected);
                for (int j = 0; j < 5; j++)
                    ck_assert_double_eq_tol((double)out[at(r, a.q_width) + (size_t)(h * 5 + j)], expected[j], 2e-6);
            }
    }
    free(qkv);
    free(out);
    free(scratch_memory);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("transformer");
    TCase *t = tcase_create("transformer");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_cache, 0, N_CONFIG);
    tcase_add_loop_test(t, test_packing, 0, N_CONFIG);
    tcase_add_loop_test(t, test_causality, 0, N_CONFIG);
    tcase_add_loop_test(t, test_mixes, 0, N_CONFIG);
    tcase_add_test(t, test_adapter_changes);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_attention);
    suite_add_tcase(s, t);
    return run_suite(s);
}
