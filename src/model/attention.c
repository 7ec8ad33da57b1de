// SPDX-License-Identifier: BSD-3-Clause
/* Attention by blocks of query rows and small matrix products, so that memory is rows of a block x keys seen. There is
 * no weight in it, so it calls BLAS itself and not the provider. */
#include "model/attention.h"

#include "model/kernels.h"

#include <cblas.h>
#include <string.h>

enum { BLOCK_MAX = 128, BLOCK_MIN = 16, BLOCK_SCORES = 65536 };

// One block of query rows q0..q0+rows-1 and the keys k0..k0+keys-1 that any of them sees.
typedef struct block {
    int q0, rows, k0, keys;
    int lo[BLOCK_MAX], hi[BLOCK_MAX]; // keys that each row sees, counted from k0
} block_t;

static int block_rows(int n)
{
    int rows = BLOCK_SCORES / (n > 0 ? n : 1);
    rows = rows < BLOCK_MIN ? BLOCK_MIN : rows > BLOCK_MAX ? BLOCK_MAX : rows;
    return rows < n ? rows : n;
}

size_t pr_attention_scratch(int n)
{
    return 2 * (size_t)block_rows(n) * (size_t)n;
}

static void block_at(const pr_attention_t *a, int n, int q0, block_t *b)
{
    int rows = block_rows(n);
    b->q0 = q0;
    b->rows = n - q0 < rows ? n - q0 : rows;
    b->k0 = a->window > 0 && q0 >= a->window ? q0 - a->window + 1 : 0;
    b->keys = q0 + b->rows - b->k0;
    for (int i = 0; i < b->rows; i++) {
        int first = a->window > 0 && q0 + i >= a->window ? q0 + i - a->window + 1 : 0;
        b->lo[i] = first - b->k0;
        b->hi[i] = q0 + i + 1 - b->k0;
    }
}

// c [m,n] = alpha op(a) op(b) + beta c
static void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float *a, int lda, const float *b,
                 int ldb, float beta, float *c, int ldc)
{
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
}

// s [rows,keys] = q kt for one head
static void block_scores(const pr_attention_t *a, const block_t *b, const float *q, const float *k, float *s)
{
    gemm(CblasNoTrans, CblasTrans, b->rows, b->keys, a->head_dim, q + (size_t)b->q0 * (size_t)a->width, a->width,
         k + (size_t)b->k0 * (size_t)a->width, a->width, 0.0f, s, b->keys);
}

static void forward_head(const pr_attention_t *a, int n, const float *q, const float *k, const float *v, float *out,
                         int ldo, float *lse, float *scratch)
{
    block_t b;
    for (int q0 = 0; q0 < n; q0 += b.rows) {
        block_at(a, n, q0, &b);
        block_scores(a, &b, q, k, scratch);
        pr_k_softmax_rows(b.rows, b.keys, b.lo, b.hi, a->scale, scratch, b.keys,
                          lse ? lse + (size_t)q0 * (size_t)a->n_head : NULL, a->n_head);
        gemm(CblasNoTrans, CblasNoTrans, b.rows, a->head_dim, b.keys, scratch, b.keys,
             v + (size_t)b.k0 * (size_t)a->width, a->width, 0.0f, out + (size_t)q0 * (size_t)ldo, ldo);
    }
}

void pr_attention_forward(const pr_attention_t *a, int n, const float *qkv, float *out, float *lse, float *scratch)
{
    for (int h = 0; h < a->n_head; h++) {
        const float *q = qkv + h * a->head_dim;
        const float *k = qkv + a->q_width + (a->skip + h) / a->group * a->head_dim;
        forward_head(a, n, q, k, k + a->kv_width, out + h * a->head_dim, a->out_width, lse ? lse + h : NULL, scratch);
    }
}

// Pointers to one head's columns.
typedef struct head_view {
    const float *q, *k, *v, *out, *lse, *dout;
    float *dq, *dk, *dv;
} head_view_t;

static void backward_head(const pr_attention_t *a, int n, const head_view_t *w, float *scratch)
{
    size_t ld = (size_t)a->width, ldo = (size_t)a->out_width;
    float *p = scratch, *dp = scratch + (size_t)block_rows(n) * (size_t)n;
    block_t b;
    for (int q0 = 0; q0 < n; q0 += b.rows) {
        block_at(a, n, q0, &b);
        size_t qrow = (size_t)q0, krow = (size_t)b.k0;
        const float *dout = w->dout + qrow * ldo;
        block_scores(a, &b, w->q, w->k, p);
        pr_k_softmax_again(b.rows, b.keys, b.lo, b.hi, a->scale, p, b.keys, w->lse + qrow * (size_t)a->n_head,
                           a->n_head);
        gemm(CblasNoTrans, CblasTrans, b.rows, b.keys, a->head_dim, dout, a->out_width, w->v + krow * ld, a->width,
             0.0f, dp, b.keys);
        gemm(CblasTrans, CblasNoTrans, b.keys, a->head_dim, b.rows, p, b.keys, dout, a->out_width, 1.0f,
             w->dv + krow * ld, a->width);
        pr_k_softmax_rows_backward(b.rows, b.keys, a->head_dim, a->scale, p, b.keys, dp, dout, a->out_width,
                                   w->out + qrow * ldo, a->out_width);
        gemm(CblasNoTrans, CblasNoTrans, b.rows, a->head_dim, b.keys, dp, b.keys, w->k + krow * ld, a->width, 0.0f,
             w->dq + qrow * ld, a->width);
        gemm(CblasTrans, CblasNoTrans, b.keys, a->head_dim, b.rows, dp, b.keys, w->q + qrow * ld, a->width, 1.0f,
             w->dk + krow * ld, a->width);
    }
}

void pr_attention_backward(const pr_attention_t *a, int n, const float *qkv, const float *out, const float *lse,
                           const float *dout, float *dqkv, float *scratch)
{
    for (int i = 0; i < n; i++)
        memset(dqkv + (size_t)i * (size_t)a->width + a->q_width, 0, 2 * (size_t)a->kv_width * sizeof *dqkv);
    for (int h = 0; h < a->n_head; h++) {
        int q = h * a->head_dim, k = a->q_width + (a->skip + h) / a->group * a->head_dim, v = k + a->kv_width;
        head_view_t w = {qkv + q, qkv + k, qkv + v, out + q, lse + h, dout + q, dqkv + q, dqkv + k, dqkv + v};
        backward_head(a, n, &w, scratch);
    }
}
