// SPDX-License-Identifier: BSD-3-Clause
/* How much hypervolume a vector would add to the front found so far. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"
#include "pareto/hypervolume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fronts and dimensions up to which the exact gain is affordable for every cell. */
enum { EXACT_POINTS = 1000, EXACT_K = 4 };

double pr_replay_reference(const pr_replay_t *r, int j)
{
    if (r->s->reference && isfinite(r->s->reference[j]))
        return r->s->reference[j];
    if (r->s->lo && isfinite(r->s->lo[j]))
        return r->s->lo[j];
    double least = INFINITY;
    for (size_t i = 0; i < r->points.n; i++)
        if (r->ok[i])
            least = fmin(least, r->mean[i * (size_t)r->k + (size_t)j]);
    return isfinite(least) ? least : 0;
}

void pr_gain_init(pr_gain_t *g, const pr_replay_t *r)
{
    *g = (pr_gain_t){.k = r->k};
    size_t *ids = NULL;
    g->n = pr_replay_front(r, &ids, &g->front);
    free(ids);
    for (int j = 0; j < r->k; j++)
        g->reference[j] = pr_replay_reference(r, j);
    g->tree = pr_domtree_new(g->front, g->n, r->k);
    g->scratch = pr_alloc((g->n + (size_t)r->k) * (size_t)r->k, sizeof g->scratch[0]);
}

void pr_gain_free(pr_gain_t *g)
{
    pr_domtree_free(g->tree);
    free(g->front);
    free(g->scratch);
    *g = (pr_gain_t){0};
}

double pr_gain_box(const pr_gain_t *g, const double *u)
{
    double volume = 1;
    for (int j = 0; j < g->k; j++)
        volume *= fmax(u[j] - g->reference[j], 0);
    return volume;
}

/* Whether one of the vectors own [m,k] is at least v. */
static bool held(const double *own, int m, const double *v, int k)
{
    for (int i = 0; i < m; i++) {
        bool least = true;
        for (int j = 0; least && j < k; j++)
            least = own[i * k + j] >= v[j];
        if (least)
            return true;
    }
    return false;
}

/* The exact gain: the box of u less what the front, cut to that box, already holds of it. Most of the front, once cut,
 * is held by the cell's own vertices, and left out. */
static double exact(const pr_gain_t *g, const double *u, const double *own, int m, double box)
{
    int k = g->k;
    size_t n = (size_t)m;
    memcpy(g->scratch, own, (size_t)m * (size_t)k * sizeof own[0]);
    for (size_t i = 0; i < g->n; i++) {
        double *cut = &g->scratch[n * (size_t)k];
        for (int j = 0; j < k; j++) {
            double x = g->front[i * (size_t)k + (size_t)j];
            cut[j] = x < u[j] ? x : u[j];
        }
        n += !held(own, m, cut, k);
    }
    return fmax(box - pr_hypervolume(g->scratch, n, k, g->reference), 0);
}

/* A bound: the box of u less what the one best point of the front holds of it. */
static double bound(const pr_gain_t *g, const double *u, double box)
{
    double most = 0;
    for (size_t i = 0; i < g->n; i++) {
        double volume = 1;
        for (int j = 0; j < g->k && volume > 0; j++)
            volume *= fmax(fmin(u[j], g->front[i * (size_t)g->k + (size_t)j]) - g->reference[j], 0);
        most = fmax(most, volume);
    }
    return fmax(box - most, 0);
}

double pr_gain_of(const pr_gain_t *g, const double *u, const double *own, int m)
{
    if (pr_domtree_covered(g->tree, u))
        return 0;
    double box = pr_gain_box(g, u);
    if (g->n > EXACT_POINTS)
        return box;
    return g->k <= EXACT_K ? exact(g, u, own, m, box) : bound(g, u, box);
}
