// SPDX-License-Identifier: BSD-3-Clause
/* Tables with names (points_file.h). */
#include "base/mem.h"
#include "pareto/points_internal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

static size_t text_begins(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, byte_order_mark, 3) == 0 ? 3 : 0;
}

bool pr_points_is_table(const char *text, size_t len)
{
    size_t at = text_begins(text, len), n = 0;
    while (at + n < len && !strchr(" \t,\r\n#", text[at + n]))
        n++;
    char *field = pr_strndup(text + at, n), *end = field;
    strtod(field, &end);
    bool name = n > 0 && *end; // "nan" is a number that is refused as one
    free(field);
    return name;
}

/* ---- lines ---- */

/* The fields of one line, without their quotes. */
typedef struct fields {
    char **at;
    size_t n, capacity;
} fields_t;

static void fields_clear(fields_t *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->at[i]);
    f->n = 0;
}

static void fields_add(fields_t *f, pr_buf_t *field)
{
    if (f->n == f->capacity) {
        f->capacity = f->capacity ? 2 * f->capacity : 32;
        f->at = pr_realloc(f->at, f->capacity, sizeof *f->at);
    }
    pr_buf_add(field, "", 0);
    f->at[f->n++] = field->data;
}

/* Appends the text between quotes, of which s is the first; *end_of: after the last one. false: there is none. */
static bool unquote(const char *s, const char *end, pr_buf_t *field, const char **end_of)
{
    for (s++; s < end; s++) {
        if (*s == '"' && (s + 1 == end || s[1] != '"')) {
            *end_of = s + 1;
            return true;
        }
        s += *s == '"'; // twice stands for one
        pr_buf_add(field, s, 1);
    }
    return false;
}

static pr_status_t split(const char *where, const char *s, const char *end, fields_t *out, pr_error_t *err)
{
    fields_clear(out);
    for (bool more = true; more; s++) {
        pr_buf_t field = {0};
        const char *after = s;
        if (s < end && *s == '"') {
            if (!unquote(s, end, &field, &after)) {
                pr_buf_free(&field);
                return pr_fail(err, PR_ERR_FORMAT, "%s: a quoted field goes over the line's end", where);
            }
        } else {
            while (after < end && *after != ',')
                after++;
            pr_buf_add(&field, s, (size_t)(after - s));
        }
        s = after;
        fields_add(out, &field);
        if (s < end && *s != ',')
            return pr_fail(err, PR_ERR_FORMAT, "%s: field %zu: found '%c' after its quotes, expected a comma", where,
                           out->n, *s);
        more = s < end;
    }
    return PR_OK;
}

/* ---- the heading ---- */

typedef struct table {
    pr_points_t *points;
    fields_t heading, row;
    size_t *objective, *by; // [m], [n_by] columns
    size_t n_by, search;    // search: SIZE_MAX: there is no such column
    size_t *set_of;         // [n]
    size_t capacity;
} table_t;

static size_t find(const fields_t *heading, const char *name, size_t len)
{
    for (size_t i = 0; i < heading->n; i++)
        if (strlen(heading->at[i]) == len && memcmp(heading->at[i], name, len) == 0)
            return i;
    return SIZE_MAX;
}

/* Names between commas: found [heading.n]. */
static pr_status_t find_list(const table_t *t, const char *option, const char *list, size_t *found, size_t *n,
                             pr_error_t *err)
{
    for (*n = 0;; (*n)++) {
        size_t len = strcspn(list, ","), at = find(&t->heading, list, len);
        if (at == SIZE_MAX)
            return pr_fail(err, PR_ERR_USAGE, "%s: %s has no column '%.*s'", option, t->points->name, (int)len, list);
        for (size_t i = 0; i < *n; i++)
            if (found[i] == at)
                return pr_fail(err, PR_ERR_USAGE, "%s: found '%.*s' twice", option, (int)len, list);
        found[*n] = at;
        if (!list[len]) {
            (*n)++;
            return PR_OK;
        }
        list += len + 1;
    }
}

/* The objectives of a sweep's table have weights. */
static void find_objectives(table_t *t, size_t *n)
{
    for (size_t i = 0; i < t->heading.n; i++) {
        pr_buf_t weight = {0}, blocks = {0};
        pr_buf_printf(&weight, "w_%s", t->heading.at[i]);
        pr_buf_printf(&blocks, "w_%s.0", t->heading.at[i]);
        if (find(&t->heading, weight.data, weight.len) != SIZE_MAX ||
            find(&t->heading, blocks.data, blocks.len) != SIZE_MAX)
            t->objective[(*n)++] = i;
        pr_buf_free(&weight);
        pr_buf_free(&blocks);
    }
}

static pr_status_t read_heading(table_t *t, const char *columns, const char *by, pr_error_t *err)
{
    size_t n = 0;
    t->objective = pr_alloc(t->heading.n, sizeof *t->objective);
    t->by = pr_alloc(t->heading.n, sizeof *t->by);
    if (columns)
        PR_TRY(find_list(t, "--columns", columns, t->objective, &n, err));
    else
        find_objectives(t, &n);
    if (n == 0)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s:1: found '%.40s', expected numbers, or the names of columns: --columns says which",
                       t->points->name, t->heading.at[0]);
    if (by)
        PR_TRY(find_list(t, "--by", by, t->by, &t->n_by, err));
    t->points->column = pr_alloc(n, sizeof *t->points->column);
    for (size_t k = 0; k < n; k++)
        t->points->column[k] = pr_strdup(t->heading.at[t->objective[k]]);
    t->points->m = (int)n;
    t->search = find(&t->heading, "search", strlen("search"));
    return PR_OK;
}

/* ---- rows ---- */

static bool is_base(const table_t *t)
{
    const char *search = t->search < t->row.n ? t->row.at[t->search] : "";
    return strcmp(search, "base") == 0 || strncmp(search, "base (", 6) == 0;
}

/* The number of the row's set. */
static size_t set_of_row(table_t *t)
{
    pr_points_t *p = t->points;
    pr_buf_t name = {0};
    pr_buf_add(&name, "", 0);
    for (size_t i = 0; i < t->n_by; i++)
        pr_buf_printf(&name, "%s%s=%s", i ? " " : "", t->heading.at[t->by[i]], t->row.at[t->by[i]]);
    for (size_t i = p->n_sets; i > 0; i--)
        if (strcmp(p->set_name[i - 1], name.data) == 0) {
            pr_buf_free(&name);
            return i - 1;
        }
    p->set_name = pr_realloc(p->set_name, p->n_sets + 1, sizeof *p->set_name);
    p->set_name[p->n_sets] = name.data;
    return p->n_sets++;
}

static void make_room(table_t *t, size_t rows)
{
    pr_points_t *p = t->points;
    t->capacity = rows;
    p->values = pr_realloc(p->values, rows * (size_t)p->m, sizeof *p->values);
    p->rows = pr_realloc(p->rows, rows, sizeof *p->rows);
    t->set_of = pr_realloc(t->set_of, rows, sizeof *t->set_of);
}

static pr_status_t add_row(table_t *t, const pr_points_row_t *line, pr_error_t *err)
{
    pr_points_t *p = t->points;
    size_t m = (size_t)p->m;
    char where[512];
    if (is_base(t)) {
        p->left_out++;
        return PR_OK;
    }
    if (p->n == t->capacity)
        make_room(t, 2 * t->capacity);
    for (size_t k = 0; k < m; k++) {
        const char *field = t->row.at[t->objective[k]];
        snprintf(where, sizeof where, "%s:%zu: column %s", p->name, line->line, p->column[k]);
        PR_TRY(pr_points_field(where, PR_ERR_FORMAT, field, strlen(field), &p->values[p->n * m + k], err));
    }
    p->rows[p->n] = *line;
    t->set_of[p->n++] = set_of_row(t);
    return PR_OK;
}

static pr_status_t read_row(table_t *t, const pr_points_row_t *line, pr_error_t *err)
{
    const pr_points_t *p = t->points;
    char where[512];
    snprintf(where, sizeof where, "%s:%zu", p->name, line->line);
    if (line->len == 0)
        return PR_OK;
    PR_TRY(split(where, p->text + line->offset, p->text + line->offset + line->len, &t->row, err));
    if (t->row.n != t->heading.n)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %zu columns, expected %zu as in line 1", where, t->row.n, t->heading.n);
    return add_row(t, line, err);
}

/* Rows set by set, in their order within each. */
static void group(table_t *t)
{
    pr_points_t *p = t->points;
    size_t m = (size_t)p->m, at = 0;
    double *values = pr_alloc(p->n * m, sizeof *values);
    pr_points_row_t *rows = pr_alloc(p->n, sizeof *rows);
    size_t *next = pr_alloc(p->n_sets + 1, sizeof *next);
    p->start = pr_alloc(p->n_sets + 1, sizeof *p->start);
    for (size_t i = 0; i < p->n; i++)
        p->start[t->set_of[i] + 1]++;
    for (size_t s = 0; s < p->n_sets; s++) {
        p->start[s + 1] += p->start[s];
        next[s] = p->start[s];
    }
    for (size_t i = 0; i < p->n; i++) {
        at = next[t->set_of[i]]++;
        rows[at] = p->rows[i];
        memcpy(values + at * m, p->values + i * m, m * sizeof *values);
    }
    free(next);
    free(p->rows);
    free(p->values);
    p->rows = rows;
    p->values = values;
}

static pr_status_t read_table(table_t *t, size_t len, const char *columns, const char *by, pr_error_t *err)
{
    pr_points_t *p = t->points;
    size_t number = 0;
    for (size_t at = text_begins(p->text, len), end; at < len; at = end + 1) {
        const char *newline = memchr(p->text + at, '\n', len - at);
        end = newline ? (size_t)(newline - p->text) : len;
        pr_points_row_t line = {at, end - at, ++number};
        line.len -= line.len > 0 && p->text[end - 1] == '\r';
        if (number > 1) {
            PR_TRY(read_row(t, &line, err));
            continue;
        }
        char where[512];
        snprintf(where, sizeof where, "%s:1", p->name);
        p->heading = line;
        PR_TRY(split(where, p->text + at, p->text + at + line.len, &t->heading, err));
        PR_TRY(read_heading(t, columns, by, err));
        make_room(t, 64);
    }
    if (number == 0 || p->n == 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: no points in %zu bytes, expected a row of numbers", p->name, len);
    group(t);
    if (!by)
        pr_points_unite(p);
    return PR_OK;
}

pr_status_t pr_points_parse_table(char *name, char *text, size_t len, const char *columns, const char *by,
                                  pr_points_t *out, pr_error_t *err)
{
    *out = (pr_points_t){.name = name, .text = text};
    table_t t = {.points = out};
    pr_status_t status = read_table(&t, len, columns, by, err);
    fields_clear(&t.heading);
    fields_clear(&t.row);
    free(t.heading.at);
    free(t.row.at);
    free(t.objective);
    free(t.by);
    free(t.set_of);
    if (status != PR_OK)
        pr_points_free(out);
    return status;
}
