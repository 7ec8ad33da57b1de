// SPDX-License-Identifier: BSD-3-Clause
/* The types of tensors in GGUF files. A row is a sequence of blocks; a block holds as many numbers as the type says, of a
 * few bits each, with scales of their own (ggml's ggml-quants.c has the layouts). All types that there are have a row here,
 * so that one that is not read can be named. */
#ifndef PR_GGUF_GGUF_TYPES_H
#define PR_GGUF_GGUF_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef struct pr_gguf_type {
    uint32_t id;
    const char *name; // "Q4_K"
    int block;        // numbers in a block; 0: the type is not read
    int bytes;        // of a block
    /* in [n*bytes] -> out [n*block]: exactly, up to the rounding of the products that the format asks for, in float. */
    void (*to_float)(const unsigned char *in, size_t n, float *out);
} pr_gguf_type_t;

/* NULL for a number that no type has. */
const pr_gguf_type_t *pr_gguf_type(uint32_t id);
/* The i-th type; NULL behind the last. */
const pr_gguf_type_t *pr_gguf_type_at(size_t i);
/* "F32, F16, ...": the types that are read; a static text. */
const char *pr_gguf_types_read(void);

#endif
