// SPDX-License-Identifier: BSD-3-Clause
/* What a training climbs: of the scores of a step the weights of the objectives (learn/weigh.h), of scores and weights
 * advantages (learn/combine.h, learn/algorithm.h), of these the step. Where the rule asks for the objectives' gradients,
 * each has advantages of its own, and the weights are found after one backward pass for all. */
#include "base/mem.h"
#include "jobs/train_internal.h"
#include "learn/preference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- rules ---- */

pr_status_t pr_train_rules(pr_training_t *t, pr_error_t *err)
{
    PR_TRY(pr_rules_resolve(t->f->algorithm, t->f->combine, t->f->weigh, &t->rules, err));
    t->algorithm = t->rules.algorithm;
    t->combiner = t->rules.combiner;
    t->weigher = t->rules.weigher;
    t->n_weigh = !t->weigher->state ? 0
                 : t->f->core       ? pr_surface_numbers(t->in.n_term)
                                    : t->weigher->state(t->in.n_term, t->rules.weigh_options);
    t->weigh_state = pr_alloc(t->n_weigh, sizeof *t->weigh_state);
    for (int j = 0; j < t->in.n_term; j++)
        t->lambda[j] = t->in.term[j].weight;
    return PR_OK;
}

/* The leader has all objectives open, and tells the others their ranges. */
static void find_ranges(pr_training_t *t)
{
    const pr_team_t *team = t->env->team;
    for (int j = 0; j < t->in.n_term && pr_team_is_leader(team); j++) {
        const pr_objective_t *o = t->env->objective[t->scoring.index[t->column[j]]].o;
        bool turned = t->in.term[j].minimize;
        t->lo[j] = turned ? -o->hi : o->lo;
        t->hi[j] = turned ? -o->lo : o->hi;
    }
    team->broadcast(team, t->lo, sizeof t->lo);
    team->broadcast(team, t->hi, sizeof t->hi);
}

typedef struct seen {
    double w[PR_MAX_OBJECTIVES];
    pr_weigh_in_t in;
} seen_t;

/* What the rule sees; b: NULL before the first step. */
static pr_status_t look(pr_training_t *t, const pr_step_batch_t *b, seen_t *s, pr_error_t *err)
{
    for (int j = 0; j < t->in.n_term; j++)
        s->w[j] = t->in.term[j].weight;
    s->in = (pr_weigh_in_t){.k = t->in.n_term,
                            .step = t->step,
                            .w = s->w,
                            .mean = b ? b->mean : NULL,
                            .covariance = b ? b->covariance : NULL,
                            .gram = b && t->weigher->gram ? b->gram : NULL,
                            .lo = t->lo,
                            .hi = t->hi,
                            .key = &t->weigh_key,
                            .options = t->rules.weigh_options};
    if (!t->weigher->validation || !b || t->step % pr_option_int(t->rules.weigh_options, "every") != 0)
        return PR_OK;
    PR_TRY(pr_train_validate(t, err));
    s->in.validation = t->seen;
    return PR_OK;
}

pr_status_t pr_train_rules_begin(pr_training_t *t, pr_error_t *err)
{
    seen_t s;
    find_ranges(t);
    PR_TRY(pr_rules_fit(&t->rules, t->in.n_term, t->lo, t->hi, err));
    if (!t->weigher->begin || t->step > 0 || t->family) // of a training that goes on, the state is the checkpoint's
        return PR_OK;
    PR_TRY(look(t, NULL, &s, err));
    t->weigher->begin(&s.in, t->weigh_state);
    return PR_OK;
}

/* t->lambda of this step. */
static pr_status_t weigh(pr_training_t *t, const pr_step_batch_t *b, pr_error_t *err)
{
    seen_t s;
    double lambda[PR_MAX_OBJECTIVES];
    PR_TRY(look(t, b, &s, err));
    t->weigher->weigh(&s.in, t->weigh_state, lambda);
    for (int j = 0; j < t->in.n_term; j++)
        if (!isfinite(lambda[j]))
            return pr_fail(err, PR_ERR_NUMERIC, "weigh = \"%s\": weight %d is %g", t->weigher->name, j + 1, lambda[j]);
    memcpy(t->lambda, lambda, (size_t)t->in.n_term * sizeof *lambda);
    return PR_OK;
}

/* ---- when to end ---- */

static double worth(const pr_training_t *t)
{
    double sum = 0, worst = INFINITY;
    for (int j = 0; j < t->in.n_term; j++) {
        double range = t->hi[j] - t->lo[j];
        sum += t->in.term[j].weight * t->seen[j];
        worst = fmin(worst, isfinite(range) && range > 0 ? (t->seen[j] - t->lo[j]) / range : t->seen[j]);
    }
    return t->of_worst ? worst : sum;
}

pr_status_t pr_train_look(pr_training_t *t, bool *end, pr_error_t *err)
{
    *end = t->kept && t->worse >= t->patience;
    if (!t->kept || *end || (t->step % t->every != 0 && t->step < t->f->steps) || t->looked == t->step)
        return PR_OK;
    PR_TRY(pr_train_validate(t, err));
    double now = worth(t);
    t->looked = t->step;
    if (t->best_step < 0 || now > t->best + t->min_gain) {
        t->best = now;
        t->best_step = t->step;
        t->worse = 0;
        memcpy(t->kept, t->data, t->n_data * sizeof *t->kept);
    } else {
        t->worse++;
    }
    *end = t->worse >= t->patience;
    return PR_OK;
}

void pr_train_keep_best(pr_training_t *t)
{
    if (t->kept && t->best_step >= 0)
        memcpy(t->data, t->kept, t->n_data * sizeof *t->kept);
}

/* ---- scores ---- */

static void turn_scores(const pr_training_t *t, pr_step_batch_t *b)
{
    size_t n = (size_t)t->in.n_term, k_n = (size_t)t->scoring.n;
    b->turned = pr_alloc((size_t)b->n_seq * n, sizeof *b->turned);
    for (size_t j = 0; j < n; j++) {
        double sign = t->in.term[j].minimize ? -1 : 1;
        for (size_t i = 0; i < (size_t)b->n_seq; i++)
            b->turned[i * n + j] = sign * b->scores[i * k_n + (size_t)t->column[j]];
    }
}

/* Means, and the covariance within prompts: what a step along one objective does to another, to first order. */
static void moments(const pr_training_t *t, pr_step_batch_t *b)
{
    int n = t->in.n_term, groups = 0;
    for (int j = 0; j < n; j++) {
        b->mean[j] = b->n_seq > 0 ? 0 : NAN;
        for (int i = 0; i < b->n_seq; i++)
            b->mean[j] += b->turned[i * n + j] / b->n_seq;
    }
    for (int g = 0; g < t->f->prompts_per_step; g++) {
        int first = b->group[g], count = b->group[g + 1] - first;
        double mean[PR_MAX_OBJECTIVES] = {0};
        if (count < 2)
            continue;
        groups++;
        for (int j = 0; j < n; j++)
            for (int i = first; i < first + count; i++)
                mean[j] += b->turned[i * n + j] / count;
        for (int j = 0; j < n * n; j++)
            for (int i = first; i < first + count; i++)
                b->covariance[j] +=
                    (b->turned[i * n + j / n] - mean[j / n]) * (b->turned[i * n + j % n] - mean[j % n]) / (count - 1);
    }
    for (int j = 0; j < n * n; j++)
        b->covariance[j] = groups > 0 ? b->covariance[j] / groups : NAN;
}

/* ---- advantages ---- */

/* Where all responses to a prompt have the same reward, there is nothing to tell one from another by. */
static bool any_difference(const pr_training_t *t, const pr_step_batch_t *b, const double *own)
{
    for (int g = 0; g < t->f->prompts_per_step; g++)
        for (int i = b->group[g] + 1; i < b->group[g + 1]; i++)
            if (own[i] != own[i - 1])
                return true;
    return false;
}

const pr_algorithm_t *pr_train_baseline(const pr_training_t *t)
{
    return t->combiner->advantages ? &pr_algorithm_grpo : t->algorithm;
}

static int group_size(const pr_step_batch_t *b, int g)
{
    return b->group[g + 1] - b->group[g];
}

/* With the step's weights, of a family each prompt's: one channel. */
static void combine(pr_training_t *t, pr_step_batch_t *b)
{
    double *own = pr_alloc((size_t)b->n_seq, sizeof *own);
    int n = t->in.n_term, many = 0, *place = pr_alloc((size_t)b->n_seq, sizeof *place);
    b->n_channel = 1;
    b->advantage = pr_alloc((size_t)b->n_seq, sizeof(double)); // 0 of a response that is alone in its group
    for (int g = 0; g < t->f->prompts_per_step; g++) {
        int first = b->group[g], count = group_size(b, g);
        pr_score_group_t group = {count, n,     b->turned + first * n,   t->family ? b->lambda + g * n : t->lambda,
                                  t->lo, t->hi, t->rules.combine_options};
        if (count == 0)
            continue;
        (t->combiner->reward ? t->combiner : &pr_combiner_linear)->reward(&group, own + first);
        if (count < (t->combiner->advantages ? 2 : t->algorithm->least))
            continue;
        if (t->combiner->advantages)
            t->combiner->advantages(&group, b->advantage + first);
        else
            t->algorithm->advantages(count, own + first, b->advantage + first);
        for (int i = first; i < first + count; i++)
            place[many++] = i;
    }
    if (t->combiner->whole_step && many > 0) {
        double *all = pr_alloc((size_t)many, sizeof *all);
        for (int i = 0; i < many; i++)
            all[i] = b->advantage[place[i]];
        t->combiner->whole_step(many, all);
        for (int i = 0; i < many; i++)
            b->advantage[place[i]] = all[i];
        free(all);
    }
    t->taught += any_difference(t, b, own);
    free(place);
    b->own = own;
}

/* Each objective's own: a channel each, and one more for the KL. True where one of them tells responses apart. */
static bool separate(pr_training_t *t, pr_step_batch_t *b)
{
    int n = t->in.n_term;
    bool taught = false;
    const pr_algorithm_t *algorithm = t->algorithm->critic ? &pr_algorithm_rloo : t->algorithm; // measured only
    b->n_channel = n + 1;
    b->own = pr_alloc((size_t)b->n_channel * (size_t)b->n_seq, sizeof *b->own);
    b->advantage = pr_alloc((size_t)b->n_channel * (size_t)b->n_seq, sizeof(double));
    for (int j = 0; j < n; j++) {
        double *advantage = b->advantage + (size_t)j * (size_t)b->n_seq, *own = b->own + (size_t)j * (size_t)b->n_seq;
        for (int i = 0; i < b->n_seq; i++)
            own[i] = b->turned[i * n + j];
        for (int g = 0; g < t->f->prompts_per_step; g++)
            if (group_size(b, g) > 1)
                algorithm->advantages(group_size(b, g), own + b->group[g], advantage + b->group[g]);
        taught = taught || any_difference(t, b, own);
    }
    return taught;
}

/* What is climbed is the last channel, all together; the others are there to be measured. */
static void separate_beside(pr_training_t *t, pr_step_batch_t *b)
{
    double *all = b->advantage, *own = b->own;
    size_t last = (size_t)t->in.n_term * (size_t)b->n_seq, n = (size_t)b->n_seq * sizeof *all;
    separate(t, b);
    memcpy(b->advantage + last, all, n);
    memcpy(b->own + last, own, n);
    free(all);
    free(own);
}

pr_status_t pr_train_advantages(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err)
{
    turn_scores(t, b);
    moments(t, b);
    if (t->weigher->gram) {
        t->taught += separate(t, b);
        return PR_OK;
    }
    PR_TRY(t->family ? pr_train_weigh_each(t, b, err) : weigh(t, b, err));
    combine(t, b);
    if (t->f->measure)
        separate_beside(t, b);
    return PR_OK;
}

/* ---- the step ---- */

/* Advantages of rewards and divergences together, channel by channel; one of the KL alone there is not. */
static void prefer(const pr_training_t *t, pr_step_batch_t *b, int first, int count, const double *divergence)
{
    int n = b->n_channel - (t->weigher->gram ? 1 : 0);
    for (int c = 0; c < n; c++) {
        ptrdiff_t at = (ptrdiff_t)c * b->n_seq + first;
        t->algorithm->preferences(count, b->own + at, t->f->kl, divergence + first, b->advantage + at);
    }
}

/* The base model's log-probabilities, and with k1 what they take from the advantages. */
static pr_status_t compare_with_base(pr_training_t *t, pr_step_batch_t *b, pr_rollout_t *r, pr_error_t *err)
{
    const pr_algorithm_t *algorithm = pr_train_baseline(t);
    b->ref = pr_alloc(pr_rollout_tokens(r), sizeof *b->ref);
    PR_TRY(pr_trainer_reference(t->trainer, r, b->ref, err));
    r->ref = b->ref;
    if (t->kl_estimator != PR_KL_K1 || !(t->f->kl > 0) || algorithm->critic)
        return PR_OK;
    double *divergence = pr_alloc((size_t)b->n_seq, sizeof *divergence);
    pr_rollout_divergence(r, b->decoded.logp, b->ref, divergence);
    for (int g = 0; g < t->f->prompts_per_step; g++) {
        int count = group_size(b, g), first = b->group[g];
        if (count < 2)
            continue;
        if (algorithm->preferences)
            prefer(t, b, first, count, divergence);
        else
            algorithm->kl_advantages(count, t->f->kl, divergence + first,
                                     b->advantage + (ptrdiff_t)(b->n_channel - 1) * b->n_seq + first);
    }
    free(divergence);
    return PR_OK;
}

/* b->gram. */
static pr_status_t measure(pr_training_t *t, pr_step_batch_t *b, const pr_rollout_t *r, pr_step_stats_t *stats,
                           pr_error_t *err)
{
    const float *grad;
    PR_TRY(pr_trainer_channels(t->trainer, r, b->n_channel, b->advantage, stats, &grad, err));
    pr_trainer_gram(t->trainer, t->in.n_term, b->gram);
    return PR_OK;
}

/* Where the rule asks for them, the weights after the gradients. */
static pr_status_t climb_channels(pr_training_t *t, pr_step_batch_t *b, const pr_rollout_t *r, double lr,
                                  pr_step_stats_t *stats, pr_error_t *err)
{
    double weight[PR_MAX_OBJECTIVES + 1];
    int n = t->in.n_term;
    PR_TRY(measure(t, b, r, stats, err));
    if (t->weigher->gram)
        PR_TRY(weigh(t, b, err));
    for (int j = 0; j < n; j++)
        weight[j] = t->weigher->gram ? t->lambda[j] : 0;
    weight[n] = 1;
    return pr_trainer_step_along(t->trainer, b->n_channel, weight, lr, stats, err);
}

/* The last token of a response is not run: nothing follows it. */
static void count_passes(pr_training_t *t, const pr_step_batch_t *b)
{
    bool apart = b->n_channel > 1 && pr_trainer_apart(t->trainer);
    int64_t rows = b->start[b->n_seq] - b->n_seq;
    int passes = t->algorithm->critic ? pr_option_int(t->rules.algorithm_options, "epochs") : apart ? 2 : 1;
    passes += t->algorithm->critic && b->n_channel > 1;
    t->ledger.forward += rows * (passes + 1 + t->algorithm->critic); // of the base model, and for values
    t->ledger.backward += rows * passes;
}

pr_status_t pr_train_climb(pr_training_t *t, pr_step_batch_t *b, pr_step_stats_t *stats, pr_error_t *err)
{
    if (t->family)
        b->sequence_preference = pr_train_sequence_preferences(t, b);
    pr_rollout_t r = {b->n_seq, b->start, b->n_prompt, b->ids, b->advantage, NULL, b->sequence_preference, NULL};
    double lr = pr_learning_rate(t->f->lr, t->f->schedule, t->f->warmup, t->step, t->f->steps);
    count_passes(t, b);
    PR_TRY(compare_with_base(t, b, &r, err));
    if (t->algorithm->critic && b->n_channel > 1)
        PR_TRY(measure(t, b, &r, stats, err));
    if (t->algorithm->critic)
        return pr_train_climb_clipped(t, b, &r, lr, stats, err);
    if (b->n_channel > 1)
        return climb_channels(t, b, &r, lr, stats, err);
    return pr_trainer_step(t->trainer, &r, lr, stats, err);
}
