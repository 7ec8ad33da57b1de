// SPDX-License-Identifier: BSD-3-Clause
/* Aggregation and decoding of a fixture against PyTorch, and the identities between the modes, on whatever team
 * fixture_team is. */
#ifndef PR_TEST_AGGREGATE_CHECKS_H
#define PR_TEST_AGGREGATE_CHECKS_H

#include "policy/policy.h"
#include "unit/model/fixture_files.h"

typedef struct setup {
    fixture_t f;
    pr_adapter_t *adapter[16];
    int k, v;
    pr_policy_t p;
    json_t *options;
    int n_prompt, *start;
    int32_t *ids;
} setup_t;

// The mixes that are run as they are.
static const pr_mix_t *const run_mixes[] = {&pr_mix_params, &pr_mix_logits, &pr_mix_probs, &pr_mix_states};
enum { N_RUN_MIXES = 4 };

static inline void setup(setup_t *s, const char *dir)
{
    *s = (setup_t){.f = fixture_open(dir, false)};
    s->k = fixture_adapters(&s->f, s->adapter, 16);
    s->v = s->f.m->config.vocab;
    s->p = (pr_policy_t){
        .model = s->f.m, .la = fixture_la, .n_expert = s->k, .adapter = (const pr_adapter_t *const *)s->adapter};
    json_t *prompts = json_object_get(s->f.json, "prompt_ids");
    s->n_prompt = (int)json_array_size(prompts);
    ck_assert_int_gt(s->n_prompt, 0);
    s->start = pr_alloc((size_t)s->n_prompt + 1, sizeof *s->start);
    for (int i = 0; i < s->n_prompt; i++) {
        int n;
        int32_t *one = fixture_int_list(json_array_get(prompts, (size_t)i), &n);
        s->ids = pr_realloc(s->ids, (size_t)(s->start[i] + n), sizeof *s->ids);
        memcpy(s->ids + s->start[i], one, (size_t)n * sizeof *one);
        s->start[i + 1] = s->start[i] + n;
        free(one);
    }
}

static inline void teardown(setup_t *s)
{
    for (int k = 0; k < s->k; k++)
        pr_adapter_free(&s->adapter[k]);
    free(s->start);
    free(s->ids);
    json_decref(s->options);
    fixture_close_all(&s->f);
}

static inline void states_with(setup_t *s, int layer, const char *norm)
{
    json_decref(s->options);
    s->options = json_pack("{s:i, s:s}", "layer", layer, "norm", norm);
    s->p.mix = &pr_mix_states;
    s->p.mix_options = s->options;
}

// The i-th of the fixture's weightings.
static inline int weightings(const setup_t *s)
{
    return (int)json_array_size(json_object_get(s->f.json, "weights"));
}

static inline void weighting(const setup_t *s, int i, double *w)
{
    json_t *row = json_array_get(json_object_get(s->f.json, "weights"), (size_t)i);
    ck_assert_uint_eq(json_array_size(row), (size_t)s->k);
    for (int k = 0; k < s->k; k++)
        w[k] = json_number_value(json_array_get(row, (size_t)k));
}

// Logits of the fixture's input_ids; the caller frees them.
static inline float *logits_of(const setup_t *s, const double *w, bool all)
{
    size_t rows = (size_t)(all ? s->f.n_seq * s->f.len : s->f.n_seq);
    float *out = pr_alloc(rows * (size_t)s->v, sizeof *out);
    FIXTURE_OK(pr_policy_logits(&s->p, s->f.n_seq, s->f.seq_start, s->f.ids, w, all, out, err));
    return out;
}

static inline void check_logits(const char *dir)
{
    setup_t s;
    double w[16];
    setup(&s, dir);
    for (int i = 0; i < weightings(&s); i++)
        for (int mode = 0; mode < N_RUN_MIXES; mode++) {
            weighting(&s, i, w);
            s.p.mix = run_mixes[mode];
            size_t n = (size_t)s.f.n_seq * (size_t)s.v;
            float *found = logits_of(&s, w, false);
            float *expected = fixture_floats(&s.f, fixture_find(&s.f, "agg.%s.%d.logits", s.p.mix->name, i), n);
            if (s.p.mix != &pr_mix_logits) // there a row's constant is free
                fixture_close(s.f.dir, s.p.mix->name, n, found, expected, 1e-4);
            pr_log_softmax(s.f.n_seq, s.v, found);
            pr_log_softmax(s.f.n_seq, s.v, expected);
            fixture_close(s.f.dir, s.p.mix->name, n, found, expected, 1e-4);
            free(found);
            free(expected);
        }
    teardown(&s);
}

/* The definition of `logits`, with a head an expert, is the policy that is computed as `states`. */
static inline void check_logits_are_states(const char *dir)
{
    setup_t s;
    double w[16], one[16] = {0};
    setup(&s, dir);
    int rows = s.f.n_seq * s.f.len;
    size_t n = (size_t)rows * (size_t)s.v;
    weighting(&s, weightings(&s) - 1, w); // its sum is not 1
    float *sum = pr_alloc(n, sizeof *sum);
    s.p.mix = &pr_mix_params;
    for (int k = 0; k < s.k; k++) {
        one[k] = 1;
        float *expert = logits_of(&s, one, true);
        pr_log_softmax(rows, s.v, expert);
        for (size_t i = 0; i < n; i++)
            sum[i] += (float)w[k] * expert[i];
        free(expert);
        one[k] = 0;
    }
    pr_log_softmax(rows, s.v, sum);
    for (int states = 0; states < 2; states++) {
        s.p.mix = states ? &pr_mix_states : &pr_mix_logits;
        float *found = logits_of(&s, w, true);
        pr_log_softmax(rows, s.v, found);
        fixture_close(s.f.dir, "logits by definition", n, found, sum, 1e-5);
        free(found);
    }
    free(sum);
    teardown(&s);
}

static inline double distance(size_t n, const float *a, const float *b)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

static inline void check_layer_and_norm(const char *dir)
{
    setup_t s;
    double w[16], half[16];
    setup(&s, dir);
    size_t n = (size_t)s.f.n_seq * (size_t)s.v;
    weighting(&s, 0, w);
    s.p.mix = &pr_mix_params;
    float *params = logits_of(&s, w, false);
    s.p.mix = &pr_mix_states;
    float *last = logits_of(&s, w, false);
    states_with(&s, s.f.m->config.n_layer, "after");
    float *all = logits_of(&s, w, false);
    states_with(&s, 0, "after");
    float *none = logits_of(&s, w, false);
    states_with(&s, 1, "after");
    float *first = logits_of(&s, w, false);
    states_with(&s, -1, "before");
    float *before = logits_of(&s, w, false);
    for (int k = 0; k < s.k; k++)
        half[k] = 0.5 * w[k];
    float *scaled = logits_of(&s, half, false); // a norm before forgets the scale of w
    ck_assert_double_eq(distance(n, last, all), 0);
    fixture_close(s.f.dir, "layer 0 is params", n, none, params, 1e-5);
    fixture_close(s.f.dir, "norm before and the scale of w", n, scaled, before, 2e-3); // but for eps
    ck_assert_double_gt(distance(n, last, before), 1e-2);
    ck_assert_double_gt(distance(n, last, first), 1e-2);
    ck_assert_double_gt(distance(n, params, first), 1e-2);
    ck_assert_double_gt(distance(n, params, last), 1e-2);
    float *each[] = {params, last, all, none, first, before, scaled};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        free(each[i]);
    teardown(&s);
}

/* One expert alone is the expert, in every mode. */
static inline void check_one_expert(const char *dir)
{
    setup_t s;
    double w[16] = {0};
    setup(&s, dir);
    size_t n = (size_t)s.f.n_seq * (size_t)s.v;
    w[s.k - 1] = 1;
    s.p.mix = &pr_mix_params;
    float *expected = logits_of(&s, w, false);
    pr_log_softmax(s.f.n_seq, s.v, expected);
    for (int layer = -1; layer <= s.f.m->config.n_layer; layer++)
        for (int mode = 1; mode < N_RUN_MIXES; mode++) {
            states_with(&s, layer, layer % 2 == 0 ? "before" : "after");
            s.p.mix = run_mixes[mode];
            if (s.p.mix != &pr_mix_states)
                s.p.mix_options = NULL;
            float *found = logits_of(&s, w, false);
            pr_log_softmax(s.f.n_seq, s.v, found);
            fixture_close(s.f.dir, "one expert", n, found, expected, 1e-5);
            free(found);
        }
    free(expected);
    teardown(&s);
}

// Sequences of decoded prompt + new tokens against a JSON list of lists; sequence (point, prompt, sample 0).
static inline void same_ids(const setup_t *s, const pr_decoded_t *d, int point, int samples, const json_t *lists)
{
    ck_assert_uint_eq(json_array_size(lists), (size_t)s->n_prompt);
    for (int i = 0; i < s->n_prompt; i++)
        for (int sample = 0; sample < samples; sample++) {
            int n, seq = (point * s->n_prompt + i) * samples + sample, len = s->start[i + 1] - s->start[i];
            int32_t *expected = fixture_int_list(json_array_get(lists, (size_t)i), &n);
            ck_assert_int_eq((int)(d->start[seq + 1] - d->start[seq]), n - len);
            ck_assert_int_eq(memcmp(expected, s->ids + s->start[i], (size_t)len * sizeof *expected), 0);
            for (int j = len; j < n; j++)
                ck_assert_msg(d->ids[d->start[seq] + (size_t)(j - len)] == expected[j],
                              "%s: point %d prompt %d token %d: found %d, expected %d", s->f.dir, point, i, j - len,
                              d->ids[d->start[seq] + (size_t)(j - len)], expected[j]);
            free(expected);
        }
}

static inline int new_tokens(const setup_t *s, const json_t *lists)
{
    return (int)json_array_size(json_array_get(lists, 0)) - (s->start[1] - s->start[0]);
}

static inline void check_greedy_base(const char *dir)
{
    setup_t s;
    setup(&s, dir);
    json_t *lists = json_object_get(s.f.json, "greedy_ids");
    s.p.n_expert = 0;
    for (int no_cache = 0; no_cache < 2; no_cache++) {
        pr_decoded_t d;
        pr_decode_options_t o = {.sampling = {.greedy = true},
                                 .max_new_tokens = new_tokens(&s, lists),
                                 .ignore_eos = true,
                                 .no_cache = no_cache};
        FIXTURE_OK(pr_decode(&s.p, 1, NULL, s.n_prompt, s.start, s.ids, &o, &d, err));
        same_ids(&s, &d, 0, 1, lists);
        pr_decoded_clear(&d);
    }
    teardown(&s);
}

// All weightings in one call, two samples each (greedy ones are alike), in chunks of 5, with and without a cache.
static inline void check_greedy_aggregates(const char *dir)
{
    setup_t s;
    setup(&s, dir);
    int n = weightings(&s);
    double *w = pr_alloc((size_t)n * (size_t)s.k, sizeof *w);
    for (int i = 0; i < n; i++)
        weighting(&s, i, w + i * s.k);
    json_t *aggregate = json_object_get(s.f.json, "aggregate");
    for (int mode = 0; mode < N_RUN_MIXES; mode++)
        for (int no_cache = 0; no_cache < 2; no_cache++) {
            char key[64];
            pr_decoded_t d;
            s.p.mix = run_mixes[mode];
            snprintf(key, sizeof key, "%s.0", s.p.mix->name);
            json_t *lists = json_object_get(aggregate, key);
            pr_decode_options_t o = {.sampling = {.greedy = true},
                                     .max_new_tokens = new_tokens(&s, lists),
                                     .samples = 2,
                                     .streams = no_cache ? 0 : 5,
                                     .ignore_eos = true,
                                     .no_cache = no_cache};
            FIXTURE_OK(pr_decode(&s.p, n, w, s.n_prompt, s.start, s.ids, &o, &d, err));
            for (int i = 0; i < n; i++) {
                snprintf(key, sizeof key, "%s.%d", s.p.mix->name, i);
                same_ids(&s, &d, i, 2, json_object_get(aggregate, key));
            }
            pr_decoded_clear(&d);
        }
    free(w);
    teardown(&s);
}

#endif
