// SPDX-License-Identifier: BSD-3-Clause
/* What the default search believes of the objectives: of each a mixture of Gaussian processes over the weights. Objectives
 * of real experts are smooth, or flat with cliffs, or wide in one corner and narrow at a face, and few points do not say
 * which: so processes of three degrees of smoothness, over the weights and over their square roots, are weighed by their
 * posterior density. A stationary process is wrong where plateaus end: standard deviations are raised where points were
 * not what all others had said of them, and lowered where they were. */
#include "sweeps/search/search_auto.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Points whose densities choose hyperparameters, and points modelled: the work is cubic in both. */
enum { MOST_FITTED = 120, MOST_MODELLED = 256 };
/* What lengths are expected to be about, of a domain of side 1. */
static const double TYPICAL = 0.4;
/* Prior log odds of square roots against weights. */
static const double ODDS_WARPED = -3;
/* Kinds whose starts are less dense than the best's by this are not looked at, and ends are not kept. */
static const double START_BAND = 8, KEEP_BAND = 3;
/* Surprises: how far they are felt (of a length), how many typical ones are taken for granted, the power of their mean by
 * which variances are multiplied, and the largest. */
static const double FELT = 0.7, GRANTED = 0.1, POWER = 1.5, LARGEST = 25;

/* Of weights; other parameters stay as they are. */
static void warp_point(const pr_auto_model_t *m, int warp, const double *w, double *x)
{
    int weights = pr_auto_weights(m->s);
    for (int j = 0; j < m->d; j++)
        x[j] = warp == 0 || j >= weights ? w[j] : sqrt(w[j]);
}

static double typical(const pr_search_t *s)
{
    return TYPICAL * pr_auto_spread(pr_auto_size(s)) * (pr_search_is_cube(s->spec) ? M_SQRT2 : 1);
}

/* ---- the points ---- */

/* Adds to chosen those of the ids [n] that are farthest from all that is chosen, until there are `most`. */
static int add_farthest(const pr_replay_t *r, const size_t *id, int n, int have, int most, size_t *chosen)
{
    int d = r->d;
    double *near = pr_alloc((size_t)n, sizeof *near), *w = pr_alloc((size_t)(n * d), sizeof *w), c[PR_MAX_COORDINATES];
    for (int i = 0; i < n; i++) {
        near[i] = INFINITY;
        pr_pointset_weights(&r->points, id[i], w + i * d);
    }
    for (int done = 0; have <= most; done++) {
        int far = -1;
        bool seen = done < have;
        if (!seen) {
            for (int i = 0; i < n; i++)
                if (near[i] > 0 && (far < 0 || near[i] > near[far]))
                    far = i;
            if (far < 0 || have == most)
                break;
            chosen[have++] = id[far];
        }
        pr_pointset_weights(&r->points, chosen[done], c);
        for (int i = 0; i < n; i++) {
            near[i] = fmin(near[i], pr_auto_distance2(w + i * d, c, d));
        }
    }
    free(near);
    free(w);
    return have;
}

static int by_id(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* The ids of the points to model: all, or up to half of them from the front and the rest from all over the domain. */
static int choose_points(const pr_replay_t *r, size_t **out)
{
    int n = 0;
    size_t *id = pr_alloc(r->points.n, sizeof *id);
    for (size_t i = 0; i < r->points.n; i++)
        if (r->ok[i])
            id[n++] = i;
    *out = id;
    if (n <= MOST_MODELLED)
        return n;
    size_t *chosen = pr_alloc(MOST_MODELLED, sizeof *chosen), *front = NULL;
    double *values = NULL;
    int have = 0, n_front = (int)pr_replay_front(r, &front, &values);
    if (n_front <= MOST_MODELLED / 2) {
        memcpy(chosen, front, (size_t)n_front * sizeof *chosen);
        have = n_front;
    } else {
        have = add_farthest(r, front, n_front, 0, MOST_MODELLED / 2, chosen);
    }
    free(values);
    free(front);
    have = add_farthest(r, id, n, have, MOST_MODELLED, chosen);
    qsort(chosen, (size_t)have, sizeof *chosen, by_id);
    free(id);
    *out = chosen;
    return have;
}

/* ---- the mixtures ---- */

/* What one objective's processes are made from. */
typedef struct column {
    double *z, *noise; // [n] standardised
    int n_fit;         // points that choose hyperparameters
    double *fit_z, *fit_noise, *fit_x[PR_AUTO_WARPS];
} column_t;

/* Every so many-th of the first points, at most MOST_FITTED. [n_fit] */
static int *spread(int n, int *n_fit)
{
    int count = n < MOST_FITTED ? n : MOST_FITTED;
    int *at = pr_alloc((size_t)count, sizeof *at);
    for (int i = 0; i < count; i++)
        at[i] = (int)((int64_t)i * n / count);
    *n_fit = count;
    return at;
}

static void standardise(pr_auto_model_t *m, const pr_replay_t *r, int j, column_t *c)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < m->n; i++) {
        size_t at = m->id[i] * (size_t)m->k + (size_t)j;
        c->z[i] = r->mean[at];
        c->noise[i] = r->se[at];
        sum += c->z[i];
    }
    m->centre[j] = sum / m->n;
    for (int i = 0; i < m->n; i++)
        squares += (c->z[i] - m->centre[j]) * (c->z[i] - m->centre[j]);
    m->scale[j] = sqrt(squares / m->n);
    if (!(m->scale[j] > 1e-12 * fabs(m->centre[j])))
        m->scale[j] = fmax(fabs(m->centre[j]), 1) * 1e-9; // a constant
    for (int i = 0; i < m->n; i++) {
        c->z[i] = (c->z[i] - m->centre[j]) / m->scale[j];
        c->noise[i] = c->noise[i] / m->scale[j] * (c->noise[i] / m->scale[j]);
        m->noisy = m->noisy || c->noise[i] > 0;
    }
}

typedef struct kind {
    int warp, smoothness;
    pr_gp_theta_t theta;
    double score;
} kind_t;

static pr_gp_data_t fit_data(const pr_auto_model_t *m, const column_t *c, const kind_t *kind)
{
    return (pr_gp_data_t){c->n_fit,         m->d,         c->fit_x[kind->warp], c->fit_z, c->fit_noise,
                          kind->smoothness, typical(m->s)};
}

static int by_score(const void *a, const void *b)
{
    const kind_t *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    int p = 3 * x->warp - x->smoothness, q = 3 * y->warp - y->smoothness;
    return (p > q) - (p < q);
}

/* The kinds that are not much worse than the best, the best first; how many. */
static int fit_kinds(const pr_auto_model_t *m, const column_t *c, kind_t kind[PR_AUTO_KINDS])
{
    int n = 0, kept = 0;
    for (int warp = 0; warp < PR_AUTO_WARPS; warp++)
        for (int smoothness = 2; smoothness >= 0; smoothness--) {
            kind_t *t = &kind[n++];
            *t = (kind_t){.warp = warp, .smoothness = smoothness};
            pr_gp_data_t data = fit_data(m, c, t);
            pr_gp_start(&data, &t->theta);
            t->score = t->theta.density + (warp ? ODDS_WARPED : 0);
        }
    qsort(kind, PR_AUTO_KINDS, sizeof *kind, by_score);
    while (kept < n && kind[kept].score >= kind[0].score - START_BAND)
        kept++;
    n = kept;
    for (int i = 0; i < n && !pr_replay_stops(m->r); i++) {
        pr_gp_data_t data = fit_data(m, c, &kind[i]);
        pr_gp_ascend(&data, &kind[i].theta);
        kind[i].score = kind[i].theta.density + (kind[i].warp ? ODDS_WARPED : 0);
    }
    qsort(kind, (size_t)n, sizeof *kind, by_score);
    for (kept = 1; kept < n && kind[kept].score >= kind[0].score - KEEP_BAND;)
        kept++;
    return kept;
}

/* How much each point differs from what the mixture says of it from all others. */
static void find_surprises(pr_auto_model_t *m, int j, const double *z)
{
    size_t n = (size_t)m->n;
    double *mean = pr_alloc(4 * n, sizeof *mean), *var = mean + n, *part_mean = mean + 2 * n, *part_var = mean + 3 * n;
    memset(mean, 0, 2 * n * sizeof *mean);
    for (int c = 0; c < m->n_parts[j] && !pr_replay_stops(m->r); c++) {
        const pr_auto_part_t *part = &m->part[j][c];
        pr_gp_leave_one_out(part->gp, part_mean, part_var);
        for (size_t i = 0; i < n; i++) {
            mean[i] += part->weight * part_mean[i];
            var[i] += part->weight * (part_var[i] + part_mean[i] * part_mean[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        double residual = z[i] - mean[i];
        m->surprise[j][i] = fmin(residual * residual / fmax(var[i] - mean[i] * mean[i], 1e-12), LARGEST);
    }
    free(mean);
}

static void mix_processes(pr_auto_model_t *m, int j, const column_t *c, int room)
{
    kind_t kind[PR_AUTO_KINDS];
    double total = 0;
    m->n_parts[j] = fit_kinds(m, c, kind);
    for (int i = 0; i < m->n_parts[j]; i++)
        total += exp(kind[i].score - kind[0].score);
    for (int i = 0; i < m->n_parts[j]; i++) {
        pr_gp_data_t data = {m->n, m->d, m->x[kind[i].warp], c->z, c->noise, kind[i].smoothness, typical(m->s)};
        double weight = exp(kind[i].score - kind[0].score) / total;
        m->part[j][i] = (pr_auto_part_t){pr_gp_new(&data, &kind[i].theta, room), weight, kind[i].warp};
        m->rough += kind[i].smoothness == 0 ? weight / m->k : 0;
    }
    m->reach[j] = pr_alloc((size_t)m->d, sizeof *m->reach[j]);
    for (int q = 0; q < m->d; q++)
        m->reach[j][q] = 1 / (FELT * kind[0].theta.length[q]);
    m->surprise[j] = pr_alloc((size_t)m->n, sizeof *m->surprise[j]);
    find_surprises(m, j, c->z);
}

static void model_objective(pr_auto_model_t *m, const pr_replay_t *r, int j, const int *at, int n_fit, int room)
{
    size_t n = (size_t)m->n, d = (size_t)m->d, f = (size_t)n_fit;
    column_t c = {.n_fit = n_fit};
    c.z = pr_alloc(2 * n, sizeof *c.z);
    c.noise = c.z + n;
    c.fit_z = pr_alloc(2 * f, sizeof *c.fit_z);
    c.fit_noise = c.fit_z + f;
    standardise(m, r, j, &c);
    for (int v = 0; v < PR_AUTO_WARPS; v++) {
        c.fit_x[v] = pr_alloc(f * d, sizeof *c.fit_x[v]);
        for (size_t i = 0; i < f; i++)
            memcpy(c.fit_x[v] + i * d, m->x[v] + (size_t)at[i] * d, d * sizeof *c.fit_x[v]);
    }
    for (size_t i = 0; i < f; i++) {
        c.fit_z[i] = c.z[at[i]];
        c.fit_noise[i] = c.noise[at[i]];
    }
    mix_processes(m, j, &c, room);
    for (int v = 0; v < PR_AUTO_WARPS; v++)
        free(c.fit_x[v]);
    free(c.fit_z);
    free(c.z);
}

void pr_auto_model_init(pr_auto_model_t *m, const pr_replay_t *r, size_t n_fit, int room)
{
    int k = r->k, d = r->d, early = 0, n_fitted = 0;
    *m = (pr_auto_model_t){.r = r, .s = r->s, .k = k, .d = d};
    m->n = choose_points(r, &m->id);
    size_t nd = (size_t)m->n * (size_t)d;
    m->w = pr_alloc(nd, sizeof *m->w);
    for (int i = 0; i < m->n; i++) {
        pr_pointset_weights(&r->points, m->id[i], m->w + i * d);
        early += m->id[i] < n_fit;
    }
    for (int v = 0; v < PR_AUTO_WARPS; v++) {
        m->x[v] = pr_alloc(nd, sizeof *m->x[v]);
        for (int i = 0; i < m->n; i++)
            warp_point(m, v, m->w + i * d, m->x[v] + i * d);
    }
    int *at = spread(early > 0 ? early : m->n, &n_fitted);
    for (int j = 0; j < k && !pr_replay_stops(r); j++)
        model_objective(m, r, j, at, n_fitted, room);
    free(at);
}

void pr_auto_model_clear(pr_auto_model_t *m)
{
    for (int j = 0; j < m->k; j++) {
        for (int c = 0; c < m->n_parts[j]; c++)
            pr_gp_free(m->part[j][c].gp);
        free(m->reach[j]);
        free(m->surprise[j]);
    }
    for (int v = 0; v < PR_AUTO_WARPS; v++)
        free(m->x[v]);
    free(m->w);
    free(m->id);
}

/* ---- prediction ---- */

/* By what the variance of objective j is multiplied at x [k], in the first part's inputs. */
static double surprise_at(const pr_auto_model_t *m, int j, const double *x)
{
    const double *seen = m->x[m->part[j][0].warp];
    double sum = GRANTED, weight = GRANTED;
    for (int i = 0; i < m->n; i++) {
        double d2 = 0;
        for (int q = 0; q < m->d; q++) {
            double t = (x[q] - seen[i * m->d + q]) * m->reach[j][q];
            d2 += t * t;
        }
        double near = exp(-0.5 * d2);
        sum += near * m->surprise[j][i];
        weight += near;
    }
    return pow(sum / weight, POWER);
}

/* One objective: x [n,d] and part_mean, part_var [n] are room. */
static void predict_objective(const pr_auto_model_t *m, int j, const double *w, int n, double *x, double *part_mean,
                              double *part_var, double *mean, double *var)
{
    for (int i = 0; i < n; i++)
        mean[i] = var[i] = 0;
    for (int c = m->n_parts[j] - 1; c >= 0; c--) { // the first last: its inputs are needed after
        const pr_auto_part_t *part = &m->part[j][c];
        for (int i = 0; i < n; i++)
            warp_point(m, part->warp, w + i * m->d, x + i * m->d);
        pr_gp_predict(part->gp, x, n, part_mean, part_var);
        for (int i = 0; i < n; i++) {
            mean[i] += part->weight * part_mean[i];
            var[i] += part->weight * (part_var[i] + part_mean[i] * part_mean[i]);
        }
    }
    for (int i = 0; i < n; i++)
        var[i] = fmax(var[i] - mean[i] * mean[i], 1e-12) * surprise_at(m, j, x + i * m->d);
}

void pr_auto_predict(const pr_auto_model_t *m, const double *w, int n, double *mean, double *sd)
{
    size_t d = (size_t)m->d, count = (size_t)n;
    double *room = pr_alloc(count * (d + 4), sizeof *room);
    double *mu = room + count * d, *var = mu + count, *part_mean = var + count, *part_var = part_mean + count;
    for (int j = 0; j < m->k && !pr_replay_stops(m->r); j++) {
        predict_objective(m, j, w, n, room, part_mean, part_var, mu, var);
        for (int i = 0; i < n; i++) {
            mean[i * m->k + j] = m->centre[j] + m->scale[j] * mu[i];
            sd[i * m->k + j] = m->scale[j] * sqrt(var[i]);
        }
    }
    free(room);
}

void pr_auto_believe(pr_auto_model_t *m, const double *w)
{
    double x[PR_MAX_COORDINATES], mean, var;
    for (int j = 0; j < m->k && !pr_replay_stops(m->r); j++)
        for (int c = 0; c < m->n_parts[j]; c++) {
            warp_point(m, m->part[j][c].warp, w, x);
            pr_gp_predict(m->part[j][c].gp, x, 1, &mean, &var);
            pr_gp_add(m->part[j][c].gp, x, mean, 0);
        }
}
