// SPDX-License-Identifier: BSD-3-Clause
/* Optimistic linear support (Roijers, Whiteson and Oliehoek 2015, "Computing convex coverage sets for faster
 * multi-objective coordination"): the next weights are corners of the upper envelope of what was found, the most
 * promising first. A corner's promise is how far the best value that all results allow at those weights lies above the
 * envelope, each result being taken as the best there is at its own weights. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An improvement below this share of the values' size is rounding; so is such a difference of weights. */
static const double ROUNDING = 1e-9;

/* Denominators tried before 2^30: corners of simple values are simple fractions, and shown as such. */
enum { SIMPLE_DENOMINATORS = 1000 };

typedef struct corner {
    pr_point_t point;
    double promise;
} corner_t;

/* The denominator of the simplest fraction within rounding of x in [0,1], by its continued fraction; 0 when that is not
 * simple. */
static int64_t simple_denominator(double x)
{
    double rest = x;
    int64_t p0 = 0, q0 = 1, p1 = 1, q1 = 0; // the convergents before
    for (;;) {
        int64_t whole = (int64_t)floor(rest), p = whole * p1 + p0, q = whole * q1 + q0;
        if (q > SIMPLE_DENOMINATORS)
            return 0;
        if (fabs(x - (double)p / (double)q) < ROUNDING)
            return q;
        p0 = p1;
        q0 = q1;
        p1 = p;
        q1 = q;
        rest = 1 / (rest - (double)whole);
        if (!(rest < 2 * SIMPLE_DENOMINATORS))
            return 0;
    }
}

/* The simplest fractions within rounding of w, or the nearest with denominator 2^30. */
static void to_point(const double *w, int k, pr_point_t *out)
{
    int64_t den = 1, sum = 0;
    for (int j = 0; j < k && den != 0; j++) {
        int64_t q = simple_denominator(w[j]), a = den, b = q;
        while (b != 0) { // the greatest common divisor
            int64_t t = a % b;
            a = b;
            b = t;
        }
        // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a divides den, which is not 0
        den = q > 0 && den / a * q <= SIMPLE_DENOMINATORS ? den / a * q : 0;
    }
    *out = (pr_point_t){.den = den};
    for (int j = 0; j < k && den != 0; j++)
        sum += out->num[j] = llround(w[j] * (double)den);
    if (den != 0 && sum == den)
        pr_point_reduce(out, k);
    else
        pr_point_quantise(w, k, out);
}

static double dot(const double *a, const double *b, int k)
{
    double sum = 0;
    for (int j = 0; j < k; j++)
        sum += a[j] * b[j];
    return sum;
}

static double envelope(const double *values, size_t n, int k, const double *w)
{
    double best = -INFINITY;
    for (size_t i = 0; i < n; i++)
        best = fmax(best, dot(&values[i * (size_t)k], w, k));
    return best;
}

static int by_promise(const void *a, const void *b, void *k)
{
    const corner_t *p = a, *q = b;
    if (p->promise != q->promise)
        return p->promise > q->promise ? -1 : 1;
    return pr_point_compare(&p->point, &q->point, *(const int *)k);
}

/* What is known: the distinct values of the points that did not fail [n,k], every point's weights, and the envelope
 * there. */
typedef struct known {
    size_t n;
    double *values, *weights, *bound;
    double size; // of the values, for telling rounding from improvement
} known_t;

static known_t known_new(const pr_replay_t *r)
{
    size_t k = (size_t)r->k;
    size_t *ids = NULL;
    known_t x = {0};
    /* With non-negative weights dominated values never make the envelope. */
    x.n = pr_replay_front(r, &ids, &x.values);
    free(ids);
    x.weights = pr_alloc(r->points.n * k, sizeof(double));
    x.bound = pr_alloc(r->points.n, sizeof(double));
    for (size_t i = 0; x.n > 0 && i < r->points.n; i++) {
        pr_pointset_weights(&r->points, i, &x.weights[i * k]);
        x.bound[i] = envelope(x.values, x.n, r->k, &x.weights[i * k]);
    }
    for (size_t i = 0; i < x.n * k; i++)
        x.size = fmax(x.size, fabs(x.values[i]));
    return x;
}

static void known_free(known_t *x)
{
    free(x->values);
    free(x->weights);
    free(x->bound);
}

/* The corners not yet evaluated that promise more than the least gain, the most promising first. */
static size_t find_corners(const pr_replay_t *r, corner_t **out)
{
    known_t x = known_new(r);
    double *w = NULL, *height = NULL, least = fmax(r->spec->min_gain, ROUNDING * x.size);
    size_t n = x.n > 0 ? pr_envelope_corners(x.values, x.n, r->k, &w, &height) : 0, kept = 0;
    pr_pointset_t seen = {.d = r->k};
    corner_t *c = pr_alloc(n, sizeof c[0]);
    for (size_t i = 0; i < n && !pr_replay_stops(r); i++) {
        const double *at = &w[i * (size_t)r->k];
        bool is_new = false;
        to_point(at, r->k, &c[kept].point);
        pr_pointset_add(&seen, &c[kept].point, &is_new);
        if (!is_new || pr_pointset_find(&r->points, &c[kept].point) != PR_NO_POINT)
            continue;
        c[kept].promise = pr_optimistic_value(x.weights, x.bound, r->points.n, r->k, at) - height[i];
        kept += c[kept].promise > least;
    }
    int k = r->k;
    if (kept > 0)
        qsort_r(c, kept, sizeof c[0], by_promise, &k);
    pr_pointset_free(&seen);
    known_free(&x);
    free(w);
    free(height);
    *out = c;
    return kept;
}

static void add_corners(pr_replay_t *r)
{
    for (int i = 0; i < r->k; i++) {
        pr_point_t p = {.den = 1};
        p.num[i] = 1;
        pr_replay_add(r, &p, 0);
    }
}

static pr_status_t ols_check(const pr_search_t *s, pr_error_t *err)
{
    const pr_search_spec_t *spec = s->spec;
    if (s->k > PR_ENVELOPE_MAX_K)
        return pr_search_bad(spec, err, "type: ols takes up to %d objectives, found %d; use hierarchical",
                             PR_ENVELOPE_MAX_K, s->k);
    if (pr_search_is_cube(spec))
        return pr_search_bad(spec, err, "domain: found 'cube', but ols searches the simplex");
    if (spec->levels < 0)
        return pr_search_bad(spec, err, "levels: found %d, expected at least 0", spec->levels);
    if (spec->budget > 0 && spec->budget < s->k)
        return pr_search_bad(spec, err, "budget: found %d, expected at least the %d corners of the simplex",
                             spec->budget, s->k);
    return PR_OK;
}

static pr_status_t ols_run(pr_replay_t *r, pr_error_t *err)
{
    PR_TRY(ols_check(r->s, err));
    add_corners(r);
    bool settled = pr_replay_settle(r), budget = r->spec->budget > 0 || r->spec->budget_core_hours > 0;
    for (int level = 1; settled && r->k > 1 && (budget || level <= r->spec->levels); level++) {
        corner_t *c = NULL;
        size_t n = find_corners(r, &c), beam = r->spec->beam > 0 ? (size_t)r->spec->beam : n;
        int64_t room = pr_replay_room(r);
        for (size_t i = 0; i < n && i < beam && (int64_t)i < room; i++)
            pr_replay_add(r, &c[i].point, level);
        free(c);
        if (n == 0 || room == 0)
            break;
        settled = pr_replay_settle(r);
    }
    return PR_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The number of corners of an envelope is not known before; every level may bring what the budget leaves. */
static int ols_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    const pr_search_spec_t *spec = s->spec;
    counts[0] = s->k;
    int64_t left = spec->budget > 0 ? spec->budget - s->k : INT64_MAX;
    int level = 1;
    for (; level < max && level <= spec->levels && s->k > 1 && left > 0; level++) {
        /* Taking in k corners makes one region; each further value adds at most about k corners to the envelope. */
        int64_t fresh = spec->beam > 0 ? spec->beam : level == 1 ? 1 : counts[level - 1] * s->k;
        counts[level] = least(least(fresh, left), PR_SEARCH_MAX_POINTS + 1);
        left -= counts[level];
    }
    if (spec->budget > 0 && left > 0 && level < max && s->k > 1)
        counts[level++] = left;
    return level;
}

const pr_search_strategy_t pr_search_ols = {
    .name = "ols",
    .help = "Optimistic linear support (Roijers, Whiteson and Oliehoek 2015), on the simplex, for up to 10 objectives: "
            "the next weights are those at which the best of what is known could be beaten most.",
    .keys = PR_SEARCH_KEYS_ols,
    .check = ols_check,
    .run = ols_run,
    .forecast = ols_forecast};
