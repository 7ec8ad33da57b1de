// SPDX-License-Identifier: BSD-3-Clause
/* The knee of a front: the point that is furthest above the hyperplane through the front's extremes (Das 1999, "On
 * characterizing the 'knee' of the Pareto curve based on normal-boundary intersection", Structural Optimization 18; over
 * a whole front of many objectives as in Zhang, Tian and Jin 2015, "A knee point driven evolutionary algorithm for
 * many-objective optimization"). Every objective is scaled to the front's own range, which is left out where it is none.
 * An objective's extreme is the best point in it, of equals the one with the largest sum of all. Where the extremes do
 * not span a hyperplane of which no more is worse in some objective, the one of equal weights takes its place. */
#ifndef PR_PARETO_KNEE_H
#define PR_PARETO_KNEE_H

#include <stdbool.h>
#include <stddef.h>

/* points [n,m], larger is better, finite, n >= 1. distance [n] (may be NULL): of each, negative below, in units of the
 * scaled objectives. Returns the first of the points of the largest distance; *spanned (may be NULL): by the extremes. */
size_t pr_knee(const double *points, size_t n, int m, double *distance, bool *spanned);

#endif
