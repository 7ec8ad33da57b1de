// SPDX-License-Identifier: BSD-3-Clause
/* Internal: the least distance from a row to a set of points, for distances that grow with what separates them: a
 * static k-d tree (Bentley 1975) whose nodes carry the box of their points. */
#ifndef PR_PARETO_BOXTREE_H
#define PR_PARETO_BOXTREE_H

#include <stddef.h>

/* How far point a [m] is from row r [m]. */
typedef double (*pr_distance_fn)(const double *a, const double *r, size_t m);
/* At most the distance from r of any point with low <= a <= high. */
typedef double (*pr_bound_fn)(const double *low, const double *high, const double *r, size_t m);
/* The squared Euclidean distance of r from the box. */
double pr_box_apart(const double *low, const double *high, const double *r, size_t m);

typedef struct pr_boxtree pr_boxtree_t;
/* points [n,m] are borrowed; finite; n >= 1. Caller frees. */
pr_boxtree_t *pr_boxtree_new(const double *points, size_t n, size_t m);
void pr_boxtree_free(pr_boxtree_t **tree);
/* The least distance, exactly as a look at every point would find it. */
double pr_boxtree_least(pr_boxtree_t *tree, const double *row, pr_distance_fn distance, pr_bound_fn bound);
/* How many steps all calls took: a step is an objective of a point or a node that was looked at. */
double pr_boxtree_steps(const pr_boxtree_t *tree);

#endif
