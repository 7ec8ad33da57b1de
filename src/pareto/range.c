// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/range.h"
#include "base/mem.h"
#include "pareto/dominance.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void pr_ideal(const double *points, size_t n, int m, double *ideal)
{
    assert(n >= 1 && m >= 1);
    memcpy(ideal, points, (size_t)m * sizeof *ideal);
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < (size_t)m; k++)
            ideal[k] = fmax(ideal[k], points[i * (size_t)m + k]);
}

void pr_nadir(const double *points, size_t n, int m, double *nadir)
{
    assert(n >= 1 && m >= 1);
    bool *kept = pr_alloc(n, sizeof *kept);
    pr_nondominated(points, n, m, false, kept);
    for (size_t k = 0; k < (size_t)m; k++)
        nadir[k] = INFINITY;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < (size_t)m && kept[i]; k++)
            nadir[k] = fmin(nadir[k], points[i * (size_t)m + k]);
    free(kept);
}

void pr_reference_rule(const double *points, size_t n, int m, double *reference)
{
    double *ideal = pr_alloc((size_t)m, sizeof *ideal);
    pr_ideal(points, n, m, ideal);
    pr_nadir(points, n, m, reference);
    for (size_t k = 0; k < (size_t)m; k++) {
        double width = ideal[k] - reference[k];
        reference[k] -= 0.1 * (width > 0 ? width : fmax(fabs(reference[k]), 1));
    }
    free(ideal);
}

void pr_normalise(const double *points, size_t n, int m, const double *low, const double *high, double *to)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < (size_t)m; k++)
            to[i * (size_t)m + k] = (points[i * (size_t)m + k] - low[k]) / (high[k] - low[k]);
}
