// SPDX-License-Identifier: BSD-3-Clause
/* The KV cache. Per layer, stream and key/value head: keys in blocks of 16, [max_len/16][head_dim][16], so that a
 * decoding step scores 16 keys at once without adding across a vector; values as rows [max_len][value_ld], padded to
 * whole vectors. */
#include "model/transformer_internal.h"

#include "base/mem.h"
#include "model/kernels.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct pr_kv {
    int first, last, n_stream;
    int max_len; // asked for
    int n_head, head_dim, value_ld;
    size_t key_head, value_head; // floats of one stream's head
    int *len;                    // [n_stream]
    float *key, *value;          // [layer][stream][head]
};

static int round_up(int n, int to)
{
    return (n + to - 1) / to * to;
}

/* n floats on large pages where the system has them to give: a step reads a little of every stream, so that with small
 * pages address translation would cost more than the reading. */
static float *cache_memory(size_t n)
{
    const size_t page = (size_t)2 << 20;
    if (n > SIZE_MAX / sizeof(float) - page)
        return NULL;
    size_t bytes = n * sizeof(float);
    if (bytes < 2 * page)
        return pr_alloc_matrix(n, sizeof(float));
    bytes = (bytes + page - 1) / page * page;
    float *p = aligned_alloc(page, bytes);
    if (p)
        madvise(p, bytes, MADV_HUGEPAGE); // only advice
    return p;
}

static pr_status_t no_memory(int n_stream, int max_len, double gb, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_MEMORY, "no memory for a KV cache of %d streams of %d tokens (%.1f GB)", n_stream,
                   max_len, gb);
}

pr_status_t pr_kv_new(const pr_model_t *m, int first, int last, int n_stream, int max_len, pr_kv_t **out,
                      pr_error_t *err)
{
    const pr_model_config_t *c = &m->config;
    assert(0 <= first && first <= last && last <= c->n_layer && n_stream >= 0 && max_len >= 0);
    int value_ld = round_up(c->head_dim, PR_KEY_BLOCK);
    double heads_wanted = (double)(last - first) * n_stream * m->part.kv_head.n;
    double gb = 4e-9 * heads_wanted * ((double)max_len + PR_KEY_BLOCK) * (c->head_dim + value_ld);
    if (gb > 1e9 || max_len > INT32_MAX - PR_KEY_BLOCK) // past this the sizes below could overflow
        return no_memory(n_stream, max_len, gb, err);
    pr_kv_t *kv = pr_alloc(1, sizeof *kv);
    *kv = (pr_kv_t){.first = first, .last = last, .n_stream = n_stream, .max_len = max_len};
    kv->n_head = m->part.kv_head.n;
    kv->head_dim = c->head_dim;
    kv->value_ld = value_ld;
    size_t rows = (size_t)round_up(max_len, PR_KEY_BLOCK), heads = (size_t)heads_wanted;
    kv->key_head = rows * (size_t)c->head_dim;
    kv->value_head = rows * (size_t)kv->value_ld;
    kv->len = pr_alloc((size_t)n_stream, sizeof *kv->len);
    kv->key = cache_memory(heads * kv->key_head);
    kv->value = cache_memory(heads * kv->value_head);
    if (!kv->key || !kv->value) {
        pr_kv_free(&kv);
        return no_memory(n_stream, max_len, gb, err);
    }
    *out = kv;
    return PR_OK;
}

void pr_kv_free(pr_kv_t **kv)
{
    if (!*kv)
        return;
    free((*kv)->len);
    free((*kv)->key);
    free((*kv)->value);
    free(*kv);
    *kv = NULL;
}

int pr_kv_len(const pr_kv_t *kv, int stream)
{
    assert(0 <= stream && stream < kv->n_stream);
    return kv->len[stream];
}

int pr_kv_max_len(const pr_kv_t *kv)
{
    return kv->max_len;
}

int pr_kv_value_ld(const pr_kv_t *kv)
{
    return kv->value_ld;
}

bool pr_kv_has_layer(const pr_kv_t *kv, int layer)
{
    return kv->first <= layer && layer < kv->last;
}

void pr_kv_truncate(pr_kv_t *kv, int stream, int len)
{
    assert(0 <= stream && stream < kv->n_stream && 0 <= len);
    if (len < kv->len[stream])
        kv->len[stream] = len;
}

void pr_kv_grow(pr_kv_t *kv, int stream, int rows)
{
    assert(0 <= stream && stream < kv->n_stream && kv->len[stream] + rows <= kv->max_len);
    kv->len[stream] += rows;
}

static size_t head_index(const pr_kv_t *kv, int layer, int stream, int head)
{
    size_t at = (size_t)(layer - kv->first) * (size_t)kv->n_stream + (size_t)stream;
    return at * (size_t)kv->n_head + (size_t)head;
}

const float *pr_kv_key(const pr_kv_t *kv, int layer, int stream, int head)
{
    return kv->key + head_index(kv, layer, stream, head) * kv->key_head;
}

const float *pr_kv_value(const pr_kv_t *kv, int layer, int stream, int head)
{
    return kv->value + head_index(kv, layer, stream, head) * kv->value_head;
}

void pr_kv_copy(pr_kv_t *kv, int dst, int src)
{
    pr_kv_copy_between(kv, dst, kv, src);
}

void pr_kv_copy_between(pr_kv_t *to, int dst, const pr_kv_t *from, int src)
{
    assert(to->first == from->first && to->last == from->last && from->len[src] <= to->max_len);
    if (to == from && dst == src)
        return;
    int len = from->len[src];
    size_t keys = (size_t)round_up(len, PR_KEY_BLOCK) * (size_t)to->head_dim;
    size_t values = (size_t)len * (size_t)to->value_ld;
    for (int l = to->first; l < to->last; l++)
        for (int h = 0; h < to->n_head; h++) {
            size_t d = head_index(to, l, dst, h), s = head_index(from, l, src, h);
            memcpy(to->key + d * to->key_head, from->key + s * from->key_head, keys * sizeof(float));
            memcpy(to->value + d * to->value_head, from->value + s * from->value_head, values * sizeof(float));
        }
    to->len[dst] = len;
}

// One row of one head to position t.
static void write_head(const pr_kv_t *kv, float *keys, float *values, int t, const float *k, const float *v)
{
    int hd = kv->head_dim;
    float *block = keys + (size_t)(t / PR_KEY_BLOCK) * (size_t)hd * PR_KEY_BLOCK;
    if (t % PR_KEY_BLOCK == 0) // what lies behind the last key is read (and ignored)
        memset(block, 0, (size_t)hd * PR_KEY_BLOCK * sizeof *block);
    for (int j = 0; j < hd; j++)
        block[(size_t)j * PR_KEY_BLOCK + (size_t)(t % PR_KEY_BLOCK)] = k[j];
    float *row = values + (size_t)t * (size_t)kv->value_ld;
    memcpy(row, v, (size_t)hd * sizeof *row);
    if (kv->value_ld > hd)
        memset(row + hd, 0, (size_t)(kv->value_ld - hd) * sizeof *row);
}

void pr_kv_write(pr_kv_t *kv, int layer, int stream, int n, const float *k, const float *v, int ld)
{
    for (int i = 0; i < n; i++, k += ld, v += ld)
        for (int h = 0; h < kv->n_head; h++) {
            size_t at = head_index(kv, layer, stream, h);
            write_head(kv, kv->key + at * kv->key_head, kv->value + at * kv->value_head, kv->len[stream] + i,
                       k + h * kv->head_dim, v + h * kv->head_dim);
        }
}
