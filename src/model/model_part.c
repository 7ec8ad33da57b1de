// SPDX-License-Identifier: BSD-3-Clause
/* The part of a model that one column of a team holds.
 *
 * Weights lie as PBLAS wants them on a grid of cols x 1 processes, where features are distributed along process rows
 * (mpi/grid.h): a weight whose outputs are split is stored [in, own outputs], one whose inputs are split [out, own
 * inputs], each a column-major matrix with its split dimension first. */
#include "base/mem.h"
#include "base/rng.h"
#include "model/model_parts.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { READ_ROWS = 16 }; // rows that are read before they are put, so that transposed stores fill cache lines

/* Rows r0.. and columns c0.. of a tensor as it is stored in files, and where they lie here. */
typedef struct piece {
    int r0, nr, c0, nc;
    const float *base; // of the tensor of pr_model_part_tensors that it is in
    size_t at;         // first element in there
    int ld;
    bool transposed; // element (r,c) lies at c ld + r instead of r ld + c
    bool by_row;     // outputs lie along rows, for `shared`
    int shared;      // so many leading outputs are held by a lower column too
} piece_t;

/* ---- where things lie ---- */

static bool splits_in(pr_slot_t slot)
{
    return slot == PR_SLOT_O || slot == PR_SLOT_DOWN;
}

// The slot that holds a slot's weight in a part.
static pr_slot_t home_of(const pr_model_t *m, pr_slot_t slot)
{
    if (slot <= PR_SLOT_V)
        return PR_SLOT_QKV;
    return slot == PR_SLOT_UP && m->config.arch != PR_ARCH_GPT2 ? PR_SLOT_GATE : slot;
}

// First column of the slot's outputs among those of its home.
static int offset_in_home(const pr_model_t *m, pr_slot_t slot)
{
    int hd = m->config.head_dim, q = m->part.head.n * hd, kv = m->part.kv_head.n * hd;
    if (slot == PR_SLOT_K || slot == PR_SLOT_V)
        return q + (slot == PR_SLOT_V ? kv : 0);
    return slot == PR_SLOT_UP && home_of(m, slot) == PR_SLOT_GATE ? m->part.ff.n : 0;
}

// Leading key/value features that the column before holds too.
static int shared_kv(const pr_model_t *m)
{
    if (m->part.col == 0)
        return 0;
    pr_part_t before = pr_part(&m->config, m->part.cols, m->part.col - 1);
    int end = before.kv_head.first + before.kv_head.n;
    return end > m->part.kv_head.first ? (end - m->part.kv_head.first) * m->config.head_dim : 0;
}

static pr_weight_t split_out(const pr_model_t *m, int out, int all_out, int block_out)
{
    return (pr_weight_t){.out = out,
                         .in = m->part.d.n,
                         .ld = out,
                         .transposed = true,
                         .split = PR_SPLIT_OUT,
                         .all_out = all_out,
                         .all_in = m->config.d_model,
                         .block_out = block_out,
                         .block_in = m->part.d_block};
}

static pr_weight_t split_in(const pr_model_t *m, int in, int all_in, int block_in)
{
    return (pr_weight_t){.out = m->part.d.n,
                         .in = in,
                         .ld = in,
                         .split = PR_SPLIT_IN,
                         .all_out = m->config.d_model,
                         .all_in = all_in,
                         .block_out = m->part.d_block,
                         .block_in = block_in};
}

static pr_weight_t home_shape(const pr_model_t *m, pr_slot_t home)
{
    const pr_part_t *p = &m->part;
    int maps = home == PR_SLOT_GATE ? 2 : 1;
    switch (home) {
    case PR_SLOT_QKV:
        return split_out(m, p->qkv_block, p->cols * p->qkv_block, p->qkv_block);
    case PR_SLOT_O:
        return split_in(m, p->q_block, p->cols * p->q_block, p->q_block);
    case PR_SLOT_DOWN:
        return split_in(m, p->ff.n, m->config.d_ff, p->ff_block);
    default:
        return split_out(m, maps * p->ff.n, maps * m->config.d_ff, maps * p->ff_block);
    }
}

// Elements in memory.
static size_t weight_size(const pr_weight_t *w)
{
    return (size_t)w->ld * (size_t)(w->transposed ? w->all_in : w->all_out);
}

/* ---- layout ---- */

static pr_status_t block(pr_model_t *m, size_t n, const float **at, const pr_model_spec_t *s, pr_error_t *err)
{
    float *p = pr_model_block(m, n);
    if (!p)
        return pr_fail(err, PR_ERR_MEMORY, "tensor '%s': no memory for %zu floats", s->name, n);
    memset(p, 0, n * sizeof *p);
    *at = p;
    return PR_OK;
}

static pr_status_t lay_out_slot(pr_model_t *m, const pr_model_spec_t *s, pr_error_t *err)
{
    pr_layer_t *layer = &m->layer[s->layer];
    pr_slot_t home = home_of(m, s->slot);
    pr_weight_t shape = home_shape(m, home), *w = &layer->w[home];
    if (s->kind == PR_SPEC_BIAS)
        return layer->bias[home] ? PR_OK : block(m, (size_t)shape.out, &layer->bias[home], s, err);
    if (w->data)
        return PR_OK;
    *w = shape;
    return block(m, weight_size(w), &w->data, s, err);
}

static pr_status_t lay_out_vocab(pr_model_t *m, const pr_model_spec_t *s, pr_error_t *err)
{
    const pr_part_t *p = &m->part;
    bool tied = s->kind == PR_SPEC_EMBED && !m->config.n_label && m->config.tied_head;
    if (s->kind == PR_SPEC_HEAD || tied) {
        m->head = split_out(m, p->vocab.n, m->config.vocab, p->vocab_block);
        PR_TRY(block(m, weight_size(&m->head), &m->head.data, s, err));
    }
    if (s->kind == PR_SPEC_HEAD)
        return PR_OK;
    m->embed_transposed = tied;
    m->embed_ld = tied ? m->head.ld : m->config.d_model;
    if (!tied)
        return block(m, (size_t)p->vocab.n * (size_t)m->config.d_model, &m->embed, s, err);
    m->embed = m->head.data;
    return PR_OK;
}

static pr_status_t lay_out(pr_model_t *m, const pr_model_spec_t *s, pr_error_t *err)
{
    size_t d = (size_t)m->part.d.n;
    switch (s->kind) {
    case PR_SPEC_WEIGHT:
    case PR_SPEC_BIAS:
        return lay_out_slot(m, s, err);
    case PR_SPEC_EMBED:
    case PR_SPEC_HEAD:
        return lay_out_vocab(m, s, err);
    case PR_SPEC_HEAD_NORM:
        return block(m, (size_t)s->shape[0], s->at, s, err);
    case PR_SPEC_NORM:
        return block(m, d, s->at, s, err);
    default:
        if (s->kind == PR_SPEC_SCORE)
            m->score = (pr_weight_t){.out = s->shape[0], .in = m->part.d.n, .ld = m->part.d.n};
        return block(m, (size_t)s->shape[0] * d, s->at, s, err);
    }
}

/* ---- pieces ---- */

static int slot_pieces(const pr_model_t *m, const pr_model_spec_t *s, piece_t out[3])
{
    const pr_layer_t *layer = &m->layer[s->layer];
    pr_slot_t home = home_of(m, s->slot);
    const pr_weight_t *w = &layer->w[home];
    bool conv = m->config.arch == PR_ARCH_GPT2, bias = s->kind == PR_SPEC_BIAS, kv = home == PR_SLOT_QKV;
    pr_range_t in = pr_part_slot_in(&m->config, &m->part, s->slot), outs[3];
    int n = pr_part_slot_out(&m->config, &m->part, s->slot, outs), off = offset_in_home(m, s->slot);
    if (splits_in(s->slot) && !bias) { // all outputs, own inputs
        outs[0] = (pr_range_t){0, m->config.d_model};
        out[0] = conv ? (piece_t){in.first, in.n, 0, outs[0].n, w->data, 0, w->ld, true, false, 0}
                      : (piece_t){0, outs[0].n, in.first, in.n, w->data, 0, w->ld, false, true, 0};
        return 1;
    }
    for (int i = 0; i < n; i++) {
        pr_range_t o = outs[i];
        bool key = kv && (s->slot == PR_SLOT_K || s->slot == PR_SLOT_V || i > 0);
        int all = bias ? 1 : m->config.d_model;
        const float *base = bias ? layer->bias[home] : w->data;
        out[i] = conv || bias ? (piece_t){0, all, o.first, o.n, base, (size_t)off, bias ? 0 : w->ld, false, false, 0}
                              : (piece_t){o.first, o.n, 0, all, base, (size_t)off, w->ld, true, true, 0};
        out[i].shared = key ? shared_kv(m) : 0;
        off += o.n;
    }
    return n;
}

// A tensor's pieces here; returns how many.
static int pieces_of(const pr_model_t *m, const pr_model_spec_t *s, piece_t out[3])
{
    const pr_part_t *p = &m->part;
    int rows = s->shape[0], d = m->config.d_model;
    switch (s->kind) {
    case PR_SPEC_WEIGHT:
    case PR_SPEC_BIAS:
        return slot_pieces(m, s, out);
    case PR_SPEC_EMBED:
        out[0] = (piece_t){p->vocab.first, p->vocab.n, 0, d, m->embed, 0, m->embed_ld, m->embed_transposed, true, 0};
        return 1;
    case PR_SPEC_HEAD:
        out[0] = (piece_t){p->vocab.first, p->vocab.n, 0, d, m->head.data, 0, m->head.ld, true, true, 0};
        return 1;
    case PR_SPEC_HEAD_NORM:
        out[0] = (piece_t){0, 1, 0, rows, *s->at, 0, rows, false, false, p->col > 0 ? rows : 0};
        return 1;
    case PR_SPEC_NORM:
        out[0] = (piece_t){0, 1, p->d.first, p->d.n, *s->at, 0, p->d.n, false, false, 0};
        return 1;
    default:
        out[0] = (piece_t){0, rows, p->d.first, p->d.n, *s->at, 0, p->d.n, false, true, 0};
        return 1;
    }
}

// Elements of a tensor's stored row.
static int row_length(const pr_model_spec_t *s)
{
    return s->n_dim == 2 ? s->shape[1] : s->shape[0];
}

static size_t place(const piece_t *p, int r, int c)
{
    return p->at + (p->transposed ? (size_t)c * (size_t)p->ld + (size_t)r : (size_t)r * (size_t)p->ld + (size_t)c);
}

/* ---- reading ---- */

static void put_rows(const piece_t *p, int r, int n, const float *rows, float *to)
{
    if (!p->transposed) {
        for (int i = 0; i < n; i++)
            memcpy(to + place(p, r + i, 0), rows + (size_t)i * (size_t)p->nc, (size_t)p->nc * sizeof *to);
        return;
    }
    for (int c = 0; c < p->nc; c++)
        for (int i = 0; i < n; i++)
            to[place(p, r + i, c)] = rows[(size_t)i * (size_t)p->nc + (size_t)c];
}

static pr_status_t read_piece(const pr_model_spec_t *s, const piece_t *p, pr_part_read_fn read, void *self,
                              pr_error_t *err)
{
    float *rows = pr_alloc_matrix((size_t)READ_ROWS * (size_t)p->nc, sizeof *rows);
    pr_status_t status = rows ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "tensor '%s': no memory to read it", s->name);
    for (int r = 0, n; r < p->nr && status == PR_OK; r += n) {
        n = p->nr - r < READ_ROWS ? p->nr - r : READ_ROWS;
        for (int i = 0; i < n && status == PR_OK; i++)
            status = read(self, s, (size_t)(p->r0 + r + i) * (size_t)row_length(s) + (size_t)p->c0, (size_t)p->nc,
                          rows + (size_t)i * (size_t)p->nc, err);
        if (status == PR_OK)
            put_rows(p, r, n, rows, (float *)(uintptr_t)p->base);
    }
    free(rows);
    return status;
}

pr_status_t pr_model_read_part(pr_model_t *m, const pr_model_spec_t *spec, size_t n, pr_part_read_fn read, void *self,
                               pr_error_t *err)
{
    piece_t p[3];
    for (int l = 0; l < m->config.n_layer; l++)
        memset(m->layer[l].w, 0, sizeof m->layer[l].w); // the whole model's shapes
    for (size_t i = 0; i < n; i++)
        PR_TRY(lay_out(m, &spec[i], err));
    for (size_t i = 0; i < n; i++)
        for (int k = 0, pieces = pieces_of(m, &spec[i], p); k < pieces; k++)
            PR_TRY(read_piece(&spec[i], &p[k], read, self, err));
    return PR_OK;
}

/* ---- a part's own tensors ---- */

typedef struct tensor_list {
    pr_model_tensor_t *t;
    size_t n;
} tensor_list_t;

static void add_tensor(tensor_list_t *l, const pr_model_spec_t *s, const float *data, int rows, int cols)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->t[i].data == data)
            return;
    pr_model_tensor_t *t = &l->t[l->n++];
    *t = (pr_model_tensor_t){.data = (float *)(uintptr_t)data, .n_dim = cols ? 2 : 1, .shape = {rows, cols ? cols : 1}};
    t->n = (size_t)rows * (size_t)(cols ? cols : 1);
    memcpy(t->name, s->name, sizeof t->name);
}

static void add_weight(tensor_list_t *l, const pr_model_spec_t *s, const pr_weight_t *w)
{
    add_tensor(l, s, w->data, w->transposed ? w->all_in : w->all_out, w->ld);
}

// The specs of a copy, as listing fills in the whole model's shapes. Caller frees them and copy->layer.
static pr_model_spec_t *specs_of(const pr_model_t *m, pr_model_t *copy, size_t *n)
{
    *copy = *m;
    copy->layer = pr_alloc((size_t)m->config.n_layer, sizeof *copy->layer);
    memcpy(copy->layer, m->layer, (size_t)m->config.n_layer * sizeof *copy->layer);
    return pr_model_specs(copy, n);
}

pr_model_tensor_t *pr_model_part_tensors(const pr_model_t *m, size_t *n)
{
    size_t n_spec;
    pr_model_t copy;
    pr_model_spec_t *spec = specs_of(m, &copy, &n_spec);
    tensor_list_t l = {.t = pr_alloc(n_spec, sizeof *l.t)};
    for (size_t i = 0; i < n_spec; i++) {
        const pr_model_spec_t *s = &spec[i];
        const pr_layer_t *layer = &m->layer[s->layer];
        pr_slot_t home = home_of(m, s->slot);
        if (s->kind == PR_SPEC_WEIGHT)
            add_weight(&l, s, &layer->w[home]);
        else if (s->kind == PR_SPEC_BIAS)
            add_tensor(&l, s, layer->bias[home], layer->w[home].out, 0);
        else if (s->kind == PR_SPEC_HEAD || (s->kind == PR_SPEC_EMBED && m->embed_transposed))
            add_weight(&l, s, &m->head);
        else if (s->kind == PR_SPEC_EMBED)
            add_tensor(&l, s, m->embed, m->part.vocab.n, m->config.d_model);
        else if (s->n_dim == 1)
            add_tensor(&l, s, *s->at, s->kind == PR_SPEC_NORM ? m->part.d.n : s->shape[0], 0);
        else
            add_tensor(&l, s, *s->at, s->shape[0], m->part.d.n);
    }
    free(spec);
    free(copy.layer);
    *n = l.n;
    return l.t;
}

/* ---- to and from Hugging Face's tensors ---- */

size_t pr_model_export_count(const pr_model_t *m)
{
    size_t n;
    pr_model_t copy;
    free(specs_of(m, &copy, &n));
    free(copy.layer);
    return n;
}

// Where the values of the tensor that lies at base are.
static const float *values_at(const pr_model_tensor_t *t, size_t n, const float *base, const float *const *values)
{
    for (size_t i = 0; values && i < n; i++)
        if (t[i].data == base)
            return values[i];
    return base;
}

static void take_piece(const piece_t *p, const float *from, pr_export_t kind, int length, float *full)
{
    int skip = kind == PR_EXPORT_WEIGHTS ? p->shared : 0;
    for (int r = p->by_row ? skip : 0; r < p->nr; r++)
        for (int c = p->by_row ? 0 : skip; c < p->nc; c++)
            full[(size_t)(p->r0 + r) * (size_t)length + (size_t)(p->c0 + c)] += from[place(p, r, c)];
}

pr_status_t pr_model_export(const pr_model_t *m, const pr_linalg_t *la, size_t i, const float *const *values,
                            pr_export_t kind, pr_model_tensor_t *t, pr_error_t *err)
{
    size_t n, n_own;
    pr_model_t copy;
    piece_t p[3];
    pr_model_spec_t *spec = specs_of(m, &copy, &n), *s = &spec[i];
    pr_model_tensor_t *own = pr_model_tensors(m, &n_own);
    assert(i < n);
    *t = (pr_model_tensor_t){.n_dim = s->n_dim, .shape = {s->shape[0], s->shape[1]}};
    t->n = (size_t)s->shape[0] * (size_t)s->shape[1];
    memcpy(t->name, s->name, sizeof t->name);
    t->data = pr_alloc_matrix(t->n, sizeof *t->data);
    pr_status_t status = t->data ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "tensor '%s': no memory", s->name);
    status = la->agree(la, status, err);
    if (status == PR_OK && t->data && m->part.cols == 1) {
        memcpy(t->data, values_at(own, n_own, own[i].data, values), t->n * sizeof *t->data);
    } else if (status == PR_OK && t->data) {
        memset(t->data, 0, t->n * sizeof *t->data);
        for (int k = 0, pieces = pieces_of(m, s, p); k < pieces; k++)
            take_piece(&p[k], values_at(own, n_own, p[k].base, values), kind, row_length(s), t->data);
        la->sum(la, t->data, t->n);
    } else {
        free(t->data);
        t->data = NULL;
    }
    free(own);
    free(spec);
    free(copy.layer);
    return status;
}

void pr_model_import(const pr_model_t *m, size_t i, const float *full, float *const *values)
{
    size_t n, n_own;
    pr_model_t copy;
    piece_t p[3];
    pr_model_spec_t *spec = specs_of(m, &copy, &n);
    pr_model_tensor_t *own = pr_model_tensors(m, &n_own);
    if (m->part.cols == 1)
        memcpy(values[i], full, own[i].n * sizeof *full);
    for (int k = 0, pieces = m->part.cols > 1 ? pieces_of(m, &spec[i], p) : 0; k < pieces; k++)
        for (int r = 0; r < p[k].nr; r++)
            for (int c = 0; c < p[k].nc; c++) {
                float *to = (float *)(uintptr_t)values_at(own, n_own, p[k].base, (const float *const *)values);
                to[place(&p[k], r, c)] =
                    full[(size_t)(p[k].r0 + r) * (size_t)row_length(&spec[i]) + (size_t)(p[k].c0 + c)];
            }
    free(own);
    free(spec);
    free(copy.layer);
}

/* ---- random weights ---- */

typedef struct random_source {
    pr_rng_key_t key;
    const pr_model_spec_t *spec; // the first
} random_source_t;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* Uniform with the variance that keeps activations of order one; norms' weights are 1, biases small. A cheap hash of
 * the element's number (SplitMix64), as a model may have billions. */
static pr_status_t read_random(void *self, const pr_model_spec_t *s, size_t first, size_t n, float *out,
                               pr_error_t *err)
{
    const random_source_t *r = self;
    (void)err;
    bool norm = s->kind == PR_SPEC_NORM || s->kind == PR_SPEC_HEAD_NORM;
    size_t name = strlen(s->name);
    if (norm && strcmp(s->name + name - 7, ".weight") == 0) {
        for (size_t i = 0; i < n; i++)
            out[i] = 1.0f;
        return PR_OK;
    }
    double scale = s->n_dim == 2 && s->kind != PR_SPEC_EMBED ? sqrt(3.0 / row_length(s)) : 0.05;
    uint64_t base = pr_rng_u64(&r->key, (uint64_t)(s - r->spec), 0, 0, 0);
    for (size_t i = 0; i < n; i++) {
        double u = (double)(mix(base + (first + i + 1) * 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53;
        out[i] = (float)(scale * (2 * u - 1));
    }
    return PR_OK;
}

static void copy_config(const pr_model_config_t *c, pr_model_config_t *out)
{
    *out = *c;
    if (c->window) {
        out->window = pr_alloc((size_t)c->n_layer, sizeof *out->window);
        memcpy(out->window, c->window, (size_t)c->n_layer * sizeof *out->window);
    }
    out->stop = NULL; // a model of random weights writes no texts
    out->n_stop = 0;
}

// All of the model, each tensor as files have it.
static pr_status_t fill_whole(pr_model_t *m, const pr_model_spec_t *spec, size_t n, random_source_t *r, pr_error_t *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t size = (size_t)spec[i].shape[0] * (size_t)spec[i].shape[1];
        PR_TRY(block(m, size, spec[i].at, &spec[i], err));
        PR_TRY(read_random(r, &spec[i], 0, size, (float *)(uintptr_t)*spec[i].at, err));
    }
    pr_model_tie(m);
    return PR_OK;
}

pr_status_t pr_model_random(const pr_model_config_t *c, int cols, int col, uint64_t seed, pr_model_t **out,
                            pr_error_t *err)
{
    size_t n;
    PR_TRY(pr_part_check(c, cols, err));
    pr_model_t *m = pr_model_new();
    copy_config(c, &m->config);
    m->part = pr_part(c, cols, col);
    m->embed_ld = c->d_model;
    m->layer = pr_alloc((size_t)c->n_layer, sizeof *m->layer);
    pr_model_spec_t *spec = pr_model_specs(m, &n);
    random_source_t r = {pr_rng_key(seed, "random-weights", ""), spec};
    pr_status_t status =
        cols > 1 ? pr_model_read_part(m, spec, n, read_random, &r, err) : fill_whole(m, spec, n, &r, err);
    free(spec);
    if (status == PR_OK)
        *out = m;
    else
        pr_model_free(&m);
    return status;
}
