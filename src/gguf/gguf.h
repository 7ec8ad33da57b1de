// SPDX-License-Identifier: BSD-3-Clause
/* The GGUF format (llama.cpp), versions 2 and 3, little-endian.
 *
 *   "GGUF", u32 version, u64 tensors, u64 keys
 *   keys      text name, u32 kind, value: a number, a bool of a byte, a text, or an array (u32 kind, u64 n, n values)
 *   tensors   text name, u32 dimensions, u64 size of each (the one that runs fastest first), u32 type, u64 offset
 *   padding   to a multiple of general.alignment (32 where there is no such key), from where offsets count
 *   the rest  the tensors' bytes: rows in blocks (gguf_types.h)
 *
 * A text is u64 length and UTF-8. Files are mapped, and nothing in them is believed: every length is checked against what
 * is left of the file before it is used. */
#ifndef PR_GGUF_GGUF_H
#define PR_GGUF_GGUF_H

#include "base/error.h"
#include "gguf/gguf_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PR_GGUF_MAX_DIM = 4 };

typedef struct pr_gguf pr_gguf_t;

typedef struct pr_gguf_tensor {
    const char *name;
    const pr_gguf_type_t *type;
    int n_dim;
    int64_t shape[PR_GGUF_MAX_DIM]; // as other programs write it: rows first, [out,in]; the file's the other way round
    const unsigned char *data;
    size_t bytes;
} pr_gguf_tensor_t;

/* A text of the file: bytes that no NUL ends. */
typedef struct pr_gguf_text {
    const char *data;
    size_t len;
} pr_gguf_text_t;

/* Opens a file; path is kept for messages. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (byte offset, key or tensor: found,
 * expected), PR_ERR_UNSUPPORTED (big-endian; a tensor's type that this program does not read). */
pr_status_t pr_gguf_open(const char *path, pr_gguf_t **out, pr_error_t *err);
void pr_gguf_close(pr_gguf_t **g);
const char *pr_gguf_path(const pr_gguf_t *g);

/* ---- keys: those that are missing leave *out as it is, so that it holds a default ---- */

bool pr_gguf_has(const pr_gguf_t *g, const char *key);
/* The i-th key's name in the order of names, NULL behind the last. */
const char *pr_gguf_key(const pr_gguf_t *g, size_t i);
/* PR_ERR_FORMAT, naming the key, where it is missing. */
pr_status_t pr_gguf_require(const pr_gguf_t *g, const char *key, pr_error_t *err);
/* A whole number of any kind within [min, max]; a number; a bool. Errors: PR_ERR_FORMAT. */
pr_status_t pr_gguf_int(const pr_gguf_t *g, const char *key, int64_t min, int64_t max, int64_t *out, pr_error_t *err);
pr_status_t pr_gguf_real(const pr_gguf_t *g, const char *key, double *out, pr_error_t *err);
pr_status_t pr_gguf_bool(const pr_gguf_t *g, const char *key, bool *out, pr_error_t *err);
/* A text, UTF-8 without NUL, with a NUL behind it; owned by the file. */
pr_status_t pr_gguf_string(const pr_gguf_t *g, const char *key, const char **out, pr_error_t *err);
/* An array of texts, and one of whole numbers within [min, max]. The caller frees *out, which is NULL where the key is
 * missing. */
pr_status_t pr_gguf_texts(const pr_gguf_t *g, const char *key, pr_gguf_text_t **out, size_t *n, pr_error_t *err);
pr_status_t pr_gguf_ints(const pr_gguf_t *g, const char *key, int64_t min, int64_t max, int64_t **out, size_t *n,
                         pr_error_t *err);
/* PR_ERR_UNSUPPORTED with "FILE: key 'KEY': found FOUND, expected EXPECTED". */
pr_status_t pr_gguf_unsupported(const pr_gguf_t *g, const char *key, const char *found, const char *expected,
                                pr_error_t *err);

/* ---- tensors, in order of name ---- */

size_t pr_gguf_count(const pr_gguf_t *g);
const pr_gguf_tensor_t *pr_gguf_at(const pr_gguf_t *g, size_t i);
/* NULL when there is none of that name. */
const pr_gguf_tensor_t *pr_gguf_find(const pr_gguf_t *g, const char *name);
/* These bytes of the tensor have been read: their pages go back to the kernel. */
void pr_gguf_release(const pr_gguf_t *g, const pr_gguf_tensor_t *t, size_t offset, size_t len);

#endif
