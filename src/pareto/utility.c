// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/utility.h"
#include "base/mem.h"
#include "pareto/sort.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

size_t pr_lattice_size(int m, size_t steps)
{
    assert(m >= 1);
    size_t size = 1;
    for (size_t k = 1; k < (size_t)m; k++) { // C(steps + k, k) from C(steps + k - 1, k - 1); divides exactly
        size_t product = 0;
        if (__builtin_mul_overflow(size, steps + k, &product))
            return SIZE_MAX;
        size = product / k;
    }
    return size;
}

void pr_lattice_weights(int m, size_t steps, double *weights)
{
    assert(m >= 1 && steps >= 1);
    size_t last = (size_t)m - 1;
    size_t *part = pr_alloc((size_t)m, sizeof *part);
    part[last] = steps;
    for (;;) {
        for (size_t k = 0; k <= last; k++)
            *weights++ = (double)part[k] / (double)steps;
        size_t k =
            last; // the last part but one that can grow: move one unit there, and what stands behind it to the end
        while (k > 0 && part[k] == 0)
            k--;
        if (k == 0)
            break;
        size_t rest = part[k] - 1;
        part[k] = 0;
        part[k - 1]++;
        part[last] = rest;
    }
    free(part);
}

size_t pr_lattice_steps(int m, size_t count)
{
    size_t steps = 1;
    while (m > 1 && pr_lattice_size(m, steps) < count)
        steps++;
    return steps;
}

static double best_utility(const double *points, size_t n, size_t m, const double *w)
{
    double best = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        double utility = 0;
        for (size_t k = 0; k < m; k++)
            utility += w[k] * points[i * m + k];
        best = utility > best ? utility : best;
    }
    return best;
}

double pr_expected_utility(const double *points, size_t n, int m, const double *weights, size_t n_weights)
{
    double sum = 0;
    for (size_t i = 0; i < n_weights; i++)
        sum += best_utility(points, n, (size_t)m, weights + i * (size_t)m);
    return n && n_weights ? sum / (double)n_weights : NAN;
}

double pr_maximum_utility_loss(const double *points, size_t n, const double *front, size_t n_front, int m,
                               const double *weights, size_t n_weights)
{
    if (n == 0 || n_front == 0 || n_weights == 0)
        return NAN;
    double most = -INFINITY;
    for (size_t i = 0; i < n_weights; i++) {
        const double *w = weights + i * (size_t)m;
        most = fmax(most, best_utility(front, n_front, (size_t)m, w) - best_utility(points, n, (size_t)m, w));
    }
    return most;
}

static double tchebycheff(const double *point, size_t m, const double *w, const double *ideal)
{
    double most = -INFINITY;
    for (size_t k = 0; k < m; k++)
        most = fmax(most, w[k] * (ideal[k] - point[k]));
    return most;
}

double pr_r2(const double *points, size_t n, int m, const double *weights, size_t n_weights, const double *ideal)
{
    double sum = 0;
    for (size_t i = 0; i < n_weights; i++) {
        double least = INFINITY;
        for (size_t j = 0; j < n; j++)
            least = fmin(least, tchebycheff(points + j * (size_t)m, (size_t)m, weights + i * (size_t)m, ideal));
        sum += least;
    }
    return n && n_weights ? sum / (double)n_weights : NAN;
}

/* The share of (x, y), its distances to the ideal, over u from low to high: max(u x, (1-u) y) has its kink where both
 * are equal, which lies between low and high. */
static double envelope_piece(double x, double y, double low, double high)
{
    double kink = x + y > 0 ? y / (x + y) : low;
    double falling = y * ((kink - kink * kink / 2) - (low - low * low / 2));
    return falling + x * (high * high - kink * kink) / 2;
}

/* Rows in descending order of the first objective, only those on the staircase; returns their number. */
static size_t staircase_rows(const double *points, size_t n, uint32_t *rows)
{
    pr_sorter_t sorter = pr_sorter_new(n);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    pr_sort_rows(&sorter, points + 1, 2, true, rows, n);
    pr_sort_rows(&sorter, points, 2, true, rows, n);
    pr_sorter_free(&sorter);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || points[2 * (size_t)rows[i] + 1] > points[2 * (size_t)rows[kept - 1] + 1])
            rows[kept++] = rows[i];
    return kept;
}

double pr_r2_exact(const double *points, size_t n, const double *ideal)
{
    for (size_t i = 0; i < n; i++)
        if (!(points[2 * i] <= ideal[0] && points[2 * i + 1] <= ideal[1]))
            return NAN;
    uint32_t *rows = pr_alloc(n, sizeof *rows);
    size_t steps = staircase_rows(points, n, rows);
    double sum = n ? 0 : NAN;
    double high = 1; // near u = 1 the first objective decides, and the first row is the best
    for (size_t i = 0; i < steps; i++) {
        const double *p = points + 2 * (size_t)rows[i];
        double low = 0;
        if (i + 1 < steps) { // where the next row's loss in the first objective equals this one's in the second
            double y = ideal[1] - p[1];
            low = y / (ideal[0] - points[2 * (size_t)rows[i + 1]] + y);
        }
        sum += envelope_piece(ideal[0] - p[0], ideal[1] - p[1], low, high);
        high = low;
    }
    free(rows);
    return sum;
}
