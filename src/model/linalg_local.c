/* The `local` linear-algebra provider: single-precision BLAS in this process. */
#include "model/linalg.h"

#include <cblas.h>

static void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float *a, int lda, const float *b,
                 int ldb, float beta, float *c, int ldc)
{
    if (m > 0 && n > 0)
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
}

// y [n,out] = x [n,in] Wt
static void local_forward(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx, float *y,
                          int ldy, bool accumulate)
{
    (void)la;
    gemm(CblasNoTrans, w->transposed ? CblasNoTrans : CblasTrans, n, w->out, w->in, x, ldx, w->data, w->ld,
         accumulate ? 1.0f : 0.0f, y, ldy);
}

// dx [n,in] = dy [n,out] W
static void local_backward_input(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *dy, int ldy,
                                 float *dx, int ldx, bool accumulate)
{
    (void)la;
    gemm(CblasNoTrans, w->transposed ? CblasTrans : CblasNoTrans, n, w->in, w->out, dy, ldy, w->data, w->ld,
         accumulate ? 1.0f : 0.0f, dx, ldx);
}

// dw [out,in] += dyt x, or, as stored by Conv1D, dw [in,out] += xt dy
static void local_backward_weight(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx,
                                  const float *dy, int ldy, float *dw)
{
    (void)la;
    if (n == 0)
        return;
    if (w->transposed)
        gemm(CblasTrans, CblasNoTrans, w->in, w->out, n, x, ldx, dy, ldy, 1.0f, dw, w->ld);
    else
        gemm(CblasTrans, CblasNoTrans, w->out, w->in, n, dy, ldy, x, ldx, 1.0f, dw, w->ld);
}

static void local_reduce(const pr_linalg_t *la, float *v, int n)
{
    (void)la, (void)v, (void)n;
}

static bool threads_chosen;

void pr_linalg_set_threads(int n)
{
    threads_chosen = true;
    openblas_set_num_threads(n > 0 ? n : 1);
}

const pr_linalg_t *pr_linalg_local(void)
{
    static const pr_linalg_t local = {.name = "local",
                                      .col = 0,
                                      .cols = 1,
                                      .forward = local_forward,
                                      .backward_input = local_backward_input,
                                      .backward_weight = local_backward_weight,
                                      .sum = local_reduce,
                                      .max = local_reduce};
    if (!threads_chosen)
        pr_linalg_set_threads(1);
    return &local;
}
