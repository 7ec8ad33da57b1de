/* What a sweep leaves behind: tables, samples, costs, metrics. All but costs.csv and metrics.json are functions of the
 * configuration and the results alone. */
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/prompts.h"
#include "pareto/dominance.h"
#include "pareto/hypervolume.h"
#include "report/costs.h"
#include "report/metrics.h"
#include "report/samples.h"
#include "report/table.h"
#include "store/checkpoint.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The table of all points, in canonical order, with what its rows point into. */
typedef struct pr_output {
    pr_table_t table;
    pr_table_point_t *row;
    double *values;               // [n][3K]: weights, means, standard errors
    double *turned;               // [n,K] means, larger is better
    const pr_evaluation_t **eval; // [n] of the first range of prompts, for samples
    const char **name;
} pr_output_t;

static void fill_row(const pr_sweep_t *s, const pr_track_t *t, size_t asked, pr_output_t *o)
{
    size_t k_n = (size_t)s->config->n_objectives, i = o->table.n++;
    double *v = o->values + i * 3 * k_n;
    pr_track_sum_t sum;
    pr_point_weights(&t->asked[asked].point, (int)k_n, v);
    pr_track_result(s, t, asked, v + k_n, v + 2 * k_n, &sum);
    for (size_t k = 0; k < k_n; k++)
        o->turned[i * k_n + k] = pr_sweep_sign(s, (int)k) * v[k_n + k];
    o->eval[i] = pr_track_range(s, t, asked, 0);
    o->row[i] = (pr_table_point_t){.id = o->eval[i]->job.id,
                                   .search = t->spec->name,
                                   .seed = (int)s->config->seeds[t->seed_index],
                                   .level = t->asked[asked].level,
                                   .w = v,
                                   .mean = v + k_n,
                                   .se = v + 2 * k_n,
                                   .n_prompts = t->asked[asked].n_prompts,
                                   .tokens = sum.tokens,
                                   .job = sum.job};
}

static size_t count_asked(const pr_sweep_t *s)
{
    size_t n = 0;
    for (int i = 0; i < s->n_track; i++)
        n += s->track[i].n_asked;
    return n;
}

static void make_table(const pr_sweep_t *s, pr_output_t *o)
{
    size_t most = count_asked(s), k_n = (size_t)s->config->n_objectives, n;
    *o = (pr_output_t){.row = pr_alloc(most, sizeof *o->row),
                       .values = pr_alloc(most * 3 * k_n, sizeof(double)),
                       .turned = pr_alloc(most * k_n, sizeof(double)),
                       .eval = pr_alloc(most, sizeof *o->eval),
                       .name = pr_alloc(k_n, sizeof *o->name)};
    for (size_t k = 0; k < k_n; k++)
        o->name[k] = s->config->objective[k].name;
    o->table = (pr_table_t){.k = (int)k_n, .objective = o->name, .point = o->row};
    for (int i = 0; i < s->n_track; i++) {
        uint32_t *index = pr_track_points(s, &s->track[i], &n);
        for (size_t j = 0; j < n; j++)
            fill_row(s, &s->track[i], index[j], o);
        free(index);
    }
}

static void output_clear(pr_output_t *o)
{
    free(o->row);
    free(o->values);
    free(o->turned);
    free(o->eval);
    free(o->name);
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

/* Marks the rows whose objectives are one of the front's vectors; of equal rows the first in canonical order stands for
 * all. */
static void mark_given(pr_output_t *o, const double *front, size_t n_front)
{
    pr_vector_order_t order = {front, (size_t)o->table.k};
    const double **sorted = pr_alloc(n_front, sizeof *sorted);
    bool *taken = pr_alloc(n_front, sizeof *taken);
    for (size_t i = 0; i < n_front; i++)
        sorted[i] = front + i * order.k;
    qsort_r(sorted, n_front, sizeof *sorted, compare_vectors, &order);
    for (size_t i = 0; i < o->table.n; i++) {
        const double *v = o->turned + i * order.k;
        size_t lo = 0, hi = n_front;
        while (lo < hi) {
            size_t mid = (lo + hi) / 2;
            if (compare_vectors(&sorted[mid], &v, &order) < 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo < n_front && !taken[lo] && compare_vectors(&sorted[lo], &v, &order) == 0)
            o->row[i].front = taken[lo] = true;
    }
    free(sorted);
    free(taken);
}

static void mark_front(pr_output_t *o, const double *front, size_t n_front)
{
    if (front) {
        mark_given(o, front, n_front);
        return;
    }
    bool *kept = pr_alloc(o->table.n, sizeof *kept);
    pr_nondominated(o->turned, o->table.n, o->table.k, false, kept);
    for (size_t i = 0; i < o->table.n; i++)
        o->row[i].front = kept[i];
    free(kept);
}

/* ---- samples ---- */

/* The responses and scores of one evaluation, as its job saved them. */
typedef struct pr_said {
    pr_checkpoint_t c;
    const double *scores; // [count,K]
    json_t *responses;    // array of strings
} pr_said_t;

static pr_status_t find_responses(const pr_checkpoint_t *c, const char *path, int count, json_t **out, pr_error_t *err)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->section[i].name, "responses") == 0)
            PR_TRY(pr_json_parse(c->section[i].data, c->section[i].count * c->section[i].elem, path, out, err));
    if (json_array_size(*out) != (size_t)count)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %zu responses, expected %d", path, json_array_size(*out), count);
    return PR_OK;
}

static void said_clear(pr_said_t *s)
{
    json_decref(s->responses);
    pr_checkpoint_clear(&s->c);
    *s = (pr_said_t){0};
}

/* A point whose job's checkpoint has gone keeps its scores; its samples are missed, and that is said. */
static bool read_said(const pr_sweep_t *s, const pr_evaluation_t *e, pr_said_t *out)
{
    char *path = pr_results_path(pr_sweep_dir(s), "checkpoints/evaluate-%s.ckpt", e->job.id);
    const void *scores = NULL;
    pr_error_t err;
    pr_status_t status;
    *out = (pr_said_t){0};
    PR_GO(pr_checkpoint_read(path, "evaluate", &out->c, &err));
    PR_GO(pr_checkpoint_section(&out->c, path, "scores", sizeof(double), (size_t)(e->count * s->config->n_objectives),
                                &scores, &err));
    PR_GO(find_responses(&out->c, path, e->count, &out->responses, &err));
    out->scores = scores;
done:
    free(path);
    if (status != PR_OK) {
        pr_log(PR_LOG_WARN, "no samples of a front point: %s", err.text);
        said_clear(out);
    }
    return status == PR_OK;
}

static void add_samples(const pr_sweep_t *s, const pr_table_point_t *row, const pr_evaluation_t *e,
                        const pr_said_t *said, const pr_prompts_t *prompts, pr_sample_line_t *line, size_t *n)
{
    for (int i = 0; i < e->count && i < s->config->front_samples; i++)
        line[(*n)++] = (pr_sample_line_t){.search = row->search,
                                          .seed = row->seed,
                                          .w = row->w,
                                          .prompt = prompts->text[e->first + i],
                                          .response = json_string_value(json_array_get(said->responses, (size_t)i)),
                                          .score = said->scores + i * s->config->n_objectives};
}

static pr_status_t write_samples(const pr_sweep_t *s, const pr_output_t *o, pr_error_t *err)
{
    pr_prompts_t *prompts = NULL;
    PR_TRY(pr_prompts_load(s->config->eval_prompts, &prompts, err));
    pr_said_t *said = pr_alloc(o->table.n, sizeof *said);
    pr_sample_line_t *line =
        pr_alloc(o->table.n * (size_t)(s->config->front_samples > 0 ? s->config->front_samples : 1), sizeof *line);
    size_t n = 0;
    for (size_t i = 0; i < o->table.n; i++)
        if (o->row[i].front && read_said(s, o->eval[i], &said[i]))
            add_samples(s, &o->row[i], o->eval[i], &said[i], prompts, line, &n);
    char *path = pr_results_path(pr_sweep_dir(s), "samples.jsonl");
    pr_status_t status = pr_write_samples(path, o->table.k, o->name, line, n, err);
    free(path);
    for (size_t i = 0; i < o->table.n; i++)
        said_clear(&said[i]);
    free(said);
    free(line);
    pr_prompts_free(&prompts);
    return status;
}

/* ---- costs and metrics ---- */

static pr_cost_t cost_of(const pr_sweep_t *s, const pr_job_head_t *h, const char *kind, const char *label)
{
    static const char *const states[] = {"waiting", "running", "ok", "failed"};
    bool ran = h->attempts > 0;
    return (pr_cost_t){.job = h->id,
                       .kind = kind,
                       .label = label,
                       .rank = ran ? h->rank : -1,
                       .host = ran && s->n_host ? s->host[h->host] : "",
                       .seconds = h->state == PR_JOB_DONE ? h->seconds : NAN,
                       .tokens = h->tokens,
                       .attempts = h->attempts,
                       .status = states[h->state]};
}

static pr_status_t write_costs(const pr_sweep_t *s, pr_error_t *err)
{
    size_t most = (size_t)s->n_fit + (size_t)s->n_expert + s->n_evaluation, n = 0;
    pr_cost_t *cost = pr_alloc(most, sizeof *cost);
    char **label = pr_alloc(most, sizeof *label);
    for (int i = 0; i < s->n_fit; i++, n++) {
        label[n] = pr_results_path(s->config->objective[s->fit[i].objective].name, "head");
        cost[n] = cost_of(s, &s->fit[i].job, "fit_reward", label[n]);
    }
    for (int i = 0; i < s->n_expert; i++) {
        const pr_expert_t *x = &s->expert[i];
        if (x->given)
            continue;
        label[n] = pr_results_path(s->config->objective[x->objective].name, "s%lld",
                                   (long long)s->config->seeds[x->seed_index]);
        cost[n] = cost_of(s, &x->job, "finetune", label[n]);
        n++;
    }
    for (size_t i = 0; i < s->n_evaluation; i++, n++) {
        const pr_evaluation_t *e = pr_sweep_eval(s, i);
        char point[PR_MAX_OBJECTIVES * 44];
        pr_point_text(pr_sweep_point(s, e), s->config->n_objectives, point, sizeof point);
        label[n] = pr_results_path(s->track[e->track].spec->name, "%s", point);
        cost[n] = cost_of(s, &e->job, "evaluate", label[n]);
    }
    char *path = pr_results_path(pr_sweep_dir(s), "costs.csv");
    pr_status_t status = pr_write_costs_csv(path, cost, n, err);
    for (size_t i = 0; i < n; i++)
        free(label[i]);
    free(label);
    free(cost);
    free(path);
    return status;
}

/* Hypervolume and size of the front of each search and set of experts, and of all together (track = NULL). */
static json_t *front_metrics(const pr_sweep_t *s, const pr_output_t *o, const pr_track_t *t)
{
    size_t k_n = (size_t)o->table.k, n = 0, on_front = 0;
    double *points = pr_alloc(o->table.n * k_n, sizeof *points);
    bool *kept = pr_alloc(o->table.n, sizeof *kept);
    for (size_t i = 0; i < o->table.n; i++) {
        if (t && (o->row[i].search != t->spec->name || o->row[i].seed != s->config->seeds[t->seed_index]))
            continue;
        memcpy(points + n++ * k_n, o->turned + i * k_n, k_n * sizeof *points);
    }
    on_front = pr_nondominated(points, n, o->table.k, false, kept);
    double reference[PR_MAX_OBJECTIVES];
    pr_sweep_fill_reference(s, o->turned, o->table.n, reference);
    json_t *m = json_pack("{s:I, s:I, s:o}", "points", (json_int_t)n, "front", (json_int_t)on_front, "hypervolume",
                          pr_json_real(n ? pr_hypervolume(points, n, o->table.k, reference) : 0.0));
    free(points);
    free(kept);
    return m;
}

static json_t *search_metrics(const pr_sweep_t *s, const pr_output_t *o)
{
    json_t *all = json_array();
    for (int i = 0; i < s->n_track; i++) {
        const pr_track_t *t = &s->track[i];
        json_t *m = front_metrics(s, o, t);
        json_object_set_new(m, "search", json_string(t->spec->name));
        json_object_set_new(m, "seed", json_integer(s->config->seeds[t->seed_index]));
        json_object_set_new(m, "finished", json_boolean(t->done));
        json_array_append_new(all, m);
    }
    return all;
}

static json_t *cost_metrics(const pr_sweep_t *s)
{
    double fit = 0, finetune = 0, evaluate = 0;
    int64_t finetune_tokens = 0, evaluate_tokens = 0;
    for (int i = 0; i < s->n_fit; i++)
        fit += s->fit[i].job.seconds;
    for (int i = 0; i < s->n_expert; i++) {
        finetune += s->expert[i].job.seconds;
        finetune_tokens += s->expert[i].job.tokens;
    }
    for (size_t i = 0; i < s->n_evaluation; i++) {
        const pr_job_head_t *h = &pr_sweep_eval(s, i)->job;
        evaluate += h->state == PR_JOB_DONE ? h->seconds : 0;
        evaluate_tokens += h->tokens;
    }
    double wall = pr_time_monotonic() - s->began;
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:i}", "fit_reward_seconds", pr_json_real(fit),
                     "finetune_seconds", pr_json_real(finetune), "evaluate_seconds", pr_json_real(evaluate),
                     "finetune_tokens", (json_int_t)finetune_tokens, "evaluate_tokens", (json_int_t)evaluate_tokens,
                     "wall_seconds", pr_json_real(wall), "earlier_wall_seconds", pr_json_real(s->past_seconds),
                     "workers", s->workers);
}

static pr_status_t write_metrics(const pr_sweep_t *s, const pr_output_t *o, pr_error_t *err)
{
    json_t *reference = json_object(), *hosts = json_array();
    double point[PR_MAX_OBJECTIVES];
    pr_sweep_fill_reference(s, o->turned, o->table.n, point);
    for (int k = 0; k < o->table.k; k++) // -INFINITY when nothing has been evaluated: JSON has no word for it
        json_object_set_new(reference, o->name[k],
                            isfinite(point[k]) ? pr_json_real(pr_sweep_sign(s, k) * point[k]) : json_null());
    for (int i = 0; i < s->n_host; i++)
        json_array_append_new(hosts, json_string(s->host[i]));
    json_t *m = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:O}", "name", s->config->name, "reference_point",
                          reference, "all", front_metrics(s, o, NULL), "searches", search_metrics(s, o), "indicators",
                          pr_sweep_indicators(s), "costs", cost_metrics(s), "hosts", hosts, "failures", s->failures);
    char *path = pr_results_path(pr_sweep_dir(s), "metrics.json");
    pr_status_t status = pr_write_metrics(path, m, err);
    free(path);
    json_decref(m);
    return status;
}

pr_status_t pr_sweep_write(pr_sweep_t *s, const double *front, size_t n_front, pr_error_t *err)
{
    pr_output_t o;
    pr_status_t status = PR_OK;
    const char *dir = pr_sweep_dir(s);
    char *cells = pr_results_path(dir, "cells.csv"), *csv = pr_results_path(dir, "front.csv"),
         *json = pr_results_path(dir, "front.json");
    make_table(s, &o);
    mark_front(&o, front, n_front);
    PR_GO(pr_write_cells_csv(cells, &o.table, err));
    PR_GO(pr_write_front_csv(csv, &o.table, err));
    PR_GO(pr_write_front_json(json, &o.table, err));
    PR_GO(write_samples(s, &o, err));
    PR_GO(write_costs(s, err));
    PR_GO(write_metrics(s, &o, err));
done:
    free(cells);
    free(csv);
    free(json);
    output_clear(&o);
    return status;
}

char *pr_sweep_front_table(const pr_sweep_t *s, int columns, int max_rows)
{
    pr_output_t o;
    make_table(s, &o);
    mark_front(&o, NULL, 0);
    pr_said_t *said = pr_alloc(o.table.n, sizeof *said);
    const char **sample = pr_alloc(o.table.n, sizeof *sample);
    for (size_t i = 0; i < o.table.n; i++)
        if (o.row[i].front && read_said(s, o.eval[i], &said[i]))
            sample[i] = json_string_value(json_array_get(said[i].responses, 0));
    char *text = pr_front_table(&o.table, sample, columns, max_rows);
    for (size_t i = 0; i < o.table.n; i++)
        said_clear(&said[i]);
    free(said);
    free(sample);
    output_clear(&o);
    return text;
}

/* ---- the end ---- */

/* Heads and experts that could not be made leave points behind that were never tried. */
static pr_status_t incomplete(const pr_sweep_t *s, pr_error_t *err)
{
    const json_t *first = json_array_get(s->failures, 0);
    size_t missing = s->n_evaluation - s->n_evaluated;
    pr_status_t status = pr_status_exit_code(s->why) == pr_status_exit_code(PR_ERR_ENV) ? s->why : PR_ERR_INCOMPLETE;
    return pr_fail(err, status,
                   "%zu job%s given up, %zu point%s without a result; the same command tries again; the first: %s: %s",
                   s->failed, s->failed == 1 ? "" : "s", missing, missing == 1 ? "" : "s",
                   json_string_value(json_object_get(first, "label")),
                   json_string_value(json_object_get(first, "error")));
}

pr_status_t pr_sweep_end(pr_sweep_t *s, bool interrupted, pr_error_t *err)
{
    bool all = s->failed == 0;
    for (int i = 0; i < s->n_track; i++)
        all = all && s->track[i].done;
    for (int i = 0; i < s->n_expert; i++)
        all = all && s->expert[i].job.state == PR_JOB_DONE;
    for (int i = 0; i < s->n_fit; i++)
        all = all && s->fit[i].job.state == PR_JOB_DONE;
    const char *state = all ? "finished" : interrupted ? "interrupted" : "incomplete";
    json_t *line =
        json_pack("{s:s, s:o, s:I, s:I}", "state", state, "seconds", pr_json_real(pr_time_monotonic() - s->began),
                  "jobs_done", (json_int_t)s->done, "jobs_failed", (json_int_t)s->failed);
    pr_status_t status = pr_sweep_commit(s, err);
    if (status == PR_OK)
        status = pr_journal_append(s->journal, "sweep_end", line, true, err);
    json_decref(line);
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
    make_table(s, &o);
    *out = (pr_sweep_points_t){.k = (int)k_n, .value = pr_alloc(o.table.n * k_n, sizeof(double))};
    out->id = pr_alloc(o.table.n, sizeof *out->id);
    // Workers keep whole points of this run only, and none where a job may be a part of a point.
    bool archived = elsewhere && !pr_sweep_any_fidelity(s->config);
    for (size_t i = 0; i < o.table.n; i++) {
        if (archived && o.eval[i]->job.attempts > 0)
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
