// SPDX-License-Identifier: BSD-3-Clause
/* Random points: rows of weights by Dirichlet on the simplex, or uniform in the cube; other parameters uniform. Every number is a function of (seed, draw, dimension),
 * so that more points extend a search without changing its first ones, and searches of one seed share their points. */
#include "sweeps/search/search_internal.h"

#include "base/rng.h"

#include <math.h>

/* The logarithm of a Gamma(alpha, 1) number: Marsaglia and Tsang 2000, "A simple method for generating gamma
 * variables"; below alpha = 1 by their boost, in logarithms because it underflows. */
static double log_gamma_draw(const pr_rng_key_t *key, uint64_t draw, uint64_t j, double alpha)
{
    double boost = 0;
    if (alpha < 1) {
        boost = log(pr_rng_uniform(key, draw, j, 0, 2)) / alpha;
        alpha += 1;
    }
    double d = alpha - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (uint64_t attempt = 0;; attempt++) {
        double x = pr_rng_normal(key, draw, j, attempt, 0);
        double v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = pr_rng_uniform(key, draw, j, attempt, 1);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d) + log(v) + boost;
    }
}

static void draw_simplex(const pr_rng_key_t *key, uint64_t draw, int first, int k, double alpha, pr_point_t *out)
{
    double g[PR_MAX_OBJECTIVES], top = -INFINITY, sum = 0;
    for (int j = 0; j < k; j++) {
        g[j] = log_gamma_draw(key, draw, (uint64_t)(first + j), alpha);
        top = fmax(top, g[j]);
    }
    for (int j = 0; j < k; j++) {
        g[j] = exp(g[j] - top);
        sum += g[j];
    }
    for (int j = 0; j < k; j++)
        g[j] /= sum;
    pr_point_quantise(g, k, out);
}

static void draw_cube(const pr_rng_key_t *key, uint64_t draw, int first, int k, pr_point_t *out)
{
    *out = (pr_point_t){.den = INT64_C(1) << 30};
    for (int j = 0; j < k; j++)
        out->num[j] = (int64_t)pr_rng_below(key, (UINT64_C(1) << 30) + 1, draw, (uint64_t)(first + j), 0, 0);
    pr_point_reduce(out, k);
}

/* Numbers of a coordinate are those of its place in the point. */
static void draw_point(const pr_replay_t *r, const pr_rng_key_t *key, uint64_t draw, pr_point_t *out)
{
    const pr_domain_t *d = r->s->domain;
    int rows = d ? d->rows : 1, k = r->k;
    for (int i = 0; i < rows; i++) {
        pr_point_t row;
        if (pr_search_is_cube(r->spec))
            draw_cube(key, draw, i * k, k, &row);
        else
            draw_simplex(key, draw, i * k, k, r->spec->alpha, &row);
        if (i == 0)
            *out = row;
        for (int j = 0; i > 0 && j < k; j++)
            pr_point_append(out, i * k + j, row.num[j], row.den);
    }
    for (int i = 0; d && i < d->n_axes; i++) {
        const pr_axis_t *a = &d->axis[i];
        uint64_t at = (uint64_t)(rows * k + i);
        int64_t num, den;
        if (a->real) {
            pr_axis_nearest(a, pr_rng_uniform(key, draw, at, 0, 0), 0, &num, &den);
        } else {
            pr_axis_nearest(a, 0, 0, &num, &den);
            num = (int64_t)pr_rng_below(key, (uint64_t)pr_axis_count(a), draw, at, 0, 0);
        }
        pr_point_append(out, rows * k + i, num, den);
    }
}

static pr_status_t random_check(const pr_search_t *s, pr_error_t *err)
{
    const pr_search_spec_t *spec = s->spec;
    if (spec->points < 1 || spec->points > PR_SEARCH_MAX_POINTS)
        return pr_search_bad(spec, err, "points: found %d, expected 1 to %d", spec->points, PR_SEARCH_MAX_POINTS);
    if (!(spec->alpha >= 1e-3 && spec->alpha <= 1e6))
        return pr_search_bad(spec, err, "alpha: found %g, expected 0.001 to 1000000", spec->alpha);
    return PR_OK;
}

static pr_status_t random_run(pr_replay_t *r, pr_error_t *err)
{
    const pr_search_spec_t *spec = r->spec;
    PR_TRY(random_check(r->s, err));
    int64_t room = pr_replay_room(r);
    size_t n = room < spec->points ? (size_t)room : (size_t)spec->points;
    pr_rng_key_t key = pr_rng_key((uint64_t)r->s->seed, "search.random", "");
    /* A draw that repeats an earlier point (the one point of K = 1; corners when alpha is small) is drawn again, up to
     * a bound. */
    for (uint64_t draw = 0; r->points.n < n && draw < 10 * (uint64_t)n + 100; draw++) {
        pr_point_t p;
        draw_point(r, &key, draw, &p);
        pr_replay_add(r, &p, 0);
    }
    pr_replay_settle(r);
    return PR_OK;
}

/* The simplex of one objective is one point. */
static bool one_point(const pr_search_t *s)
{
    return s->k == 1 && !pr_search_is_cube(s->spec) && (!s->domain || s->domain->n_axes == 0);
}

static int random_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    (void)max;
    return pr_search_flat(s->spec, one_point(s) ? 1 : s->spec->points, counts);
}

const pr_search_strategy_t pr_search_random = {
    .name = "random",
    .help =
        "Random points: `points` draws of a Dirichlet distribution on the simplex, or uniform ones on the cube; of a "
        "mix's searched parameters uniform ones. Equal seeds give equal points.",
    .keys = PR_SEARCH_KEYS_random,
    .product = true,
    .asks_once = true,
    .check = random_check,
    .run = random_run,
    .forecast = random_forecast};
