// SPDX-License-Identifier: BSD-3-Clause
/* Internal: points replaced by integer coordinates, duplicates merged. Order is all that dominance looks at, and
 * integers are exact, half as wide and free of special cases. */
#ifndef PR_PARETO_COORDS_H
#define PR_PARETO_COORDS_H

#include "pareto/rankset.h"
#include "pareto/sort.h"

/* The distinct points in descending lexicographic order: a point can only be dominated by one with a smaller number. */
typedef struct pr_coords {
    size_t n, m;
    size_t range;    // values of x are below it
    int32_t *x;      // [n,m] greater is better; equal values are equal
    uint32_t *first; // [n] the row of each (the first in input order)
    uint32_t *same;  // [rows] the number of the distinct point of rows[i], as rows is left sorted
} pr_coords_t;

/* rows [n_rows] of points [total,m] hold no NaN; they are reordered. Free with pr_coords_free(). */
pr_coords_t pr_coords_new(const double *points, size_t total, size_t m, uint32_t *rows, size_t n_rows);
void pr_coords_free(pr_coords_t *c);

/* A staircase: pairs (key, height) of which none has another with a key and a height at least its own. */
typedef struct pr_staircase {
    pr_rankset_t members;
    double *height; // by key
} pr_staircase_t;

static inline pr_staircase_t pr_staircase_new(size_t keys)
{
    return (pr_staircase_t){pr_rankset_new(keys), pr_alloc(keys, sizeof(double))};
}

static inline void pr_staircase_free(pr_staircase_t *s)
{
    pr_rankset_free(&s->members);
    free(s->height);
}

/* Adds a pair unless a pair with this key or one above has a height at least as great; removes the pairs that it
 * covers. */
static inline bool pr_staircase_insert(pr_staircase_t *s, uint32_t key, double height)
{
    uint32_t at = pr_rankset_from(&s->members, key);
    if (at != PR_RANKSET_NONE && s->height[at] >= height)
        return false;
    for (uint32_t below; (below = pr_rankset_prev(&s->members, key)) != PR_RANKSET_NONE && s->height[below] <= height;)
        pr_rankset_remove(&s->members, below);
    s->height[key] = height;
    pr_rankset_add(&s->members, key);
    return true;
}

#endif
