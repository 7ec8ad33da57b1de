// SPDX-License-Identifier: BSD-3-Clause
/* Pareto dominance, the non-dominated filter and non-dominated ranking.
 *
 * Convention of the whole module: every objective is MAXIMISED. Points are rows of plain row-major arrays, points
 * [n,m]. An objective to be minimised is passed negated, which is exact. Functions are stateless; n < 2^31 - 1 and m
 * >= 1.
 *
 * A row that holds a NaN is no point: it dominates nothing, is dominated by nothing, and is never kept. Infinities are
 * ordinary values here. 0 and -0 are equal. */
#ifndef PR_PARETO_DOMINANCE_H
#define PR_PARETO_DOMINANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rank of a row that holds a NaN. */
#define PR_RANK_NONE UINT32_MAX

/* a [m] is at least b [m] in every objective (equal points weakly dominate each other). */
bool pr_weakly_dominates(const double *a, const double *b, int m);
/* a weakly dominates b and is better in one objective at least. */
bool pr_dominates(const double *a, const double *b, int m);
/* One value of the row is NaN. */
bool pr_row_has_nan(const double *row, int m);

/* Finds the non-dominated points: kept [n] is set to true for them, and their number is returned. Of exact duplicates
 * the first in input order is kept; all of them with keep_duplicates.
 *
 * O(n log n) for m <= 3 (Kung, Luccio & Preparata 1975); a k-d tree over coordinate ranks for m >= 4, each node with
 * the upper corner of its points: a query visits only nodes whose corner weakly dominates the point. */
size_t pr_nondominated(const double *points, size_t n, int m, bool keep_duplicates, bool *kept);

/* Non-dominated ranking: rank [n] is 0 for the non-dominated points (all duplicates of a point share its rank), 1 for
 * those that are non-dominated once rank 0 is taken away, and so on. Returns the number of fronts.
 *
 * O(n log n) for m <= 2; for m >= 3 the divide and conquer of Jensen (2003) as corrected by Buzdalov & Shalyto (2014),
 * O(n log^(m-1) n). */
uint32_t pr_nondominated_rank(const double *points, size_t n, int m, uint32_t *rank);

#endif
