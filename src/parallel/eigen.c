// SPDX-License-Identifier: BSD-3-Clause
#include "parallel/eigen.h"
#include "base/mem.h"
#include "parallel/lapack.h"

#include <stdlib.h>
#include <string.h>

pr_status_t pr_eigen_largest(int d, int r, double *g, double *v, double *u, pr_error_t *err)
{
    const double zero = 0;
    int first = d - r + 1, found = 0, info = 0, work_n = 26 * d, iwork_n = 10 * d; // as many as it asks for at least
    double *w = pr_alloc((size_t)d, sizeof *w), *work = pr_alloc((size_t)work_n, sizeof *work);
    int *support = pr_alloc(2 * (size_t)r, sizeof *support), *iwork = pr_alloc((size_t)iwork_n, sizeof *iwork);
    dsyevr_("V", "I", "L", &d, g, &d, &zero, &zero, &first, &d, &zero, &found, w, u, &d, support, work, &work_n, iwork,
            &iwork_n, &info, 1, 1, 1);
    memcpy(v, w, (size_t)r * sizeof *v);
    free(w);
    free(work);
    free(support);
    free(iwork);
    if (info != 0 || found != r)
        return pr_fail(err, PR_ERR_NUMERIC, "the %d largest eigenvalues of a matrix of %d x %d were not found", r, d,
                       d);
    return PR_OK;
}
