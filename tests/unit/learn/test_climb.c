// SPDX-License-Identifier: BSD-3-Clause
/* What a step climbs, on a model: the mean of the trainer's gradient over all responses that can be drawn, weighted
 * with their probabilities, is the gradient of the documented objective, for every pair of a temperature or nucleus and
 * a term. The objective is a function of rows of logits in double; its derivatives by them are taken by finite
 * differences, and by pr_backward, which is tested against PyTorch, to the adapter. */
#include "learn/trainer.h"
#include "policy/policy.h"
#include "unit/model/tiny_model.h"

enum { V = 61, PROMPT = 3, END = 0 }; // END as a first token ends a response

static const int32_t prompt[PROMPT] = {5, 17, 40};
static const double reward_scale = 0.8;

typedef enum { TERM_REWARD, TERM_K1, TERM_K2, TERM_K3, TERM_ENTROPY } term_t;

/* Policy and base model behind some sequences: a row of logits each, and of the policy which tokens are in the
 * nucleus. */
typedef struct rows {
    int n, d;
    float *h, *logits, *base; // [n,d], [n,V] x2
    bool *in;                 // [n,V]
    pr_run_t *run;
    tiny_batch_t batch; // of the policy
    const pr_adapter_t *adapter;
    float *mix;
} rows_t;

typedef struct subject {
    pr_model_t *m;
    pr_adapter_t *adapter;
    pr_sampling_t s;
} subject_t;

static subject_t subject_make(double temperature, double top_p)
{
    subject_t s = {.m = tiny_model(TINY_LLAMA, 21), .s = {false, temperature, top_p}};
    s.adapter = tiny_adapter(s.m, 2, 4);
    return s;
}

static void subject_free(subject_t *s)
{
    pr_adapter_free(&s->adapter);
    pr_model_free(&s->m);
}

static double noise(int i)
{
    return reward_scale * pr_rng_normal(&tiny_key, (uint64_t)i, 31, 0, 0);
}

/* ---- rows ---- */

// q [V] of a row of logits z [V] in double: softmax(z / T) of the tokens that are in.
static void softmax(const double *z, double temperature, const bool *in, double *q)
{
    double max = -INFINITY, sum = 0;
    for (int v = 0; v < V; v++)
        max = fmax(max, in[v] ? z[v] : -INFINITY);
    for (int v = 0; v < V; v++)
        sum += q[v] = in[v] ? exp((z[v] - max) / temperature) : 0;
    for (int v = 0; v < V; v++)
        q[v] /= sum;
}

static void whole_softmax(const float *z, double temperature, double *q)
{
    double x[V];
    bool all[V];
    for (int v = 0; v < V; v++) {
        x[v] = (double)z[v];
        all[v] = true;
    }
    softmax(x, temperature, all, q);
}

static void policy_row(const subject_t *s, const rows_t *r, int row, double *q)
{
    double z[V];
    for (int v = 0; v < V; v++)
        z[v] = (double)r->logits[row * V + v];
    softmax(z, s->s.temperature, r->in + row * V, q);
}

// The fewest likeliest tokens that have top_p together.
static void find_nucleus(const subject_t *s, const float *z, bool *in)
{
    double p[V], mass = 0;
    whole_softmax(z, s->s.temperature, p);
    for (int v = 0; v < V; v++)
        in[v] = s->s.top_p == 1;
    while (mass < s->s.top_p && s->s.top_p < 1) {
        int best = -1;
        for (int v = 0; v < V; v++)
            if (!in[v] && (best < 0 || p[v] > p[best]))
                best = v;
        in[best] = true;
        mass += p[best];
    }
}

// The rows behind n sequences of these lengths.
static rows_t rows_make(const subject_t *s, int n, const int *len, const int32_t *token)
{
    int d = s->m->part.d.n, total = 0, start[V + 2] = {0};
    for (int i = 0; i < n; i++)
        total = start[i + 1] = total + len[i];
    rows_t r = {.n = n, .d = d, .adapter = s->adapter};
    float *h = pr_alloc((size_t)(total * d), sizeof *h);
    r.h = pr_alloc((size_t)(n * d), sizeof *h);
    r.logits = pr_alloc((size_t)(n * V), sizeof *h);
    r.base = pr_alloc((size_t)(n * V), sizeof *h);
    r.in = pr_alloc((size_t)(n * V), sizeof *r.in);
    r.mix = pr_alloc((size_t)n, sizeof *r.mix);
    for (int i = 0; i < n; i++)
        r.mix[i] = 1;
    for (int base = 1; base >= 0; base--) {
        pr_run_t *run = NULL;
        pr_batch_t b = {.n_seq = n,
                        .seq_start = start,
                        .token = token,
                        .n_adapter = !base,
                        .adapter = &r.adapter,
                        .mix = base ? NULL : r.mix};
        TINY_OK(pr_run_new(s->m, pr_linalg_local(), false, &run, err));
        TINY_OK(pr_forward(run, &b, h, err));
        for (int i = 0; i < n; i++)
            memcpy(r.h + i * d, h + (start[i + 1] - 1) * d, (size_t)d * sizeof *h);
        pr_head_logits(s->m, pr_linalg_local(), n, r.h, base ? r.base : r.logits);
        pr_run_free(&run);
    }
    for (int i = 0; i < n; i++)
        find_nucleus(s, r.logits + i * V, r.in + i * V);
    free(h);
    return r;
}

static void rows_free(rows_t *r)
{
    free(r->h);
    free(r->logits);
    free(r->base);
    free(r->in);
    free(r->mix);
}

/* grad [adapter->n_data] of a function of the rows' logits with derivatives dz [n,V]. */
static void to_adapter(const subject_t *s, rows_t *r, const int *len, const int32_t *token, const double *dz,
                       float *grad)
{
    int d = r->d, total = 0, start[V + 2] = {0};
    for (int i = 0; i < r->n; i++)
        total = start[i + 1] = total + len[i];
    float *h = pr_alloc((size_t)(total * d), sizeof *h), *dh = pr_alloc((size_t)(total * d), sizeof *dh);
    pr_run_t *run = NULL;
    pr_batch_t b = {
        .n_seq = r->n, .seq_start = start, .token = token, .n_adapter = 1, .adapter = &r->adapter, .mix = r->mix};
    pr_grads_t g = {.adapter = 0, .adapter_grad = grad};
    for (int i = 0; i < r->n; i++)
        for (int k = 0; k < d; k++) {
            double sum = 0;
            for (int v = 0; v < V; v++)
                sum += dz[i * V + v] * (double)s->m->head.data[v * d + k];
            dh[(start[i + 1] - 1) * d + k] = (float)sum;
        }
    memset(grad, 0, s->adapter->n_data * sizeof *grad);
    TINY_OK(pr_run_new(s->m, pr_linalg_local(), true, &run, err));
    TINY_OK(pr_forward(run, &b, h, err));
    TINY_OK(pr_backward(run, &b, dh, &g, err));
    pr_run_free(&run);
    free(h);
    free(dh);
}

static void check_near(const char *what, size_t n, const double *found, const float *expected)
{
    double apart = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        apart += pow(found[i] - (double)expected[i], 2);
        all += pow((double)expected[i], 2);
    }
    ck_assert_msg(all > 1e-8, "%s: a gradient of %g shows nothing", what, sqrt(all));
    ck_assert_msg(sqrt(apart / all) < 1e-5, "%s: %g away", what, sqrt(apart / all));
}

/* ---- one token ---- */

static double objective(term_t term, const double *q, const double *base)
{
    double sum = 0;
    for (int v = 0; v < V; v++) {
        if (q[v] == 0)
            continue;
        if (term == TERM_REWARD)
            sum += q[v] * noise(v);
        else if (term == TERM_K1 || term == TERM_K2)
            sum -= q[v] * log(q[v] / base[v]);
        else if (term == TERM_K3)
            sum -= base[v] * log(base[v] / q[v]);
        else
            sum -= q[v] * log(q[v]);
    }
    return sum;
}

static void objective_by_logits(const subject_t *s, term_t term, const rows_t *r, double *dz)
{
    double z[V], base[V], q[V];
    const double h = 1e-4;
    whole_softmax(r->base, s->s.temperature, base);
    for (int v = 0; v < V; v++)
        z[v] = (double)r->logits[v];
    for (int v = 0; v < V; v++) {
        double keep = z[v];
        z[v] = keep + h;
        softmax(z, s->s.temperature, r->in, q);
        double up = objective(term, q, base);
        z[v] = keep - h;
        softmax(z, s->s.temperature, r->in, q);
        dz[v] = (up - objective(term, q, base)) / (2 * h);
        z[v] = keep;
    }
}

// -loss's gradient at the response of one token, times weight, added to sum.
static void add_response(const subject_t *s, pr_trainer_t *t, term_t term, int32_t token, double weight, double ref,
                         double lp, double *sum)
{
    int32_t ids[PROMPT + 1] = {prompt[0], prompt[1], prompt[2], token};
    int start[] = {0, PROMPT + 1}, n_prompt[] = {PROMPT};
    double advantage = term == TERM_REWARD ? noise(token) : 0, found;
    float logp = (float)lp;
    pr_rollout_t r = {1, start, n_prompt, ids, &advantage, NULL, NULL, NULL};
    pr_step_stats_t stats;
    TINY_OK(pr_trainer_reference(t, &r, &found, err));
    ck_assert_double_eq_tol(found, ref, 2e-5);
    r.ref = &found;
    if (term == TERM_K1) {
        pr_rollout_divergence(&r, &logp, &found, &advantage);
        advantage = -advantage;
    }
    TINY_OK(pr_trainer_loss(t, &r, &stats, err));
    for (size_t i = 0; i < s->adapter->n_data; i++)
        sum[i] -= weight * (double)pr_trainer_gradient(t)[i];
}

static void check_one_token(double temperature, double top_p, term_t term)
{
    char what[80];
    snprintf(what, sizeof what, "temperature %g, top_p %g, term %d", temperature, top_p, (int)term);
    subject_t s = subject_make(temperature, top_p);
    size_t n = s.adapter->n_data;
    int len[] = {PROMPT};
    double q[V], base[V], dz[V], *mean = pr_alloc(n, sizeof *mean);
    float *expected = pr_alloc(n, sizeof *expected);
    rows_t r = rows_make(&s, 1, len, prompt);
    pr_trainer_options_t o = {.kl = term == TERM_K2 || term == TERM_K3,
                              .kl_estimator = term == TERM_K2   ? PR_KL_K2
                                              : term == TERM_K3 ? PR_KL_K3
                                                                : PR_KL_K1,
                              .entropy = term == TERM_ENTROPY,
                              .sampling = s.s,
                              .sequence_norm = true,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = 100};
    pr_trainer_t *t = NULL;
    TINY_OK(pr_trainer_new(s.m, pr_team_local(), s.adapter, &o, &t, err));
    policy_row(&s, &r, 0, q);
    whole_softmax(r.base, temperature, base);
    for (int v = 0; v < V; v++)
        if (q[v] > 0)
            add_response(&s, t, term, v, q[v], log(base[v]), log(q[v]), mean);
    objective_by_logits(&s, term, &r, dz);
    to_adapter(&s, &r, len, prompt, dz, expected);
    check_near(what, n, mean, expected);
    pr_trainer_free(&t);
    rows_free(&r);
    free(mean);
    free(expected);
    subject_free(&s);
}

/* k3 with a nucleus is refused by the configuration: that KL is infinite. */
START_TEST(pairs)
{
    static const double temperatures[] = {1, 0.6, 1.7}, top_ps[] = {1, 0.8, 0.4};
    double temperature = temperatures[_i / 3], top_p = top_ps[_i % 3];
    for (int term = TERM_REWARD; term <= TERM_ENTROPY; term++)
        if (term != TERM_K3 || top_p == 1)
            check_one_token(temperature, top_p, (term_t)term);
}
END_TEST

/* ---- two tokens, or one that ends ---- */

/* E[reward - beta log q/base] of whole responses, row 0 behind the prompt, row 1 + a behind first token a. */
typedef struct whole {
    double beta, q[V + 1][V], base[V + 1][V];
} whole_t;

static double response_value(const whole_t *w, int a, int b)
{
    double value = noise(1000 + a * V + b) - w->beta * log(w->q[0][a] / w->base[0][a]);
    return a == END ? value : value - w->beta * log(w->q[1 + a][b] / w->base[1 + a][b]);
}

// Of responses that begin with a; of all that q can draw.
static double value_of_first(const whole_t *w, int a)
{
    double sum = 0;
    if (a == END)
        return response_value(w, a, 0);
    for (int b = 0; b < V; b++)
        if (w->q[1 + a][b] > 0)
            sum += w->q[1 + a][b] * response_value(w, a, b);
    return sum;
}

static double value_of_all(const whole_t *w)
{
    double sum = 0;
    for (int a = 0; a < V; a++)
        if (w->q[0][a] > 0)
            sum += w->q[0][a] * value_of_first(w, a);
    return sum;
}

static void whole_by_logits(const subject_t *s, const rows_t *r, whole_t *w, double *dz)
{
    const double h = 1e-4;
    for (int row = 0; row < r->n; row++) {
        double z[V];
        for (int v = 0; v < V; v++)
            z[v] = (double)r->logits[row * V + v];
        // behind a first token that is not drawn nothing counts; the rest of the sum does not change
        if (row > 0 && (w->q[0][row - 1] == 0 || row - 1 == END))
            continue;
        for (int v = 0; v < V; v++) {
            double keep = z[v], side[2];
            for (int up = 0; up < 2; up++) {
                z[v] = up ? keep + h : keep - h;
                softmax(z, s->s.temperature, r->in + row * V, w->q[row]);
                side[up] = row == 0 ? value_of_all(w) : w->q[0][row - 1] * value_of_first(w, row - 1);
            }
            z[v] = keep;
            dz[row * V + v] = (side[1] - side[0]) / (2 * h);
        }
        softmax(z, s->s.temperature, r->in + row * V, w->q[row]);
    }
}

typedef struct all_responses {
    int n, tokens, *start, *n_prompt;
    int32_t *ids;
    double *advantage, *ref;
} all_responses_t;

static void add_sequence(all_responses_t *l, int a, int b)
{
    int at = l->start[l->n];
    memcpy(l->ids + at, prompt, sizeof prompt);
    l->ids[at + PROMPT] = a;
    l->ids[at + PROMPT + 1] = b;
    l->n_prompt[l->n] = PROMPT;
    l->start[++l->n] = at + PROMPT + (a == END ? 1 : 2);
}

/* All responses as one roll-out, each with the advantage n q (reward - beta divergence): its loss's gradient, a mean
 * over n, is then the one expected. divergence: the code's own, from logp as a roll-out has it. */
static all_responses_t all_of(const whole_t *w, pr_trainer_t *t)
{
    int most = V * V;
    all_responses_t l = {.start = pr_alloc((size_t)most + 1, sizeof(int)),
                         .n_prompt = pr_alloc((size_t)most, sizeof(int)),
                         .ids = pr_alloc((size_t)most * (PROMPT + 2), sizeof(int32_t)),
                         .advantage = pr_alloc((size_t)most, sizeof(double)),
                         .ref = pr_alloc((size_t)most * 2, sizeof(double))};
    float *logp = pr_alloc((size_t)most * 2, sizeof *logp);
    double *divergence = pr_alloc((size_t)most, sizeof *divergence);
    for (int a = 0; a < V; a++)
        for (int b = 0; b < (a == END ? 1 : V); b++) {
            bool two = a != END;
            double p = w->q[0][a] * (two ? w->q[1 + a][b] : 1);
            if (p == 0)
                continue;
            l.advantage[l.n] = p;
            logp[l.tokens++] = (float)log(w->q[0][a]);
            if (two)
                logp[l.tokens++] = (float)log(w->q[1 + a][b]);
            add_sequence(&l, a, b);
        }
    pr_rollout_t r = {l.n, l.start, l.n_prompt, l.ids, NULL, NULL, NULL, NULL};
    TINY_OK(pr_trainer_reference(t, &r, l.ref, err));
    pr_rollout_divergence(&r, logp, l.ref, divergence);
    for (int i = 0; i < l.n; i++) {
        const int32_t *y = l.ids + l.start[i] + PROMPT;
        int a = y[0], b = a == END ? 0 : y[1];
        l.advantage[i] *= l.n * (noise(1000 + a * V + b) - w->beta * divergence[i]);
    }
    free(logp);
    free(divergence);
    return l;
}

static void all_free(all_responses_t *l)
{
    free(l->start);
    free(l->n_prompt);
    free(l->ids);
    free(l->advantage);
    free(l->ref);
}

/* With k1: the KL of whole responses, in nats per response, with what first tokens do to the second ones' KL; the same
 * in one micro-batch or many, and with loss_norm "token" but for the mean length. */
START_TEST(whole_responses)
{
    static const double temperatures[] = {1, 0.7, 1}, top_ps[] = {1, 1, 0.7};
    subject_t s = subject_make(temperatures[_i], top_ps[_i]);
    size_t n = s.adapter->n_data;
    int32_t token[PROMPT + V * (PROMPT + 1)];
    int len[V + 1] = {PROMPT}, at = PROMPT;
    memcpy(token, prompt, sizeof prompt);
    for (int a = 0; a < V; a++) {
        memcpy(token + at, prompt, sizeof prompt);
        token[at + PROMPT] = a;
        len[1 + a] = PROMPT + 1;
        at += PROMPT + 1;
    }
    rows_t r = rows_make(&s, V + 1, len, token);
    whole_t *w = pr_alloc(1, sizeof *w);
    w->beta = 0.6;
    for (int row = 0; row <= V; row++) {
        policy_row(&s, &r, row, w->q[row]);
        whole_softmax(r.base + row * V, s.s.temperature, w->base[row]);
    }
    double *dz = pr_alloc((V + 1) * V, sizeof *dz), *mean = pr_alloc(n, sizeof *mean);
    float *expected = pr_alloc(n, sizeof *expected);
    whole_by_logits(&s, &r, w, dz);
    to_adapter(&s, &r, len, token, dz, expected);
    for (int token_norm = 0; token_norm < 2; token_norm++) {
        pr_trainer_options_t o = {.kl = w->beta,
                                  .kl_estimator = PR_KL_K1,
                                  .sampling = s.s,
                                  .sequence_norm = !token_norm,
                                  .beta1 = 0.9,
                                  .beta2 = 0.999,
                                  .eps = 1e-8,
                                  .micro_tokens = token_norm ? 77 : 4096};
        pr_trainer_t *t = NULL;
        pr_step_stats_t stats;
        TINY_OK(pr_trainer_new(s.m, pr_team_local(), s.adapter, &o, &t, err));
        all_responses_t l = all_of(w, t);
        pr_rollout_t rollout = {l.n, l.start, l.n_prompt, l.ids, l.advantage, l.ref, NULL, NULL};
        TINY_OK(pr_trainer_loss(t, &rollout, &stats, err));
        ck_assert_int_eq(stats.tokens, l.tokens);
        for (size_t i = 0; i < n; i++)
            mean[i] = -(double)pr_trainer_gradient(t)[i] * (token_norm ? (double)l.tokens / l.n : 1);
        check_near(token_norm ? "token" : "sequence", n, mean, expected);
        all_free(&l);
        pr_trainer_free(&t);
    }
    free(dz);
    free(mean);
    free(expected);
    free(w);
    rows_free(&r);
    subject_free(&s);
}
END_TEST

/* ---- roll-out and loss ---- */

/* Drawn with a cache, a token at a time, and learned from a sequence at a time: log-probabilities of one distribution.
 * With a nucleus the step's kl is the plain mean of log q - log base, so that it can be told from the roll-out's own;
 * every token drawn is in the nucleus that the loss finds again. */
START_TEST(roll_out_and_loss)
{
    enum { SAMPLES = 32, NEW = 12 };
    static const double temperatures[] = {0.7, 1.5}, top_ps[] = {0.6, 0.95};
    subject_t s = subject_make(temperatures[_i], top_ps[_i]);
    const pr_adapter_t *adapter = s.adapter;
    const double one = 1;
    const int prompt_start[] = {0, PROMPT};
    pr_policy_t policy = {
        .model = s.m, .la = pr_linalg_local(), .n_expert = 1, .adapter = &adapter, .mix = &pr_mix_params};
    pr_decode_options_t d = {
        .sampling = s.s, .samples = SAMPLES, .max_new_tokens = NEW, .want_logp = true, .key = tiny_key};
    pr_decoded_t out = {0};
    TINY_OK(pr_decode(&policy, 1, &one, 1, prompt_start, prompt, &d, &out, err));
    int start[SAMPLES + 1] = {0}, n_prompt[SAMPLES];
    int32_t ids[SAMPLES * (PROMPT + NEW)];
    double advantage[SAMPLES] = {0}, divergence[SAMPLES], ref[SAMPLES * NEW], sum = 0;
    for (int i = 0; i < SAMPLES; i++) {
        size_t n = out.start[i + 1] - out.start[i];
        memcpy(ids + start[i], prompt, sizeof prompt);
        memcpy(ids + start[i] + PROMPT, out.ids + out.start[i], n * sizeof *ids);
        n_prompt[i] = PROMPT;
        start[i + 1] = start[i] + PROMPT + (int)n;
    }
    pr_rollout_t r = {SAMPLES, start, n_prompt, ids, advantage, NULL, NULL, NULL};
    pr_trainer_options_t o = {
        .kl_estimator = PR_KL_K1, .sampling = s.s, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .micro_tokens = 50};
    pr_trainer_t *t = NULL;
    pr_step_stats_t stats;
    TINY_OK(pr_trainer_new(s.m, pr_team_local(), s.adapter, &o, &t, err));
    TINY_OK(pr_trainer_reference(t, &r, ref, err));
    r.ref = ref;
    TINY_OK(pr_trainer_loss(t, &r, &stats, err));
    pr_rollout_divergence(&r, out.logp, ref, divergence);
    for (int i = 0; i < SAMPLES; i++)
        sum += divergence[i];
    ck_assert_int_gt(stats.tokens, SAMPLES);
    ck_assert_double_eq_tol(stats.kl, sum / (double)stats.tokens, 1e-5);
    ck_assert_double_gt(stats.kl, 0.05);
    pr_trainer_free(&t);
    pr_decoded_clear(&out);
    subject_free(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("climb");
    TCase *t = tcase_create("climb");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, pairs, 0, 9);
    tcase_add_loop_test(t, whole_responses, 0, 3);
    tcase_add_loop_test(t, roll_out_and_loss, 0, 2);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
