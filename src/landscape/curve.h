// SPDX-License-Identifier: BSD-3-Clause
/* How good a search is after each of its points: hypervolume and IGD+ of the points so far. All objectives are
 * maximised, the reference is 0. */
#ifndef PR_LANDSCAPE_CURVE_H
#define PR_LANDSCAPE_CURVE_H

#include "landscape/landscape.h"
#include "pareto/hv_estimate.h"

#include <stddef.h>

/* hv [n]: the hypervolume of the first 1 .. n of the points [n,k]. Exact, each point adding the part of its box that no
 * other has, for as long as that takes no more than about half a second: 150 points of eight objectives take a tenth of
 * it. From there on the samples of one design, the same for every number of points, scaled so that the last is
 * pr_hv_estimate()'s to .1 %; those before it are within some percent. Says how the last was found. */
pr_hv_method_t pr_curve_hypervolume(const double *points, size_t n, int k, double *hv);
/* igd [n]: IGD+ (pareto/indicators.h) of the first 1 .. n of the points [n,k] to front [n_front,k]. */
void pr_curve_igd_plus(const double *points, size_t n, const double *front, size_t n_front, int k, double *igd);

/* A sample of a landscape's front, the same every time: for each of some hundred rays from 0 in quasi-random directions
 * the point that goes farthest along it, by a local search over the weights that begins at the best of a pool (objectives
 * in units of the pool's greatest); of those the ones that no other dominates. *out [n,k], caller frees; returns n. */
size_t pr_landscape_front(const pr_landscape_t *l, int k, double **out);

#endif
