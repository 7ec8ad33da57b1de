// SPDX-License-Identifier: BSD-3-Clause
#include "surrogate/gp.h"

#include "base/mem.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* LAPACK, which Debian's OpenBLAS holds. Column-major, of which the upper triangle counts. */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);

/* Added to every variance, as a share of the signal: points that nearly coincide leave the matrix positive definite. */
static const double JITTER = 1e-8;

/* OpenBLAS at one thread, so that the bits do not depend on how many there are. Returns how many there were. */
static int one_thread(void)
{
    int before = openblas_get_num_threads();
    openblas_set_num_threads(1);
    return before;
}

/* ---- the kernel ---- */

/* Matern of the squared scaled distance r2. *slope: its derivative by the logarithm of a length, over that input's part
 * of r2. */
static inline double kernel_and_slope(int smoothness, double r2, double *slope)
{
    double r = sqrt((2 * smoothness + 1) * r2), e = exp(-r);
    if (smoothness == 0) {
        *slope = e / fmax(r, 1e-12);
        return e;
    }
    if (smoothness == 1) {
        *slope = 3 * e;
        return (1 + r) * e;
    }
    *slope = 5.0 / 3 * (1 + r) * e;
    return (1 + r + r * r / 3) * e;
}

double pr_gp_kernel(int smoothness, double r2)
{
    double slope;
    return kernel_and_slope(smoothness, r2, &slope);
}

static inline double scaled_distance2(const double *a, const double *b, const double *inverse, int d)
{
    double sum = 0;
    for (int i = 0; i < d; i++) {
        double t = (a[i] - b[i]) * inverse[i];
        sum += t * t;
    }
    return sum;
}

/* ---- the posterior density of hyperparameters ---- */

enum { MAX_P = PR_GP_MAX_INPUTS + 2 };

/* Standard deviations of the logarithms: of what all lengths share, of each length's own, of the signal's variance. */
static const double SD_COMMON = 0.9, SD_OWN = 0.6, SD_SIGNAL = 1.0;
/* Of the told noise's share: points of a sweep share their prompts and random streams, so that their differences are
 * known better than the standard errors say. */
static const double MEAN_NOISE = -1.5, SD_NOISE = 2.0;

/* Parameters p [d+2]: log lengths, log signal, log noise share. */
typedef struct ascent {
    const pr_gp_data_t *data;
    int np;        // d + 2, or d + 1 where no noise is told
    double *a;     // [n,n]
    double *k;     // [n,n] kernel, i > j
    double *slope; // [n,n]
    double *alpha; // [n]
} ascent_t;

static ascent_t ascent_new(const pr_gp_data_t *data)
{
    size_t n = (size_t)data->n, nn = n * n;
    ascent_t s = {.data = data, .np = data->d + 1};
    s.a = pr_alloc(nn, sizeof *s.a);
    s.k = pr_alloc(nn, sizeof *s.k);
    s.slope = pr_alloc(nn, sizeof *s.slope);
    s.alpha = pr_alloc(n, sizeof *s.alpha);
    for (size_t i = 0; i < n; i++)
        if (data->noise[i] > 0)
            s.np = data->d + 2;
    return s;
}

static void ascent_free(ascent_t *s)
{
    free(s->a);
    free(s->k);
    free(s->slope);
    free(s->alpha);
}

static double normal_density(double x, double mean, double sd, double *gradient)
{
    double z = (x - mean) / sd;
    *gradient -= z / sd;
    return -0.5 * z * z;
}

/* The logarithm of the prior density up to a constant; adds to gradient. */
static double prior(const ascent_t *s, const double *p, double *gradient)
{
    int d = s->data->d;
    double sum = 0, density = 0, typical = log(s->data->typical);
    for (int i = 0; i < d; i++)
        sum += p[i] - typical;
    /* The lengths' covariance is own I + common 11'; its inverse by Sherman and Morrison. */
    double own = SD_OWN * SD_OWN, common = SD_COMMON * SD_COMMON, share = common / (own + d * common);
    for (int i = 0; i < d; i++) {
        double z = p[i] - typical, g = (z - share * sum) / own;
        density -= 0.5 * z * g;
        gradient[i] -= g;
    }
    density += normal_density(p[d], 0, SD_SIGNAL, &gradient[d]);
    if (s->np > d + 1)
        density += normal_density(p[d + 1], MEAN_NOISE, SD_NOISE, &gradient[d + 1]);
    return density;
}

/* Fills the kernel and the covariance's factor. false: it is not positive definite. */
static bool factor(ascent_t *s, const double *p, double *inverse)
{
    const pr_gp_data_t *data = s->data;
    int n = data->n, d = data->d, info = 0;
    double signal = exp(p[d]), share = exp(p[d + 1]);
    for (int i = 0; i < d; i++)
        inverse[i] = exp(-p[i]);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            double r2 = scaled_distance2(data->x + (size_t)i * (size_t)d, data->x + (size_t)j * (size_t)d, inverse, d);
            s->k[i * n + j] = kernel_and_slope(data->smoothness, r2, &s->slope[i * n + j]);
            s->a[i * n + j] = signal * s->k[i * n + j];
        }
        s->a[i * n + i] = signal * (1 + JITTER) + share * data->noise[i];
    }
    dpotrf_("U", &n, s->a, &n, &info, 1);
    return info == 0;
}

/* d/dp = 1/2 tr((alpha alpha' - A^-1) dA/dp), of which every pair counts twice; s->a holds A^-1. */
static void add_slopes(const ascent_t *s, const double *p, const double *inverse, double *gradient)
{
    const pr_gp_data_t *data = s->data;
    int n = data->n, d = data->d;
    double signal = exp(p[d]), share = exp(p[d + 1]);
    for (int i = 0; i < n; i++) {
        const double *xi = data->x + (size_t)i * (size_t)d;
        for (int j = 0; j < i; j++) {
            const double *xj = data->x + (size_t)j * (size_t)d;
            double q = signal * (s->alpha[i] * s->alpha[j] - s->a[i * n + j]), w = q * s->slope[i * n + j];
            for (int l = 0; l < d; l++) {
                double t = (xi[l] - xj[l]) * inverse[l];
                gradient[l] += w * t * t;
            }
            gradient[d] += q * s->k[i * n + j];
        }
        double q = s->alpha[i] * s->alpha[i] - s->a[i * n + i];
        gradient[d] += 0.5 * q * signal * (1 + JITTER);
        gradient[d + 1] += 0.5 * q * share * data->noise[i];
    }
}

/* The logarithm of the posterior density up to a constant of y, and where wanted its gradient [MAX_P]; -INFINITY where
 * the matrix is not positive definite. */
static double density(ascent_t *s, const double *p, double *gradient, bool with_gradient)
{
    int n = s->data->n, info = 0;
    double inverse[PR_GP_MAX_INPUTS], value = 0;
    memset(gradient, 0, MAX_P * sizeof *gradient);
    if (!factor(s, p, inverse))
        return -INFINITY;
    for (int i = 0; i < n; i++)
        value -= log(s->a[i * n + i]);
    memcpy(s->alpha, s->data->y, (size_t)n * sizeof *s->alpha);
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, n, s->a, n, s->alpha, 1);
    value += prior(s, p, gradient) - 0.5 * cblas_ddot(n, s->alpha, 1, s->alpha, 1);
    if (!with_gradient)
        return value;
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, n, s->a, n, s->alpha, 1);
    dpotri_("U", &n, s->a, &n, &info, 1);
    add_slopes(s, p, inverse, gradient);
    return info == 0 ? value : -INFINITY;
}

/* Keeps parameters where numbers are sane. */
static void bound(const ascent_t *s, double *p)
{
    int d = s->data->d;
    double typical = log(s->data->typical);
    for (int i = 0; i < d; i++)
        p[i] = fmin(fmax(p[i], typical - 5), typical + 4);
    p[d] = fmin(fmax(p[d], -7), 7);
    p[d + 1] = s->np > d + 1 ? fmin(fmax(p[d + 1], -9), 0) : 0;
}

/* ---- the ascent: BFGS with backtracking (Nocedal and Wright 2006, algorithm 6.1) ---- */

enum { STEPS = 30, HALVINGS = 12 };
/* A step that gains less is the last. */
static const double LEAST_GAIN = 1e-3;

typedef struct quasi {
    double h[MAX_P][MAX_P]; // inverse Hessian of the negative density
    bool first;
} quasi_t;

static void quasi_reset(quasi_t *q, const double *g, int np)
{
    double norm = 0;
    for (int i = 0; i < np; i++)
        norm += g[i] * g[i];
    for (int i = 0; i < np; i++)
        for (int j = 0; j < np; j++)
            q->h[i][j] = i == j ? fmin(1, 0.5 / sqrt(norm + 1e-300)) : 0;
    q->first = true;
}

/* After a step t, over which the negative gradient changed by y. false: the curvature is of no use. */
static bool quasi_update(quasi_t *q, const double *t, const double *y, int np)
{
    double yt = 0, yy = 0, yhy = 0, hy[MAX_P] = {0};
    for (int i = 0; i < np; i++) {
        yt += y[i] * t[i];
        yy += y[i] * y[i];
    }
    if (!(yt > 1e-10))
        return false;
    for (int i = 0; q->first && i < np; i++)
        q->h[i][i] = yt / yy; // (6.20)
    q->first = false;
    for (int i = 0; i < np; i++) {
        hy[i] = 0;
        for (int j = 0; j < np; j++)
            hy[i] += q->h[i][j] * y[j];
        yhy += hy[i] * y[i];
    }
    for (int i = 0; i < np; i++)
        for (int j = 0; j < np; j++)
            q->h[i][j] += (1 + yhy / yt) * t[i] * t[j] / yt - (hy[i] * t[j] + t[i] * hy[j]) / yt;
    return true;
}

/* Goes along dir as far as it gains enough; the new place, its gradient and density. */
static double go(ascent_t *s, const double *p, const double *dir, double slope, double value, double *to,
                 double *gradient)
{
    double longest = 0, found = -INFINITY;
    for (int i = 0; i < s->np; i++)
        longest = fmax(longest, fabs(dir[i]));
    double step = fmin(1, 1.5 / longest);
    for (int half = 0; half < HALVINGS; half++, step /= 3) {
        memcpy(to, p, MAX_P * sizeof *to);
        for (int i = 0; i < s->np; i++)
            to[i] += step * dir[i];
        bound(s, to);
        found = density(s, to, gradient, true);
        if (found > value + 1e-4 * step * slope)
            break;
    }
    return found;
}

static double ascend(ascent_t *s, double *p)
{
    double g[MAX_P], value = density(s, p, g, true);
    quasi_t q = {0};
    quasi_reset(&q, g, s->np);
    for (int i = 0; i < STEPS && isfinite(value); i++) {
        double dir[MAX_P] = {0}, t[MAX_P] = {0}, y[MAX_P] = {0}, to[MAX_P], gradient[MAX_P], slope = 0;
        for (int j = 0; j < s->np; j++) {
            for (int l = 0; l < s->np; l++)
                dir[j] += q.h[j][l] * g[l];
            slope += dir[j] * g[j];
        }
        if (!(slope > 1e-9))
            break;
        double found = go(s, p, dir, slope, value, to, gradient), gain = found - value;
        if (!(gain > 0))
            break;
        for (int j = 0; j < s->np; j++) {
            t[j] = to[j] - p[j];
            y[j] = g[j] - gradient[j];
        }
        memcpy(p, to, sizeof to);
        memcpy(g, gradient, sizeof g);
        value = found;
        if (!quasi_update(&q, t, y, s->np))
            quasi_reset(&q, g, s->np);
        if (gain < LEAST_GAIN)
            break;
    }
    return value;
}

void pr_gp_start(const pr_gp_data_t *data, pr_gp_theta_t *theta)
{
    static const double factors[] = {0.15, 0.3, 0.6, 1, 1.7, 3};
    int d = data->d, threads = one_thread();
    assert(data->n >= 1 && d >= 1 && d <= PR_GP_MAX_INPUTS && data->smoothness >= 0 && data->smoothness <= 2);
    ascent_t s = ascent_new(data);
    double p[MAX_P] = {0}, g[MAX_P];
    *theta = (pr_gp_theta_t){.density = -INFINITY};
    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++)
        for (int quiet = 0; quiet <= (s.np > d + 1); quiet++) {
            for (int i = 0; i < d; i++)
                p[i] = log(data->typical * factors[f]);
            p[d + 1] = quiet ? -4 : 0;
            double value = density(&s, p, g, false);
            if (value <= theta->density && f + (size_t)quiet > 0)
                continue;
            *theta = (pr_gp_theta_t){.signal = 1, .noise = exp(p[d + 1]), .density = value};
            for (int i = 0; i < d; i++)
                theta->length[i] = exp(p[i]);
        }
    ascent_free(&s);
    openblas_set_num_threads(threads);
}

void pr_gp_ascend(const pr_gp_data_t *data, pr_gp_theta_t *theta)
{
    int d = data->d, threads = one_thread();
    ascent_t s = ascent_new(data);
    double p[MAX_P] = {0};
    for (int i = 0; i < d; i++)
        p[i] = log(theta->length[i]);
    p[d] = log(theta->signal);
    p[d + 1] = log(theta->noise);
    theta->density = ascend(&s, p);
    for (int i = 0; i < d; i++)
        theta->length[i] = exp(p[i]);
    theta->signal = exp(p[d]);
    theta->noise = exp(p[d + 1]);
    ascent_free(&s);
    openblas_set_num_threads(threads);
}

/* ---- the process ---- */

struct pr_gp {
    int n, d, cap, smoothness;
    double inverse[PR_GP_MAX_INPUTS]; // of the lengths
    double signal, share;
    double *x;    // [cap,d]
    double *y;    // [cap]
    double *u;    // [cap,cap] column-major: the factor U of the covariance U'U
    double *beta; // [cap] U'^-1 y
};

/* The covariance of x with the first n observations. */
static void covariances(const pr_gp_t *g, int n, const double *x, double *out)
{
    for (int i = 0; i < n; i++)
        out[i] = g->signal *
                 pr_gp_kernel(g->smoothness, scaled_distance2(g->x + (size_t)i * (size_t)g->d, x, g->inverse, g->d));
}

pr_gp_t *pr_gp_new(const pr_gp_data_t *data, const pr_gp_theta_t *theta, int room)
{
    size_t cap = (size_t)data->n + (size_t)room, d = (size_t)data->d;
    pr_gp_t *g = pr_alloc(1, sizeof *g);
    *g = (pr_gp_t){.d = data->d, .cap = (int)cap, .smoothness = data->smoothness};
    g->signal = theta->signal;
    g->share = theta->noise;
    for (size_t i = 0; i < d; i++)
        g->inverse[i] = 1 / theta->length[i];
    g->x = pr_alloc(cap * d, sizeof *g->x);
    g->y = pr_alloc(cap, sizeof *g->y);
    g->u = pr_alloc(cap * cap, sizeof *g->u);
    g->beta = pr_alloc(cap, sizeof *g->beta);
    for (int i = 0; i < data->n; i++)
        pr_gp_add(g, data->x + (size_t)i * d, data->y[i], data->noise[i]);
    return g;
}

void pr_gp_free(pr_gp_t *g)
{
    if (!g)
        return;
    free(g->x);
    free(g->y);
    free(g->u);
    free(g->beta);
    free(g);
}

void pr_gp_add(pr_gp_t *g, const double *x, double y, double noise)
{
    assert(g->n < g->cap);
    int n = g->n, threads = one_thread();
    double *column = g->u + (size_t)n * (size_t)g->cap, told = g->share * noise;
    covariances(g, n, x, column);
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, n, g->u, g->cap, column, 1);
    double left = g->signal * (1 + JITTER) + told - cblas_ddot(n, column, 1, column, 1);
    column[n] = sqrt(fmax(left, g->signal * JITTER));
    g->beta[n] = (y - cblas_ddot(n, column, 1, g->beta, 1)) / column[n];
    memcpy(g->x + (size_t)n * (size_t)g->d, x, (size_t)g->d * sizeof *x);
    g->y[n] = y;
    g->n++;
    openblas_set_num_threads(threads);
}

void pr_gp_predict(const pr_gp_t *g, const double *x, int m, double *mean, double *variance)
{
    enum { CHUNK = 128 };
    int n = g->n, threads = one_thread();
    double *v = pr_alloc((size_t)n * CHUNK, sizeof *v);
    for (int first = 0; first < m; first += CHUNK) {
        int c = m - first < CHUNK ? m - first : CHUNK;
        for (int j = 0; j < c; j++)
            covariances(g, n, x + (size_t)(first + j) * (size_t)g->d, v + (size_t)j * (size_t)n);
        if (c == 1) // for which dtrsm would copy the matrix
            cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, n, g->u, g->cap, v, 1);
        else
            cblas_dtrsm(CblasColMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, n, c, 1, g->u, g->cap, v, n);
        for (int j = 0; j < c; j++) {
            const double *at = v + (size_t)j * (size_t)n;
            mean[first + j] = cblas_ddot(n, at, 1, g->beta, 1);
            variance[first + j] = fmax(g->signal - cblas_ddot(n, at, 1, at, 1), 1e-12 * g->signal);
        }
    }
    free(v);
    openblas_set_num_threads(threads);
}

void pr_gp_leave_one_out(const pr_gp_t *g, double *mean, double *variance)
{
    int n = g->n, info = 0, threads = one_thread();
    double *a = pr_alloc((size_t)n * (size_t)n, sizeof *a), *alpha = pr_alloc((size_t)n, sizeof *alpha);
    for (int j = 0; j < n; j++)
        memcpy(a + (size_t)j * (size_t)n, g->u + (size_t)j * (size_t)g->cap, (size_t)(j + 1) * sizeof *a);
    memcpy(alpha, g->beta, (size_t)n * sizeof *alpha);
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, n, a, n, alpha, 1);
    dpotri_("U", &n, a, &n, &info, 1);
    assert(info == 0);
    for (int i = 0; i < n; i++) { // Rasmussen and Williams 2006, (5.12)
        variance[i] = 1 / a[(size_t)i * (size_t)n + (size_t)i];
        mean[i] = g->y[i] - alpha[i] * variance[i];
    }
    free(a);
    free(alpha);
    openblas_set_num_threads(threads);
}
