// SPDX-License-Identifier: BSD-3-Clause
#include "reward/features.h"
#include "base/mem.h"
#include "objective/last_state.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* ---- which samples ---- */

/* Numbers of the samples that are (not) held out, in the file's order. Caller frees. */
static int *choose(const pr_reward_data_t *data, double holdout, bool held_out, int *n)
{
    int *chosen = pr_alloc((size_t)data->n, sizeof *chosen);
    *n = 0;
    for (int i = 0; i < data->n; i++)
        if (pr_reward_data_held_out(data, i, holdout) == held_out)
            chosen[(*n)++] = i;
    return chosen;
}

static pr_status_t add_sample(pr_reward_set_t *s, const pr_reward_item_t *item, pr_error_t *err)
{
    const pr_fit_input_t *in = s->in;
    const pr_model_config_t *c = &in->model->config;
    pr_templated_t how = in->text;
    pr_templated_fit(&how, c);
    PR_TRY(pr_templated_add(&how, in->tokenizer, c, item->prompt, item->text, strlen(item->text), &s->text, err));
    if (item->rejected)
        PR_TRY(pr_templated_add(&how, in->tokenizer, c, item->prompt, item->rejected, strlen(item->rejected), &s->text,
                                err));
    s->y[s->n++] = item->label;
    return PR_OK;
}

static pr_status_t add_share(pr_reward_set_t *s, const pr_reward_data_t *data, bool held_out, pr_error_t *err)
{
    int all, first, count;
    int *chosen = choose(data, s->in->holdout, held_out, &all);
    pr_share(all, s->in->team->rows, s->in->team->row, &first, &count);
    s->y = pr_alloc((size_t)count, sizeof *s->y);
    pr_status_t status = PR_OK;
    for (int i = first; i < first + count && status == PR_OK; i++)
        status = add_sample(s, &data->item[chosen[i]], err);
    free(chosen);
    return status;
}

/* ---- batches ---- */

/* As many whole samples as fit into a number of tokens, at least one. */
static int batch_end(const pr_reward_set_t *s, int first)
{
    size_t each = (size_t)s->each, begin = s->text.start[(size_t)first * each];
    int end = first + 1;
    while (end < s->n && s->text.start[((size_t)end + 1) * each] - begin <= s->in->batch_tokens)
        end++;
    return end;
}

/* The largest of a number that every team row has. */
static int most_of_rows(const pr_team_t *team, int mine)
{
    void *all;
    int most = 0;
    size_t *offset = pr_alloc((size_t)team->rows + 1, sizeof *offset);
    team->gather_rows(team, &mine, sizeof mine, &all, offset);
    for (int r = 0; r < team->rows; r++) {
        int theirs;
        memcpy(&theirs, (char *)all + offset[r], sizeof theirs);
        most = theirs > most ? theirs : most;
    }
    free(all);
    free(offset);
    return most;
}

static void cut_batches(pr_reward_set_t *s)
{
    int n_batch = 0, widest = 0;
    s->first = pr_alloc((size_t)s->n + 1, sizeof *s->first);
    for (int i = 0; i < s->n; n_batch++) {
        int end = batch_end(s, i);
        widest = end - i > widest ? end - i : widest;
        s->first[n_batch + 1] = i = end;
    }
    int all = most_of_rows(s->in->team, n_batch);
    s->first = pr_realloc(s->first, (size_t)(all > s->n ? all : s->n) + 1, sizeof *s->first);
    for (int b = n_batch; b < all; b++)
        s->first[b + 1] = s->n;
    s->features.n_batch = all;
    s->features.max_rows = widest;
}

/* ---- features ---- */

/* The differences, or the states themselves, as float. */
static void take_states(const pr_reward_set_t *s, int n, float *out)
{
    size_t d = (size_t)s->features.d, pair = 2 * d;
    if (s->each == 1)
        memcpy(out, s->h, (size_t)n * d * sizeof *out);
    for (size_t i = 0; i < (size_t)n && s->each == 2; i++)
        for (size_t j = 0; j < d; j++)
            out[i * d + j] = s->h[i * pair + j] - s->h[i * pair + d + j];
}

/* What is asked for here must be the same for all columns: they go through the model together. */
static pr_status_t not_cancelled(const pr_fit_input_t *in, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    if (in->cancel && in->cancel(in->self))
        status = pr_fail(err, PR_ERR_INTERRUPTED, "stopped while texts went through the model");
    return in->team->la->agree(in->team->la, status, err);
}

static pr_status_t compute(pr_reward_set_t *s, int first, int n, float *out, pr_error_t *err)
{
    const pr_fit_input_t *in = s->in;
    size_t from = (size_t)first * (size_t)s->each, to = from + (size_t)n * (size_t)s->each;
    PR_TRY(not_cancelled(in, err));
    PR_TRY(pr_last_states(in->model, in->team->la, s->run, &s->text, from, to, s->h, err));
    take_states(s, n, out);
    s->tokens += (int64_t)(s->text.start[to] - s->text.start[from]);
    return PR_OK;
}

static pr_status_t next_batch(void *self, int batch, double *x, int *first, int *n, pr_error_t *err)
{
    pr_reward_set_t *s = self;
    size_t d = (size_t)s->features.d;
    *first = s->first[batch];
    *n = s->first[batch + 1] - *first;
    if (*n == 0)
        return PR_OK;
    float *at = s->kept ? s->kept + (size_t)*first * d : s->h;
    if (!s->kept || !s->have[batch])
        PR_TRY(compute(s, *first, *n, at, err));
    if (s->kept)
        s->have[batch] = true;
    for (size_t i = 0; i < (size_t)*n * d; i++)
        x[i] = (double)at[i];
    return PR_OK;
}

static pr_status_t make_room(pr_reward_set_t *s, bool keep, pr_error_t *err)
{
    size_t d = (size_t)s->features.d, rows = (size_t)s->features.max_rows * (size_t)s->each;
    keep = keep && s->each == 2;
    s->h = pr_alloc_matrix(rows * d + 1, sizeof *s->h);
    s->have = pr_alloc((size_t)s->features.n_batch, sizeof *s->have);
    if (keep)
        s->kept = pr_alloc_matrix((size_t)s->n * d + 1, sizeof *s->kept);
    if (!s->h || (keep && !s->kept))
        return pr_fail(err, PR_ERR_MEMORY,
                       "no memory for the features of %d samples, %d numbers each; give the fit more team rows", s->n,
                       s->features.d);
    return PR_OK;
}

pr_status_t pr_reward_set_open(const pr_fit_input_t *in, const pr_reward_data_t *data, bool held_out, bool keep,
                               pr_reward_set_t *out, pr_error_t *err)
{
    *out = (pr_reward_set_t){.in = in, .each = data->pairs ? 2 : 1};
    pr_status_t status = add_share(out, data, held_out, err);
    PR_TRY(in->team->agree(in->team, status, err));
    out->features = (pr_features_t){.d = in->model->config.d_model, .batch = next_batch, .self = out};
    cut_batches(out);
    status = make_room(out, keep, err);
    PR_TRY(in->team->agree(in->team, status, err));
    status = pr_run_new(in->model, in->team->la, false, &out->run, err);
    return in->team->agree(in->team, status, err);
}

void pr_reward_set_clear(pr_reward_set_t *s)
{
    pr_packed_free(&s->text);
    pr_run_free(&s->run);
    free(s->y);
    free(s->first);
    free(s->h);
    free(s->kept);
    free(s->have);
    *s = (pr_reward_set_t){0};
}
