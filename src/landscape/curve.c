// SPDX-License-Identifier: BSD-3-Clause
#include "landscape/curve.h"
#include "base/mem.h"
#include "pareto/dominance.h"
#include "pareto/hypervolume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What p adds to the hypervolume of held [n,k]: its box less what the others have of it. held is not kept. */
static bool added(double *held, size_t n, const double *p, int k, const double *zero, double *steps, double *out)
{
    double box = 1, shared = 0;
    for (int j = 0; j < k; j++)
        box *= fmax(p[j], 0);
    for (size_t i = 0; i < n * (size_t)k; i++)
        held[i] = fmin(held[i], p[i % (size_t)k]);
    if (box > 0 && !pr_hypervolume_within(held, n, k, zero, steps, &shared))
        return false;
    *out = fmax(box - shared, 0);
    return true;
}

/* hv of as many beginnings as a bound of work allows; returns how many. */
static size_t exact_curve(const double *points, size_t n, int k, const double *zero, double *hv)
{
    static const double STEPS = 5e8;
    double steps = STEPS, sum = 0, gain = 0;
    size_t width = (size_t)k, done = 0;
    double *held = pr_alloc(n * width, sizeof *held);
    for (; done < n; done++) {
        memcpy(held, points, done * width * sizeof *held);
        if (!added(held, done, points + done * width, k, zero, &steps, &gain))
            break;
        hv[done] = sum += gain;
    }
    free(held);
    return done;
}

/* The others, from `first` on: points that are not there yet are NaN. */
static pr_hv_method_t sampled_curve(const double *points, size_t n, int k, const double *zero, size_t first, double *hv)
{
    static const double STEPS_EACH = 2e6, ERROR = 0.001, STEPS = 5e8;
    size_t width = (size_t)k;
    double *some = pr_alloc(n * width, sizeof *some);
    pr_hv_estimate_t whole = {0};
    pr_hv_estimate(points, n, k, zero, ERROR, STEPS, NULL, NULL, &whole);
    pr_hv_design_t *design = pr_hv_design_new(points, n, k, zero, STEPS_EACH);
    double scale = whole.volume / pr_hv_design_volume(design, points, zero);
    memcpy(some, points, first * width * sizeof *some);
    for (size_t i = first * width; i < n * width; i++)
        some[i] = NAN;
    for (size_t i = first; i < n; i++) {
        memcpy(some + i * width, points + i * width, width * sizeof *some);
        hv[i] = scale * pr_hv_design_volume(design, some, zero);
        if (i > 0)
            hv[i] = fmax(hv[i], hv[i - 1]); // samples may say less of more points
    }
    pr_hv_method_t method = pr_hv_design_method(design);
    pr_hv_design_free(&design);
    free(some);
    return method;
}

pr_hv_method_t pr_curve_hypervolume(const double *points, size_t n, int k, double *hv)
{
    static const double zero[PR_MAX_OBJECTIVES] = {0};
    size_t exact = exact_curve(points, n, k, zero, hv);
    return exact == n ? PR_HV_EXACT : sampled_curve(points, n, k, zero, exact, hv);
}

void pr_curve_igd_plus(const double *points, size_t n, const double *front, size_t n_front, int k, double *igd)
{
    double *least = pr_alloc(n_front, sizeof *least);
    for (size_t r = 0; r < n_front; r++)
        least[r] = INFINITY;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t r = 0; r < n_front; r++) {
            double d2 = 0;
            for (int j = 0; j < k; j++) {
                double lack = fmax(front[r * (size_t)k + (size_t)j] - points[i * (size_t)k + (size_t)j], 0);
                d2 += lack * lack;
            }
            least[r] = fmin(least[r], sqrt(d2));
            sum += least[r];
        }
        igd[i] = sum / (double)n_front;
    }
    free(least);
}
