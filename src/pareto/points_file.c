// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/points_file.h"
#include "base/file.h"
#include "base/mem.h"
#include "pareto/points_internal.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A growing list of numbers. */
typedef struct numbers {
    double *at;
    size_t n, capacity;
} numbers_t;

static void push_number(numbers_t *v, double x)
{
    if (v->n == v->capacity) {
        v->capacity = v->capacity ? 2 * v->capacity : 64;
        v->at = pr_realloc(v->at, v->capacity, sizeof *v->at);
    }
    v->at[v->n++] = x;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_separator(char c)
{
    return is_space(c) || c == ',';
}

pr_status_t pr_points_field(const char *where, pr_status_t class, const char *field, size_t len, double *out,
                            pr_error_t *err)
{
    enum { LONGEST = 400 }; // more digits than any double needs
    char text[LONGEST + 1];
    int shown = len > 40 ? 40 : (int)len;
    if (len > LONGEST)
        return pr_fail(err, class, "%s: '%.*s...' is %zu characters long, expected a number", where, shown, field, len);
    memcpy(text, field, len);
    text[len] = 0;
    char *end = NULL;
    errno = 0;
    double x = strtod(text, &end);
    if (end != text + len || len == 0)
        return pr_fail(err, class, "%s: found '%.*s', expected a number", where, shown, field);
    if (isnan(x))
        return pr_fail(err, class, "%s: found '%.*s': a point cannot hold a NaN", where, shown, field);
    if (errno == ERANGE && isinf(x))
        return pr_fail(err, class, "%s: '%.*s' is too large for a double", where, shown, field);
    *out = x;
    return PR_OK;
}

/* All numbers of [s, end). */
static pr_status_t parse_fields(const char *where, pr_status_t class, const char *s, const char *end, numbers_t *out,
                                pr_error_t *err)
{
    bool after_comma = false;
    size_t found = 0;
    for (;;) {
        while (s < end && is_space(*s))
            s++;
        if (s == end)
            break;
        const char *field = s;
        while (s < end && !is_separator(*s))
            s++;
        if (s == field)
            return pr_fail(err, class, "%s: an empty field before a comma, expected a number", where);
        double x = 0;
        PR_TRY(pr_points_field(where, class, field, (size_t)(s - field), &x, err));
        push_number(out, x);
        found++;
        while (s < end && is_space(*s))
            s++;
        after_comma = s < end && *s == ',';
        s += after_comma;
    }
    if (after_comma && found)
        return pr_fail(err, class, "%s: nothing after the last comma, expected a number", where);
    return PR_OK;
}

typedef struct reader {
    pr_points_t *points;
    numbers_t values;
    size_t row_capacity, set_capacity;
    size_t line;
    bool new_set;
} reader_t;

static void push_row(reader_t *r, size_t offset, size_t len)
{
    pr_points_t *p = r->points;
    if (r->new_set) {
        if (p->n_sets + 1 >= r->set_capacity) {
            r->set_capacity = r->set_capacity ? 2 * r->set_capacity : 8;
            p->start = pr_realloc(p->start, r->set_capacity, sizeof *p->start);
        }
        p->start[p->n_sets++] = p->n;
        r->new_set = false;
    }
    if (p->n == r->row_capacity) {
        r->row_capacity = r->row_capacity ? 2 * r->row_capacity : 64;
        p->rows = pr_realloc(p->rows, r->row_capacity, sizeof *p->rows);
    }
    p->rows[p->n++] = (pr_points_row_t){offset, len, r->line};
    p->start[p->n_sets] = p->n;
}

static pr_status_t check_columns(reader_t *r, const char *where, size_t columns, pr_error_t *err)
{
    pr_points_t *p = r->points;
    if (columns > INT_MAX)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %zu columns", where, columns);
    if (p->n == 0)
        p->m = (int)columns;
    if (columns != (size_t)p->m)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %zu columns, expected %d as in line %zu", where, columns, p->m,
                       p->rows[0].line);
    return PR_OK;
}

/* The line [offset, offset + len), without its LF. */
static pr_status_t read_line(reader_t *r, size_t offset, size_t len, pr_error_t *err)
{
    pr_points_t *p = r->points;
    const char *s = p->text + offset;
    if (len && s[len - 1] == '\r')
        len--;
    const char *comment = memchr(s, '#', len);
    const char *end = comment ? comment : s + len;
    const char *first = s;
    while (first < end && is_space(*first))
        first++;
    if (first == end) {
        r->new_set = true;
        return PR_OK;
    }
    char where[512];
    snprintf(where, sizeof where, "%s:%zu", p->name, r->line);
    size_t before = r->values.n;
    PR_TRY(parse_fields(where, PR_ERR_FORMAT, s, end, &r->values, err));
    PR_TRY(check_columns(r, where, r->values.n - before, err));
    push_row(r, offset, len);
    return PR_OK;
}

/* Takes over name and text. */
static pr_status_t parse_text(char *name, char *text, size_t len, pr_points_t *out, pr_error_t *err)
{
    static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf";
    *out = (pr_points_t){.name = name, .text = text};
    reader_t r = {.points = out, .new_set = true};
    pr_status_t status = PR_OK;
    size_t at = len >= 3 && memcmp(text, BYTE_ORDER_MARK, 3) == 0 ? 3 : 0;
    while (at < len && status == PR_OK) {
        const char *newline = memchr(text + at, '\n', len - at);
        size_t end = newline ? (size_t)(newline - text) : len;
        r.line++;
        status = read_line(&r, at, end - at, err);
        at = end + 1;
    }
    if (status == PR_OK && out->n == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: no points in %zu bytes, expected a row of numbers", name, len);
    out->values = r.values.at;
    if (status != PR_OK)
        pr_points_free(out);
    return status;
}

static pr_status_t read_stdin(char **text, size_t *len, pr_error_t *err)
{
    pr_buf_t all = {0};
    char block[65536];
    for (size_t n; (n = fread(block, 1, sizeof block, stdin)) > 0;)
        pr_buf_add(&all, block, n);
    if (ferror(stdin)) {
        pr_buf_free(&all);
        return pr_fail(err, PR_ERR_NOT_FOUND, "stdin: %s", strerror(errno));
    }
    pr_buf_add(&all, "", 0); // also for no bytes at all there is a NUL
    *text = all.data;
    *len = all.len;
    return PR_OK;
}

static pr_status_t read_text(const char *path, char **name, char **text, size_t *len, pr_error_t *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    PR_TRY(is_stdin ? read_stdin(text, len, err) : pr_file_read_text(path, 0, text, len, err));
    *name = pr_strdup(is_stdin ? "stdin" : path);
    return PR_OK;
}

pr_status_t pr_points_load(const char *path, pr_points_t *out, pr_error_t *err)
{
    char *text = NULL, *name = NULL;
    size_t len = 0;
    PR_TRY(read_text(path, &name, &text, &len, err));
    return parse_text(name, text, len, out, err);
}

pr_status_t pr_points_load_named(const char *path, const char *columns, const char *by, pr_points_t *out,
                                 pr_error_t *err)
{
    char *text = NULL, *name = NULL;
    size_t len = 0;
    PR_TRY(read_text(path, &name, &text, &len, err));
    if (pr_points_is_table(text, len))
        return pr_points_parse_table(name, text, len, columns, by, out, err);
    if (!columns && !by)
        return parse_text(name, text, len, out, err);
    pr_status_t status = pr_fail(err, PR_ERR_USAGE, "%s: found %s, but the first line of %s has no names",
                                 columns ? "--columns" : "--by", columns ? columns : by, name);
    free(text);
    free(name);
    return status;
}

pr_status_t pr_points_parse(const char *name, const char *text, size_t len, pr_points_t *out, pr_error_t *err)
{
    char *copy = pr_alloc(len + 1, 1);
    memcpy(copy, text, len);
    return parse_text(pr_strdup(name), copy, len, out, err);
}

void pr_points_free(pr_points_t *points)
{
    free(points->name);
    free(points->text);
    free(points->values);
    free(points->rows);
    free(points->start);
    for (int k = 0; points->column && k < points->m; k++)
        free(points->column[k]);
    for (size_t i = 0; points->set_name && i < points->n_sets; i++)
        free(points->set_name[i]);
    free(points->column);
    free(points->set_name);
    *points = (pr_points_t){0};
}

pr_status_t pr_points_numbers(const char *what, const char *text, double **values, size_t *n, pr_error_t *err)
{
    numbers_t found = {0};
    pr_status_t status = parse_fields(what, PR_ERR_USAGE, text, text + strlen(text), &found, err);
    if (status == PR_OK && found.n == 0)
        status = pr_fail(err, PR_ERR_USAGE, "%s: '%s' holds no numbers", what, text);
    if (status != PR_OK) {
        free(found.at);
        return status;
    }
    *values = found.at;
    *n = found.n;
    return PR_OK;
}

void pr_points_unite(pr_points_t *points)
{
    for (size_t i = 0; points->set_name && i < points->n_sets; i++)
        free(points->set_name[i]);
    free(points->set_name);
    points->set_name = NULL;
    points->n_sets = 1;
    points->start[0] = 0;
    points->start[1] = points->n;
}

static pr_status_t mark_maximised(const char *text, int m, double *signs, pr_error_t *err)
{
    double *list = NULL;
    size_t n = 0;
    PR_TRY(pr_points_numbers("--maximize", text, &list, &n, err));
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < n && status == PR_OK; i++)
        if (list[i] >= 1 && list[i] <= m && list[i] == floor(list[i]))
            signs[(size_t)list[i] - 1] = 1;
        else
            status = pr_fail(err, PR_ERR_USAGE, "--maximize: found %g, expected objectives from 1 to %d", list[i], m);
    free(list);
    return status;
}

/* Names between commas; false: one of them is none of the columns. */
static bool mark_named(const char *text, int m, char *const *column, double *signs)
{
    while (column) {
        size_t len = strcspn(text, ",");
        int k = 0;
        while (k < m && (strlen(column[k]) != len || memcmp(column[k], text, len) != 0))
            k++;
        if (k == m)
            return false;
        signs[k] = 1;
        if (!text[len])
            return true;
        text += len + 1;
    }
    return false;
}

pr_status_t pr_points_directions(const char *text, int m, char *const *column, double **signs, pr_error_t *err)
{
    bool all = strcmp(text, "all") == 0;
    double *found = pr_alloc((size_t)m, sizeof *found);
    for (int k = 0; k < m; k++)
        found[k] = all ? 1 : -1;
    pr_status_t status = PR_OK;
    if (!all && strcmp(text, "none") != 0 && !mark_named(text, m, column, found))
        status = mark_maximised(text, m, found, err);
    if (status == PR_OK)
        *signs = found;
    else
        free(found);
    return status;
}

void pr_points_orient(const double *rows, size_t n, int m, const double *signs, double *to)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < (size_t)m; k++)
            to[i * (size_t)m + k] = rows[i * (size_t)m + k] * signs[k];
}
