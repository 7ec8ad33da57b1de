// SPDX-License-Identifier: BSD-3-Clause
#include "policy/flow.h"

#include "base/mem.h"
#include "model/kernels.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pr_engine {
    const pr_policy_t *p;
    pr_mix_plan_t plan;
    int split, n_layer, d, v;
    int *part; // [K] of a position's rows: whose they are, and with what weight
    double *weight;
    pr_run_t *run;
    float *x_expert, *x_item; // rows of the residual stream
    float *h;                 // rows handed to the head
    size_t n_expert, n_item, n_h;
    float *logits;
    size_t n_logits;
};

static size_t at(int row, int width)
{
    return (size_t)row * (size_t)width;
}

pr_status_t pr_engine_new(const pr_policy_t *p, pr_engine_t **out, pr_error_t *err)
{
    const pr_model_config_t *c = &p->model->config;
    pr_engine_t *e = pr_alloc(1, sizeof *e);
    *e = (pr_engine_t){.p = p, .n_layer = c->n_layer, .d = p->model->part.d.n, .v = c->vocab};
    e->part = pr_alloc((size_t)p->n_expert, sizeof *e->part);
    e->weight = pr_alloc((size_t)p->n_expert, sizeof *e->weight);
    pr_status_t status;
    if (p->n_expert > 0) // else there is nothing to mix: items start at the embedding
        PR_GO(pr_mix_plan(p->mix, p->mix_options, c, &e->plan, err));
    e->split = e->plan.split;
    PR_GO(pr_run_new(p->model, p->la, false, &e->run, err));
    pr_run_freeze_adapters(e->run);
    *out = e;
    return PR_OK;
done:
    pr_engine_free(&e);
    return status;
}

void pr_engine_free(pr_engine_t **e)
{
    if (!*e)
        return;
    pr_run_free(&(*e)->run);
    free((*e)->x_expert);
    free((*e)->x_item);
    free((*e)->h);
    free((*e)->logits);
    free((*e)->part);
    free((*e)->weight);
    free(*e);
    *e = NULL;
}

int pr_engine_split(const pr_engine_t *e)
{
    return e->split;
}

static pr_status_t grow(float **buffer, size_t *have, size_t n, pr_error_t *err)
{
    if (n <= *have)
        return PR_OK;
    free(*buffer);
    *have = 0;
    *buffer = pr_alloc_matrix(n, sizeof(float));
    if (!*buffer)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for a batch (%.2f GB)", 4e-9 * (double)n);
    *have = n;
    return PR_OK;
}

// The columns agree, as memory may be short on one of them.
static pr_status_t reserve(const pr_engine_t *e, float **buffer, size_t *have, size_t n, pr_error_t *err)
{
    return e->p->la->agree(e->p->la, grow(buffer, have, n, err), err);
}

// What takes logits may fail on one column alone.
static pr_status_t give(const pr_engine_t *e, pr_flow_sink sink, void *self, int first, int n, pr_error_t *err)
{
    return e->p->la->agree(e->p->la, sink(self, first, n, e->logits, err), err);
}

// Runs layers first..last-1 of a strand whose rows x are embedded here when first is 0.
static pr_status_t run_layers(pr_engine_t *e, const pr_strand_t *s, const float *mix, int first, int last, float *x,
                              pr_error_t *err)
{
    pr_batch_t b = {.n_seq = s->n,
                    .seq_start = s->start,
                    .token = s->token,
                    .kv = s->kv,
                    .stream = s->stream,
                    .n_adapter = e->p->n_expert,
                    .adapter = e->p->adapter,
                    .mix = mix};
    if (first == 0)
        PR_TRY(pr_embed(e->run, &b, x, err));
    PR_TRY(pr_layers(e->run, &b, first, last, x, err));
    if (s->kv)
        pr_kv_advance(&b);
    return PR_OK;
}

static pr_status_t run_experts(pr_engine_t *e, const pr_flow_t *f, pr_error_t *err)
{
    const pr_strand_t *s = &f->expert_seq;
    int k = e->p->n_expert;
    float *mix = pr_alloc((size_t)s->n * (size_t)k, sizeof *mix);
    for (int i = 0; i < s->n; i++)
        mix[at(i, k) + (size_t)f->expert[i]] = 1.0f;
    pr_status_t status = reserve(e, &e->x_expert, &e->n_expert, at(s->start[s->n], e->d), err);
    if (status == PR_OK)
        status = run_layers(e, s, mix, 0, e->split, e->x_expert, err);
    free(mix);
    return status;
}

static double weight_sum(const pr_engine_t *e, const double *w)
{
    double sum = 0;
    for (int k = 0; k < e->p->n_expert; k++)
        sum += w[k];
    return sum;
}

// y [d] = sum over experts of w_k scale * row from[k]; rows [*,d].
static void combine(const pr_engine_t *e, const double *w, double scale, const int *from, const float *rows, float *y)
{
    float keep = 0.0f;
    for (int k = 0; k < e->p->n_expert; k++)
        if (w[k] != 0) {
            pr_k_axpby(e->d, (float)(w[k] * scale), rows + at(from[k], e->d), keep, y);
            keep = 1.0f;
        }
    if (keep == 0.0f)
        memset(y, 0, (size_t)e->d * sizeof *y);
}

// The items' rows at the split: every position, weights normalised.
static void combine_stream(const pr_engine_t *e, const pr_flow_t *f, float *x)
{
    int k = e->p->n_expert, *from = pr_alloc((size_t)k, sizeof *from);
    for (int i = 0; i < f->item.n; i++) {
        double scale = 1.0 / weight_sum(e, f->w[i]);
        for (int r = f->item.start[i]; r < f->item.start[i + 1]; r++) {
            for (int j = 0; j < k; j++)
                if (f->w[i][j] != 0)
                    from[j] = f->expert_seq.start[f->source[at(i, k) + (size_t)j]] + r - f->item.start[i];
            combine(e, f->w[i], scale, from, e->x_expert, x + at(r, e->d));
        }
    }
    free(from);
}

static pr_status_t run_items(pr_engine_t *e, const pr_flow_t *f, pr_error_t *err)
{
    int k = e->p->n_expert, n = f->item.n;
    PR_TRY(reserve(e, &e->x_item, &e->n_item, at(f->item.start[n], e->d), err));
    if (e->split > 0)
        combine_stream(e, f, e->x_item);
    float *mix = pr_alloc(at(n, k), sizeof *mix);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++)
            mix[at(i, k) + (size_t)j] = (float)f->w[i][j];
    pr_status_t status = run_layers(e, &f->item, mix, e->split, e->n_layer, e->x_item, err);
    free(mix);
    return status;
}

// A position that logits are wanted of.
typedef struct position {
    int item, row; // row: of the item's own
} position_t;

static position_t *wanted(const pr_flow_t *f, int *n)
{
    int rows = f->item.start[f->item.n];
    position_t *p = pr_alloc((size_t)(f->all_positions ? rows : f->item.n), sizeof *p);
    *n = 0;
    for (int i = 0; i < f->item.n; i++) {
        int len = f->item.start[i + 1] - f->item.start[i];
        for (int r = f->all_positions ? 0 : len - 1; r < len; r++)
            p[(*n)++] = (position_t){i, r};
    }
    return p;
}

static int expert_row(const pr_engine_t *e, const pr_flow_t *f, position_t p, int k)
{
    return f->expert_seq.start[f->source[at(p.item, e->p->n_expert) + (size_t)k]] + p.row;
}

// The rows of positions p[0..n-1] of the experts in use, one after the other; returns how many.
static int part_rows(const pr_engine_t *e, const pr_flow_t *f, const position_t *p, int n, float *z)
{
    int rows = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < e->p->n_expert; j++)
            if (f->w[p[i].item][j] != 0)
                memcpy(z + at(rows++, e->d), e->x_expert + at(expert_row(e, f, p[i], j), e->d),
                       (size_t)e->d * sizeof *z);
    return rows;
}

// One row of the parts' rows x [*,width] of a position; returns the rows after them.
static float *mix_rows(const pr_engine_t *e, const double *w, int width, float *x, float *out)
{
    pr_mix_rows_t r = {.width = width, .part = e->part, .w = e->weight, .x = x};
    double sum = e->plan.normalised ? weight_sum(e, w) : 1;
    for (int k = 0; k < e->p->n_expert; k++)
        if (w[k] != 0) {
            e->part[r.n] = k;
            e->weight[r.n++] = w[k] / sum;
        }
    e->p->mix->combine(&e->plan, &r, out);
    return x + at(r.n, width);
}

// h [n,d] of positions, which one head reads. z: room for their parts' rows.
static void hidden_states(const pr_engine_t *e, const pr_flow_t *f, const position_t *p, int n, float *h, float *z)
{
    bool one_stream = e->split < e->n_layer || e->p->n_expert == 0;
    if (one_stream) {
        for (int i = 0; i < n; i++)
            memcpy(h + at(i, e->d), e->x_item + at(f->item.start[p[i].item] + p[i].row, e->d),
                   (size_t)e->d * sizeof *h);
    } else {
        // Norms are taken together, and of a copy, as several items may share a part's row.
        int rows = part_rows(e, f, p, n, z);
        if (!e->plan.norm_behind)
            pr_final_norm(e->run, rows, z, z);
        for (int i = 0; i < n; i++)
            z = mix_rows(e, f->w[p[i].item], e->d, z, h + at(i, e->d));
    }
    if (one_stream || e->plan.norm_behind)
        pr_final_norm(e->run, n, h, h);
}

// Rows of logits that are worked on together: as many as fit 4 MB, at least 16, at most 256.
static int block_rows(const pr_engine_t *e)
{
    int rows = (1 << 20) / e->v;
    return rows < 16 ? 16 : rows > 256 ? 256 : rows;
}

// One head for all parts: positions' hidden states are made, then their logits.
static pr_status_t one_head(pr_engine_t *e, const pr_flow_t *f, const position_t *p, int n, pr_flow_sink sink,
                            void *self, pr_error_t *err)
{
    int block = block_rows(e) < n ? block_rows(e) : n;
    PR_TRY(reserve(e, &e->h, &e->n_h, at(block * (1 + e->p->n_expert), e->d), err));
    PR_TRY(reserve(e, &e->logits, &e->n_logits, at(block, e->v), err));
    for (int r = 0, m; r < n; r += m) {
        m = n - r < block ? n - r : block;
        hidden_states(e, f, p + r, m, e->h, e->h + at(block, e->d));
        pr_head_logits(e->p->model, e->p->la, m, e->h, e->logits);
        PR_TRY(give(e, sink, self, r, m, err));
    }
    return PR_OK;
}

// A head per part: logits of all parts' rows of a block at once, then one row of each position's.
static pr_status_t head_per_part(pr_engine_t *e, const pr_flow_t *f, const position_t *p, int n, pr_flow_sink sink,
                                 void *self, pr_error_t *err)
{
    int k = e->p->n_expert, block = block_rows(e) / k;
    block = block < 1 ? 1 : block;
    block = block < n ? block : n;
    PR_TRY(reserve(e, &e->h, &e->n_h, at(block * k, e->d), err));
    PR_TRY(reserve(e, &e->logits, &e->n_logits, at(block * (k + 1), e->v), err));
    for (int r = 0, m; r < n; r += m) {
        m = n - r < block ? n - r : block;
        float *each = e->logits + at(block, e->v);
        int rows = part_rows(e, f, p + r, m, e->h);
        pr_final_norm(e->run, rows, e->h, e->h);
        pr_head_logits(e->p->model, e->p->la, rows, e->h, each);
        for (int i = 0; i < m; i++)
            each = mix_rows(e, f->w[p[r + i].item], e->v, each, e->logits + at(i, e->v));
        PR_TRY(give(e, sink, self, r, m, err));
    }
    return PR_OK;
}

pr_status_t pr_flow_run(pr_engine_t *e, const pr_flow_t *f, pr_flow_sink sink, void *self, pr_error_t *err)
{
    if (e->split > 0)
        PR_TRY(run_experts(e, f, err));
    if (e->split < e->n_layer)
        PR_TRY(run_items(e, f, err));
    int n;
    position_t *p = wanted(f, &n);
    bool each = e->split == e->n_layer && e->plan.of_logits;
    pr_status_t status = each ? head_per_part(e, f, p, n, sink, self, err) : one_head(e, f, p, n, sink, self, err);
    free(p);
    return status;
}
