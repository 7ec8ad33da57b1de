// SPDX-License-Identifier: BSD-3-Clause
/* Internal: hypervolumes to the origin of points in the positive orthant, u [n,m] row-major, all values > 0 and
 * finite. */
#ifndef PR_PARETO_HV_INTERNAL_H
#define PR_PARETO_HV_INTERNAL_H

#include "pareto/hv_steps.h"
#include "pareto/sort.h"

/* The points that are better than the reference, moved so that it is the origin. Objectives whose product would leave
 * the range of numbers are scaled by powers of two. */
typedef struct pr_hv_shifted {
    double *u;      // [n,m]
    uint32_t *rows; // [n] of the caller's points
    size_t n, m;
    bool infinite;
    long exponent; // what is found of u is to be multiplied by 2^exponent
} pr_hv_shifted_t;
pr_hv_shifted_t pr_hv_shift(const double *points, size_t n, int m, const double *reference);
void pr_hv_shifted_free(pr_hv_shifted_t *s);
/* Leaves out the points that another dominates, and of equal ones all but the first. */
void pr_hv_drop_dominated(pr_hv_shifted_t *s);
/* v 2^exponent; INFINITY above the range of numbers. */
double pr_hv_unscale(long exponent, double v);

double pr_hv2(const double *u, size_t n);
double pr_hv3(const double *u, size_t n);

/* What a 3-D sweep knows of a point. */
typedef struct pr_hv_item {
    double x, y, z;
    uint32_t key; // rank of x among all points of the sweep
    uint32_t row; // the caller's
} pr_hv_item_t;

/* The volume of p's box that no item's box covers; items [n] are in descending order of z, and items[skip] is left out
 * (skip = n: none is). *covered: an item at least as high covers p. O(n) steps. */
double pr_hv3_exclusive(pr_hv_steps_t *steps, const pr_hv_item_t *items, size_t n, size_t skip, const pr_hv_item_t *p,
                        bool *covered);

/* Puts p into items [n], which are in descending order of z and have room for one more, and takes out those it
 * dominates. Returns their number. */
size_t pr_hv_insert_item(pr_hv_item_t *items, size_t n, pr_hv_item_t p);

/* Memory for up to n points of up to m >= 4 objectives. */
typedef struct pr_hv_work pr_hv_work_t;
pr_hv_work_t *pr_hv_work_new(size_t n, size_t m);
void pr_hv_work_free(pr_hv_work_t *work);

/* How many steps may still be taken, infinitely many at first; below 0: what is returned means nothing. */
double *pr_hv_work_left(pr_hv_work_t *work);

/* The hypervolume for m >= 4; fastest when u holds no dominated points. */
double pr_hv_many(pr_hv_work_t *work, const double *u, size_t n, size_t m);
/* The volume of p's box that the boxes of u [n,m] do not cover. m >= 4, and work was made for m + 1. */
double pr_hv_exclusive(pr_hv_work_t *work, const double *u, size_t n, size_t m, const double *p);

#endif
