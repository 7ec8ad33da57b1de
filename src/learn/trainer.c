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
    pr_critic_t critic; // all zero: none
    float *data;        // [n] what is trained: the adapter's, or the family's
    size_t n;
    float *grad;    // [n]
    float *channel; // [n_channel][n] of the last pr_trainer_channels
    float *own;     // [n_own][adapter->n_data] of a family: gradients of the instance at work
    int n_own;
    double *own_loss; // [n_channel] their losses
    int n_channel;
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
    int first_seq;   // in the roll-out
    size_t first;    // place of pick 0 among the roll-out's response tokens
    float *x, *h, *dh, *picked, *dpicked; // [n_row,d] x3, [n_pick,d] x2
    float *mix;                           // [n_seq] ones
} pr_slice_t;

static pr_status_t allocate(pr_trainer_t *t, pr_error_t *err)
{
    const pr_trainer_options_t *o = &t->o;
    size_t n = t->n = o->family ? o->family->n : t->adapter->n_data;
    t->data = o->family ? o->family->data : t->adapter->data;
    PR_TRY(pr_adamw_init(&t->adamw, n, o->beta1, o->beta2, o->eps, o->weight_decay, err));
    t->grad = pr_alloc_matrix(n, sizeof(float));
    if (!t->grad)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for gradients of %zu parameters", n);
    return o->critic ? pr_critic_init(&t->critic, t->model->config.d_model, o->family ? o->family->k : 0, o->beta1,
                                      o->beta2, o->eps, o->weight_decay, err)
                     : PR_OK;
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
    pr_critic_clear(&(*t)->critic);
    free((*t)->grad);
    free((*t)->channel);
    free((*t)->own);
    free((*t)->own_loss);
    free(*t);
    *t = NULL;
}

pr_adamw_t *pr_trainer_optimizer(pr_trainer_t *t)
{
    return &t->adamw;
}

pr_critic_t *pr_trainer_critic(pr_trainer_t *t)
{
    return t->o.critic ? &t->critic : NULL;
}

float *pr_trainer_numbers(const pr_trainer_t *t, size_t *n)
{
    *n = t->n;
    return t->data;
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
    *s = (pr_slice_t){.n_seq = last - first, .first_seq = first, .first = tokens_between(r, 0, first)};
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
    double loss, entropy, value, held;
    pr_kl_mean_t kl;
    double *ref; // of the roll-out, to be filled; of a critic its values
    /* Channels: advantages count in the gradients, not in the loss. */
    int n_channel;
    const double *advantage; // [n_channel][n_seq of the roll-out]
    double *channel_loss;    // [n_channel]
    bool apart;              // what advantages do not multiply, and nothing else
} pr_loss_call_t;

static double advantage_of(const pr_loss_call_t *c, int seq)
{
    return c->n_channel > 0 ? 1 : c->apart || c->r->clipped ? 0 : c->r->advantage[seq];
}

/* Adds a token's part to the loss; its derivative by lp. */
static double clipped_token(pr_loss_call_t *c, size_t token, double lp)
{
    bool held;
    double grad;
    c->loss += c->token_weight * pr_clipped_policy(c->r->clipped, token, lp, &grad, &held);
    c->held += held;
    return c->token_weight * grad;
}

static void loss_block(void *self, int first, int n, const float *logp, const float *entropy, float *g,
                       float *g_entropy)
{
    pr_loss_call_t *c = self;
    const pr_trainer_options_t *o = &c->t->o;
    for (int i = 0; i < n; i++) {
        int row = first + i;
        pr_token_loss_t l = {advantage_of(c, c->s->seq[row]), c->token_weight, o->kl_estimator, o->kl, o->entropy};
        if (c->n_channel > 0)
            l.kl = l.entropy = 0;
        double lp = (double)logp[i], h = (double)entropy[i], grad, grad_h;
        double ref = c->r->ref ? c->r->ref[c->s->first + (size_t)row] : NAN;
        c->loss += pr_token_loss(&l, lp, ref, h, &grad, &grad_h);
        if (c->r->clipped)
            grad += clipped_token(c, c->s->first + (size_t)row, lp);
        for (int j = 0; j < c->n_channel; j++)
            c->channel_loss[j] -= c->token_weight * c->advantage[j * c->r->n_seq + c->s->seq[row]] * lp;
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

/* Room for the gradients of a family's instance, of so many channels. */
static pr_status_t own_memory(pr_trainer_t *t, int n, pr_error_t *err)
{
    if (!t->o.family || n <= t->n_own)
        return PR_OK;
    free(t->own);
    t->own = pr_alloc_matrix((size_t)n * t->adapter->n_data, sizeof *t->own);
    t->n_own = t->own ? n : 0;
    return t->own ? PR_OK
                  : pr_fail(err, PR_ERR_MEMORY, "no memory for %d gradients of %zu parameters", n, t->adapter->n_data);
}

/* The backward pass into gradients [channels] of what is trained; of a family by way of the instance at work. */
static pr_status_t backward_into(pr_trainer_t *t, const pr_batch_t *b, const pr_slice_t *s, const pr_loss_call_t *call,
                                 const float *share, float *grad, pr_error_t *err)
{
    pr_family_t *f = t->o.family;
    int channels = call->n_channel > 0 ? call->n_channel : 1;
    size_t each = t->adapter->n_data;
    if (f)
        memset(t->own, 0, (size_t)channels * each * sizeof *t->own);
    pr_grads_t g = {.adapter = 0, .adapter_grad = f ? t->own : grad, .channels = call->n_channel, .channel = share};
    PR_TRY(pr_backward(t->policy, b, s->dh, &g, err));
    for (int c = 0; f && c < channels; c++)
        pr_family_pull(f, &t->model->config, call->r->preference + (ptrdiff_t)s->first_seq * f->k, t->adapter,
                       t->own + (size_t)c * each, grad + (size_t)c * t->n);
    return PR_OK;
}

/* The preference that the slice was sampled under, of a family. */
static const double *slice_preference(const pr_trainer_t *t, const pr_slice_t *s, const pr_rollout_t *r)
{
    return t->o.family ? r->preference + (ptrdiff_t)s->first_seq * t->o.family->k : NULL;
}

static pr_batch_t slice_batch(const pr_trainer_t *t, const pr_slice_t *s)
{
    return (pr_batch_t){.n_seq = s->n_seq,
                        .seq_start = s->start,
                        .token = s->token,
                        .n_adapter = 1,
                        .adapter = (const pr_adapter_t *const *)&t->adapter,
                        .mix = s->mix};
}

/* The policy's hidden states: s->h, s->picked. */
static pr_status_t slice_forward(pr_trainer_t *t, pr_slice_t *s, const pr_rollout_t *r, const pr_batch_t *b,
                                 pr_error_t *err)
{
    if (t->o.family)
        pr_family_set(t->o.family, &t->model->config, slice_preference(t, s, r), t->adapter);
    PR_TRY(pr_forward(t->policy, b, s->h, err));
    gather_rows(s, t->model->part.d.n, s->h, s->picked);
    return PR_OK;
}

static void slice_values_of(const pr_trainer_t *t, const pr_slice_t *s, const pr_rollout_t *r, float *value)
{
    pr_critic_values(&t->critic, t->la, s->n_pick, t->model->part.d.first, t->model->part.d.n, s->picked,
                     slice_preference(t, s, r), value);
}

static pr_status_t slice_values(pr_trainer_t *t, pr_slice_t *s, pr_loss_call_t *call, pr_error_t *err)
{
    pr_batch_t b = slice_batch(t, s);
    PR_TRY(slice_forward(t, s, call->r, &b, err));
    float *value = pr_alloc((size_t)s->n_pick, sizeof *value);
    slice_values_of(t, s, call->r, value);
    for (int i = 0; i < s->n_pick; i++)
        call->ref[s->first + (size_t)i] = (double)value[i];
    free(value);
    return PR_OK;
}

/* The error of the values, into the critic's gradient and s->dpicked. */
static void slice_critic(pr_trainer_t *t, pr_slice_t *s, pr_loss_call_t *call)
{
    float *value = pr_alloc((size_t)s->n_pick, sizeof *value);
    slice_values_of(t, s, call->r, value);
    for (int i = 0; i < s->n_pick; i++) {
        double grad, loss = pr_clipped_value(call->r->clipped, s->first + (size_t)i, (double)value[i], &grad);
        call->value += call->token_weight * loss;
        value[i] = (float)(call->token_weight * grad);
    }
    pr_critic_backward(&t->critic, t->la, s->n_pick, t->model->part.d.first, t->model->part.d.n, s->picked,
                       slice_preference(t, s, call->r), value, s->dpicked);
    free(value);
}

static pr_status_t slice_backward(pr_trainer_t *t, pr_slice_t *s, pr_loss_call_t *call, pr_error_t *err)
{
    int d = t->model->part.d.n;
    pr_batch_t b = slice_batch(t, s);
    PR_TRY(slice_forward(t, s, call->r, &b, err));
    PR_TRY(pr_head_backward(t->model, t->la, s->n_pick, s->picked, s->target, &t->o.sampling, loss_block, call,
                            s->dpicked, NULL, err));
    if (call->r->clipped)
        slice_critic(t, s, call);
    scatter_rows(s, d, s->dpicked, s->dh);
    if (call->n_channel == 0)
        return backward_into(t, &b, s, call, NULL, t->grad, err);
    float *share = pr_alloc((size_t)call->n_channel * (size_t)s->n_seq, sizeof *share);
    for (int c = 0; c < call->n_channel; c++)
        for (int i = 0; i < s->n_seq; i++)
            share[c * s->n_seq + i] = (float)call->advantage[c * call->r->n_seq + s->first_seq + i];
    pr_status_t status = backward_into(t, &b, s, call, share, t->channel, err);
    free(share);
    return status;
}

/* Were both sampled under the same preference, of k numbers? */
static bool alike(const pr_rollout_t *r, int k, int a, int b)
{
    return !r->preference || memcmp(r->preference + (ptrdiff_t)a * k, r->preference + (ptrdiff_t)b * k,
                                    (size_t)k * sizeof *r->preference) == 0;
}

/* One past the last sequence of the micro-batch that begins at first, at most end; of a family under one preference. */
static int micro_end(const pr_trainer_t *t, const pr_rollout_t *r, int first, int end)
{
    int last = first + 1, k = t->o.family ? t->o.family->k : 0;
    while (last < end && r->start[last + 1] - r->start[first] <= t->o.micro_tokens && alike(r, k, first, last))
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
        last = micro_end(t, r, first, end);
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
    pr_rollout_t all = *r;
    all.preference = NULL; // the base model knows none
    pr_loss_call_t call = {.t = t, .r = &all, .ref = ref};
    memset(ref, 0, tokens * sizeof *ref); // each row of the team fills in its own
    pr_status_t status = row_slices(t, &all, slice_reference, &call, err);
    PR_TRY(team->agree(team, status, err));
    team->sum_rows(team, ref, tokens);
    return PR_OK;
}

pr_status_t pr_trainer_values(pr_trainer_t *t, const pr_rollout_t *r, double *value, pr_error_t *err)
{
    const pr_team_t *team = t->team;
    size_t tokens = pr_rollout_tokens(r);
    pr_loss_call_t call = {.t = t, .r = r, .ref = value};
    memset(value, 0, tokens * sizeof *value); // each row of the team fills in its own
    pr_status_t status = row_slices(t, r, slice_values, &call, err);
    PR_TRY(team->agree(team, status, err));
    team->sum_rows(team, value, tokens);
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

static double token_weight(const pr_trainer_t *t, const pr_rollout_t *r)
{
    return 1.0 / (double)(t->o.sequence_norm ? (size_t)r->n_seq : pr_rollout_tokens(r));
}

/* One pass over the roll-out, whose gradients [n] are summed over the team. stats without the gradient's norm. */
static pr_status_t pass(pr_trainer_t *t, pr_loss_call_t *call, float *grad, size_t n, pr_step_stats_t *stats,
                        pr_error_t *err)
{
    const pr_team_t *team = t->team;
    const pr_rollout_t *r = call->r;
    long tokens = (long)pr_rollout_tokens(r);
    memset(grad, 0, n * sizeof *grad);
    if (t->critic.n > 0)
        memset(t->critic.gradient, 0, t->critic.n * sizeof(float));
    pr_status_t status = own_memory(t, call->n_channel > 0 ? call->n_channel : 1, err);
    PR_TRY(team->agree(team, status, err));
    status = row_slices(t, r, slice_backward, call, err);
    PR_TRY(team->agree(team, status, err));
    double sums[] = {call->loss,  call->entropy, call->kl.n,  call->kl.d, call->kl.v,
                     call->kl.dv, call->kl.vv,   call->value, call->held};
    team->sum(team, grad, n); // every rank has what its rows and features give
    if (t->critic.n > 0)
        team->sum(team, t->critic.gradient, t->critic.n);
    team->sum_rows(team, sums, sizeof sums / sizeof *sums);
    pr_kl_mean_t kl = {sums[2], sums[3], sums[4], sums[5], sums[6]};
    *stats = (pr_step_stats_t){.loss = sums[0] + sums[7],
                               .value = sums[7],
                               .held = sums[8] / (double)tokens,
                               .kl = r->ref ? pr_kl_mean_of(&kl, t->o.sampling.top_p < 1) : NAN,
                               .entropy = sums[1] / (double)tokens,
                               .grad_norm = NAN,
                               .tokens = tokens};
    return PR_OK;
}

static pr_status_t check_finite(const pr_step_stats_t *stats, pr_error_t *err)
{
    if (!isfinite(stats->loss) || !isfinite(stats->grad_norm))
        return pr_fail(err, PR_ERR_NUMERIC, "loss %g, gradient norm %g: not finite", stats->loss, stats->grad_norm);
    return PR_OK;
}

pr_status_t pr_trainer_loss(pr_trainer_t *t, const pr_rollout_t *r, pr_step_stats_t *stats, pr_error_t *err)
{
    assert(r->ref || !(t->o.kl > 0) || t->o.kl_estimator == PR_KL_K1);
    pr_loss_call_t call = {.t = t, .r = r, .token_weight = token_weight(t, r)};
    PR_TRY(pass(t, &call, t->grad, t->n, stats, err));
    stats->grad_norm = hypot(pr_global_norm(t->grad, t->n), pr_global_norm(t->critic.gradient, t->critic.n));
    return check_finite(stats, err);
}

/* ---- channels ---- */

static pr_status_t channel_memory(pr_trainer_t *t, int n, pr_error_t *err)
{
    if (n <= t->n_channel)
        return PR_OK;
    free(t->channel);
    t->n_channel = 0;
    t->own_loss = pr_realloc(t->own_loss, (size_t)n, sizeof *t->own_loss);
    t->channel = pr_alloc_matrix((size_t)n * t->n, sizeof(float));
    if (!t->channel)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for %d gradients of %zu parameters", n, t->n);
    t->n_channel = n;
    return PR_OK;
}

bool pr_trainer_apart(const pr_trainer_t *t)
{
    return (t->o.kl > 0 && t->o.kl_estimator != PR_KL_K1) || t->o.entropy > 0;
}

pr_status_t pr_trainer_channels(pr_trainer_t *t, const pr_rollout_t *r, int n, const double *advantage,
                                pr_step_stats_t *stats, const float **grad, pr_error_t *err)
{
    const pr_team_t *team = t->team;
    size_t each = t->n;
    assert(r->ref || !(t->o.kl > 0) || t->o.kl_estimator == PR_KL_K1);
    PR_TRY(team->agree(team, channel_memory(t, n + 1, err), err));
    memset(t->own_loss, 0, (size_t)(n + 1) * sizeof *t->own_loss);
    pr_loss_call_t call = {.t = t,
                           .r = r,
                           .token_weight = token_weight(t, r),
                           .n_channel = n,
                           .advantage = advantage,
                           .channel_loss = t->own_loss};
    PR_TRY(pass(t, &call, t->channel, (size_t)n * each, stats, err));
    team->sum_rows(team, t->own_loss, (size_t)n);
    memset(t->channel + (size_t)n * each, 0, each * sizeof(float));
    if (pr_trainer_apart(t)) {
        pr_step_stats_t more;
        call = (pr_loss_call_t){.t = t, .r = r, .token_weight = token_weight(t, r), .apart = true};
        PR_TRY(pass(t, &call, t->grad, each, &more, err));
        memcpy(t->channel + (size_t)n * each, t->grad, each * sizeof(float));
        t->own_loss[n] = more.loss;
    }
    *grad = t->channel;
    return PR_OK;
}

void pr_trainer_gram(const pr_trainer_t *t, int n, double *gram)
{
    size_t each = t->n;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            const float *a = t->channel + (size_t)i * each, *b = t->channel + (size_t)j * each;
            double sum = 0;
            for (size_t p = 0; p < each; p++)
                sum += (double)a[p] * (double)b[p];
            gram[i * n + j] = gram[j * n + i] = sum;
        }
}

pr_status_t pr_trainer_step_along(pr_trainer_t *t, int n, const double *weight, double lr, pr_step_stats_t *stats,
                                  pr_error_t *err)
{
    size_t each = t->n;
    stats->loss = t->own_loss[n];
    for (int k = 0; k < n; k++)
        stats->loss += weight[k] * t->own_loss[k];
    for (size_t p = 0; p < each; p++) {
        double sum = (double)t->channel[(size_t)n * each + p];
        for (int k = 0; k < n; k++)
            sum += weight[k] * (double)t->channel[(size_t)k * each + p];
        t->grad[p] = (float)sum;
    }
    stats->grad_norm = pr_global_norm(t->grad, each);
    PR_TRY(check_finite(stats, err));
    stats->lr = lr;
    pr_adamw_step(&t->adamw, t->data, t->grad, pr_clip_scale(stats->grad_norm, t->o.clip_norm), lr);
    return PR_OK;
}

pr_status_t pr_trainer_step(pr_trainer_t *t, const pr_rollout_t *r, double lr, pr_step_stats_t *stats, pr_error_t *err)
{
    PR_TRY(pr_trainer_loss(t, r, stats, err));
    stats->lr = lr;
    double scale = pr_clip_scale(stats->grad_norm, t->o.clip_norm);
    pr_adamw_step(&t->adamw, t->data, t->grad, scale, lr);
    if (t->critic.n > 0)
        pr_adamw_step(&t->critic.adamw, t->critic.weight, t->critic.gradient, scale, lr);
    return PR_OK;
}
