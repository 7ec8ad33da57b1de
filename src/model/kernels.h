// SPDX-License-Identifier: BSD-3-Clause
/* Element-wise and row-wise loops of the transformer: everything that is not a matrix product.
 *
 * Written so that the compiler vectorises them without -ffast-math, and compiled for several instruction sets with a
 * choice at run time (PR_CLONES). A result is a function of the arguments' shapes and values only: not of alignment or
 * threads. Matrices are row-major; ld is the distance between rows. exp is a polynomial with a relative error below
 * 2e-7. */
#ifndef PR_MODEL_KERNELS_H
#define PR_MODEL_KERNELS_H

#include "model/config.h"

#include <stdbool.h>
#include <stdint.h>

enum { PR_KEY_BLOCK = 16 }; // keys that lie side by side in the KV cache

/* ---- norms of rows x [n,d] whose other features may lie elsewhere: sums of a row here, the rest when they are added
 * up; b NULL: none ---- */
/* s[i] = sum of row i; of its squares (x - mean[i])^2, mean NULL: 0. */
void pr_k_row_sums(int n, int d, const float *x, float *s);
void pr_k_row_squares(int n, int d, const float *x, const float *mean, float *s);
/* y = (x - mean[i]) scale[i] w + b; mean NULL: 0. y may be x. */
void pr_k_norm_apply(int n, int d, const float *x, const float *mean, const float *scale, const float *w,
                     const float *b, float *y);
/* c0[i] = sum of dy w (NULL: not wanted), c1[i] = sum of dy w (x - mean[i]). */
void pr_k_norm_backward_sums(int n, int d, const float *x, const float *mean, const float *w, const float *dy,
                             float *c0, float *c1);
/* dx [n,d] += scale[i] (dy w - c0[i] - (x - mean[i]) c1[i]), mean, c0 NULL: 0; dw, db [d] += unless NULL. */
void pr_k_norm_backward_apply(int n, int d, const float *x, const float *mean, const float *scale, const float *w,
                              const float *dy, const float *c0, const float *c1, float *dx, float *dw, float *db);
/* RMSNorm of whole rows x [n,d] (heads of q and k). */
void pr_k_rms_norm(int n, int d, const float *x, int ldx, const float *w, float eps, float *y, int ldy);
/* dx [n,d] = (dx may be dy) the derivative by x; dw [d] += unless NULL. */
void pr_k_rms_norm_backward(int n, int d, const float *x, int ldx, const float *w, float eps, const float *dy, int lddy,
                            float *dx, int lddx, float *dw);

/* ---- rows ---- */
/* y [n,d] (ldy) += b [d]. */
void pr_k_add_bias(int n, int d, const float *b, float *y, int ldy);
/* s [d] += column sums of x [n,d] (ldx). */
void pr_k_column_sums(int n, int d, const float *x, int ldx, float *s);
/* y [n] += a x. */
void pr_k_axpy(int64_t n, float a, const float *x, float *y);
/* y [n] = a x + b y; b = 0: y is not read. */
void pr_k_axpby(int64_t n, float a, const float *x, float b, float *y);
/* Columns c0..c1-1 of row i of u (ld) *= c[i]. */
void pr_k_scale_rows(int n, int d, const float *c, float *u, int ld);

/* Rotates each of n_head heads of row i of x (ld) by the angles of position pos[i]: pairs (j, j + head_dim/2).
 * cosine, sine [*,head_dim/2]; sign -1 turns back. */
void pr_k_rope(int n, int n_head, int head_dim, const int *pos, const float *cosine, const float *sine, float sign,
               float *x, int ld);

/* ---- the MLP's activation ---- */
/* h [n] = act(gate) * up, or act(up) with gate NULL. h may be gate or up. */
void pr_k_activate(pr_act_t act, int64_t n, const float *gate, const float *up, float *h);
/* dgate, dup [n] from dh. dup may be dh; without gate, dgate is NULL. */
void pr_k_activate_backward(pr_act_t act, int64_t n, const float *gate, const float *up, const float *dh, float *dgate,
                            float *dup);

/* ---- attention ---- */
/* Rows i of s [n,ld]: columns lo[i]..hi[i]-1 become softmax(scale s), columns of [0,width) outside 0; lse[i] = log sum
 * exp, at distance ldl (NULL: not wanted). */
void pr_k_softmax_rows(int n, int width, const int *lo, const int *hi, float scale, float *s, int ld, float *lse,
                       int ldl);
/* p [n,ld] = exp(scale s - lse) where allowed, else 0, in place of s. */
void pr_k_softmax_again(int n, int width, const int *lo, const int *hi, float scale, float *s, int ld, const float *lse,
                        int ldl);
/* dp [n,ld] = scale p (dp - delta_i), delta_i = row i of dout (lddo) times row i of out (ldo), each [head_dim]. */
void pr_k_softmax_rows_backward(int n, int width, int head_dim, float scale, const float *p, int ld, float *dp,
                                const float *dout, int lddo, const float *out, int ldo);
/* One query row against a cache: n_q query heads that share one key/value head. q, out [n_q,head_dim]; k
 * [ceil(n_key/16)][head_dim][16]; v [n_key,ldv], ldv a multiple of 16; keys first..n_key-1 are seen. next_k:
 * the keys that the next call will read (k itself will do), which are fetched meanwhile. scratch: n_q * (n_key rounded
 * up to 16 + ldv) floats. */
void pr_k_attend(int n_q, int head_dim, int first, int n_key, float scale, const float *q, const float *k,
                 const float *v, int ldv, const float *next_k, float *scratch, float *out);

/* ---- the vocabulary ---- */
typedef struct pr_k_lse {
    float max;   // of x
    double sum;  // of exp(scale (x - max))
    double mean; // of scale (x - max) under the softmax
} pr_k_lse_t;
float pr_k_max(int v, const float *x);
pr_k_lse_t pr_k_log_sum_exp(int v, const float *x, float scale, bool want_mean);
/* x = (x - max) - log_sum, which keeps the digits that max + log_sum would lose. */
void pr_k_subtract(int v, float max, float log_sum, float *x);
/* x = c exp(scale (x - max) - log_sum). */
void pr_k_softmax_scaled(int v, float scale, float max, float log_sum, float c, float *x);
/* x = (a + b u) exp(u), u = scale (x - max) - log_sum: a row's gradient by way of its entropy too. */
void pr_k_softmax_tilted(int v, float scale, float max, float log_sum, float a, float b, float *x);
/* x = exp(scale (x - max)); returns the sum of each chunk of PR_EXP_CHUNK in sums. */
enum { PR_EXP_CHUNK = 256 };
void pr_k_exp_chunks(int v, float max, float scale, float *x, double *sums);

#endif
