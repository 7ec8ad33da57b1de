// SPDX-License-Identifier: BSD-3-Clause
#include "learn/trainer.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pr_trainer {
    const pr_model_t *model;
    const pr_team_t *team;
    const pr_linalg_t *la; // the team's
    pr_adapter_t *adapter;
    pr_trainer_options_t o;
    pr_adamw_t adamw;
    float *grad; // [adapter->n_data]
    pr_run_t *policy, *reference;
};

/* The rows of one micro-batch whose hidden state predicts a response token. */
typedef struct pr_slice {
    int n_seq, n_row, n_pick;
    int *start;      // [n_seq+1] rows of each sequence; the last response token is not fed, as nothing follows it
    int32_t *token;  // [n_row]
    int *pick;       // [n_pick] row that predicts
    int32_t *target; // [n_pick]
    int *seq;        // [n_pick] sequence in the roll-out
    size_t first;    // place of pick 0 among the roll-out's response tokens
    float *x, *h, *dh, *picked, *dpicked; // [n_row,d] x3, [n_pick,d] x2
    float *mix;                           // [n_seq] ones
} pr_slice_t;

static pr_status_t allocate(pr_trainer_t *t, pr_error_t *err)
{
    const pr_trainer_options_t *o = &t->o;
    size_t n = t->adapter->n_data;
    PR_TRY(pr_adamw_init(&t->adamw, n, o->beta1, o->beta2, o->eps, o->weight_decay, err));
    t->grad = pr_alloc_matrix(n, sizeof(float));
    if (!t->grad)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for gradients of %zu parameters", n);
    return PR_OK;
}

static pr_status_t new_runs(pr_trainer_t *t, pr_error_t *err)
{
    PR_TRY(pr_run_new(t->model, t->la, true, &t->policy, err));
    return pr_run_new(t->model, t->la, false, &t->reference, err);
}

pr_status_t pr_trainer_new(const pr_model_t *m, const pr_team_t *team, pr_adapter_t *adapter,
                           const pr_trainer_options_t *o, pr_trainer_t **out, pr_error_t *err)
{
    pr_trainer_t *t = pr_alloc(1, sizeof *t);
    pr_status_t status = PR_OK;
    *t = (pr_trainer_t){.model = m, .team = team, .la = team->la, .adapter = adapter, .o = *o};
    PR_GO(team->agree(team, allocate(t, err), err));
    PR_GO(team->agree(team, new_runs(t, err), err)); // of each row by itself
    *out = t;
    return PR_OK;
done:
    pr_trainer_free(&t);
    return status;
}

void pr_trainer_free(pr_trainer_t **t)
{
    if (!*t)
        return;
    pr_run_free(&(*t)->policy);
    pr_run_free(&(*t)->reference);
    pr_adamw_clear(&(*t)->adamw);
    free((*t)->grad);
    free(*t);
    *t = NULL;
}

pr_adamw_t *pr_trainer_optimizer(pr_trainer_t *t)
{
    return &t->adamw;
}

const float *pr_trainer_gradient(const pr_trainer_t *t)
{
    return t->grad;
}

static void slice_clear(pr_slice_t *s)
{
    free(s->start);
    free(s->token);
    free(s->pick);
    free(s->target);
    free(s->seq);
    free(s->x);
    free(s->dh);
    free(s->picked);
    free(s->dpicked);
    free(s->mix);
    *s = (pr_slice_t){0};
}

static pr_status_t slice_matrices(pr_slice_t *s, int d, pr_error_t *err)
{
    size_t rows = (size_t)s->n_row * (size_t)d, picks = (size_t)s->n_pick * (size_t)d;
    s->x = pr_alloc_matrix(rows, sizeof(float));
    s->dh = pr_alloc_matrix(rows, sizeof(float));
    s->picked = pr_alloc_matrix(picks, sizeof(float));
    s->dpicked = pr_alloc_matrix(picks, sizeof(float));
    s->mix = pr_alloc_matrix((size_t)s->n_seq, sizeof(float));
    if (!s->x || !s->dh || !s->picked || !s->dpicked || !s->mix)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for a micro-batch of %d tokens", s->n_row);
    s->h = s->x;
    for (int i = 0; i < s->n_seq; i++)
        s->mix[i] = 1;
    return PR_OK;
}

// Response tokens of sequences first..last-1.
static size_t tokens_between(const pr_rollout_t *r, int first, int last)
{
    size_t n = 0;
    for (int i = first; i < last; i++)
        n += (size_t)(r->start[i + 1] - r->start[i] - r->n_prompt[i]);
    return n;
}

size_t pr_rollout_tokens(const pr_rollout_t *r)
{
    return tokens_between(r, 0, r->n_seq);
}

/* Sequences first..last-1 of the roll-out as one micro-batch. */
static pr_status_t slice_make(pr_slice_t *s, const pr_rollout_t *r, int first, int last, int d, pr_error_t *err)
{
    int tokens = r->start[last] - r->start[first];
    *s = (pr_slice_t){.n_seq = last - first, .first = tokens_between(r, 0, first)};
    s->start = pr_alloc((size_t)s->n_seq + 1, sizeof(int));
    s->token = pr_alloc((size_t)tokens, sizeof(int32_t));
    s->pick = pr_alloc((size_t)tokens, sizeof(int));
    s->target = pr_alloc((size_t)tokens, sizeof(int32_t));
    s->seq = pr_alloc((size_t)tokens, sizeof(int));
    for (int i = first; i < last; i++) {
        const int32_t *ids = r->ids + r->start[i];
        int n = r->start[i + 1] - r->start[i];
        memcpy(s->token + s->n_row, ids, (size_t)(n - 1) * sizeof(int32_t));
        for (int t = r->n_prompt[i]; t < n; t++) {
            s->pick[s->n_pick] = s->n_row + t - 1;
            s->target[s->n_pick] = ids[t];
            s->seq[s->n_pick++] = i;
        }
        s->n_row += n - 1;
        s->start[i - first + 1] = s->n_row;
    }
    pr_status_t status = slice_matrices(s, d, err);
    if (status != PR_OK)
        slice_clear(s);
    return status;
}

static void gather_rows(const pr_slice_t *s, int d, const float *from, float *to)
{
    for (int i = 0; i < s->n_pick; i++)
        memcpy(to + (size_t)i * (size_t)d, from + (size_t)s->pick[i] * (size_t)d, (size_t)d * sizeof(float));
}

static void scatter_rows(const pr_slice_t *s, int d, const float *from, float *to)
{
    memset(to, 0, (size_t)s->n_row * (size_t)d * sizeof(float));
    for (int i = 0; i < s->n_pick; i++)
        memcpy(to + (size_t)s->pick[i] * (size_t)d, from + (size_t)i * (size_t)d, (size_t)d * sizeof(float));
}

/* What the head's backward asks for each block of rows. */
typedef struct pr_loss_call {
    const pr_trainer_t *t;
    const pr_rollout_t *r;
    const pr_slice_t *s;
    double token_weight;
    double loss, entropy;
    pr_kl_mean_t kl;
    double *ref; // of the roll-out, to be filled
} pr_loss_call_t;

static void loss_block(void *self, int first, int n, const float *logp, const float *entropy, float *g,
                       float *g_entropy)
{
    pr_loss_call_t *c = self;
    const pr_trainer_options_t *o = &c->t->o;
    for (int i = 0; i < n; i++) {
        int row = first + i;
        pr_token_loss_t l = {c->r->advantage[c->s->seq[row]], c->token_weight, o->kl_estimator, o->kl, o->entropy};
        double lp = (double)logp[i], h = (double)entropy[i], grad, grad_h;
        double ref = c->r->ref ? c->r->ref[c->s->first + (size_t)row] : NAN;
        c->loss += pr_token_loss(&l, lp, ref, h, &grad, &grad_h);
        c->entropy += h;
        pr_kl_mean_add(&c->kl, lp, ref);
        g[i] = (float)grad;
        g_entropy[i] = (float)grad_h;
    }
}

/* What is done with each micro-batch. */
typedef pr_status_t (*pr_slice_fn)(pr_trainer_t *t, pr_slice_t *s, pr_loss_call_t *call, pr_error_t *err);

static pr_status_t slice_reference(pr_trainer_t *t, pr_slice_t *s, pr_loss_call_t *call, pr_error_t *err)
{
    pr_batch_t b = {.n_seq = s->n_seq, .seq_start = s->start, .token = s->token};
    float *ref = pr_alloc((size_t)s->n_pick, sizeof *ref);
    pr_status_t status = PR_OK;
    PR_GO(pr_forward(t->reference, &b, s->h, err));
    gather_rows(s, t->model->part.d.n, s->h, s->picked);
    PR_GO(pr_head_logp(t->model, t->la, s->n_pick, s->picked, s->target, t->o.sampling.temperature, ref, NULL, err));
    for (int i = 0; i < s->n_pick; i++)
        call->ref[s->first + (size_t)i] = (double)ref[i];
done:
    free(ref);
    return status;
}

static pr_status_t slice_backward(pr_trainer_t *t, pr_slice_t *s, pr_loss_call_t *call, pr_error_t *err)
{
    int d = t->model->part.d.n;
    const pr_adapter_t *adapter = t->adapter;
    pr_batch_t b = {.n_seq = s->n_seq,
                    .seq_start = s->start,
                    .token = s->token,
                    .n_adapter = 1,
                    .adapter = &adapter,
                    .mix = s->mix};
    PR_TRY(pr_forward(t->policy, &b, s->h, err));
    gather_rows(s, d, s->h, s->picked);
    PR_TRY(pr_head_backward(t->model, t->la, s->n_pick, s->picked, s->target, &t->o.sampling, loss_block, call,
                            s->dpicked, NULL, err));
    scatter_rows(s, d, s->dpicked, s->dh);
    pr_grads_t g = {.adapter = 0, .adapter_grad = t->grad};
    return pr_backward(t->policy, &b, s->dh, &g, err);
}

/* One past the last sequence of the micro-batch that begins at first, at most end. */
static int micro_end(const pr_rollout_t *r, int first, int end, int micro_tokens)
{
    int last = first + 1;
    while (last < end && r->start[last + 1] - r->start[first] <= micro_tokens)
        last++;
    return last;
}

/* One past the last sequence of the team's rows 0..row-1: each row has about as many tokens; a row may have none. */
static int row_end(const pr_rollout_t *r, int rows, int row)
{
    int s = 0;
    double goal = (double)r->start[r->n_seq] * row / rows;
    if (row == rows)
        return r->n_seq;
    while (s < r->n_seq && (r->start[s] + r->start[s + 1]) / 2.0 < goal)
        s++;
    return s;
}

// The share of this rank's row of the team, micro-batch by micro-batch.
static pr_status_t row_slices(pr_trainer_t *t, const pr_rollout_t *r, pr_slice_fn f, pr_loss_call_t *call,
                              pr_error_t *err)
{
    int end = row_end(r, t->team->rows, t->team->row + 1);
    for (int first = row_end(r, t->team->rows, t->team->row), last; first < end; first = last) {
        pr_slice_t s;
        last = micro_end(r, first, end, t->o.micro_tokens);
        pr_status_t status = slice_make(&s, r, first, last, t->model->part.d.n, err);
        status = t->la->agree(t->la, status, err);
        call->s = &s;
        if (status == PR_OK)
            status = f(t, &s, call, err);
        slice_clear(&s);
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

pr_status_t pr_trainer_reference(pr_trainer_t *t, const pr_rollout_t *r, double *ref, pr_error_t *err)
{
    const pr_team_t *team = t->team;
    size_t tokens = pr_rollout_tokens(r);
    pr_loss_call_t call = {.t = t, .r = r, .ref = ref};
    memset(ref, 0, tokens * sizeof *ref); // each row of the team fills in its own
    pr_status_t status = row_slices(t, r, slice_reference, &call, err);
    PR_TRY(team->agree(team, status, err));
    team->sum_rows(team, ref, tokens);
    return PR_OK;
}

void pr_rollout_divergence(const pr_rollout_t *r, const float *logp, const double *ref, double *divergence)
{
    size_t at = 0;
    for (int i = 0; i < r->n_seq; i++) {
        divergence[i] = 0;
        for (size_t end = at + tokens_between(r, i, i + 1); at < end; at++)
            divergence[i] += (double)logp[at] - ref[at];
    }
}

pr_status_t pr_trainer_loss(pr_trainer_t *t, const pr_rollout_t *r, pr_step_stats_t *stats, pr_error_t *err)
{
    const pr_team_t *team = t->team;
    long tokens = (long)pr_rollout_tokens(r);
    assert(r->ref || !(t->o.kl > 0) || t->o.kl_estimator == PR_KL_K1);
    pr_loss_call_t call = {.t = t, .r = r, .token_weight = 1.0 / (double)(t->o.sequence_norm ? r->n_seq : tokens)};
    memset(t->grad, 0, t->adapter->n_data * sizeof(float));
    pr_status_t status = row_slices(t, r, slice_backward, &call, err);
    PR_TRY(team->agree(team, status, err));
    double sums[] = {call.loss, call.entropy, call.kl.n, call.kl.d, call.kl.v, call.kl.dv, call.kl.vv};
    team->sum(team, t->grad, t->adapter->n_data); // every rank has what its rows and features give
    team->sum_rows(team, sums, sizeof sums / sizeof *sums);
    pr_kl_mean_t kl = {sums[2], sums[3], sums[4], sums[5], sums[6]};
    *stats = (pr_step_stats_t){.loss = sums[0],
                               .kl = r->ref ? pr_kl_mean_of(&kl, t->o.sampling.top_p < 1) : NAN,
                               .entropy = sums[1] / (double)tokens,
                               .grad_norm = pr_global_norm(t->grad, t->adapter->n_data),
                               .tokens = tokens};
    if (!isfinite(stats->loss) || !isfinite(stats->grad_norm))
        return pr_fail(err, PR_ERR_NUMERIC, "loss %g, gradient norm %g: not finite", stats->loss, stats->grad_norm);
    return PR_OK;
}

pr_status_t pr_trainer_step(pr_trainer_t *t, const pr_rollout_t *r, double lr, pr_step_stats_t *stats, pr_error_t *err)
{
    PR_TRY(pr_trainer_loss(t, r, stats, err));
    stats->lr = lr;
    pr_adamw_step(&t->adamw, t->adapter->data, t->grad, pr_clip_scale(stats->grad_norm, t->o.clip_norm), lr);
    return PR_OK;
}
