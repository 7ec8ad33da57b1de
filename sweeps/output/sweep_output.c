// SPDX-License-Identifier: BSD-3-Clause
/* What a sweep leaves behind: tables, samples, costs, metrics. All but costs.csv and metrics.json are functions of the
 * configuration and the results alone. */
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "pareto/dominance.h"
#include "report/costs.h"
#include "report/metrics.h"
#include "report/samples.h"
#include "report/table.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The table of all points, in canonical order, with what its rows point into. */
typedef struct pr_output {
    pr_table_t table;
    size_t n_points; // rows of the searches; those of the base model and the experts alone follow
    pr_table_point_t *row;
    size_t stride;                // 2K and the most weights that a point has
    double *values;               // [n][stride]: means, standard errors, rows of weights
    json_t **params;              // [n] what else was chosen, or NULL
    double *reported;             // [n][2R]: means and standard errors of the objectives that are only reported
    double *turned;               // [n,K] means, larger is better
    const pr_evaluation_t **eval; // [n] of the first range of prompts, for samples
    char (*id)[PR_HASH_HEX];      // [2n] of the first and the last range's job
    const char **name, **search;  // of objectives, of searches
} pr_output_t;

static void fill_row(const pr_sweep_t *s, const pr_track_t *t, size_t asked, pr_output_t *o)
{
    size_t k_n = (size_t)s->config->n_objectives, i = o->table.n++;
    double *v = o->values + i * o->stride;
    pr_track_sum_t sum;
    const pr_domain_t *d = &t->policy->domain;
    pr_point_t point = pr_track_point(t, asked);
    pr_domain_choice(d, &point, v + 2 * k_n, &o->params[i]);
    pr_track_result(s, t, asked, v, v + k_n, &sum);
    for (size_t k = 0; k < k_n; k++)
        o->turned[i * k_n + k] = pr_sweep_sign(s, (int)k) * v[k];
    double *reported = o->reported + i * 2 * (size_t)o->table.n_report;
    pr_track_reported(s, t, asked, reported, reported + o->table.n_report);
    o->eval[i] = pr_track_range(s, t, asked, 0);
    pr_job_record_id(o->eval[i]->job, o->id[2 * i]);
    pr_job_record_id(sum.job, o->id[2 * i + 1]);
    o->row[i] = (pr_table_point_t){.id = o->id[2 * i],
                                   .search = t->spec->name,
                                   .seed = (int)s->config->seeds[t->seed_index],
                                   .level = t->asked_level[asked],
                                   .rows = d->rows,
                                   .w = v + 2 * k_n,
                                   .params = o->params[i],
                                   .mean = v,
                                   .se = v + k_n,
                                   .reported = reported,
                                   .reported_se = reported + o->table.n_report,
                                   .n_prompts = t->asked_prompts[asked],
                                   .tokens = sum.tokens,
                                   .cut = sum.cut,
                                   .job = o->id[2 * i + 1],
                                   .base = t->base != NULL};
    o->n_points += t->base == NULL;
}

static size_t count_asked(const pr_sweep_t *s)
{
    size_t n = 0;
    for (int i = 0; i < s->n_track + s->n_base; i++)
        n += s->track[i].n_asked;
    return n;
}

static void make_room(const pr_sweep_t *s, size_t most, pr_output_t *o)
{
    size_t k_n = (size_t)s->config->n_objectives, scored = (size_t)s->config->n_scored, weights = k_n;
    for (int i = 0; i < s->n_track + s->n_base; i++) {
        size_t own = (size_t)pr_domain_weights(&s->track[i].policy->domain);
        weights = own > weights ? own : weights;
    }
    *o = (pr_output_t){.row = pr_alloc(most, sizeof *o->row),
                       .stride = 2 * k_n + weights,
                       .values = pr_alloc(most * (2 * k_n + weights), sizeof(double)),
                       .params = pr_alloc(most, sizeof *o->params),
                       .turned = pr_alloc(most * k_n, sizeof(double)),
                       .eval = pr_alloc(most, sizeof *o->eval),
                       .id = pr_alloc(2 * most, sizeof *o->id),
                       .reported = pr_alloc(most * 2 * (scored - k_n), sizeof(double)),
                       .name = pr_alloc(scored, sizeof *o->name),
                       .search = pr_alloc((size_t)s->config->n_searches, sizeof *o->search)};
    for (int i = 0; i < s->config->n_searches; i++)
        o->search[i] = s->config->search[i].name;
    for (size_t k = 0; k < scored; k++)
        o->name[k] = s->config->objective[k].name;
    o->table = (pr_table_t){.k = (int)k_n,
                            .objective = o->name,
                            .point = o->row,
                            .n_searches = s->config->n_searches,
                            .n_seeds = s->config->n_seeds,
                            .search = o->search,
                            .seed = s->config->seeds,
                            .n_report = (int)(scored - k_n),
                            .report = o->name + k_n};
}

/* base: with the rows of the base model and the experts alone. */
static void make_table(const pr_sweep_t *s, bool base, pr_output_t *o)
{
    size_t n;
    make_room(s, count_asked(s), o);
    for (int i = 0; i < s->n_track + (base ? s->n_base : 0); i++) {
        uint32_t *index = pr_track_points(s, &s->track[i], &n);
        for (size_t j = 0; j < n; j++)
            fill_row(s, &s->track[i], index[j], o);
        free(index);
    }
}

static void output_clear(pr_output_t *o)
{
    for (size_t i = 0; i < o->table.n; i++)
        json_decref(o->params[i]);
    free(o->params);
    free(o->row);
    free(o->values);
    free(o->reported);
    free(o->turned);
    free(o->eval);
    free(o->id);
    free(o->name);
    free(o->search);
}

typedef struct pr_vector_order {
    const double *v;
    size_t k;
} pr_vector_order_t;

static int compare_vectors(const void *a, const void *b, void *self)
{
    const pr_vector_order_t *o = self;
    const double *x = *(const double *const *)a, *y = *(const double *const *)b;
    for (size_t k = 0; k < o->k; k++)
        if (x[k] != y[k])
            return x[k] < y[k] ? -1 : 1;
    return 0;
}

/* Marks the rows whose objectives are one of the front's vectors: all of several equal ones. */
static void mark_given(pr_output_t *o, const double *front, size_t n_front)
{
    pr_vector_order_t order = {front, (size_t)o->table.k};
    const double **sorted = pr_alloc(n_front, sizeof *sorted);
    for (size_t i = 0; i < n_front; i++)
        sorted[i] = front + i * order.k;
    qsort_r(sorted, n_front, sizeof *sorted, compare_vectors, &order);
    for (size_t i = 0; i < o->n_points; i++) {
        const double *v = o->turned + i * order.k;
        size_t lo = 0, hi = n_front;
        while (lo < hi) {
            size_t mid = (lo + hi) / 2;
            if (compare_vectors(&sorted[mid], &v, &order) < 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        o->row[i].front = lo < n_front && compare_vectors(&sorted[lo], &v, &order) == 0;
    }
    free(sorted);
}

static void mark_front(pr_output_t *o, const double *front, size_t n_front)
{
    if (front) {
        mark_given(o, front, n_front);
        return;
    }
    bool *kept = pr_alloc(o->n_points, sizeof *kept);
    pr_nondominated(o->turned, o->n_points, o->table.k, true, kept);
    for (size_t i = 0; i < o->n_points; i++)
        o->row[i].front = kept[i];
    free(kept);
}

typedef void (*pr_row_fn)(void *self, const pr_table_point_t *row, const pr_evaluation_t *e);

static void give_row(const pr_sweep_t *s, const pr_track_t *t, size_t asked, pr_row_fn each, void *self)
{
    pr_output_t o;
    make_room(s, 1, &o);
    fill_row(s, t, asked, &o);
    o.row[0].front = !t->base;
    each(self, &o.row[0], o.eval[0]);
    output_clear(&o);
}

/* Rows are made of the front's points alone: there may be millions of others. */
void pr_sweep_each_front(const pr_sweep_t *s, pr_row_fn each, void *self)
{
    pr_runs_t runs = pr_sweep_runs(s);
    bool *kept = pr_alloc(runs.n, sizeof *kept);
    pr_nondominated(runs.mean, runs.n, s->config->n_objectives, true, kept);
    for (int i = 0, at = 0; i < s->n_track; i++)
        for (size_t j = 0; j < runs.run[i].n; j++, at++)
            if (kept[at])
                give_row(s, &s->track[i], runs.run[i].asked[j], each, self);
    free(kept);
    pr_sweep_runs_clear(s, &runs);
    for (int i = s->n_track; i < s->n_track + s->n_base; i++) {
        size_t n;
        uint32_t *index = pr_track_points(s, &s->track[i], &n);
        for (size_t j = 0; j < n; j++)
            give_row(s, &s->track[i], index[j], each, self);
        free(index);
    }
}

/* ---- samples ---- */

/* scores [front_samples,K + reported]: room for the numbers of this row. */
static void add_samples(const pr_sweep_t *s, const pr_table_point_t *row, const pr_evaluation_t *e, const json_t *said,
                        const json_t *prompts, double *scores, pr_sample_line_t *line, size_t *n)
{
    const json_t *lines = json_object_get(said, "lines"), *texts = json_object_get(said, "responses"),
                 *endings = json_object_get(said, "finish"), *numbers = json_object_get(said, "scores");
    int k_n = s->config->n_scored;
    for (int i = 0; i < e->count && i < s->config->front_samples; i++) {
        for (int k = 0; k < k_n; k++)
            scores[i * k_n + k] = json_number_value(json_array_get(json_array_get(numbers, (size_t)i), (size_t)k));
        line[(*n)++] = (pr_sample_line_t){.search = row->search,
                                          .seed = row->seed,
                                          .rows = row->rows,
                                          .w = row->w,
                                          .params = row->params,
                                          .prompt = json_string_value(json_array_get(prompts, (size_t)(e->first + i))),
                                          .response = json_string_value(json_array_get(texts, (size_t)i)),
                                          .response_len = json_string_length(json_array_get(texts, (size_t)i)),
                                          .finish = json_string_value(json_array_get(endings, (size_t)i)),
                                          .score = scores + i * k_n,
                                          .line = json_string_value(json_array_get(lines, (size_t)i))};
    }
}

/* A response that was cut is scored as if it were whole, and nothing else shows it. */
static void warn_of_cuts(const pr_sweep_t *s, const pr_output_t *o)
{
    size_t n = 0, front = 0;
    for (size_t i = 0; i < o->table.n; i++) {
        front += o->row[i].front;
        n += o->row[i].front && o->row[i].cut > 0.5;
    }
    if (n > 0)
        pr_log(PR_LOG_WARN,
               "%zu of %zu points of the front had more than half of their responses cut at evaluate.max_new_tokens = "
               "%d (the column cut; truncated = \"%s\")",
               n, front, s->config->evaluate.max_new_tokens, s->config->truncated);
}

/* A point whose responses are lost keeps its scores; its samples are missed, and that is said. */
static pr_status_t write_samples(const pr_sweep_t *s, const pr_output_t *o, pr_error_t *err)
{
    const json_t *prompts = pr_inputs_eval_texts(s->inputs);
    size_t each = s->config->front_samples > 0 ? (size_t)s->config->front_samples : 1, n = 0, rows = 0;
    for (size_t i = 0; i < o->table.n; i++)
        rows += o->row[i].front || o->row[i].base;
    pr_sample_line_t *line = pr_alloc(rows * each, sizeof *line);
    size_t scored = (size_t)s->config->n_scored;
    double *scores = pr_alloc(rows * each * scored, sizeof *scores);
    for (size_t i = 0; i < o->table.n; i++) {
        pr_error_t why;
        if ((!o->row[i].front && !o->row[i].base) || s->config->front_samples == 0)
            continue;
        const json_t *said = pr_sweep_said(s, &o->row[i], o->eval[i], &why);
        if (said)
            add_samples(s, &o->row[i], o->eval[i], said, prompts, scores + n * scored, line, &n);
        else
            pr_log(PR_LOG_WARN, "no samples of a %s: %s",
                   o->row[i].base ? "row of the base model or an expert" : "front point", why.text);
    }
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_SAMPLES);
    pr_status_t status = pr_write_samples(path, o->table.k, (int)scored, o->name, line, n, err);
    free(path);
    free(line);
    free(scores);
    return status;
}

/* ---- costs and metrics ---- */

/* Of all attempts of all runs, with and without a result. */
static double spent_seconds(const pr_job_record_t *r)
{
    return r->spent + r->seconds;
}

static int64_t spent_tokens(const pr_job_record_t *r)
{
    return r->wasted + r->tokens;
}

/* id [33]: room for its text. */
static pr_cost_t cost_of(const pr_sweep_t *s, const pr_job_record_t *r, const char *kind, const char *label, char *id)
{
    static const char *const states[] = {"waiting", "running", "ok", "failed"};
    bool ran = r->attempts > 0;
    pr_job_record_id(r, id);
    return (pr_cost_t){.job = id,
                       .kind = kind,
                       .label = label,
                       .rank = ran ? r->rank : -1,
                       .host = ran ? pr_fold_host(s->fold, r) : "",
                       .seconds = ran || r->state == PR_JOB_DONE ? spent_seconds(r) : NAN,
                       .tokens = spent_tokens(r),
                       .attempts = r->attempts,
                       .status = states[r->state]};
}

static pr_status_t write_costs(const pr_sweep_t *s, pr_error_t *err)
{
    const pr_graph_t *g = &s->graph;
    size_t most = g->n_node + g->n_evaluation, n = 0;
    pr_cost_t *cost = pr_alloc(most, sizeof *cost);
    char **label = pr_alloc(most, sizeof *label), (*id)[PR_HASH_HEX] = pr_alloc(most, sizeof *id);
    for (size_t i = 0; i < g->n_node; i++, n++) {
        label[n] = pr_strdup(g->node[i]->label);
        cost[n] = cost_of(s, g->node[i]->job, g->node[i]->kind->name, label[n], id[n]);
    }
    for (size_t i = 0; i < g->n_evaluation; i++, n++) {
        const pr_evaluation_t *e = pr_sweep_eval(s, i);
        char point[PR_POINT_TEXT];
        pr_point_t at = pr_sweep_point(s, e);
        pr_domain_text(&s->track[e->track].policy->domain, &at, point, sizeof point);
        label[n] = pr_results_path(s->track[e->track].spec->name, "%s", point);
        cost[n] = cost_of(s, e->job, pr_job_kind_evaluating()->name, label[n], id[n]);
    }
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_COSTS);
    pr_status_t status = pr_write_costs_csv(path, cost, n, err);
    for (size_t i = 0; i < n; i++)
        free(label[i]);
    free(label);
    free(id);
    free(cost);
    free(path);
    return status;
}

/* {"<kind>_seconds", "<kind>_tokens", ...}. */
static json_t *cost_metrics(const pr_sweep_t *s)
{
    const pr_graph_t *g = &s->graph;
    size_t n;
    const pr_job_kind_t *const *kinds = pr_job_kinds(&n);
    json_t *m = json_object();
    for (size_t i = 0; i < n; i++) {
        double seconds = 0;
        int64_t tokens = 0;
        char key[64];
        for (size_t j = 0; j < g->n_node; j++)
            if (g->node[j]->kind == kinds[i]) {
                seconds += spent_seconds(g->node[j]->job);
                tokens += spent_tokens(g->node[j]->job);
            }
        for (size_t j = 0; kinds[i]->evaluates && j < g->n_evaluation; j++) {
            seconds += spent_seconds(pr_sweep_eval(s, j)->job);
            tokens += spent_tokens(pr_sweep_eval(s, j)->job);
        }
        snprintf(key, sizeof key, "%s_seconds", kinds[i]->name);
        json_object_set_new(m, key, pr_json_real(seconds));
        snprintf(key, sizeof key, "%s_tokens", kinds[i]->name);
        json_object_set_new(m, key, json_integer(tokens));
    }
    json_object_set_new(m, "wall_seconds", pr_json_real(pr_time_monotonic() - s->began));
    json_object_set_new(m, "earlier_wall_seconds", pr_json_real(s->fold->before));
    json_object_set_new(m, "workers", json_integer(s->workers));
    return m;
}

static json_t *metrics_of(const pr_sweep_t *s, const pr_output_t *o, const json_t *measured)
{
    json_t *reference = json_object(), *from = json_object(), *hosts = json_array();
    double point[PR_MAX_OBJECTIVES];
    pr_sweep_fill_reference(s, o->turned, o->n_points, point);
    for (int k = 0; k < o->table.k; k++) // -INFINITY when nothing has been evaluated: JSON has no word for it
        json_object_set_new(reference, o->name[k], pr_json_real(pr_sweep_sign(s, k) * point[k]));
    for (int k = 0; k < o->table.k; k++)
        json_object_set_new(from, o->name[k], json_string(pr_reference_from(s, k)));
    for (int i = 0; i < s->fold->n_host; i++)
        json_array_append_new(hosts, json_string(s->fold->host[i]));
    json_t *m = json_pack("{s:s, s:o, s:o, s:O, s:O, s:O, s:o, s:o, s:O}", "name", s->config->name, "reference_point",
                          reference, "reference_from", from, "all", json_object_get(measured, "all"), "searches",
                          json_object_get(measured, "searches"), "indicators", json_object_get(measured, "indicators"),
                          "costs", cost_metrics(s), "hosts", hosts, "failures", s->fold->failures);
    json_object_set(m, "base", json_object_get(measured, "base")); // a missing key is not set
    return m;
}

/* A stop in the middle leaves metrics.json for a later run, as that may hold all of them; a sweep that is stopped
 * before its end has counts and costs. */
static pr_status_t write_metrics(pr_sweep_t *s, const pr_output_t *o, pr_error_t *err)
{
    json_t *measured = NULL;
    bool complete = pr_sweep_complete(s);
    pr_status_t status = pr_sweep_measure(s, &measured, err);
    s->end_stopped = status == PR_ERR_INTERRUPTED;
    if (status == PR_OK || (s->end_stopped && !complete)) {
        json_t *m = metrics_of(s, o, measured);
        char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_METRICS);
        status = pr_write_metrics(path, m, err);
        free(path);
        json_decref(m);
    }
    json_decref(measured);
    return status == PR_ERR_INTERRUPTED ? PR_OK : status; // pr_sweep_end() says it
}

/* Tells `status` in other shells what the end does. */
static pr_status_t begin_piece(pr_sweep_t *s, const char *what, pr_error_t *err)
{
    pr_status_t status = pr_sweep_tell_now(s, "ending", json_pack("{s:s}", "what", what), false, err);
    pr_sweep_end_stops(s); // so that it is shown
    return status;
}

/* The tables say it from now on. */
static void remove_so_far(const pr_sweep_t *s)
{
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_FRONT_NOW);
    unlink(path);
    free(path);
}

pr_status_t pr_sweep_write(pr_sweep_t *s, const double *front, size_t n_front, pr_error_t *err)
{
    pr_output_t o;
    pr_status_t status = PR_OK;
    const char *dir = pr_sweep_dir(s);
    char *cells = pr_results_path(dir, PR_FILE_CELLS), *csv = pr_results_path(dir, PR_FILE_FRONT_CSV),
         *json = pr_results_path(dir, PR_FILE_FRONT_JSON);
    make_table(s, true, &o);
    mark_front(&o, front, n_front);
    PR_GO(pr_sweep_commit(s, err));
    PR_GO(pr_results_check(s->results, err));
    PR_GO(write_costs(s, err));
    if (!pr_sweep_complete(s) && pr_sweep_tables_finished(s, o.table.n)) {
        pr_log(PR_LOG_INFO, "%s: the tables of the finished sweep stay, as this run does not end complete", dir);
        goto done;
    }
    PR_GO(begin_piece(s, PR_ENDING_TABLES, err));
    PR_GO(pr_write_cells_csv(cells, &o.table, err));
    PR_GO(pr_write_front_csv(csv, &o.table, err));
    PR_GO(pr_write_front_json(json, &o.table, err));
    PR_GO(write_samples(s, &o, err));
    PR_GO(pr_sweep_write_steps(s, err));
    PR_GO(pr_sweep_write_ledger(s, err));
    warn_of_cuts(s, &o);
    PR_GO(begin_piece(s, PR_ENDING_INDICATORS, err));
    PR_GO(write_metrics(s, &o, err));
    PR_GO(pr_sweep_tables_written(s, o.table.n, err));
done:
    if (status == PR_OK)
        remove_so_far(s);
    s->fold->ending = NULL;
    free(cells);
    free(csv);
    free(json);
    output_clear(&o);
    return status;
}

void pr_sweep_show_so_far(pr_sweep_t *s)
{
    static const double PAUSE = 10, SHARE = 50; // seconds; of the time, at most this part
    double now = pr_time_monotonic();
    pr_output_t o;
    if (s->fold->ending || s->graph.n_evaluated == s->shown || now < s->show_next)
        return;
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_FRONT_NOW);
    make_table(s, true, &o);
    mark_front(&o, NULL, 0);
    if (o.n_points > 0)
        pr_write_front_json(path, &o.table, NULL);
    output_clear(&o);
    free(path);
    s->shown = s->graph.n_evaluated;
    s->show_next = pr_time_monotonic() + fmax(PAUSE, SHARE * (pr_time_monotonic() - now));
}

char *pr_sweep_front_table(const pr_sweep_t *s, int columns, int max_rows)
{
    pr_output_t o;
    make_table(s, true, &o);
    if (o.n_points == 0) {
        output_clear(&o);
        return NULL;
    }
    mark_front(&o, NULL, 0);
    char **sample = pr_alloc(o.table.n, sizeof *sample);
    int shown = 0; // what others said is not read: there may be very many
    for (size_t i = 0; i < o.table.n; i++)
        if (o.row[i].base || (o.row[i].front && (max_rows == 0 || shown < max_rows))) {
            shown += o.row[i].front;
            sample[i] = pr_sweep_first_response(pr_sweep_said(s, &o.row[i], o.eval[i], NULL));
        }
    char *text = pr_front_table(&o.table, (const char *const *)sample, columns, max_rows, pr_sweep_dir(s));
    for (size_t i = 0; i < o.table.n; i++)
        free(sample[i]);
    free(sample);
    output_clear(&o);
    return text;
}

/* ---- the end ---- */

/* Heads and experts that could not be made leave points behind that were never tried. */
static pr_status_t incomplete(const pr_sweep_t *s, pr_error_t *err)
{
    const json_t *first = json_array_get(s->fold->failures, 0);
    size_t missing = s->graph.n_evaluation - s->graph.n_evaluated, failed = (size_t)s->fold->failed;
    int code = pr_status_exit_code(s->why); // what is wrong with the environment or the configuration is no job's fault
    bool outside = code == pr_status_exit_code(PR_ERR_ENV) || code == pr_status_exit_code(PR_ERR_CONFIG);
    pr_status_t status = outside ? s->why : PR_ERR_INCOMPLETE;
    return pr_fail(err, status,
                   "%zu job%s given up, %zu point%s without a result; the same command tries again; the first: %s: %s",
                   failed, failed == 1 ? "" : "s", missing, missing == 1 ? "" : "s",
                   json_string_value(json_object_get(first, "label")),
                   json_string_value(json_object_get(first, "error")));
}

pr_status_t pr_sweep_end(pr_sweep_t *s, bool interrupted, pr_error_t *err)
{
    bool all = pr_sweep_complete(s);
    interrupted = interrupted || s->end_stopped || s->ask_stopped;
    const char *state = all ? "finished" : interrupted ? "interrupted" : "incomplete";
    pr_status_t status = pr_sweep_commit(s, err);
    if (status == PR_OK)
        status = pr_sweep_tell_now(s, "sweep_end",
                                   json_pack("{s:s, s:o, s:I, s:I}", "state", state, "seconds",
                                             pr_json_real(pr_time_monotonic() - s->began), "jobs_done",
                                             (json_int_t)s->fold->done, "jobs_failed", (json_int_t)s->fold->failed),
                                   true, err);
    if (status != PR_OK || all)
        return status;
    if (interrupted)
        return pr_fail(err, PR_ERR_INTERRUPTED, "stopped before the end; the same command continues it");
    return incomplete(s, err);
}

/* ---- points, for the reduction over ranks ---- */

void pr_sweep_points(const pr_sweep_t *s, bool elsewhere, pr_sweep_points_t *out)
{
    size_t k_n = (size_t)s->config->n_objectives;
    pr_output_t o;
    make_table(s, false, &o);
    *out = (pr_sweep_points_t){.k = (int)k_n, .value = pr_alloc(o.table.n * k_n, sizeof(double))};
    out->id = pr_alloc(o.table.n, sizeof *out->id);
    // Workers keep whole points of this run only, and none where a job may be a part of a point.
    bool archived = elsewhere && !pr_sweep_any_fidelity(s->config);
    for (size_t i = 0; i < o.table.n; i++) {
        const pr_evaluation_t *e = o.eval[i];
        if (archived && e->job->tries > 0 && !e->apart && !e->again) // which may not have come to its end
            continue;
        memcpy(out->value + out->n * k_n, o.turned + i * k_n, k_n * sizeof(double));
        out->id[out->n++] = pr_point_number(o.row[i].job);
    }
    output_clear(&o);
}

void pr_sweep_points_clear(pr_sweep_points_t *p)
{
    free(p->value);
    free(p->id);
    *p = (pr_sweep_points_t){0};
}
