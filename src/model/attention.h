// SPDX-License-Identifier: BSD-3-Clause
/* Causal self-attention of one sequence, from its rows of the fused q|k|v buffer. Grouped heads: query head h reads
 * key/value head (skip + h) / group. With a window of w tokens a position sees itself and the w - 1 before it. */
#ifndef PR_MODEL_ATTENTION_H
#define PR_MODEL_ATTENTION_H

#include "base/error.h"

#include <stddef.h>

typedef struct pr_attention {
    int n_head, n_kv_head, head_dim;
    int group;                    // query heads that share a key/value head
    int skip;                     // query heads of the first key/value head that another column has
    int q_width, kv_width, width; // of q, of k and of v; between rows of all three
    int out_width;                // between rows of the output
    int window;                   // 0: none
    float scale;
} pr_attention_t;

/* Floats of scratch memory that a sequence of n rows needs. */
size_t pr_attention_scratch(int n);

/* out [n,q_width] (out_width) from qkv [n,q_width + 2 kv_width] (width); lse [n,n_head] (log sum exp, for backward)
 * unless NULL. */
void pr_attention_forward(const pr_attention_t *a, int n, const float *qkv, float *out, float *lse, float *scratch);
/* dqkv (as qkv) = the derivative by qkv, from dout (as out) and what forward made. */
void pr_attention_backward(const pr_attention_t *a, int n, const float *qkv, const float *out, const float *lse,
                           const float *dout, float *dqkv, float *scratch);

#endif
