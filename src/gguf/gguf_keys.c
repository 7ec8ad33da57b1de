// SPDX-License-Identifier: BSD-3-Clause
/* Look-ups of keys. */
#include "base/json.h"
#include "base/mem.h"
#include "gguf/gguf_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[PR_GGUF_N_KIND] = {
    "an integer", "an integer", "an integer", "an integer", "an integer", "an integer", "a number",
    "a bool",     "a text",     "an array",   "an integer", "an integer", "a number"};

int pr_gguf_key_order(const void *a, const void *b)
{
    return strcmp(((const pr_gguf_key_t *)a)->name, ((const pr_gguf_key_t *)b)->name);
}

pr_gguf_key_t *pr_gguf_key_find(const pr_gguf_t *g, const char *name)
{
    pr_gguf_key_t wanted = {.name = (char *)(uintptr_t)name};
    return g->n_key ? bsearch(&wanted, g->key, g->n_key, sizeof wanted, pr_gguf_key_order) : NULL;
}

bool pr_gguf_has(const pr_gguf_t *g, const char *key)
{
    return pr_gguf_key_find(g, key) != NULL;
}

const char *pr_gguf_key(const pr_gguf_t *g, size_t i)
{
    return i < g->n_key ? g->key[i].name : NULL;
}

pr_status_t pr_gguf_require(const pr_gguf_t *g, const char *key, pr_error_t *err)
{
    if (pr_gguf_has(g, key))
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found nothing, expected a value", g->path, key);
}

static pr_status_t wrong_kind(const pr_gguf_t *g, const pr_gguf_key_t *k, const char *expected, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_FORMAT, "%s: key '%.200s': found %s%s%s, expected %s", g->path, k->name,
                   kind_names[k->kind], k->kind == PR_GGUF_ARRAY ? " whose items are each " : "",
                   k->kind == PR_GGUF_ARRAY ? kind_names[k->item] : "", expected);
}

static bool is_integer(pr_gguf_kind_t kind)
{
    return kind <= PR_GGUF_I32 || kind == PR_GGUF_U64 || kind == PR_GGUF_I64;
}

/* false: past 63 bits. */
static bool integer_at(const pr_gguf_t *g, pr_gguf_kind_t kind, size_t at, int64_t *out)
{
    size_t bytes = pr_gguf_kind_bytes(kind);
    uint64_t word = pr_gguf_word(g->map.data + at, bytes);
    bool is_signed = kind == PR_GGUF_I8 || kind == PR_GGUF_I16 || kind == PR_GGUF_I32 || kind == PR_GGUF_I64;
    if (is_signed && bytes < 8 && word >> (8 * bytes - 1))
        word |= ~(uint64_t)0 << (8 * bytes);
    *out = (int64_t)word;
    return is_signed || word <= INT64_MAX;
}

static pr_status_t checked_integer(const pr_gguf_t *g, const pr_gguf_key_t *k, uint64_t i, int64_t min, int64_t max,
                                   int64_t *out, pr_error_t *err)
{
    char place[32] = "";
    bool fits = integer_at(g, k->item, k->at + (size_t)i * pr_gguf_kind_bytes(k->item), out);
    if (fits && *out >= min && *out <= max)
        return PR_OK;
    if (k->kind == PR_GGUF_ARRAY)
        snprintf(place, sizeof place, "[%llu]", (unsigned long long)i);
    return pr_fail(err, PR_ERR_FORMAT, "%s: key '%.200s'%s: found %s%lld, expected %lld to %lld", g->path, k->name,
                   place, fits ? "" : "more than ", fits ? (long long)*out : (long long)INT64_MAX, (long long)min,
                   (long long)max);
}

pr_status_t pr_gguf_int(const pr_gguf_t *g, const char *key, int64_t min, int64_t max, int64_t *out, pr_error_t *err)
{
    const pr_gguf_key_t *k = pr_gguf_key_find(g, key);
    if (!k)
        return PR_OK;
    if (!is_integer(k->kind))
        return wrong_kind(g, k, "an integer", err);
    return checked_integer(g, k, 0, min, max, out, err);
}

pr_status_t pr_gguf_real(const pr_gguf_t *g, const char *key, double *out, pr_error_t *err)
{
    const pr_gguf_key_t *k = pr_gguf_key_find(g, key);
    float f;
    int64_t i;
    if (!k)
        return PR_OK;
    if (k->kind == PR_GGUF_F32) {
        memcpy(&f, g->map.data + k->at, sizeof f);
        *out = (double)f;
    } else if (k->kind == PR_GGUF_F64) {
        memcpy(out, g->map.data + k->at, sizeof *out);
    } else if (is_integer(k->kind)) {
        PR_TRY(checked_integer(g, k, 0, INT64_MIN, INT64_MAX, &i, err));
        *out = (double)i;
    } else {
        return wrong_kind(g, k, "a number", err);
    }
    if (!isfinite(*out))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%.200s': found %s, expected a finite number", g->path, k->name,
                       isnan(*out) ? "NaN" : "an infinity");
    return PR_OK;
}

pr_status_t pr_gguf_bool(const pr_gguf_t *g, const char *key, bool *out, pr_error_t *err)
{
    const pr_gguf_key_t *k = pr_gguf_key_find(g, key);
    if (!k)
        return PR_OK;
    if (k->kind != PR_GGUF_BOOL)
        return wrong_kind(g, k, "a bool", err);
    unsigned char byte = g->map.data[k->at];
    if (byte > 1)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%.200s': found %d, expected 0 or 1", g->path, k->name, byte);
    *out = byte;
    return PR_OK;
}

pr_status_t pr_gguf_string(const pr_gguf_t *g, const char *key, const char **out, pr_error_t *err)
{
    pr_gguf_key_t *k = pr_gguf_key_find(g, key);
    if (!k)
        return PR_OK;
    if (k->kind != PR_GGUF_TEXT)
        return wrong_kind(g, k, "a text", err);
    const char *text = (const char *)g->map.data + k->at;
    json_t *v = memchr(text, 0, (size_t)k->n) ? NULL : json_stringn(text, (size_t)k->n);
    json_decref(v);
    if (!v)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%.200s': found %llu bytes that are no text, expected UTF-8",
                       g->path, k->name, (unsigned long long)k->n);
    if (!k->text)
        k->text = pr_strndup(text, (size_t)k->n);
    *out = k->text;
    return PR_OK;
}

pr_status_t pr_gguf_texts(const pr_gguf_t *g, const char *key, pr_gguf_text_t **out, size_t *n, pr_error_t *err)
{
    const pr_gguf_key_t *k = pr_gguf_key_find(g, key);
    *out = NULL;
    *n = 0;
    if (!k)
        return PR_OK;
    if (k->kind != PR_GGUF_ARRAY || k->item != PR_GGUF_TEXT)
        return wrong_kind(g, k, "an array of texts", err);
    *n = (size_t)k->n;
    *out = pr_alloc(*n, sizeof **out);
    size_t at = k->at;
    for (size_t i = 0; i < *n; i++) { // lengths were checked when the file was opened
        size_t len = (size_t)pr_gguf_word(g->map.data + at, 8);
        (*out)[i] = (pr_gguf_text_t){(const char *)g->map.data + at + 8, len};
        at += 8 + len;
    }
    return PR_OK;
}

pr_status_t pr_gguf_ints(const pr_gguf_t *g, const char *key, int64_t min, int64_t max, int64_t **out, size_t *n,
                         pr_error_t *err)
{
    const pr_gguf_key_t *k = pr_gguf_key_find(g, key);
    *out = NULL;
    *n = 0;
    if (!k)
        return PR_OK;
    if (k->kind != PR_GGUF_ARRAY || !is_integer(k->item))
        return wrong_kind(g, k, "an array of integers", err);
    *n = (size_t)k->n;
    *out = pr_alloc(*n, sizeof **out);
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < *n && status == PR_OK; i++)
        status = checked_integer(g, k, i, min, max, &(*out)[i], err);
    if (status != PR_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

pr_status_t pr_gguf_unsupported(const pr_gguf_t *g, const char *key, const char *found, const char *expected,
                                pr_error_t *err)
{
    return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: key '%.200s': found %.200s, expected %s", g->path, key, found,
                   expected);
}
