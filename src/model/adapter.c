// SPDX-License-Identifier: BSD-3-Clause
#include "model/adapter.h"
#include "base/hash.h"
#include "base/mem.h"
#include "model/adapter_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- slots ---- */

bool pr_slot_shape(const pr_model_config_t *c, pr_slot_t slot, int *out, int *in)
{
    bool gpt2 = c->arch == PR_ARCH_GPT2;
    int d = c->d_model, q = c->n_head * c->head_dim, kv = c->n_kv_head * c->head_dim;
    const int shapes[PR_N_SLOT][2] = {[PR_SLOT_QKV] = {gpt2 ? 3 * d : 0, d},
                                      [PR_SLOT_Q] = {gpt2 ? 0 : q, d},
                                      [PR_SLOT_K] = {gpt2 ? 0 : kv, d},
                                      [PR_SLOT_V] = {gpt2 ? 0 : kv, d},
                                      [PR_SLOT_O] = {d, q},
                                      [PR_SLOT_GATE] = {gpt2 ? 0 : c->d_ff, d},
                                      [PR_SLOT_UP] = {c->d_ff, d},
                                      [PR_SLOT_DOWN] = {d, c->d_ff}};
    *out = shapes[slot][0];
    *in = shapes[slot][1];
    return *out > 0;
}

const char *pr_slot_path(const pr_model_config_t *c, pr_slot_t slot)
{
    static const char *const gpt2[PR_N_SLOT] = {[PR_SLOT_QKV] = "attn.c_attn",
                                                [PR_SLOT_O] = "attn.c_proj",
                                                [PR_SLOT_UP] = "mlp.c_fc",
                                                [PR_SLOT_DOWN] = "mlp.c_proj"};
    static const char *const llama[PR_N_SLOT] = {
        [PR_SLOT_Q] = "self_attn.q_proj", [PR_SLOT_K] = "self_attn.k_proj", [PR_SLOT_V] = "self_attn.v_proj",
        [PR_SLOT_O] = "self_attn.o_proj", [PR_SLOT_GATE] = "mlp.gate_proj", [PR_SLOT_UP] = "mlp.up_proj",
        [PR_SLOT_DOWN] = "mlp.down_proj"};
    return c->arch == PR_ARCH_GPT2 ? gpt2[slot] : llama[slot];
}

void pr_slot_module(const pr_model_config_t *c, int layer, pr_slot_t slot, char *name, size_t size)
{
    const char *path = pr_slot_path(c, slot);
    const char *stem = c->arch == PR_ARCH_GPT2 ? "transformer.h" : "model.layers";
    snprintf(name, size, "%s.%d.%s", stem, layer, path ? path : "none");
}

bool pr_slot_suffix(const char *module, const char *target)
{
    size_t n = strlen(module), m = strlen(target);
    if (m == 0 || m > n || strcmp(module + n - m, target) != 0)
        return false;
    return m == n || module[n - m - 1] == '.';
}

/* ---- making and freeing ---- */

void pr_adapter_free(pr_adapter_t **a)
{
    if (!*a)
        return;
    free((*a)->lora);
    free((*a)->data);
    free(*a);
    *a = NULL;
}

pr_adapter_t *pr_adapter_by_blocks(const pr_adapter_t *a, int blocks, const double *w)
{
    pr_adapter_t *out = pr_alloc(1, sizeof *out);
    size_t n = (size_t)a->n_layer * PR_N_SLOT;
    *out = *a;
    out->data = NULL; // a's
    out->lora = pr_alloc(n, sizeof *out->lora);
    memcpy(out->lora, a->lora, n * sizeof *out->lora);
    for (int b = 0; b < blocks; b++)
        for (int l = b * a->n_layer / blocks; l < (b + 1) * a->n_layer / blocks; l++)
            for (int s = 0; s < PR_N_SLOT; s++)
                pr_adapter_at(out, l, (pr_slot_t)s)->scale *= (float)w[b];
    return out;
}

pr_status_t pr_adapter_copy(const pr_adapter_t *a, pr_adapter_t **out, pr_error_t *err)
{
    float *data = pr_alloc_matrix(a->n_data, sizeof *data);
    if (!data)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for an adapter of %zu floats", a->n_data);
    const double one = 1;
    pr_adapter_t *copy = pr_adapter_by_blocks(a, 1, &one);
    memcpy(data, a->data, a->n_data * sizeof *data);
    copy->data = data;
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        if (a->lora[i].r > 0) {
            copy->lora[i].a = data + (a->lora[i].a - a->data);
            copy->lora[i].b = data + (a->lora[i].b - a->data);
        }
    *out = copy;
    return PR_OK;
}

pr_adapter_t *pr_adapter_empty(const pr_model_config_t *c)
{
    pr_adapter_t *a = pr_alloc(1, sizeof *a);
    a->n_layer = c->n_layer;
    a->lora = pr_alloc((size_t)c->n_layer * PR_N_SLOT, sizeof *a->lora);
    return a;
}

void pr_lora_set(pr_lora_t *l, int r, double alpha, bool rslora)
{
    l->r = r;
    l->alpha = (float)alpha;
    l->scale = (float)(rslora ? alpha / sqrt(r) : alpha / r);
}

static size_t count_data(const pr_adapter_t *a, const pr_model_config_t *c)
{
    int out, in;
    size_t n = 0;
    for (int i = 0; i < a->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++)
            if (pr_slot_shape(c, (pr_slot_t)s, &out, &in))
                n += (size_t)pr_adapter_at(a, i, (pr_slot_t)s)->r * ((size_t)in + (size_t)out);
    return n;
}

pr_status_t pr_adapter_allocate(pr_adapter_t *a, const pr_model_config_t *c, pr_error_t *err)
{
    int out, in;
    size_t n = a->n_data = count_data(a, c);
    a->data = pr_alloc_matrix(n, sizeof *a->data);
    if (!a->data)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for an adapter of %zu floats", n);
    float *at = a->data;
    for (int i = 0; i < a->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            pr_lora_t *l = pr_adapter_at(a, i, (pr_slot_t)s);
            if (l->r == 0 || !pr_slot_shape(c, (pr_slot_t)s, &out, &in))
                continue;
            l->a = at;
            l->b = at + (size_t)l->r * (size_t)in;
            at = l->b + (size_t)out * (size_t)l->r;
        }
    return PR_OK;
}

/* ---- a new adapter ---- */

static pr_status_t unknown_target(const pr_model_config_t *c, const char *target, pr_error_t *err)
{
    char names[256] = "";
    size_t at = 0;
    for (int s = 0; s < PR_N_SLOT; s++) {
        const char *path = pr_slot_path(c, (pr_slot_t)s);
        if (path)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", at ? ", " : "", path);
    }
    return pr_fail(err, PR_ERR_CONFIG,
                   "target '%.200s': found no linear map of that name in a %s model, expected the "
                   "end of one of %s",
                   target, pr_arch_name(c->arch), names);
}

pr_status_t pr_adapter_check_options(const pr_model_config_t *c, const pr_adapter_options_t *o, pr_error_t *err)
{
    char module[128];
    if (o->r < 1 || o->r > PR_MAX_LORA_RANK)
        return pr_fail(err, PR_ERR_CONFIG, "lora rank: found %d, expected 1..%d", o->r, PR_MAX_LORA_RANK);
    if (!isfinite(o->alpha))
        return pr_fail(err, PR_ERR_CONFIG, "lora alpha: found %g, expected a finite number", o->alpha);
    if (o->targets && o->n_targets < 1)
        return pr_fail(err, PR_ERR_CONFIG, "lora targets: found an empty list, expected at least one");
    for (int t = 0; o->targets && t < o->n_targets; t++) {
        bool found = false;
        for (int i = 0; i < c->n_layer * PR_N_SLOT && !found; i++) {
            pr_slot_module(c, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT), module, sizeof module);
            found = pr_slot_path(c, (pr_slot_t)(i % PR_N_SLOT)) && pr_slot_suffix(module, o->targets[t]);
        }
        if (!found)
            return unknown_target(c, o->targets[t], err);
    }
    return PR_OK;
}

static bool is_target(const pr_adapter_options_t *o, const char *module)
{
    for (int t = 0; o->targets && t < o->n_targets; t++)
        if (pr_slot_suffix(module, o->targets[t]))
            return true;
    return !o->targets;
}

// Kaiming with a = sqrt 5 comes to U(-1/sqrt(in), 1/sqrt(in)); the counter is (tensor's name, element), so that what
// else is adapted changes nothing, and a higher rank adds rows.
static void initialise(pr_lora_t *l, const char *module, int out, int in, const pr_rng_key_t *key)
{
    double bound = 1 / sqrt(in);
    size_t n = (size_t)l->r * (size_t)in;
    uint64_t name = pr_hash64(module, strlen(module));
    for (size_t i = 0; i < n; i++)
        l->a[i] = (float)(bound * (2 * pr_rng_uniform(key, name, i, 0, 0) - 1));
    memset(l->b, 0, (size_t)out * (size_t)l->r * sizeof *l->b);
}

pr_status_t pr_adapter_shape(const pr_model_config_t *c, const pr_adapter_options_t *o, pr_adapter_t **out,
                             pr_error_t *err)
{
    PR_TRY(pr_adapter_check_options(c, o, err));
    pr_adapter_t *a = pr_adapter_empty(c);
    int rows, cols;
    char module[128];
    a->rslora = o->rslora;
    for (int i = 0; i < c->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            pr_slot_module(c, i, (pr_slot_t)s, module, sizeof module);
            if (pr_slot_shape(c, (pr_slot_t)s, &rows, &cols) && is_target(o, module))
                pr_lora_set(pr_adapter_at(a, i, (pr_slot_t)s), o->r, o->alpha, o->rslora);
        }
    a->n_data = count_data(a, c);
    *out = a;
    return PR_OK;
}

pr_status_t pr_adapter_new(const pr_model_config_t *c, const pr_adapter_options_t *o, const pr_rng_key_t *key,
                           pr_adapter_t **out, pr_error_t *err)
{
    pr_adapter_t *a = NULL;
    int rows, cols;
    char module[128];
    PR_TRY(pr_adapter_shape(c, o, &a, err));
    pr_status_t status = pr_adapter_allocate(a, c, err);
    for (int i = 0; i < c->n_layer && status == PR_OK; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            pr_lora_t *l = pr_adapter_at(a, i, (pr_slot_t)s);
            pr_slot_module(c, i, (pr_slot_t)s, module, sizeof module);
            if (l->r && pr_slot_shape(c, (pr_slot_t)s, &rows, &cols))
                initialise(l, module, rows, cols, key);
        }
    if (status == PR_OK)
        *out = a;
    else
        pr_adapter_free(&a);
    return status;
}

pr_status_t pr_adapter_check_alike(const pr_adapter_t *a, const pr_adapter_t *b, const pr_model_config_t *c,
                                   pr_error_t *err)
{
    char module[128];
    for (int i = 0; i < c->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            const pr_lora_t *x = pr_adapter_at(a, i, (pr_slot_t)s), *y = pr_adapter_at(b, i, (pr_slot_t)s);
            if (x->r == y->r && (x->r == 0 || x->scale == y->scale))
                continue;
            pr_slot_module(c, i, (pr_slot_t)s, module, sizeof module);
            if (x->r == 0 || y->r == 0)
                return pr_fail(err, PR_ERR_CONFIG, "%s: found %s, expected %s", module, y->r ? "an adapter" : "none",
                               x->r ? "one" : "none");
            return pr_fail(err, PR_ERR_CONFIG, "%s: found rank %d and scale %g, expected rank %d and scale %g", module,
                           y->r, (double)y->scale, x->r, (double)x->scale);
        }
    return PR_OK;
}

pr_status_t pr_adapter_take(pr_adapter_t *a, const pr_adapter_t *b, const pr_model_config_t *c, pr_error_t *err)
{
    int out, in;
    PR_TRY(pr_adapter_check_alike(a, b, c, err));
    for (int i = 0; i < c->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            pr_lora_t *x = pr_adapter_at(a, i, (pr_slot_t)s);
            const pr_lora_t *y = pr_adapter_at(b, i, (pr_slot_t)s);
            if (x->r == 0 || !pr_slot_shape(c, (pr_slot_t)s, &out, &in))
                continue;
            memcpy(x->a, y->a, (size_t)x->r * (size_t)in * sizeof *x->a);
            memcpy(x->b, y->b, (size_t)x->r * (size_t)out * sizeof *x->b);
        }
    return PR_OK;
}
