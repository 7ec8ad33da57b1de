// SPDX-License-Identifier: BSD-3-Clause
/* Indicators that look at a set of points through preference weights, and the sets of weights they are taken over.
 *
 * All objectives are maximised. points [n,m], weights [n_weights,m], row-major and finite; NaN for an empty set. */
#ifndef PR_PARETO_UTILITY_H
#define PR_PARETO_UTILITY_H

#include <stddef.h>

/* A set of weight vectors. */
typedef struct pr_weights {
    const double *weights; // [n,m]
    size_t n;
} pr_weights_t;

/* The number of weight vectors with m >= 1 non-negative multiples of 1/steps that sum to 1: C(steps + m - 1, m - 1), or
 * SIZE_MAX where that does not fit. Das & Dennis (1998), "Normal-boundary intersection", SIAM J. Optim. 8(3). */
size_t pr_lattice_size(int m, size_t steps);
/* Writes them, weights [pr_lattice_size(),m], in lexicographic order. steps >= 1. */
void pr_lattice_weights(int m, size_t steps, double *weights);
/* The smallest steps whose lattice has at least count vectors; 1 for m = 1. */
size_t pr_lattice_steps(int m, size_t count);

/* Expected utility (EUM): the mean over the weights of max_a w.a. Zintgraf, Kanters, Roijers, Oliehoek & Beau (2015),
 * "Quality assessment of MORL algorithms: a utility-based approach", Benelearn. */
double pr_expected_utility(const double *points, size_t n, int m, const double *weights, size_t n_weights);

/* Maximum utility loss (MUL): the maximum over the weights of max_{r in front} w.r - max_a w.a. Zintgraf et al. (2015);
 * Hayes et al. (2022), "A practical guide to multi-objective reinforcement learning and planning", JAAMAS 36. */
double pr_maximum_utility_loss(const double *points, size_t n, const double *front, size_t n_front, int m,
                               const double *weights, size_t n_weights);

/* Unary R2 with the weighted Tchebycheff utility: the mean over the weights of min_a max_k w_k (ideal_k - a_k). Hansen
 * & Jaszkiewicz (1998), "Evaluating the quality of approximations to the non-dominated set"; Brockhoff, Wagner &
 * Trautmann (2012), "On the properties of the R2 indicator", GECCO. ideal [m] is at least every point. Smaller is
 * better. */
double pr_r2(const double *points, size_t n, int m, const double *weights, size_t n_weights, const double *ideal);

/* The same for m = 2 with w = (u, 1 - u), u uniform on [0,1], exactly: the integral of the lower envelope of the
 * points' utilities, which is piecewise linear with breaks where neighbours on the staircase swap. Schaepermeier &
 * Kerschke (2024), "R2 v2: the Pareto-compliant R2 indicator for better benchmarking in bi-objective optimization". O(n
 * log n). NaN when a point is better than ideal. */
double pr_r2_exact(const double *points, size_t n, const double *ideal);

#endif
