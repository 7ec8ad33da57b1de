// SPDX-License-Identifier: BSD-3-Clause
/* The train job's samples: the prompts of a step, responses to them, and their scores. */
#include "base/mem.h"
#include "jobs/train_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void pr_step_batch_clear(pr_step_batch_t *b)
{
    free(b->group);
    free(b->prompt);
    free(b->prompt_of);
    free(b->prompt_start);
    free(b->prompt_ids);
    pr_decoded_clear(&b->decoded);
    free(b->scores);
    free(b->turned);
    free(b->own);
    free(b->advantage);
    free(b->ref);
    free(b->preference);
    free(b->lambda);
    free(b->sequence_preference);
    free(b->start);
    free(b->n_prompt);
    free(b->ids);
    *b = (pr_step_batch_t){0};
}

/* Every prompt once an epoch, in an order of the epoch's own (Fisher-Yates with counter-based numbers). */
static int prompt_of_draw(pr_training_t *t, long draw)
{
    int n = t->prompts->n;
    long epoch = draw / n;
    if (epoch != t->epoch) {
        for (int i = 0; i < n; i++)
            t->order[i] = i;
        for (int i = n - 1; i > 0; i--) {
            int j = (int)pr_rng_below(&t->prompt_key, (uint64_t)i + 1, (uint64_t)epoch, (uint64_t)i, 0, 0);
            int keep = t->order[i];
            t->order[i] = t->order[j];
            t->order[j] = keep;
        }
        t->epoch = epoch;
    }
    return t->order[draw % n];
}

void pr_train_prompts(pr_training_t *t, pr_step_batch_t *b)
{
    const pr_prompt_set_t *set = t->prompts;
    int n = t->f->prompts_per_step, k = t->f->samples;
    b->n_seq = n * k;
    b->group = pr_alloc((size_t)n + 1, sizeof(int));
    for (int i = 0; i <= n; i++)
        b->group[i] = i * k;
    b->prompt = pr_alloc((size_t)n, sizeof(int));
    b->prompt_of = pr_alloc((size_t)b->n_seq, sizeof(int));
    b->prompt_start = pr_alloc((size_t)n + 1, sizeof(int));
    for (int i = 0; i < n; i++) {
        int p = b->prompt[i] = prompt_of_draw(t, t->step * n + i), len = set->start[p + 1] - set->start[p],
            at = b->prompt_start[i];
        b->prompt_ids = pr_realloc(b->prompt_ids, (size_t)(at + len), sizeof(int32_t));
        memcpy(b->prompt_ids + at, set->ids + set->start[p], (size_t)len * sizeof(int32_t));
        b->prompt_start[i + 1] = at + len;
        for (int j = 0; j < k; j++)
            b->prompt_of[i * k + j] = p;
    }
    if (t->family)
        pr_train_preferences(t, b);
}

/* Who the step's prompts are to the random numbers: their places in the file. A prompt that comes again in a step,
 * where one epoch ends and the next begins, is another. */
static void name_prompts(const pr_training_t *t, const pr_step_batch_t *b, uint64_t *who)
{
    for (int i = 0; i < t->f->prompts_per_step; i++) {
        uint64_t before = 0;
        for (int j = 0; j < i; j++)
            before += b->prompt[j] == b->prompt[i];
        who[i] = (uint64_t)b->prompt[i] + before * (uint64_t)t->prompts->n;
    }
}

pr_status_t pr_train_roll_out(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err)
{
    const pr_adapter_t *adapter = t->adapter;
    const double one = 1;
    double *w = NULL;
    int n = t->f->prompts_per_step, many = t->family ? pr_train_family_weights(t, b, &w) : 1;
    uint64_t *who = pr_alloc((size_t)n, sizeof *who);
    name_prompts(t, b, who);
    pr_decode_watch_t watch = {&t->env->stops, t->hooks};
    pr_policy_t policy = {.model = t->env->model,
                          .la = t->env->la,
                          .n_expert = many,
                          .adapter = t->family ? (const pr_adapter_t *const *)t->at : &adapter,
                          .mix = &pr_mix_params};
    pr_decode_options_t o = {.sampling = {false, t->f->temperature, t->f->top_p},
                             .paired = t->family != NULL,
                             .samples = t->f->samples,
                             .max_new_tokens = t->f->max_new_tokens,
                             .want_logp = true,
                             .streams = t->how.streams,
                             .key = t->rollout_key,
                             .prompt_id = who,
                             .draw = (uint64_t)t->step,
                             .stop = pr_watch_stop,
                             .cancel = pr_watch_cancel,
                             .self = &watch};
    pr_status_t status =
        pr_decode_team(t->env->team, &policy, w ? w : &one, n, b->prompt_start, b->prompt_ids, &o, &b->decoded, err);
    free(who);
    free(w);
    return status;
}

/* Sequence `from` takes the place `to`, which is not after it. */
static void move_sequence(pr_step_batch_t *b, int k_n, int to, int from)
{
    pr_decoded_t *d = &b->decoded;
    size_t at = d->start[to], first = d->start[from], n = d->start[from + 1] - first;
    memmove(d->ids + at, d->ids + first, n * sizeof *d->ids);
    memmove(d->logp + at, d->logp + first, n * sizeof *d->logp);
    memmove(b->scores + to * k_n, b->scores + from * k_n, (size_t)k_n * sizeof *b->scores);
    d->finish[to] = d->finish[from];
    d->start[to + 1] = at + n;
    b->prompt_of[to] = b->prompt_of[from];
}

/* With truncated = "drop", what was cut is taken out before anything is learnt from it: groups may become smaller. */
static void leave_out(const pr_training_t *t, pr_step_batch_t *b, const pr_responses_t *r)
{
    int kept = 0;
    for (int g = 0, i = 0; g < t->f->prompts_per_step; g++) {
        int end = b->group[g + 1];
        b->group[g] = kept;
        for (; i < end; i++)
            if (!pr_responses_dropped(&t->scoring, r, i))
                move_sequence(b, t->scoring.n, kept++, i);
    }
    b->group[t->f->prompts_per_step] = b->n_seq = b->decoded.n_seq = kept;
}
void pr_train_join(pr_training_t *t, pr_step_batch_t *b)
{
    const pr_prompt_set_t *set = t->prompts;
    b->start = pr_alloc((size_t)b->n_seq + 1, sizeof(int));
    b->n_prompt = pr_alloc((size_t)b->n_seq, sizeof(int));
    size_t at = 0;
    for (int i = 0; i < b->n_seq; i++) {
        int p = b->prompt_of[i];
        size_t head = (size_t)(set->start[p + 1] - set->start[p]), tail = b->decoded.start[i + 1] - b->decoded.start[i];
        b->ids = pr_realloc(b->ids, at + head + tail, sizeof(int32_t));
        memcpy(b->ids + at, set->ids + set->start[p], head * sizeof(int32_t));
        memcpy(b->ids + at + head, b->decoded.ids + b->decoded.start[i], tail * sizeof(int32_t));
        b->n_prompt[i] = (int)head;
        at += head + tail;
        b->start[i + 1] = (int)at;
    }
}

static void mean_rewards(pr_training_t *t, const pr_step_batch_t *b)
{
    int k_n = t->scoring.n;
    for (int k = 0; k < k_n; k++) {
        t->reward[k] = b->n_seq > 0 ? 0 : NAN;
        for (int i = 0; i < b->n_seq; i++)
            t->reward[k] += b->scores[(size_t)i * (size_t)k_n + (size_t)k] / b->n_seq;
    }
}

/* With truncated = "drop", what was cut is taken out before anything is learnt from it. */
pr_status_t pr_train_score(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err)
{
    const pr_team_t *team = t->env->team;
    pr_responses_t r = {0};
    pr_status_t status = pr_responses_make(t->env, t->prompts, b->prompt_of, &b->decoded, &r, err);
    status = team->agree(team, status, err);
    if (status == PR_OK) {
        b->scores = pr_alloc((size_t)b->n_seq * (size_t)t->scoring.n, sizeof(double));
        status = pr_responses_score(t->env, &t->scoring, &r, b->scores, err);
        t->cut = pr_responses_cut(&r);
        t->ledger.prompts += b->prompt_start[t->f->prompts_per_step];
        t->ledger.scored += r.n;
        leave_out(t, b, &r);
    }
    pr_responses_clear(&r);
    if (status == PR_OK)
        mean_rewards(t, b);
    return status;
}

/* ---- validation ---- */

static pr_status_t validation_decode(pr_training_t *t, pr_decoded_t *out, pr_error_t *err)
{
    const pr_prompt_set_t *set = t->validation;
    const pr_adapter_t *adapter = t->adapter;
    if (t->family)
        pr_train_centre(t);
    const double one = 1;
    pr_decode_watch_t watch = {&t->env->stops, t->hooks};
    pr_policy_t policy = {
        .model = t->env->model, .la = t->env->la, .n_expert = 1, .adapter = &adapter, .mix = &pr_mix_params};
    uint64_t *who = pr_alloc((size_t)set->n, sizeof *who);
    for (int i = 0; i < set->n; i++)
        who[i] = (uint64_t)i;
    pr_decode_options_t o = {.sampling = {true, 1, 1},
                             .samples = 1,
                             .max_new_tokens = t->f->max_new_tokens,
                             .streams = t->how.streams,
                             .key = t->rollout_key, // greedy: nothing is drawn
                             .prompt_id = who,
                             .stop = pr_watch_stop,
                             .cancel = pr_watch_cancel,
                             .self = &watch};
    pr_status_t status = pr_decode_team(t->env->team, &policy, &one, set->n, set->start, set->ids, &o, out, err);
    free(who);
    return status;
}

static void validation_means(const pr_training_t *t, const pr_responses_t *r, const double *scores, double *mean)
{
    int kept = 0;
    for (int i = 0; i < r->n; i++)
        kept += !pr_responses_dropped(&t->scoring, r, i);
    for (int j = 0; j < t->in.n_term; j++) {
        double sign = t->in.term[j].minimize ? -1 : 1, sum = 0;
        for (int i = 0; i < r->n; i++)
            if (!pr_responses_dropped(&t->scoring, r, i))
                sum += sign * scores[i * t->scoring.n + t->column[j]];
        mean[j] = sum / kept; // none: no number
    }
}

pr_status_t pr_train_validate(pr_training_t *t, pr_error_t *err)
{
    const pr_team_t *team = t->env->team;
    int n = t->validation->n;
    pr_decoded_t d = {0};
    pr_responses_t r = {0};
    if (t->seen_step == t->step)
        return PR_OK;
    int *prompt_of = pr_alloc((size_t)n, sizeof *prompt_of);
    double *scores = pr_alloc((size_t)n * (size_t)t->scoring.n, sizeof *scores);
    pr_status_t status = PR_OK;
    for (int i = 0; i < n; i++)
        prompt_of[i] = i;
    PR_GO(validation_decode(t, &d, err));
    PR_GO(team->agree(team, pr_responses_make(t->env, t->validation, prompt_of, &d, &r, err), err));
    PR_GO(pr_responses_score(t->env, &t->scoring, &r, scores, err));
    validation_means(t, &r, scores, t->seen);
    t->seen_step = t->step;
    t->validated += d.generated;
done:
    pr_responses_clear(&r);
    pr_decoded_clear(&d);
    free(prompt_of);
    free(scores);
    return status;
}
