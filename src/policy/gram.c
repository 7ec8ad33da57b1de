// SPDX-License-Identifier: BSD-3-Clause
#include "policy/gram.h"

#include "base/mem.h"
#include "model/part.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a batch: enough for BLAS, few enough that a layer's inputs, kept as doubles, stay small beside the matrices.
 * And rows that are brought to full width together. */
enum { BATCH_ROWS = 1024, GATHER_ROWS = 64 };

struct pr_grams {
    const pr_dense_t *dense;
    int n;             // n_layer * PR_N_GROUP
    pr_spd_t **matrix; // [n_layer][PR_N_GROUP], NULL: not needed
};

/* The passes over this team row's sequences. */
typedef struct pass {
    const pr_model_t *m;
    const pr_team_t *team;
    const pr_adapter_t *expert;
    pr_grams_t *grams;
    int n_seq, *start; // [n_seq+1]
    int32_t *ids;
    int n_batch, *batch; // [n_batch+1] first sequences
    int cap;             // rows of the largest batch
    pr_run_t *run;
    float *x, *mix;           // [cap,d], [n_seq] ones
    float *full;              // [GATHER_ROWS, widest]
    int *bounds[PR_N_GROUP];  // [cols+1] features that the columns hold
    double *rows[PR_N_GROUP]; // [cap, width] inputs of the layer at work; NULL: in no layer needed
    int n_rows[PR_N_GROUP];
} pass_t;

static const pr_space_t space_of[PR_N_GROUP] = {
    [PR_GROUP_QKV] = PR_SPACE_D, [PR_GROUP_O] = PR_SPACE_Q, [PR_GROUP_FF] = PR_SPACE_D, [PR_GROUP_DOWN] = PR_SPACE_FF};

int pr_gram_width(const pr_model_config_t *c, pr_group_t group)
{
    int bounds[2];
    pr_part_bounds(c, 1, space_of[group], bounds);
    return bounds[1];
}

size_t pr_gram_bytes(const pr_model_config_t *c, const bool *need)
{
    size_t n = 0;
    for (int i = 0; i < c->n_layer * PR_N_GROUP; i++) {
        size_t width = (size_t)pr_gram_width(c, (pr_group_t)(i % PR_N_GROUP));
        n += need[i] ? width * width : 0;
    }
    return n * sizeof(double);
}

void pr_gram_groups(const pr_adapter_t *a, bool *need)
{
    for (int l = 0; l < a->n_layer; l++)
        for (int g = 0; g < PR_N_GROUP; g++)
            for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[g][i] >= 0; i++)
                if (pr_adapter_at(a, l, (pr_slot_t)pr_group_slot[g][i])->r > 0)
                    need[l * PR_N_GROUP + g] = true;
}

bool pr_grams_have(const pr_grams_t *g, const bool *need)
{
    for (int i = 0; i < g->n; i++)
        if (need[i] && !g->matrix[i])
            return false;
    return true;
}

const pr_spd_t *pr_grams_matrix(const pr_grams_t *g, int layer, pr_group_t group)
{
    return g->matrix[layer * PR_N_GROUP + (int)group];
}

void pr_grams_free(pr_grams_t **g)
{
    if (!*g)
        return;
    for (int i = 0; i < (*g)->n; i++)
        if ((*g)->matrix[i])
            (*g)->dense->destroy((*g)->dense, &(*g)->matrix[i]);
    free((*g)->matrix);
    free(*g);
    *g = NULL;
}

static pr_status_t matrices_new(const pr_model_config_t *c, const pr_dense_t *dense, const bool *need, pr_grams_t **out,
                                pr_error_t *err)
{
    pr_grams_t *g = pr_alloc(1, sizeof *g);
    *g = (pr_grams_t){.dense = dense, .n = c->n_layer * PR_N_GROUP};
    g->matrix = pr_alloc((size_t)g->n, sizeof *g->matrix);
    *out = g;
    for (int i = 0; i < g->n; i++)
        if (need[i])
            PR_TRY(dense->create(dense, pr_gram_width(c, (pr_group_t)(i % PR_N_GROUP)), &g->matrix[i], err));
    return PR_OK;
}

/* ---- this row's sequences ---- */

// Prompts first..first+n-1 with what was decoded after each, but for the last token.
static pr_status_t join(pass_t *p, const pr_gram_options_t *o, int first, int n, const pr_decoded_t *d, pr_error_t *err)
{
    size_t room = (size_t)(o->prompt_start[first + n] - o->prompt_start[first]) + d->start[n], at = 0;
    if (room > INT_MAX)
        return pr_fail(err, PR_ERR_CONFIG, "%zu tokens of prompts and responses are too many for Gram matrices", room);
    p->start = pr_alloc((size_t)n + 1, sizeof *p->start);
    p->ids = pr_alloc(room, sizeof *p->ids);
    p->n_seq = n;
    for (int i = 0; i < n; i++) {
        size_t head = (size_t)(o->prompt_start[first + i + 1] - o->prompt_start[first + i]);
        size_t tail = d->start[i + 1] - d->start[i] - 1;
        memcpy(p->ids + at, o->prompt_ids + o->prompt_start[first + i], head * sizeof *p->ids);
        memcpy(p->ids + at + head, d->ids + d->start[i], tail * sizeof *p->ids);
        at += head + tail;
        p->start[i + 1] = (int)at;
    }
    return PR_OK;
}

// Decodes the responses to this row's share of the prompts. Collective on the row.
static pr_status_t own_sequences(pass_t *p, const pr_gram_options_t *o, pr_error_t *err)
{
    const double one = 1;
    pr_policy_t policy = {
        .model = p->m, .la = p->team->la, .n_expert = 1, .adapter = &p->expert, .mix = &pr_mix_params};
    pr_decode_options_t decode = {.sampling = {.greedy = true},
                                  .max_new_tokens = o->max_new_tokens,
                                  .streams = o->streams,
                                  .stop = o->stop,
                                  .cancel = o->cancel,
                                  .self = o->self};
    int first, n;
    pr_share(o->n_prompt, p->team->rows, p->team->row, &first, &n);
    if (n == 0)
        return PR_OK;
    int *start = pr_alloc((size_t)n + 1, sizeof *start);
    for (int i = 0; i <= n; i++)
        start[i] = o->prompt_start[first + i] - o->prompt_start[first];
    pr_decoded_t d = {0};
    pr_status_t status =
        pr_decode(&policy, 1, &one, n, start, o->prompt_ids + o->prompt_start[first], &decode, &d, err);
    if (status == PR_OK)
        status = join(p, o, first, n, &d, err);
    pr_decoded_clear(&d);
    free(start);
    return status;
}

// Whole sequences up to BATCH_ROWS rows, at least one.
static void cut_batches(pass_t *p)
{
    p->batch = pr_alloc((size_t)p->n_seq + 1, sizeof *p->batch);
    for (int first = 0, last; first < p->n_seq; first = last) {
        for (last = first + 1; last < p->n_seq && p->start[last + 1] - p->start[first] <= BATCH_ROWS;)
            last++;
        int rows = p->start[last] - p->start[first];
        p->cap = rows > p->cap ? rows : p->cap;
        p->batch[++p->n_batch] = last;
    }
}

// The most batches that a row of the team has: all rows take part in every sum. Collective on the team.
static int most_batches(const pass_t *p)
{
    const pr_team_t *t = p->team;
    double *each = pr_alloc((size_t)t->rows, sizeof *each), most = 0;
    each[t->row] = p->n_batch;
    t->sum_rows(t, each, (size_t)t->rows);
    for (int i = 0; i < t->rows; i++)
        most = each[i] > most ? each[i] : most;
    free(each);
    return (int)most;
}

/* ---- passes ---- */

static bool needed(const pass_t *p, int layer, int group)
{
    return p->grams->matrix[layer * PR_N_GROUP + group] != NULL;
}

static bool needed_anywhere(const pass_t *p, int group)
{
    for (int l = 0; l < p->m->config.n_layer; l++)
        if (needed(p, l, group))
            return true;
    return false;
}

// Memory for passes. Local.
static pr_status_t reserve(pass_t *p, pr_error_t *err)
{
    const pr_model_config_t *c = &p->m->config;
    const pr_linalg_t *la = p->team->la;
    int widest = 0;
    bool enough = true;
    for (int g = 0; g < PR_N_GROUP; g++) {
        if (!needed_anywhere(p, g))
            continue;
        int width = pr_gram_width(c, (pr_group_t)g);
        p->bounds[g] = pr_alloc((size_t)la->cols + 1, sizeof(int));
        pr_part_bounds(c, la->cols, space_of[g], p->bounds[g]);
        p->rows[g] = pr_alloc_matrix((size_t)p->cap * (size_t)width, sizeof(double));
        enough = enough && p->rows[g];
        widest = width > widest ? width : widest;
    }
    p->full = pr_alloc_matrix((size_t)GATHER_ROWS * (size_t)widest, sizeof(float));
    p->x = pr_alloc_matrix((size_t)p->cap * (size_t)c->d_model, sizeof(float));
    p->mix = pr_alloc((size_t)p->n_seq, sizeof(float));
    for (int i = 0; i < p->n_seq; i++)
        p->mix[i] = 1.0f;
    if (!enough || !p->full || !p->x)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for the inputs of a layer's maps, %d rows", p->cap);
    PR_TRY(pr_run_new(p->m, la, false, &p->run, err));
    pr_run_freeze_adapters(p->run);
    return PR_OK;
}

// Keeps rows at full width, as doubles. Collective on the columns.
static void observe(void *self, int layer, int group, int n, const float *x, int ldx)
{
    pass_t *p = self;
    const pr_linalg_t *la = p->team->la;
    if (!needed(p, layer, group))
        return;
    size_t width = (size_t)p->bounds[group][la->cols];
    assert(p->n_rows[group] + n <= p->cap);
    for (int r = 0, m; r < n; r += m) {
        m = n - r < GATHER_ROWS ? n - r : GATHER_ROWS;
        la->gather(la, m, x + (size_t)r * (size_t)ldx, ldx, p->bounds[group], p->full);
        double *to = p->rows[group] + (size_t)p->n_rows[group] * width;
        for (size_t i = 0; i < (size_t)m * width; i++)
            to[i] = (double)p->full[i];
        p->n_rows[group] += m;
    }
}

// One layer over a batch, then what was seen into the matrices. has: does this row have such a batch?
static pr_status_t one_layer(pass_t *p, const pr_batch_t *b, bool has, int layer, pr_error_t *err)
{
    const pr_team_t *t = p->team;
    memset(p->n_rows, 0, sizeof p->n_rows);
    PR_TRY(t->agree(t, has ? pr_layers(p->run, b, layer, layer + 1, p->x, err) : PR_OK, err));
    for (int g = 0; g < PR_N_GROUP; g++)
        if (needed(p, layer, g))
            PR_TRY(
                t->dense->add(t->dense, p->grams->matrix[layer * PR_N_GROUP + g], 1.0, p->n_rows[g], p->rows[g], err));
    return PR_OK;
}

static pr_status_t one_batch(pass_t *p, int batch, pr_error_t *err)
{
    const pr_team_t *t = p->team;
    bool has = batch < p->n_batch;
    int first = has ? p->batch[batch] : 0, n = has ? p->batch[batch + 1] - first : 0;
    int *start = pr_alloc((size_t)n + 1, sizeof *start);
    for (int i = 0; i < n; i++)
        start[i + 1] = p->start[first + i + 1] - p->start[first];
    pr_batch_t b = {.n_seq = n,
                    .seq_start = start,
                    .token = has ? p->ids + p->start[first] : NULL,
                    .n_adapter = 1,
                    .adapter = &p->expert,
                    .mix = p->mix};
    pr_status_t status = t->agree(t, has ? pr_embed(p->run, &b, p->x, err) : PR_OK, err);
    for (int l = 0; l < p->m->config.n_layer && status == PR_OK; l++)
        status = one_layer(p, &b, has, l, err);
    free(start);
    return status;
}

static void shrink(const pr_grams_t *g, const pr_model_config_t *c, double off_diagonal, double ridge)
{
    for (int i = 0; i < g->n; i++) {
        if (!g->matrix[i])
            continue;
        g->dense->scale_off_diagonal(g->dense, g->matrix[i], off_diagonal);
        double mean = g->dense->trace(g->dense, g->matrix[i]) / pr_gram_width(c, (pr_group_t)(i % PR_N_GROUP));
        g->dense->add_diagonal(g->dense, g->matrix[i], ridge * mean);
    }
}

static void pass_clear(pass_t *p)
{
    pr_grams_free(&p->grams);
    pr_run_free(&p->run);
    for (int g = 0; g < PR_N_GROUP; g++) {
        free(p->bounds[g]);
        free(p->rows[g]);
    }
    free(p->start);
    free(p->ids);
    free(p->batch);
    free(p->x);
    free(p->mix);
    free(p->full);
}

pr_status_t pr_grams_new(const pr_model_t *m, const pr_team_t *team, const pr_adapter_t *expert, const bool *need,
                         const pr_gram_options_t *o, pr_grams_t **out, pr_error_t *err)
{
    pass_t p = {.m = m, .team = team, .expert = expert};
    pr_status_t status;
    assert(o->n_prompt >= 1 && expert->n_layer == m->config.n_layer);
    PR_GO(team->agree(team, own_sequences(&p, o, err), err));
    cut_batches(&p);
    PR_GO(matrices_new(&m->config, team->dense, need, &p.grams, err));
    PR_GO(team->agree(team, reserve(&p, err), err));
    pr_run_observe(p.run, observe, &p);
    for (int i = 0, n = most_batches(&p); i < n; i++)
        PR_GO(one_batch(&p, i, err));
    shrink(p.grams, &m->config, o->off_diagonal, o->ridge);
    *out = p.grams;
    p.grams = NULL;
done:
    pass_clear(&p);
    return status;
}
