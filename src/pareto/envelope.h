// SPDX-License-Identifier: BSD-3-Clause
/* The upper envelope of linear functions over the simplex, and the bound that points below it give. */
#ifndef PR_PARETO_ENVELOPE_H
#define PR_PARETO_ENVELOPE_H

#include <stddef.h>

/* The corner weights of the upper envelope max_v w.v over the simplex. values [n,k], 2 <= k <= PR_ENVELOPE_MAX_K.
 * corner [m,k] and height [m] (the envelope there); caller frees both. The simplex's own corners are among them. */
enum { PR_ENVELOPE_MAX_K = 10 };
size_t pr_envelope_corners(const double *values, size_t n, int k, double **corner, double **height);
/* The greatest w.v with weights[i].v <= bound[i] for all i; the first k rows of weights [n,k] are the unit vectors. */
double pr_optimistic_value(const double *weights, const double *bound, size_t n, int k, const double *w);

#endif
