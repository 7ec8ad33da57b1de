// SPDX-License-Identifier: BSD-3-Clause
#include "route/components.h"
#include "base/mem.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

void dsyevr_(const char *jobz, const char *range, const char *uplo, const int *n, double *a, const int *lda,
             const double *vl, const double *vu, const int *il, const int *iu, const double *abstol, int *m, double *w,
             double *z, const int *ldz, int *isuppz, double *work, const int *lwork, int *iwork, const int *liwork,
             int *info, size_t, size_t, size_t);

pr_status_t pr_components(int n, int d, const double *x, int p, double *v, pr_error_t *err)
{
    const double zero = 0;
    int first = d - p + 1, found = 0, info = 0, size = -1, integers = -1, *iwork = NULL;
    double wanted, *g = pr_alloc_matrix((size_t)d * (size_t)d, sizeof *g), *w = pr_alloc((size_t)d, sizeof *w),
                   *work = NULL;
    int least, *support = pr_alloc(2 * (size_t)d, sizeof *support);
    pr_status_t status = PR_OK;
    if (!g)
        PR_GO(pr_fail(err, PR_ERR_MEMORY, "no memory for a matrix of %d x %d", d, d));
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, d, n, 1, x, d, 0, g, d);
    dsyevr_("V", "I", "L", &d, g, &d, &zero, &zero, &first, &d, &zero, &found, w, v, &d, support, &wanted, &size,
            &least, &integers, &info, 1, 1, 1);
    size = (int)wanted;
    integers = least;
    work = pr_alloc((size_t)size, sizeof *work);
    iwork = pr_alloc((size_t)integers, sizeof *iwork);
    if (info == 0)
        dsyevr_("V", "I", "L", &d, g, &d, &zero, &zero, &first, &d, &zero, &found, w, v, &d, support, work, &size,
                iwork, &integers, &info, 1, 1, 1);
    if (info != 0 || found != p)
        status = pr_fail(err, PR_ERR_NUMERIC, "the %d principal components of %d features were not found", p, d);
done:
    free(g);
    free(w);
    free(work);
    free(iwork);
    free(support);
    return status;
}

void pr_components_of(int n, int d, const double *x, int p, const double *v, double *z)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, p, d, 1, x, d, v, d, 0, z, p);
}
