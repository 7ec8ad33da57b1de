// SPDX-License-Identifier: BSD-3-Clause
#include "policy/merge.h"
#include "base/mem.h"
#include "model/adapter_parts.h"
#include "policy/spec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pr_merged {
    const pr_mix_t *mix;
    json_t *options;
    const pr_model_config_t *model;
    int n, blocks;
    const pr_adapter_t **part; // [n] in order of their hashes
    char (*hash)[PR_HASH_HEX]; // [n]
    double *w;                 // [n,blocks]
    pr_adapter_t *adapter;     // or
    pr_delta_t delta;          //
    pr_adapter_t **own;        // [n_own] freed with it
    int n_own;
};

/* ---- the parts, in an order of their own ---- */

void pr_merge_identity(const pr_adapter_t *a, char out[PR_HASH_HEX])
{
    pr_buf_t b = {0};
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++) {
        pr_buf_add(&b, &a->lora[i].r, sizeof a->lora[i].r);
        pr_buf_add(&b, &a->lora[i].scale, sizeof a->lora[i].scale);
    }
    char numbers[PR_HASH_HEX];
    pr_hash_hex(a->data, a->n_data * sizeof *a->data, numbers);
    pr_buf_puts(&b, numbers);
    pr_hash_hex(b.data, b.len, out);
    pr_buf_free(&b);
}

/* By hash; of equal adapters the one of smaller weights first. */
static int compare(const pr_merged_t *m, int a, int b)
{
    int order = strcmp(m->hash[a], m->hash[b]);
    for (int i = 0; i < m->blocks && order == 0; i++) {
        double x = m->w[a * m->blocks + i], y = m->w[b * m->blocks + i];
        order = (x > y) - (x < y);
    }
    return order;
}

static void swap(pr_merged_t *m, int a, int b)
{
    char hash[PR_HASH_HEX];
    const pr_adapter_t *part = m->part[a];
    m->part[a] = m->part[b];
    m->part[b] = part;
    memcpy(hash, m->hash[a], sizeof hash);
    memcpy(m->hash[a], m->hash[b], sizeof hash);
    memcpy(m->hash[b], hash, sizeof hash);
    for (int i = 0; i < m->blocks; i++) {
        double w = m->w[a * m->blocks + i];
        m->w[a * m->blocks + i] = m->w[b * m->blocks + i];
        m->w[b * m->blocks + i] = w;
    }
}

static void take_parts(pr_merged_t *m, const pr_mix_parts_t *p)
{
    m->part = pr_alloc((size_t)p->n, sizeof(const pr_adapter_t *));
    m->hash = pr_alloc((size_t)p->n, sizeof *m->hash);
    m->w = pr_alloc((size_t)p->n * (size_t)m->blocks, sizeof *m->w);
    for (int k = 0; k < p->n; k++) {
        const double *w = p->w + (size_t)k * (size_t)m->blocks;
        bool any = false;
        for (int b = 0; b < m->blocks; b++)
            any = any || w[b] != 0;
        if (!any)
            continue;
        m->part[m->n] = p->adapter[k];
        pr_merge_identity(p->adapter[k], m->hash[m->n]);
        memcpy(m->w + (size_t)m->n * (size_t)m->blocks, w, (size_t)m->blocks * sizeof *w);
        for (int i = m->n++; i > 0 && compare(m, i - 1, i) > 0; i--)
            swap(m, i - 1, i);
    }
}

/* ---- maps ---- */

static int block_of(const pr_merged_t *m, int layer)
{
    int b = 0;
    while (layer >= (b + 1) * m->model->n_layer / m->blocks)
        b++;
    return b;
}

static bool has(const void *self, int layer, pr_slot_t slot)
{
    const pr_merged_t *m = self;
    int b = block_of(m, layer);
    for (int k = 0; k < m->n; k++)
        if (m->w[k * m->blocks + b] != 0 && pr_adapter_at(m->part[k], layer, slot)->r > 0)
            return true;
    return false;
}

/* A map with the memory that it points into. */
typedef struct map {
    pr_mix_map_t m;
    pr_mix_part_t part[PR_MAX_PARTS];
    char name[160];
    float *memory[PR_MAX_PARTS];
} map_t;

static void map_free(map_t *map)
{
    for (int k = 0; k < map->m.n; k++)
        free(map->memory[k]);
}

/* The factors of l as the weight is stored. */
static bool put_part(const pr_model_config_t *c, const pr_lora_t *l, int rows, int cols, pr_mix_part_t *p,
                     float **memory)
{
    size_t r = (size_t)l->r, n_row = (size_t)rows, n_col = (size_t)cols;
    bool gpt2 = c->arch == PR_ARCH_GPT2;
    *memory = pr_alloc_matrix(r * (gpt2 ? n_row + n_col : n_row), sizeof(float));
    if (!*memory)
        return false;
    float *left = *memory, *right = gpt2 ? left + r * n_row : l->a;
    for (size_t i = 0; i < n_row; i++)
        for (size_t j = 0; j < r; j++)
            left[i * r + j] = l->scale * (gpt2 ? l->a[j * n_row + i] : l->b[i * r + j]);
    for (size_t j = 0; gpt2 && j < r; j++)
        for (size_t i = 0; i < n_col; i++)
            right[j * n_col + i] = l->b[i * r + j];
    p->r = l->r;
    p->left = left;
    p->right = right;
    return true;
}

static pr_status_t map_make(const pr_merged_t *m, int layer, pr_slot_t slot, map_t *map, pr_error_t *err)
{
    char module[128];
    int b = block_of(m, layer);
    *map = (map_t){.m.name = map->name, .m.part = map->part};
    pr_slot_module(m->model, layer, slot, module, sizeof module);
    snprintf(map->name, sizeof map->name, "%s.weight", module);
    pr_slot_stored(m->model, slot, &map->m.rows, &map->m.cols);
    for (int k = 0; k < m->n; k++) {
        const pr_lora_t *l = pr_adapter_at(m->part[k], layer, slot);
        if (m->w[k * m->blocks + b] == 0)
            continue;
        pr_mix_part_t *p = &map->part[map->m.n++];
        *p = (pr_mix_part_t){.w = m->w[k * m->blocks + b]};
        memcpy(p->hash, m->hash[k], sizeof p->hash);
        if (l->r > 0 && !put_part(m->model, l, map->m.rows, map->m.cols, p, &map->memory[map->m.n - 1]))
            return pr_mix_no_memory(&map->m, err);
    }
    return PR_OK;
}

/* ---- a dense change ---- */

static pr_status_t change(const void *self, int layer, pr_slot_t slot, float *w, pr_error_t *err)
{
    const pr_merged_t *m = self;
    map_t map;
    pr_status_t status = map_make(m, layer, slot, &map, err);
    if (status == PR_OK)
        status = m->mix->change(m->options, &map.m, w, err);
    map_free(&map);
    return status;
}

/* ---- an adapter ---- */

static pr_status_t make_factors(const pr_merged_t *m, int layer, pr_slot_t slot, pr_mix_factors_t *out, pr_error_t *err)
{
    map_t map;
    pr_status_t status = map_make(m, layer, slot, &map, err);
    if (status == PR_OK)
        status = m->mix->factors(m->options, &map.m, out, err);
    if (status == PR_OK && out->r > PR_MAX_LORA_RANK)
        status = pr_fail(err, PR_ERR_CONFIG, "the merged adapter: found rank %d, expected at most %d", out->r,
                         PR_MAX_LORA_RANK);
    map_free(&map);
    return status;
}

static pr_status_t by_factors(pr_merged_t *m, pr_error_t *err)
{
    int n = m->model->n_layer * PR_N_SLOT, rows, cols;
    pr_mix_factors_t *f = pr_alloc((size_t)n, sizeof *f);
    pr_adapter_t *a = pr_adapter_empty(m->model);
    pr_status_t status = PR_OK;
    for (int i = 0; i < n; i++) {
        int layer = i / PR_N_SLOT;
        pr_slot_t slot = (pr_slot_t)(i % PR_N_SLOT);
        if (!pr_slot_shape(m->model, slot, &rows, &cols) || !has(m, layer, slot))
            continue;
        PR_GO(make_factors(m, layer, slot, &f[i], err));
        pr_lora_set(&a->lora[i], f[i].r, f[i].r, false);
    }
    PR_GO(pr_adapter_allocate(a, m->model, err));
    for (int i = 0; i < n; i++)
        if (f[i].r > 0) {
            pr_slot_stored(m->model, (pr_slot_t)(i % PR_N_SLOT), &rows, &cols);
            pr_lora_put(m->model, &a->lora[i], rows, cols, f[i].left, f[i].right);
        }
    m->adapter = a;
    a = NULL;
done:
    pr_adapter_free(&a);
    for (int i = 0; i < n; i++) {
        free(f[i].left);
        free(f[i].right);
    }
    free(f);
    return status;
}

/* Of one part, where that is a multiple of itself in every block. */
static bool by_itself(const pr_merged_t *m, double *scale)
{
    bool is = m->n == 1 && m->mix->alone;
    for (int b = 0; b < m->blocks && is; b++) {
        scale[b] = 0;
        is = m->w[b] == 0 || m->mix->alone(m->options, m->w[b], &scale[b]);
    }
    return is;
}

static pr_status_t take_itself(pr_merged_t *m, const double *scale, pr_error_t *err)
{
    PR_TRY(pr_adapter_copy(m->part[0], &m->adapter, err));
    for (int l = 0; l < m->model->n_layer; l++)
        for (int s = 0; s < PR_N_SLOT; s++)
            pr_adapter_at(m->adapter, l, (pr_slot_t)s)->scale *= (float)scale[block_of(m, l)];
    return PR_OK;
}

/* ---- the whole ---- */

/* The base model, as `params` has it: the first part with nothing of it. */
static pr_status_t nothing(pr_merged_t *m, const pr_mix_parts_t *p, pr_error_t *err)
{
    static const double zero = 0;
    return pr_adapter_concat(p->adapter, &zero, 1, m->model, &m->adapter, err);
}

static pr_status_t make(pr_merged_t *m, const pr_mix_parts_t *p, pr_error_t *err)
{
    double scale[PR_MAX_BLOCKS];
    if (m->mix->merge)
        return m->mix->merge(m->options, p, &m->adapter, err);
    take_parts(m, p);
    if (m->n == 0)
        return nothing(m, p, err);
    if (by_itself(m, scale))
        return take_itself(m, scale, err);
    if (pr_mix_kind(m->mix, m->options) == PR_MIX_ADAPTER)
        return by_factors(m, err);
    m->delta = (pr_delta_t){
        .has = has, .change = change, .of_weights = m->mix->of_weights && m->mix->of_weights(m->options), .self = m};
    return PR_OK;
}

pr_status_t pr_merge(const pr_mix_t *mix, const json_t *options, const pr_mix_parts_t *parts, pr_merged_t **out,
                     pr_error_t *err)
{
    pr_merged_t *m = pr_alloc(1, sizeof *m);
    assert(parts->n >= 1 && parts->n <= PR_MAX_PARTS && pr_mix_kind(mix, options) != PR_MIX_RUN);
    *m = (pr_merged_t){.mix = mix,
                       .options = json_incref((json_t *)(uintptr_t)options),
                       .model = parts->model,
                       .blocks = parts->blocks > 0 ? parts->blocks : 1};
    assert(m->blocks <= PR_MAX_BLOCKS);
    pr_status_t status = pr_mix_check(mix, options, parts->n, m->blocks, parts->w, err);
    if (status == PR_OK)
        status = make(m, parts, err);
    if (!mix->merge) // which is collective itself
        status = parts->team->agree(parts->team, status, err);
    if (status == PR_OK)
        *out = m;
    else
        pr_merged_free(&m);
    return status;
}

const pr_adapter_t *pr_merged_adapter(const pr_merged_t *m)
{
    return m->adapter;
}

pr_adapter_t *pr_merged_take_adapter(pr_merged_t *m)
{
    pr_adapter_t *a = m->adapter;
    m->adapter = NULL;
    return a;
}

const pr_delta_t *pr_merged_delta(const pr_merged_t *m)
{
    return m->delta.has ? &m->delta : NULL;
}

void pr_merged_own(pr_merged_t *m, pr_adapter_t **adapter, int n)
{
    m->own = pr_realloc(m->own, (size_t)(m->n_own + n), sizeof(pr_adapter_t *));
    for (int k = 0; k < n; k++)
        m->own[m->n_own++] = adapter[k];
}

void pr_merged_free(pr_merged_t **m)
{
    if (!*m)
        return;
    for (int k = 0; k < (*m)->n_own; k++)
        pr_adapter_free(&(*m)->own[k]);
    free((*m)->own);
    pr_adapter_free(&(*m)->adapter);
    json_decref((*m)->options);
    free((*m)->part);
    free((*m)->hash);
    free((*m)->w);
    free(*m);
    *m = NULL;
}
