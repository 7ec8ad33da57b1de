// SPDX-License-Identifier: BSD-3-Clause
/* Quality indicators of a set of points, most of them against a reference front.
 *
 * All objectives are maximised (see pareto/dominance.h); an objective to be minimised is passed negated. points [n,m]
 * and front [n_front,m] are row-major; values are finite. Neither set need be non-dominated: what is measured is what
 * is passed, so filter first where an indicator is meant for the non-dominated points only. An indicator that is not
 * defined for its arguments (an empty set, for most) is NaN.
 *
 * d(a,b) is the Euclidean distance. Least distances are found in a tree: O((n + n_front) log n) for few objectives, and
 * never more than the n n_front of looking at all. */
#ifndef PR_PARETO_INDICATORS_H
#define PR_PARETO_INDICATORS_H

#include <stdbool.h>
#include <stddef.h>

/* The smallest eps such that each point of front is weakly dominated by a point of the set moved up by eps:
 * max_r min_a max_k (r_k - a_k). Zitzler, Thiele, Laumanns, Fonseca & da Fonseca (2003), "Performance assessment of
 * multiobjective optimizers: an analysis and review", IEEE TEVC 7(2). Smaller is better; 0 or less when the set covers
 * the front. */
double pr_epsilon_additive(const double *points, size_t n, const double *front, size_t n_front, int m);

/* The same as a factor: max_r min_a max_k r_k / a_k where an objective's values are all > 0, a_k / r_k where they are
 * all < 0 (so that a positive objective to be minimised keeps its usual definition when negated). NaN when an objective
 * has values of both signs, or zero. Same paper. */
double pr_epsilon_multiplicative(const double *points, size_t n, const double *front, size_t n_front, int m);

/* Generational distance, ( 1/n sum_a min_r d(a,r)^p )^(1/p) with p >= 1: Van Veldhuizen & Lamont (1998), "Evolutionary
 * computation and convergence to a Pareto front", with the mean inside the root as in Schuetze, Esquivel, Lara & Coello
 * Coello (2012), "Using the averaged Hausdorff distance as a performance measure in evolutionary multiobjective
 * optimization", IEEE TEVC 16(4). The usual choice is p = 1. */
double pr_gd(const double *points, size_t n, const double *front, size_t n_front, int m, double p);
/* Inverted generational distance: the same from each point of front to the set. Coello Coello & Reyes Sierra (2004), "A
 * study of the parallelization of a coevolutionary multi-objective evolutionary algorithm"; mean as above. */
double pr_igd(const double *points, size_t n, const double *front, size_t n_front, int m, double p);
/* The averaged Hausdorff distance, max(GD_p, IGD_p). Schuetze et al. (2012). */
double pr_average_hausdorff(const double *points, size_t n, const double *front, size_t n_front, int m, double p);

/* IGD+: the mean over front of min_a sqrt(sum_k max(r_k - a_k, 0)^2), which counts only what a lacks and is weakly
 * Pareto compliant. GD+: the mean over the set of the same distance to front. Ishibuchi, Masuda, Tanigaki & Nojima
 * (2015), "Modified distance calculation in generational distance and inverted generational distance", EMO. */
double pr_igd_plus(const double *points, size_t n, const double *front, size_t n_front, int m);
/* IGD+ within a bound of work: false when it takes more than `steps` steps (about a nanosecond each) or stop() (NULL:
 * never) is true. */
bool pr_igd_plus_within(const double *points, size_t n, const double *front, size_t n_front, int m, double steps,
                        bool (*stop)(void *self), void *self, double *igd);
double pr_gd_plus(const double *points, size_t n, const double *front, size_t n_front, int m);

/* Spacing, the standard deviation of the distances to the nearest neighbour: sqrt( 1/(n-1) sum_i (mean - d_i)^2 ), d_i
 * the least L1 distance to another point. Schott (1995), "Fault tolerant design using single and multicriteria genetic
 * algorithm optimization". NaN for n < 2. */
double pr_spacing(const double *points, size_t n, int m);
/* Sparsity: 1/(n-1) sum_k sum_i (s_k(i) - s_k(i+1))^2, s_k the values of objective k in order. Xu, Tian, Ma, Rus, Sueda
 * & Matusik (2020), "Prediction-guided multi-objective reinforcement learning for continuous robot control", ICML. 0
 * for n = 1; smaller is denser. */
double pr_sparsity(const double *points, size_t n, int m);
/* The number of distinct non-dominated points. */
size_t pr_cardinality(const double *points, size_t n, int m);

#endif
