// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/knee.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* x [n,*m]: the objectives that differ, scaled to 0..1. Caller frees. */
static double *scale(const double *points, size_t n, int all, int *m)
{
    double *x = pr_alloc(n * (size_t)all, sizeof *x);
    int *kept = pr_alloc((size_t)all, sizeof *kept);
    double *lo = pr_alloc((size_t)all, sizeof *lo), *hi = pr_alloc((size_t)all, sizeof *hi);
    *m = 0;
    for (int k = 0; k < all; k++) {
        lo[k] = hi[k] = points[k];
        for (size_t i = 0; i < n; i++) {
            lo[k] = fmin(lo[k], points[i * (size_t)all + (size_t)k]);
            hi[k] = fmax(hi[k], points[i * (size_t)all + (size_t)k]);
        }
        if (hi[k] > lo[k])
            kept[(*m)++] = k;
    }
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < *m; j++) {
            int k = kept[j]; // halves, as the difference of two finite numbers may be none
            x[i * (size_t)*m + (size_t)j] =
                (points[i * (size_t)all + (size_t)k] / 2 - lo[k] / 2) / (hi[k] / 2 - lo[k] / 2);
        }
    free(kept);
    free(lo);
    free(hi);
    return x;
}

static const double *extreme(const double *x, size_t n, int m, int objective)
{
    const double *best = NULL;
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double *p = x + i * (size_t)m;
        double sum = 0;
        for (int k = 0; k < m; k++)
            sum += p[k];
        if (!best || p[objective] > best[objective] || (p[objective] == best[objective] && sum > most)) {
            best = p;
            most = sum;
        }
    }
    return best;
}

/* Brings the rows of a [rows,m] to reduced echelon form with total pivoting; column [rows]: where each pivot is. Returns
 * the rank. */
static int reduce(double *a, int rows, int m, int *column)
{
    const double least = 1e-9; // of numbers between -1 and 1
    int rank = 0;
    for (; rank < rows; rank++) {
        int row = rank, col = 0;
        for (int i = rank; i < rows; i++)
            for (int k = 0; k < m; k++)
                if (fabs(a[i * m + k]) > fabs(a[row * m + col])) {
                    row = i;
                    col = k;
                }
        if (fabs(a[row * m + col]) < least)
            break;
        for (int k = 0; k < m; k++) {
            double swap = a[row * m + k];
            a[row * m + k] = a[rank * m + k];
            a[rank * m + k] = swap;
        }
        column[rank] = col;
        for (int i = 0; i < rows; i++) {
            double factor = i == rank ? 0 : a[i * m + col] / a[rank * m + col];
            for (int k = 0; k < m && factor != 0; k++)
                a[i * m + k] -= factor * a[rank * m + k];
        }
    }
    return rank;
}

/* The unit normal of the hyperplane through the extremes, which has no negative component; false: there is none. */
static bool span(const double *const *at, int m, double *normal)
{
    double *a = pr_alloc((size_t)m * (size_t)m, sizeof *a), length = 0;
    int *column = pr_alloc((size_t)m, sizeof *column), free_column = m * (m - 1) / 2;
    for (int i = 1; i < m; i++)
        for (int k = 0; k < m; k++)
            a[(i - 1) * m + k] = at[i][k] - at[0][k];
    bool ok = reduce(a, m - 1, m, column) == m - 1;
    for (int i = 0; i < m - 1 && ok; i++)
        free_column -= column[i];
    for (int k = 0; k < m && ok; k++)
        normal[k] = k == free_column ? 1 : 0;
    for (int i = 0; i < m - 1 && ok; i++)
        normal[column[i]] = -a[i * m + free_column] / a[i * m + column[i]];
    for (int k = 0; k < m && ok; k++) {
        length += normal[k] * normal[k];
        ok = normal[k] >= 0;
    }
    for (int k = 0; k < m && ok; k++)
        normal[k] /= sqrt(length);
    free(a);
    free(column);
    return ok;
}

size_t pr_knee(const double *points, size_t n, int m, double *distance, bool *spanned)
{
    int kept;
    size_t best = 0;
    double *x = scale(points, n, m, &kept), most = -INFINITY, offset = -INFINITY;
    const double **at = pr_alloc((size_t)m, sizeof *at);
    double *normal = pr_alloc((size_t)m, sizeof *normal);
    for (int k = 0; k < kept; k++)
        at[k] = extreme(x, n, kept, k);
    bool plane = kept > 0 && span(at, kept, normal);
    for (int k = 0; k < kept && !plane; k++)
        normal[k] = 1 / sqrt(kept);
    for (int i = 0; i < kept; i++) { // through all of the extremes; of equal weights, through the highest
        double sum = 0;
        for (int k = 0; k < kept; k++)
            sum += normal[k] * at[i][k];
        offset = fmax(offset, sum);
    }
    for (size_t i = 0; i < n; i++) {
        double d = kept > 0 ? -offset : 0;
        for (int k = 0; k < kept; k++)
            d += normal[k] * x[i * (size_t)kept + (size_t)k];
        if (distance)
            distance[i] = d;
        if (d > most) {
            most = d;
            best = i;
        }
    }
    if (spanned)
        *spanned = plane;
    free(x);
    free(at);
    free(normal);
    return best;
}
