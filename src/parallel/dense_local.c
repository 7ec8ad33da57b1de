// SPDX-License-Identifier: BSD-3-Clause
/* The `local` dense provider: double-precision BLAS and LAPACK in this process. */
#include "base/mem.h"
#include "parallel/dense.h"
#include "parallel/lapack.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// To LAPACK, column-major, the lower triangle of our row-major matrices is the upper one.

struct pr_spd {
    int d;
    bool factored;
    double *a; // [d,d] row-major, the lower triangle counts
};

static pr_status_t local_create(const pr_dense_t *dense, int d, pr_spd_t **out, pr_error_t *err)
{
    (void)dense;
    size_t n = (size_t)d * (size_t)d;
    double *a = pr_alloc_matrix(n, sizeof *a);
    if (!a)
        return pr_fail(err, PR_ERR_MEMORY, "no memory for a matrix of %d x %d", d, d);
    memset(a, 0, n * sizeof *a);
    pr_spd_t *g = pr_alloc(1, sizeof *g);
    *g = (pr_spd_t){.d = d, .a = a};
    *out = g;
    return PR_OK;
}

static void local_destroy(const pr_dense_t *dense, pr_spd_t **g)
{
    (void)dense;
    if (!*g)
        return;
    free((*g)->a);
    free(*g);
    *g = NULL;
}

static void local_clear(const pr_dense_t *dense, pr_spd_t *g)
{
    (void)dense;
    memset(g->a, 0, (size_t)g->d * (size_t)g->d * sizeof *g->a);
    g->factored = false;
}

static pr_status_t local_add(const pr_dense_t *dense, pr_spd_t *g, double keep, int n, const double *x, pr_error_t *err)
{
    (void)dense, (void)err;
    assert(!g->factored);
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, g->d, n, 1.0, x, g->d, keep, g->a, g->d);
    return PR_OK;
}

static void local_add_matrix(const pr_dense_t *dense, pr_spd_t *g, double scale, const pr_spd_t *h)
{
    (void)dense;
    assert(!g->factored && !h->factored && g->d == h->d);
    size_t n = (size_t)g->d * (size_t)g->d;
    for (size_t i = 0; i < n; i++)
        g->a[i] += scale * h->a[i];
}

static void local_add_diagonal(const pr_dense_t *dense, pr_spd_t *g, double v)
{
    (void)dense;
    assert(!g->factored);
    for (int i = 0; i < g->d; i++)
        g->a[(size_t)i * (size_t)(g->d + 1)] += v;
}

static void local_scale_off_diagonal(const pr_dense_t *dense, pr_spd_t *g, double c)
{
    (void)dense;
    assert(!g->factored);
    for (int i = 0; i < g->d; i++)
        for (int j = 0; j < i; j++)
            g->a[(size_t)i * (size_t)g->d + (size_t)j] *= c;
}

static double local_trace(const pr_dense_t *dense, const pr_spd_t *g)
{
    (void)dense;
    double sum = 0;
    for (int i = 0; i < g->d; i++)
        sum += g->a[(size_t)i * (size_t)(g->d + 1)];
    return sum;
}

static pr_status_t local_multiply(const pr_dense_t *dense, const pr_spd_t *g, int n, const double *x, double *y,
                                  pr_error_t *err)
{
    (void)dense, (void)err;
    assert(!g->factored);
    cblas_dsymm(CblasRowMajor, CblasRight, CblasLower, n, g->d, 1.0, g->a, g->d, x, g->d, 0.0, y, g->d);
    return PR_OK;
}

/* OpenBLAS's DPOTRF takes NaN for a pivot above zero. */
static bool all_finite(const pr_spd_t *g)
{
    for (int i = 0; i < g->d; i++)
        for (int j = 0; j <= i; j++)
            if (!isfinite(g->a[(size_t)i * (size_t)g->d + (size_t)j]))
                return false;
    return true;
}

static pr_status_t local_factor(const pr_dense_t *dense, pr_spd_t *g, double *rcond, pr_error_t *err)
{
    (void)dense;
    assert(!g->factored);
    int info, d = g->d;
    if (!all_finite(g))
        return pr_fail(err, PR_ERR_NUMERIC, "the matrix of %d x %d holds numbers that are not finite", d, d);
    double *work = pr_alloc((size_t)d * 3, sizeof *work);
    double norm = rcond ? dlansy_("1", "U", &d, g->a, &d, work, 1, 1) : 0;
    dpotrf_("U", &d, g->a, &d, &info, 1);
    g->factored = info == 0;
    if (info == 0 && rcond) {
        int *iwork = pr_alloc((size_t)d, sizeof *iwork), rc;
        dpocon_("U", &d, g->a, &d, &norm, rcond, work, iwork, &rc, 1);
        free(iwork);
    }
    free(work);
    if (info != 0)
        return pr_fail(err, PR_ERR_NUMERIC, "the matrix of %d x %d is not positive definite (leading minor %d)", d, d,
                       info);
    return PR_OK;
}

static pr_status_t local_solve(const pr_dense_t *dense, const pr_spd_t *g, int n, double *b, pr_error_t *err)
{
    (void)dense, (void)err;
    assert(g->factored);
    int info, d = g->d;
    dpotrs_("U", &d, &n, g->a, &d, b, &d, &info, 1);
    assert(info == 0); // anything else says that the sizes make no sense
    return PR_OK;
}

static void local_get(const pr_dense_t *dense, const pr_spd_t *g, double *out)
{
    (void)dense;
    size_t d = (size_t)g->d;
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j <= i; j++) {
            out[i * d + j] = g->a[i * d + j];
            out[j * d + i] = g->factored && i != j ? 0 : g->a[i * d + j];
        }
}

const pr_dense_t *pr_dense_local(void)
{
    static const pr_dense_t local = {.name = "local",
                                     .create = local_create,
                                     .destroy = local_destroy,
                                     .clear = local_clear,
                                     .add = local_add,
                                     .add_matrix = local_add_matrix,
                                     .add_diagonal = local_add_diagonal,
                                     .scale_off_diagonal = local_scale_off_diagonal,
                                     .trace = local_trace,
                                     .multiply = local_multiply,
                                     .factor = local_factor,
                                     .solve = local_solve,
                                     .get = local_get};
    return &local;
}
