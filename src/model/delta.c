// SPDX-License-Identifier: BSD-3-Clause
#include "model/delta.h"
#include "base/mem.h"
#include "model/model_parts.h"

#include <stdlib.h>
#include <string.h>

double pr_delta_numbers(const pr_delta_t *d, const pr_model_config_t *c)
{
    double n = 0;
    int out, in;
    for (int l = 0; l < c->n_layer; l++)
        for (int s = 0; s < PR_N_SLOT; s++)
            if (pr_slot_shape(c, (pr_slot_t)s, &out, &in) && d->has(d->self, l, (pr_slot_t)s))
                n += (double)out * in;
    return n;
}

/* A model of its own storage and layers whose pointers are all m's. */
static pr_model_t *borrow(const pr_model_t *m)
{
    pr_model_t *out = pr_model_new();
    pr_model_storage_t *storage = out->storage;
    size_t n = (size_t)m->config.n_layer;
    *out = *m;
    out->storage = storage;
    storage->borrows = true;
    out->rope_cos = out->rope_sin = NULL; // tables grow where they are
    out->bytes = out->shared_bytes = 0;
    out->layer = pr_alloc(n, sizeof *out->layer);
    memcpy(out->layer, m->layer, n * sizeof *out->layer);
    return out;
}

/* A copy of n numbers in w's place. */
static float *own(pr_model_t *m, pr_weight_t *w, size_t n)
{
    float *block = pr_model_block(m, n);
    if (block) {
        memcpy(block, w->data, n * sizeof *block);
        w->data = block;
    }
    return block;
}

static pr_status_t no_memory(size_t n, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_MEMORY, "no memory for a linear map's changed weight (%zu floats)", n);
}

/* ---- whole maps ---- */

static pr_status_t change_whole(pr_model_t *m, const pr_delta_t *d, int layer, pr_slot_t slot, pr_error_t *err)
{
    pr_weight_t *w = &m->layer[layer].w[slot];
    size_t n = (size_t)w->out * (size_t)w->in;
    float *block = own(m, w, n);
    return block ? d->change(d->self, layer, slot, block, err) : no_memory(n, err);
}

/* ---- a column's part of them ---- */

/* Where a column holds a slot: with those that read the same. */
static pr_slot_t home_of(const pr_layer_t *layer, pr_slot_t slot)
{
    if (layer->w[slot].data)
        return slot;
    return slot <= PR_SLOT_V ? PR_SLOT_QKV : PR_SLOT_GATE;
}

typedef struct columns {
    const pr_model_t *from;
    pr_model_t *to;
    const pr_linalg_t *la;
    pr_model_tensor_t *held; // [n_held] of from
    float **value;           // [n_held] in to; NULL: not changed
    size_t n_held;
} columns_t;

/* The weight that holds the slot gets memory of its own in `to`, if it has none. */
static pr_status_t own_home(columns_t *c, int layer, pr_slot_t slot, pr_error_t *err)
{
    pr_slot_t home = home_of(&c->from->layer[layer], slot);
    const float *data = c->from->layer[layer].w[home].data;
    size_t i = 0;
    while (c->held[i].data != data)
        i++;
    if (!c->value[i])
        c->value[i] = own(c->to, &c->to->layer[layer].w[home], c->held[i].n);
    return c->value[i] ? PR_OK : no_memory(c->held[i].n, err);
}

/* The whole tensor comes together, is changed by every column alike, and each takes what it holds. */
static pr_status_t change_split(columns_t *c, const pr_delta_t *d, size_t tensor, int layer, pr_slot_t slot,
                                pr_error_t *err)
{
    pr_model_tensor_t t = {.data = NULL};
    pr_status_t status;
    PR_GO(c->la->agree(c->la, own_home(c, layer, slot, err), err));
    PR_GO(pr_model_export(c->from, c->la, tensor, NULL, PR_EXPORT_WEIGHTS, &t, err));
    PR_GO(c->la->agree(c->la, d->change(d->self, layer, slot, t.data, err), err));
    pr_model_import(c->from, tensor, t.data, c->value);
done:
    free(t.data);
    return status;
}

static pr_status_t change_columns(const pr_model_t *m, const pr_linalg_t *la, const pr_delta_t *d, pr_model_t *out,
                                  pr_error_t *err)
{
    size_t n;
    pr_model_t names = {.config = m->config, .layer = pr_alloc((size_t)m->config.n_layer, sizeof *names.layer)};
    pr_model_spec_t *spec = pr_model_specs(&names, &n);
    columns_t c = {.from = m, .to = out, .la = la};
    pr_status_t status = PR_OK;
    c.held = pr_model_tensors(m, &c.n_held);
    c.value = pr_alloc(c.n_held, sizeof *c.value);
    for (size_t i = 0; i < n && status == PR_OK; i++)
        if (spec[i].kind == PR_SPEC_WEIGHT && d->has(d->self, spec[i].layer, spec[i].slot))
            status = change_split(&c, d, i, spec[i].layer, spec[i].slot, err);
    free(c.held);
    free(c.value);
    free(spec);
    free(names.layer);
    return status;
}

pr_status_t pr_model_with_delta(const pr_model_t *m, const pr_linalg_t *la, const pr_delta_t *d, pr_model_t **out,
                                pr_error_t *err)
{
    pr_model_t *changed = borrow(m);
    pr_status_t status = PR_OK;
    if (m->part.cols > 1)
        status = change_columns(m, la, d, changed, err);
    for (int i = 0; i < m->config.n_layer * PR_N_SLOT && m->part.cols == 1 && status == PR_OK; i++) {
        pr_slot_t slot = (pr_slot_t)(i % PR_N_SLOT);
        if (m->layer[i / PR_N_SLOT].w[slot].data && d->has(d->self, i / PR_N_SLOT, slot))
            status = change_whole(changed, d, i / PR_N_SLOT, slot, err);
    }
    if (status == PR_OK)
        *out = changed;
    else
        pr_model_free(&changed);
    return status;
}
