// SPDX-License-Identifier: BSD-3-Clause
/* How good each search's fronts are: indicators with confidence intervals over prompts and, where there are several,
 * over seeds. Values are turned so that larger is better; utilities, distances and sparsity are of values brought to
 * [0,1] by the objectives' scale: their declared ranges, or where there is none the base model's. */
#include "base/log.h"
#include "base/mem.h"
#include "pareto/dominance.h"
#include "pareto/indicators.h"
#include "pareto/range.h"
#include "pareto/uncertainty.h"
#include "pareto/utility.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WEIGHTS = 100 };
/* For the distances of all searches together. */
static const double DISTANCE_STEPS = 2e9;

bool pr_sweep_end_stops(void *self)
{
    const pr_sweep_t *s = self;
    if (s->hooks.tick)
        s->hooks.tick(s->hooks.self);
    return s->hooks.stopping && s->hooks.stopping(s->hooks.self);
}

/* What all searches are measured against. */
typedef struct pr_yardstick {
    int k;
    bool normal;   // all objectives have a scale
    double *front; // [n_front,K] non-dominated points of all searches, normalised where normal
    size_t n_front;
    pr_weights_t weights;
} pr_yardstick_t;

static void normalise(const pr_sweep_t *s, const pr_yardstick_t *y, const double *from, size_t n, double *to)
{
    if (y->normal)
        pr_normalise(from, n, y->k, s->low, s->high, to);
    else
        memcpy(to, from, n * (size_t)y->k * sizeof *to);
}

static void yardstick_make(const pr_sweep_t *s, const double *all, size_t n, pr_yardstick_t *y)
{
    size_t k_n = (size_t)s->config->n_objectives;
    *y = (pr_yardstick_t){.k = (int)k_n, .normal = true};
    for (size_t k = 0; k < k_n; k++)
        y->normal = y->normal && isfinite(s->low[k]) && isfinite(s->high[k]) && s->high[k] > s->low[k];
    bool *kept = pr_alloc(n, sizeof *kept);
    pr_nondominated(all, n, y->k, false, kept);
    y->front = pr_alloc(n * k_n, sizeof *y->front);
    for (size_t i = 0; i < n; i++)
        if (kept[i])
            normalise(s, y, all + i * k_n, 1, y->front + y->n_front++ * k_n);
    size_t steps = pr_lattice_steps(y->k, WEIGHTS);
    y->weights.n = pr_lattice_size(y->k, steps);
    double *weights = pr_alloc(y->weights.n * k_n, sizeof *weights);
    pr_lattice_weights(y->k, steps, weights);
    y->weights.weights = weights;
    free(kept);
}

static void yardstick_clear(pr_yardstick_t *y)
{
    free(y->front);
    free((double *)(uintptr_t)y->weights.weights);
}

/* ---- hypervolumes ---- */

/* The runs of one search that have points, and what is known of their volumes. */
typedef struct pr_group {
    int n, rows; // rows: of weights, of its points
    const pr_run_points_t *run[PR_MAX_SEEDS];
    const pr_volume_t *volume[PR_MAX_SEEDS];
} pr_group_t;

static pr_group_t group_of(const pr_sweep_t *s, const pr_run_points_t *run, const pr_volumes_t *v, int search)
{
    pr_group_t g = {.rows = s->inputs->policy[search].domain.rows};
    for (int i = search * s->config->n_seeds; i < (search + 1) * s->config->n_seeds; i++)
        if (run[i].n > 0) {
            g.run[g.n] = &run[i];
            g.volume[g.n++] = &v->track[i];
        }
    return g;
}

static bool all_resampled(const pr_group_t *g)
{
    for (int i = 0; i < g->n; i++)
        if (!g->volume[i]->resampled)
            return false;
    return g->n > 0;
}

static pr_bootstrap_t how_to(const pr_sweep_t *s, const pr_volumes_t *v)
{
    return (pr_bootstrap_t){v->resamples, 0.95, (uint64_t)s->config->seed};
}

/* From fewer seeds nothing is said of what other seeds would give. */
enum { SEEDS_FOR_INTERVAL = 3 };

/* What an interval of so many seeds is over, for metrics.json. New reference. */
static json_t *over(int seeds)
{
    return seeds >= SEEDS_FOR_INTERVAL ? json_pack("[s, s]", "prompts", "seeds") : json_pack("[s]", "prompts");
}

/* values [n][1 + resamples]: over prompts and runs, or, of few runs, of their mean over prompts alone. false: there is none. */
static bool interval_of(const pr_sweep_t *s, const pr_volumes_t *v, const double *const *values, int n,
                        pr_interval_t *out)
{
    pr_bootstrap_t how = how_to(s, v);
    if (n >= SEEDS_FOR_INTERVAL)
        return pr_resampled_interval(values, (size_t)n, &how, out, NULL) == PR_OK;
    double *mean = pr_alloc(1 + v->resamples, sizeof *mean);
    const double *one = mean;
    for (int i = 0; i < n; i++)
        for (size_t j = 0; j <= v->resamples; j++)
            mean[j] += values[i][j] / n;
    bool found = pr_resampled_interval(&one, 1, &how, out, NULL) == PR_OK;
    free(mean);
    return found;
}

/* The mean over a search's runs, with an interval where the prompts' scores are known. */
static json_t *hypervolume_of(const pr_sweep_t *s, const pr_volumes_t *v, const pr_group_t *g)
{
    double mean = 0, error = 0;
    pr_hv_method_t method = PR_HV_EXACT, resampler = PR_HV_EXACT;
    const double *values[PR_MAX_SEEDS];
    for (int i = 0; i < g->n; i++) {
        const pr_volume_t *x = g->volume[i];
        mean += x->at.volume / g->n;
        error += x->at.error / g->n; // at most: the errors of several are not of one sign
        method = x->at.method ? x->at.method : method;
        resampler = x->resampler ? x->resampler : resampler;
        values[i] = x->resampled;
    }
    json_t *h = json_pack("{s:o, s:s, s:o}", "mean", pr_json_real(mean), "method", pr_hv_method_name(method), "error",
                          pr_json_real(error));
    pr_interval_t interval;
    if (all_resampled(g) && interval_of(s, v, values, g->n, &interval)) {
        json_object_set_new(h, "low", pr_json_real(interval.low));
        json_object_set_new(h, "high", pr_json_real(interval.high));
        json_object_set_new(h, "over", over(g->n));
        json_object_set_new(h, "resamples", json_integer((json_int_t)v->resamples));
        json_object_set_new(h, "resampled", json_string(pr_hv_method_name(resampler)));
    }
    return h;
}

/* The standard deviation of x [n], n > 1. */
static double deviation_of(const double *x, int n)
{
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return sqrt(squares / (n - 1));
}

/* How much more hypervolume a search has than the first, seed by seed. Its interval is over what other seeds would give
 * too, so that of few seeds there is none. */
static json_t *difference_of(const pr_sweep_t *s, const pr_volumes_t *v, const pr_group_t *first, const pr_group_t *g)
{
    size_t row = 1 + v->resamples;
    bool resampled = all_resampled(first) && all_resampled(g);
    double *more = pr_alloc((size_t)g->n * row, sizeof *more), each[PR_MAX_SEEDS], mean = 0;
    const double *values[PR_MAX_SEEDS];
    for (int i = 0; i < g->n; i++) {
        values[i] = more + (size_t)i * row;
        each[i] = g->volume[i]->at.volume - first->volume[i]->at.volume;
        mean += each[i] / g->n;
        for (size_t j = 0; j < row && resampled; j++)
            more[(size_t)i * row + j] = g->volume[i]->resampled[j] - first->volume[i]->resampled[j];
    }
    pr_interval_t interval;
    bool known = resampled && g->n >= SEEDS_FOR_INTERVAL && interval_of(s, v, values, g->n, &interval);
    double deviation = g->n > 1 ? deviation_of(each, g->n) : NAN;
    long needed = g->n > 1 ? pr_seeds_needed(mean, deviation) : 0;
    free(more);
    return json_pack("{s:o, s:o, s:o, s:o, s:i, s:o, s:o}", "mean", pr_json_real(mean), "low",
                     known ? pr_json_real(interval.low) : json_null(), "high",
                     known ? pr_json_real(interval.high) : json_null(), "over", known ? over(g->n) : json_null(),
                     "seeds", g->n, "deviation", pr_json_real(deviation), "seeds_needed",
                     needed > 0 ? json_integer(needed) : json_null());
}

/* ---- what is kept of a search: {"points", ..., "controllability"} ---- */

/* Kendall's tau of each weight and its objective over a run's points: does turning a weight up turn its objective up?
 */
static json_t *controllability(const pr_sweep_t *s, const pr_group_t *g)
{
    size_t k_n = (size_t)s->config->n_objectives;
    if (g->rows != 1) // no one weight to be turned up
        return json_null();
    json_t *v = json_object();
    for (size_t k = 0; k < k_n; k++) {
        double sum = 0;
        for (int i = 0; i < g->n; i++) {
            const pr_run_points_t *r = g->run[i];
            double *x = pr_alloc(r->n, sizeof *x), *y = pr_alloc(r->n, sizeof *y);
            for (size_t j = 0; j < r->n; j++) {
                x[j] = r->w[j * k_n + k];
                y[j] = r->mean[j * k_n + k];
            }
            sum += pr_kendall_tau(x, y, r->n) / g->n;
            free(x);
            free(y);
        }
        json_object_set_new(v, s->config->objective[k].name, pr_json_real(sum));
    }
    return v;
}

/* The distinct non-dominated points of a run, normalised: what indicators are of. Dominated ones change none but the
 * sparsity, which is a front's, and there may be very many. Caller frees. */
static double *front_of(const pr_sweep_t *s, const pr_yardstick_t *y, const pr_run_points_t *run, size_t *n)
{
    size_t k_n = (size_t)y->k;
    double *v = pr_alloc(run->n * k_n, sizeof *v);
    bool *kept = pr_alloc(run->n, sizeof *kept);
    normalise(s, y, run->mean, run->n, v);
    pr_nondominated(v, run->n, y->k, false, kept);
    *n = 0;
    for (size_t i = 0; i < run->n; i++)
        if (kept[i])
            memmove(v + (*n)++ * k_n, v + i * k_n, k_n * sizeof *v);
    free(kept);
    return v;
}

/* Points on the front, all of several equal ones. */
static size_t front_size(const double *points, size_t n, int k)
{
    bool *kept = pr_alloc(n, sizeof *kept);
    size_t count = pr_nondominated(points, n, k, true, kept);
    free(kept);
    return count;
}

/* Of n counts with this sum: an integer where it is one. New reference. */
static json_t *mean_count(double sum, int n)
{
    return fmod(sum, n) == 0 ? json_integer((json_int_t)(sum / n)) : pr_json_real(sum / n);
}

/* Errors: PR_ERR_INTERRUPTED. */
static pr_status_t describe(pr_sweep_t *s, const pr_yardstick_t *y, const pr_group_t *g, json_t **out, pr_error_t *err)
{
    double points = 0, front = 0, utility = 0, loss = 0, igd = 0, sparsity = 0;
    double steps = DISTANCE_STEPS / s->n_track;
    for (int i = 0; i < g->n; i++) {
        size_t m;
        double distance = NAN, *v = front_of(s, y, g->run[i], &m);
        points += (double)g->run[i]->n;
        front += (double)front_size(g->run[i]->mean, g->run[i]->n, y->k);
        utility += pr_expected_utility(v, m, y->k, y->weights.weights, y->weights.n) / g->n;
        loss += pr_maximum_utility_loss(v, m, y->front, y->n_front, y->k, y->weights.weights, y->weights.n) / g->n;
        sparsity += pr_sparsity(v, m, y->k) / g->n;
        bool found = pr_igd_plus_within(v, m, y->front, y->n_front, y->k, steps, pr_sweep_end_stops, s, &distance);
        free(v);
        igd += found ? distance / g->n : NAN;
        if (pr_sweep_end_stops(s))
            return pr_fail(err, PR_ERR_INTERRUPTED, "stopped before the indicators were done");
    }
    if (isnan(igd))
        pr_log(PR_LOG_INFO, "IGD+ of %.0f points is left out: it would take too long", points / g->n);
    *out = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "points", mean_count(points, g->n), "front",
                     mean_count(front, g->n), "expected_utility", pr_json_real(utility), "maximum_utility_loss",
                     pr_json_real(loss), "igd_plus", pr_json_real(igd), "sparsity", pr_json_real(sparsity),
                     "controllability", controllability(s, g));
    return PR_OK;
}

/* ---- all together ---- */

/* Everything that the end measures, on its way. */
typedef struct pr_measuring {
    pr_runs_t runs;
    double reference[PR_MAX_OBJECTIVES];
    char key[PR_HASH_HEX];
    json_t *kept;
    pr_volumes_t volumes;
    pr_yardstick_t yardstick;
} pr_measuring_t;

static void measuring_new(const pr_sweep_t *s, pr_measuring_t *m)
{
    *m = (pr_measuring_t){.runs = pr_sweep_runs(s)};
    pr_sweep_fill_reference(s, m->runs.mean, m->runs.n, m->reference);
    pr_kept_key(s, m->runs.run, m->reference, m->key);
    pr_kept_read(s, m->key, &m->kept);
}

static void measuring_clear(const pr_sweep_t *s, pr_measuring_t *m)
{
    pr_volumes_clear(s, &m->volumes);
    yardstick_clear(&m->yardstick);
    pr_sweep_runs_clear(s, &m->runs);
    json_decref(m->kept);
}

static pr_status_t describe_all(pr_sweep_t *s, pr_measuring_t *m, pr_error_t *err)
{
    for (int i = 0; i < s->config->n_searches; i++, s->end_done++) {
        char name[32];
        json_t *found = NULL;
        pr_group_t g = group_of(s, m->runs.run, &m->volumes, i);
        snprintf(name, sizeof name, "search %d", i);
        if (g.n == 0 || json_is_object(json_object_get(m->kept, name)))
            continue;
        if (!m->yardstick.front)
            yardstick_make(s, m->runs.mean, m->runs.n, &m->yardstick);
        PR_TRY(describe(s, &m->yardstick, &g, &found, err));
        json_object_set_new(m->kept, name, found);
    }
    return PR_OK;
}

/* Points of a search's runs that are on the front of all searches: the mean over its seeds. joint [points of all]. */
static double joint_count(const pr_sweep_t *s, const pr_measuring_t *m, int search, const bool *joint, int seeds)
{
    size_t at = 0, count = 0;
    for (int i = 0; i < s->n_track; i++)
        for (size_t j = 0; j < m->runs.run[i].n; j++, at++)
            count += i / s->config->n_seeds == search && joint[at];
    return (double)count / seeds;
}

static json_t *indicators_of(const pr_sweep_t *s, const pr_measuring_t *m)
{
    static const char *const before[] = {"points", "front"}, *const after[] = {"expected_utility",
                                                                               "maximum_utility_loss", "igd_plus",
                                                                               "sparsity", "controllability"};
    json_t *list = json_array();
    pr_group_t first = group_of(s, m->runs.run, &m->volumes, 0);
    bool *joint = pr_alloc(m->runs.n, sizeof *joint);
    pr_nondominated(m->runs.mean, m->runs.n, s->config->n_objectives, true, joint);
    for (int i = 0; i < s->config->n_searches; i++) {
        char name[32];
        pr_group_t g = group_of(s, m->runs.run, &m->volumes, i);
        snprintf(name, sizeof name, "search %d", i);
        const json_t *kept = json_object_get(m->kept, name);
        if (g.n == 0)
            continue;
        json_t *v = json_pack("{s:s, s:i}", "search", s->config->search[i].name, "seeds", g.n);
        for (size_t j = 0; j < sizeof before / sizeof *before; j++)
            json_object_set(v, before[j], json_object_get(kept, before[j]));
        double both = joint_count(s, m, i, joint, g.n);
        json_object_set_new(v, "joint_front",
                            both == floor(both) ? json_integer((json_int_t)both) : pr_json_real(both));
        json_object_set_new(v, "hypervolume", hypervolume_of(s, &m->volumes, &g));
        for (size_t j = 0; j < sizeof after / sizeof *after; j++)
            json_object_set(v, after[j], json_object_get(kept, after[j]));
        if (i > 0 && first.n == s->config->n_seeds && g.n == first.n)
            json_object_set_new(v, "more_than_first", difference_of(s, &m->volumes, &first, &g));
        json_array_append_new(list, v);
    }
    free(joint);
    return list;
}

/* Of a set: {"points", "front", "hypervolume", "method", "error"}; without the last two when it is not known. */
static json_t *set_json(const double *points, size_t n, int k, const pr_volume_t *v)
{
    json_t *m = json_pack("{s:I, s:I, s:o}", "points", (json_int_t)n, "front", (json_int_t)front_size(points, n, k),
                          "hypervolume", v ? pr_json_real(v->at.volume) : json_null());
    if (v) {
        json_object_set_new(m, "method", json_string(pr_hv_method_name(v->at.method)));
        json_object_set_new(m, "error", pr_json_real(v->at.error));
    }
    return m;
}

/* How probable it is that a point is non-dominated among those of its search: those that are so at all. null: not known. */
static json_t *on_front_of(const pr_track_t *t, const pr_run_points_t *run, const double *probability)
{
    const pr_domain_t *d = &t->policy->domain;
    double w[PR_MAX_COORDINATES];
    json_t *list = probability ? json_array() : json_null();
    for (size_t i = 0; probability && i < run->n; i++) {
        if (probability[i] == 0)
            continue;
        pr_point_t p = pr_track_point(t, run->asked[i]);
        json_t *params = NULL, *rows = json_array();
        pr_domain_choice(d, &p, w, &params);
        for (int r = 0; r < d->rows; r++)
            json_array_append_new(rows, pr_json_reals(w + r * d->k, (size_t)d->k));
        json_t *one = json_pack("{s:O, s:o}", "w", d->rows == 1 ? json_array_get(rows, 0) : rows, "probability",
                                pr_json_real(probability[i]));
        if (params)
            json_object_set_new(one, "params", params);
        json_decref(rows);
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *searches_of(const pr_sweep_t *s, const pr_measuring_t *m, bool known)
{
    json_t *all = json_array();
    for (int i = 0; i < s->n_track; i++) {
        const pr_track_t *t = &s->track[i];
        const pr_volume_t *volume = known ? &m->volumes.track[i] : NULL;
        json_t *v = set_json(m->runs.run[i].mean, m->runs.run[i].n, s->config->n_objectives, volume);
        json_object_set_new(v, "search", json_string(t->spec->name));
        json_object_set_new(v, "seed", json_integer(s->config->seeds[t->seed_index]));
        json_object_set_new(v, "finished", json_boolean(t->done));
        json_object_set_new(v, "ended", t->done ? json_string(t->why) : json_null());
        json_object_set_new(v, "budget_left", t->done && t->left >= 0 ? json_integer(t->left) : json_null());
        json_object_set_new(v, "on_front", on_front_of(t, &m->runs.run[i], volume ? volume->on_front : NULL));
        json_array_append_new(all, v);
    }
    return all;
}

static void tell(const pr_sweep_t *s, const pr_measuring_t *m)
{
    const pr_hv_estimate_t *all = &m->volumes.all.at;
    pr_reference_tell(s, m->reference, all->volume, m->runs.n);
    if (isinf(all->volume))
        pr_log(PR_LOG_WARN,
               "the hypervolume is above the range of numbers (null in metrics.json): a reference point nearer "
               "to the points, or objectives of smaller ranges, would keep it in");
    else if (all->method != PR_HV_EXACT)
        pr_log(PR_LOG_INFO,
               "the exact hypervolume of %zu points in %d objectives would take too long: %s, off by %.2g %% at most "
               "(99.9 %%)",
               m->runs.n, s->config->n_objectives, pr_hv_method_name(all->method), 100 * all->error / all->volume);
}

pr_status_t pr_sweep_measure(pr_sweep_t *s, json_t **out, pr_error_t *err)
{
    pr_measuring_t m;
    measuring_new(s, &m);
    json_t *before = json_deep_copy(m.kept);
    s->end_done = 0;
    s->end_total = 2 * s->n_track + s->config->n_searches;
    pr_status_t status = pr_sweep_volumes(s, &m.runs, m.reference, m.kept, &m.volumes, err);
    if (status == PR_OK)
        status = describe_all(s, &m, err);
    bool known = status == PR_OK;
    json_decref(s->indicators);
    s->indicators = known ? indicators_of(s, &m) : json_array();
    *out = json_pack("{s:o, s:o, s:O}", "all",
                     set_json(m.runs.mean, m.runs.n, s->config->n_objectives, known ? &m.volumes.all : NULL),
                     "searches", searches_of(s, &m, known), "indicators", s->indicators);
    if (known)
        tell(s, &m);
    if (known && s->n_base > 0)
        json_object_set_new(*out, "base", pr_base_report(s, &m.runs, m.kept));
    pr_error_t why;
    if (!json_equal(before, m.kept) && pr_kept_write(s, m.key, m.kept, &why) != PR_OK && known)
        status = pr_fail(err, why.status, "%s", why.text);
    json_decref(before);
    measuring_clear(s, &m);
    return status;
}

json_t *pr_sweep_indicators(const pr_sweep_t *s)
{
    return s->indicators ? json_incref(s->indicators) : json_array();
}
