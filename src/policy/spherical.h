// SPDX-License-Identifier: BSD-3-Clause
/* Means on the sphere of the parts' changes (space = "deltas"), or of the changed weights ("weights"), each map as one
 * long vector. All is found from the vectors' inner products, and the mean is a weighted sum of them: of changes an
 * adapter. */
#ifndef PR_POLICY_SPHERICAL_H
#define PR_POLICY_SPHERICAL_H

#include "policy/mix.h"

/* Vectors by their inner products: gram [n,n], w [n] >= 0, not all 0. */
typedef struct pr_sphere {
    int n;
    const double *gram, *w;
} pr_sphere_t;

/* Which c [n] make the mean, sum c_k x_k, of vectors that are not 0 for some w_k > 0. false: there is none, as the
 * directions cancel. */
typedef bool (*pr_sphere_fn)(const json_t *options, const pr_sphere_t *s, double *c);

/* The weighted mean direction, then one step to the mean of the tangents there. w of sum 1. */
bool pr_sphere_step(const pr_sphere_t *s, double *c);
/* Such steps, by geodesics, until one is shorter than tol: u of length 1 in terms of the x_k, by weights of sum 1. */
bool pr_sphere_karcher(const pr_sphere_t *s, int most, double tol, double *c);
/* The length of sum c_k x_k. */
double pr_sphere_length(const pr_sphere_t *s, const double *c);

/* For mixes: their `kind`, `factors`, `change` and `check` by such a function. */
pr_mix_kind_t pr_spherical_kind(const json_t *options);
bool pr_spherical_of_weights(const json_t *options);
pr_status_t pr_spherical_factors(pr_sphere_fn fn, const json_t *options, const pr_mix_map_t *m, pr_mix_factors_t *out,
                                 pr_error_t *err);
pr_status_t pr_spherical_change(pr_sphere_fn fn, const json_t *options, const pr_mix_map_t *m, float *w,
                                pr_error_t *err);

#endif
