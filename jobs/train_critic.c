// SPDX-License-Identifier: BSD-3-Clause
/* A step of an algorithm with a critic (learn/critic.h): the value of every token that was drawn, advantages of them, and
 * several updates on the same responses, each on some of the step's prompts, drawn anew in each pass. */
#include "base/mem.h"
#include "jobs/train_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is known of the step's tokens before the first update: [tokens] each. */
typedef struct tokens {
    int n_seq;
    size_t n, *start; // [n_seq+1]
    double *reward, *value, *advantage, *goal, *logp;
} tokens_t;

static void tokens_new(tokens_t *k, int n_seq, const size_t *start)
{
    *k = (tokens_t){.n_seq = n_seq};
    k->start = pr_alloc((size_t)n_seq + 1, sizeof *k->start);
    for (int i = 0; i <= n_seq; i++)
        k->start[i] = start[i] - start[0];
    k->n = k->start[n_seq];
    double **all[] = {&k->reward, &k->value, &k->advantage, &k->goal, &k->logp};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        *all[i] = pr_alloc(k->n, sizeof(double));
}

static void tokens_clear(tokens_t *k)
{
    free(k->start);
    free(k->reward);
    free(k->value);
    free(k->advantage);
    free(k->goal);
    free(k->logp);
}

/* The response's reward at its last token; at each what the KL takes, where it is in the reward. */
static void set_rewards(const pr_training_t *t, const pr_step_batch_t *b, const pr_rollout_t *r, tokens_t *k)
{
    const double *reward = b->advantage + (ptrdiff_t)(b->n_channel - 1) * b->n_seq;
    bool in_reward = t->kl_estimator == PR_KL_K1 && t->f->kl > 0;
    for (size_t i = 0; i < k->n; i++) {
        k->logp[i] = (double)b->decoded.logp[i];
        k->reward[i] = in_reward ? -t->f->kl * (k->logp[i] - r->ref[i]) : 0;
    }
    for (int s = 0; s < k->n_seq; s++)
        if (k->start[s + 1] > k->start[s])
            k->reward[k->start[s + 1] - 1] += reward[s];
}

/* Some of the step's prompts with all that is known of their responses, packed. */
typedef struct part {
    int n_seq, *start, *n_prompt;
    int32_t *ids;
    double *preference;
    double *known[5]; // ref, advantage, old_logp, old_value, goal
} part_t;

static void part_clear(part_t *p)
{
    free(p->start);
    free(p->n_prompt);
    free(p->ids);
    free(p->preference);
    for (int i = 0; i < 5; i++)
        free(p->known[i]);
}

static void part_add(part_t *p, const pr_rollout_t *r, const tokens_t *k, int n_preference, int s)
{
    const double *from[] = {r->ref, k->advantage, k->logp, k->value, k->goal};
    int at = p->n_seq ? p->start[p->n_seq] : 0, n = r->start[s + 1] - r->start[s];
    size_t have = 0, first = k->start[s], more = k->start[s + 1] - first;
    for (int i = 0; i < p->n_seq; i++)
        have += (size_t)(p->start[i + 1] - p->start[i] - p->n_prompt[i]);
    p->start = pr_realloc(p->start, (size_t)p->n_seq + 2, sizeof *p->start);
    p->n_prompt = pr_realloc(p->n_prompt, (size_t)p->n_seq + 1, sizeof *p->n_prompt);
    p->ids = pr_realloc(p->ids, (size_t)(at + n), sizeof *p->ids);
    memcpy(p->ids + at, r->ids + r->start[s], (size_t)n * sizeof *p->ids);
    for (int i = 0; i < 5; i++) {
        p->known[i] = pr_realloc(p->known[i], have + more, sizeof(double));
        memcpy(p->known[i] + have, from[i] + first, more * sizeof(double));
    }
    if (r->preference) {
        size_t wide = (size_t)n_preference;
        p->preference = pr_realloc(p->preference, ((size_t)p->n_seq + 1) * wide, sizeof(double));
        memcpy(p->preference + (size_t)p->n_seq * wide, r->preference + (size_t)s * wide, wide * sizeof(double));
    }
    p->start[0] = 0;
    p->start[p->n_seq + 1] = at + n;
    p->n_prompt[p->n_seq++] = r->n_prompt[s];
}

/* The prompts of the step in the order of one pass. */
static void order_prompts(const pr_training_t *t, int epoch, int *order)
{
    int n = t->f->prompts_per_step;
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j = (int)pr_rng_below(&t->pass_key, (uint64_t)i + 1, (uint64_t)t->step, (uint64_t)epoch, (uint64_t)i, 0);
        int keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
}

/* What the updates of a step gave: means, weighted by tokens; the KL and the entropy of the first pass, when the policy is
 * still nearly the one that was sampled from. */
typedef struct means {
    double tokens, first;
    pr_step_stats_t sum;
} means_t;

static void means_add(means_t *m, const pr_step_stats_t *s, bool first)
{
    double w = (double)s->tokens;
    m->tokens += w;
    m->sum.loss += w * s->loss;
    m->sum.value += w * s->value;
    m->sum.held += w * s->held;
    m->sum.grad_norm += w * s->grad_norm;
    m->sum.lr = s->lr;
    if (!first)
        return;
    m->first += w;
    m->sum.kl += w * s->kl;
    m->sum.entropy += w * s->entropy;
    m->sum.tokens += s->tokens;
}

static pr_step_stats_t means_of(const means_t *m)
{
    pr_step_stats_t s = m->sum;
    s.loss /= m->tokens;
    s.value /= m->tokens;
    s.held /= m->tokens;
    s.grad_norm /= m->tokens;
    s.kl /= m->first;
    s.entropy /= m->first;
    return s;
}

/* Updates on prompts order[first .. last-1]. */
static pr_status_t update(pr_training_t *t, const pr_step_batch_t *b, const pr_rollout_t *r, const tokens_t *k,
                          const int *order, int n, double lr, means_t *m, bool first, pr_error_t *err)
{
    const json_t *o = t->rules.algorithm_options;
    part_t p = {0};
    pr_step_stats_t stats;
    pr_status_t status = PR_OK;
    for (int i = 0; i < n; i++)
        for (int s = b->group[order[i]]; s < b->group[order[i] + 1]; s++)
            part_add(&p, r, k, t->in.n_term, s);
    if (p.n_seq == 0) // all were left out
        return PR_OK;
    pr_clipped_t clipped = {p.known[1],
                            p.known[2],
                            p.known[3],
                            p.known[4],
                            pr_option_real(o, "clip"),
                            pr_option_real(o, "value_clip"),
                            pr_option_real(o, "value_weight")};
    pr_rollout_t some = {p.n_seq, p.start, p.n_prompt, p.ids, NULL, p.known[0], p.preference, &clipped};
    PR_GO(pr_trainer_step(t->trainer, &some, lr, &stats, err));
    means_add(m, &stats, first);
done:
    part_clear(&p);
    return status;
}

static pr_status_t updates(pr_training_t *t, const pr_step_batch_t *b, const pr_rollout_t *r, const tokens_t *k,
                           double lr, pr_step_stats_t *stats, pr_error_t *err)
{
    const json_t *o = t->rules.algorithm_options;
    int epochs = pr_option_int(o, "epochs"), parts = pr_option_int(o, "minibatches"), n = t->f->prompts_per_step;
    int *order = pr_alloc((size_t)n, sizeof *order);
    means_t m = {0};
    pr_status_t status = PR_OK;
    for (int e = 0; e < epochs; e++) {
        order_prompts(t, e, order);
        for (int p = 0; p < parts; p++) {
            int first, count;
            pr_share(n, parts, p, &first, &count);
            PR_GO(update(t, b, r, k, order + first, count, lr, &m, e == 0, err));
        }
    }
    *stats = means_of(&m);
done:
    free(order);
    return status;
}

pr_status_t pr_train_climb_clipped(pr_training_t *t, pr_step_batch_t *b, const pr_rollout_t *r, double lr,
                                   pr_step_stats_t *stats, pr_error_t *err)
{
    const json_t *o = t->rules.algorithm_options;
    tokens_t k;
    tokens_new(&k, b->n_seq, b->decoded.start);
    pr_status_t status = PR_OK;
    set_rewards(t, b, r, &k);
    PR_GO(pr_trainer_values(t->trainer, r, k.value, err));
    pr_advantage_estimates(k.n_seq, k.start, k.reward, k.value, pr_option_real(o, "gamma"), pr_option_real(o, "lambda"),
                           k.advantage, k.goal);
    if (pr_option_bool(o, "whiten"))
        pr_whiten(k.n, k.advantage);
    PR_GO(updates(t, b, r, &k, lr, stats, err));
done:
    tokens_clear(&k);
    return status;
}
