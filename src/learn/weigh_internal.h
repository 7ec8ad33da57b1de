// SPDX-License-Identifier: BSD-3-Clause
/* Internal: what weighting rules share. Vectors have one number per objective, k of them. */
#ifndef PR_LEARN_WEIGH_INTERNAL_H
#define PR_LEARN_WEIGH_INTERNAL_H

#include "base/limits.h"
#include "learn/ideal.h"
#include "learn/weigh.h"

/* A running mean of the step means, 2 k numbers of a rule's state; the half-life is the option `half_life`, in steps. A
 * number that is not finite is no news. */
#define PR_HALF_LIFE_OPTION(default_, why)                                                                             \
    {                                                                                                                  \
        .key = "half_life", .kind = PR_OPT_REAL, .dflt = default_, .min = 0.1, .max = 1e6, .or_0 = true,               \
        .help = "steps after which a step's mean scores count half in the running mean; 0: only the step's own. " why  \
    }
typedef struct pr_running {
    double *mean, *seen; // [k]; seen: 1 once there was a number
} pr_running_t;
pr_running_t pr_running_at(int k, double *state);
void pr_running_update(pr_running_t r, const pr_weigh_in_t *in);
/* Every objective with w[i] > 0 (w NULL: every one) was seen. */
bool pr_running_knows(pr_running_t r, int k, const double *w);

bool pr_all_finite(size_t n, const double *x);
double pr_vector_sum(int k, const double *x);
/* x[i] = value. */
void pr_vector_fill(int k, double value, double *x);
/* lambda = last = found, where all of found is finite; else last stays and is lambda. */
void pr_weigh_settle(int k, const double *found, double *last, double *lambda);
/* For begin() of rules whose state begins with the last lambda: w, or equal weights for a rule of its own. */
void pr_weigh_begin_w(const pr_weigh_in_t *in, double *state);
void pr_weigh_begin_equal(const pr_weigh_in_t *in, double *state);

/* The sub-matrix of the objectives that have a weight, and which those are: at [m], small [m,m]. Returns m. */
int pr_gram_of(int k, const double *gram, const double *w, int *at, double *small);

/* Minimisers over the simplex, of a positive semidefinite g [k,k]: v [k]. They begin with equal numbers, and gradients that
 * are the same have the same share.
 *   min_norm   v' g v
 *   averse     v' b + c sqrt(v' g v + soft), soft > 0 */
void pr_simplex_min_norm(int k, const double *g, double *v);
void pr_simplex_averse(int k, const double *g, const double *b, double c, double soft, double *v);

#endif
