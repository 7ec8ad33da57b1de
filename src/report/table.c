// SPDX-License-Identifier: BSD-3-Clause
#include "report/table.h"
#include "base/file.h"
#include "config/columns.h"
#include "report/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- cells.csv and front.csv ----

/* The columns between the first and the objectives. */
typedef struct pr_choice_columns {
    bool one_row;
    int blocks;     // of those with several rows
    json_t *params; // list of names
} pr_choice_columns_t;

static int rows_of(const pr_table_point_t *p)
{
    return p->rows > 0 ? p->rows : 1;
}

static bool has_name(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), name) == 0)
            return true;
    return false;
}

static pr_choice_columns_t choice_columns(const pr_table_t *t)
{
    pr_choice_columns_t c = {.one_row = t->n == 0, .params = json_array()};
    for (size_t i = 0; i < t->n; i++) {
        const pr_table_point_t *p = &t->point[i];
        const char *name;
        json_t *value;
        c.one_row = c.one_row || rows_of(p) == 1;
        c.blocks = rows_of(p) > 1 && rows_of(p) > c.blocks ? rows_of(p) : c.blocks;
        if (!p->params)
            continue;
        json_object_foreach((json_t *)(uintptr_t)p->params, name, value) if (!has_name(c.params, name))
            json_array_append_new(c.params, json_string(name));
    }
    return c;
}

static void put_heading(pr_buf_t *b, const char *prefix, const char *name, int block)
{
    pr_buf_t text = {0};
    pr_buf_printf(&text, "%s%s", prefix, name);
    if (block >= 0)
        pr_buf_printf(&text, ".%d", block);
    pr_buf_puts(b, ",");
    pr_text_csv(b, text.data ? text.data : "");
    pr_buf_free(&text);
}

static void put_headings(pr_buf_t *b, int n, const char *const *names, const char *prefix, int block)
{
    for (int i = 0; i < n; i++)
        put_heading(b, prefix, names[i], block);
}

static void put_heading_line(pr_buf_t *b, const pr_table_t *t, const pr_choice_columns_t *c)
{
    static const char *const first[] = {PR_COLUMNS_FIRST}, *const last[] = {PR_COLUMNS_LAST},
                             *const prefix[] = {PR_COLUMN_PREFIXES};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        pr_buf_printf(b, "%s%s", i ? "," : "", first[i]);
    if (c->one_row)
        put_headings(b, t->k, t->objective, prefix[0], -1);
    for (int block = 0; block < c->blocks; block++)
        put_headings(b, t->k, t->objective, prefix[0], block);
    for (size_t i = 0; i < json_array_size(c->params); i++)
        put_heading(b, "", json_string_value(json_array_get(c->params, i)), -1);
    for (size_t i = 1; i < sizeof prefix / sizeof *prefix; i++)
        put_headings(b, t->k, t->objective, prefix[i], -1);
    for (size_t i = 1; i < sizeof prefix / sizeof *prefix; i++) // no weights
        put_headings(b, t->n_report, t->report, prefix[i], -1);
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

static void put_empty(pr_buf_t *b, int n)
{
    for (int i = 0; i < n; i++)
        pr_buf_puts(b, ",");
}

static void put_param(pr_buf_t *b, const json_t *value)
{
    pr_buf_puts(b, ",");
    if (json_is_real(value)) {
        pr_text_number(b, json_real_value(value));
    } else if (json_is_string(value)) {
        pr_text_csv(b, json_string_value(value));
    } else if (value) {
        char *text = pr_json_text(value, JSON_COMPACT);
        pr_text_csv(b, text);
        free(text);
    }
}

/* What the search chose. */
static void put_choice(pr_buf_t *b, const pr_table_t *t, const pr_choice_columns_t *c, const pr_table_point_t *p)
{
    int rows = rows_of(p);
    if (c->one_row && rows == 1)
        put_numbers(b, p->w, t->k);
    else if (c->one_row)
        put_empty(b, t->k);
    put_numbers(b, p->w, rows > 1 ? rows * t->k : 0);
    put_empty(b, (rows > 1 ? c->blocks - rows : c->blocks) * t->k);
    for (size_t i = 0; i < json_array_size(c->params); i++)
        put_param(b, p->params ? json_object_get(p->params, json_string_value(json_array_get(c->params, i))) : NULL);
}

static void put_row(pr_buf_t *b, const pr_table_t *t, const pr_choice_columns_t *c, const pr_table_point_t *p)
{
    pr_text_csv(b, p->search);
    pr_buf_printf(b, ",%d,%d", p->seed, p->level);
    put_choice(b, t, c, p);
    put_numbers(b, p->mean, t->k);
    pr_text_csv_known(b, p->se, t->k);
    put_numbers(b, p->reported, t->n_report);
    pr_text_csv_known(b, p->reported_se, t->n_report);
    pr_buf_printf(b, ",%d,%ld", p->n_prompts, p->tokens);
    pr_text_csv_known(b, &p->cut, 1);
    pr_buf_printf(b, ",%d,", p->front);
    pr_text_csv(b, p->id);
    pr_buf_puts(b, ",");
    pr_text_csv(b, p->job);
    pr_buf_puts(b, "\n");
}

static pr_status_t write_csv(const char *path, const pr_table_t *t, bool front_only, pr_error_t *err)
{
    pr_buf_t b = {0};
    pr_choice_columns_t c = choice_columns(t);
    put_heading_line(&b, t, &c);
    for (size_t i = 0; i < t->n; i++)
        if (!front_only || t->point[i].front)
            put_row(&b, t, &c, &t->point[i]);
    json_decref(c.params);
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

json_t *pr_weights_json(int k, const char *const *objective, int rows, const double *w)
{
    json_t *list = json_array();
    for (int r = 0; r < (rows > 0 ? rows : 1); r++) {
        json_t *row = json_object();
        put_named(row, k, objective, w + r * k);
        json_array_append_new(list, row);
    }
    if (rows > 1)
        return list;
    json_t *one = json_incref(json_array_get(list, 0));
    json_decref(list);
    return one;
}

static json_t *point_value(const pr_table_t *t, const pr_table_point_t *p)
{
    json_t *v = json_pack("{s:o, s:i, s:i, s:o}", "search", text_value(p->search), "seed", p->seed, "level", p->level,
                          "weights", pr_weights_json(t->k, t->objective, p->rows, p->w));
    if (p->params)
        json_object_set(v, "params", (json_t *)(uintptr_t)p->params);
    json_t *rest =
        json_pack("{s:o, s:o, s:i, s:I, s:o, s:o, s:o}", "mean", by_objective(t, p->mean, p->reported), "se",
                  by_objective(t, p->se, p->reported_se), "prompts", p->n_prompts, "tokens", (json_int_t)p->tokens,
                  "cut", pr_json_real(p->cut), "point", text_value(p->id), "job", text_value(p->job));
    json_object_update(v, rest);
    json_decref(rest);
    return v;
}

pr_status_t pr_write_front_json(const char *path, const pr_table_t *t, pr_error_t *err)
{
    json_t *names = json_array(), *points = json_array(), *base = json_array();
    for (int i = 0; i < t->k; i++)
        json_array_append_new(names, text_value(t->objective[i]));
    for (size_t i = 0; i < t->n; i++)
        if (t->point[i].front || t->point[i].base)
            json_array_append_new(t->point[i].base ? base : points, point_value(t, &t->point[i]));
    json_t *searches = json_array(), *seeds = json_array();
    for (int i = 0; i < t->n_searches && t->search; i++)
        json_array_append_new(searches, text_value(t->search[i]));
    for (int i = 0; i < t->n_seeds && t->seed; i++)
        json_array_append_new(seeds, json_integer(t->seed[i]));
    json_t *front = json_pack("{s:o, s:o, s:o, s:o, s:o}", "objectives", names, "searches", searches, "seeds", seeds,
                              "points", points, "base", base);
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
