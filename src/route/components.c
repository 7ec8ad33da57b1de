// SPDX-License-Identifier: BSD-3-Clause
#include "route/components.h"
#include "base/mem.h"
#include "parallel/eigen.h"

#include <cblas.h>
#include <stdlib.h>

pr_status_t pr_components(int n, int d, const double *x, int p, double *v, pr_error_t *err)
{
    double *g = pr_alloc_matrix((size_t)d * (size_t)d, sizeof *g), *values = pr_alloc((size_t)p, sizeof *values);
    pr_status_t status = g ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory for a matrix of %d x %d", d, d);
    if (status == PR_OK) {
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, d, n, 1, x, d, 0, g, d);
        status = pr_eigen_largest(d, p, g, values, v, err);
    }
    free(g);
    free(values);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "principal components");
}

void pr_components_of(int n, int d, const double *x, int p, const double *v, double *z)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, p, d, 1, x, d, v, d, 0, z, p);
}
