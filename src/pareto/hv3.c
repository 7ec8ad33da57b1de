// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/hv_internal.h"

static uint32_t *row_numbers(size_t n)
{
    uint32_t *rows = pr_alloc(n, sizeof *rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    return rows;
}

double pr_hv2(const double *u, size_t n)
{
    uint32_t *rows = row_numbers(n);
    pr_sorter_t sorter = pr_sorter_new(n);
    pr_sort_rows(&sorter, u, 2, true, rows, n);
    double area = 0;
    double top = 0;
    for (size_t i = 0; i < n; i++) {
        const double *p = u + 2 * (size_t)rows[i];
        if (p[1] > top) {
            area += p[0] * (p[1] - top);
            top = p[1];
        }
    }
    pr_sorter_free(&sorter);
    free(rows);
    return area;
}

double pr_hv3(const double *u, size_t n)
{
    uint32_t *rows = row_numbers(n);
    uint32_t *key = pr_alloc(n, sizeof *key);
    pr_sorter_t sorter = pr_sorter_new(n);
    pr_sort_rows(&sorter, u, 3, false, rows, n);
    for (size_t i = 0; i < n; i++)
        key[rows[i]] = (uint32_t)i;
    pr_sort_rows(&sorter, u + 2, 3, true, rows, n);
    pr_sorter_free(&sorter);
    pr_hv_steps_t steps = pr_hv_steps_new(n);
    pr_hv_steps_reset(&steps, 0, 0);
    double volume = 0;
    for (size_t i = 0; i < n; i++) {
        const double *p = u + 3 * (size_t)rows[i];
        volume += p[2] * pr_hv_cover_corner(&steps, key[rows[i]], p[0], p[1]);
    }
    pr_hv_steps_free(&steps);
    free(key);
    free(rows);
    return volume;
}

/* The area of p's rectangle that item q newly covers. */
static inline double cover(pr_hv_steps_t *s, const pr_hv_item_t *q)
{
    if (q->x >= s->right)
        return q->y > s->floor ? pr_hv_raise_floor(s, q->y) : 0;
    if (q->y >= s->top)
        return q->x > s->wall ? pr_hv_move_wall(s, q->x) : 0;
    return q->x > s->wall && q->y > s->floor ? pr_hv_cover_corner(s, q->key, q->x, q->y) : 0;
}

/* How far items[from..to) cover p's rectangle from the left (*wall) and from below (*floor). Without a branch: which of
 * the two an item does is a coin flip. */
static void reach(const pr_hv_item_t *items, size_t from, size_t to, const pr_hv_item_t *p, double *wall, double *floor)
{
    double left = *wall;
    double low = *floor;
    for (size_t i = from; i < to; i++) {
        double x = items[i].y >= p->y ? items[i].x : 0;
        double y = items[i].x >= p->x ? items[i].y : 0;
        left = x > left ? x : left;
        low = y > low ? y : low;
    }
    *wall = left;
    *floor = low;
}

/* Appends to found [n] those of items[from..to) that reach into what wall and floor leave open. */
static size_t gather(const pr_hv_item_t *items, size_t from, size_t to, double wall, double floor, uint32_t *found,
                     size_t n)
{
    for (size_t i = from; i < to; i++) {
        found[n] = (uint32_t)i;
        n += (items[i].x > wall) & (items[i].y > floor);
    }
    return n;
}

/* The number of items at least as high as z; they are in descending order. */
static size_t count_above(const pr_hv_item_t *items, size_t n, double z)
{
    size_t lo = 0;
    for (size_t hi = n; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        if (items[mid].z >= z)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

double pr_hv3_exclusive(pr_hv_steps_t *steps, const pr_hv_item_t *items, size_t n, size_t skip, const pr_hv_item_t *p,
                        bool *covered)
{
    size_t above = count_above(items, n, p->z);
    double wall = 0;
    double floor = 0;
    reach(items, 0, skip < above ? skip : above, p, &wall, &floor);
    reach(items, skip + 1, above, p, &wall, &floor);
    *covered = wall >= p->x || floor >= p->y;
    if (*covered)
        return 0;
    pr_hv_steps_reset(steps, p->x, p->y);
    steps->wall = wall;
    steps->floor = floor;
    uint32_t *found = steps->scratch;
    size_t n_found = gather(items, 0, skip < n ? skip : n, wall, floor, found, 0);
    n_found = gather(items, skip + 1, n, wall, floor, found, n_found);
    double open = (p->x - wall) * (p->y - floor); // area of the slice at the present height that is not covered
    double height = p->z;
    double volume = 0;
    for (size_t i = 0; i < n_found; i++) {
        const pr_hv_item_t *q = items + found[i];
        if (q->z < height) {
            volume += open * (height - q->z);
            height = q->z;
        }
        if (q->x >= p->x && q->y >= p->y)
            return volume;
        open -= cover(steps, q);
    }
    return volume + open * height;
}
