// SPDX-License-Identifier: BSD-3-Clause
/* Within the reader of GGUF files: what it knows of an open one. gguf.c fills it, gguf_keys.c looks things up. */
#ifndef PR_GGUF_GGUF_INTERNAL_H
#define PR_GGUF_GGUF_INTERNAL_H

#include "base/file.h"
#include "gguf/gguf.h"

typedef enum {
    PR_GGUF_U8,
    PR_GGUF_I8,
    PR_GGUF_U16,
    PR_GGUF_I16,
    PR_GGUF_U32,
    PR_GGUF_I32,
    PR_GGUF_F32,
    PR_GGUF_BOOL,
    PR_GGUF_TEXT,
    PR_GGUF_ARRAY,
    PR_GGUF_U64,
    PR_GGUF_I64,
    PR_GGUF_F64,
    PR_GGUF_N_KIND
} pr_gguf_kind_t;

typedef struct pr_gguf_key {
    char *name;
    pr_gguf_kind_t kind, item; // item: of an array's values
    uint64_t n;                // values of an array, bytes of a text
    size_t at;                 // byte offset of the number, the text or the array's first value
    char *text;                // of a text, once it was asked for: with a NUL behind it
} pr_gguf_key_t;

struct pr_gguf {
    char *path;
    pr_map_t map;
    size_t n_key, n_tensor;
    pr_gguf_key_t *key; // [n_key] in order of name
    pr_gguf_tensor_t *tensor;
};

/* Bytes of a number of this kind; 0 for texts and arrays. */
size_t pr_gguf_kind_bytes(pr_gguf_kind_t kind);
uint64_t pr_gguf_word(const unsigned char *p, size_t bytes);
/* By name, for qsort and bsearch. */
int pr_gguf_key_order(const void *a, const void *b);
pr_gguf_key_t *pr_gguf_key_find(const pr_gguf_t *g, const char *name);

#endif
