/* How good each search's fronts are: indicators with confidence intervals over prompts and, where there are several,
 * over seeds. Values are turned so that larger is better; utilities, distances and sparsity are of values brought to
 * [0,1] by the declared ranges, where all objectives declare finite ones. */
#include "base/mem.h"
#include "pareto/dominance.h"
#include "pareto/hypervolume.h"
#include "pareto/indicators.h"
#include "pareto/range.h"
#include "pareto/uncertainty.h"
#include "pareto/utility.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 1000, MAX_SCORES = 20000000, WEIGHTS = 100 };

/* One search over one set of experts. */
typedef struct pr_run_points {
    size_t n;
    double *w;      // [n,K]
    double *mean;   // [n,K] turned
    double *scores; // [n,prompts,K] turned; NaN where a prompt was not used; NULL when they are not all to be had
} pr_run_points_t;

static void run_clear(pr_run_points_t *r)
{
    free(r->w);
    free(r->mean);
    free(r->scores);
    *r = (pr_run_points_t){0};
}

static void run_scores(const pr_sweep_t *s, const pr_track_t *t, const uint32_t *index, pr_run_points_t *r)
{
    size_t row = (size_t)s->n_prompts * (size_t)s->config->n_objectives;
    if (r->n == 0 || r->n > MAX_SCORES / row)
        return;
    r->scores = pr_alloc(r->n * row, sizeof(double));
    for (size_t i = 0; i < r->n * row; i++)
        r->scores[i] = NAN;
    for (size_t i = 0; i < r->n; i++)
        if (pr_track_per_prompt(s, t, index[i], r->scores + i * row, NULL) != PR_OK) {
            free(r->scores);
            r->scores = NULL;
            return;
        }
}

static void run_read(const pr_sweep_t *s, const pr_track_t *t, pr_run_points_t *r)
{
    size_t k_n = (size_t)s->config->n_objectives;
    uint32_t *index = pr_track_points(s, t, &r->n);
    double *se = pr_alloc(k_n, sizeof *se);
    pr_track_sum_t sum;
    r->w = pr_alloc(r->n * k_n, sizeof(double));
    r->mean = pr_alloc(r->n * k_n, sizeof(double));
    for (size_t i = 0; i < r->n; i++) {
        pr_point_weights(&t->asked[index[i]].point, (int)k_n, r->w + i * k_n);
        pr_track_result(s, t, index[i], r->mean + i * k_n, se, &sum);
        for (size_t k = 0; k < k_n; k++)
            r->mean[i * k_n + k] *= pr_sweep_sign(s, (int)k);
    }
    run_scores(s, t, index, r);
    free(se);
    free(index);
}

/* What all searches are measured against. */
typedef struct pr_yardstick {
    int k;
    double reference[PR_MAX_OBJECTIVES];
    bool normal;   // all ranges are finite
    double *front; // [n_front,K] non-dominated points of all searches, normalised where normal
    size_t n_front;
    pr_weights_t weights;
} pr_yardstick_t;

static void normalise(const pr_sweep_t *s, const pr_yardstick_t *y, const double *from, size_t n, double *to)
{
    if (y->normal)
        pr_normalise(from, n, y->k, s->lo, s->hi, to);
    else
        memcpy(to, from, n * (size_t)y->k * sizeof *to);
}

static void yardstick_make(const pr_sweep_t *s, const pr_run_points_t *run, int n_run, pr_yardstick_t *y)
{
    size_t n = 0, k_n = (size_t)s->config->n_objectives;
    *y = (pr_yardstick_t){.k = (int)k_n, .normal = true};
    for (size_t k = 0; k < k_n; k++)
        y->normal = y->normal && isfinite(s->lo[k]) && isfinite(s->hi[k]) && s->hi[k] > s->lo[k];
    for (int i = 0; i < n_run; i++)
        n += run[i].n;
    double *all = pr_alloc(n * k_n, sizeof *all);
    bool *kept = pr_alloc(n, sizeof *kept);
    n = 0;
    for (int i = 0; i < n_run; i++) {
        memcpy(all + n * k_n, run[i].mean, run[i].n * k_n * sizeof *all);
        n += run[i].n;
    }
    pr_sweep_fill_reference(s, all, n, y->reference);
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
    free(all);
    free(kept);
}

static void yardstick_clear(pr_yardstick_t *y)
{
    free(y->front);
    free((double *)(uintptr_t)y->weights.weights);
}

/* The hypervolume of a search: mean over its runs, with an interval by bootstrap over prompts and runs where the
 * prompts' scores are known. */
static json_t *hypervolume_of(const pr_sweep_t *s, const pr_yardstick_t *y, const pr_run_points_t *run, int n)
{
    double mean = 0, reference[PR_MAX_OBJECTIVES];
    bool known = true;
    pr_scores_t *scores = pr_alloc((size_t)n, sizeof *scores);
    memcpy(reference, y->reference, sizeof reference);
    for (int i = 0; i < n; i++) {
        mean += pr_hypervolume(run[i].mean, run[i].n, y->k, reference) / n;
        scores[i] = (pr_scores_t){run[i].scores, run[i].n};
        known = known && run[i].scores;
    }
    json_t *v = json_pack("{s:o}", "mean", pr_json_real(mean));
    pr_bootstrap_t how = {RESAMPLES, 0.95, (uint64_t)s->config->seed};
    pr_interval_t interval;
    if (known && pr_bootstrap(scores, (size_t)n, (size_t)s->n_prompts, y->k, pr_statistic_hypervolume, reference, &how,
                              &interval, NULL) == PR_OK) {
        json_object_set_new(v, "low", pr_json_real(interval.low));
        json_object_set_new(v, "high", pr_json_real(interval.high));
    }
    free(scores);
    return v;
}

/* ---- the difference of two searches, paired by prompts and experts ---- */

/* Two runs' points in one array, told apart by one more column: 1 for the first, 0 for the second. */
static double *join_scores(const pr_run_points_t *a, const pr_run_points_t *b, size_t prompts, size_t k_n)
{
    size_t row = prompts * k_n;
    double *out = pr_alloc((a->n + b->n) * prompts * (k_n + 1), sizeof *out), *to = out;
    for (size_t i = 0; i < a->n + b->n; i++) {
        const double *from = i < a->n ? a->scores + i * row : b->scores + (i - a->n) * row;
        for (size_t p = 0; p < prompts; p++, to += k_n + 1) {
            memcpy(to, from + p * k_n, k_n * sizeof *to);
            to[k_n] = isnan(to[0]) ? NAN : i < a->n;
        }
    }
    return out;
}

/* Hypervolume of the points of the second kind less that of the first. context: the reference point. */
static double hypervolume_difference(const double *points, size_t n, int m, void *reference)
{
    double *set = pr_alloc(n * (size_t)(m - 1), sizeof *set), volume[2];
    for (int kind = 0; kind < 2; kind++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            if ((points[i * (size_t)m + (size_t)m - 1] > 0.5) == (kind == 1))
                memcpy(set + count++ * (size_t)(m - 1), points + i * (size_t)m, (size_t)(m - 1) * sizeof *set);
        volume[kind] = pr_hypervolume(set, count, m - 1, reference);
    }
    free(set);
    return volume[0] - volume[1];
}

/* How much more hypervolume run has than first, with the interval of the paired bootstrap; null where scores are
 * missing. */
static json_t *difference_of(const pr_sweep_t *s, const pr_yardstick_t *y, const pr_run_points_t *first,
                             const pr_run_points_t *run, int n)
{
    double reference[PR_MAX_OBJECTIVES];
    pr_scores_t *scores = pr_alloc((size_t)n, sizeof *scores);
    bool known = true;
    memcpy(reference, y->reference, sizeof reference);
    for (int i = 0; i < n; i++) {
        known = known && first[i].scores && run[i].scores;
        if (known)
            scores[i] = (pr_scores_t){join_scores(&first[i], &run[i], (size_t)s->n_prompts, (size_t)y->k),
                                      first[i].n + run[i].n};
    }
    pr_bootstrap_t how = {RESAMPLES, 0.95, (uint64_t)s->config->seed};
    pr_interval_t interval;
    json_t *v = NULL;
    if (known && pr_bootstrap(scores, (size_t)n, (size_t)s->n_prompts, y->k + 1, hypervolume_difference, reference,
                              &how, &interval, NULL) == PR_OK)
        v = json_pack("{s:o, s:o, s:o}", "mean", pr_json_real(interval.estimate), "low", pr_json_real(interval.low),
                      "high", pr_json_real(interval.high));
    for (int i = 0; i < n; i++)
        free((double *)(uintptr_t)scores[i].scores);
    free(scores);
    return v ? v : json_null();
}

/* Kendall's tau of each weight and its objective over a run's points: does turning a weight up turn its objective up?
 */
static json_t *controllability(const pr_sweep_t *s, const pr_run_points_t *run, int n)
{
    size_t k_n = (size_t)s->config->n_objectives;
    json_t *v = json_object();
    for (size_t k = 0; k < k_n; k++) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            double *x = pr_alloc(run[i].n, sizeof *x), *y = pr_alloc(run[i].n, sizeof *y);
            for (size_t j = 0; j < run[i].n; j++) {
                x[j] = run[i].w[j * k_n + k];
                y[j] = run[i].mean[j * k_n + k];
            }
            sum += pr_kendall_tau(x, y, run[i].n) / n;
            free(x);
            free(y);
        }
        json_object_set_new(v, s->config->objective[k].name, pr_json_real(sum));
    }
    return v;
}

/* The non-dominated points of a run, normalised: what indicators are of. Dominated ones change none but the sparsity,
 * which is a front's, and there may be very many. Caller frees. */
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

static json_t *indicators_of(const pr_sweep_t *s, const pr_yardstick_t *y, const char *name, const pr_run_points_t *run,
                             int n)
{
    double points = 0, front = 0, utility = 0, loss = 0, igd = 0, sparsity = 0;
    for (int i = 0; i < n; i++) {
        size_t m;
        double *v = front_of(s, y, &run[i], &m);
        points += (double)run[i].n / n;
        front += (double)m / n;
        utility += pr_expected_utility(v, m, y->k, y->weights.weights, y->weights.n) / n;
        loss += pr_maximum_utility_loss(v, m, y->front, y->n_front, y->k, y->weights.weights, y->weights.n) / n;
        igd += pr_igd_plus(v, m, y->front, y->n_front, y->k) / n;
        sparsity += pr_sparsity(v, m, y->k) / n;
        free(v);
    }
    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "search", name, "seeds", n, "points",
                     pr_json_real(points), "front", pr_json_real(front), "hypervolume", hypervolume_of(s, y, run, n),
                     "expected_utility", pr_json_real(utility), "maximum_utility_loss", pr_json_real(loss), "igd_plus",
                     pr_json_real(igd), "sparsity", pr_json_real(sparsity), "controllability",
                     controllability(s, run, n));
}

/* The runs of search i that have points; returns how many. */
static int runs_of(const pr_sweep_t *s, const pr_run_points_t *run, int i, pr_run_points_t *out)
{
    int n = 0;
    for (int j = i * s->config->n_seeds; j < (i + 1) * s->config->n_seeds; j++)
        if (run[j].n > 0)
            out[n++] = run[j];
    return n;
}

static void add_search(const pr_sweep_t *s, const pr_yardstick_t *y, const pr_run_points_t *run, int i, json_t *list)
{
    pr_run_points_t *first = pr_alloc((size_t)s->config->n_seeds, sizeof *first);
    pr_run_points_t *own = pr_alloc((size_t)s->config->n_seeds, sizeof *own);
    int n_first = runs_of(s, run, 0, first), n = runs_of(s, run, i, own);
    if (n > 0) {
        json_t *v = indicators_of(s, y, s->track[i * s->config->n_seeds].spec->name, own, n);
        if (i > 0 && n_first == s->config->n_seeds && n == n_first)
            json_object_set_new(v, "more_than_first", difference_of(s, y, first, own, n));
        json_array_append_new(list, v);
    }
    free(first);
    free(own);
}

json_t *pr_sweep_indicators(const pr_sweep_t *s)
{
    // Tracks lie search by search, the seeds of each together.
    pr_run_points_t *run = pr_alloc((size_t)s->n_track, sizeof *run);
    pr_yardstick_t y;
    json_t *list = json_array();
    for (int i = 0; i < s->n_track; i++)
        run_read(s, &s->track[i], &run[i]);
    yardstick_make(s, run, s->n_track, &y);
    for (int i = 0; i < s->config->n_searches && y.n_front > 0; i++)
        add_search(s, &y, run, i, list);
    yardstick_clear(&y);
    for (int i = 0; i < s->n_track; i++)
        run_clear(&run[i]);
    free(run);
    return list;
}

static void cell(pr_buf_t *b, const json_t *v, const char *format)
{
    if (json_is_number(v))
        pr_buf_printf(b, format, json_number_value(v));
    else
        pr_buf_puts(b, "?");
}

char *pr_sweep_search_table(const json_t *indicators)
{
    pr_buf_t b = {0};
    size_t i;
    json_t *v;
    int width = 6;
    json_array_foreach(indicators, i, v)
    {
        int len = (int)strlen(json_string_value(json_object_get(v, "search")));
        width = len > width ? len : width;
    }
    pr_buf_printf(&b, "%-*s  seeds  points  front  hypervolume (95%% interval)  expected utility%s\n", width, "search",
                  json_array_size(indicators) > 1 ? "  hypervolume more than the first's (95% interval)" : "");
    json_array_foreach(indicators, i, v)
    {
        const json_t *h = json_object_get(v, "hypervolume");
        pr_buf_printf(&b, "%-*s  %5d", width, json_string_value(json_object_get(v, "search")),
                      (int)json_integer_value(json_object_get(v, "seeds")));
        cell(&b, json_object_get(v, "points"), "  %6.4g");
        cell(&b, json_object_get(v, "front"), "  %5.3g");
        cell(&b, json_object_get(h, "mean"), "  %.4f");
        if (json_object_get(h, "low"))
            pr_buf_printf(&b, " (%.4f to %.4f) ", json_number_value(json_object_get(h, "low")),
                          json_number_value(json_object_get(h, "high")));
        cell(&b, json_object_get(v, "expected_utility"), "  %16.4f");
        const json_t *more = json_object_get(v, "more_than_first");
        if (json_is_object(more))
            pr_buf_printf(&b, "  %+.4f (%+.4f to %+.4f)", json_number_value(json_object_get(more, "mean")),
                          json_number_value(json_object_get(more, "low")),
                          json_number_value(json_object_get(more, "high")));
        pr_buf_puts(&b, "\n");
    }
    return b.data;
}
