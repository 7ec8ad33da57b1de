// SPDX-License-Identifier: BSD-3-Clause
/* The backward pass. The norms and the activation are computed again from what the forward pass kept; gradients of base
 * weights only when asked for, and nothing below the lowest adapted layer. */
#include "model/transformer_internal.h"

#include "base/mem.h"
#include "model/kernels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// One layer's places in the caller's list of gradients; all NULL when only adapters are trained.
typedef struct layer_grads {
    float *norm1_w, *norm1_b, *norm2_w, *norm2_b, *q_norm, *k_norm;
    float *w[PR_N_SLOT], *bias[PR_N_SLOT];
} layer_grads_t;

typedef struct backward {
    pr_run_t *run;
    const pr_batch_t *b;
    const pr_grads_t *g;
    pr_model_tensor_t *tensor; // NULL without full gradients
    size_t n_tensor;
    float *dqkv;         // [T,width]
    float *datt;         // [T,q_width]
    float *dh;           // [block,d]
    float *dact, *dgate; // [block,d_ff] (ff_ld)
    float *du;           // [block, widest u]
    pr_lora_grads_t to;  // the adapter's gradients
} backward_t;

static size_t at(int row, int width)
{
    return (size_t)row * (size_t)width;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

// The gradient's place of the tensor that lies at data.
static float *grad_of(const backward_t *k, const float *data)
{
    for (size_t i = 0; data && i < k->n_tensor; i++)
        if (k->tensor[i].data == data)
            return k->g->weight_grad[i];
    return NULL;
}

static layer_grads_t layer_grads(const backward_t *k, int layer)
{
    const pr_layer_t *w = &k->run->m->layer[layer];
    layer_grads_t g = {.norm1_w = grad_of(k, w->norm1_w),
                       .norm1_b = grad_of(k, w->norm1_b),
                       .norm2_w = grad_of(k, w->norm2_w),
                       .norm2_b = grad_of(k, w->norm2_b),
                       .q_norm = grad_of(k, w->q_norm),
                       .k_norm = grad_of(k, w->k_norm)};
    for (int s = 0; s < PR_N_SLOT; s++) {
        g.w[s] = grad_of(k, w->w[s].data);
        g.bias[s] = grad_of(k, w->bias[s]);
    }
    return g;
}

// dx [n,in] (lddx) = (NULL: not wanted) and the gradients of one group. x: the group's input again.
static void group_backward(const backward_t *k, int layer, pr_group_t g, int row0, int n, const float *x, int ldx,
                           const pr_outputs_t *dy, float *dx, int lddx, const layer_grads_t *grads)
{
    pr_run_t *run = k->run;
    const pr_linalg_t *la = run->la;
    const pr_layer_t *w = &run->m->layer[layer];
    bool more = false;
    for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[g][i] >= 0; i++) {
        int slot = pr_group_slot[g][i];
        const pr_weight_t *ws = &w->w[slot];
        if (!ws->data)
            continue;
        if (dx) {
            la->backward_input(la, ws, n, dy->y[i], dy->ld[i], dx, lddx, more);
            more = true;
        }
        if (grads->w[slot])
            la->backward_weight(la, ws, n, x, ldx, dy->y[i], dy->ld[i], grads->w[slot]);
        if (grads->bias[slot])
            pr_k_column_sums(n, ws->out, dy->y[i], dy->ld[i], grads->bias[slot]);
    }
    const float *u =
        run->lora.width ? run->layer[layer].u[g] + at(row0, run->lora.width[layer * PR_N_GROUP + (int)g]) : NULL;
    pr_lora_backward(run, layer, g, row0, n, x, ldx, dy, u, k->du, dx, lddx, &k->to);
}

// dx [n,d], by the layer's output, becomes that by the MLP's input x_mid.
static void mlp_backward(const backward_t *k, int layer, int row0, int n, float *dx, const layer_grads_t *g)
{
    pr_run_t *run = k->run;
    const pr_layer_t *w = &run->m->layer[layer];
    const pr_saved_t *s = &run->layer[layer];
    int d = run->d, ld = run->ff_ld;
    const float *up = s->up + at(row0, ld), *gate = s->gate ? s->gate + at(row0, ld) : NULL;
    const float *x_mid = s->x_mid + at(row0, d);
    pr_outputs_t outer = {{dx}, {d}}, inner = {{k->dgate, k->dact}, {ld, ld}};

    pr_activate_rows(run, n, gate, up, run->act, run->ff);
    group_backward(k, layer, PR_GROUP_DOWN, row0, n, run->act, run->ff, &outer, k->dact, ld, g);
    pr_activate_rows_backward(run, n, gate, up, k->dgate, k->dact);
    pr_norm_forward(run, n, w->norm2_w, w->norm2_b, x_mid, run->h);
    group_backward(k, layer, PR_GROUP_FF, row0, n, run->h, d, &inner, k->dh, d, g);
    pr_norm_backward(run, n, w->norm2_w, x_mid, k->dh, dx, g->norm2_w, g->norm2_b);
}

static void attention_backward(const backward_t *k, int layer)
{
    pr_run_t *run = k->run;
    pr_attention_t a = run->att;
    const pr_saved_t *s = &run->layer[layer];
    a.window = run->m->config.window ? run->m->config.window[layer] : 0;
    for (int i = 0; i < k->b->n_seq; i++) {
        int r = k->b->seq_start[i], n = k->b->seq_start[i + 1] - r;
        if (n > 0)
            pr_attention_backward(&a, n, s->qkv + at(r, a.width), s->att + at(r, a.out_width), s->lse + at(r, a.n_head),
                                  k->datt + at(r, a.out_width), k->dqkv + at(r, a.width), run->scratch);
    }
}

// dqkv of rows row0.. back through rotation and the q and k norms.
static void place_heads_backward(const backward_t *k, int layer, int row0, int n, float *dqkv, const layer_grads_t *g)
{
    pr_run_t *run = k->run;
    const pr_model_config_t *c = &run->m->config;
    const pr_layer_t *w = &run->m->layer[layer];
    const pr_attention_t *a = &run->att;
    int hd = a->head_dim, qk = a->q_width + a->kv_width;
    float eps = (float)c->norm_eps;
    if (c->rope != PR_ROPE_NONE)
        pr_k_rope(n, a->n_head + a->n_kv_head, hd, run->pos + row0, run->m->rope_cos, run->m->rope_sin, -1.0f, dqkv,
                  a->width);
    for (int r = 0; w->q_norm && r < n; r++) {
        const float *raw = run->layer[layer].qk_raw + at(row0 + r, qk);
        float *dq = dqkv + at(r, a->width), *dk = dq + a->q_width;
        pr_k_rms_norm_backward(a->n_head, hd, raw, hd, w->q_norm, eps, dq, hd, dq, hd, g->q_norm);
        pr_k_rms_norm_backward(a->n_kv_head, hd, raw + a->q_width, hd, w->k_norm, eps, dk, hd, dk, hd, g->k_norm);
    }
}

// dx, by x_mid, becomes that by the layer's input; with below false only the gradients are taken.
static void qkv_backward(const backward_t *k, int layer, int row0, int n, float *dx, bool below, const layer_grads_t *g)
{
    pr_run_t *run = k->run;
    const pr_layer_t *w = &run->m->layer[layer];
    const pr_attention_t *a = &run->att;
    int d = run->d;
    const float *x_in = run->layer[layer].x_in + at(row0, d);
    float *dqkv = k->dqkv + at(row0, a->width);
    pr_outputs_t dy = {{dqkv, dqkv, dqkv + a->q_width, dqkv + a->q_width + a->kv_width},
                       {a->width, a->width, a->width, a->width}};
    place_heads_backward(k, layer, row0, n, dqkv, g);
    pr_zero_columns(n, a->q_width + 2 * a->kv_width, a->width, dqkv, a->width);
    pr_norm_forward(run, n, w->norm1_w, w->norm1_b, x_in, run->h);
    group_backward(k, layer, PR_GROUP_QKV, row0, n, run->h, d, &dy, below ? k->dh : NULL, d, g);
    if (below)
        pr_norm_backward(run, n, w->norm1_w, x_in, k->dh, dx, g->norm1_w, g->norm1_b);
}

static void layer_backward(const backward_t *k, int layer, float *dx, bool below)
{
    pr_run_t *run = k->run;
    const pr_saved_t *s = &run->layer[layer];
    int d = run->d, out = run->att.out_width;
    layer_grads_t g = layer_grads(k, layer);
    for (int r = 0, n; r < run->rows; r += n) {
        n = min_int(run->block, run->rows - r);
        float *dxr = dx + at(r, d);
        pr_outputs_t dy = {{dxr}, {d}};
        mlp_backward(k, layer, r, n, dxr, &g);
        group_backward(k, layer, PR_GROUP_O, r, n, s->att + at(r, out), out, &dy, k->datt + at(r, out), out, &g);
    }
    attention_backward(k, layer);
    for (int r = 0, n; r < run->rows; r += n) {
        n = min_int(run->block, run->rows - r);
        qkv_backward(k, layer, r, n, dx + at(r, d), below, &g);
    }
}

// dx [d] of all features is added to a token's row of the embedding's gradient, where this column has it.
static void embed_row_backward(const pr_model_t *m, int32_t token, const float *dx, float *embed)
{
    int row = token - m->part.vocab.first, d = m->config.d_model;
    if (row < 0 || row >= m->part.vocab.n)
        return;
    if (!m->embed_transposed) {
        pr_k_axpy(d, 1.0f, dx, embed + at(row, m->embed_ld));
        return;
    }
    for (int i = 0; i < d; i++)
        embed[at(i, m->embed_ld) + (size_t)row] += dx[i];
}

static void embed_backward(const backward_t *k, const float *dx)
{
    pr_run_t *run = k->run;
    const pr_model_t *m = run->m;
    float *embed = grad_of(k, m->embed), *pos = grad_of(k, m->pos);
    int d = run->d, *bounds = pr_alloc((size_t)run->la->cols + 1, sizeof *bounds);
    pr_part_bounds(&m->config, run->la->cols, PR_SPACE_D, bounds);
    for (int r0 = 0, n; embed && r0 < run->rows; r0 += n) {
        n = min_int(run->block, run->rows - r0);
        const float *rows = dx + at(r0, d);
        if (run->full) {
            run->la->gather(run->la, n, rows, d, bounds, run->full);
            rows = run->full;
        }
        for (int r = 0; r < n; r++)
            embed_row_backward(m, k->b->token[r0 + r], rows + at(r, m->config.d_model), embed);
    }
    for (int r = 0; pos && r < run->rows; r++)
        pr_k_axpy(d, 1.0f, dx + at(r, d), pos + at(run->pos[r], d));
    free(bounds);
}

// The lowest layer that has something to learn.
static int lowest_layer(const backward_t *k)
{
    int n_layer = k->run->m->config.n_layer;
    if (k->tensor)
        return 0;
    for (int l = 0; k->g->adapter >= 0 && l < n_layer; l++)
        for (int s = 0; s < PR_N_SLOT; s++)
            if (pr_adapter_at(k->b->adapter[k->g->adapter], l, (pr_slot_t)s)->r > 0)
                return l;
    return n_layer;
}

static pr_status_t backward_memory(backward_t *k, pr_error_t *err)
{
    pr_run_t *run = k->run;
    size_t rows = (size_t)run->rows, block = (size_t)run->block, d = (size_t)run->d;
    size_t ff = (size_t)run->ff, width = (size_t)run->att.width, qw = (size_t)run->att.out_width;
    size_t channels = (size_t)k->g->channels,
           rank = channels ? (size_t)pr_adapter_rank(k->b->adapter[k->g->adapter]) : 0;
    size_t n = rows * (width + qw + channels) + block * (d + 2 * ff + (size_t)run->lora.max_width + rank) + 64;
    if (n > run->n_back) {
        free(run->back);
        run->n_back = 0;
        run->back = pr_alloc_matrix(n, sizeof(float));
        if (!run->back)
            return pr_fail(err, PR_ERR_MEMORY, "no memory for the backward pass of %zu tokens (%.2f GB)", rows,
                           4e-9 * (double)n);
        run->n_back = n;
    }
    k->dqkv = run->back;
    k->datt = k->dqkv + rows * width;
    k->dh = k->datt + rows * qw;
    k->dgate = k->dh + block * d;
    k->dact = k->dgate + (run->fused_ff ? ff : block * ff); // side by side, or one behind the other
    k->du = k->dgate + 2 * block * ff;
    float *row_weight = k->du + block * (size_t)run->lora.max_width;
    k->to = (pr_lora_grads_t){.adapter = k->g->adapter,
                              .grad = k->g->adapter_grad,
                              .stride = k->g->adapter >= 0 ? k->b->adapter[k->g->adapter]->n_data : 0,
                              .channels = k->g->channels,
                              .row_weight = row_weight,
                              .scaled = row_weight + channels * rows};
    for (int c = 0; c < k->g->channels; c++)
        for (int i = 0; i < k->b->n_seq; i++)
            for (int r = k->b->seq_start[i]; r < k->b->seq_start[i + 1]; r++)
                row_weight[at(c, run->rows) + (size_t)r] = k->g->channel[at(c, k->b->n_seq) + (size_t)i];
    return PR_OK;
}

pr_status_t pr_backward(pr_run_t *run, const pr_batch_t *b, float *dh, const pr_grads_t *g, pr_error_t *err)
{
    assert(run->save && !b->kv && run->rows == b->seq_start[b->n_seq] && g->adapter < b->n_adapter);
    const pr_model_t *m = run->m;
    backward_t k = {.run = run, .b = b, .g = g};
    PR_TRY(run->la->agree(run->la, backward_memory(&k, err), err));
    assert(k.dh); // else they would have agreed on an error
    if (g->weight_grad)
        k.tensor = pr_model_tensors(m, &k.n_tensor);

    // through the final norm: dx [T,d] starts at zero, rows of dh are read before they are replaced
    int d = run->d, lowest = lowest_layer(&k);
    float *norm_w = grad_of(&k, m->norm_w), *norm_b = grad_of(&k, m->norm_b);
    for (int r = 0, n; r < run->rows; r += n) {
        n = min_int(run->block, run->rows - r);
        memcpy(k.dh, dh + at(r, d), at(n, d) * sizeof *dh);
        memset(dh + at(r, d), 0, at(n, d) * sizeof *dh);
        pr_norm_backward(run, n, m->norm_w, run->x_last + at(r, d), k.dh, dh + at(r, d), norm_w, norm_b);
    }
    for (int l = m->config.n_layer - 1; l >= lowest; l--)
        layer_backward(&k, l, dh, l > lowest || k.tensor);
    if (k.tensor)
        embed_backward(&k, dh);
    free(k.tensor);
    return PR_OK;
}
