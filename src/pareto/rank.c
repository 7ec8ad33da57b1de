// SPDX-License-Identifier: BSD-3-Clause
/* M. T. Jensen (2003), "Reducing the run-time complexity of multiobjective EAs: the NSGA-II and other algorithms", IEEE
 * TEVC 7(5); M. Buzdalov & A. Shalyto (2014), "A provably asymptotically fast version of the generalized Jensen
 * algorithm for non-dominated sorting", PPSN XIII.
 *
 * Points are distinct, have integer coordinates, and are numbered in descending lexicographic order, so a point can
 * only be dominated by one with a smaller number. Lists of points are ascending in that number. */
#include "base/mem.h"
#include "pareto/coords.h"
#include "pareto/dominance.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Below this many pairs the plain comparison wins over another level of recursion. */
enum { SMALL_PAIRS = 2048 };

typedef struct ranking {
    const pr_coords_t *c;
    uint32_t *rank;       // [n] a lower bound that only rises
    int32_t *values;      // [n] for medians
    pr_staircase_t steps; // keyed by the second column, the height is a rank; empty between sweeps
} ranking_t;

typedef struct list {
    uint32_t *at;
    size_t n;
} list_t;

static int32_t value(const ranking_t *r, uint32_t p, size_t k)
{
    return r->c->x[p * r->c->m + k];
}

/* p is at least q in columns 0..k. */
static bool covers(const ranking_t *r, uint32_t p, uint32_t q, size_t k)
{
    const int32_t *a = r->c->x + p * r->c->m;
    const int32_t *b = r->c->x + q * r->c->m;
    for (size_t i = 0; i <= k; i++)
        if (a[i] < b[i])
            return false;
    return true;
}

static void raise_rank(ranking_t *r, uint32_t p, uint32_t q, size_t k)
{
    if (r->rank[q] <= r->rank[p] && covers(r, p, q, k))
        r->rank[q] = r->rank[p] + 1;
}

/* The sweeps: everything before p in number is at least p in column 0, so p's rank is one more than the greatest rank
 * among those before it that are at least p in column 1. */
static void sweep_query(ranking_t *r, uint32_t p)
{
    uint32_t key = pr_rankset_from(&r->steps.members, (uint32_t)value(r, p, 1));
    if (key != PR_RANKSET_NONE && r->rank[p] <= (uint32_t)r->steps.height[key])
        r->rank[p] = (uint32_t)r->steps.height[key] + 1;
}

static void sweep_add(ranking_t *r, uint32_t p)
{
    pr_staircase_insert(&r->steps, (uint32_t)value(r, p, 1), r->rank[p]);
}

static void sweep_clear(ranking_t *r)
{
    for (uint32_t key; (key = pr_rankset_first(&r->steps.members)) != PR_RANKSET_NONE;)
        pr_rankset_remove(&r->steps.members, key);
}

static void sweep_within(ranking_t *r, list_t s)
{
    for (size_t i = 0; i < s.n; i++) {
        sweep_query(r, s.at[i]);
        sweep_add(r, s.at[i]);
    }
    sweep_clear(r);
}

static void sweep_across(ranking_t *r, list_t good, list_t bad)
{
    size_t i = 0;
    for (size_t j = 0; j < bad.n; j++) {
        for (; i < good.n && good.at[i] < bad.at[j]; i++)
            sweep_add(r, good.at[i]);
        sweep_query(r, bad.at[j]);
    }
    sweep_clear(r);
}

static void compare_within(ranking_t *r, list_t s, size_t k)
{
    for (size_t j = 1; j < s.n; j++)
        for (size_t i = 0; i < j; i++)
            raise_rank(r, s.at[i], s.at[j], k);
}

static void compare_across(ranking_t *r, list_t good, list_t bad, size_t k)
{
    for (size_t j = 0; j < bad.n; j++)
        for (size_t i = 0; i < good.n && good.at[i] < bad.at[j]; i++)
            raise_rank(r, good.at[i], bad.at[j], k);
}

static int32_t select_value(int32_t *v, size_t n, size_t nth)
{
    size_t lo = 0;
    size_t hi = n;
    while (hi - lo > 1) {
        int32_t pivot = v[lo + (hi - lo) / 2];
        size_t less = lo;
        size_t more = hi;
        for (size_t i = lo; i < more;) {
            int32_t x = v[i];
            if (x < pivot) {
                v[i++] = v[less];
                v[less++] = x;
            } else if (x > pivot) {
                v[i] = v[--more];
                v[more] = x;
            } else {
                i++;
            }
        }
        if (nth >= less && nth < more)
            return pivot;
        lo = nth < less ? lo : more;
        hi = nth < less ? less : hi;
    }
    return v[lo];
}

static void gather_values(ranking_t *r, list_t s, size_t k, int32_t *to, int32_t *least, int32_t *most)
{
    *least = INT32_MAX;
    *most = -1;
    for (size_t i = 0; i < s.n; i++) {
        to[i] = value(r, s.at[i], k);
        *least = to[i] < *least ? to[i] : *least;
        *most = to[i] > *most ? to[i] : *most;
    }
}

/* A list cut at a pivot of column k, each part in order; upper is above and level together. */
typedef struct parts {
    list_t above, level, below, upper;
    uint32_t *block;
} parts_t;

static void put(list_t *to, uint32_t p)
{
    to->at[to->n++] = p;
}

static parts_t cut(const ranking_t *r, list_t s, size_t k, int32_t pivot)
{
    parts_t c = {.block = pr_alloc(4 * s.n, sizeof *c.block)};
    c.above.at = c.block;
    c.level.at = c.block + s.n;
    c.below.at = c.block + 2 * s.n;
    c.upper.at = c.block + 3 * s.n;
    for (size_t i = 0; i < s.n; i++) {
        int32_t x = value(r, s.at[i], k);
        put(x > pivot ? &c.above : x < pivot ? &c.below : &c.level, s.at[i]);
        if (x >= pivot)
            put(&c.upper, s.at[i]);
    }
    return c;
}

/* Raises the ranks in bad by those in good, which are final; each of good is at least each of bad beyond column k. */
static void rank_across(ranking_t *r, list_t good, list_t bad, size_t k)
{
    if (good.n == 0 || bad.n == 0)
        return;
    if (good.n <= SMALL_PAIRS / bad.n) {
        compare_across(r, good, bad, k);
        return;
    }
    if (k == 1) {
        sweep_across(r, good, bad);
        return;
    }
    int32_t good_least, good_most, bad_least, bad_most;
    gather_values(r, good, k, r->values, &good_least, &good_most);
    gather_values(r, bad, k, r->values + good.n, &bad_least, &bad_most);
    if (good_most < bad_least)
        return;
    if (good_least >= bad_most) {
        rank_across(r, good, bad, k - 1);
        return;
    }
    int32_t pivot = select_value(r->values, good.n + bad.n, (good.n + bad.n) / 2);
    parts_t g = cut(r, good, k, pivot);
    parts_t b = cut(r, bad, k, pivot);
    rank_across(r, g.above, b.above, k);
    rank_across(r, g.upper, b.level, k - 1);
    rank_across(r, g.upper, b.below, k - 1);
    rank_across(r, g.below, b.below, k);
    free(g.block);
    free(b.block);
}

/* Makes the ranks in s final with respect to each other; all are equal beyond column k. */
static void rank_within(ranking_t *r, list_t s, size_t k)
{
    if (s.n < 2)
        return;
    if (s.n <= SMALL_PAIRS / s.n) {
        compare_within(r, s, k);
        return;
    }
    if (k == 1) {
        sweep_within(r, s);
        return;
    }
    int32_t least, most;
    gather_values(r, s, k, r->values, &least, &most);
    if (least == most) {
        rank_within(r, s, k - 1);
        return;
    }
    parts_t c = cut(r, s, k, select_value(r->values, s.n, s.n / 2));
    rank_within(r, c.above, k);
    rank_across(r, c.above, c.level, k - 1);
    rank_within(r, c.level, k - 1);
    rank_across(r, c.upper, c.below, k - 1);
    rank_within(r, c.below, k);
    free(c.block);
}

/* The ranks of distinct points; for one objective their numbers are their ranks. */
static void rank_distinct(const pr_coords_t *c, uint32_t *rank)
{
    ranking_t r = {c, rank, pr_alloc(c->n, sizeof(int32_t)), pr_staircase_new(c->range)};
    list_t all = {pr_alloc(c->n, sizeof(uint32_t)), c->n};
    for (size_t i = 0; i < c->n; i++) {
        all.at[i] = (uint32_t)i;
        rank[i] = c->m == 1 ? (uint32_t)i : 0;
    }
    if (c->m > 1)
        rank_within(&r, all, c->m - 1);
    free(all.at);
    free(r.values);
    pr_staircase_free(&r.steps);
}

uint32_t pr_nondominated_rank(const double *points, size_t n, int m, uint32_t *rank)
{
    assert(n < INT32_MAX && m >= 1);
    uint32_t *rows = pr_alloc(n, sizeof *rows);
    size_t n_rows = 0;
    for (size_t i = 0; i < n; i++) {
        rank[i] = PR_RANK_NONE;
        rows[n_rows] = (uint32_t)i;
        n_rows += !pr_row_has_nan(points + i * (size_t)m, m);
    }
    pr_coords_t c = pr_coords_new(points, n, (size_t)m, rows, n_rows);
    uint32_t *distinct = pr_alloc(c.n, sizeof *distinct);
    rank_distinct(&c, distinct);
    uint32_t fronts = 0;
    for (size_t i = 0; i < n_rows; i++) {
        rank[rows[i]] = distinct[c.same[i]];
        fronts = rank[rows[i]] >= fronts ? rank[rows[i]] + 1 : fronts;
    }
    free(distinct);
    pr_coords_free(&c);
    free(rows);
    return fronts;
}
