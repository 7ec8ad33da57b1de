// SPDX-License-Identifier: BSD-3-Clause
/* Decoding: what a sequence is does not depend on what is decoded beside it; ends, limits, log-probabilities,
 * errors. */
#include "policy/policy.h"
#include "unit/model/tiny_model.h"

enum { N_PROMPT = 3, N_POINT = 3, K = 3 };
static const int prompt_start[N_PROMPT + 1] = {0, 4, 5, 11};
static const int32_t prompt_ids[] = {5, 9, 2, 40, 17, 3, 3, 8, 21, 60, 1};
static const double weights[N_POINT * K] = {0.5, 0.3, 0.2, 0, 1, 0, 0.9, 0, 0.4};

typedef struct setup {
    pr_model_t *m;
    pr_adapter_t *a[K];
    pr_policy_t p;
    json_t *options;
    pr_decode_options_t o;
} setup_t;

static void setup(setup_t *s, const char *config)
{
    *s = (setup_t){.m = tiny_model(config, 41)};
    for (int k = 0; k < K; k++)
        s->a[k] = tiny_adapter(s->m, 2 + k, (uint64_t)k);
    s->p = (pr_policy_t){.model = s->m,
                         .la = pr_linalg_local(),
                         .n_expert = K,
                         .adapter = (const pr_adapter_t *const *)s->a,
                         .mix = &pr_mix_states};
    s->o = (pr_decode_options_t){.sampling = {.temperature = 0.9, .top_p = 1},
                                 .samples = 4,
                                 .max_new_tokens = 12,
                                 .ignore_eos = true,
                                 .want_logp = true,
                                 .key = pr_rng_key(7, "test", "decode")};
}

static void teardown(setup_t *s)
{
    for (int k = 0; k < K; k++)
        pr_adapter_free(&s->a[k]);
    json_decref(s->options);
    pr_model_free(&s->m);
}

static pr_decoded_t decode(const setup_t *s, int n_point, const double *w)
{
    pr_decoded_t d = {0};
    TINY_OK(pr_decode(&s->p, n_point, w, N_PROMPT, prompt_start, prompt_ids, &s->o, &d, err));
    ck_assert_int_eq(d.n_seq, n_point * N_PROMPT * (s->o.samples > 1 ? s->o.samples : 1));
    ck_assert_int_eq((int)d.generated, (int)d.start[d.n_seq]);
    return d;
}

static int length(const pr_decoded_t *d, int seq)
{
    return (int)(d->start[seq + 1] - d->start[seq]);
}

static void same_sequence(const pr_decoded_t *a, int i, const pr_decoded_t *b, int j)
{
    ck_assert_int_eq(length(a, i), length(b, j));
    ck_assert(memcmp(a->ids + a->start[i], b->ids + b->start[j], (size_t)length(a, i) * sizeof(int32_t)) == 0);
    ck_assert_int_eq((int)a->finish[i], (int)b->finish[j]);
    for (int t = 0; t < length(a, i); t++)
        ck_assert_double_eq_tol((double)a->logp[a->start[i] + (size_t)t], (double)b->logp[b->start[j] + (size_t)t],
                                1e-4);
}

static void same_all(const pr_decoded_t *a, const pr_decoded_t *b)
{
    ck_assert_int_eq(a->n_seq, b->n_seq);
    for (int i = 0; i < a->n_seq; i++)
        same_sequence(a, i, b, i);
}

static const char *const configs[] = {TINY_GPT2, TINY_QWEN3, TINY_MISTRAL};

static const char *const mixes[] = {"params", "logits", "probs", "states", "states; layer=1", "states; norm=before"};
enum { N_POLICY = 6, PARAMS = 0, LAYER = 4 };

static void use(setup_t *s, const char *mix)
{
    json_decref(s->options);
    TINY_OK(pr_mix_parse(mix, &s->p.mix, &s->options, err));
    s->p.mix_options = s->options;
}

static void policy(setup_t *s, int i)
{
    use(s, mixes[i]);
}

/* Any number of streams, no cache, one point or one prompt at a time, samples in two calls: the same tokens. */
START_TEST(test_composition)
{
    setup_t s;
    setup(&s, configs[_i]);
    for (int i = 0; i < N_POLICY; i++) {
        policy(&s, i);
        s.o.streams = 0;
        pr_decoded_t whole = decode(&s, N_POINT, weights), other;
        const int streams[] = {1, 5, 36};
        for (int k = 0; k < 3; k++) {
            s.o.streams = streams[k];
            other = decode(&s, N_POINT, weights);
            same_all(&whole, &other);
            pr_decoded_clear(&other);
        }
        s.o.streams = 0;
        s.o.no_cache = true;
        other = decode(&s, N_POINT, weights);
        same_all(&whole, &other);
        pr_decoded_clear(&other);
        s.o.no_cache = false;
        for (int point = 0; point < N_POINT; point++) {
            other = decode(&s, 1, weights + point * K);
            for (int j = 0; j < other.n_seq; j++)
                same_sequence(&other, j, &whole, point * N_PROMPT * 4 + j);
            pr_decoded_clear(&other);
        }
        pr_decoded_clear(&whole);
    }
    teardown(&s);
}
END_TEST

/* Parts of the prompts and of the samples, named by prompt_id and sample0, are parts of the whole. */
START_TEST(test_parts)
{
    setup_t s;
    setup(&s, TINY_QWEN3);
    pr_decoded_t whole = decode(&s, N_POINT, weights), part;
    const uint64_t id[] = {2};
    const int start[] = {0, prompt_start[3] - prompt_start[2]};
    s.o.samples = 3;
    s.o.sample0 = 1;
    s.o.prompt_id = id;
    TINY_OK(pr_decode(&s.p, N_POINT, weights, 1, start, prompt_ids + prompt_start[2], &s.o, &part, err));
    for (int point = 0; point < N_POINT; point++)
        for (int j = 0; j < 3; j++)
            same_sequence(&part, point * 3 + j, &whole, (point * N_PROMPT + 2) * 4 + 1 + j);
    pr_decoded_clear(&part);
    int changed = 0; // another draw, other tokens
    s.o.draw = 1;
    TINY_OK(pr_decode(&s.p, N_POINT, weights, 1, start, prompt_ids + prompt_start[2], &s.o, &part, err));
    for (int j = 0; j < 3; j++)
        changed += memcmp(part.ids + part.start[j], whole.ids + whole.start[2 * 4 + 1 + j], 12 * sizeof(int32_t)) != 0;
    ck_assert_int_gt(changed, 0);
    pr_decoded_clear(&part);
    pr_decoded_clear(&whole);
    teardown(&s);
}
END_TEST

/* logp is what pr_policy_logits says of the whole sequence, and the samples follow the uniform numbers. */
START_TEST(test_log_probabilities)
{
    setup_t s;
    setup(&s, configs[_i]);
    int v = s.m->config.vocab;
    for (int i = 0; i < N_POLICY; i++) {
        policy(&s, i);
        s.o.sampling.top_p = i % 2 ? 0.8 : 1;
        pr_decoded_t d = decode(&s, N_POINT, weights);
        for (int seq = 0; seq < d.n_seq; seq += 5) {
            int prompt = seq / 4 % N_PROMPT, n = prompt_start[prompt + 1] - prompt_start[prompt],
                more = length(&d, seq);
            int start[] = {0, n + more};
            int32_t ids[32];
            float *logits = pr_alloc((size_t)((n + more) * v), sizeof *logits), logp;
            memcpy(ids, prompt_ids + prompt_start[prompt], (size_t)n * sizeof *ids);
            memcpy(ids + n, d.ids + d.start[seq], (size_t)more * sizeof *ids);
            TINY_OK(pr_policy_logits(&s.p, 1, start, ids, weights + seq / 4 / N_PROMPT * K, true, logits, err));
            for (int t = 0; t < more; t++) {
                double u = pr_rng_uniform(&s.o.key, (uint64_t)prompt, (uint64_t)(seq % 4), (uint64_t)t, 0);
                int id = pr_choose_token(&s.o.sampling, v, logits + (n + t - 1) * v, u, &logp);
                ck_assert_int_eq(id, ids[n + t]);
                ck_assert_double_eq_tol((double)d.logp[d.start[seq] + (size_t)t], (double)logp, 1e-4);
            }
            free(logits);
        }
        pr_decoded_clear(&d);
    }
    teardown(&s);
}
END_TEST

/* An expert without weight is not run: its numbers may be anything. */
START_TEST(test_zero_weight)
{
    setup_t s;
    const double w[] = {0.5, 0, 0.7, 0, 0, 1};
    setup(&s, TINY_LLAMA);
    for (int i = 0; i < N_POLICY; i++) {
        policy(&s, i);
        pr_decoded_t before = decode(&s, 2, w);
        int64_t rows = prompt_start[N_PROMPT] * (i == PARAMS ? 2 : i == LAYER ? 2 + 2 : 2);
        ck_assert_int_eq(before.prefilled, rows); // once an expert in use, or once a point
        float *kept = pr_alloc(s.a[1]->n_data, sizeof *kept);
        memcpy(kept, s.a[1]->data, s.a[1]->n_data * sizeof *kept);
        for (size_t j = 0; j < s.a[1]->n_data; j++)
            s.a[1]->data[j] = NAN;
        pr_decoded_t after = decode(&s, 2, w);
        same_all(&before, &after);
        memcpy(s.a[1]->data, kept, s.a[1]->n_data * sizeof *kept);
        free(kept);
        pr_decoded_clear(&before);
        pr_decoded_clear(&after);
    }
    teardown(&s);
}
END_TEST

typedef struct watch {
    int asked, cancel_after;
    int32_t stop_at;
} watch_t;

static bool stop_at(void *self, int seq, const int32_t *ids, int n)
{
    (void)seq;
    ((watch_t *)self)->asked++;
    return ids[n - 1] == ((watch_t *)self)->stop_at;
}

static bool cancel(void *self)
{
    return --((watch_t *)self)->cancel_after < 0;
}

/* Where a sequence ends, by each reason; what came before is untouched. */
START_TEST(test_ends)
{
    setup_t s;
    setup(&s, TINY_QWEN2);
    pr_decoded_t full = decode(&s, 1, weights);
    int32_t word = full.ids[full.start[1] + 6]; // some token that occurs
    watch_t w = {.stop_at = word};
    s.o.self = &w;
    for (int way = 0; way < 2; way++) { // as an end-of-text token, as a stop
        s.o.ignore_eos = way == 1;
        s.o.stop = way == 1 ? stop_at : NULL;
        s.m->config.n_eos = 2;
        s.m->config.eos[0] = 1000;
        s.m->config.eos[1] = way == 0 ? word : 1001;
        pr_decoded_t d = decode(&s, 1, weights);
        int ended = 0;
        for (int i = 0; i < d.n_seq; i++) {
            int n = 0;
            while (n < 12 && full.ids[full.start[i] + (size_t)n] != word)
                n++;
            ck_assert_int_eq(length(&d, i), n < 12 ? n + 1 : 12);
            ck_assert(memcmp(d.ids + d.start[i], full.ids + full.start[i], (size_t)length(&d, i) * sizeof(int32_t)) ==
                      0);
            pr_finish_t found = n < 12 ? (way == 0 ? PR_FINISH_EOS : PR_FINISH_STOP) : PR_FINISH_LENGTH;
            ck_assert_int_eq((int)d.finish[i], (int)found);
            ended += n < 12;
        }
        ck_assert_int_gt(ended, 0);
        ck_assert_int_eq(way == 1 ? w.asked : 0, way == 1 ? (int)d.generated : 0);
        pr_decoded_clear(&d);
    }
    pr_decoded_clear(&full);
    teardown(&s);
}
END_TEST

/* The model's longest sequence ends what max_new_tokens does not. */
START_TEST(test_longest)
{
    setup_t s;
    pr_decoded_t d;
    int start[] = {0, 595};
    int32_t ids[600] = {0};
    setup(&s, TINY_GPT2);
    s.p.n_expert = 0;
    TINY_OK(pr_decode(&s.p, 1, NULL, 1, start, ids, &s.o, &d, err));
    ck_assert_int_eq(d.n_seq, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(length(&d, i), 5);
        ck_assert_int_eq((int)d.finish[i], (int)PR_FINISH_LENGTH);
    }
    pr_decoded_clear(&d);
    teardown(&s);
}
END_TEST

static void refuse(const setup_t *s, const double *w, int n_prompt, const int *start, const int32_t *ids,
                   pr_status_t status, const char *words)
{
    pr_decoded_t d = {0};
    pr_error_t e = {0};
    check_error("decode", pr_decode(&s->p, 1, w, n_prompt, start, ids, &s->o, &d, &e), status, e.text, words);
    ck_assert(d.ids == NULL && d.start == NULL && d.finish == NULL && d.n_seq == 0);
}

START_TEST(test_errors)
{
    setup_t s;
    setup(&s, TINY_GPT2);
    const double negative[] = {0.5, -0.1, 0.6}, nan[] = {0.5, NAN, 0.6}, zero[] = {0, 0, 0};
    const int empty[] = {0, 3, 3}, one[] = {0, 3}, longest[] = {0, 600};
    int32_t ids[600] = {1, 2, 61};
    refuse(&s, negative, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "weight 1|-0.1");
    refuse(&s, nan, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "weight 1|nan");
    refuse(&s, NULL, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "no weights|3");
    refuse(&s, weights, 2, empty, prompt_ids, PR_ERR_FORMAT, "prompt 1|empty");
    refuse(&s, weights, 1, one, ids, PR_ERR_FORMAT, "prompt 0|61");
    refuse(&s, weights, 1, longest, ids, PR_ERR_FORMAT, "prompt 0|600");
    use(&s, "probs");
    refuse(&s, zero, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "all weights are 0|probs");
    use(&s, "states; layer=3");
    refuse(&s, weights, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "layer|3|2");
    use(&s, "states; layer=1");
    refuse(&s, zero, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "all weights are 0|states");
    use(&s, "states");
    s.o.max_new_tokens = 0;
    refuse(&s, weights, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "max_new_tokens|0");
    s.o.max_new_tokens = 5;
    s.o.sampling.temperature = 0;
    refuse(&s, weights, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "temperature|0");
    s.o.sampling.temperature = 1;
    s.o.sampling.top_p = 1.5;
    refuse(&s, weights, 1, prompt_start, prompt_ids, PR_ERR_CONFIG, "top_p|1.5");
    s.o.sampling.top_p = 1;
    for (int steps = 0; steps < 4; steps++) {
        watch_t w = {.cancel_after = steps};
        s.o.self = &w;
        s.o.cancel = cancel;
        refuse(&s, weights, 1, prompt_start, prompt_ids, PR_ERR_INTERRUPTED, "interrupted");
    }
    s.o.cancel = NULL;
    for (size_t i = 0; i < s.a[0]->n_data; i++)
        s.a[0]->data[i] = INFINITY;
    refuse(&s, weights, 1, prompt_start, prompt_ids, PR_ERR_NUMERIC, "prompt 0|token 0|not finite");
    teardown(&s);
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(pr_finish_name(PR_FINISH_EOS), "eos");
    ck_assert_str_eq(pr_finish_name(PR_FINISH_STOP), "stop");
    ck_assert_str_eq(pr_finish_name(PR_FINISH_LENGTH), "length");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("decode");
    TCase *t = tcase_create("decode");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_composition, 0, 3);
    tcase_add_test(t, test_parts);
    tcase_add_loop_test(t, test_log_probabilities, 0, 3);
    tcase_add_test(t, test_zero_weight);
    tcase_add_test(t, test_ends);
    tcase_add_test(t, test_longest);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_names);
    suite_add_tcase(s, t);
    return run_suite(s);
}
