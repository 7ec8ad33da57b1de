// SPDX-License-Identifier: BSD-3-Clause
/* A static k-d tree (Bentley 1975) over coordinate ranks. Ranks are small integers, so that a bucket of points is
 * compared with a query four at a time, and comparisons are exact. Buckets hold their coordinates column by column. */
#include "pareto/kdfilter.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKET = 16, LANES = 4, VECTORS = BUCKET / LANES };

typedef int32_t lanes_t __attribute__((vector_size(LANES * sizeof(int32_t))));

/* Node i has children 2i+1 and 2i+2; the last level's nodes are the buckets. All buckets are on one level, as points
 * are split by position; the ones behind the last point are empty. */
typedef struct tree {
    const int32_t *rank;
    size_t n, m;
    size_t leaves;    // a power of two
    uint32_t *order;  // [n] points, bucket after bucket
    size_t *start;    // [leaves + 1] into order
    lanes_t *columns; // [leaves,m,VECTORS]
    int32_t *upper;   // [2 leaves - 1,m] the greatest rank of each column below a node
} tree_t;

static int32_t coordinate(const tree_t *t, size_t i, size_t k)
{
    return t->rank[t->order[i] * t->m + k];
}

static void swap_points(tree_t *t, size_t i, size_t j)
{
    uint32_t p = t->order[i];
    t->order[i] = t->order[j];
    t->order[j] = p;
}

static int32_t median_of_three(const tree_t *t, size_t lo, size_t hi, size_t k)
{
    int32_t a = coordinate(t, lo, k);
    int32_t b = coordinate(t, lo + (hi - lo) / 2, k);
    int32_t c = coordinate(t, hi - 1, k);
    int32_t least = a < b ? a : b;
    int32_t most = a < b ? b : a;
    return c < least ? least : c > most ? most : c;
}

/* Quickselect (Hoare 1961): order[lo..mid) <= order[mid..hi) in column k. */
static void select_middle(tree_t *t, size_t lo, size_t mid, size_t hi, size_t k)
{
    while (hi - lo > 1) {
        int32_t pivot = median_of_three(t, lo, hi, k);
        size_t i = lo;
        size_t j = hi - 1;
        for (;; i++, j--) {
            while (coordinate(t, i, k) < pivot)
                i++;
            while (coordinate(t, j, k) > pivot)
                j--;
            if (i >= j)
                break;
            swap_points(t, i, j);
        }
        size_t cut = i > lo ? i : lo + 1; // order[lo..cut) <= pivot <= order[cut..hi), both not empty
        if (mid < cut)
            hi = cut;
        else
            lo = cut;
    }
}

static void widest_column(const tree_t *t, size_t lo, size_t hi, size_t *column)
{
    int32_t widest = -1;
    for (size_t k = 0; k < t->m; k++) {
        int32_t least = INT32_MAX;
        int32_t most = 0;
        for (size_t i = lo; i < hi; i++) {
            int32_t r = coordinate(t, i, k);
            least = r < least ? r : least;
            most = r > most ? r : most;
        }
        if (most - least > widest) {
            widest = most - least;
            *column = k;
        }
    }
}

static void fill_bucket(tree_t *t, size_t leaf, size_t lo, size_t hi)
{
    t->start[leaf] = lo;
    int32_t *columns = (int32_t *)(t->columns + leaf * t->m * VECTORS);
    int32_t *upper = t->upper + (t->leaves - 1 + leaf) * t->m;
    for (size_t k = 0; k < t->m; k++) {
        upper[k] = -1;
        for (size_t i = 0; i < BUCKET; i++) {
            int32_t r = lo + i < hi ? coordinate(t, lo + i, k) : -1;
            columns[k * BUCKET + i] = r;
            upper[k] = r > upper[k] ? r : upper[k];
        }
    }
}

/* The subtree of node, whose leaves are [leaf, leaf + count), holds order[lo..hi). */
static void build(tree_t *t, size_t node, size_t leaf, size_t count, size_t lo, size_t hi)
{
    if (count == 1) {
        fill_bucket(t, leaf, lo, hi);
        return;
    }
    size_t mid = lo + (hi - lo) / 2;
    size_t column = 0;
    widest_column(t, lo, hi, &column);
    select_middle(t, lo, mid, hi, column);
    build(t, 2 * node + 1, leaf, count / 2, lo, mid);
    build(t, 2 * node + 2, leaf + count / 2, count / 2, mid, hi);
    const int32_t *a = t->upper + (2 * node + 1) * t->m;
    const int32_t *b = a + t->m;
    for (size_t k = 0; k < t->m; k++)
        t->upper[node * t->m + k] = a[k] > b[k] ? a[k] : b[k];
}

/* Whether a point of the bucket, other than the one at position skip, is at least q everywhere. */
static bool bucket_dominates(const tree_t *t, size_t leaf, const int32_t *q, size_t skip)
{
    const lanes_t *column = t->columns + leaf * t->m * VECTORS;
    lanes_t above[VECTORS];
    memset(above, 0xff, sizeof above);
    for (size_t k = 0; k < t->m; k++, column += VECTORS)
        for (size_t v = 0; v < VECTORS; v++)
            above[v] &= column[v] >= q[k];
    if (skip < BUCKET)
        above[skip / LANES][skip % LANES] = 0;
    lanes_t any = above[0] | above[1] | above[2] | above[3];
    return any[0] | any[1] | any[2] | any[3];
}

static bool corner_reaches(const int32_t *upper, const int32_t *q, size_t m)
{
    for (size_t k = 0; k < m; k++)
        if (upper[k] < q[k])
            return false;
    return true;
}

/* own: the bucket that holds q itself, at position skip. */
static bool dominated_in(const tree_t *t, const int32_t *q, size_t own, size_t skip)
{
    size_t stack[64];
    size_t depth = 0;
    stack[depth++] = 0;
    while (depth) {
        size_t node = stack[--depth];
        if (!corner_reaches(t->upper + node * t->m, q, t->m))
            continue;
        if (node + 1 < t->leaves) {
            stack[depth++] = 2 * node + 1;
            stack[depth++] = 2 * node + 2; // the better half is looked at first
            continue;
        }
        size_t leaf = node + 1 - t->leaves;
        if (bucket_dominates(t, leaf, q, leaf == own ? skip : BUCKET))
            return true;
    }
    return false;
}

void pr_kd_filter(const int32_t *rank, size_t n, int m, bool *dominated)
{
    tree_t t = {.rank = rank, .n = n, .m = (size_t)m, .leaves = 1};
    while (t.leaves * BUCKET < n)
        t.leaves *= 2;
    t.order = pr_alloc(n, sizeof *t.order);
    t.start = pr_alloc(t.leaves + 1, sizeof *t.start);
    t.columns = pr_alloc_matrix(t.leaves * t.m * VECTORS, sizeof *t.columns);
    t.upper = pr_alloc(2 * t.leaves * t.m, sizeof *t.upper);
    for (size_t i = 0; i < n; i++)
        t.order[i] = (uint32_t)i;
    build(&t, 0, 0, t.leaves, 0, n);
    t.start[t.leaves] = n;
    for (size_t leaf = 0; leaf < t.leaves; leaf++)
        for (size_t i = t.start[leaf]; i < t.start[leaf + 1]; i++)
            dominated[t.order[i]] = dominated_in(&t, rank + t.order[i] * t.m, leaf, i - t.start[leaf]);
    free(t.upper);
    free(t.columns);
    free(t.start);
    free(t.order);
}
