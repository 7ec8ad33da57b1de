// SPDX-License-Identifier: BSD-3-Clause
/* Hypervolumes at the end of a sweep: of each search over each set of experts, of all together, and of resamples, for
 * intervals. All of it together is bounded: what is exact, what is estimated and how many resamples there are follows
 * from counted work (see pareto/hypervolume.h), so that it does not depend on the machine. */
#include "base/log.h"
#include "base/mem.h"
#include "pareto/hypervolume.h"
#include "pareto/uncertainty.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_SCORES = 20000000 };
/* Steps, about a nanosecond each: for the volumes of the sets themselves, and for those of all resamples. */
static const double SETS_STEPS = 1e9, RESAMPLES_STEPS = 4e9;
/* A resample's estimate is not worth its while with less. */
static const double LEAST_STEPS = 5e5;
static const double RELATIVE_ERROR = 1e-3;

/* ---- kept ---- */

/* n: points of the run. */
static json_t *volume_json(const pr_volume_t *v, size_t resamples, size_t n)
{
    return json_pack("{s:o, s:o, s:i, s:o, s:o, s:i, s:o}", "volume", pr_json_real(v->at.volume), "error",
                     pr_json_real(v->at.error), "method", (int)v->at.method, "exact_steps",
                     pr_json_real(v->exact_steps), "resampled", pr_json_reals(v->resampled, 1 + resamples), "resampler",
                     (int)v->resampler, "on_front", pr_json_reals(v->on_front, n));
}

static double number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : INFINITY; // which JSON has no word for
}

static pr_hv_method_t method(const json_t *object, const char *key)
{
    json_int_t m = json_integer_value(json_object_get(object, key));
    return m == PR_HV_BOXES ? PR_HV_BOXES : m == PR_HV_RAYS ? PR_HV_RAYS : PR_HV_EXACT;
}

static bool take_volume(const json_t *values, const char *name, pr_volume_t *v)
{
    const json_t *kept = json_object_get(values, name);
    if (!json_is_object(kept))
        return false;
    *v = (pr_volume_t){{method(kept, "method"), number(kept, "volume"), number(kept, "error")},
                       number(kept, "exact_steps"),
                       NULL,
                       NULL,
                       method(kept, "resampler")};
    return true;
}

/* NULL unless the list has n numbers. */
static double *take_numbers(const json_t *object, const char *key, size_t n)
{
    const json_t *list = json_object_get(object, key);
    if (!json_is_array(list) || json_array_size(list) != n)
        return NULL;
    double *out = pr_alloc(n, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(list, i);
        out[i] = json_is_number(x) ? json_number_value(x) : INFINITY;
    }
    return out;
}

/* The kept resamples, when they are as many, of n points. */
static void take_resamples(const json_t *values, const char *name, size_t resamples, size_t n, pr_volume_t *v)
{
    const json_t *kept = json_object_get(values, name);
    v->resampled = take_numbers(kept, "resampled", 1 + resamples);
    v->on_front = take_numbers(kept, "on_front", n);
    if (v->resampled && v->on_front)
        return;
    free(v->resampled);
    free(v->on_front);
    v->resampled = v->on_front = NULL;
}

static void name_of(int track, char out[32])
{
    snprintf(out, 32, "volume %d", track);
}

/* ---- the volumes of the sets ---- */

static pr_status_t find_volume(pr_sweep_t *s, const double *points, size_t n, const double *reference, double steps,
                               pr_volume_t *v, pr_error_t *err)
{
    int k_n = s->config->n_objectives;
    double left = steps;
    *v = (pr_volume_t){.exact_steps = INFINITY};
    if (pr_hypervolume_within(points, n, k_n, reference, &left, &v->at.volume))
        v->exact_steps = steps - left;
    else if (!pr_hv_estimate(points, n, k_n, reference, RELATIVE_ERROR, steps, pr_sweep_end_stops, s, &v->at))
        return pr_fail(err, PR_ERR_INTERRUPTED, "stopped before the hypervolumes were known");
    return PR_OK;
}

static pr_status_t volumes_of_sets(pr_sweep_t *s, const pr_runs_t *runs, const double *reference, json_t *values,
                                   pr_volumes_t *out, pr_error_t *err)
{
    const pr_run_points_t *run = runs->run;
    double share = SETS_STEPS / (1 + s->n_track);
    char name[32];
    for (int i = 0; i < s->n_track; i++, s->end_done++) {
        name_of(i, name);
        if (pr_sweep_end_stops(s))
            return pr_fail(err, PR_ERR_INTERRUPTED, "stopped before the hypervolumes were known");
        if (take_volume(values, name, &out->track[i]))
            continue;
        PR_TRY(find_volume(s, run[i].mean, run[i].n, reference, share, &out->track[i], err));
        json_object_set_new(values, name, volume_json(&out->track[i], 0, 0));
    }
    if (s->n_track == 1) {
        out->all = out->track[0];
        return PR_OK;
    }
    if (take_volume(values, "volume of all", &out->all))
        return PR_OK;
    PR_TRY(find_volume(s, runs->mean, runs->n, reference, share, &out->all, err));
    json_object_set_new(values, "volume of all", volume_json(&out->all, 0, 0));
    return PR_OK;
}

/* ---- resamples ---- */

/* The means of a resample, and what every estimate does before its first sample. */
static double steps_of_means(const pr_sweep_t *s, const pr_run_points_t *r)
{
    double n = (double)r->n, k_n = s->config->n_objectives, prompts = s->n_prompts;
    return 12 * prompts + n * prompts * k_n + n * k_n * (30 + n / 64);
}

/* May the resamples of a run be found in so many steps each, the means among them? */
static bool fits(const pr_sweep_t *s, const pr_run_points_t *r, const pr_volume_t *v, double steps)
{
    double left = steps - steps_of_means(s, r);
    return 1.5 * v->exact_steps <= left || LEAST_STEPS <= left;
}

/* As many as fit for every run, as runs are paired; with 100, those that fit have some. *steps: of each. */
static size_t how_many(const pr_sweep_t *s, const pr_run_points_t *run, const pr_volumes_t *v, double *steps)
{
    static const size_t counts[] = {1000, 500, 200, 100};
    size_t last = sizeof counts / sizeof *counts - 1;
    for (size_t c = 0; c <= last; c++) {
        bool all = true;
        *steps = RESAMPLES_STEPS / s->n_track / (double)counts[c];
        for (int i = 0; i < s->n_track; i++)
            all = all && (run[i].n == 0 || fits(s, &run[i], &v->track[i], *steps));
        if (all)
            return counts[c];
    }
    return counts[last];
}

/* What a resample's hypervolume is found with. */
typedef struct measure {
    const double *reference;
    double steps; // of an exact one, at most
    bool failed;  // one took more
    const pr_hv_design_t *design;
} measure_t;

static double exact_volume(const double *points, size_t n, int m, void *self)
{
    measure_t *x = self;
    double steps = x->steps, volume = NAN;
    x->failed = x->failed || !pr_hypervolume_within(points, n, m, x->reference, &steps, &volume);
    return volume;
}

static double design_volume(const double *points, size_t n, int m, void *self)
{
    const measure_t *x = self;
    (void)n, (void)m;
    return pr_hv_design_volume(x->design, points, x->reference);
}

/* Estimates have the same samples for every resample, so their differences from the set's own are good; the set's own
 * is known better. */
static void centre(double *value, size_t n, double volume)
{
    double off = volume - value[0];
    for (size_t i = 0; i < n; i++)
        value[i] += off;
}

static pr_status_t resample(pr_sweep_t *s, const pr_run_points_t *r, const double *scores, const double *reference,
                            double steps, size_t resamples, pr_volume_t *v, pr_error_t *err)
{
    int k_n = s->config->n_objectives;
    double left = steps - steps_of_means(s, r), *value = pr_alloc(1 + resamples, sizeof *value);
    measure_t x = {.reference = reference, .steps = 4 * left, .failed = 1.5 * v->exact_steps > left};
    pr_scores_t run = {scores, r->n};
    pr_resampling_t how = {resamples, (uint64_t)s->config->seed, true, pr_sweep_end_stops, s};
    pr_status_t status = PR_OK;
    if (!x.failed)
        status = pr_resample(&run, (size_t)s->n_prompts, k_n, exact_volume, &x, &how, value, err);
    v->resampler = PR_HV_EXACT;
    if (status == PR_OK && x.failed && LEAST_STEPS <= left) {
        pr_hv_design_t *design = pr_hv_design_new(r->mean, r->n, k_n, reference, left);
        x.design = design;
        x.failed = false;
        v->resampler = pr_hv_design_method(design);
        status = pr_resample(&run, (size_t)s->n_prompts, k_n, design_volume, &x, &how, value, err);
        centre(value, 1 + resamples, v->at.volume);
        pr_hv_design_free(&design);
    }
    if (status == PR_OK && !x.failed)
        v->resampled = value;
    else
        free(value);
    return status;
}

/* scores [n,prompts,K] of a run, turned; NaN where a prompt was not used; NULL when they are not all to be had. Errors:
 * PR_ERR_INTERRUPTED. */
static pr_status_t read_scores(pr_sweep_t *s, const pr_track_t *t, const pr_run_points_t *r, double **out,
                               pr_error_t *err)
{
    enum { OFTEN = 64 };
    size_t row = (size_t)s->n_prompts * (size_t)s->config->n_objectives;
    pr_error_t why;
    *out = NULL;
    if (r->n == 0 || r->n > MAX_SCORES / row)
        return PR_OK;
    double *scores = pr_alloc(r->n * row, sizeof *scores);
    for (size_t i = 0; i < r->n * row; i++)
        scores[i] = NAN;
    for (size_t i = 0; i < r->n; i++) {
        bool stops = i % OFTEN == 0 && pr_sweep_end_stops(s);
        if (!stops && pr_track_per_prompt(s, t, r->asked[i], scores + i * row, &why) == PR_OK)
            continue;
        free(scores);
        if (stops)
            return pr_fail(err, PR_ERR_INTERRUPTED, "stopped before the resamples were done");
        pr_log(PR_LOG_WARN, "no interval of the hypervolume of search \"%s\": %s", t->spec->name, why.text);
        return PR_OK;
    }
    *out = scores;
    return PR_OK;
}

/* Of the same resamples. */
static pr_status_t find_on_front(pr_sweep_t *s, const pr_run_points_t *r, const double *scores, size_t resamples,
                                 pr_volume_t *v, pr_error_t *err)
{
    pr_scores_t run = {scores, r->n};
    pr_resampling_t how = {resamples, (uint64_t)s->config->seed, true, pr_sweep_end_stops, s};
    v->on_front = pr_alloc(r->n, sizeof *v->on_front);
    return pr_front_probability(&run, (size_t)s->n_prompts, s->config->n_objectives, &how, v->on_front, err);
}

static pr_status_t resample_track(pr_sweep_t *s, int i, const pr_run_points_t *r, const double *reference, double steps,
                                  size_t resamples, json_t *values, pr_volume_t *v, pr_error_t *err)
{
    char name[32];
    double *scores = NULL;
    name_of(i, name);
    take_resamples(values, name, resamples, r->n, v);
    if (v->resampled || !isfinite(v->at.volume) || !fits(s, r, v, steps))
        return PR_OK;
    PR_TRY(read_scores(s, &s->track[i], r, &scores, err));
    if (!scores)
        return PR_OK;
    pr_status_t status = resample(s, r, scores, reference, steps, resamples, v, err);
    if (status == PR_OK && v->resampled)
        status = find_on_front(s, r, scores, resamples, v, err);
    free(scores);
    if (status == PR_OK)
        json_object_set_new(values, name, volume_json(v, resamples, r->n));
    return status;
}

pr_status_t pr_sweep_volumes(pr_sweep_t *s, const pr_runs_t *runs, const double *reference, json_t *values,
                             pr_volumes_t *out, pr_error_t *err)
{
    double steps = 0;
    *out = (pr_volumes_t){.track = pr_alloc((size_t)s->n_track, sizeof *out->track)};
    PR_TRY(volumes_of_sets(s, runs, reference, values, out, err));
    out->resamples = how_many(s, runs->run, out, &steps);
    for (int i = 0; i < s->n_track; i++, s->end_done++) {
        if (s->n_prompts < 2) // one says nothing of what others would have given
            break;
        PR_TRY(resample_track(s, i, &runs->run[i], reference, steps, out->resamples, values, &out->track[i], err));
    }
    return PR_OK;
}

void pr_volumes_clear(const pr_sweep_t *s, pr_volumes_t *v)
{
    for (int i = 0; v->track && i < s->n_track; i++) {
        free(v->track[i].resampled);
        free(v->track[i].on_front);
    }
    free(v->track);
    *v = (pr_volumes_t){0};
}
