// SPDX-License-Identifier: BSD-3-Clause
#include "surrogate/rays.h"

#include "base/limits.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The normal distribution function by a table, linear between its places. */
enum { PHI_STEPS = 64, PHI_RANGE = 6, PHI_N = 2 * PHI_RANGE * PHI_STEPS + 2 };

/* How many standard deviations above its mean an objective is taken to be possible. */
static const double FAR = 5;

enum { NODES = 8 };
/* Gauss and Legendre's rule on [0,1]. */
static const double node[NODES] = {0.019855071751231884, 0.10166676129318664, 0.2372337950418355,  0.40828267875217511,
                                   0.59171732124782489,  0.7627662049581645,  0.89833323870681336, 0.98014492824876812};
static const double share[NODES] = {0.050614268145188129, 0.11119051722668724, 0.15685332293894364,
                                    0.18134189168918099,  0.18134189168918099, 0.15685332293894364,
                                    0.11119051722668724,  0.050614268145188129};

struct pr_rays {
    int k, n;
    double *direction; // [n,k]
    double *inverse;   // [n,k]
    double *extent;    // [n]
    double phi[PHI_N];
};

/* The half-normal quantile: |z| < q with probability u. Newton's method on erf. */
static double half_normal(double u)
{
    double z = u < 0.9 ? 1.2533141373155 * u : sqrt(-2 * log(1 - u));
    for (int i = 0; i < 50; i++) {
        double slope = 0.79788456080286536 * exp(-0.5 * z * z), step = (erf(z * M_SQRT1_2) - u) / slope;
        z = fmax(z - fmin(fmax(step, -0.5), 0.5), 0);
        if (fabs(step) < 1e-12)
            break;
    }
    return z;
}

pr_rays_t *pr_rays_new(int k, int n)
{
    pr_rays_t *r = pr_alloc(1, sizeof *r);
    size_t nk = (size_t)n * (size_t)k;
    *r = (pr_rays_t){.k = k, .n = n};
    r->direction = pr_alloc(nk, sizeof(double));
    r->inverse = pr_alloc(nk, sizeof(double));
    r->extent = pr_alloc((size_t)n, sizeof(double));
    memset(r->extent, 0, (size_t)n * sizeof(double));
    for (int i = 0; i < PHI_N; i++)
        r->phi[i] = 0.5 * erfc(-((double)i / PHI_STEPS - PHI_RANGE) * M_SQRT1_2);
    /* Kronecker sequence of the generalised golden ratio: the root > 1 of g^(k+1) = g + 1. */
    double golden = 1.5, at[PR_MAX_OBJECTIVES], step[PR_MAX_OBJECTIVES];
    for (int i = 0; i < 60; i++)
        golden = pow(1 + golden, 1.0 / (k + 1));
    for (int j = 0; j < k; j++) {
        step[j] = pow(golden, -(j + 1));
        at[j] = 0.5;
    }
    for (int i = 0; i < n; i++) {
        double norm = 0, *d = r->direction + (size_t)i * (size_t)k;
        for (int j = 0; j < k; j++) {
            at[j] = fmod(at[j] + step[j], 1);
            d[j] = half_normal(fmin(fmax(at[j], 1e-9), 1 - 1e-9));
            norm += d[j] * d[j];
        }
        for (int j = 0; j < k; j++) {
            d[j] = fmax(d[j] / sqrt(norm), 1e-9);
            r->inverse[(size_t)i * (size_t)k + (size_t)j] = 1 / d[j];
        }
    }
    return r;
}

void pr_rays_free(pr_rays_t *r)
{
    if (!r)
        return;
    free(r->direction);
    free(r->inverse);
    free(r->extent);
    free(r);
}

void pr_rays_cover(pr_rays_t *r, const double *v)
{
    for (int i = 0; i < r->n; i++) {
        const double *inverse = r->inverse + (size_t)i * (size_t)r->k;
        double least = INFINITY;
        for (int j = 0; j < r->k; j++)
            least = fmin(least, v[j] * inverse[j]);
        r->extent[i] = fmax(r->extent[i], least);
    }
}

static double power(double x, int k)
{
    double p = 1;
    for (int i = 0; i < k; i++)
        p *= x;
    return p;
}

double pr_rays_volume(const pr_rays_t *r)
{
    double sum = 0;
    for (int i = 0; i < r->n; i++)
        sum += power(r->extent[i], r->k);
    return sum / r->n;
}

static inline double phi(const pr_rays_t *r, double x)
{
    double at = (x + PHI_RANGE) * PHI_STEPS;
    if (at <= 0)
        return 0;
    if (at >= 2 * PHI_RANGE * PHI_STEPS)
        return 1;
    int i = (int)at;
    return r->phi[i] + (at - i) * (r->phi[i + 1] - r->phi[i]);
}

/* The integral of k t^(k-1) P(every objective is at least t d) over t > extent. */
static double gain_along(const pr_rays_t *r, int ray, const double *mean, const double *over_sd, double from, double to)
{
    const double *d = r->direction + (size_t)ray * (size_t)r->k;
    double sum = 0;
    for (int i = 0; i < NODES; i++) {
        double t = from + node[i] * (to - from), p = r->k * power(t, r->k - 1);
        for (int j = 0; j < r->k; j++)
            p *= phi(r, (mean[j] - t * d[j]) * over_sd[j]);
        sum += share[i] * p;
    }
    return sum * (to - from);
}

double pr_rays_gain(const pr_rays_t *r, const double *mean, const double *sd)
{
    int k = r->k;
    double high[PR_MAX_OBJECTIVES], low[PR_MAX_OBJECTIVES], over_sd[PR_MAX_OBJECTIVES], sum = 0;
    for (int j = 0; j < k; j++) {
        double s = fmax(sd[j], 1e-12);
        high[j] = mean[j] + FAR * s;
        low[j] = mean[j] - FAR * s;
        over_sd[j] = 1 / s;
    }
    for (int i = 0; i < r->n; i++) {
        const double *inverse = r->inverse + (size_t)i * (size_t)k;
        double top = INFINITY, sure = INFINITY, from = r->extent[i];
        for (int j = 0; j < k; j++)
            top = fmin(top, high[j] * inverse[j]);
        if (top <= from)
            continue;
        for (int j = 0; j < k; j++)
            sure = fmin(sure, low[j] * inverse[j]);
        if (sure > from) {
            sum += power(sure, k) - power(from, k);
            from = sure;
        }
        sum += gain_along(r, i, mean, over_sd, from, top);
    }
    return sum / r->n;
}
