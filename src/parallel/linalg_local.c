// SPDX-License-Identifier: BSD-3-Clause
/* The `local` linear-algebra provider: single-precision oneDNN and BLAS in this process.
 *
 * A transformer of a few hundred features multiplies matrices that are small to a BLAS: a few hundred rows, inner sizes
 * from 8 (adapters) to 512. On a Sapphire Rapids core oneDNN's sgemm, whose kernels are made for the shape at hand,
 * reaches 145-180 GF/s there, where OpenBLAS 0.3.21 reaches 105-150, and 140 against 70 at an adapter's inner size of
 * 8; OpenBLAS wins for one row, and for results so narrow that its small-matrix kernels take them. */
#include "base/mem.h"
#include "parallel/linalg.h"

#include <assert.h>
#include <cblas.h>
#include <dlfcn.h>
#include <dnnl.h>
#include <stdlib.h>
#include <string.h>

/* c [m,n] = op(a) op(b), or +=. The choice is a function of the shape, so that results are too. */
static void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float *a, int lda, const float *b,
                 int ldb, bool accumulate, float *c, int ldc)
{
    const float beta = accumulate ? 1.0f : 0.0f;
    if (n < 16 && (double)m * n * k <= 1e6) {
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
        return;
    }
    dnnl_status_t status = dnnl_sgemm(ta == CblasTrans ? 'T' : 'N', tb == CblasTrans ? 'T' : 'N', m, n, k, 1.0f, a, lda,
                                      b, ldb, beta, c, ldc);
    assert(status == dnnl_success); // anything else says that the sizes make no sense
    (void)status;
}

// One row y [cols of op(b)] (+)= a [k] op(b): gemv reads b once, where gemm would pack it first (3 times the time for a
// weight outside the cache). y is cleared here since gemv may scale what is not yet a number.
static void row_times(CBLAS_TRANSPOSE tb, int n, int k, const float *a, const float *b, int ldb, bool accumulate,
                      float *y)
{
    if (!accumulate)
        memset(y, 0, (size_t)n * sizeof *y);
    if (tb == CblasTrans) // b is stored [n,k]
        cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, 1.0f, b, ldb, a, 1, 1.0f, y, 1);
    else
        cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1.0f, b, ldb, a, 1, 1.0f, y, 1);
}

// y [m,n] = x [m,k] op(b), or +=
static void rows_times(CBLAS_TRANSPOSE tb, int m, int n, int k, const float *x, int ldx, const float *b, int ldb,
                       bool accumulate, float *y, int ldy)
{
    if (m == 1)
        row_times(tb, n, k, x, b, ldb, accumulate, y);
    else if (m > 1)
        gemm(CblasNoTrans, tb, m, n, k, x, ldx, b, ldb, accumulate, y, ldy);
}

// y [n,out] = x [n,in] Wt
static void local_forward(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx, float *y,
                          int ldy, bool accumulate)
{
    (void)la;
    rows_times(w->transposed ? CblasNoTrans : CblasTrans, n, w->out, w->in, x, ldx, w->data, w->ld, accumulate, y, ldy);
}

// dx [n,in] = dy [n,out] W
static void local_backward_input(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *dy, int ldy,
                                 float *dx, int ldx, bool accumulate)
{
    (void)la;
    rows_times(w->transposed ? CblasTrans : CblasNoTrans, n, w->in, w->out, dy, ldy, w->data, w->ld, accumulate, dx,
               ldx);
}

// dw [out,in] += dyt x, or, as stored by Conv1D, dw [in,out] += xt dy
static void local_backward_weight(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx,
                                  const float *dy, int ldy, float *dw)
{
    (void)la;
    if (n == 0)
        return;
    bool t = w->transposed;
    const float *left = t ? x : dy, *right = t ? dy : x;
    gemm(CblasTrans, CblasNoTrans, t ? w->in : w->out, t ? w->out : w->in, n, left, t ? ldx : ldy, right, t ? ldy : ldx,
         true, dw, w->ld);
}

static void local_reduce(const pr_linalg_t *la, float *v, size_t n)
{
    (void)la, (void)v, (void)n;
}

static void local_gather(const pr_linalg_t *la, int n, const float *x, int ldx, const int *first, float *full)
{
    (void)la;
    size_t width = (size_t)first[1];
    for (int i = 0; i < n; i++)
        memcpy(full + (size_t)i * width, x + (size_t)i * (size_t)ldx, width * sizeof *full);
}

static pr_status_t local_agree(const pr_linalg_t *la, pr_status_t mine, pr_error_t *err)
{
    (void)la, (void)err;
    return mine;
}

static bool threads_chosen;

static void set_threads(int n)
{
    threads_chosen = true;
    openblas_set_num_threads(n);
    /* oneDNN's threads are OpenMP's; whichever runtime it was built with is asked, without our linking to it. */
    union {
        void *symbol;
        void (*set)(int);
    } omp = {.symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads")};
    if (omp.symbol)
        omp.set(n);
}

/* Buffers of BLAS are taken at the first product that is large enough, and kept. */
static pr_status_t take_buffers(pr_error_t *err)
{
    enum { N = 512 };
    float *a = pr_alloc_matrix((size_t)3 * N * N, sizeof *a);
    if (!a)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for the first product");
    memset(a, 0, (size_t)3 * N * N * sizeof *a);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, a + N * N, N, 0, a + 2 * N * N, N);
    dnnl_sgemm('N', 'N', N, N, N, 1, a, N, a + N * N, N, 0, a + 2 * N * N, N);
    free(a);
    return PR_OK;
}

pr_status_t pr_linalg_start(int n, pr_error_t *err)
{
    // OpenBLAS's buffer and a stack per thread; oneDNN's kernels and the arenas of malloc.
    const size_t mib = (size_t)1 << 20, need = (size_t)n * 144 * mib + 96 * mib;
    static int started;
    size_t limit;
    set_threads(n);
    if (n <= started || !pr_address_limit(&limit))
        return PR_OK;
    if (!pr_address_has_room(need))
        return pr_fail(err, PR_ERR_MEMORY,
                       "this process may have %zu MiB of address space (ulimit -v), too few: %zu MiB more are needed "
                       "for linear algebra on %d thread%s",
                       limit / mib, need / mib, n, n == 1 ? "" : "s");
    PR_TRY(take_buffers(err));
    started = n;
    return PR_OK;
}

const pr_linalg_t *pr_linalg_local(void)
{
    static const pr_linalg_t local = {.name = "local",
                                      .col = 0,
                                      .cols = 1,
                                      .row_block = 256, // enough for BLAS, few enough for the caches
                                      .forward = local_forward,
                                      .backward_input = local_backward_input,
                                      .backward_weight = local_backward_weight,
                                      .sum = local_reduce,
                                      .max = local_reduce,
                                      .gather = local_gather,
                                      .agree = local_agree};
    if (!threads_chosen)
        set_threads(1);
    return &local;
}
