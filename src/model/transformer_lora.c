// SPDX-License-Identifier: BSD-3-Clause
/* Adapters on packed rows: y += c (x At) Bt, with c the row's weight of the adapter times its scale.
 *
 * The rows of a batch are cut into segments whose sequences use the same adapters; a segment's adapters are run
 * together when they are neighbours (all of them, for `params` at an inner point; one, for an expert's rows). For such
 * a set the As of all maps that read the same input are stacked, so that they are one product. */
#include "model/transformer_internal.h"

#include "base/mem.h"
#include "model/kernels.h"

#include <stdlib.h>
#include <string.h>

const int pr_group_slot[PR_N_GROUP][PR_GROUP_SLOTS] = {
    [PR_GROUP_QKV] = {PR_SLOT_QKV, PR_SLOT_Q, PR_SLOT_K, PR_SLOT_V},
    [PR_GROUP_O] = {PR_SLOT_O, -1, -1, -1},
    [PR_GROUP_FF] = {PR_SLOT_GATE, PR_SLOT_UP, -1, -1},
    [PR_GROUP_DOWN] = {PR_SLOT_DOWN, -1, -1, -1},
};

static const pr_lora_t *lora_at(const pr_lora_plan_t *p, int k, int layer, int slot)
{
    return pr_adapter_at(p->adapter[k], layer, (pr_slot_t)slot);
}

// Sum of ranks of adapters k0..k1-1 in a group of a layer.
static int group_width(const pr_lora_plan_t *p, int k0, int k1, int layer, int g)
{
    int width = 0;
    for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[g][i] >= 0; i++)
        for (int k = k0; k < k1; k++)
            width += lora_at(p, k, layer, pr_group_slot[g][i])->r;
    return width;
}

static int slot_width(const pr_lora_plan_t *p, const pr_lora_pack_t *pack, int layer, int slot)
{
    int width = 0;
    for (int k = pack->k0; k < pack->k1; k++)
        width += lora_at(p, k, layer, slot)->r;
    return width;
}

/* What this column has of one slot: A [r, in] and B [out, r] are cut to its features; u = x At is summed over the
 * columns. */
typedef struct slot_part {
    int all_in; // of A as the adapter has it
    pr_range_t in;
    int n_range;
    pr_range_t range[3]; // of B's rows
    int out;             // rows in all ranges
} slot_part_t;

static bool slot_part(const pr_run_t *run, int slot, slot_part_t *p)
{
    const pr_model_config_t *c = &run->m->config;
    int all_out;
    if (!pr_slot_shape(c, (pr_slot_t)slot, &all_out, &p->all_in))
        return false;
    p->in = pr_part_slot_in(c, &run->m->part, (pr_slot_t)slot);
    p->n_range = pr_part_slot_out(c, &run->m->part, (pr_slot_t)slot, p->range);
    p->out = 0;
    for (int i = 0; i < p->n_range; i++)
        p->out += p->range[i].n;
    return true;
}

// Copies one slot's A (rows) and B (columns) of all of a pack's adapters; returns the memory behind.
static float *stack_slot(const pr_lora_plan_t *p, const pr_lora_pack_t *pack, int layer, int slot,
                         const slot_part_t *part, float *a, pr_weight_t *b, float *memory)
{
    int width = slot_width(p, pack, layer, slot), col = 0;
    size_t in = (size_t)part->in.n;
    *b = (pr_weight_t){.data = memory, .out = part->out, .in = width, .ld = width};
    for (int k = pack->k0; k < pack->k1; k++) {
        const pr_lora_t *l = lora_at(p, k, layer, slot);
        if (l->r == 0)
            continue;
        for (int r = 0; r < l->r; r++)
            memcpy(a + (size_t)(col + r) * in, l->a + (size_t)r * (size_t)part->all_in + part->in.first,
                   in * sizeof *a);
        float *row = memory + col;
        for (int i = 0; i < part->n_range; i++)
            for (int o = 0; o < part->range[i].n; o++, row += width)
                memcpy(row, l->b + (size_t)(part->range[i].first + o) * (size_t)l->r, (size_t)l->r * sizeof *a);
        col += l->r;
    }
    return memory + (size_t)part->out * (size_t)width;
}

// Stacks one group of one layer; returns the memory behind. With data NULL only counts.
static size_t stack_group(const pr_run_t *run, const pr_lora_pack_t *pack, int layer, int g, float *memory)
{
    const pr_lora_plan_t *p = &run->lora;
    pr_lora_group_t *group = &pack->group[layer * PR_N_GROUP + g];
    int width = group_width(p, pack->k0, pack->k1, layer, g), in = 0;
    slot_part_t part;
    size_t used = 0;
    *group = (pr_lora_group_t){.width = width, .off = group_width(p, 0, pack->k0, layer, g)};
    for (int i = 0, col = 0; i < PR_GROUP_SLOTS && pr_group_slot[g][i] >= 0; i++) {
        int w = slot_width(p, pack, layer, pr_group_slot[g][i]);
        if (w == 0 || !slot_part(run, pr_group_slot[g][i], &part))
            continue;
        in = part.in.n;
        used += (size_t)part.out * (size_t)w + (size_t)in * (size_t)w;
        group->col[i] = col;
        col += w;
    }
    if (!memory || width == 0)
        return used;
    group->a = (pr_weight_t){.data = memory, .out = width, .in = in, .ld = in};
    float *a = memory, *b = memory + (size_t)width * (size_t)in;
    for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[g][i] >= 0; i++) {
        int slot = pr_group_slot[g][i], w = slot_width(p, pack, layer, slot);
        if (w == 0 || !slot_part(run, slot, &part))
            continue;
        b = stack_slot(p, pack, layer, slot, &part, a + (size_t)group->col[i] * (size_t)in, &group->b[i], b);
    }
    return used;
}

static size_t stack_all(const pr_run_t *run, const pr_lora_pack_t *pack, float *memory)
{
    size_t used = 0;
    for (int l = 0; l < run->m->config.n_layer; l++)
        for (int g = 0; g < PR_N_GROUP; g++)
            used += stack_group(run, pack, l, g, memory ? memory + used : NULL);
    return used;
}

static pr_status_t pack_new(pr_run_t *run, int k0, int k1, int *index, pr_error_t *err)
{
    pr_lora_plan_t *p = &run->lora;
    for (*index = 0; *index < p->n_pack; ++*index)
        if (p->pack[*index].k0 == k0 && p->pack[*index].k1 == k1)
            return PR_OK;
    p->pack = pr_realloc(p->pack, (size_t)p->n_pack + 1, sizeof *p->pack);
    pr_lora_pack_t *pack = &p->pack[p->n_pack];
    *pack = (pr_lora_pack_t){.k0 = k0, .k1 = k1};
    pack->group = pr_alloc((size_t)run->m->config.n_layer * PR_N_GROUP, sizeof *pack->group);
    size_t n = stack_all(run, pack, NULL);
    pack->data = pr_alloc_matrix(n, sizeof(float));
    p->n_pack++;
    if (!pack->data)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for %zu adapter weights", n);
    stack_all(run, pack, pack->data);
    return PR_OK;
}

static void packs_clear(pr_lora_plan_t *p)
{
    for (int i = 0; i < p->n_pack; i++) {
        free(p->pack[i].group);
        free(p->pack[i].data);
    }
    p->n_pack = 0;
}

void pr_lora_plan_clear(pr_lora_plan_t *p)
{
    packs_clear(p);
    free(p->pack);
    free(p->segment);
    free(p->mix);
    free(p->width);
    free(p->adapter);
    *p = (pr_lora_plan_t){0};
}

static bool same_adapters(const pr_lora_plan_t *p, const pr_batch_t *b)
{
    return p->width && p->n_adapter == b->n_adapter &&
           (b->n_adapter == 0 || memcmp(p->adapter, b->adapter, (size_t)b->n_adapter * sizeof *p->adapter) == 0);
}

static void set_adapters(pr_run_t *run, const pr_batch_t *b)
{
    pr_lora_plan_t *p = &run->lora;
    int n_layer = run->m->config.n_layer;
    packs_clear(p);
    p->n_adapter = b->n_adapter;
    p->adapter = pr_realloc(p->adapter, (size_t)b->n_adapter, sizeof *p->adapter);
    if (b->n_adapter)
        memcpy(p->adapter, b->adapter, (size_t)b->n_adapter * sizeof *p->adapter);
    p->width = pr_realloc(p->width, (size_t)n_layer * PR_N_GROUP, sizeof *p->width);
    p->max_width = 0;
    for (int i = 0; i < n_layer * PR_N_GROUP; i++) {
        p->width[i] = group_width(p, 0, b->n_adapter, i / PR_N_GROUP, i % PR_N_GROUP);
        p->max_width = p->width[i] > p->max_width ? p->width[i] : p->max_width;
    }
}

static void add_segment(pr_lora_plan_t *p, int row0, int row1, int pack)
{
    if (p->n_segment == p->cap_segment) {
        p->cap_segment = 2 * p->cap_segment + 16;
        p->segment = pr_realloc(p->segment, (size_t)p->cap_segment, sizeof *p->segment);
    }
    p->segment[p->n_segment++] = (pr_lora_segment_t){row0, row1, pack};
}

static bool same_pattern(int k, const float *a, const float *b)
{
    for (int i = 0; i < k; i++)
        if ((a[i] != 0.0f) != (b[i] != 0.0f))
            return false;
    return true;
}

// Segments of rows [row0,row1) with weights like mix: one for each run of neighbouring adapters in use.
static pr_status_t cut_pattern(pr_run_t *run, int row0, int row1, const float *mix, pr_error_t *err)
{
    pr_lora_plan_t *p = &run->lora;
    for (int k = 0; k < p->n_adapter;) {
        int k1 = k, pack;
        while (k1 < p->n_adapter && mix[k1] != 0.0f)
            k1++;
        if (k1 > k && row1 > row0) {
            PR_TRY(pack_new(run, k, k1, &pack, err));
            add_segment(p, row0, row1, pack);
        }
        k = k1 > k ? k1 : k + 1;
    }
    return PR_OK;
}

static pr_status_t cut_segments(pr_run_t *run, const pr_batch_t *b, pr_error_t *err)
{
    int k = b->n_adapter;
    for (int s = 0, e; s < b->n_seq; s = e) {
        const float *mix = b->mix + (size_t)s * (size_t)k;
        for (e = s + 1; e < b->n_seq && same_pattern(k, mix, b->mix + (size_t)e * (size_t)k);)
            e++;
        PR_TRY(cut_pattern(run, b->seq_start[s], b->seq_start[e], mix, err));
    }
    return PR_OK;
}

pr_status_t pr_lora_plan(pr_run_t *run, const pr_batch_t *b, pr_error_t *err)
{
    pr_lora_plan_t *p = &run->lora;
    int rows = b->seq_start[b->n_seq], k = b->n_adapter;
    if (!run->frozen || !same_adapters(p, b))
        set_adapters(run, b);
    p->n_segment = 0;
    if (k == 0)
        return PR_OK;
    if (p->cap_mix < rows * k) {
        p->cap_mix = rows * k;
        p->mix = pr_realloc(p->mix, (size_t)p->cap_mix, sizeof *p->mix);
    }
    for (int s = 0; s < b->n_seq; s++)
        for (int i = 0; i < k; i++)
            for (int r = b->seq_start[s]; r < b->seq_start[s + 1]; r++)
                p->mix[(size_t)i * (size_t)rows + (size_t)r] = b->mix[(size_t)s * (size_t)k + (size_t)i];
    return cut_segments(run, b, err);
}

// u [n,*] (ldu, at the pack's first column) *= weight of the row's adapter times the adapter's scale.
static void scale_u(pr_run_t *run, const pr_lora_pack_t *pack, int layer, pr_group_t g, int row, int n, float *u,
                    int ldu)
{
    const pr_lora_plan_t *p = &run->lora;
    int col = 0;
    for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[g][i] >= 0; i++)
        for (int k = pack->k0; k < pack->k1; k++) {
            const pr_lora_t *l = lora_at(p, k, layer, pr_group_slot[g][i]);
            if (l->r == 0)
                continue;
            pr_k_axpby(n, l->scale, p->mix + (size_t)k * (size_t)run->rows + row, 0.0f, run->row_mix);
            pr_k_scale_rows(n, l->r, run->row_mix, u + col, ldu);
            col += l->r;
        }
}

// The part of segment s that lies in rows [row0, row0+n); false when there is none.
static bool clip(const pr_lora_segment_t *s, int row0, int n, int *first, int *count)
{
    int lo = s->row0 > row0 ? s->row0 : row0, hi = s->row1 < row0 + n ? s->row1 : row0 + n;
    *first = lo - row0;
    *count = hi - lo;
    return hi > lo;
}

// A segment's share of a block of rows: where it begins and ends there, and its adapters' stacked weights.
typedef struct lora_rows {
    const pr_lora_pack_t *pack;
    const pr_lora_group_t *w;
    int at, count;
} lora_rows_t;

static bool segment_rows(const pr_run_t *run, int layer, pr_group_t g, int segment, int row0, int n, lora_rows_t *out)
{
    out->pack = &run->lora.pack[run->lora.segment[segment].pack];
    out->w = &out->pack->group[layer * PR_N_GROUP + (int)g];
    return out->w->width > 0 && clip(&run->lora.segment[segment], row0, n, &out->at, &out->count);
}

void pr_lora_forward(pr_run_t *run, int layer, pr_group_t g, int row0, int n, const float *x, int ldx,
                     const pr_outputs_t *out, float *u)
{
    const pr_linalg_t *la = run->la;
    int ldu = run->lora.width ? run->lora.width[layer * PR_N_GROUP + (int)g] : 0;
    lora_rows_t s;
    if (ldu == 0 || run->lora.n_segment == 0)
        return;
    if (la->cols > 1) // what no segment fills is summed too
        memset(u, 0, (size_t)n * (size_t)ldu * sizeof *u);
    for (int i = 0; i < run->lora.n_segment; i++)
        if (segment_rows(run, layer, g, i, row0, n, &s) && s.w->a.in > 0)
            la->forward(la, &s.w->a, s.count, x + (size_t)s.at * (size_t)ldx, ldx,
                        u + (size_t)s.at * (size_t)ldu + s.w->off, ldu, false);
    if (la->cols > 1)
        la->sum(la, u, (size_t)n * (size_t)ldu);
    for (int i = 0; i < run->lora.n_segment; i++) {
        if (!segment_rows(run, layer, g, i, row0, n, &s))
            continue;
        float *us = u + (size_t)s.at * (size_t)ldu + s.w->off;
        scale_u(run, s.pack, layer, g, row0 + s.at, s.count, us, ldu);
        for (int j = 0; j < PR_GROUP_SLOTS; j++)
            if (s.w->b[j].out > 0)
                la->forward(la, &s.w->b[j], s.count, us + s.w->col[j], ldu,
                            out->y[j] + (size_t)s.at * (size_t)out->ld[j], out->ld[j], true);
    }
}

// dB += dyt u of one adapter's slot, its rows where this column has them.
static void b_gradient(const pr_run_t *run, const slot_part_t *part, const pr_lora_t *l, int n, const float *u, int ldu,
                       const float *dy, int lddy, float *grad)
{
    const pr_linalg_t *la = run->la;
    for (int i = 0; i < part->n_range; i++) {
        pr_weight_t b = {.data = l->b, .out = part->range[i].n, .in = l->r, .ld = l->r};
        la->backward_weight(la, &b, n, u, ldu, dy, lddy, grad + (size_t)part->range[i].first * (size_t)l->r);
        dy += part->range[i].n;
    }
}

// Rows [n,r] of u times their weights, one after the other.
static const float *weighted_rows(const float *u, int ldu, int n, int r, const float *weight, float *out)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < r; j++)
            out[(size_t)i * (size_t)r + (size_t)j] = weight[i] * u[(size_t)i * (size_t)ldu + (size_t)j];
    return out;
}

/* One slot: rows of one segment, the first of which is row `first` of the batch. */
static void slot_gradients(const pr_run_t *run, const pr_lora_t *l, const slot_part_t *part, int first, int n,
                           const float *x, int ldx, const float *dy, int lddy, const float *u, const float *du, int ldu,
                           const pr_lora_grads_t *to)
{
    const pr_linalg_t *la = run->la;
    const float *base = run->lora.adapter[to->adapter]->data;
    pr_weight_t a = {.data = l->a, .out = l->r, .in = part->in.n, .ld = part->all_in};
    if (to->channels == 0) {
        la->backward_weight(la, &a, n, x, ldx, du, ldu, to->grad + (l->a - base) + part->in.first);
        b_gradient(run, part, l, n, u, ldu, dy, lddy, to->grad + (l->b - base));
        return;
    }
    for (int c = 0; c < to->channels; c++) {
        const float *weight = to->row_weight + (size_t)c * (size_t)run->rows + first;
        float *grad = to->grad + (size_t)c * to->stride;
        const float *rows = weighted_rows(du, ldu, n, l->r, weight, to->scaled);
        la->backward_weight(la, &a, n, x, ldx, rows, l->r, grad + (l->a - base) + part->in.first);
        rows = weighted_rows(u, ldu, n, l->r, weight, to->scaled);
        b_gradient(run, part, l, n, rows, l->r, dy, lddy, grad + (l->b - base));
    }
}

// dA += dut x and dB += dyt u of one adapter, for rows of one segment of the block that begins at row0.
static void adapter_gradients(pr_run_t *run, const lora_rows_t *s, int layer, pr_group_t g, int row0, const float *x,
                              int ldx, const pr_outputs_t *dy, const float *u, const float *du, int ldu,
                              const pr_lora_grads_t *to)
{
    slot_part_t part;
    for (int i = 0; i < PR_GROUP_SLOTS; i++) {
        if (s->w->b[i].in == 0) // not adapted
            continue;
        int slot = pr_group_slot[g][i], col = s->w->col[i];
        for (int k = s->pack->k0; k < to->adapter; k++)
            col += lora_at(&run->lora, k, layer, slot)->r;
        const pr_lora_t *l = lora_at(&run->lora, to->adapter, layer, slot);
        if (l->r == 0 || !slot_part(run, slot, &part))
            continue;
        slot_gradients(run, l, &part, row0 + s->at, s->count, x, ldx, dy->y[i] + (size_t)s->at * (size_t)dy->ld[i],
                       dy->ld[i], u + col, du + col, ldu, to);
    }
}

void pr_lora_backward(pr_run_t *run, int layer, pr_group_t g, int row0, int n, const float *x, int ldx,
                      const pr_outputs_t *dy, const float *u, float *du, float *dx, int lddx, const pr_lora_grads_t *to)
{
    const pr_linalg_t *la = run->la;
    int ldu = run->lora.width ? run->lora.width[layer * PR_N_GROUP + (int)g] : 0;
    lora_rows_t s;
    for (int i = 0; ldu > 0 && i < run->lora.n_segment; i++) {
        if (!segment_rows(run, layer, g, i, row0, n, &s))
            continue;
        if (la->cols > 1)
            memset(du, 0, (size_t)s.count * (size_t)ldu * sizeof *du);
        for (int j = 0; j < PR_GROUP_SLOTS; j++)
            if (s.w->b[j].out > 0)
                la->backward_input(la, &s.w->b[j], s.count, dy->y[j] + (size_t)s.at * (size_t)dy->ld[j], dy->ld[j],
                                   du + s.w->col[j], ldu, false);
        if (la->cols > 1)
            la->sum(la, du, (size_t)s.count * (size_t)ldu);
        scale_u(run, s.pack, layer, g, row0 + s.at, s.count, du, ldu);
        if (dx && s.w->a.in > 0)
            la->backward_input(la, &s.w->a, s.count, du, ldu, dx + (size_t)s.at * (size_t)lddx, lddx, true);
        if (s.pack->k0 <= to->adapter && to->adapter < s.pack->k1)
            adapter_gradients(run, &s, layer, g, row0, x + (size_t)s.at * (size_t)ldx, ldx, dy,
                              u + (size_t)s.at * (size_t)ldu + s.w->off, du, ldu, to);
    }
}
