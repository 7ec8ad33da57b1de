// SPDX-License-Identifier: BSD-3-Clause
/* The policy-gradient step against PyTorch: losses and every LoRA gradient of a fixture's REINFORCE and GRPO losses, on
 * whatever team fixture_team is. */
#ifndef PR_TEST_TRAINER_CHECKS_H
#define PR_TEST_TRAINER_CHECKS_H

#include "learn/trainer.h"
#include "unit/model/fixture_files.h"

typedef struct subject {
    fixture_t f;
    pr_adapter_t *adapter;
    int start[64], n_prompt[64];
    double advantage[64];
} subject_t;

static inline void load(subject_t *s, const char *dir)
{
    char path[1200];
    s->f = fixture_open(dir, false);
    snprintf(path, sizeof path, "%s/adapters/alpha", dir);
    FIXTURE_OK(pr_adapter_read(path, &s->f.m->config, &s->adapter, err));
    int first = (int)json_integer_value(json_object_get(s->f.json, "pg.start"));
    float *a = fixture_floats(&s->f, fixture_find(&s->f, "pg.advantage"), (size_t)s->f.n_seq);
    for (int i = 0; i < s->f.n_seq; i++) {
        s->start[i + 1] = s->start[i] + s->f.len;
        s->n_prompt[i] = first;
        s->advantage[i] = (double)a[i];
    }
    free(a);
}

static inline void unload(subject_t *s)
{
    pr_adapter_free(&s->adapter);
    fixture_close_all(&s->f);
}

static inline void compare(const subject_t *s, const char *prefix, const float *grad)
{
    int compared = 0;
    for (int l = 0; l < s->adapter->n_layer; l++)
        for (int slot = 0; slot < PR_N_SLOT; slot++) {
            const pr_lora_t *lora = pr_adapter_at(s->adapter, l, (pr_slot_t)slot);
            int out, in;
            char module[256];
            if (lora->r == 0)
                continue;
            pr_slot_shape(&s->f.m->config, (pr_slot_t)slot, &out, &in);
            pr_slot_module(&s->f.m->config, l, (pr_slot_t)slot, module, sizeof module);
            for (int b = 0; b < 2; b++) {
                size_t n = (size_t)lora->r * (size_t)(b ? out : in);
                float *expected = fixture_floats(
                    &s->f,
                    fixture_find(&s->f, "%s.base_model.model.%s.lora_%c.default.weight", prefix, module, b ? 'B' : 'A'),
                    n);
                fixture_close(s->f.dir, module, n, grad + ((b ? lora->b : lora->a) - s->adapter->data), expected, 1e-3);
                free(expected);
                compared++;
            }
        }
    ck_assert_int_gt(compared, 0);
}

// The loss of the same tokens without a KL, averaged over the tokens.
static inline double plain_loss(subject_t *s, const double *ref)
{
    pr_trainer_t *t;
    pr_step_stats_t stats;
    pr_trainer_options_t o = {
        .sampling = {.temperature = 1, .top_p = 1}, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .micro_tokens = 100000};
    pr_rollout_t r = {s->f.n_seq, s->start, s->n_prompt, s->f.ids, s->advantage, ref, NULL, NULL};
    FIXTURE_OK(pr_trainer_new(s->f.m, fixture_team, s->adapter, &o, &t, err));
    FIXTURE_OK(pr_trainer_loss(t, &r, &stats, err));
    pr_trainer_free(&t);
    return stats.loss;
}

static inline void check_loss(const char *dir, const char *loss_key, const char *prefix, bool sequence, double kl,
                              int micro)
{
    subject_t s = {0};
    pr_trainer_t *t;
    pr_step_stats_t stats;
    load(&s, dir);
    pr_trainer_options_t o = {.kl = kl,
                              .kl_estimator = PR_KL_K3,
                              .sampling = {.temperature = 1, .top_p = 1},
                              .sequence_norm = sequence,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = micro};
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage, NULL, NULL, NULL};
    double *ref = pr_alloc(pr_rollout_tokens(&r), sizeof *ref);
    FIXTURE_OK(pr_trainer_new(s.f.m, fixture_team, s.adapter, &o, &t, err));
    FIXTURE_OK(pr_trainer_reference(t, &r, ref, err));
    r.ref = ref;
    FIXTURE_OK(pr_trainer_loss(t, &r, &stats, err));
    double expected = json_number_value(json_object_get(s.f.json, loss_key));
    if (sequence) // the fixture's loss holds the advantage times log-probabilities, as ours does
        ck_assert_double_eq_tol(stats.loss, expected, 1e-4 * fabs(expected));
    if (kl > 0) { // the advantage's part of the loss aside, its mean over the tokens
        double k3 = json_number_value(json_object_get(s.f.json, "pg.kl_k3_mean"));
        ck_assert_double_eq_tol((stats.loss - plain_loss(&s, ref)) / kl, k3, 1e-4 * k3);
    }
    ck_assert_int_eq(stats.tokens, (long)s.f.n_seq * (s.f.len - s.n_prompt[0]));
    compare(&s, prefix, pr_trainer_gradient(t));
    free(ref);
    pr_trainer_free(&t);
    unload(&s);
}

/* Gradient of a loss with everything in it: temperature, a nucleus, an entropy bonus, a KL. grad: [adapter->n_data],
 * the caller frees. */
static inline float *sampled_gradient(const char *dir, const pr_trainer_options_t *o, size_t *n, pr_step_stats_t *stats)
{
    subject_t s = {0};
    pr_trainer_t *t;
    load(&s, dir);
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage, NULL, NULL, NULL};
    double *ref = pr_alloc(pr_rollout_tokens(&r), sizeof *ref);
    FIXTURE_OK(pr_trainer_new(s.f.m, fixture_team, s.adapter, o, &t, err));
    FIXTURE_OK(pr_trainer_reference(t, &r, ref, err));
    r.ref = ref;
    FIXTURE_OK(pr_trainer_loss(t, &r, stats, err));
    *n = s.adapter->n_data;
    float *grad = pr_alloc(*n, sizeof *grad);
    memcpy(grad, pr_trainer_gradient(t), *n * sizeof *grad);
    free(ref);
    pr_trainer_free(&t);
    unload(&s);
    return grad;
}

/* What a team finds is what one process alone finds. */
static inline void check_sampled(const char *dir, pr_kl_t estimator, double top_p, double temperature)
{
    const pr_team_t *team = fixture_team;
    pr_trainer_options_t o = {.kl = 0.3,
                              .kl_estimator = estimator,
                              .entropy = 0.2,
                              .sampling = {.temperature = temperature, .top_p = top_p},
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = 40};
    pr_step_stats_t stats, expected;
    size_t n;
    float *grad = sampled_gradient(dir, &o, &n, &stats);
    fixture_set_team(pr_team_local());
    float *alone = sampled_gradient(dir, &o, &n, &expected);
    fixture_set_team(team);
    double apart = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        apart += pow((double)grad[i] - (double)alone[i], 2);
        all += pow((double)alone[i], 2);
    }
    ck_assert_msg(sqrt(apart) < 1e-4 * sqrt(all), "%s: the gradient is %g away", dir, sqrt(apart / all));
    ck_assert_double_eq_tol(stats.loss, expected.loss, 1e-4 * (1 + fabs(expected.loss)));
    ck_assert_double_eq_tol(stats.kl, expected.kl, 1e-4 * (1 + fabs(expected.kl)));
    ck_assert_double_eq_tol(stats.entropy, expected.entropy, 1e-4 * (1 + expected.entropy));
    free(grad);
    free(alone);
}

/* |a - b| over |b|. */
static inline double apart(const float *a, const float *b, size_t n)
{
    double off = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        off += pow((double)a[i] - (double)b[i], 2);
        all += pow((double)b[i], 2);
    }
    return sqrt(off / all);
}

/* Channels of one pass are, but for single precision, the gradients that passes of their own find; their weighted sum,
 * with what no advantage multiplies, is that of the weighted advantages; inner products are those of the vectors. */
static inline void check_channels(const char *dir, pr_kl_t estimator, double kl, double entropy, int micro)
{
    enum { N = 3 };
    static const double weight[N] = {0.7, -0.2, 1.5};
    subject_t s = {0};
    pr_trainer_t *t, *plain;
    pr_step_stats_t stats, expected;
    const float *channel;
    load(&s, dir);
    size_t n = s.adapter->n_data, n_seq = (size_t)s.f.n_seq;
    pr_trainer_options_t o = {.kl = kl,
                              .kl_estimator = estimator,
                              .entropy = entropy,
                              .sampling = {.temperature = 0.9, .top_p = 1},
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = micro};
    pr_trainer_options_t none = o;
    none.kl = none.entropy = 0;
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage, NULL, NULL, NULL};
    double *ref = pr_alloc(pr_rollout_tokens(&r), sizeof *ref), *advantage = pr_alloc(N * n_seq, sizeof *advantage),
           gram[N * N];
    for (size_t i = 0; i < n_seq; i++) {
        advantage[i] = s.advantage[i];
        advantage[n_seq + i] = sin(3.0 * (double)i + 1);
        advantage[2 * n_seq + i] = i % 2 ? 0 : 2;
    }
    FIXTURE_OK(pr_trainer_new(s.f.m, fixture_team, s.adapter, &o, &t, err));
    FIXTURE_OK(pr_trainer_new(s.f.m, fixture_team, s.adapter, &none, &plain, err));
    FIXTURE_OK(pr_trainer_reference(t, &r, ref, err));
    r.ref = ref;
    FIXTURE_OK(pr_trainer_channels(t, &r, N, advantage, &stats, &channel, err));
    pr_trainer_gram(t, N, gram);
    for (size_t c = 0; c < N; c++) {
        r.advantage = advantage + c * n_seq;
        FIXTURE_OK(pr_trainer_loss(plain, &r, &expected, err));
        double off = apart(channel + c * n, pr_trainer_gradient(plain), n);
        ck_assert_msg(off < 3e-6, "%s: channel %zu is %g away", dir, c, off);
        double square = pow(pr_global_norm(channel + c * n, n), 2);
        ck_assert_double_eq_tol(gram[c * N + c], square, 1e-5 * square);
        for (size_t j = 0; j < N; j++)
            ck_assert(gram[c * N + j] == gram[j * N + c]);
    }
    double *all = pr_alloc(n_seq, sizeof *all);
    for (size_t i = 0; i < n_seq; i++)
        for (size_t c = 0; c < N; c++)
            all[i] += weight[c] * advantage[c * n_seq + i];
    pr_trainer_free(&plain);
    FIXTURE_OK(pr_trainer_new(s.f.m, fixture_team, s.adapter, &o, &plain, err));
    r.advantage = all;
    FIXTURE_OK(pr_trainer_loss(plain, &r, &expected, err));
    FIXTURE_OK(pr_trainer_step_along(t, N, weight, 0, &stats, err)); // at rate 0
    double off = apart(pr_trainer_gradient(t), pr_trainer_gradient(plain), n);
    ck_assert_msg(off < 3e-6, "%s: the sum is %g away", dir, off);
    ck_assert_double_eq_tol(stats.loss, expected.loss, 1e-6 * (1 + fabs(expected.loss)));
    ck_assert_double_eq_tol(stats.kl, expected.kl, 1e-9 * (1 + fabs(expected.kl)));
    ck_assert_double_eq_tol(stats.entropy, expected.entropy, 1e-9 * (1 + expected.entropy));
    free(ref);
    free(advantage);
    free(all);
    pr_trainer_free(&t);
    pr_trainer_free(&plain);
    unload(&s);
}

/* A family's gradient, with sequences under two preferences and several channels, is what the adapters' own gradients
 * at each say of it. */
static inline void check_family(const char *dir, const char *core, int micro)
{
    enum { K = 2, N = 2 };
    static const double w[N][K] = {{0.75, 0.25}, {0.25, 1.5}};
    subject_t s = {0};
    pr_trainer_t *t;
    pr_step_stats_t stats, sum = {0};
    pr_adapter_t *at, *other;
    pr_family_t *f;
    const float *grad;
    char path[1200];
    load(&s, dir);
    snprintf(path, sizeof path, "%s/adapters/beta", dir);
    FIXTURE_OK(pr_adapter_read(path, &s.f.m->config, &other, err));
    json_t *value = json_string(core);
    const pr_adapter_t *expert[K] = {s.adapter, other};
    pr_rng_key_t key = pr_rng_key(1, "family", "");
    FIXTURE_OK(pr_family_of(&s.f.m->config, value, expert, K, &key, &f, err));
    for (size_t i = f->factors->n_data; i < f->n; i++)
        f->data[i] += (float)(0.1 * pr_rng_normal(&key, i, 1, 0, 0));
    FIXTURE_OK(pr_family_instance(f, &s.f.m->config, &at, err));
    double preference[64][K], own[64], channel[2][64];
    for (int i = 0; i < s.f.n_seq; i++) {
        memcpy(preference[i], w[i % 3 == 0], sizeof preference[i]);
        channel[0][i] = s.advantage[i];
        channel[1][i] = i % 2;
    }
    double flat[2 * 64];
    for (int c = 0; c < 2; c++)
        memcpy(flat + (ptrdiff_t)c * s.f.n_seq, channel[c], (size_t)s.f.n_seq * sizeof *flat);
    pr_trainer_options_t o = {.sampling = {.temperature = 1, .top_p = 1},
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = micro,
                              .family = f};
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage, NULL, preference[0], NULL};
    float *expected = pr_alloc(2 * f->n, sizeof *expected);
    FIXTURE_OK(pr_trainer_new(s.f.m, fixture_team, at, &o, &t, err));
    FIXTURE_OK(pr_trainer_loss(t, &r, &stats, err));
    float *found = pr_alloc(f->n, sizeof *found);
    memcpy(found, pr_trainer_gradient(t), f->n * sizeof *found);
    o.family = NULL;
    for (int c = 0; c < 2; c++)
        for (int p = 0; p < N; p++) {
            pr_trainer_t *plain;
            pr_step_stats_t part;
            pr_rollout_t q = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, own, NULL, NULL, NULL};
            for (int i = 0; i < s.f.n_seq; i++)
                own[i] = memcmp(preference[i], w[p], sizeof w[p]) == 0 ? channel[c][i] : 0;
            pr_family_set(f, &s.f.m->config, w[p], at);
            FIXTURE_OK(pr_trainer_new(s.f.m, fixture_team, at, &o, &plain, err));
            FIXTURE_OK(pr_trainer_loss(plain, &q, &part, err));
            sum.loss += c == 0 ? part.loss : 0;
            pr_family_pull(f, &s.f.m->config, w[p], at, pr_trainer_gradient(plain), expected + (size_t)c * f->n);
            pr_trainer_free(&plain);
        }
    fixture_close(dir, core, f->n, found, expected, 1e-4);
    ck_assert_double_eq_tol(stats.loss, sum.loss, 1e-5 * (1 + fabs(sum.loss)));
    FIXTURE_OK(pr_trainer_channels(t, &r, 2, flat, &stats, &grad, err));
    fixture_close(dir, core, 2 * f->n, grad, expected, 1e-4);
    float before = f->data[f->n - 1];
    FIXTURE_OK(pr_trainer_step(t, &r, 1e-2, &stats, err));
    ck_assert(f->data[f->n - 1] != before);
    free(found);
    free(expected);
    json_decref(value);
    pr_trainer_free(&t);
    pr_adapter_free(&at);
    pr_adapter_free(&other);
    pr_family_free(&f);
    unload(&s);
}

/* ---- with a critic ---- */

typedef struct critic_subject {
    subject_t s;
    pr_trainer_t *t;
    pr_clipped_t clipped;
    double *token[4]; // advantage, old_logp, old_value, goal
    pr_rollout_t r;
} critic_subject_t;

/* Sequences under an adapter that is far from the base model, which stands for the policy they were drawn from, so that
 * some ratios are clipped and some are not; `still`: the adapter is the base model, so that none is. */
static inline void critic_open(critic_subject_t *c, const char *dir, bool still, int micro)
{
    load(&c->s, dir);
    const pr_adapter_t *a = c->s.adapter;
    for (int l = 0; l < a->n_layer && still; l++)
        for (int slot = 0; slot < PR_N_SLOT; slot++) {
            const pr_lora_t *lora = pr_adapter_at(a, l, (pr_slot_t)slot);
            int out, in;
            pr_slot_shape(&c->s.f.m->config, (pr_slot_t)slot, &out, &in);
            if (lora->r > 0)
                memset(lora->b, 0, (size_t)lora->r * (size_t)out * sizeof(float));
        }
    pr_trainer_options_t o = {.kl = 0.3,
                              .kl_estimator = PR_KL_K2,
                              .entropy = 0.1,
                              .sampling = {.temperature = 1, .top_p = 1},
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = micro,
                              .critic = true};
    c->r = (pr_rollout_t){c->s.f.n_seq, c->s.start, c->s.n_prompt, c->s.f.ids, c->s.advantage, NULL, NULL, &c->clipped};
    size_t n = pr_rollout_tokens(&c->r);
    for (int i = 0; i < 4; i++)
        c->token[i] = pr_alloc(n, sizeof(double));
    FIXTURE_OK(pr_trainer_new(c->s.f.m, fixture_team, c->s.adapter, &o, &c->t, err));
    FIXTURE_OK(pr_trainer_reference(c->t, &c->r, c->token[1], err));
    c->r.ref = c->token[1];
    size_t at = 0;
    for (int i = 0; i < c->s.f.n_seq; i++)
        for (int k = c->s.n_prompt[i]; k < c->s.start[i + 1] - c->s.start[i]; k++, at++) {
            c->token[0][at] = still ? c->s.advantage[i] : sin(1.7 * (double)at);
            c->token[2][at] = 0.1 * cos(2.3 * (double)at);
            c->token[3][at] = sin(0.9 * (double)at + 1);
        }
    pr_critic_t *critic = pr_trainer_critic(c->t);
    for (size_t i = 0; i < critic->n; i++)
        critic->weight[i] = (float)(0.05 * sin(1.3 * (double)i + 0.4));
    c->clipped = (pr_clipped_t){c->token[0], c->token[1], c->token[2], c->token[3], 0.2, 0, still ? 0 : 0.5};
}

static inline void critic_close(critic_subject_t *c)
{
    for (int i = 0; i < 4; i++)
        free(c->token[i]);
    pr_trainer_free(&c->t);
    unload(&c->s);
}

static inline double critic_loss(critic_subject_t *c)
{
    pr_step_stats_t stats;
    FIXTURE_OK(pr_trainer_loss(c->t, &c->r, &stats, err));
    return stats.loss;
}

/* Gradients of the policy along themselves, and of the value head number by number, as finite differences have them. */
static inline void check_critic(const char *dir, int micro)
{
    critic_subject_t c = {0};
    critic_open(&c, dir, false, micro);
    pr_critic_t *critic = pr_trainer_critic(c.t);
    pr_adapter_t *a = c.s.adapter;
    pr_step_stats_t stats;
    FIXTURE_OK(pr_trainer_loss(c.t, &c.r, &stats, err));
    ck_assert_double_gt(stats.held, 0.02);
    ck_assert_double_lt(stats.held, 0.98);
    ck_assert_double_gt(stats.value, 0);
    float *grad = pr_alloc(a->n_data, sizeof *grad), *head = pr_alloc(critic->n, sizeof *head),
          *before = pr_alloc(a->n_data, sizeof *before);
    memcpy(grad, pr_trainer_gradient(c.t), a->n_data * sizeof *grad);
    memcpy(head, critic->gradient, critic->n * sizeof *head);
    memcpy(before, a->data, a->n_data * sizeof *before);
    double norm = pr_global_norm(grad, a->n_data), h = 2e-4, side[2];
    ck_assert_double_eq_tol(stats.grad_norm, hypot(norm, pr_global_norm(head, critic->n)), 1e-9 * stats.grad_norm);
    for (int i = 0; i < 2; i++) {
        for (size_t p = 0; p < a->n_data; p++)
            a->data[p] = (float)((double)before[p] + (i ? -h : h) * (double)grad[p] / norm);
        side[i] = critic_loss(&c);
    }
    memcpy(a->data, before, a->n_data * sizeof *before);
    ck_assert_msg(fabs((side[0] - side[1]) / (2 * h) - norm) < 0.02 * norm, "%s: slope %g, gradient %g", dir,
                  (side[0] - side[1]) / (2 * h), norm);
    for (size_t p = critic->n > 12 ? critic->n - 12 : 0; p < critic->n; p++) { // of a square: exact but for rounding
        float keep = critic->weight[p];
        for (int i = 0; i < 2; i++) {
            critic->weight[p] = keep + (i ? -0.5f : 0.5f);
            side[i] = critic_loss(&c);
        }
        critic->weight[p] = keep;
        ck_assert_double_eq_tol(side[0] - side[1], (double)head[p], 1e-3 * (1e-2 + fabs((double)head[p])));
    }
    free(grad);
    free(head);
    free(before);
    critic_close(&c);
}

/* Where the policy is the one that was drawn from, and values count for nothing, it is the gradient of the advantages. */
static inline void check_critic_on_policy(const char *dir)
{
    critic_subject_t c = {0};
    critic_open(&c, dir, true, 100000);
    size_t n = c.s.adapter->n_data;
    float *grad = pr_alloc(n, sizeof *grad);
    pr_step_stats_t stats;
    FIXTURE_OK(pr_trainer_loss(c.t, &c.r, &stats, err));
    memcpy(grad, pr_trainer_gradient(c.t), n * sizeof *grad);
    ck_assert_double_eq(stats.held, 0);
    c.r.clipped = NULL;
    FIXTURE_OK(pr_trainer_loss(c.t, &c.r, &stats, err));
    double off = apart(grad, pr_trainer_gradient(c.t), n);
    ck_assert_msg(off < 1e-5, "%s: %g away", dir, off);
    free(grad);
    critic_close(&c);
}

/* A team's values, gradients and step are one process's. */
static inline void check_critic_team(const char *dir)
{
    const pr_team_t *team = fixture_team;
    float *grad[2], *head[2], *after[2];
    double *value[2];
    size_t n = 0, n_head = 0, n_token = 0;
    for (int i = 0; i < 2; i++) {
        critic_subject_t c = {0};
        fixture_set_team(i ? pr_team_local() : team);
        critic_open(&c, dir, false, 40);
        pr_critic_t *critic = pr_trainer_critic(c.t);
        pr_step_stats_t stats;
        n = c.s.adapter->n_data;
        n_head = critic->n;
        n_token = pr_rollout_tokens(&c.r);
        value[i] = pr_alloc(n_token, sizeof *value[i]);
        FIXTURE_OK(pr_trainer_values(c.t, &c.r, value[i], err));
        grad[i] = pr_alloc(n, sizeof(float));
        head[i] = pr_alloc(n_head, sizeof(float));
        after[i] = pr_alloc(n_head, sizeof(float));
        FIXTURE_OK(pr_trainer_step(c.t, &c.r, 1e-2, &stats, err));
        memcpy(grad[i], pr_trainer_gradient(c.t), n * sizeof(float));
        memcpy(head[i], critic->gradient, n_head * sizeof(float));
        memcpy(after[i], critic->weight, n_head * sizeof(float));
        critic_close(&c);
    }
    fixture_set_team(team);
    ck_assert_double_lt(apart(grad[0], grad[1], n), 1e-4);
    ck_assert_double_lt(apart(head[0], head[1], n_head), 1e-4);
    ck_assert_double_lt(apart(after[0], after[1], n_head), 1e-3);
    for (size_t i = 0; i < n_token; i++)
        ck_assert_double_eq_tol(value[0][i], value[1][i], 1e-4);
    for (int i = 0; i < 2; i++) {
        free(grad[i]);
        free(head[i]);
        free(after[i]);
        free(value[i]);
    }
}

#endif
