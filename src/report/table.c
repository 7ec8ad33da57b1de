// SPDX-License-Identifier: BSD-3-Clause
#include "report/table.h"
#include "base/file.h"
#include "config/columns.h"
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- cells.csv and front.csv ----

static void put_headings(pr_buf_t *b, int n, const char *const *names, const char *prefix)
{
    for (int i = 0; i < n; i++) {
        pr_buf_t name = {0};
        pr_buf_printf(&name, "%s%s", prefix, names[i]);
        pr_buf_puts(b, ",");
        pr_text_csv(b, name.data ? name.data : "");
        pr_buf_free(&name);
    }
}

static void put_heading_line(pr_buf_t *b, const pr_table_t *t)
{
    static const char *const first[] = {PR_COLUMNS_FIRST}, *const last[] = {PR_COLUMNS_LAST},
                             *const prefix[] = {PR_COLUMN_PREFIXES};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        pr_buf_printf(b, "%s%s", i ? "," : "", first[i]);
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
        put_headings(b, t->k, t->objective, prefix[i]);
    for (size_t i = 1; i < sizeof prefix / sizeof *prefix; i++) // no weights
        put_headings(b, t->n_report, t->report, prefix[i]);
    for (size_t i = 0; i < sizeof last / sizeof *last; i++)
        pr_buf_printf(b, ",%s", last[i]);
    pr_buf_puts(b, "\n");
}

static void put_numbers(pr_buf_t *b, const double *values, int k)
{
    for (int i = 0; i < k; i++) {
        pr_buf_puts(b, ",");
        pr_text_number(b, values[i]);
    }
}

/* What is not known is an empty field. */
static void put_known(pr_buf_t *b, const double *values, int k)
{
    for (int i = 0; i < k; i++) {
        pr_buf_puts(b, ",");
        if (!isnan(values[i]))
            pr_text_number(b, values[i]);
    }
}

static void put_row(pr_buf_t *b, const pr_table_t *t, const pr_table_point_t *p)
{
    pr_text_csv(b, p->search);
    pr_buf_printf(b, ",%d,%d", p->seed, p->level);
    put_numbers(b, p->w, t->k);
    put_numbers(b, p->mean, t->k);
    put_known(b, p->se, t->k);
    put_numbers(b, p->reported, t->n_report);
    put_known(b, p->reported_se, t->n_report);
    pr_buf_printf(b, ",%d,%ld", p->n_prompts, p->tokens);
    put_known(b, &p->cut, 1);
    pr_buf_printf(b, ",%d,", p->front);
    pr_text_csv(b, p->id);
    pr_buf_puts(b, ",");
    pr_text_csv(b, p->job);
    pr_buf_puts(b, "\n");
}

static pr_status_t write_csv(const char *path, const pr_table_t *t, bool front_only, pr_error_t *err)
{
    pr_buf_t b = {0};
    put_heading_line(&b, t);
    for (size_t i = 0; i < t->n; i++)
        if (!front_only || t->point[i].front)
            put_row(&b, t, &t->point[i]);
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    pr_buf_free(&b);
    return status;
}

pr_status_t pr_write_cells_csv(const char *path, const pr_table_t *t, pr_error_t *err)
{
    return write_csv(path, t, false, err);
}

pr_status_t pr_write_front_csv(const char *path, const pr_table_t *t, pr_error_t *err)
{
    return write_csv(path, t, true, err);
}

// ---- front.json ----

static json_t *text_value(const char *text)
{
    return pr_text_json_string(text, strlen(text));
}

static void put_named(json_t *object, int n, const char *const *names, const double *values)
{
    for (int i = 0; i < n; i++) {
        json_t *name = text_value(names[i]);
        json_object_set_new(object, json_string_value(name), pr_json_real(values[i]));
        json_decref(name);
    }
}

/* {"name": value, ...}; reported: of the objectives that are only reported, or NULL. */
static json_t *by_objective(const pr_table_t *t, const double *values, const double *reported)
{
    json_t *object = json_object();
    put_named(object, t->k, t->objective, values);
    if (reported)
        put_named(object, t->n_report, t->report, reported);
    return object;
}

static json_t *point_value(const pr_table_t *t, const pr_table_point_t *p)
{
    return json_pack("{s:o, s:i, s:i, s:o, s:o, s:o, s:i, s:I, s:o, s:o, s:o}", "search", text_value(p->search), "seed",
                     p->seed, "level", p->level, "weights", by_objective(t, p->w, NULL), "mean",
                     by_objective(t, p->mean, p->reported), "se", by_objective(t, p->se, p->reported_se), "prompts",
                     p->n_prompts, "tokens", (json_int_t)p->tokens, "cut", pr_json_real(p->cut), "point",
                     text_value(p->id), "job", text_value(p->job));
}

pr_status_t pr_write_front_json(const char *path, const pr_table_t *t, pr_error_t *err)
{
    json_t *names = json_array(), *points = json_array(), *base = json_array();
    for (int i = 0; i < t->k; i++)
        json_array_append_new(names, text_value(t->objective[i]));
    for (size_t i = 0; i < t->n; i++)
        if (t->point[i].front || t->point[i].base)
            json_array_append_new(t->point[i].base ? base : points, point_value(t, &t->point[i]));
    json_t *front = json_pack("{s:o, s:o, s:o}", "objectives", names, "points", points, "base", base);
    if (t->n_report > 0) {
        json_t *reported = json_array();
        for (int i = 0; i < t->n_report; i++)
            json_array_append_new(reported, text_value(t->report[i]));
        json_object_set_new(front, "reported", reported);
    }
    pr_status_t status = pr_text_json_write(path, front, 2, err);
    json_decref(front);
    return status;
}
