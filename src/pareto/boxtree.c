// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/boxtree.h"
#include "base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LEAF = 12 };

/* Node i has the children 2i+1 and 2i+2; each holds a range of the points, split in the middle. */
struct pr_boxtree {
    size_t n, m;
    double *points; // [n,m] in the order of the leaves
    double *low;    // [nodes,m]
    double *high;   // [nodes,m]
    double steps;
};

static double *row_of(const pr_boxtree_t *t, size_t i)
{
    return t->points + i * t->m;
}

static void swap_rows(pr_boxtree_t *t, size_t i, size_t j)
{
    double *a = row_of(t, i);
    double *b = row_of(t, j);
    for (size_t k = 0; k < t->m; k++) {
        double x = a[k];
        a[k] = b[k];
        b[k] = x;
    }
}

/* Hoare's selection: points before the middle are not above those from it on, in objective k. */
static void split(pr_boxtree_t *t, size_t from, size_t to, size_t k)
{
    size_t middle = from + (to - from) / 2;
    size_t lo = from;
    size_t hi = to - 1;
    while (lo < hi) {
        double pivot = row_of(t, lo + (hi - lo) / 2)[k];
        size_t a = lo;
        size_t b = hi;
        for (;;) {
            while (row_of(t, a)[k] < pivot)
                a++;
            while (row_of(t, b)[k] > pivot)
                b--;
            if (a >= b)
                break;
            swap_rows(t, a++, b--);
        }
        if (middle <= b)
            hi = b;
        else
            lo = b + 1;
    }
}

/* Fills the node's box; returns the objective in which it is widest. */
static size_t bound_node(pr_boxtree_t *t, size_t node, size_t from, size_t to)
{
    double *low = t->low + node * t->m;
    double *high = t->high + node * t->m;
    size_t widest = 0;
    memcpy(low, row_of(t, from), t->m * sizeof *low);
    memcpy(high, row_of(t, from), t->m * sizeof *high);
    for (size_t i = from + 1; i < to; i++)
        for (size_t k = 0; k < t->m; k++) {
            low[k] = fmin(low[k], row_of(t, i)[k]);
            high[k] = fmax(high[k], row_of(t, i)[k]);
        }
    for (size_t k = 1; k < t->m; k++)
        if (high[k] - low[k] > high[widest] - low[widest])
            widest = k;
    return widest;
}

static void build(pr_boxtree_t *t, size_t node, size_t from, size_t to)
{
    size_t k = bound_node(t, node, from, to);
    if (to - from <= LEAF)
        return;
    split(t, from, to, k);
    size_t middle = from + (to - from) / 2;
    build(t, 2 * node + 1, from, middle);
    build(t, 2 * node + 2, middle, to);
}

pr_boxtree_t *pr_boxtree_new(const double *points, size_t n, size_t m)
{
    size_t nodes = 1;
    for (size_t width = n; width > LEAF; width -= width / 2)
        nodes = 2 * nodes + 1;
    pr_boxtree_t *t = pr_alloc(1, sizeof *t);
    *t = (pr_boxtree_t){.n = n,
                        .m = m,
                        .points = pr_alloc(n * m, sizeof(double)),
                        .low = pr_alloc(nodes * m, sizeof(double)),
                        .high = pr_alloc(nodes * m, sizeof(double))};
    memcpy(t->points, points, n * m * sizeof *points);
    build(t, 0, 0, n);
    return t;
}

void pr_boxtree_free(pr_boxtree_t **tree)
{
    if (*tree) {
        free((*tree)->points);
        free((*tree)->low);
        free((*tree)->high);
        free(*tree);
    }
    *tree = NULL;
}

double pr_box_apart(const double *low, const double *high, const double *r, size_t m)
{
    double sum = 0;
    for (size_t k = 0; k < m; k++) {
        double d = fmax(fmax(low[k] - r[k], r[k] - high[k]), 0);
        sum += d * d;
    }
    return sum;
}

typedef struct query {
    pr_boxtree_t *t;
    const double *row;
    pr_distance_fn distance;
    pr_bound_fn bound;
    double least;
} query_t;

static double bound_of(const query_t *q, size_t node)
{
    return q->bound(q->t->low + node * q->t->m, q->t->high + node * q->t->m, q->row, q->t->m);
}

/* How far a node's box is from the row. Where bounds are the same (none of two boxes is known to lack anything), what
 * is near is more likely to be good. */
static double apart(const query_t *q, size_t node)
{
    return pr_box_apart(q->t->low + node * q->t->m, q->t->high + node * q->t->m, q->row, q->t->m);
}

static void visit(query_t *q, size_t node, size_t from, size_t to)
{
    if (to - from <= LEAF) {
        q->t->steps += (double)((to - from) * q->t->m);
        for (size_t i = from; i < to; i++)
            q->least = fmin(q->least, q->distance(row_of(q->t, i), q->row, q->t->m));
        return;
    }
    size_t middle = from + (to - from) / 2;
    size_t left = 2 * node + 1;
    size_t right = left + 1;
    q->t->steps += (double)(4 * q->t->m);
    double bound[2] = {bound_of(q, left), bound_of(q, right)};
    int first = bound[0] != bound[1] ? bound[1] < bound[0] : apart(q, right) < apart(q, left);
    for (int i = 0; i < 2; i++) {
        int child = i ? !first : first;
        if (bound[child] < q->least)
            visit(q, child ? right : left, child ? middle : from, child ? to : middle);
    }
}

double pr_boxtree_steps(const pr_boxtree_t *t)
{
    return t->steps;
}

double pr_boxtree_least(pr_boxtree_t *t, const double *row, pr_distance_fn distance, pr_bound_fn bound)
{
    query_t q = {t, row, distance, bound, INFINITY};
    visit(&q, 0, 0, t->n);
    return q.least;
}
