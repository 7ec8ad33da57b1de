// SPDX-License-Identifier: BSD-3-Clause
/* Internal: the hypervolume of five objectives and more, on coordinate ranks of 16 bits. */
#ifndef PR_PARETO_HV_PACKED_H
#define PR_PARETO_HV_PACKED_H

#include <stdbool.h>
#include <stddef.h>

/* Whether pr_hv_packed() takes n points of m objectives. */
bool pr_hv_packed_fits(size_t n, size_t m);
/* As pr_hv_many(), for m >= 5: u [n,m], all values > 0 and finite. *steps: how many may be taken, less what was; below
 * 0, it was not enough and what is returned means nothing. */
double pr_hv_packed(const double *u, size_t n, size_t m, double *steps);

#endif
