// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/coords.h"

static bool equal_rows(const double *points, size_t m, uint32_t a, uint32_t b)
{
    for (size_t k = 0; k < m; k++)
        if (points[a * m + k] != points[b * m + k])
            return false;
    return true;
}

/* Sorts rows by one column and fills x, by row, with integers in the same order. */
static void number_column(pr_sorter_t *sorter, const double *points, size_t m, size_t k, uint32_t *rows, size_t n,
                          int32_t *x)
{
    pr_sort_rows(sorter, points + k, m, true, rows, n);
    int32_t value = (int32_t)n;
    double last = 0;
    for (size_t i = 0; i < n; i++) {
        double v = points[rows[i] * m + k];
        value -= i == 0 || v != last;
        last = v;
        x[rows[i]] = value;
    }
}

pr_coords_t pr_coords_new(const double *points, size_t total, size_t m, uint32_t *rows, size_t n_rows)
{
    pr_coords_t c = {
        .m = m, .range = n_rows, .first = pr_alloc(n_rows, sizeof *c.first), .same = pr_alloc(n_rows, sizeof *c.same)};
    int32_t *by_row = pr_alloc(m * total, sizeof *by_row); // [m,total]
    pr_sorter_t sorter = pr_sorter_new(n_rows);
    for (size_t k = m; k-- > 0;)
        number_column(&sorter, points, m, k, rows, n_rows, by_row + k * total);
    pr_sorter_free(&sorter);
    for (size_t i = 0; i < n_rows; i++) {
        if (i == 0 || !equal_rows(points, m, rows[i], rows[i - 1]))
            c.first[c.n++] = rows[i];
        c.same[i] = (uint32_t)(c.n - 1);
    }
    c.x = pr_alloc(c.n * m, sizeof *c.x);
    for (size_t i = 0; i < c.n; i++)
        for (size_t k = 0; k < m; k++)
            c.x[i * m + k] = by_row[k * total + c.first[i]];
    free(by_row);
    return c;
}

void pr_coords_free(pr_coords_t *c)
{
    free(c->x);
    free(c->first);
    free(c->same);
    *c = (pr_coords_t){0};
}
