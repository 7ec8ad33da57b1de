// SPDX-License-Identifier: BSD-3-Clause
/* Landscapes to try a search on without models: preference weights w on the simplex to K objectives in [0,1], all to be
 * maximised, for any K from 2 to PR_MAX_OBJECTIVES. Formulas of + - * /, sqrt, exp, sin and cos alone, so that another
 * program gets the same values.
 *
 * |v|^2 is the sum of squares, e_k the corner of objective k, indices run from 0 to K-1; centre_k = (k + 1.3) / sum_j
 * (j + 1.3), a place that is on no lattice.
 *
 *   concave       f_k = 1 - |w - e_k|^2 / 2
 *   hull          a = 1/(2K); f_k = min(.7 w_k / a, .7 + .3 (w_k - a) / (1 - a))
 *   dominated     f_0 = .3 + .6 w_0;  k > 0: f_k = .3 + .5 w_0 + .1 w_k + 1.2 w_0 w_k
 *   bump          s = .045 sqrt(K); f_k = .1 + .4 w_k + .5 exp(-|w - centre|^2 / (2 s^2))
 *   step          r_k = 1 / (1 + exp(-(w_k - .7 centre_k) / .004)); f_k = .25 w_k + (.45 + .3 w_k) r_k
 *   ridge         q_k = (k + .3) / sum_{j>0} (j + .3) for k > 0; s = .04 sqrt(K); g = .3 + .7 exp(-d^2 / (2 s^2)), d^2
 *                 = sum_{k>0} (w_k - (1 - w_0) q_k)^2; f_0 = g (1 - (1 - w_0)^2);  k > 0: f_k = g (1 - w_0^2) (.75 +
 *                 .25 w_k)
 *   flat          f_0 = 1 - exp(-w_0 / .02);  k > 0: f_k = (1 - w_0)^2 (.3 + .7 (1 - (1 - w_k)^2))
 *   disconnected  k < K-1: f_k = w_k;  f_{K-1} = 1 - sum_{k<K-1} w_k (1 + sin(5 pi w_k)) / 2
 *   scales        a_k = 20^(-k/(K-1)); u_k = a_k w_k / sum_j a_j w_j; f_k = o_k + s_k (1 - |u - e_k|^2 / 2), (o, s) =
 *                 (0, 1), (0, .01), (.9, .1) for k mod 3 = 0, 1, 2
 *   multimodal    m = (1/K) sum_j cos(3 pi (w_j - .1))^2; f_k = (1 - |w - e_k|^2 / 2) (.5 + .5 m) */
#ifndef PR_LANDSCAPE_LANDSCAPE_H
#define PR_LANDSCAPE_LANDSCAPE_H

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

/* X(name, what it is). */
#define PR_LANDSCAPE_LIST(X)                                                                                           \
    X(concave, "smooth and curved; every point is Pareto optimal")                                                     \
    X(hull, "piecewise linear with a kink; every point is Pareto optimal; 0 where a weight is 0")                      \
    X(dominated, "corner 0 beats every other corner in every objective; what is better lies between")                  \
    X(bump, "a plane, and a narrow rise of all objectives off the middle")                                             \
    X(step, "each objective comes only from a threshold of its weight on; a small simplex has all")                    \
    X(ridge, "all that is good lies along one line from corner 0 to the opposite face")                                \
    X(flat, "objective 0 is nearly constant but in a strip beside the face w_0 = 0, where the front lies")             \
    X(disconnected, "a front in pieces, as DTLZ7's")                                                                   \
    X(scales, "experts of unequal strength, objectives of unequal ranges")                                             \
    X(multimodal, "the concave front, with hills and valleys")

/* "a|b|c", for a choice of an option. */
#define PR_LANDSCAPE_WORD(name, help) "|" #name
#define PR_LANDSCAPE_WORDS &(PR_LANDSCAPE_LIST(PR_LANDSCAPE_WORD))[1]

typedef struct pr_landscape {
    const char *name, *help;
    void (*at)(const double *w, int k, double *f); // w [k], f [k]
} pr_landscape_t;

/* All, in the order of the list. */
const pr_landscape_t *pr_landscapes(int *n);
/* NULL for an unknown name. */
const pr_landscape_t *pr_landscape_find(const char *name);

/* The hypervolume of the whole front, reference 0, and its standard error; false where it is not known: it is for k = 2,
 * 3, 5, 8 and 16. For k = 2 the exact volume of the front's 65537 points of step 1/65536; for k = 3 of those of step
 * 1/512 and 3072 more that a local search put on the front; above that the mean of the k-th power of the front's extent
 * along random rays, times the ball's volume ("Random hypervolume scalarizations for provable multi-objective black box
 * optimization", ICML 2020), the best weights for each ray by local search, three sets of 512 to 2048 quasi-random rays,
 * whose spread gives the error. For k = 2 and 3 both ways agree within .33 %. */
bool pr_landscape_volume(const pr_landscape_t *l, int k, double *volume, double *se);

/* The noise of objective k of the i-th distinct point evaluated, from 0, in units of its standard deviation: Box and
 * Muller's normal of two words of splitmix64 ("Fast splittable pseudorandom number generators", OOPSLA 2014). */
double pr_landscape_noise(uint64_t seed, uint64_t i, int k);

#endif
