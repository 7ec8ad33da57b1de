// SPDX-License-Identifier: BSD-3-Clause
#include "route/route.h"
#include "base/mem.h"
#include "route/components.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 5 };

void pr_route_free(pr_route_t **r)
{
    if (!*r)
        return;
    free((*r)->weight);
    free((*r)->mean);
    free((*r)->level);
    free((*r)->theta);
    json_decref((*r)->about);
    free(*r);
    *r = NULL;
}

/* ---- the fit ---- */

/* Prompts that take part: those of all folds but one; fold < 0: all. */
static bool takes_part(int i, int fold)
{
    return fold < 0 || i % FOLDS != fold;
}

/* Means over the prompts that take part. Returns how many those are. */
static int take_means(const pr_route_data_t *data, int fold, pr_route_t *r)
{
    int n = 0, each = r->points * r->k;
    for (int i = 0; i < data->n; i++)
        n += takes_part(i, fold);
    for (int i = 0; i < data->n; i++) {
        if (!takes_part(i, fold))
            continue;
        for (int j = 0; j < r->d; j++)
            r->mean[j] += data->feature[(ptrdiff_t)i * r->d + j] / n;
        for (int j = 0; j < each; j++)
            r->level[j] += data->score[(ptrdiff_t)i * each + j] / n;
    }
    return n;
}

/* theta [points,k,d] becomes the right sides, sum (r - level)(f - mean); x [n,d] the centred features. */
static void right_sides(const pr_route_data_t *data, int fold, pr_route_t *r, double *x)
{
    int each = r->points * r->k, at = 0;
    for (int i = 0; i < data->n; i++) {
        if (!takes_part(i, fold))
            continue;
        double *row = x + (ptrdiff_t)at++ * r->d;
        for (int j = 0; j < r->d; j++)
            row[j] = data->feature[(ptrdiff_t)i * r->d + j] - r->mean[j];
        for (int y = 0; y < each; y++) {
            double off = data->score[(ptrdiff_t)i * each + y] - r->level[y];
            for (int j = 0; j < r->d && off != 0; j++)
                r->theta[(ptrdiff_t)y * r->d + j] += off * row[j];
        }
    }
}

pr_route_t *pr_route_new(int k, int points, int d)
{
    pr_route_t *r = pr_alloc(1, sizeof *r);
    *r = (pr_route_t){.k = k, .points = points, .d = d};
    size_t each = (size_t)points * (size_t)k;
    r->weight = pr_alloc(each, sizeof(double));
    r->mean = pr_alloc((size_t)d, sizeof(double));
    r->level = pr_alloc(each, sizeof(double));
    r->theta = pr_alloc(each * (size_t)d, sizeof(double));
    return r;
}

/* b [m,p], of right sides, becomes their solution with z'z, z [n,p], and the ridge. */
static pr_status_t solve(const pr_team_t *team, int n, int p, const double *z, double ridge, int m, double *b,
                         pr_error_t *err)
{
    const pr_dense_t *dense = team->dense;
    pr_spd_t *g = NULL;
    pr_status_t status = dense->create(dense, p, &g, err);
    if (status != PR_OK)
        return status;
    PR_GO(dense->add(dense, g, 0, team->row == 0 ? n : 0, z, err)); // the rows of a team have all of them
    double trace = dense->trace(dense, g);
    if (!(trace > 0)) { // prompts that are all alike: nothing tells them apart
        memset(b, 0, (size_t)m * (size_t)p * sizeof *b);
        goto done;
    }
    dense->add_diagonal(dense, g, ridge * trace / p);
    PR_GO(dense->factor(dense, g, NULL, err));
    PR_GO(dense->solve(dense, g, m, b, err));
done:
    dense->destroy(dense, &g);
    return status;
}

/* In the leading components: theta = (theta v') solved, times v. */
static pr_status_t solve_components(const pr_team_t *team, int n, int p, const double *x, double ridge, pr_route_t *r,
                                    pr_error_t *err)
{
    int m = r->points * r->k, d = r->d;
    double *v = pr_alloc((size_t)p * (size_t)d, sizeof *v), *z = pr_alloc((size_t)n * (size_t)p, sizeof *z),
           *b = pr_alloc((size_t)m * (size_t)p, sizeof *b);
    pr_status_t status = pr_components(n, d, x, p, v, err);
    PR_GO(team->agree(team, status, err));
    pr_components_of(n, d, x, p, v, z);
    pr_components_of(m, d, r->theta, p, v, b);
    PR_GO(solve(team, n, p, z, ridge, m, b, err));
    for (int i = 0; i < m; i++)
        for (int j = 0; j < d; j++) {
            double sum = 0;
            for (int l = 0; l < p; l++)
                sum += b[(ptrdiff_t)i * p + l] * v[(ptrdiff_t)l * d + j];
            r->theta[(ptrdiff_t)i * d + j] = sum;
        }
done:
    free(v);
    free(z);
    free(b);
    return status;
}

static pr_status_t fit(const pr_team_t *team, const pr_route_data_t *data, int fold, pr_route_t **out, pr_error_t *err)
{
    pr_route_t *r = pr_route_new(data->k, data->points, data->d);
    memcpy(r->weight, data->weight, (size_t)r->points * (size_t)r->k * sizeof *r->weight);
    int n = take_means(data, fold, r), p = data->components;
    double *x = pr_alloc((size_t)n * (size_t)r->d, sizeof *x);
    right_sides(data, fold, r, x);
    pr_status_t status = p > 0 && p < r->d && p < n
                             ? solve_components(team, n, p, x, data->ridge, r, err)
                             : solve(team, n, r->d, x, data->ridge, r->points * r->k, r->theta, err);
    free(x);
    if (status == PR_OK)
        *out = r;
    else
        pr_route_free(&r);
    return status;
}

pr_status_t pr_route_fit(const pr_team_t *team, const pr_route_data_t *data, pr_route_t **out, pr_error_t *err)
{
    return fit(team, data, -1, out, err);
}

int pr_route_choose(const pr_route_t *r, const double *w, const double *f)
{
    int best = 0;
    double most = -INFINITY;
    for (int a = 0; a < r->points; a++) {
        double value = 0;
        for (int k = 0; k < r->k; k++) {
            const double *theta = r->theta + ((ptrdiff_t)a * r->k + k) * r->d;
            double score = r->level[a * r->k + k];
            for (int j = 0; j < r->d && w[k] != 0; j++)
                score += theta[j] * (f[j] - r->mean[j]);
            value += w[k] * score;
        }
        if (value > most) {
            most = value;
            best = a;
        }
    }
    return best;
}

/* ---- what there is to gain ---- */

static double utility(const pr_route_data_t *d, const double *w, const double *score)
{
    double sum = 0;
    for (int k = 0; k < d->k; k++)
        sum += w[k] * score[k];
    return sum;
}

/* The best point by its mean scores. */
static int best_level(const pr_route_data_t *d, const double *w, const double *level)
{
    int best = 0;
    for (int a = 1; a < d->points; a++)
        if (utility(d, w, level + a * d->k) > utility(d, w, level + best * d->k))
            best = a;
    return best;
}

static void mean_of(int n, const double *x, double *mean, double *se)
{
    double squares = 0;
    *mean = 0;
    for (int i = 0; i < n; i++)
        *mean += x[i] / n;
    for (int i = 0; i < n; i++)
        squares += pow(x[i] - *mean, 2);
    *se = n > 1 ? sqrt(squares / (n - 1) / n) : NAN;
}

pr_status_t pr_route_measure(const pr_team_t *team, const pr_route_data_t *d, const double *w, pr_route_gain_t *out,
                             pr_error_t *err)
{
    double *room = pr_alloc((size_t)d->n, sizeof *room), *gain = pr_alloc((size_t)d->n, sizeof *gain);
    int each = d->points * d->k;
    pr_status_t status = PR_OK;
    for (int fold = d->n >= FOLDS ? 0 : FOLDS; fold < FOLDS; fold++) {
        pr_route_t *r = NULL;
        PR_GO(fit(team, d, fold, &r, err));
        int fixed = best_level(d, w, r->level);
        for (int i = fold; i < d->n; i += FOLDS) {
            const double *score = d->score + (ptrdiff_t)i * each;
            int chosen = pr_route_choose(r, w, d->feature + (ptrdiff_t)i * d->d);
            gain[i] = utility(d, w, score + chosen * d->k) - utility(d, w, score + fixed * d->k);
        }
        pr_route_free(&r);
    }
    double *level = pr_alloc((size_t)each, sizeof *level);
    for (int i = 0; i < d->n; i++)
        for (int j = 0; j < each; j++)
            level[j] += d->score[(ptrdiff_t)i * each + j] / d->n;
    int fixed = best_level(d, w, level);
    for (int i = 0; i < d->n; i++) {
        const double *score = d->score + (ptrdiff_t)i * each;
        double most = -INFINITY;
        for (int a = 0; a < d->points; a++)
            most = fmax(most, utility(d, w, score + a * d->k));
        room[i] = most - utility(d, w, score + fixed * d->k);
    }
    free(level);
    mean_of(d->n, room, &out->headroom, &out->headroom_se);
    mean_of(d->n, gain, &out->gain, &out->gain_se);
done:
    free(room);
    free(gain);
    return status;
}
