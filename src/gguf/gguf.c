// SPDX-License-Identifier: BSD-3-Clause
#include "gguf/gguf.h"
#include "base/json.h"
#include "base/mem.h"
#include "gguf/gguf_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEAST_KEY = 8 + 4 + 1,            // bytes that a key takes at least: an empty name, a kind, a byte
    LEAST_TENSOR = 8 + 4 + 8 + 4 + 8, // an empty name, one dimension, a type, an offset
    MAX_NAME = 65535,
    MAX_NESTING = 8, // arrays within each other
    MAX_ALIGNMENT = 1 << 24
};

size_t pr_gguf_kind_bytes(pr_gguf_kind_t kind)
{
    static const size_t bytes[PR_GGUF_N_KIND] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return bytes[kind];
}

uint64_t pr_gguf_word(const unsigned char *p, size_t bytes)
{
    uint64_t word = 0;
    for (size_t i = 0; i < bytes; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

/* ---- a place in the file ---- */

typedef struct cursor {
    const pr_gguf_t *g;
    size_t at;
} cursor_t;

static size_t left(const cursor_t *c)
{
    return c->g->map.len - c->at;
}

static pr_status_t need(const cursor_t *c, uint64_t bytes, const char *what, pr_error_t *err)
{
    if (bytes <= left(c))
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT, "%s: byte %zu: %s takes %llu bytes, but the file ends after %zu more",
                   c->g->path, c->at, what, (unsigned long long)bytes, left(c));
}

static pr_status_t take(cursor_t *c, size_t bytes, const char *what, uint64_t *out, pr_error_t *err)
{
    PR_TRY(need(c, bytes, what, err));
    *out = pr_gguf_word(c->g->map.data + c->at, bytes);
    c->at += bytes;
    return PR_OK;
}

/* Is it UTF-8 without NUL? */
static bool is_plain(const unsigned char *text, size_t len)
{
    json_t *v = memchr(text, 0, len) ? NULL : json_stringn((const char *)text, len);
    json_decref(v);
    return v != NULL;
}

/* A text's length, and the cursor at its first byte. */
static pr_status_t take_length(cursor_t *c, const char *what, uint64_t *len, pr_error_t *err)
{
    PR_TRY(take(c, 8, what, len, err));
    return need(c, *len, what, err);
}

static pr_status_t take_name(cursor_t *c, const char *what, char **out, pr_error_t *err)
{
    uint64_t len;
    size_t from = c->at;
    PR_TRY(take_length(c, what, &len, err));
    if (len == 0 || len > MAX_NAME || !is_plain(c->g->map.data + c->at, (size_t)len))
        return pr_fail(err, PR_ERR_FORMAT, "%s: byte %zu: %s: found %llu bytes%s, expected 1 to %d of UTF-8",
                       c->g->path, from, what, (unsigned long long)len,
                       len == 0 || len > MAX_NAME ? "" : " that are no text", MAX_NAME);
    *out = pr_strndup((const char *)c->g->map.data + c->at, (size_t)len);
    c->at += (size_t)len;
    return PR_OK;
}

/* ---- keys ---- */

static pr_status_t take_kind(cursor_t *c, const char *key, pr_gguf_kind_t *out, pr_error_t *err)
{
    uint64_t kind;
    PR_TRY(take(c, 4, "the kind of a value", &kind, err));
    if (kind >= PR_GGUF_N_KIND)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%.200s': byte %zu: found the kind of value %llu, expected 0 to %d",
                       c->g->path, key, c->at - 4, (unsigned long long)kind, PR_GGUF_N_KIND - 1);
    *out = (pr_gguf_kind_t)kind;
    return PR_OK;
}

/* An array's kind of values and how many; the cursor is then at the first. */
static pr_status_t take_array(cursor_t *c, const char *key, pr_gguf_kind_t *item, uint64_t *n, int depth,
                              pr_error_t *err)
{
    if (depth > MAX_NESTING)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%.200s': more than %d arrays within each other", c->g->path, key,
                       MAX_NESTING);
    PR_TRY(take_kind(c, key, item, err));
    PR_TRY(take(c, 8, "the length of an array", n, err));
    return PR_OK;
}

/* n values of a kind, one behind the other; arrays bring their own. */
static pr_status_t skip_values(cursor_t *c, const char *key, pr_gguf_kind_t kind, uint64_t n, int depth,
                               pr_error_t *err)
{
    size_t bytes = pr_gguf_kind_bytes(kind), least = bytes ? bytes : kind == PR_GGUF_TEXT ? 8 : 12;
    if (n > left(c) / least)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key '%.200s': byte %zu: found %llu values, but the file ends after %zu more bytes",
                       c->g->path, key, c->at, (unsigned long long)n, left(c));
    if (bytes) {
        c->at += bytes * (size_t)n;
        return PR_OK;
    }
    for (uint64_t i = 0, len; i < n; i++) {
        pr_gguf_kind_t item = kind;
        if (kind == PR_GGUF_TEXT) {
            PR_TRY(take_length(c, "a text", &len, err));
            c->at += (size_t)len;
        } else {
            PR_TRY(take_array(c, key, &item, &len, depth + 1, err));
            PR_TRY(skip_values(c, key, item, len, depth + 1, err));
        }
    }
    return PR_OK;
}

static pr_status_t take_key(cursor_t *c, pr_gguf_key_t *k, pr_error_t *err)
{
    PR_TRY(take_name(c, "a key's name", &k->name, err));
    PR_TRY(take_kind(c, k->name, &k->kind, err));
    k->item = k->kind;
    k->n = 1;
    if (k->kind == PR_GGUF_ARRAY)
        PR_TRY(take_array(c, k->name, &k->item, &k->n, 1, err));
    if (k->kind == PR_GGUF_TEXT)
        PR_TRY(take_length(c, "a text", &k->n, err));
    k->at = c->at;
    if (k->kind != PR_GGUF_TEXT)
        return skip_values(c, k->name, k->item, k->n, 1, err);
    c->at += (size_t)k->n;
    return PR_OK;
}

static pr_status_t check_room(const cursor_t *c, uint64_t n, size_t least, const char *what, pr_error_t *err)
{
    if (n <= left(c) / least)
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT, "%s: found %llu %s, but the file ends after %zu more bytes", c->g->path,
                   (unsigned long long)n, what, left(c));
}

static pr_status_t read_keys(cursor_t *c, pr_gguf_t *g, uint64_t n, pr_error_t *err)
{
    PR_TRY(check_room(c, n, LEAST_KEY, "keys", err));
    g->key = pr_alloc((size_t)n, sizeof *g->key);
    while (g->n_key < n)
        PR_TRY(take_key(c, &g->key[g->n_key++], err));
    if (n > 1)
        qsort(g->key, (size_t)n, sizeof *g->key, pr_gguf_key_order);
    for (size_t i = 1; i < n; i++)
        if (strcmp(g->key[i - 1].name, g->key[i].name) == 0)
            return pr_fail(err, PR_ERR_FORMAT, "%s: key '%.200s': found twice", g->path, g->key[i].name);
    return PR_OK;
}

/* ---- tensors ---- */

static pr_status_t bad_tensor(const pr_gguf_t *g, const pr_gguf_tensor_t *t, const char *what, uint64_t found,
                              const char *expected, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': %s: found %llu, expected %s", g->path, t->name, what,
                   (unsigned long long)found, expected);
}

static pr_status_t take_shape(cursor_t *c, pr_gguf_tensor_t *t, pr_error_t *err)
{
    uint64_t n_dim, size;
    int64_t all = 1;
    PR_TRY(take(c, 4, "the number of a tensor's dimensions", &n_dim, err));
    if (n_dim < 1 || n_dim > PR_GGUF_MAX_DIM)
        return bad_tensor(c->g, t, "dimensions", n_dim, "1 to 4", err);
    t->n_dim = (int)n_dim;
    for (int i = t->n_dim - 1; i >= 0; i--) {
        PR_TRY(take(c, 8, "a tensor's dimension", &size, err));
        if (size < 1 || size > INT64_MAX || __builtin_mul_overflow(all, (int64_t)size, &all))
            return bad_tensor(c->g, t, "a dimension", size, "1 or more, and a product below 2^63", err);
        t->shape[i] = (int64_t)size;
    }
    return PR_OK;
}

static pr_status_t take_type(cursor_t *c, pr_gguf_tensor_t *t, pr_error_t *err)
{
    uint64_t id;
    PR_TRY(take(c, 4, "a tensor's type", &id, err));
    t->type = pr_gguf_type((uint32_t)id);
    if (!t->type)
        return bad_tensor(c->g, t, "type", id, pr_gguf_types_read(), err);
    if (t->type->block == 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: tensor '%.200s': type: found %s, expected %s", c->g->path, t->name,
                       t->type->name, pr_gguf_types_read());
    int64_t row = t->shape[t->n_dim - 1], n = row / t->type->block;
    if (row % t->type->block)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': found rows of %lld, expected a multiple of %d for %s",
                       c->g->path, t->name, (long long)row, t->type->block, t->type->name);
    for (int i = 0; i < t->n_dim - 1; i++)
        n *= t->shape[i]; // below 2^63, as take_shape has it
    if (__builtin_mul_overflow((size_t)n, (size_t)t->type->bytes, &t->bytes))
        return bad_tensor(c->g, t, "blocks", (uint64_t)n, "fewer than 2^64 bytes", err);
    return PR_OK;
}

static pr_status_t take_tensor(cursor_t *c, pr_gguf_tensor_t *t, uint64_t *offset, pr_error_t *err)
{
    char *name = NULL;
    PR_TRY(take_name(c, "a tensor's name", &name, err));
    t->name = name;
    PR_TRY(take_shape(c, t, err));
    PR_TRY(take_type(c, t, err));
    return take(c, 8, "a tensor's offset", offset, err);
}

static pr_status_t alignment_of(const pr_gguf_t *g, size_t *out, pr_error_t *err)
{
    int64_t alignment = 32;
    PR_TRY(pr_gguf_int(g, "general.alignment", 1, MAX_ALIGNMENT, &alignment, err));
    if (alignment & (alignment - 1))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'general.alignment': found %lld, expected a power of two", g->path,
                       (long long)alignment);
    *out = (size_t)alignment;
    return PR_OK;
}

static pr_status_t place_tensor(const cursor_t *c, size_t alignment, uint64_t offset, pr_gguf_tensor_t *t,
                                pr_error_t *err)
{
    size_t data = (c->at + alignment - 1) / alignment * alignment, len = c->g->map.len;
    size_t room = data < len ? len - data : 0;
    if (offset % alignment)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': offset: found %llu, expected a multiple of %zu",
                       c->g->path, t->name, (unsigned long long)offset, alignment);
    if (offset > room || t->bytes > room - offset)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: tensor '%.200s': found %zu bytes at offset %llu, but the file ends after %zu bytes of data",
                       c->g->path, t->name, t->bytes, (unsigned long long)offset, room);
    t->data = c->g->map.data + data + offset;
    return PR_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const pr_gguf_tensor_t *)a)->name, ((const pr_gguf_tensor_t *)b)->name);
}

static pr_status_t read_tensors(cursor_t *c, pr_gguf_t *g, uint64_t n, pr_error_t *err)
{
    size_t alignment = 0;
    PR_TRY(alignment_of(g, &alignment, err));
    PR_TRY(check_room(c, n, LEAST_TENSOR, "tensors", err));
    g->tensor = pr_alloc((size_t)n, sizeof *g->tensor);
    uint64_t *offset = pr_alloc((size_t)n, sizeof *offset);
    pr_status_t status = PR_OK;
    while (g->n_tensor < n && status == PR_OK) {
        status = take_tensor(c, &g->tensor[g->n_tensor], &offset[g->n_tensor], err);
        g->n_tensor++;
    }
    for (size_t i = 0; i < n && status == PR_OK; i++)
        status = place_tensor(c, alignment, offset[i], &g->tensor[i], err);
    free(offset);
    PR_TRY(status);
    if (n > 1)
        qsort(g->tensor, (size_t)n, sizeof *g->tensor, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(g->tensor[i - 1].name, g->tensor[i].name) == 0)
            return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': found twice", g->path, g->tensor[i].name);
    return PR_OK;
}

/* ---- the file ---- */

static pr_status_t read_head(cursor_t *c, uint64_t *tensors, uint64_t *keys, pr_error_t *err)
{
    uint64_t magic, version;
    PR_TRY(take(c, 4, "the magic of a GGUF file", &magic, err));
    if (magic != 0x46554747u) // "GGUF"
        return pr_fail(err, PR_ERR_FORMAT, "%s: byte 0: found no magic \"GGUF\", so this is no GGUF file", c->g->path);
    PR_TRY(take(c, 4, "the version", &version, err));
    if (version != 0 && (version & 0xffff) == 0) // 2 and 3 with their bytes the other way round
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: byte 4: found a big-endian file, expected little-endian",
                       c->g->path);
    if (version != 2 && version != 3)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: byte 4: version: found %llu, expected 2 or 3", c->g->path,
                       (unsigned long long)version);
    PR_TRY(take(c, 8, "the number of tensors", tensors, err));
    return take(c, 8, "the number of keys", keys, err);
}

pr_status_t pr_gguf_open(const char *path, pr_gguf_t **out, pr_error_t *err)
{
    pr_gguf_t *g = pr_alloc(1, sizeof *g);
    pr_status_t status;
    uint64_t tensors = 0, keys = 0;
    g->path = pr_strdup(path);
    cursor_t c = {g, 0};
    PR_GO(pr_map_open(path, &g->map, err));
    PR_GO(pr_check_fetched(path, g->map.data, g->map.len, err));
    PR_GO(read_head(&c, &tensors, &keys, err));
    PR_GO(read_keys(&c, g, keys, err));
    PR_GO(read_tensors(&c, g, tensors, err));
    *out = g;
    return PR_OK;
done:
    pr_gguf_close(&g);
    return status;
}

void pr_gguf_close(pr_gguf_t **gguf)
{
    pr_gguf_t *g = *gguf;
    if (!g)
        return;
    for (size_t i = 0; i < g->n_key; i++) {
        free(g->key[i].name);
        free(g->key[i].text);
    }
    for (size_t i = 0; i < g->n_tensor; i++)
        free((char *)(uintptr_t)g->tensor[i].name);
    free(g->key);
    free(g->tensor);
    pr_map_close(&g->map);
    free(g->path);
    free(g);
    *gguf = NULL;
}

const char *pr_gguf_path(const pr_gguf_t *g)
{
    return g->path;
}

size_t pr_gguf_count(const pr_gguf_t *g)
{
    return g->n_tensor;
}

const pr_gguf_tensor_t *pr_gguf_at(const pr_gguf_t *g, size_t i)
{
    return &g->tensor[i];
}

const pr_gguf_tensor_t *pr_gguf_find(const pr_gguf_t *g, const char *name)
{
    pr_gguf_tensor_t wanted = {.name = name};
    return g->n_tensor ? bsearch(&wanted, g->tensor, g->n_tensor, sizeof wanted, by_name) : NULL;
}

void pr_gguf_release(const pr_gguf_t *g, const pr_gguf_tensor_t *t, size_t offset, size_t len)
{
    pr_map_release(&g->map, (size_t)(t->data - g->map.data) + offset, len);
}
