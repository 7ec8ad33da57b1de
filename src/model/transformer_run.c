// SPDX-License-Identifier: BSD-3-Clause
/* The run: memory of the forward and backward passes, grown as needed. */
#include "model/transformer_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

pr_status_t pr_run_new(const pr_model_t *m, const pr_linalg_t *la, bool save, pr_run_t **out, pr_error_t *err)
{
    const pr_model_config_t *c = &m->config;
    const pr_part_t *p = &m->part;
    assert(p->cols == la->cols && p->col == la->col);
    if (c->n_head < 1 || c->n_kv_head < 1 || c->head_dim < 1 || c->n_head % c->n_kv_head != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%d query heads and %d key/value heads of size %d cannot be run", c->n_head,
                       c->n_kv_head, c->head_dim);
    pr_run_t *run = pr_alloc(1, sizeof *run);
    run->m = m;
    run->la = la;
    run->save = save;
    run->block = la->row_block;
    run->d = p->d.n;
    run->ff = p->ff.n;
    const pr_layer_t *first = m->layer;
    run->fused_ff = p->cols > 1 && first->w[PR_SLOT_GATE].data;
    run->ff_ld = run->fused_ff ? 2 * run->ff : run->ff;
    run->att = (pr_attention_t){.n_head = p->head.n,
                                .n_kv_head = p->kv_head.n,
                                .head_dim = c->head_dim,
                                .group = c->n_head / c->n_kv_head,
                                .width = p->qkv_block,
                                .out_width = p->q_block};
    run->att.skip = p->head.first % run->att.group;
    run->att.q_width = p->head.n * c->head_dim;
    run->att.kv_width = p->kv_head.n * c->head_dim;
    run->att.scale = (float)(1.0 / sqrt((double)c->head_dim));
    size_t block = (size_t)run->block;
    run->layer = pr_alloc(save ? (size_t)c->n_layer : 1, sizeof *run->layer);
    run->h = pr_alloc_matrix(block * (size_t)run->d, sizeof(float));
    run->act = save ? pr_alloc_matrix(block * (size_t)run->ff, sizeof(float)) : NULL;
    run->row_mix = pr_alloc_matrix(block, sizeof(float));
    run->stat = pr_alloc_matrix(4 * block, sizeof(float));
    run->full = p->cols > 1 ? pr_alloc_matrix(block * (size_t)c->d_model, sizeof(float)) : NULL;
    pr_status_t status = PR_OK;
    if (!run->h || !run->row_mix || !run->stat || (save && !run->act) || (p->cols > 1 && !run->full))
        status = pr_fail(err, PR_ERR_MEMORY, "no memory for the transformer's work space");
    status = la->agree(la, status, err);
    if (status != PR_OK) {
        pr_run_free(&run);
        return status;
    }
    *out = run;
    return PR_OK;
}

void pr_run_free(pr_run_t **run)
{
    if (!*run)
        return;
    pr_run_t *r = *run;
    pr_lora_plan_clear(&r->lora);
    free(r->pos);
    free(r->layer);
    free(r->memory);
    free(r->h);
    free(r->act);
    free(r->scratch);
    free(r->row_mix);
    free(r->stat);
    free(r->full);
    free(r->back);
    free(r);
    *run = NULL;
}

void pr_run_freeze_adapters(pr_run_t *run)
{
    run->frozen = true;
}

void pr_run_observe(pr_run_t *run, pr_run_observer fn, void *self)
{
    run->observer = fn;
    run->observer_self = self;
}

// Hands out n floats of run->memory, or only counts them while that is NULL.
static float *take(const pr_run_t *run, size_t *used, size_t n)
{
    float *p = run->memory ? run->memory + *used : NULL;
    *used += (n + 15) / 16 * 16;
    return p;
}

// Widest u of a group over the layers.
static size_t u_width(const pr_run_t *run, int g)
{
    int width = 0;
    for (int l = 0; run->lora.width && l < run->m->config.n_layer; l++)
        width = run->lora.width[l * PR_N_GROUP + g] > width ? run->lora.width[l * PR_N_GROUP + g] : width;
    return (size_t)width;
}

static void take_layer(const pr_run_t *run, pr_saved_t *s, size_t rows, size_t block, size_t *used)
{
    const pr_model_config_t *c = &run->m->config;
    size_t d = (size_t)run->d, ff = (size_t)run->ff_ld, q = (size_t)run->att.q_width, kv = (size_t)run->att.kv_width;
    bool glu = run->m->layer[0].w[PR_SLOT_GATE].data;
    s->x_in = run->save ? take(run, used, rows * d) : NULL;
    s->x_mid = run->save ? take(run, used, rows * d) : NULL;
    s->qk_raw = run->save && c->qk_norm ? take(run, used, rows * (q + kv)) : NULL;
    s->qkv = take(run, used, rows * (size_t)run->att.width);
    s->att = take(run, used, rows * (size_t)run->att.out_width);
    s->lse = run->save ? take(run, used, rows * (size_t)run->att.n_head) : NULL;
    s->gate = glu ? take(run, used, block * ff) : NULL;
    s->up = run->fused_ff ? (s->gate ? s->gate + run->ff : NULL) : take(run, used, block * ff);
    for (int g = 0; g < PR_N_GROUP; g++)
        s->u[g] = take(run, used, block * run->u_width[g]);
}

static size_t lay_out(pr_run_t *run, size_t rows)
{
    size_t used = 0, block = run->save ? rows : (size_t)run->block;
    int n_layer = run->save ? run->m->config.n_layer : 1;
    for (int l = 0; l < n_layer; l++)
        take_layer(run, &run->layer[l], rows, block, &used);
    run->x_last = run->save ? take(run, &used, rows * (size_t)run->d) : NULL;
    return used;
}

// Was the memory laid out for adapters of these ranks or larger ones?
static bool u_fits(pr_run_t *run)
{
    bool fits = true;
    for (int g = 0; g < PR_N_GROUP; g++) {
        if (u_width(run, g) > run->u_width[g]) {
            run->u_width[g] = u_width(run, g);
            fits = false;
        }
    }
    return fits;
}

static pr_status_t reserve(pr_run_t *run, int rows, pr_error_t *err)
{
    if (u_fits(run) && rows <= run->cap)
        return PR_OK;
    int cap = rows > run->cap ? rows : run->cap;
    free(run->memory);
    run->memory = NULL;
    run->cap = 0;
    size_t n = lay_out(run, (size_t)cap);
    run->memory = pr_alloc_matrix(n, sizeof(float));
    if (!run->memory)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for the activations of %d tokens (%.2f GB)", cap,
                       4e-9 * (double)n);
    lay_out(run, (size_t)cap);
    run->pos = pr_realloc(run->pos, (size_t)cap, sizeof *run->pos);
    run->cap = cap;
    return PR_OK;
}

pr_status_t pr_run_scratch(pr_run_t *run, size_t n, pr_error_t *err)
{
    if (n <= run->n_scratch)
        return PR_OK;
    free(run->scratch);
    run->n_scratch = 0;
    run->scratch = pr_alloc_matrix(n, sizeof(float));
    if (!run->scratch)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for attention (%zu floats)", n);
    run->n_scratch = n;
    return PR_OK;
}

// Positions of the rows, and the room their keys need.
static pr_status_t set_positions(pr_run_t *run, const pr_batch_t *b, pr_error_t *err)
{
    int longest = 0, longest_seq = 0;
    for (int s = 0; s < b->n_seq; s++) {
        int past = b->kv ? pr_kv_len(b->kv, b->stream[s]) : 0, n = b->seq_start[s + 1] - b->seq_start[s];
        if (b->kv && past + n > pr_kv_max_len(b->kv))
            return pr_fail(err, PR_ERR_FORMAT, "the KV cache is full: %d tokens held, %d new, room for %d", past, n,
                           pr_kv_max_len(b->kv));
        if (past + n > run->m->config.max_pos)
            return pr_fail(err, PR_ERR_FORMAT, "a sequence has %d tokens, the model takes at most %d", past + n,
                           run->m->config.max_pos);
        for (int i = 0; i < n; i++)
            run->pos[b->seq_start[s] + i] = past + i;
        longest = past + n > longest ? past + n : longest;
        longest_seq = n > longest_seq ? n : longest_seq;
    }
    if (run->m->config.rope != PR_ROPE_NONE)
        PR_TRY(pr_model_rope_reserve(run->m, longest, err));
    size_t heads = (size_t)run->att.group;
    size_t decode = heads * ((size_t)longest + 2 * 16 + (size_t)run->att.head_dim);
    size_t prefill = pr_attention_scratch(longest_seq);
    return pr_run_scratch(run, decode > prefill ? decode : prefill, err);
}

pr_status_t pr_run_prepare(pr_run_t *run, const pr_batch_t *b, pr_error_t *err)
{
    run->rows = b->seq_start[b->n_seq];
    pr_status_t status = pr_lora_plan(run, b, err);
    if (status == PR_OK)
        status = reserve(run, run->rows, err);
    if (status == PR_OK)
        status = set_positions(run, b, err);
    return run->la->agree(run->la, status, err);
}
