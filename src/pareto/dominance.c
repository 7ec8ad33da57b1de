// SPDX-License-Identifier: BSD-3-Clause
/* H. T. Kung, F. Luccio & F. P. Preparata (1975), "On finding the maxima of a set of vectors", J. ACM 22(4). */
#include "pareto/dominance.h"
#include "base/mem.h"
#include "pareto/coords.h"
#include "pareto/kdfilter.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool pr_weakly_dominates(const double *a, const double *b, int m)
{
    for (int k = 0; k < m; k++)
        if (!(a[k] >= b[k]))
            return false;
    return true;
}

bool pr_dominates(const double *a, const double *b, int m)
{
    bool better = false;
    for (int k = 0; k < m; k++) {
        if (!(a[k] >= b[k]))
            return false;
        better |= a[k] > b[k];
    }
    return better;
}

bool pr_row_has_nan(const double *row, int m)
{
    for (int k = 0; k < m; k++)
        if (isnan(row[k]))
            return true;
    return false;
}

static bool equal(const double *a, const double *b, size_t m)
{
    for (size_t k = 0; k < m; k++)
        if (a[k] != b[k])
            return false;
    return true;
}

/* The work of one filter call: rows are the candidates that are left. */
typedef struct filter {
    const double *points;
    size_t m;
    size_t total; // rows of points
    uint32_t *rows;
    size_t n;
    bool keep_duplicates;
    bool *kept;
    pr_sorter_t sorter;
} filter_t;

static const double *row_of(const filter_t *f, size_t i)
{
    return f->points + f->rows[i] * f->m;
}

static void sort_by(filter_t *f, size_t column, bool descending)
{
    pr_sort_rows(&f->sorter, f->points + column, f->m, descending, f->rows, f->n);
}

/* Maps each column to about [0,1], so that no objective's unit decides which point looks strong. */
typedef struct scale {
    double *low, *factor; // [m]
} scale_t;

static scale_t scale_of(const filter_t *f)
{
    scale_t s = {pr_alloc(f->m, sizeof(double)), pr_alloc(f->m, sizeof(double))};
    for (size_t k = 0; k < f->m; k++) {
        s.low[k] = INFINITY;
        s.factor[k] = -INFINITY;
    }
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; k < f->m; k++) {
            double x = row_of(f, i)[k];
            s.low[k] = x < s.low[k] ? x : s.low[k];
            s.factor[k] = x > s.factor[k] ? x : s.factor[k];
        }
    for (size_t k = 0; k < f->m; k++) {
        double width = s.factor[k] - s.low[k];
        s.factor[k] = width > 0 && isfinite(width) ? 1 / width : 0;
        s.low[k] = isfinite(s.low[k]) ? s.low[k] : 0;
    }
    return s;
}

static double strength(const scale_t *s, const double *row, size_t m, bool by_minimum)
{
    double sum = 0;
    double least = INFINITY;
    for (size_t k = 0; k < m; k++) {
        double x = (row[k] - s->low[k]) * s->factor[k];
        sum += x;
        least = x < least ? x : least;
    }
    return by_minimum ? least : sum;
}

static size_t strongest(const filter_t *f, const scale_t *s, bool by_minimum)
{
    size_t best = 0;
    double most = -INFINITY;
    for (size_t i = 0; i < f->n; i++) {
        double x = strength(s, row_of(f, i), f->m, by_minimum);
        if (x > most) {
            most = x;
            best = i;
        }
    }
    return best;
}

/* Equal points stay, so that the choice among duplicates is made in one place. */
static void drop_dominated_by(filter_t *f, const double *pivot)
{
    size_t left = 0;
    for (size_t i = 0; i < f->n; i++) {
        f->rows[left] = f->rows[i];
        left += !pr_dominates(pivot, row_of(f, i), (int)f->m);
    }
    f->n = left;
}

/* A few strong points, those with the greatest minimum and the greatest sum in turn, remove most of a random cloud in
 * linear time before anything is sorted. Gives up when they remove little. */
static void prefilter(filter_t *f)
{
    enum { WORTH = 256, ROUNDS = 8 };
    if (f->n < WORTH)
        return;
    scale_t s = scale_of(f);
    for (int round = 0; round < ROUNDS && f->n >= WORTH; round++) {
        size_t before = f->n;
        drop_dominated_by(f, row_of(f, strongest(f, &s, round % 2 == 0)));
        if (before - f->n < before / 16)
            break;
    }
    free(s.low);
    free(s.factor);
}

/* After a lexicographic sort: a row that equals the one before it shares its fate only with keep_duplicates. Returns
 * whether row i was such a duplicate. */
static bool settle_duplicate(filter_t *f, size_t i)
{
    if (i == 0 || !equal(row_of(f, i), row_of(f, i - 1), f->m))
        return false;
    f->kept[f->rows[i]] = f->keep_duplicates && f->kept[f->rows[i - 1]];
    return true;
}

static void filter1(filter_t *f)
{
    sort_by(f, 0, true);
    for (size_t i = 0; i < f->n && row_of(f, i)[0] == row_of(f, 0)[0]; i++)
        if (!settle_duplicate(f, i))
            f->kept[f->rows[i]] = true;
}

static void filter2(filter_t *f)
{
    sort_by(f, 1, true);
    sort_by(f, 0, true);
    double best = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (settle_duplicate(f, i))
            continue;
        double y = row_of(f, i)[1];
        if (i == 0 || y > best) {
            f->kept[f->rows[i]] = true;
            best = y;
        }
    }
}

/* A sweep down x that keeps the staircase of (y, z) over the points seen so far. */
static void filter3(filter_t *f)
{
    sort_by(f, 2, true);
    sort_by(f, 1, true);
    uint32_t *key = pr_alloc(f->total, sizeof *key); // the rank of (y, z), by row
    uint32_t last = (uint32_t)f->n;
    for (size_t i = 0; i < f->n; i++) {
        bool tied = i > 0 && equal(row_of(f, i) + 1, row_of(f, i - 1) + 1, 2);
        key[f->rows[i]] = last -= !tied;
    }
    sort_by(f, 0, true);
    pr_staircase_t s = pr_staircase_new(f->n);
    for (size_t i = 0; i < f->n; i++)
        if (!settle_duplicate(f, i))
            f->kept[f->rows[i]] = pr_staircase_insert(&s, key[f->rows[i]], row_of(f, i)[2]);
    pr_staircase_free(&s);
    free(key);
}

static void filter_many(filter_t *f)
{
    pr_coords_t c = pr_coords_new(f->points, f->total, f->m, f->rows, f->n);
    bool *dominated = pr_alloc(c.n, sizeof *dominated);
    pr_kd_filter(c.x, c.n, (int)c.m, dominated);
    for (size_t i = 0; i < f->n; i++)
        f->kept[f->rows[i]] = !dominated[c.same[i]] && (f->keep_duplicates || c.first[c.same[i]] == f->rows[i]);
    free(dominated);
    pr_coords_free(&c);
}

size_t pr_nondominated(const double *points, size_t n, int m, bool keep_duplicates, bool *kept)
{
    assert(n < INT32_MAX && m >= 1);
    filter_t f = {points, (size_t)m, n, pr_alloc(n, sizeof(uint32_t)), 0, keep_duplicates, kept, {0}};
    for (size_t i = 0; i < n; i++) {
        kept[i] = false;
        f.rows[f.n] = (uint32_t)i;
        f.n += !pr_row_has_nan(points + i * f.m, m);
    }
    prefilter(&f);
    f.sorter = pr_sorter_new(f.n);
    static void (*const by_dimension[])(filter_t *) = {filter1, filter2, filter3};
    if (f.n)
        (m <= 3 ? by_dimension[m - 1] : filter_many)(&f);
    pr_sorter_free(&f.sorter);
    free(f.rows);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += kept[i];
    return count;
}
