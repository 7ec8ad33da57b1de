// SPDX-License-Identifier: BSD-3-Clause
/* The forward pass. */
#include "model/transformer_internal.h"

#include "model/kernels.h"

#include <assert.h>
#include <string.h>

static size_t at(int row, int width)
{
    return (size_t)row * (size_t)width;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static pr_status_t check_tokens(const pr_run_t *run, const pr_batch_t *b, pr_error_t *err)
{
    const pr_model_config_t *c = &run->m->config;
    for (int s = 0; s < b->n_seq; s++) {
        int past = b->kv ? pr_kv_len(b->kv, b->stream[s]) : 0, n = b->seq_start[s + 1] - b->seq_start[s];
        for (int r = b->seq_start[s]; r < b->seq_start[s + 1]; r++)
            if (b->token[r] < 0 || b->token[r] >= c->vocab)
                return pr_fail(err, PR_ERR_FORMAT, "token id %d is outside the vocabulary of %d", b->token[r],
                               c->vocab);
        if (past + n > c->max_pos)
            return pr_fail(err, PR_ERR_FORMAT, "a sequence of %d tokens, but the model's longest has %d", past + n,
                           c->max_pos);
    }
    return PR_OK;
}

// One token's row of the embedding, all features of it.
static void copy_row(const pr_model_t *m, int row, float *to)
{
    int d = m->config.d_model;
    if (!m->embed_transposed) {
        memcpy(to, m->embed + at(row, m->embed_ld), (size_t)d * sizeof *to);
        return;
    }
    for (int i = 0; i < d; i++)
        to[i] = m->embed[at(i, m->embed_ld) + (size_t)row];
}

/* Rows of a vocabulary that is split: every column puts in the rows it has and keeps its own features of the sum. */
static void embed_split(pr_run_t *run, int n, const int32_t *token, float *x)
{
    const pr_part_t *p = &run->m->part;
    int d = run->m->config.d_model;
    memset(run->full, 0, at(n, d) * sizeof *run->full);
    for (int r = 0; r < n; r++) {
        int row = token[r] - p->vocab.first;
        if (row >= 0 && row < p->vocab.n)
            copy_row(run->m, row, run->full + at(r, d));
    }
    run->la->sum(run->la, run->full, at(n, d));
    for (int r = 0; r < n; r++)
        memcpy(x + at(r, p->d.n), run->full + at(r, d) + p->d.first, (size_t)p->d.n * sizeof *x);
}

pr_status_t pr_embed(pr_run_t *run, const pr_batch_t *b, float *x, pr_error_t *err)
{
    const pr_model_t *m = run->m;
    int rows = b->seq_start[b->n_seq];
    PR_TRY(check_tokens(run, b, err));
    for (int r = 0, n; r < rows; r += n) {
        n = min_int(run->block, rows - r);
        if (run->full)
            embed_split(run, n, b->token + r, x + at(r, run->d));
        else
            for (int i = r; i < r + n; i++)
                copy_row(m, b->token[i], x + at(i, run->d));
    }
    for (int s = 0; m->pos && s < b->n_seq; s++) {
        int past = b->kv ? pr_kv_len(b->kv, b->stream[s]) : 0;
        for (int r = b->seq_start[s]; r < b->seq_start[s + 1]; r++)
            pr_k_axpy(run->d, 1.0f, m->pos + at(past + r - b->seq_start[s], run->d), x + at(r, run->d));
    }
    return PR_OK;
}

// Base weights, biases and adapters of one group, rows row0..row0+n-1; accumulate: y += instead of y =.
static void group_forward(pr_run_t *run, int layer, pr_group_t g, int row0, int n, const float *x, int ldx,
                          const pr_outputs_t *out, bool accumulate, float *u)
{
    const pr_layer_t *w = &run->m->layer[layer];
    if (run->observer)
        run->observer(run->observer_self, layer, (int)g, n, x, ldx);
    for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[g][i] >= 0; i++) {
        int slot = pr_group_slot[g][i];
        if (!w->w[slot].data)
            continue;
        run->la->forward(run->la, &w->w[slot], n, x, ldx, out->y[i], out->ld[i], accumulate);
        if (w->bias[slot])
            pr_k_add_bias(n, w->w[slot].out, w->bias[slot], out->y[i], out->ld[i]);
    }
    pr_lora_forward(run, layer, g, row0, n, x, ldx, out, u);
}

static float *u_rows(const pr_run_t *run, const pr_saved_t *s, int layer, pr_group_t g, int row)
{
    return run->save && run->lora.width ? s->u[g] + at(row, run->lora.width[layer * PR_N_GROUP + (int)g]) : s->u[g];
}

// q, k norms (keeping what they change, with save) and rotation of rows row0.. of the fused buffer.
static void place_heads(pr_run_t *run, int layer, int row0, int n, float *qkv)
{
    const pr_model_config_t *c = &run->m->config;
    const pr_layer_t *w = &run->m->layer[layer];
    const pr_attention_t *a = &run->att;
    if (w->q_norm) {
        int qk = a->q_width + a->kv_width;
        float *raw = run->save ? pr_run_layer(run, layer)->qk_raw + at(row0, qk) : NULL;
        for (int r = 0; r < n; r++) {
            float *row = qkv + at(r, a->width);
            if (raw)
                memcpy(raw + at(r, qk), row, (size_t)qk * sizeof *row);
            pr_k_rms_norm(a->n_head, a->head_dim, row, a->head_dim, w->q_norm, (float)c->norm_eps, row, a->head_dim);
            row += a->q_width;
            pr_k_rms_norm(a->n_kv_head, a->head_dim, row, a->head_dim, w->k_norm, (float)c->norm_eps, row, a->head_dim);
        }
    }
    if (c->rope != PR_ROPE_NONE)
        pr_k_rope(n, a->n_head + a->n_kv_head, a->head_dim, run->pos + row0, run->m->rope_cos, run->m->rope_sin, 1.0f,
                  qkv, a->width);
}

static void project_qkv(pr_run_t *run, int layer, const float *x)
{
    const pr_layer_t *w = &run->m->layer[layer];
    const pr_attention_t *a = &run->att;
    pr_saved_t *s = pr_run_layer(run, layer);
    int d = run->d;
    for (int r = 0, n; r < run->rows; r += n) {
        n = min_int(run->block, run->rows - r);
        float *qkv = s->qkv + at(r, a->width);
        pr_outputs_t out = {{qkv, qkv, qkv + a->q_width, qkv + a->q_width + a->kv_width},
                            {a->width, a->width, a->width, a->width}};
        pr_norm_forward(run, n, w->norm1_w, w->norm1_b, x + at(r, d), run->h);
        group_forward(run, layer, PR_GROUP_QKV, r, n, run->h, d, &out, false, u_rows(run, s, layer, PR_GROUP_QKV, r));
        place_heads(run, layer, r, n, qkv);
    }
}

// The keys that will be read behind head h of sequence s: of the next head, or of the next sequence's first.
static const float *next_keys(const pr_batch_t *b, int layer, int s, int h, int n_head)
{
    if (h + 1 < n_head)
        return pr_kv_key(b->kv, layer, b->stream[s], h + 1);
    return pr_kv_key(b->kv, layer, b->stream[s + 1 < b->n_seq ? s + 1 : s], 0);
}

// Rows of sequence s one by one against the cache, which holds all of them.
static void attend_cache(pr_run_t *run, const pr_batch_t *b, int layer, int s, const pr_attention_t *a)
{
    const pr_saved_t *saved = pr_run_layer(run, layer);
    int value_ld = pr_kv_value_ld(b->kv);
    for (int r = b->seq_start[s]; r < b->seq_start[s + 1]; r++) {
        int seen = run->pos[r] + 1, first = a->window > 0 && seen > a->window ? seen - a->window : 0;
        for (int h = 0, q = 0, q_end; h < a->n_kv_head; h++, q = q_end) {
            int col = q * a->head_dim;
            q_end = min_int((h + 1) * a->group - a->skip, a->n_head);
            pr_k_attend(q_end - q, a->head_dim, first, seen, a->scale, saved->qkv + at(r, a->width) + col,
                        pr_kv_key(b->kv, layer, b->stream[s], h), pr_kv_value(b->kv, layer, b->stream[s], h), value_ld,
                        next_keys(b, layer, s, h, a->n_kv_head), run->scratch, saved->att + at(r, a->out_width) + col);
        }
    }
}

static void attend(pr_run_t *run, const pr_batch_t *b, int layer)
{
    pr_attention_t a = run->att;
    pr_saved_t *s = pr_run_layer(run, layer);
    a.window = run->m->config.window ? run->m->config.window[layer] : 0;
    pr_zero_columns(run->rows, a.q_width, a.out_width, s->att, a.out_width);
    for (int i = 0; i < b->n_seq; i++) {
        int r = b->seq_start[i], n = b->seq_start[i + 1] - r;
        const float *qkv = s->qkv + at(r, a.width);
        if (b->kv)
            pr_kv_write(b->kv, layer, b->stream[i], n, qkv + a.q_width, qkv + a.q_width + a.kv_width, a.width);
        if (b->kv && (n == 1 || pr_kv_len(b->kv, b->stream[i]) > 0))
            attend_cache(run, b, layer, i, &a);
        else if (n > 0)
            pr_attention_forward(&a, n, qkv, s->att + at(r, a.out_width), run->save ? s->lse + at(r, a.n_head) : NULL,
                                 run->scratch);
    }
}

// x += attention's output projection, then x += MLP(norm(x)), by blocks of rows.
static void project_and_mlp(pr_run_t *run, int layer, float *x)
{
    const pr_layer_t *w = &run->m->layer[layer];
    pr_saved_t *s = pr_run_layer(run, layer);
    int d = run->d, ld = run->ff_ld, out = run->att.out_width;
    for (int r = 0, n; r < run->rows; r += n) {
        n = min_int(run->block, run->rows - r);
        float *xr = x + at(r, d);
        float *up = s->up + (run->save ? at(r, ld) : 0), *gate = s->gate ? s->gate + (run->save ? at(r, ld) : 0) : NULL;
        pr_outputs_t residual = {{xr}, {d}}, inner = {{gate, up}, {ld, ld}};
        group_forward(run, layer, PR_GROUP_O, r, n, s->att + at(r, out), out, &residual, true,
                      u_rows(run, s, layer, PR_GROUP_O, r));
        if (run->save)
            memcpy(s->x_mid + at(r, d), xr, at(n, d) * sizeof *xr);
        pr_norm_forward(run, n, w->norm2_w, w->norm2_b, xr, run->h);
        group_forward(run, layer, PR_GROUP_FF, r, n, run->h, d, &inner, false, u_rows(run, s, layer, PR_GROUP_FF, r));
        float *act = run->save ? run->act : up;
        int ld_act = run->save ? run->ff : ld;
        pr_activate_rows(run, n, gate, up, act, ld_act);
        group_forward(run, layer, PR_GROUP_DOWN, r, n, act, ld_act, &residual, true,
                      u_rows(run, s, layer, PR_GROUP_DOWN, r));
    }
}

pr_status_t pr_layers(pr_run_t *run, const pr_batch_t *b, int first, int last, float *x, pr_error_t *err)
{
    assert(0 <= first && first <= last && last <= run->m->config.n_layer && !(run->save && b->kv));
    PR_TRY(pr_run_prepare(run, b, err));
    for (int l = first; l < last; l++) {
        assert(!b->kv || pr_kv_has_layer(b->kv, l));
        if (run->save)
            memcpy(run->layer[l].x_in, x, at(run->rows, run->d) * sizeof *x);
        project_qkv(run, l, x);
        attend(run, b, l);
        project_and_mlp(run, l, x);
    }
    return PR_OK;
}

void pr_kv_advance(const pr_batch_t *b)
{
    for (int s = 0; s < b->n_seq; s++)
        pr_kv_grow(b->kv, b->stream[s], b->seq_start[s + 1] - b->seq_start[s]);
}

void pr_final_norm(pr_run_t *run, int n, const float *x, float *h)
{
    if (run->save) {
        assert(n <= run->cap);
        memcpy(run->x_last, x, at(n, run->d) * sizeof *x);
    }
    for (int r = 0, k; r < n; r += k) {
        k = min_int(run->block, n - r);
        pr_norm_forward(run, k, run->m->norm_w, run->m->norm_b, x + at(r, run->d), h + at(r, run->d));
    }
}

pr_status_t pr_forward(pr_run_t *run, const pr_batch_t *b, float *h, pr_error_t *err)
{
    PR_TRY(pr_embed(run, b, h, err));
    PR_TRY(pr_layers(run, b, 0, run->m->config.n_layer, h, err));
    pr_final_norm(run, b->seq_start[b->n_seq], h, h);
    if (b->kv)
        pr_kv_advance(b);
    return PR_OK;
}
