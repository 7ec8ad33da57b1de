// SPDX-License-Identifier: BSD-3-Clause
/* One search over one set of experts: what it asked for, what came of it. */
#include "base/log.h"
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int pr_track_ranges(const pr_track_t *t, int n, int *bounds)
{
    int count = 0;
    bounds[0] = 0;
    for (int i = 0; i < t->spec->n_fidelity && t->spec->fidelity[i] < n; i++)
        bounds[++count] = t->spec->fidelity[i];
    bounds[++count] = n;
    return count;
}

/* The sum of squared deviations of n values over unit^2; one value has none, nor a standard error. */
static double squares_of(double se, int n, double unit)
{
    return n > 1 ? se / unit * (se / unit) * n * (n - 1.0) : 0;
}

/* Joins the moments of two ranges of prompts (Chan et al. 1983). se is of the mean over n values. */
static void join(double *mean, double *se, int n, double mean2, double se2, int n2)
{
    double d = mean2 - *mean, total = n + n2, most = fmax(fmax(n > 1 ? *se : 0, n2 > 1 ? se2 : 0), fabs(d));
    double unit = most > 1e100 ? most : 1; // whose squares overflow
    double squares = squares_of(*se, n, unit) + squares_of(se2, n2, unit) + d / unit * (d / unit) * n * n2 / total;
    *mean += d * n2 / total;
    *se = unit * sqrt(squares / (total - 1) / total);
}

pr_evaluation_t *pr_track_range(const pr_sweep_t *s, const pr_track_t *t, size_t asked, int range)
{
    return pr_sweep_eval(s, t->asked_eval[asked * (size_t)t->max_range + (size_t)range]);
}

/* Of the objectives from `first` on, n_k of them: the others stay unread. */
static bool result_of(const pr_sweep_t *s, const pr_track_t *t, size_t asked, int first, int n_k, double *mean,
                      double *se, pr_track_sum_t *sum)
{
    int bounds[PR_MAX_LIST + 2], n = pr_track_ranges(t, t->asked_prompts[asked], bounds), scored = s->config->n_scored;
    *sum = (pr_track_sum_t){0};
    for (int i = 0; i < n; i++) {
        const pr_evaluation_t *e = pr_track_range(s, t, asked, i);
        const double *value = e->job->value;
        if (!value)
            return false;
        for (int k = 0; k < n_k; k++) {
            double more = value[first + k], error = value[scored + first + k];
            if (i == 0) {
                mean[k] = more;
                se[k] = error;
            } else {
                join(&mean[k], &se[k], bounds[i], more, error, e->count);
            }
        }
        sum->cut += value[2 * scored] * e->count / t->asked_prompts[asked];
        sum->tokens += e->job->tokens;
        sum->seconds += e->job->seconds;
        sum->job = e->job;
    }
    return true;
}

bool pr_track_result(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *mean, double *se,
                     pr_track_sum_t *sum)
{
    return result_of(s, t, asked, 0, s->config->n_objectives, mean, se, sum);
}

bool pr_track_reported(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *mean, double *se)
{
    pr_track_sum_t sum;
    int k_n = s->config->n_objectives;
    return result_of(s, t, asked, k_n, s->config->n_scored - k_n, mean, se, &sum);
}

/* ---- what the search is told ---- */

/* Everything observed so far, with the memory of its numbers. */
typedef struct pr_observations {
    pr_observation_t *item;
    size_t n;
    double *values;   // [n_asked][2K]: mean, se; turned
    double **prompts; // [n] the prompts' own scores, turned, or NULL
} pr_observations_t;

pr_status_t pr_track_per_prompt(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double *out, pr_error_t *err)
{
    int bounds[PR_MAX_LIST + 2], n = pr_track_ranges(t, t->asked_prompts[asked], bounds), k_n = s->config->n_objectives;
    for (int i = 0; i < n; i++) {
        const pr_evaluation_t *e = pr_track_range(s, t, asked, i);
        double *at = out + bounds[i] * k_n;
        if (e->prompt)
            memcpy(at, e->prompt, (size_t)e->count * (size_t)k_n * sizeof *at);
        else
            PR_TRY(pr_sweep_read_prompts(s, e, at, err));
        for (int j = 0; j < e->count * k_n; j++)
            at[j] *= pr_sweep_sign(s, j % k_n);
    }
    return PR_OK;
}

/* The same for a search, which will ask again and again: what is read is kept. Caller frees. */
static pr_status_t paired_scores(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double **out, pr_error_t *err)
{
    int bounds[PR_MAX_LIST + 2], n = pr_track_ranges(t, t->asked_prompts[asked], bounds);
    for (int i = 0; i < n; i++)
        PR_TRY(pr_sweep_keep_prompts(s, pr_track_range(s, t, asked, i), err));
    *out = pr_alloc((size_t)t->asked_prompts[asked] * (size_t)s->config->n_objectives, sizeof **out);
    return pr_track_per_prompt(s, t, asked, *out, err);
}

static bool given_up(const pr_sweep_t *s, const pr_track_t *t, size_t asked)
{
    int bounds[PR_MAX_LIST + 2], n = pr_track_ranges(t, t->asked_prompts[asked], bounds);
    for (int i = 0; i < n; i++)
        if (pr_evaluation_failed(pr_track_range(s, t, asked, i)))
            return true;
    return false;
}

/* What a result took of the machine: seconds of all cores of the team that found it, and where its point is a training
 * of its own, of the team that trained it. */
static double core_seconds(const pr_sweep_t *s, const pr_track_t *t, size_t asked, double seconds)
{
    const pr_config_t *c = s->config;
    double cores = (double)c->evaluate.team.rows * c->evaluate.team.cols * c->threads * seconds;
    if (!t->policy->per_point)
        return cores;
    return cores +
           (double)c->finetune.team.rows * c->finetune.team.cols * c->threads * pr_graph_training_seconds(s, t, asked);
}

/* One request's result. One that was given up has no numbers, which the search takes as such; one that is missing is
 * not told. */
static pr_status_t observe_one(const pr_sweep_t *s, const pr_track_t *t, size_t asked, pr_observations_t *o,
                               pr_error_t *err)
{
    size_t k_n = (size_t)s->config->n_objectives;
    double *v = o->values + o->n * 2 * k_n;
    pr_track_sum_t sum;
    bool there = pr_track_result(s, t, asked, v, v + k_n, &sum);
    if (!there && !given_up(s, t, asked))
        return PR_OK;
    for (size_t k = 0; k < k_n; k++) {
        v[k] = there ? pr_sweep_sign(s, (int)k) * v[k] : NAN;
        v[k_n + k] = there ? v[k_n + k] : NAN;
    }
    if (there && t->spec->n_fidelity > 0)
        PR_TRY(paired_scores(s, t, asked, &o->prompts[o->n], err));
    o->item[o->n] = (pr_observation_t){.point = t->asked_point + asked * (size_t)(1 + pr_search_size(&t->search)),
                                       .level = t->asked_level[asked],
                                       .n_prompts = t->asked_prompts[asked],
                                       .mean = v,
                                       .se = v + k_n,
                                       .per_prompt = o->prompts[o->n],
                                       .core_seconds = core_seconds(s, t, asked, sum.seconds)};
    o->n++;
    return PR_OK;
}

static pr_status_t observe(const pr_sweep_t *s, const pr_track_t *t, pr_observations_t *o, pr_error_t *err)
{
    size_t k_n = (size_t)s->config->n_objectives;
    *o = (pr_observations_t){.item = pr_alloc(t->n_asked, sizeof *o->item),
                             .values = pr_alloc(t->n_asked * 2 * k_n, sizeof *o->values),
                             .prompts = pr_alloc(t->n_asked, sizeof *o->prompts)};
    for (size_t i = 0; i < t->n_asked; i++)
        PR_TRY(observe_one(s, t, i, o, err));
    return PR_OK;
}

static void observations_clear(pr_observations_t *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->prompts[i]);
    free(o->prompts);
    free(o->values);
    free(o->item);
}

/* An objective in which no first-level point is better than the reference would make every hypervolume zero, and no
 * cell worth refining: it is measured from a tenth of its range below. */
static void make_room(const pr_sweep_t *s, const double *first, size_t n, double *reference)
{
    size_t k_n = (size_t)s->config->n_objectives;
    for (size_t k = 0; k < k_n; k++) {
        bool better = n == 0;
        for (size_t i = 0; i < n; i++)
            better = better || first[i * k_n + k] > reference[k];
        double range = s->high[k] - s->low[k];
        if (!better)
            reference[k] -= 0.1 * (isfinite(range) && range > 0 ? range : fmax(fabs(reference[k]), 1));
    }
}

/* What the search measures hypervolumes from: the sweep's reference point, with what first-level results, which later
 * ones cannot change, say where an objective has no declared worst value, or nothing better than it. */
static void set_reference(const pr_sweep_t *s, pr_track_t *t, const pr_observations_t *o)
{
    size_t k_n = (size_t)s->config->n_objectives, n = 0;
    double *first = pr_alloc(o->n * k_n, sizeof *first);
    for (size_t i = 0; i < o->n; i++)
        if (o->item[i].level == 0 && o->item[i].n_prompts == t->asked_prompts[0])
            memcpy(first + n++ * k_n, o->item[i].mean, k_n * sizeof *first);
    pr_sweep_fill_reference(s, first, n, t->reference);
    make_room(s, first, n, t->reference);
    free(first);
}

/* ---- what the search asks ---- */

/* Is every evaluation of this step done or given up? Neither is taken back, so each is looked at once. */
static bool all_settled(const pr_sweep_t *s, pr_track_t *t)
{
    while (t->settled < t->n_eval) {
        pr_job_state_t state = pr_sweep_eval(s, t->eval[t->settled])->job->state;
        if (state != PR_JOB_DONE && state != PR_JOB_FAILED)
            return false;
        t->settled++;
    }
    return true;
}

pr_point_t pr_track_point(const pr_track_t *t, size_t asked)
{
    int d = pr_search_size(&t->search);
    return pr_point_load(t->asked_point + asked * (size_t)(1 + d), d);
}

/* Adds the requests to those asked so far, and frees them, as they may take much. */
static void keep_requests(pr_track_t *t, pr_requests_t *r)
{
    size_t each = (size_t)(1 + pr_search_size(&t->search));
    if (t->n_asked + r->n > t->cap_asked) {
        t->cap_asked += t->cap_asked / 2 + r->n;
        t->asked_point = pr_realloc(t->asked_point, t->cap_asked * each, sizeof *t->asked_point);
        t->asked_level = pr_realloc(t->asked_level, t->cap_asked, sizeof *t->asked_level);
        t->asked_prompts = pr_realloc(t->asked_prompts, t->cap_asked, sizeof *t->asked_prompts);
        t->asked_eval = pr_realloc(t->asked_eval, t->cap_asked * (size_t)t->max_range, sizeof *t->asked_eval);
    }
    if (r->n > 0) {
        memcpy(t->asked_point + t->n_asked * each, r->flat, r->n * each * sizeof *r->flat);
        memcpy(t->asked_level + t->n_asked, r->level, r->n * sizeof *r->level);
        memcpy(t->asked_prompts + t->n_asked, r->n_prompts, r->n * sizeof *r->n_prompts);
    }
    t->n_asked += r->n;
    pr_requests_free(r);
}

/* Makes the evaluations of what was asked for last. */
static pr_status_t take_requests(pr_sweep_t *s, pr_track_t *t, pr_error_t *err)
{
    int bounds[PR_MAX_LIST + 2];
    t->n_eval = t->settled = 0;
    t->eval = pr_realloc(t->eval, t->n_new * (size_t)t->max_range, sizeof *t->eval);
    for (size_t i = t->n_asked - t->n_new; i < t->n_asked; i++) {
        int n = pr_track_ranges(t, t->asked_prompts[i], bounds);
        for (int j = 0; j < n; j++) {
            uint32_t e = 0;
            PR_TRY(pr_graph_evaluation(s, t, i, bounds[j], bounds[j + 1] - bounds[j], &e, err));
            t->eval[t->n_eval++] = t->asked_eval[i * (size_t)t->max_range + (size_t)j] = e;
        }
    }
    return PR_OK;
}

/* ---- what is told of it ---- */

/* {"search", "seed"}. New reference. */
static json_t *line_of(const pr_sweep_t *s, const pr_track_t *t)
{
    return json_pack("{s:s, s:I}", "search", t->spec->name, "seed", (json_int_t)s->config->seeds[t->seed_index]);
}

/* In turn with the ends of jobs, as it counts them. read: rounds that the journal has had; 0: one that is new. */
static void tell_points(pr_sweep_t *s, const pr_track_t *t, size_t n, size_t read)
{
    json_t *line = line_of(s, t);
    json_object_set_new(line, "level", json_integer(t->asked_level[t->n_asked - 1]));
    json_object_set_new(line, "points", json_integer((json_int_t)n));
    json_object_set_new(line, "jobs", pr_graph_counts(s));
    if (read > 0)
        json_object_set_new(line, "read_rounds", json_integer((json_int_t)read));
    else if (!pr_search_asks_once(t->spec))
        pr_rounds_add(t, line);
    pr_sweep_tell(s, "points", line);
}

/* What came from the journal is told in one line. */
static void tell_read(pr_sweep_t *s, pr_track_t *t)
{
    if (t->read_rounds > 0)
        tell_points(s, t, t->n_read, t->read_rounds);
    t->read_rounds = t->n_read = 0;
}

/* known: by the journal, so that people have been told. */
static void end(pr_sweep_t *s, pr_track_t *t, const pr_requests_t *r, bool known)
{
    char basis[PR_HASH_HEX], left[64] = "";
    json_t *line = line_of(s, t);
    t->done = true;
    t->left = r->left;
    snprintf(t->why, sizeof t->why, "%s", r->why);
    json_object_set_new(line, "why", json_string(t->why));
    json_object_set_new(line, "left", t->left < 0 ? json_null() : json_integer(t->left));
    if (!pr_search_asks_once(t->spec)) {
        pr_rounds_end_basis(s, t, basis);
        json_object_set_new(line, "basis", json_string(basis));
    }
    pr_sweep_tell(s, "search_end", line);
    if (t->left > 0)
        snprintf(left, sizeof left, "; %lld of its budget left", (long long)t->left);
    if (!known)
        pr_log(PR_LOG_INFO, "search \"%s\", seed %lld, asks for no more: %s%s", t->spec->name,
               (long long)s->config->seeds[t->seed_index], t->why, left);
}

/* ---- rounds ---- */

static void take_round(pr_track_t *t, pr_requests_t *r)
{
    t->n_new = t->n_last = r->n;
    keep_requests(t, r);
}

static pr_status_t ask(const pr_sweep_t *s, pr_track_t *t, pr_requests_t *r, pr_error_t *err)
{
    pr_observations_t o;
    pr_status_t status = observe(s, t, &o, err);
    if (status == PR_OK) {
        set_reference(s, t, &o);
        status = pr_search_next(&t->search, o.item, o.n, r, err);
    }
    observations_clear(&o);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "search \"%s\"", t->spec->name);
}

pr_status_t pr_track_first(const pr_sweep_t *s, pr_track_t *t, pr_error_t *err)
{
    pr_requests_t r = {0};
    if (pr_search_asks_once(t->spec)) {
        PR_TRY(ask(s, t, &r, err));
        take_round(t, &r);
        return PR_OK;
    }
    pr_status_t status = pr_search_check(&t->search, err);
    if (status == PR_OK)
        status = pr_rounds_begin(s, t, err);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "search \"%s\"", t->spec->name);
}

/* Sets n_new or done; neither when it is told to stop (PR_ERR_INTERRUPTED). */
static pr_status_t next_round(pr_sweep_t *s, pr_track_t *t, pr_error_t *err)
{
    pr_requests_t r = {0};
    if (t->base && t->n_asked > 0) {
        t->done = true;
        return PR_OK;
    }
    if (t->base) {
        pr_base_requests(s, t, &r);
        take_round(t, &r);
        return PR_OK;
    }
    if (pr_search_asks_once(t->spec)) { // with a million points it matters not to ask in vain
        pr_search_end(t->spec, (int64_t)t->n_asked, 0, &r);
        end(s, t, &r, false);
        return PR_OK;
    }
    pr_rounds_follow(s, t);
    bool known = pr_rounds_read(s, t, &r);
    if (known && !r.done) {
        t->read_rounds++;
        t->n_read += r.n;
    }
    if (!known || r.done)
        tell_read(s, t);
    if (!known)
        PR_TRY(ask(s, t, &r, err));
    if (r.done)
        end(s, t, &r, known);
    take_round(t, &r);
    return PR_OK;
}

/* Is it to be asked again, by a scale that is not known yet? */
static bool waits_for_scale(const pr_sweep_t *s, const pr_track_t *t)
{
    return t->n_new == 0 && t->n_asked > 0 && !t->base && !pr_search_asks_once(t->spec) && !pr_base_settled(s);
}

pr_status_t pr_track_advance(pr_sweep_t *s, pr_track_t *t, pr_error_t *err)
{
    while (!t->done && all_settled(s, t)) {
        if (waits_for_scale(s, t))
            break;
        if (t->n_new == 0) {
            pr_status_t status = next_round(s, t, err);
            if (status == PR_ERR_INTERRUPTED) { // its points are chosen by a later run
                s->ask_stopped = true;
                break;
            }
            PR_TRY(status);
        }
        if (t->n_new == 0)
            continue;
        PR_TRY(take_requests(s, t, err));
        if (t->read_rounds == 0 && !t->base)
            tell_points(s, t, t->n_new, 0);
        t->n_new = 0;
    }
    tell_read(s, t);
    return PR_OK;
}

void pr_track_clear(pr_track_t *t)
{
    free(t->eval);
    free(t->asked_point);
    free(t->asked_level);
    free(t->asked_prompts);
    free(t->asked_eval);
    pr_wishes_clear(&t->wishes);
}

/* ---- its points ---- */

static int compare_points(const pr_track_t *t, uint32_t x, uint32_t y)
{
    pr_point_t a = pr_track_point(t, x), b = pr_track_point(t, y);
    return pr_point_compare(&a, &b, pr_search_size(&t->search));
}

/* By weights, then the larger range of prompts first. */
static int compare_asked(const void *a, const void *b, void *self)
{
    const pr_track_t *t = self;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int c = compare_points(t, x, y), n = t->asked_prompts[x], m = t->asked_prompts[y];
    return c ? c : (n < m) - (n > m);
}

static int compare_level(const void *a, const void *b, void *self)
{
    const pr_track_t *t = self;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int p = t->asked_level[x], q = t->asked_level[y];
    return p != q ? (p > q) - (p < q) : compare_points(t, x, y);
}

uint32_t *pr_track_points(const pr_sweep_t *s, const pr_track_t *t, size_t *n)
{
    double mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES];
    pr_track_sum_t sum;
    uint32_t *all = pr_alloc(t->n_asked, sizeof *all);
    size_t have = 0, kept = 0;
    for (size_t i = 0; i < t->n_asked; i++)
        if (pr_track_result(s, t, i, mean, se, &sum))
            all[have++] = (uint32_t)i;
    qsort_r(all, have, sizeof *all, compare_asked, (void *)(uintptr_t)t);
    for (size_t i = 0; i < have; i++)
        if (kept == 0 || compare_points(t, all[i], all[kept - 1]) != 0)
            all[kept++] = all[i];
    qsort_r(all, kept, sizeof *all, compare_level, (void *)(uintptr_t)t);
    *n = kept;
    return all;
}
