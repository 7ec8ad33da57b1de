// SPDX-License-Identifier: BSD-3-Clause
/* Four objectives and more: see pareto/hypervolume.h for the papers. */
#include "pareto/hv_internal.h"

#include <assert.h>
#include <math.h>

/* Memory of one recursion level, for points of d objectives. */
typedef struct level {
    uint32_t *order;
    double *list;    // [n,d-1] the projections met so far that none other dominates
    double *clipped; // [n,d-1] the same, cut to one point's box
} level_t;

struct pr_hv_work {
    size_t n, m;
    level_t *levels; // [m + 1] by d, used from 5
    uint32_t *order; // for d = 4
    pr_hv_item_t *items, *sorted;
    pr_hv_steps_t steps;
    pr_sorter_t sorter;
    double left;
};

pr_hv_work_t *pr_hv_work_new(size_t n, size_t m)
{
    pr_hv_work_t *w = pr_alloc(1, sizeof *w);
    *w = (pr_hv_work_t){.n = n,
                        .m = m,
                        .left = INFINITY,
                        .levels = pr_alloc(m + 1, sizeof(level_t)),
                        .order = pr_alloc(n, sizeof(uint32_t)),
                        .items = pr_alloc(n, sizeof(pr_hv_item_t)),
                        .sorted = pr_alloc(n, sizeof(pr_hv_item_t)),
                        .steps = pr_hv_steps_new(n),
                        .sorter = pr_sorter_new(n)};
    for (size_t d = 5; d <= m; d++)
        w->levels[d] = (level_t){pr_alloc(n, sizeof(uint32_t)), pr_alloc(n * (d - 1), sizeof(double)),
                                 pr_alloc(n * (d - 1), sizeof(double))};
    return w;
}

void pr_hv_work_free(pr_hv_work_t *w)
{
    for (size_t d = 5; d <= w->m; d++) {
        free(w->levels[d].order);
        free(w->levels[d].list);
        free(w->levels[d].clipped);
    }
    free(w->levels);
    free(w->order);
    free(w->items);
    free(w->sorted);
    pr_hv_steps_free(&w->steps);
    pr_sorter_free(&w->sorter);
    free(w);
}

double *pr_hv_work_left(pr_hv_work_t *w)
{
    return &w->left;
}

/* order [n]: rows of u by column k. */
static void sort_column(pr_hv_work_t *w, const double *u, size_t n, size_t m, size_t k, bool descending,
                        uint32_t *order)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    pr_sort_rows(&w->sorter, u + k, m, descending, order, n);
}

size_t pr_hv_insert_item(pr_hv_item_t *items, size_t n, pr_hv_item_t p)
{
    size_t lo = 0;
    for (size_t hi = n; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        if (items[mid].z > p.z)
            lo = mid + 1;
        else
            hi = mid;
    }
    pr_hv_item_t held = p;
    size_t end = lo;
    for (size_t i = lo; i < n; i++) {
        pr_hv_item_t q = items[i];
        if (q.x <= p.x && q.y <= p.y)
            continue;
        items[end++] = held;
        held = q;
    }
    items[end++] = held;
    return end;
}

static double hv4(pr_hv_work_t *w, const double *u, size_t n)
{
    sort_column(w, u, n, 4, 0, false, w->order);
    for (size_t i = 0; i < n; i++) {
        uint32_t row = w->order[i];
        const double *p = u + 4 * (size_t)row;
        w->items[row] = (pr_hv_item_t){p[0], p[1], p[2], (uint32_t)i, row};
    }
    sort_column(w, u, n, 4, 3, true, w->order);
    double volume = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n && w->left >= 0; i++) {
        bool covered = false;
        pr_hv_item_t p = w->items[w->order[i]];
        w->left -= (double)(16 + 4 * kept);
        double added = pr_hv3_exclusive(&w->steps, w->sorted, kept, kept, &p, &covered);
        if (covered)
            continue;
        volume += added * u[4 * (size_t)w->order[i] + 3];
        kept = pr_hv_insert_item(w->sorted, kept, p);
    }
    return volume;
}

static double box(const double *p, size_t m)
{
    double volume = 1;
    for (size_t k = 0; k < m; k++)
        volume *= p[k];
    return volume;
}

static double hv_of_two(const double *p, const double *q, size_t m)
{
    double common = 1;
    for (size_t k = 0; k < m; k++)
        common *= p[k] < q[k] ? p[k] : q[k];
    return box(p, m) + box(q, m) - common;
}

static void copy_row(double *to, const double *from, size_t m)
{
    for (size_t k = 0; k < m; k++)
        to[k] = from[k];
}

static bool at_least(const double *a, const double *b, size_t m)
{
    for (size_t k = 0; k < m; k++)
        if (a[k] < b[k])
            return false;
    return true;
}

/* Adds c [m] to the mutually non-dominated rows [n,m] unless one is at least c. Returns their number. */
static size_t add_nondominated(double *rows, size_t n, size_t m, const double *c)
{
    for (size_t i = 0; i < n; i++)
        if (at_least(rows + i * m, c, m))
            return n;
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if (!at_least(c, rows + i * m, m)) {
            if (left < i)
                copy_row(rows + left * m, rows + i * m, m);
            left++;
        }
    copy_row(rows + left * m, c, m);
    return left + 1;
}

/* Cuts rows to p's box and drops what is dominated then: to [n,m]. Returns their number, or SIZE_MAX when one row's box
 * covers p's. */
static size_t clip(const double *rows, size_t n, size_t m, const double *p, double *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const double *q = rows + i * m;
        double *c = to + kept * m; // behind the kept ones
        bool whole = true;
        for (size_t k = 0; k < m; k++) {
            c[k] = q[k] < p[k] ? q[k] : p[k];
            whole &= q[k] >= p[k];
        }
        if (whole)
            return SIZE_MAX;
        kept = add_nondominated(to, kept, m, c);
    }
    return kept;
}

static double exclusive(pr_hv_work_t *w, const double *u, size_t n, size_t m, const double *p, bool *covered)
{
    double *clipped = w->levels[m + 1].clipped;
    size_t kept = clip(u, n, m, p, clipped);
    *covered = kept == SIZE_MAX;
    return *covered ? 0 : box(p, m) - pr_hv_many(w, clipped, kept, m);
}

double pr_hv_exclusive(pr_hv_work_t *w, const double *u, size_t n, size_t m, const double *p)
{
    bool covered = false;
    return exclusive(w, u, n, m, p, &covered);
}

/* Sweeps down the last objective; each point adds its exclusive volume in the others, times its last coordinate. */
static double sweep(pr_hv_work_t *w, const double *u, size_t n, size_t m)
{
    level_t *level = w->levels + m;
    sort_column(w, u, n, m, m - 1, true, level->order);
    double volume = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n && w->left >= 0; i++) {
        const double *p = u + level->order[i] * m;
        bool covered = false;
        w->left -= (double)(16 + kept * kept);
        double added = exclusive(w, level->list, kept, m - 1, p, &covered);
        if (covered)
            continue;
        volume += added * p[m - 1];
        kept = add_nondominated(level->list, kept, m - 1, p);
    }
    return volume;
}

double pr_hv_many(pr_hv_work_t *w, const double *u, size_t n, size_t m)
{
    assert(m >= 4 && n <= w->n);
    if (n == 0)
        return 0;
    if (n == 1)
        return box(u, m);
    if (n == 2)
        return hv_of_two(u, u + m, m);
    return m == 4 ? hv4(w, u, n) : sweep(w, u, n, m);
}
