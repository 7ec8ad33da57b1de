// SPDX-License-Identifier: BSD-3-Clause
/* L. While, L. Bradstreet & L. Barone (2012), "A fast way of calculating exact hypervolumes", IEEE TEVC 16(1), with
 * these turns: points are swept in descending order of the last objective, so that each adds its exclusive volume in
 * the others times its last coordinate, and the recursion loses an objective per level. It ends in the sweeps over three
 * or four objectives, and in inclusion and exclusion where few points are left.
 *
 * Clipping and dominance only look at order, and clipping only picks among coordinates that are there. So a point is a
 * vector of 16-bit ranks: eight objectives fit a register, clipping one point to another's box is one minimum, and
 * "is all covered" one comparison. Values come from a table when a volume is needed.
 *
 * The list of projections of a level is kept in descending order of its last objective, in which the next level sweeps;
 * clipping keeps that order. Clipped points that are dominated are not taken out: the next level finds each of them
 * covered the first time it clips its list to them. */
#include "pareto/hv_packed.h"
#include "pareto/hv_internal.h"

#include <assert.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { LANES = 8, MAX_GROUPS = 2, FEW = 4 };
/* Above so many points of four objectives the linear step of the 4-D sweep is worth its preparation. */
enum { WIDE = 16 };

typedef int16_t lanes_t __attribute__((vector_size(LANES * sizeof(int16_t)), may_alias));

#ifdef __SSE2__
static inline lanes_t lanes_min(lanes_t a, lanes_t b)
{
    return (lanes_t)_mm_min_epi16((__m128i)a, (__m128i)b);
}

static inline bool lanes_none(lanes_t mask)
{
    return _mm_movemask_epi8((__m128i)mask) == 0;
}
#else
static inline lanes_t lanes_min(lanes_t a, lanes_t b)
{
    lanes_t less = a < b;
    return (a & less) | (b & ~less);
}

static inline bool lanes_none(lanes_t mask)
{
    typedef int64_t halves_t __attribute__((vector_size(16)));
    halves_t halves = (halves_t)mask;
    return (halves[0] | halves[1]) == 0;
}
#endif

/* Memory of the sweep over d objectives; rows are groups of lanes. */
typedef struct packed_level {
    int16_t *list;    // projections to d-1 objectives, lanes from d-1 on are 0
    int16_t *clipped; // the list cut to one point's box
} packed_level_t;

typedef struct packed {
    size_t n, m;
    double *values;         // [m,n] by objective and rank
    packed_level_t *levels; // [m + 1]
    pr_hv_item_t *items;    // [n]
    pr_hv_steps_t steps;
    double left; // steps that may still be taken; below 0: what is returned means nothing
} packed_t;

bool pr_hv_packed_fits(size_t n, size_t m)
{
    return n <= INT16_MAX && m >= 5 && m <= LANES * MAX_GROUPS;
}

static double value(const packed_t *w, const int16_t *row, size_t k)
{
    return w->values[k * w->n + (size_t)row[k]];
}

static double box(const packed_t *w, const int16_t *row, size_t d)
{
    double volume = value(w, row, 0);
    for (size_t k = 1; k < d; k++)
        volume *= value(w, row, k);
    return volume;
}

/* Four objectives, rows in descending order of lane 3: the sweep of hv_many.c. */
static double hv4(packed_t *w, const int16_t *rows, size_t n, size_t stride)
{
    double volume = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        const int16_t *row = rows + i * stride;
        pr_hv_item_t p = {value(w, row, 0), value(w, row, 1), value(w, row, 2), (uint32_t)row[0], (uint32_t)i};
        bool covered = false;
        double added = pr_hv3_exclusive(&w->steps, w->items, kept, kept, &p, &covered);
        if (covered)
            continue;
        volume += added * value(w, row, 3);
        kept = pr_hv_insert_item(w->items, kept, p);
    }
    return volume;
}

/* Three objectives, rows in descending order of lane 2. */
static double hv3(packed_t *w, const int16_t *rows, size_t n, size_t stride)
{
    pr_hv_steps_reset(&w->steps, 0, 0);
    double volume = 0;
    for (const int16_t *row = rows; row < rows + n * stride; row += stride)
        volume +=
            value(w, row, 2) * pr_hv_cover_corner(&w->steps, (uint32_t)row[0], value(w, row, 0), value(w, row, 1));
    return volume;
}

/* groups is a constant in each of the functions below once they are inlined. */
#define PACKED_INLINE static inline __attribute__((always_inline))

/* c = min(q, p); whether that is p itself, so that q covers p. */
PACKED_INLINE bool clip_row(const int16_t *q, const lanes_t *p, int16_t *c, size_t groups)
{
    lanes_t differs = {0};
    for (size_t g = 0; g < groups; g++) {
        lanes_t least = lanes_min(((const lanes_t *)q)[g], p[g]);
        ((lanes_t *)c)[g] = least;
        differs |= least != p[g];
    }
    return lanes_none(differs);
}

PACKED_INLINE bool covered_by(const lanes_t *p, const int16_t *q, size_t groups)
{
    lanes_t above = {0};
    for (size_t g = 0; g < groups; g++)
        above |= ((const lanes_t *)q)[g] > p[g];
    return lanes_none(above);
}

/* False when one row covers p. */
PACKED_INLINE bool clip_list(const int16_t *list, size_t n, const lanes_t *p, int16_t *to, size_t groups)
{
    for (size_t i = 0; i < n * groups * LANES; i += groups * LANES)
        if (clip_row(list + i, p, to + i, groups))
            return false;
    return true;
}

/* Puts p in its place by lane k, and takes out what it covers. Returns the number of rows. */
PACKED_INLINE size_t insert_row(int16_t *list, size_t n, const lanes_t *p, size_t k, size_t groups)
{
    size_t stride = groups * LANES;
    int16_t key = ((const int16_t *)p)[k];
    size_t end = 0;
    while (end < n && list[end * stride + k] > key)
        end++;
    lanes_t held[MAX_GROUPS];
    lanes_t next[MAX_GROUPS];
    for (size_t g = 0; g < groups; g++)
        held[g] = p[g];
    for (size_t i = end; i < n; i++) {
        if (covered_by(p, list + i * stride, groups))
            continue;
        for (size_t g = 0; g < groups; g++) {
            next[g] = ((const lanes_t *)(list + i * stride))[g];
            ((lanes_t *)(list + end * stride))[g] = held[g];
            held[g] = next[g];
        }
        end++;
    }
    for (size_t g = 0; g < groups; g++)
        ((lanes_t *)(list + end * stride))[g] = held[g];
    return end + 1;
}

/* The volume of the box that two rows share. */
PACKED_INLINE double common_box(const packed_t *w, const int16_t *a, const int16_t *b, size_t d, size_t groups)
{
    lanes_t common[MAX_GROUPS];
    clip_row(a, (const lanes_t *)b, (int16_t *)common, groups);
    return box(w, (const int16_t *)common, d);
}

PACKED_INLINE double volume_of_two(const packed_t *w, const int16_t *rows, size_t d, size_t groups)
{
    const int16_t *second = rows + groups * LANES;
    return box(w, rows, d) + box(w, second, d) - common_box(w, rows, second, d, groups);
}

PACKED_INLINE double volume_of_three(const packed_t *w, const int16_t *rows, size_t d, size_t groups)
{
    size_t stride = groups * LANES;
    const int16_t *third = rows + 2 * stride;
    lanes_t cut[2 * MAX_GROUPS];
    if (!clip_list(rows, 2, (const lanes_t *)third, (int16_t *)cut, groups))
        return volume_of_two(w, rows, d, groups);
    return volume_of_two(w, rows, d, groups) + box(w, third, d) - volume_of_two(w, (const int16_t *)cut, d, groups);
}

PACKED_INLINE double volume_of_four(const packed_t *w, const int16_t *rows, size_t d, size_t groups)
{
    size_t stride = groups * LANES;
    const int16_t *fourth = rows + 3 * stride;
    lanes_t cut[3 * MAX_GROUPS];
    if (!clip_list(rows, 3, (const lanes_t *)fourth, (int16_t *)cut, groups))
        return volume_of_three(w, rows, d, groups);
    return volume_of_three(w, rows, d, groups) + box(w, fourth, d) -
           volume_of_three(w, (const int16_t *)cut, d, groups);
}

PACKED_INLINE double volume_of_few(const packed_t *w, const int16_t *rows, size_t n, size_t d, size_t groups)
{
    switch (n) {
    case 0:
        return 0;
    case 1:
        return box(w, rows, d);
    case 2:
        return volume_of_two(w, rows, d, groups);
    case 3:
        return volume_of_three(w, rows, d, groups);
    default:
        return volume_of_four(w, rows, d, groups);
    }
}

typedef double (*sweep_fn)(packed_t *w, const int16_t *rows, size_t n, size_t d);

/* rows are in descending order of lane d-1, lanes from d on are 0. */
PACKED_INLINE double sweep(packed_t *w, const int16_t *rows, size_t n, size_t d, size_t groups, sweep_fn self)
{
    size_t stride = groups * LANES;
    if (n <= FEW) {
        w->left -= (double)(n * d);
        return volume_of_few(w, rows, n, d, groups);
    }
    if (d == 3 || (d == 4 && n > WIDE)) {
        w->left -= (double)(d == 3 ? 8 * n : 2 * n * n);
        return d == 3 ? hv3(w, rows, n, stride) : hv4(w, rows, n, stride);
    }
    packed_level_t level = w->levels[d];
    double volume = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n && w->left >= 0; i++) {
        const int16_t *row = rows + i * stride;
        lanes_t p[MAX_GROUPS];
        w->left -= (double)(8 + 2 * kept);
        for (size_t g = 0; g < groups; g++)
            p[g] = ((const lanes_t *)row)[g];
        ((int16_t *)p)[d - 1] = 0;
        if (!clip_list(level.list, kept, p, level.clipped, groups))
            continue;
        double added = box(w, row, d - 1) - self(w, level.clipped, kept, d - 1);
        volume += added * value(w, row, d - 1);
        kept = insert_row(level.list, kept, p, d - 2, groups);
    }
    return volume;
}

static double sweep_one_group(packed_t *w, const int16_t *rows, size_t n, size_t d)
{
    return sweep(w, rows, n, d, 1, sweep_one_group);
}

static double sweep_two_groups(packed_t *w, const int16_t *rows, size_t n, size_t d)
{
    return sweep(w, rows, n, d, 2, sweep_two_groups);
}

static packed_t packed_new(size_t n, size_t m, size_t stride)
{
    packed_t w = {n,
                  m,
                  pr_alloc(n * m, sizeof(double)),
                  pr_alloc(m + 1, sizeof(packed_level_t)),
                  pr_alloc(n, sizeof(pr_hv_item_t)),
                  pr_hv_steps_new(n),
                  0};
    for (size_t d = 4; d <= m; d++)
        w.levels[d] = (packed_level_t){pr_alloc_matrix(n * stride, sizeof(int16_t)),
                                       pr_alloc_matrix(n * stride, sizeof(int16_t))};
    return w;
}

static void packed_free(packed_t *w)
{
    for (size_t d = 4; d <= w->m; d++) {
        free(w->levels[d].list);
        free(w->levels[d].clipped);
    }
    free(w->levels);
    free(w->values);
    free(w->items);
    pr_hv_steps_free(&w->steps);
}

/* Fills the table of values and rank [n] of one objective; leaves order sorted by it, descending. */
static void rank_objective(packed_t *w, const double *u, size_t k, pr_sorter_t *sorter, uint32_t *order, int16_t *rank)
{
    pr_sort_rows(sorter, u + k, w->m, true, order, w->n);
    size_t at = w->n;
    for (size_t i = 0; i < w->n; i++) {
        double x = u[order[i] * w->m + k];
        bool tied = i > 0 && x == u[order[i - 1] * w->m + k];
        at -= !tied;
        rank[order[i]] = (int16_t)at;
        w->values[k * w->n + at] = x;
    }
}

double pr_hv_packed(const double *u, size_t n, size_t m, double *steps)
{
    assert(pr_hv_packed_fits(n, m));
    size_t groups = m <= LANES ? 1 : 2;
    size_t stride = groups * LANES;
    packed_t w = packed_new(n, m, stride);
    pr_sorter_t sorter = pr_sorter_new(n);
    uint32_t *order = pr_alloc(n, sizeof *order);
    int16_t *rank = pr_alloc(n * m, sizeof *rank); // [m,n]
    int16_t *rows = pr_alloc_matrix(n * stride, sizeof *rows);
    memset(rows, 0, n * stride * sizeof *rows);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t k = 0; k < m; k++)
        rank_objective(&w, u, k, &sorter, order, rank + k * n);
    for (size_t i = 0; i < n; i++) // order is that of the last objective now
        for (size_t k = 0; k < m; k++)
            rows[i * stride + k] = rank[k * n + order[i]];
    w.left = *steps - (double)(n * m);
    double volume = (groups == 1 ? sweep_one_group : sweep_two_groups)(&w, rows, n, m);
    *steps = w.left;
    free(rows);
    free(rank);
    free(order);
    pr_sorter_free(&sorter);
    packed_free(&w);
    return volume;
}
