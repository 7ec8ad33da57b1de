// SPDX-License-Identifier: BSD-3-Clause
/* Eigenvectors of symmetric matrices, by LAPACK in this process. Local. */
#ifndef PR_PARALLEL_EIGEN_H
#define PR_PARALLEL_EIGEN_H

#include "base/error.h"

/* u [r,d]: eigenvectors of the r <= d largest eigenvalues of g [d,d], the least of them first, of length 1 and of either
 * sign; v [r]: the eigenvalues. Of g the upper triangle, row-major, is read; all of it is overwritten. Errors:
 * PR_ERR_NUMERIC. */
pr_status_t pr_eigen_largest(int d, int r, double *g, double *v, double *u, pr_error_t *err);

#endif
