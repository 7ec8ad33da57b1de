// SPDX-License-Identifier: BSD-3-Clause
#include "policy/spherical.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- vectors as sums of the x_k ---- */

static double inner(const pr_sphere_t *s, const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < s->n; j++)
            sum += a[i] * s->gram[i * s->n + j] * b[j];
    return sum;
}

double pr_sphere_length(const pr_sphere_t *s, const double *c)
{
    return sqrt(fmax(inner(s, c, c), 0));
}

static double length_of(const pr_sphere_t *s, int k)
{
    return sqrt(fmax(s->gram[k * s->n + k], 0));
}

/* c becomes of length 1; false where it is as good as 0, its parts being of length `whole` together. */
static bool normalise(const pr_sphere_t *s, double whole, double *c)
{
    double length = pr_sphere_length(s, c);
    if (!(length > 1e-8 * whole))
        return false;
    for (int k = 0; k < s->n; k++)
        c[k] /= length;
    return true;
}

/* The weighted sum of the directions, of length 1. */
static bool mean_direction(const pr_sphere_t *s, double *c)
{
    double whole = 0;
    for (int k = 0; k < s->n; k++) {
        double length = length_of(s, k);
        c[k] = length > 0 ? s->w[k] / length : 0;
        whole += length > 0 ? s->w[k] : 0;
    }
    return normalise(s, whole, c);
}

/* t = sum w_k of the tangent at u that leads to direction k; logarithm: as long as the arc, else as its sine. */
static void mean_tangent(const pr_sphere_t *s, const double *u, bool logarithm, double tol, double *t)
{
    double *x = pr_alloc((size_t)s->n, sizeof *x);
    memset(t, 0, (size_t)s->n * sizeof *t);
    for (int k = 0; k < s->n; k++) {
        double length = length_of(s, k);
        if (!(length > 0))
            continue;
        memset(x, 0, (size_t)s->n * sizeof *x);
        x[k] = 1 / length;
        double cosine = fmin(fmax(inner(s, x, u), -1), 1), angle = acos(cosine);
        if (logarithm && angle < tol)
            continue;
        double scale = s->w[k] * (logarithm ? angle / sin(angle) : 1);
        for (int i = 0; i < s->n; i++)
            t[i] += scale * (x[i] - cosine * u[i]);
    }
    free(x);
}

/* u moves along t, as far as t is long; returns that. */
static double follow(const pr_sphere_t *s, const double *t, double *u)
{
    double length = pr_sphere_length(s, t), along = length > 0 ? sin(length) / length : 0;
    for (int i = 0; i < s->n; i++)
        u[i] = cos(length) * u[i] + along * t[i];
    return length;
}

bool pr_sphere_step(const pr_sphere_t *s, double *c)
{
    double *t = pr_alloc((size_t)s->n, sizeof *t);
    bool found = mean_direction(s, c);
    if (found) {
        mean_tangent(s, c, false, 0, t);
        follow(s, t, c);
    }
    free(t);
    return found;
}

bool pr_sphere_karcher(const pr_sphere_t *s, int most, double tol, double *c)
{
    double *t = pr_alloc((size_t)s->n, sizeof *t);
    bool found = mean_direction(s, c);
    for (int i = 0; i < most && found; i++) {
        mean_tangent(s, c, true, tol, t);
        if (pr_sphere_length(s, t) < tol)
            break;
        follow(s, t, c);
        found = normalise(s, 1, c);
    }
    free(t);
    return found;
}

/* ---- maps ---- */

bool pr_spherical_of_weights(const json_t *options)
{
    return strcmp(pr_option_string(options, "space"), "weights") == 0;
}

pr_mix_kind_t pr_spherical_kind(const json_t *options)
{
    return pr_spherical_of_weights(options) ? PR_MIX_DENSE : PR_MIX_ADAPTER;
}

static pr_status_t cancel(const pr_mix_map_t *m, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_NUMERIC, "tensor '%s': the parts' directions cancel, so that there is none between them",
                   m->name);
}

static pr_status_t coefficients(pr_sphere_fn fn, const json_t *options, const pr_mix_map_t *m, const double *gram,
                                double *c, pr_error_t *err)
{
    double *w = pr_alloc((size_t)m->n, sizeof *w);
    for (int k = 0; k < m->n; k++)
        w[k] = m->part[k].w;
    pr_sphere_t s = {.n = m->n, .gram = gram, .w = w};
    bool found = fn(options, &s, c);
    free(w);
    return found ? PR_OK : cancel(m, err);
}

pr_status_t pr_spherical_factors(pr_sphere_fn fn, const json_t *options, const pr_mix_map_t *m, pr_mix_factors_t *out,
                                 pr_error_t *err)
{
    double *gram = pr_alloc((size_t)m->n * (size_t)m->n, sizeof *gram), *c = pr_alloc((size_t)m->n, sizeof *c);
    bool any = false;
    pr_mix_inner(m, gram);
    for (int k = 0; k < m->n; k++)
        any = any || gram[k * m->n + k] > 0;
    pr_status_t status = any ? coefficients(fn, options, m, gram, c, err) : PR_OK;
    if (status == PR_OK)
        status = pr_mix_sum_factors(m, c, out, err);
    free(gram);
    free(c);
    return status;
}

/* gram += inner products of w [rows,cols] with itself, and with each part's change (of [n]). */
static double add_weights(const pr_mix_map_t *m, const float *w, float *tile, double *of)
{
    size_t cols = (size_t)m->cols;
    double square = 0;
    assert(tile);
    for (int row = 0, n; row < m->rows; row += n) {
        n = pr_mix_tile_rows(m, row);
        pr_mix_tiles(m, row, n, tile);
        const float *x = w + (size_t)row * cols;
        for (size_t i = 0; i < (size_t)n * cols; i++)
            square += (double)x[i] * (double)x[i];
        for (int k = 0; k < m->n; k++) {
            const float *y = tile + (size_t)k * PR_MIX_TILE * cols;
            for (size_t i = 0; i < (size_t)n * cols; i++)
                of[k] += (double)x[i] * (double)y[i];
        }
    }
    return square;
}

/* w becomes sum c_k (w + change k). */
static void combine(const pr_mix_map_t *m, const double *c, float *tile, float *w)
{
    size_t cols = (size_t)m->cols;
    double all = 0;
    for (int k = 0; k < m->n; k++)
        all += c[k];
    for (int row = 0, n; row < m->rows; row += n) {
        n = pr_mix_tile_rows(m, row);
        pr_mix_tiles(m, row, n, tile);
        float *x = w + (size_t)row * cols;
        for (size_t i = 0; i < (size_t)n * cols; i++) {
            double sum = all * (double)x[i];
            for (int k = 0; k < m->n; k++)
                sum += c[k] * (double)tile[(size_t)k * PR_MIX_TILE * cols + i];
            x[i] = (float)sum;
        }
    }
}

pr_status_t pr_spherical_change(pr_sphere_fn fn, const json_t *options, const pr_mix_map_t *m, float *w,
                                pr_error_t *err)
{
    double *gram = pr_alloc((size_t)m->n * (size_t)m->n, sizeof *gram), *c = pr_alloc((size_t)m->n, sizeof *c),
           *of = pr_alloc((size_t)m->n, sizeof *of);
    float *tile = pr_mix_tiles_new(m);
    pr_status_t status = tile ? PR_OK : pr_mix_no_memory(m, err);
    if (status == PR_OK) {
        double square = add_weights(m, w, tile, of);
        pr_mix_inner(m, gram);
        for (int a = 0; a < m->n; a++)
            for (int b = 0; b < m->n; b++)
                gram[a * m->n + b] += square + of[a] + of[b];
        status = coefficients(fn, options, m, gram, c, err);
    }
    if (status == PR_OK)
        combine(m, c, tile, w);
    free(gram);
    free(c);
    free(of);
    free(tile);
    return status;
}
