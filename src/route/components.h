// SPDX-License-Identifier: BSD-3-Clause
/* Principal components: the directions in which features vary most. Local. */
#ifndef PR_ROUTE_COMPONENTS_H
#define PR_ROUTE_COMPONENTS_H

#include "base/error.h"

/* v [p,d]: the p <= d leading eigenvectors of x'x, of centred rows x [n,d], the least of them first; of length 1, each of
 * either sign. Errors: PR_ERR_NUMERIC, PR_ERR_MEMORY. */
pr_status_t pr_components(int n, int d, const double *x, int p, double *v, pr_error_t *err);
/* z [n,p] = x v'. */
void pr_components_of(int n, int d, const double *x, int p, const double *v, double *z);

#endif
