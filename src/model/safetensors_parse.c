// SPDX-License-Identifier: BSD-3-Clause
#include "model/safetensors_parse.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 100000000 }; // as the format's own library

static const struct {
    const char *name;
    pr_dtype_t dtype;
    int bits;
} dtypes[] = {{"F32", PR_DTYPE_F32, 32},      {"F16", PR_DTYPE_F16, 16},      {"BF16", PR_DTYPE_BF16, 16},
              {"F64", PR_DTYPE_F64, 64},      {"I64", PR_DTYPE_I64, 64},      {"I32", PR_DTYPE_I32, 32},
              {"BOOL", PR_DTYPE_OTHER, 8},    {"U8", PR_DTYPE_OTHER, 8},      {"I8", PR_DTYPE_OTHER, 8},
              {"I16", PR_DTYPE_OTHER, 16},    {"U16", PR_DTYPE_OTHER, 16},    {"U32", PR_DTYPE_OTHER, 32},
              {"U64", PR_DTYPE_OTHER, 64},    {"C64", PR_DTYPE_OTHER, 64},    {"F8_E4M3", PR_DTYPE_OTHER, 8},
              {"F8_E5M2", PR_DTYPE_OTHER, 8}, {"F8_E8M0", PR_DTYPE_OTHER, 8}, {"F6_E2M3", PR_DTYPE_OTHER, 6},
              {"F6_E3M2", PR_DTYPE_OTHER, 6}, {"F4", PR_DTYPE_OTHER, 4}};

typedef struct {
    const char *path;
    const unsigned char *data; // behind the header
    size_t len;
} body_t;

static pr_status_t bad_value(const body_t *b, const char *name, const char *key, const json_t *found,
                             const char *expected, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': key '%s': found %s, expected %s", b->path, name, key,
                   pr_json_type_name(found), expected);
}

static pr_status_t parse_dtype(const body_t *b, pr_tensor_t *t, const json_t *value, int *bits, pr_error_t *err)
{
    const char *word = json_string_value(value);
    if (!word)
        return bad_value(b, t->name, "dtype", value, "a string", err);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, word) == 0) {
            t->dtype = dtypes[i].dtype;
            t->dtype_name = dtypes[i].name;
            *bits = dtypes[i].bits;
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': key 'dtype': found '%.100s', expected F32, F16, BF16, ...",
                   b->path, t->name, word);
}

static pr_status_t parse_shape(const body_t *b, pr_tensor_t *t, const json_t *value, pr_error_t *err)
{
    if (!json_is_array(value))
        return bad_value(b, t->name, "shape", value, "an array", err);
    size_t n_dim = json_array_size(value);
    if (n_dim > PR_TENSOR_MAX_DIM)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: tensor '%.200s': key 'shape': found %zu dimensions, expected at most %d", b->path, t->name,
                       n_dim, PR_TENSOR_MAX_DIM);
    t->n_dim = (int)n_dim;
    t->n = 1;
    for (size_t i = 0; i < n_dim; i++) {
        const json_t *dim = json_array_get(value, i);
        if (!json_is_integer(dim))
            return bad_value(b, t->name, "shape", dim, "an integer", err);
        t->shape[i] = json_integer_value(dim);
        if (t->shape[i] < 0)
            return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': key 'shape': found %" PRId64 ", expected >= 0",
                           b->path, t->name, t->shape[i]);
        if (__builtin_mul_overflow(t->n, t->shape[i], &t->n))
            return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': key 'shape': more than 2^63 elements", b->path,
                           t->name);
    }
    return PR_OK;
}

static pr_status_t parse_offsets(const body_t *b, pr_tensor_t *t, const json_t *value, int bits, pr_error_t *err)
{
    const json_t *first = json_array_get(value, 0), *last = json_array_get(value, 1);
    if (!json_is_array(value) || json_array_size(value) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return bad_value(b, t->name, "data_offsets", value, "an array of two integers", err);
    int64_t begin = json_integer_value(first), end = json_integer_value(last), total;
    if (begin < 0 || end < begin || (uint64_t)end > b->len)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: tensor '%.200s': key 'data_offsets': found [%" PRId64 ",%" PRId64
                       "], the file has %zu bytes of "
                       "data",
                       b->path, t->name, begin, end, b->len);
    if (__builtin_mul_overflow(t->n, bits, &total) || total % 8 != 0 || total / 8 != end - begin)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: tensor '%.200s': found %" PRId64 " bytes, its shape of %" PRId64
                       " elements of %d bits needs another number",
                       b->path, t->name, end - begin, t->n, bits);
    t->data = b->data + begin;
    t->bytes = (size_t)(end - begin);
    return PR_OK;
}

static pr_status_t parse_tensor(const body_t *b, pr_tensor_t *t, const json_t *value, pr_error_t *err)
{
    int bits = 0;
    if (!json_is_object(value))
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': found %s, expected an object", b->path, t->name,
                       pr_json_type_name(value));
    PR_TRY(parse_dtype(b, t, json_object_get(value, "dtype"), &bits, err));
    PR_TRY(parse_shape(b, t, json_object_get(value, "shape"), err));
    return parse_offsets(b, t, json_object_get(value, "data_offsets"), bits, err);
}

static int by_place(const void *a, const void *b)
{
    const pr_tensor_t *x = *(const pr_tensor_t *const *)a, *y = *(const pr_tensor_t *const *)b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

// The data must be covered once and without holes, as the format says.
static pr_status_t check_cover(const body_t *b, const pr_tensor_t *tensor, size_t n, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    const pr_tensor_t **order = pr_alloc(n, sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = &tensor[i];
    qsort(order, n, sizeof *order, by_place);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t begin = (size_t)(order[i]->data - b->data);
        if (begin != at)
            PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': found its data at offset %zu, expected %zu (%s)",
                          b->path, order[i]->name, begin, at,
                          begin < at ? "it overlaps another tensor" : "bytes that belong to no tensor"));
        at += order[i]->bytes;
    }
    if (at != b->len)
        PR_GO(
            pr_fail(err, PR_ERR_FORMAT, "%s: found %zu bytes of data, the header describes %zu", b->path, b->len, at));
done:
    free(order);
    return status;
}

static pr_status_t parse_header(const char *path, const pr_map_t *map, json_t **header, body_t *body, pr_error_t *err)
{
    uint64_t n = 0;
    PR_TRY(pr_check_fetched(path, map->data, map->len, err));
    if (map->len < 8)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %zu bytes, expected at least the 8 of a header length", path,
                       map->len);
    for (int i = 7; i >= 0; i--)
        n = n << 8 | map->data[i];
    if (n > MAX_HEADER || n > map->len - 8)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: offset 0: found a header length of %" PRIu64
                       ", expected at most %zu (the rest of the file) "
                       "and %d",
                       path, n, map->len - 8, MAX_HEADER);
    char where[512];
    snprintf(where, sizeof where, "%s: header", path);
    PR_TRY(pr_json_parse((const char *)map->data + 8, (size_t)n, where, header, err));
    if (!json_is_object(*header)) {
        pr_fail(err, PR_ERR_FORMAT, "%s: header: found %s, expected an object", path, pr_json_type_name(*header));
        json_decref(*header);
        return PR_ERR_FORMAT;
    }
    *body = (body_t){path, map->data + 8 + n, map->len - 8 - (size_t)n};
    return PR_OK;
}

pr_status_t pr_safetensors_parse(const char *path, const pr_map_t *map, pr_tensor_t **tensor, size_t *n,
                                 json_t *metadata, pr_error_t *err)
{
    json_t *header, *value;
    const char *name;
    body_t body;
    pr_status_t status = PR_OK;
    PR_TRY(parse_header(path, map, &header, &body, err));
    size_t first = *n;
    *tensor = pr_realloc(*tensor, *n + json_object_size(header), sizeof **tensor);
    json_object_foreach(header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0) {
            if (!json_is_object(value))
                PR_GO(bad_value(&body, name, name, value, "an object", err));
            json_object_update(metadata, value);
            continue;
        }
        pr_tensor_t *t = &(*tensor)[*n];
        *t = (pr_tensor_t){.name = pr_strdup(name), .file = path};
        ++*n;
        PR_GO(parse_tensor(&body, t, value, err));
    }
    PR_GO(check_cover(&body, *tensor + first, *n - first, err));
done:
    json_decref(header);
    return status;
}
