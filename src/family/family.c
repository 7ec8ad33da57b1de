// SPDX-License-Identifier: BSD-3-Clause
#include "family/family.h"
#include "base/mem.h"
#include "model/adapter_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pr_family_map_t *pr_family_map_at(const pr_family_t *f, int layer, int slot)
{
    return &f->map[(size_t)layer * PR_N_SLOT + (size_t)slot];
}

void pr_family_free(pr_family_t **f)
{
    if (!*f)
        return;
    pr_adapter_free(&(*f)->factors); // with data
    free((*f)->map);
    json_decref((*f)->options);
    free(*f);
    *f = NULL;
}

/* ---- layout ---- */

/* Ranks, and the places of the cores' numbers behind the factors. */
static pr_status_t lay_out(pr_family_t *f, const pr_model_config_t *c, pr_family_layout layout, const void *self,
                           pr_error_t *err)
{
    int out, in;
    f->factors = pr_adapter_empty(c);
    f->map = pr_alloc((size_t)c->n_layer * PR_N_SLOT, sizeof *f->map);
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        pr_family_map_t *m = &f->map[i];
        m->map.k = f->k;
        m->map.options = f->options;
        if (!pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            continue;
        layout(self, i / PR_N_SLOT, i % PR_N_SLOT, m);
        int r = pr_core_ranks(&m->map);
        if (r > PR_MAX_LORA_RANK)
            return pr_fail(err, PR_ERR_CONFIG, "a family of adapters: found rank %d, expected at most %d", r,
                           PR_MAX_LORA_RANK);
        if (r == 0)
            continue;
        pr_lora_set(&f->factors->lora[i], r, r, false);
        f->factors->n_data += (size_t)r * ((size_t)in + (size_t)out);
        m->n = f->core->numbers ? f->core->numbers(&m->map) : 0;
    }
    f->n = f->factors->n_data;
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        f->map[i].first = f->n;
        f->n += f->map[i].n;
    }
    return PR_OK;
}

static pr_status_t new_family(int k, const json_t *core, pr_family_t **out, pr_error_t *err)
{
    pr_family_t *f = pr_alloc(1, sizeof *f);
    f->k = k;
    *out = f;
    return pr_core_resolve(core, &f->core, &f->options, err);
}

/* The factors' data becomes the beginning of one block with the cores' numbers. */
static pr_status_t join_data(pr_family_t *f, const pr_model_config_t *c, pr_error_t *err)
{
    PR_TRY(pr_adapter_allocate(f->factors, c, err));
    float *all = pr_alloc_matrix(f->n, sizeof *all);
    if (!all)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for a family of %zu numbers", f->n);
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        pr_lora_t *l = &f->factors->lora[i];
        if (l->r == 0)
            continue;
        l->a = all + (l->a - f->factors->data);
        l->b = all + (l->b - f->factors->data);
    }
    free(f->factors->data);
    f->data = f->factors->data = all;
    return PR_OK;
}

pr_status_t pr_family_allocate(const pr_model_config_t *c, int k, const json_t *core, pr_family_layout layout,
                               const void *self, pr_family_t **out, pr_error_t *err)
{
    pr_family_t *f = NULL;
    pr_status_t status = PR_OK;
    PR_GO(new_family(k, core, &f, err));
    PR_GO(lay_out(f, c, layout, self, err));
    PR_GO(join_data(f, c, err));
    *out = f;
    return PR_OK;
done:
    pr_family_free(&f);
    return status;
}

static void begin_cores(pr_family_t *f, const pr_model_config_t *c, bool made, const pr_rng_key_t *key)
{
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++)
        if (f->map[i].n > 0)
            f->core->begin(&f->map[i].map, key, (uint64_t)i, made, f->data + f->map[i].first);
}

/* ---- a new one ---- */

typedef struct fresh {
    const pr_model_config_t *c;
    const pr_adapter_t *shape; // of an adapter of the options
    const pr_core_t *core;
    json_t *options;
    int k, r;
} fresh_t;

static void lay_fresh(const void *self, int layer, int slot, pr_family_map_t *m)
{
    const fresh_t *n = self;
    const pr_lora_t *l = pr_adapter_at(n->shape, layer, (pr_slot_t)slot);
    char module[128];
    int block = 0, shared = l->r;
    if (l->r == 0)
        return;
    pr_slot_module(n->c, layer, (pr_slot_t)slot, module, sizeof module);
    if (n->core->ranks)
        n->core->ranks(l->r, module, n->options, &block, &shared);
    for (int k = 0; k <= n->k; k++) {
        m->map.first[k + 1] = m->map.first[k] + (k < n->k ? block : shared);
        m->scale[k] = l->scale;
    }
}

static int largest_rank(const pr_family_t *f)
{
    return pr_adapter_rank(f->factors);
}

/* A of the numbers that an adapter of enough ranks begins with, B as the core says. */
static pr_status_t begin_factors(pr_family_t *f, const pr_model_config_t *c, const pr_adapter_options_t *o,
                                 const pr_rng_key_t *key, pr_error_t *err)
{
    pr_adapter_options_t wide = *o;
    pr_adapter_t *from = NULL;
    int out, in;
    double spread = f->core->spread ? f->core->spread(f->options) : 0;
    wide.r = largest_rank(f);
    PR_TRY(pr_adapter_new(c, &wide, key, &from, err));
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        const pr_core_map_t *m = &f->map[i].map;
        pr_lora_t *l = &f->factors->lora[i];
        if (l->r == 0 || !pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            continue;
        for (int b = 0; b <= f->k; b++)
            for (int j = m->first[b]; j < m->first[b + 1]; j++)
                memcpy(l->a + (size_t)j * (size_t)in,
                       from->lora[i].a + (size_t)(f->core->alike ? j - m->first[b] : j) * (size_t)in,
                       (size_t)in * sizeof *l->a);
        for (size_t x = 0; x < (size_t)out * (size_t)l->r; x++)
            l->b[x] = spread > 0 ? (float)(spread * pr_rng_normal(key, (uint64_t)i, x, 1, 0)) : 0;
    }
    pr_adapter_free(&from);
    return PR_OK;
}

static pr_status_t fresh_layout(const pr_model_config_t *c, int k, const json_t *core, const pr_adapter_options_t *o,
                                fresh_t *out, pr_adapter_t **shape, pr_error_t *err)
{
    *out = (fresh_t){.c = c, .k = k};
    PR_TRY(pr_core_resolve(core, &out->core, &out->options, err));
    PR_TRY(pr_adapter_shape(c, o, shape, err));
    out->shape = *shape;
    return PR_OK;
}

pr_status_t pr_family_new(const pr_model_config_t *c, int k, const json_t *core, const pr_adapter_options_t *o,
                          const pr_rng_key_t *key, pr_family_t **out, pr_error_t *err)
{
    fresh_t n;
    pr_adapter_t *shape = NULL;
    pr_family_t *f = NULL;
    pr_status_t status = fresh_layout(c, k, core, o, &n, &shape, err);
    if (status != PR_OK)
        goto done;
    PR_GO(pr_family_allocate(c, k, core, lay_fresh, &n, &f, err));
    PR_GO(begin_factors(f, c, o, key, err));
    begin_cores(f, c, false, key);
    *out = f;
    f = NULL;
done:
    pr_family_free(&f);
    pr_adapter_free(&shape);
    json_decref(n.options);
    return status;
}

/* ---- of experts ---- */

typedef struct made {
    const pr_adapter_t *const *expert;
    int k;
} made_t;

static void lay_made(const void *self, int layer, int slot, pr_family_map_t *m)
{
    const made_t *n = self;
    for (int k = 0; k < n->k; k++) {
        const pr_lora_t *l = pr_adapter_at(n->expert[k], layer, (pr_slot_t)slot);
        m->map.first[k + 1] = m->map.first[k] + l->r;
        m->scale[k] = l->r ? l->scale : 1;
    }
    m->map.first[n->k + 1] = m->map.first[n->k];
    m->scale[n->k] = 1;
}

static void take_expert(pr_family_t *f, const pr_model_config_t *c, int k, const pr_adapter_t *expert)
{
    int out, in;
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        const pr_lora_t *from = &expert->lora[i];
        pr_lora_t *l = &f->factors->lora[i];
        int first = f->map[i].map.first[k];
        if (from->r == 0 || !pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            continue;
        memcpy(l->a + (size_t)first * (size_t)in, from->a, (size_t)from->r * (size_t)in * sizeof *l->a);
        for (int o = 0; o < out; o++)
            memcpy(l->b + (size_t)o * (size_t)l->r + first, from->b + (size_t)o * (size_t)from->r,
                   (size_t)from->r * sizeof *l->b);
    }
}

pr_status_t pr_family_of(const pr_model_config_t *c, const json_t *core, const pr_adapter_t *const *expert, int k,
                         const pr_rng_key_t *key, pr_family_t **out, pr_error_t *err)
{
    made_t n = {expert, k};
    PR_TRY(pr_family_allocate(c, k, core, lay_made, &n, out, err));
    for (int i = 0; i < k; i++)
        take_expert(*out, c, i, expert[i]);
    begin_cores(*out, c, true, key);
    return PR_OK;
}

pr_status_t pr_family_shape(const pr_model_config_t *c, int k, const json_t *core, const pr_adapter_options_t *o,
                            bool experts, pr_adapter_t **shape, size_t *n, pr_error_t *err)
{
    fresh_t fresh;
    pr_adapter_t *one = NULL;
    const pr_adapter_t *all[PR_MAX_OBJECTIVES];
    pr_family_t *f = NULL;
    pr_status_t status = fresh_layout(c, k, core, o, &fresh, &one, err);
    if (status != PR_OK)
        goto done;
    for (int i = 0; i < k; i++)
        all[i] = one;
    made_t made = {all, k};
    PR_GO(new_family(k, core, &f, err));
    PR_GO(lay_out(f, c, experts ? lay_made : lay_fresh, experts ? (const void *)&made : &fresh, err));
    *n = f->n;
    *shape = f->factors;
    f->factors = NULL;
done:
    pr_family_free(&f);
    pr_adapter_free(&one);
    json_decref(fresh.options);
    return status;
}

/* ---- at a preference ---- */

/* The scale of an instance's map, which is that of its first block, and what a rank's own is of it. */
static float scale_of(const pr_family_map_t *m)
{
    for (int b = 0; b <= m->map.k; b++)
        if (m->map.first[b + 1] > m->map.first[b])
            return m->scale[b];
    return 1;
}

static void relative_scales(const pr_family_map_t *m, double *s)
{
    double all = (double)scale_of(m);
    for (int b = 0; b <= m->map.k; b++)
        for (int j = m->map.first[b]; j < m->map.first[b + 1]; j++)
            s[j] = m->scale[b] == scale_of(m) || all == 0 ? 1 : (double)m->scale[b] / all;
}

pr_status_t pr_family_instance(const pr_family_t *f, const pr_model_config_t *c, pr_adapter_t **out, pr_error_t *err)
{
    pr_adapter_t *a = pr_adapter_empty(c);
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        int r = f->factors->lora[i].r;
        if (r == 0)
            continue;
        float scale = scale_of(&f->map[i]);
        pr_lora_set(&a->lora[i], r, (double)scale * r, false);
        a->lora[i].scale = scale;
    }
    pr_status_t status = pr_adapter_allocate(a, c, err);
    if (status == PR_OK)
        *out = a;
    else
        pr_adapter_free(&a);
    return status;
}

/* b [out,R] times S M(w). core, s: of the map; scratch [R]. */
static void times_core(const pr_lora_t *from, int out, bool diagonal, const double *core, const double *s, float *to)
{
    int r = from->r;
    double *row = pr_alloc((size_t)r, sizeof *row);
    for (int o = 0; o < out; o++) {
        const float *b = from->b + (size_t)o * (size_t)r;
        float *t = to + (size_t)o * (size_t)r;
        for (int j = 0; diagonal && j < r; j++)
            t[j] = (float)((double)b[j] * (s[j] * core[j]));
        if (diagonal)
            continue;
        memset(row, 0, (size_t)r * sizeof *row);
        for (int i = 0; i < r; i++)
            for (int j = 0; j < r; j++)
                row[j] += (double)b[i] * s[i] * core[(size_t)i * (size_t)r + (size_t)j];
        for (int j = 0; j < r; j++)
            t[j] = (float)row[j];
    }
    free(row);
}

/* M(w) of a map, [R] or [R,R], and the ranks' relative scales behind it: caller frees. */
static double *core_at(const pr_family_t *f, int i, const double *w, double **s)
{
    size_t r = (size_t)f->factors->lora[i].r, n = f->core->diagonal ? r : r * r;
    double *core = pr_alloc(n + r, sizeof *core);
    f->core->at(&f->map[i].map, f->data + f->map[i].first, w, core);
    *s = core + n;
    relative_scales(&f->map[i], *s);
    return core;
}

void pr_family_set(const pr_family_t *f, const pr_model_config_t *c, const double *w, pr_adapter_t *instance)
{
    int out, in;
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        const pr_lora_t *from = &f->factors->lora[i];
        pr_lora_t *to = &instance->lora[i];
        double *s;
        if (from->r == 0 || !pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            continue;
        double *core = core_at(f, i, w, &s);
        memcpy(to->a, from->a, (size_t)from->r * (size_t)in * sizeof *to->a);
        times_core(from, out, f->core->diagonal, core, s, to->b);
        free(core);
    }
}

/* dB = dB' M' S and dM = (B S)' dB', of one map. */
static void pull_core(const pr_lora_t *l, int out, bool diagonal, const double *core, const double *s, const float *db,
                      float *grad_b, double *d)
{
    int r = l->r;
    for (int o = 0; o < out; o++) {
        const float *b = l->b + (size_t)o * (size_t)r, *g = db + (size_t)o * (size_t)r;
        float *to = grad_b + (size_t)o * (size_t)r;
        for (int i = 0; i < r; i++) {
            const double *row = core + (diagonal ? i : (ptrdiff_t)i * r);
            double sum = 0, bs = (double)b[i] * s[i];
            if (diagonal) {
                sum = (double)g[i] * row[0];
                d[i] += bs * (double)g[i];
            }
            for (int j = 0; !diagonal && j < r; j++) {
                sum += (double)g[j] * row[j];
                d[(ptrdiff_t)i * r + j] += bs * (double)g[j];
            }
            to[i] += (float)(sum * s[i]);
        }
    }
}

void pr_family_pull(const pr_family_t *f, const pr_model_config_t *c, const double *w, const pr_adapter_t *instance,
                    const float *gradient, float *grad)
{
    int out, in;
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        const pr_lora_t *l = &f->factors->lora[i], *x = &instance->lora[i];
        double *s;
        if (l->r == 0 || !pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            continue;
        size_t r = (size_t)l->r, n = f->core->diagonal ? r : r * r;
        const float *da = gradient + (x->a - instance->data), *db = gradient + (x->b - instance->data);
        float *to = grad + (l->a - f->data);
        double *core = core_at(f, i, w, &s), *d = pr_alloc(n, sizeof *d);
        for (size_t j = 0; j < r * (size_t)in; j++)
            to[j] += da[j];
        pull_core(l, out, f->core->diagonal, core, s, db, grad + (l->b - f->data), d);
        if (f->map[i].n > 0)
            f->core->pull(&f->map[i].map, f->data + f->map[i].first, w, d, grad + f->map[i].first);
        free(core);
        free(d);
    }
}
