// SPDX-License-Identifier: BSD-3-Clause
/* What a judging leaves for people: functions of its points and its task alone. */
#include "base/file.h"
#include "base/mem.h"
#include "jobs/evaluate.h"
#include "pareto/dominance.h"
#include "report/text.h"
#include "sweeps/judging_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The rows that there are: points whose evaluation is done. */
typedef struct pr_judged_rows {
    size_t n;
    size_t *point; // [n]
    bool *front;   // [n]
} pr_judged_rows_t;

static const double *value_of(const pr_judging_t *j, size_t point)
{
    const pr_job_record_t *r = j->job[j->n_fit + point].job;
    return r && r->state == PR_JOB_DONE ? r->value : NULL;
}

static pr_judged_rows_t rows_of(const pr_judging_t *j)
{
    int k_n = j->c->n_objectives;
    pr_judged_rows_t rows = {.point = pr_alloc(j->n, sizeof *rows.point), .front = pr_alloc(j->n, sizeof *rows.front)};
    double *turned = pr_alloc(j->n * (size_t)k_n, sizeof *turned);
    for (size_t i = 0; i < j->n; i++) {
        const double *value = value_of(j, i);
        if (!value)
            continue;
        for (int k = 0; k < k_n; k++)
            turned[rows.n * (size_t)k_n + (size_t)k] = (j->c->objective[k].minimize ? -1 : 1) * value[k];
        rows.point[rows.n++] = i;
    }
    pr_nondominated(turned, rows.n, k_n, true, rows.front);
    free(turned);
    return rows;
}

static void rows_clear(pr_judged_rows_t *rows)
{
    free(rows->point);
    free(rows->front);
}

/* ---- cells.csv ---- */

static void put_names(pr_buf_t *b, const pr_judging_t *j)
{
    pr_buf_puts(b, "search,seed");
    for (size_t i = 0; i < json_array_size(j->weights); i++)
        pr_buf_printf(b, ",w_%s", json_string_value(json_array_get(j->weights, i)));
    for (int k = 0; k < j->c->n_objectives; k++)
        pr_buf_printf(b, ",%s", j->c->objective[k].name);
    for (int k = 0; k < j->c->n_objectives; k++)
        pr_buf_printf(b, ",se_%s", j->c->objective[k].name);
    pr_buf_puts(b, ",prompts,new_tokens,cut,front,point,job\n");
}

static const json_t *weight_of(const pr_judging_t *j, const pr_taken_t *t, size_t i)
{
    return json_object_get(json_object_get(pr_taken_about(t), "weights"),
                           json_string_value(json_array_get(j->weights, i)));
}

static void put_row(pr_buf_t *b, const pr_judging_t *j, size_t point, bool front)
{
    const pr_taken_t *t = &j->taken[point];
    const pr_judged_t *d = &j->job[j->n_fit + point];
    const double *value = value_of(j, point);
    int k_n = j->c->n_objectives;
    pr_text_csv(b, t->search);
    pr_buf_printf(b, ",%lld", (long long)t->seed);
    for (size_t i = 0; i < json_array_size(j->weights); i++) {
        const json_t *w = weight_of(j, t, i);
        double known = w ? json_number_value(w) : NAN;
        pr_text_csv_known(b, &known, 1);
    }
    pr_text_csv_known(b, value, 2 * k_n);
    pr_buf_printf(b, ",%d,%lld", j->in.n_eval, (long long)d->job->tokens);
    pr_text_csv_known(b, &value[2 * k_n], 1);
    pr_buf_printf(b, ",%d,%s,%s\n", front, t->point, d->id);
}

static pr_status_t write_cells(const pr_judging_t *j, const pr_judged_rows_t *rows, pr_error_t *err)
{
    pr_buf_t b = {0};
    put_names(&b, j);
    for (size_t i = 0; i < rows->n; i++)
        put_row(&b, j, rows->point[i], rows->front[i]);
    char *path = pr_results_path(j->dir, PR_FILE_CELLS);
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    free(path);
    pr_buf_free(&b);
    return status;
}

/* ---- samples.jsonl ---- */

pr_status_t pr_judging_record(const pr_judging_t *j, const pr_judged_t *d, pr_record_t *out, char **where,
                              pr_error_t *err)
{
    char *dir = pr_results_path(j->dir, PR_FOLDER_EVALUATIONS);
    pr_segment_place_t place;
    pr_status_t status = PR_ERR_NOT_FOUND;
    *out = (pr_record_t){0};
    *where = NULL;
    if (pr_fold_place(j->fold, d->job, &place)) {
        *where = pr_path_join(dir, place.file);
        status = pr_segment_read(dir, &place, d->id, pr_job_kind_evaluating()->name, out, err);
    } else {
        pr_fail(err, status, "%s: the journal does not say where the record of job %s is", j->dir, d->id);
    }
    free(dir);
    return status;
}

static void put_sample(pr_buf_t *b, const pr_judging_t *j, const pr_taken_t *t, const char *prompt,
                       const json_t *response, char letter, const double *scores)
{
    json_t *named = json_object();
    for (int k = 0; k < j->c->n_objectives; k++)
        json_object_set_new(named, j->c->objective[k].name, pr_json_real(scores[k]));
    json_t *line = json_pack("{s:s, s:s, s:I, s:o, s:O, s:o, s:o}", "point", t->point, "search", t->search, "seed",
                             (json_int_t)t->seed, "prompt", pr_text_json_string(prompt, strlen(prompt)), "response",
                             response, "finish", pr_evaluate_finish_json(letter), "scores", named);
    pr_text_json(b, line, 0);
    pr_buf_puts(b, "\n");
    json_decref(line);
}

static pr_status_t put_samples(pr_buf_t *b, const pr_judging_t *j, size_t point, const json_t *prompts, pr_error_t *err)
{
    const pr_judged_t *d = &j->job[j->n_fit + point];
    size_t n = (size_t)j->in.n_eval, k_n = (size_t)j->c->n_objectives;
    pr_record_t r;
    char *where;
    const void *scores, *finish;
    json_t *responses = NULL;
    pr_status_t status;
    PR_GO(pr_judging_record(j, d, &r, &where, err));
    PR_GO(pr_record_section(&r, where, "scores", sizeof(double), n * k_n, &scores, err));
    PR_GO(pr_record_section(&r, where, "finish", 1, n, &finish, err));
    for (size_t i = 0; i < r.n; i++)
        if (strcmp(r.section[i].name, "responses") == 0)
            PR_GO(pr_json_parse(r.section[i].data, r.section[i].count * r.section[i].elem, where, &responses, err));
    if (json_array_size(responses) != n)
        PR_GO(
            pr_fail(err, PR_ERR_FORMAT, "%s: found %zu responses, expected %zu", where, json_array_size(responses), n));
    for (size_t i = 0; i < n; i++)
        put_sample(b, j, &j->taken[point], json_string_value(json_array_get(prompts, i)), json_array_get(responses, i),
                   ((const char *)finish)[i], (const double *)scores + i * k_n);
done:
    json_decref(responses);
    pr_record_clear(&r);
    free(where);
    return status;
}

static pr_status_t write_samples(const pr_judging_t *j, const pr_judged_rows_t *rows, pr_error_t *err)
{
    const json_t *prompts = pr_inputs_eval_texts(&j->in);
    pr_buf_t b = {0};
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < rows->n && status == PR_OK; i++)
        status = put_samples(&b, j, rows->point[i], prompts, err);
    char *path = pr_results_path(j->dir, PR_FILE_SAMPLES);
    if (status == PR_OK)
        status = pr_file_write(path, b.data, b.len, err);
    free(path);
    pr_buf_free(&b);
    return status;
}

pr_status_t pr_judging_write(const pr_judging_t *j, pr_error_t *err)
{
    pr_judged_rows_t rows = rows_of(j);
    pr_status_t status = pr_results_check(j->results, err);
    if (status == PR_OK)
        status = write_samples(j, &rows, err);
    if (status == PR_OK)
        status = write_cells(j, &rows, err);
    rows_clear(&rows);
    return status;
}

/* ---- for a terminal ---- */

static void put_cell(pr_buf_t *b, const char *text, int width)
{
    pr_buf_printf(b, "%s", text);
    for (int used = pr_text_width(text); used < width; used++)
        pr_buf_puts(b, " ");
}

char *pr_judging_table(const pr_judging_t *j)
{
    enum { SEARCH = 14, WEIGHT = 6, SCORE = 17 };
    pr_judged_rows_t rows = rows_of(j);
    pr_buf_t b = {0};
    size_t w_n = json_array_size(j->weights);
    for (size_t i = 0; i <= rows.n && rows.n > 0; i++) {
        const pr_taken_t *t = i > 0 ? &j->taken[rows.point[i - 1]] : NULL;
        const double *value = i > 0 ? value_of(j, rows.point[i - 1]) : NULL;
        pr_buf_t w = {0};
        for (size_t k = 0; k < w_n && t; k++) {
            const json_t *one = weight_of(j, t, k); // of blocks of layers there are several: in its policy
            json_is_number(one) ? pr_buf_printf(&w, "%.3f ", json_number_value(one)) : pr_buf_puts(&w, "–     ");
        }
        pr_buf_printf(&b, "%-10.8s", t ? t->point : "point");
        put_cell(&b, t ? t->search : "search", SEARCH);
        put_cell(&b, t ? w.data : "weights", WEIGHT * (int)w_n + 2);
        for (int k = 0; k < j->c->n_objectives; k++) {
            pr_buf_t cell = {0};
            if (!t)
                pr_buf_puts(&cell, j->c->objective[k].name);
            else if (isnan(value[j->c->n_objectives + k]))
                pr_buf_printf(&cell, "%.3f ± –", value[k]);
            else
                pr_buf_printf(&cell, "%.3f ± %.3f", value[k], value[j->c->n_objectives + k]);
            put_cell(&b, cell.data, k + 1 < j->c->n_objectives || !t || rows.front[i - 1] ? SCORE : 0);
            pr_buf_free(&cell);
        }
        pr_buf_puts(&b, t ? rows.front[i - 1] ? "yes\n" : "\n" : "front\n");
        pr_buf_free(&w);
    }
    rows_clear(&rows);
    return b.data;
}
