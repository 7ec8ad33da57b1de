// SPDX-License-Identifier: BSD-3-Clause
/* Dominance among many vectors: a static tree whose nodes carry the componentwise maximum of what is below them, so
 * that a search for dominating vectors skips whatever cannot hold one. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { LEAF = 8 };

struct pr_domtree {
    int k;
    size_t n;
    const double *values; // [n,k]
    size_t *order;        // [n] indices, every node a range of it
    double *max;          // [nodes,k] node i has the children 2i+1 and 2i+2
};

static const double *row(const double *values, int k, size_t i)
{
    return &values[i * (size_t)k];
}

/* The dimension in which the vectors of a range differ most. */
static int widest(const pr_domtree_t *t, size_t from, size_t to)
{
    int best = 0;
    double width = -1;
    for (int j = 0; j < t->k; j++) {
        double lo = row(t->values, t->k, t->order[from])[j], hi = lo;
        for (size_t i = from + 1; i < to; i++) {
            double x = row(t->values, t->k, t->order[i])[j];
            lo = x < lo ? x : lo;
            hi = x > hi ? x : hi;
        }
        if (hi - lo > width) {
            width = hi - lo;
            best = j;
        }
    }
    return best;
}

/* Puts the smaller half of a range (by coordinate j) before the larger: Hoare's selection of the middle. */
static void split(pr_domtree_t *t, size_t from, size_t to, int j)
{
    size_t middle = from + (to - from) / 2, lo = from, hi = to - 1;
    while (lo < hi) {
        double pivot = row(t->values, t->k, t->order[lo + (hi - lo) / 2])[j];
        size_t a = lo, b = hi;
        for (;;) {
            while (row(t->values, t->k, t->order[a])[j] < pivot)
                a++;
            while (row(t->values, t->k, t->order[b])[j] > pivot)
                b--;
            if (a >= b)
                break;
            size_t swap = t->order[a];
            t->order[a++] = t->order[b];
            t->order[b--] = swap;
        }
        if (middle <= b)
            hi = b;
        else
            lo = b + 1;
    }
}

static void build(pr_domtree_t *t, size_t node, size_t from, size_t to)
{
    double *max = &t->max[node * (size_t)t->k];
    memcpy(max, row(t->values, t->k, t->order[from]), (size_t)t->k * sizeof max[0]);
    for (size_t i = from + 1; i < to; i++)
        for (int j = 0; j < t->k; j++) {
            double x = row(t->values, t->k, t->order[i])[j];
            max[j] = x > max[j] ? x : max[j];
        }
    if (to - from <= LEAF)
        return;
    split(t, from, to, widest(t, from, to));
    size_t middle = from + (to - from) / 2;
    build(t, 2 * node + 1, from, middle);
    build(t, 2 * node + 2, middle, to);
}

pr_domtree_t *pr_domtree_new(const double *values, size_t n, int k)
{
    pr_domtree_t *t = pr_alloc(1, sizeof *t);
    *t = (pr_domtree_t){.k = k, .n = n, .values = values};
    t->order = pr_alloc(n, sizeof t->order[0]);
    for (size_t i = 0; i < n; i++)
        t->order[i] = i;
    size_t nodes = 1, width = n;
    while (width > LEAF) {
        width -= width / 2;
        nodes = 2 * nodes + 1;
    }
    t->max = pr_alloc(nodes * (size_t)k, sizeof t->max[0]);
    if (n > 0)
        build(t, 0, 0, n);
    return t;
}

void pr_domtree_free(pr_domtree_t *t)
{
    if (!t)
        return;
    free(t->order);
    free(t->max);
    free(t);
}

static bool at_least(const double *a, const double *b, int k)
{
    for (int j = 0; j < k; j++)
        if (a[j] < b[j])
            return false;
    return true;
}

typedef struct query {
    const pr_domtree_t *t;
    const double *p;
    bool equal_counts;
    bool (*accept)(void *context, size_t i);
    void *context;
} query_t;

static bool matches(const query_t *q, size_t i)
{
    const double *v = row(q->t->values, q->t->k, i);
    if (!at_least(v, q->p, q->t->k) || (!q->equal_counts && at_least(q->p, v, q->t->k)))
        return false;
    return !q->accept || q->accept(q->context, i);
}

static bool visit(const query_t *q, size_t node, size_t from, size_t to)
{
    if (!at_least(&q->t->max[node * (size_t)q->t->k], q->p, q->t->k))
        return false;
    if (to - from > LEAF) {
        size_t middle = from + (to - from) / 2;
        return visit(q, 2 * node + 2, middle, to) || visit(q, 2 * node + 1, from, middle);
    }
    for (size_t i = from; i < to; i++)
        if (matches(q, q->t->order[i]))
            return true;
    return false;
}

bool pr_domtree_dominated(const pr_domtree_t *t, const double *p, bool (*accept)(void *context, size_t i),
                          void *context)
{
    query_t q = {t, p, false, accept, context};
    return t->n > 0 && visit(&q, 0, 0, t->n);
}

bool pr_domtree_covered(const pr_domtree_t *t, const double *p)
{
    query_t q = {t, p, true, NULL, NULL};
    return t->n > 0 && visit(&q, 0, 0, t->n);
}
