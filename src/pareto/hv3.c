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

double pr_hv3_exclusive(pr_hv_steps_t *steps, const pr_hv_item_t *items, size_t n, const pr_hv_item_t *p, bool *covered)
{
    pr_hv_steps_reset(steps, p->x, p->y);
    double open = p->x * p->y; // area of the slice at the present height that is not covered
    double height = p->z;
    double volume = 0;
    bool complete = false;
    for (size_t i = 0; i < n; i++) {
        const pr_hv_item_t *q = items + i;
        if (q->number == p->number)
            continue;
        complete = q->x >= p->x && q->y >= p->y;
        if (q->z < height) {
            volume += open * (height - q->z);
            height = q->z;
        }
        if (complete)
            break;
        open -= cover(steps, q);
    }
    if (covered)
        *covered = complete && height >= p->z;
    return complete ? volume : volume + open * height;
}
