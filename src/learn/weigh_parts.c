// SPDX-License-Identifier: BSD-3-Clause
#include "learn/weigh_internal.h"

#include <math.h>
#include <string.h>

pr_running_t pr_running_at(int k, double *state)
{
    return (pr_running_t){state, state + k};
}

void pr_running_update(pr_running_t r, const pr_weigh_in_t *in)
{
    double half_life = pr_option_real(in->options, "half_life");
    double share = half_life > 0 ? 1 - exp2(-1 / half_life) : 1;
    for (int i = 0; i < in->k; i++) {
        if (!isfinite(in->mean[i]))
            continue;
        if (r.seen[i] > 0)
            r.mean[i] += share * (in->mean[i] - r.mean[i]);
        else
            r.mean[i] = in->mean[i];
        r.seen[i] = 1;
    }
}

bool pr_running_knows(pr_running_t r, int k, const double *w)
{
    for (int i = 0; i < k; i++)
        if (!(r.seen[i] > 0) && (!w || w[i] > 0))
            return false;
    return true;
}

bool pr_all_finite(size_t n, const double *x)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

double pr_vector_sum(int k, const double *x)
{
    double sum = 0;
    for (int i = 0; i < k; i++)
        sum += x[i];
    return sum;
}

void pr_vector_fill(int k, double value, double *x)
{
    for (int i = 0; i < k; i++)
        x[i] = value;
}

void pr_weigh_settle(int k, const double *found, double *last, double *lambda)
{
    if (pr_all_finite((size_t)k, found))
        memcpy(last, found, (size_t)k * sizeof *last);
    memcpy(lambda, last, (size_t)k * sizeof *lambda);
}

void pr_weigh_begin_w(const pr_weigh_in_t *in, double *state)
{
    memcpy(state, in->w, (size_t)in->k * sizeof *state);
}

void pr_weigh_begin_equal(const pr_weigh_in_t *in, double *state)
{
    pr_vector_fill(in->k, 1.0 / in->k, state);
}

int pr_gram_of(int k, const double *gram, const double *w, int *at, double *small)
{
    int m = 0;
    for (int i = 0; i < k; i++)
        if (w[i] > 0)
            at[m++] = i;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            small[i * m + j] = gram[at[i] * k + at[j]];
    return m;
}

/* ---- over the simplex ---- */

enum { ROUNDS = 200, NEWTON_STEPS = 60, SYSTEM = PR_MAX_OBJECTIVES + 1 };
/* Derivatives that differ by less, relative to the largest, are the same. */
static const double SAME = 1e-13;

typedef struct pr_descent {
    int k;
    const double *g, *b; // b NULL: the norm alone, of which half the square is minimised
    double c, soft;
    double *v;
    double gv[PR_MAX_OBJECTIVES]; // g v
    double q;                     // v' g v
    double slope[PR_MAX_OBJECTIVES];
} pr_descent_t;

/* g v, v' g v and the derivatives at v. */
static void refresh(pr_descent_t *d)
{
    d->q = 0;
    for (int i = 0; i < d->k; i++) {
        d->gv[i] = 0;
        for (int j = 0; j < d->k; j++)
            d->gv[i] += d->g[i * d->k + j] * d->v[j];
        d->q += d->v[i] * d->gv[i];
    }
    d->q = fmax(d->q, 0);
    for (int i = 0; i < d->k; i++)
        d->slope[i] = d->b ? d->b[i] + d->c * d->gv[i] / sqrt(d->q + d->soft) : d->gv[i];
}

/* Goes along way [k], whose numbers sum to 0, to the lowest point on the simplex. False: nothing is lower. */
static bool go(pr_descent_t *d, const double *way)
{
    double linear = 0, across = 0, bend = 0, most = INFINITY;
    int k = d->k, end = -1;
    for (int i = 0; i < k; i++) {
        double gw = 0;
        for (int j = 0; j < k; j++)
            gw += d->g[i * k + j] * way[j];
        bend += way[i] * gw;
        across += way[i] * d->gv[i];
        linear += d->b ? way[i] * d->b[i] : 0;
        if (way[i] < 0 && d->v[i] / -way[i] < most) {
            most = d->v[i] / -way[i];
            end = i;
        }
    }
    if (end < 0 || !(most > 0))
        return false;
    double low = 0, high = most;
    for (int i = 0; i < 200; i++) { // the derivative at t rises with t: where it is 0
        double t = i == 0 ? most : low + (high - low) / 2, up = across + t * bend;
        if (i > 0 && (t <= low || t >= high))
            break;
        if (d->b)
            up = linear + d->c * up / sqrt(fmax(d->q + 2 * t * across + t * t * bend, 0) + d->soft);
        if (up > 0)
            high = t;
        else
            low = t;
        if (low == most)
            break;
    }
    if (!(low > 0))
        return false;
    for (int i = 0; i < k; i++)
        d->v[i] = fmax(d->v[i] + low * way[i], 0);
    if (low == most)
        d->v[end] = 0;
    double sum = pr_vector_sum(k, d->v);
    for (int i = 0; i < k; i++)
        d->v[i] /= sum;
    return true;
}

/* x of a x = y, rows of [n,n+1] with y last, by elimination with pivots; false where there is none. */
static bool eliminate(int n, double a[SYSTEM][SYSTEM + 1])
{
    for (int c = 0; c < n; c++) {
        int best = c;
        for (int r = c + 1; r < n; r++)
            if (fabs(a[r][c]) > fabs(a[best][c]))
                best = r;
        if (!(fabs(a[best][c]) > 0))
            return false;
        for (int j = 0; j <= n; j++) {
            double kept = a[c][j];
            a[c][j] = a[best][j];
            a[best][j] = kept;
        }
        for (int r = 0; r < n; r++) {
            double factor = r == c ? 0 : a[r][c] / a[c][c];
            for (int j = c; factor != 0 && j <= n; j++)
                a[r][j] -= factor * a[c][j];
        }
    }
    return true;
}

/* Newton's way among the coordinates that have mass, with the sum kept; nothing where they are fewer than two. A touch of the
 * unit matrix makes gradients that depend on each other share. */
static bool newton(const pr_descent_t *d, double *way)
{
    int at[PR_MAX_OBJECTIVES], m = 0, k = d->k;
    double a[SYSTEM][SYSTEM + 1], s = d->b ? sqrt(d->q + d->soft) : 1, size = 0;
    for (int i = 0; i < k; i++) {
        way[i] = 0;
        if (d->v[i] > 0)
            at[m++] = i;
    }
    if (m < 2)
        return false;
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) {
            double x = d->g[at[i] * k + at[j]];
            a[i][j] = d->b ? d->c * (x / s - d->gv[at[i]] * d->gv[at[j]] / (s * s * s)) : x;
        }
        size += fabs(a[i][i]) / m;
        a[i][m] = a[m][i] = 1;
        a[i][m + 1] = -d->slope[at[i]];
    }
    a[m][m] = a[m][m + 1] = 0;
    for (int i = 0; i < m; i++)
        a[i][i] += 1e-9 * size;
    if (!(size > 0) || !eliminate(m + 1, a))
        return false;
    double sum = 0;
    for (int i = 0; i < m; i++)
        sum += way[at[i]] = a[i][m + 1] / a[i][i];
    for (int i = 0; i < m; i++)
        way[at[i]] -= sum / m; // which rounding left over
    return pr_all_finite((size_t)k, way);
}

/* The lowest point among the coordinates that have mass, some of which may lose it. False: it is there. */
static bool settle_support(pr_descent_t *d)
{
    double way[PR_MAX_OBJECTIVES];
    bool moved = false;
    for (int n = 0; n < NEWTON_STEPS; n++) {
        refresh(d);
        if (!newton(d, way) || !go(d, way))
            break;
        moved = true;
    }
    refresh(d);
    return moved;
}

/* As P. Wolfe (1976), "Finding the nearest point in a polytope": the lowest point among some coordinates, then mass from
 * the one with the largest derivative to the one with the smallest of all, which comes in with it, and again. */
static void descend(pr_descent_t *d)
{
    pr_vector_fill(d->k, 1.0 / d->k, d->v);
    for (int n = 0; n < ROUNDS; n++) {
        double way[PR_MAX_OBJECTIVES] = {0}, scale = 0;
        bool moved = settle_support(d);
        int to = 0, from = -1;
        for (int i = 0; i < d->k; i++) {
            scale = fmax(scale, fabs(d->slope[i]));
            if (d->slope[i] < d->slope[to])
                to = i;
            if (d->v[i] > 0 && (from < 0 || d->slope[i] > d->slope[from]))
                from = i;
        }
        if (d->slope[from] - d->slope[to] <= SAME * scale)
            return;
        way[to] = 1;
        way[from] = -1;
        moved |= go(d, way);
        if (!moved)
            return;
    }
}

void pr_simplex_min_norm(int k, const double *g, double *v)
{
    pr_descent_t d = {.k = k, .g = g, .v = v};
    descend(&d);
}

void pr_simplex_averse(int k, const double *g, const double *b, double c, double soft, double *v)
{
    pr_descent_t d = {.k = k, .g = g, .b = b, .c = c, .soft = soft, .v = v};
    descend(&d);
}
