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

enum { PAIRS = 20000 };
/* A pair whose derivatives differ by less, relative to the largest term, is at its best. */
static const double SAME = 1e-14;

typedef struct pr_descent {
    int k;
    const double *g, *b; // b NULL: the norm alone, of which the square is minimised
    double c, soft;
    double *v;
    double gv[PR_MAX_OBJECTIVES]; // g v
    double q;                     // v' g v
} pr_descent_t;

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
}

static double derivative(const pr_descent_t *d, int i)
{
    return d->b ? d->b[i] + d->c * d->gv[i] / sqrt(d->q + d->soft) : d->gv[i];
}

/* How much mass goes from `from` to `to`: where the derivative along e_to - e_from is 0, at most what there is. */
static double best_step(const pr_descent_t *d, int to, int from)
{
    const double *g = d->g;
    int k = d->k;
    double across = d->gv[to] - d->gv[from], most = d->v[from];
    double bend = fmax(g[to * k + to] - 2 * g[to * k + from] + g[from * k + from], 0);
    if (!d->b)
        return across + most * bend <= 0 ? most : fmin(-across / bend, most);
    double slope = d->b[to] - d->b[from], low = 0, high = most;
    for (int i = 0; i < 100 && low < high; i++) {
        double t = i ? low + (high - low) / 2 : most;
        double q = fmax(d->q + 2 * t * across + t * t * bend, 0) + d->soft;
        if (slope + d->c * (across + t * bend) / sqrt(q) <= 0) {
            if (i == 0)
                return most;
            if (low == t)
                break;
            low = t;
        } else {
            if (i && high == t)
                break;
            high = t;
        }
    }
    return low;
}

static void descend(pr_descent_t *d)
{
    pr_vector_fill(d->k, 1.0 / d->k, d->v);
    for (int n = 0; n < PAIRS; n++) {
        refresh(d);
        int to = 0, from = -1;
        double scale = 0;
        for (int i = 0; i < d->k; i++) {
            double x = derivative(d, i);
            scale = fmax(scale, fabs(x));
            if (x < derivative(d, to))
                to = i;
            if (d->v[i] > 0 && (from < 0 || x > derivative(d, from)))
                from = i;
        }
        if (derivative(d, from) - derivative(d, to) <= SAME * scale)
            return;
        double t = best_step(d, to, from);
        if (!(t > 0))
            return;
        d->v[to] += t;
        d->v[from] = t < d->v[from] ? d->v[from] - t : 0;
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
