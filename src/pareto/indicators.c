// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/indicators.h"
#include "base/mem.h"
#include "pareto/boxtree.h"
#include "pareto/dominance.h"
#include "pareto/sort.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- how far a is from r, in the sense of each indicator ---- */

static double lack_difference(const double *a, const double *r, size_t m)
{
    double most = -INFINITY;
    for (size_t k = 0; k < m; k++)
        most = fmax(most, r[k] - a[k]);
    return most;
}

static double lack_factor(const double *a, const double *r, size_t m)
{
    double most = 0;
    for (size_t k = 0; k < m; k++)
        most = fmax(most, r[k] > 0 ? r[k] / a[k] : a[k] / r[k]);
    return most;
}

static double euclidean(const double *a, const double *r, size_t m)
{
    double sum = 0;
    for (size_t k = 0; k < m; k++)
        sum += (a[k] - r[k]) * (a[k] - r[k]);
    return sqrt(sum);
}

static double euclidean_lack(const double *a, const double *r, size_t m)
{
    double sum = 0;
    for (size_t k = 0; k < m; k++) {
        double lack = fmax(r[k] - a[k], 0);
        sum += lack * lack;
    }
    return sqrt(sum);
}

/* How much r lacks of a. */
static double euclidean_excess(const double *a, const double *r, size_t m)
{
    return euclidean_lack(r, a, m);
}

/* ---- how far a point of a box is at least: what lacks least is the box's best corner ---- */

static double lack_difference_bound(const double *low, const double *high, const double *r, size_t m)
{
    (void)low;
    return lack_difference(high, r, m);
}

static double lack_factor_bound(const double *low, const double *high, const double *r, size_t m)
{
    (void)low;
    return lack_factor(high, r, m);
}

static double euclidean_bound(const double *low, const double *high, const double *r, size_t m)
{
    return sqrt(pr_box_apart(low, high, r, m));
}

static double euclidean_lack_bound(const double *low, const double *high, const double *r, size_t m)
{
    (void)low;
    return euclidean_lack(high, r, m);
}

static double euclidean_excess_bound(const double *low, const double *high, const double *r, size_t m)
{
    (void)high;
    return euclidean_excess(low, r, m);
}

/* ---- the indicators ---- */

static double greatest_lack(const double *points, size_t n, const double *front, size_t n_front, size_t m,
                            pr_distance_fn distance, pr_bound_fn bound)
{
    if (n == 0 || n_front == 0)
        return NAN;
    pr_boxtree_t *tree = pr_boxtree_new(points, n, m);
    double most = -INFINITY;
    for (size_t j = 0; j < n_front; j++)
        most = fmax(most, pr_boxtree_least(tree, front + j * m, distance, bound));
    pr_boxtree_free(&tree);
    return most;
}

double pr_epsilon_additive(const double *points, size_t n, const double *front, size_t n_front, int m)
{
    assert(m >= 1);
    return greatest_lack(points, n, front, n_front, (size_t)m, lack_difference, lack_difference_bound);
}

/* The sign of column k in both sets, 0 when it is not the same everywhere. */
static int common_sign(const double *rows, size_t n, size_t m, size_t k, int sign)
{
    for (size_t i = 0; i < n; i++) {
        double x = rows[i * m + k];
        int s = (x > 0) - (x < 0);
        if (s == 0 || (sign != 2 && s != sign))
            return 0;
        sign = s;
    }
    return sign;
}

double pr_epsilon_multiplicative(const double *points, size_t n, const double *front, size_t n_front, int m)
{
    enum { ANY_SIGN = 2 };
    assert(m >= 1);
    for (size_t k = 0; k < (size_t)m; k++) {
        int sign = common_sign(points, n, (size_t)m, k, ANY_SIGN);
        if (sign == 0 || common_sign(front, n_front, (size_t)m, k, sign) == 0)
            return NAN;
    }
    return greatest_lack(points, n, front, n_front, (size_t)m, lack_factor, lack_factor_bound);
}

/* ( mean over from of (least distance to to)^p )^(1/p). */
static double power_mean(const double *from, size_t n_from, const double *to, size_t n_to, size_t m,
                         pr_distance_fn distance, pr_bound_fn bound, double p)
{
    if (n_from == 0 || n_to == 0)
        return NAN;
    pr_boxtree_t *tree = pr_boxtree_new(to, n_to, m);
    double sum = 0;
    for (size_t i = 0; i < n_from; i++) {
        double d = pr_boxtree_least(tree, from + i * m, distance, bound);
        sum += p == 1 ? d : pow(d, p);
    }
    pr_boxtree_free(&tree);
    double mean = sum / (double)n_from;
    return p == 1 ? mean : pow(mean, 1 / p);
}

double pr_gd(const double *points, size_t n, const double *front, size_t n_front, int m, double p)
{
    assert(m >= 1 && p >= 1);
    return power_mean(points, n, front, n_front, (size_t)m, euclidean, euclidean_bound, p);
}

double pr_igd(const double *points, size_t n, const double *front, size_t n_front, int m, double p)
{
    assert(m >= 1 && p >= 1);
    return power_mean(front, n_front, points, n, (size_t)m, euclidean, euclidean_bound, p);
}

double pr_average_hausdorff(const double *points, size_t n, const double *front, size_t n_front, int m, double p)
{
    double gd = pr_gd(points, n, front, n_front, m, p);
    double igd = pr_igd(points, n, front, n_front, m, p);
    return gd > igd || isnan(gd) ? gd : igd;
}

bool pr_igd_plus_within(const double *points, size_t n, const double *front, size_t n_front, int m, double steps,
                        bool (*stop)(void *self), void *self, double *igd)
{
    enum { OFTEN = 256 };
    assert(m >= 1);
    bool ok = true;
    double sum = 0;
    pr_boxtree_t *tree = n && n_front ? pr_boxtree_new(points, n, (size_t)m) : NULL;
    for (size_t j = 0; tree && ok && j < n_front; j++) {
        sum += pr_boxtree_least(tree, front + j * (size_t)m, euclidean_lack, euclidean_lack_bound);
        ok = pr_boxtree_steps(tree) <= steps && !(stop && j % OFTEN == 0 && stop(self));
    }
    *igd = tree ? sum / (double)n_front : NAN;
    pr_boxtree_free(&tree);
    return ok;
}

double pr_igd_plus(const double *points, size_t n, const double *front, size_t n_front, int m)
{
    double igd = NAN;
    pr_igd_plus_within(points, n, front, n_front, m, INFINITY, NULL, NULL, &igd);
    return igd;
}

double pr_gd_plus(const double *points, size_t n, const double *front, size_t n_front, int m)
{
    assert(m >= 1);
    return power_mean(points, n, front, n_front, (size_t)m, euclidean_excess, euclidean_excess_bound, 1);
}

static uint32_t *row_numbers(size_t n)
{
    uint32_t *rows = pr_alloc(n, sizeof *rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    return rows;
}

static double manhattan(const double *a, const double *b, size_t m)
{
    double sum = 0;
    for (size_t k = 0; k < m; k++)
        sum += fabs(a[k] - b[k]);
    return sum;
}

/* The distance of rows[i] to its nearest neighbour; rows are in the order of the first objective, so the search in
 * either direction ends where that objective alone is too far away. */
static double nearest_neighbour(const double *points, size_t m, const uint32_t *rows, size_t n, size_t i)
{
    const double *p = points + rows[i] * m;
    double least = INFINITY;
    for (size_t j = i + 1; j < n && points[rows[j] * m] - p[0] < least; j++)
        least = fmin(least, manhattan(p, points + rows[j] * m, m));
    for (size_t j = i; j-- > 0 && p[0] - points[rows[j] * m] < least;)
        least = fmin(least, manhattan(p, points + rows[j] * m, m));
    return least;
}

double pr_spacing(const double *points, size_t n, int m)
{
    assert(m >= 1);
    if (n < 2)
        return NAN;
    uint32_t *rows = row_numbers(n);
    pr_sorter_t sorter = pr_sorter_new(n);
    pr_sort_rows(&sorter, points, (size_t)m, false, rows, n);
    pr_sorter_free(&sorter);
    double *distance = pr_alloc(n, sizeof *distance);
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        distance[i] = nearest_neighbour(points, (size_t)m, rows, n, i);
        mean += distance[i] / (double)n;
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (distance[i] - mean) * (distance[i] - mean);
    free(distance);
    free(rows);
    return sqrt(sum / (double)(n - 1));
}

double pr_sparsity(const double *points, size_t n, int m)
{
    assert(m >= 1);
    if (n < 2)
        return n ? 0 : NAN;
    uint32_t *rows = row_numbers(n);
    pr_sorter_t sorter = pr_sorter_new(n);
    double sum = 0;
    for (size_t k = 0; k < (size_t)m; k++) {
        pr_sort_rows(&sorter, points + k, (size_t)m, false, rows, n);
        for (size_t i = 1; i < n; i++) {
            double step = points[rows[i] * (size_t)m + k] - points[rows[i - 1] * (size_t)m + k];
            sum += step * step;
        }
    }
    pr_sorter_free(&sorter);
    free(rows);
    return sum / (double)(n - 1);
}

size_t pr_cardinality(const double *points, size_t n, int m)
{
    bool *kept = pr_alloc(n, sizeof *kept);
    size_t count = pr_nondominated(points, n, m, false, kept);
    free(kept);
    return count;
}
