// SPDX-License-Identifier: BSD-3-Clause
#include "landscape/table.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 28, MAX_COLUMNS = 256 };

/* ---- the lattice ---- */

static int64_t choose(int n, int k)
{
    int64_t c = 1;
    for (int i = 1; i <= k; i++)
        c = c * (n - k + i) / i;
    return c;
}

void pr_landscape_snap(const double *w, int k, int m, int *num)
{
    double rest[PR_MAX_OBJECTIVES] = {0};
    int left = m;
    for (int j = 0; j < k; j++) {
        num[j] = (int)floor(m * w[j] + 1e-9);
        rest[j] = m * w[j] - num[j];
        left -= num[j];
    }
    for (; left > 0; left--) {
        double most = rest[0];
        int at = 0;
        for (int j = 1; j < k; j++)
            most = fmax(most, rest[j]);
        while (rest[at] <= most - 1e-9)
            at++;
        num[at]++;
        rest[at]--;
    }
}

/* How many points of the lattice come before this one. */
static size_t rank_of(const int *num, int k, int m)
{
    int64_t before = 0;
    for (int j = 0; j < k - 1; j++)
        for (int less = 0; less < num[j]; less++, m--)
            before += choose(m + k - j - 2, k - j - 2);
    return (size_t)before;
}

size_t pr_landscape_table_row(const pr_landscape_table_t *t, const int *num)
{
    return rank_of(num, t->k, t->m);
}

/* ---- the file ---- */

typedef struct reader {
    const char *path;
    char *at, *end; // what is not read yet
    size_t line;
    size_t names_line;
    int columns;
    char *column[MAX_COLUMNS];                                                // the names, in the text
    int w[PR_MAX_OBJECTIVES], mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES]; // which column
} reader_t;

/* The next line that is not a comment and not empty, without its end; NULL at the end of the text. */
static char *next_line(reader_t *r)
{
    while (r->at < r->end) {
        char *line = r->at, *stop = memchr(line, '\n', (size_t)(r->end - line));
        if (!stop)
            stop = r->end;
        r->at = stop < r->end ? stop + 1 : r->end;
        r->line++;
        *stop = 0;
        if (stop > line && stop[-1] == '\r')
            stop[-1] = 0;
        if (line[0] && line[0] != '#')
            return line;
    }
    return NULL;
}

/* Cuts a line at its commas; the number of fields, or MAX_COLUMNS + 1. */
static int split(char *line, char **field)
{
    int n = 0;
    for (char *comma = line; comma; line = comma + 1) {
        if (n == MAX_COLUMNS)
            return n + 1;
        field[n++] = line;
        comma = strchr(line, ',');
        if (!comma)
            break;
        *comma = 0;
    }
    return n;
}

static pr_status_t find_column(const reader_t *r, const char *prefix, const char *name, int *out, pr_error_t *err)
{
    size_t n = strlen(prefix);
    int found = 0;
    for (int c = 0; c < r->columns; c++)
        if (strncmp(r->column[c], prefix, n) == 0 && strcmp(r->column[c] + n, name) == 0) {
            *out = c;
            found++;
        }
    if (found == 1)
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT,
                   "%s:%zu: found %s column '%s%s', expected w_NAME, NAME and se_NAME of each objective", r->path,
                   r->line, found ? "more than one" : "no", prefix, name);
}

static pr_status_t read_names(reader_t *r, pr_landscape_table_t *t, pr_error_t *err)
{
    char *line = next_line(r);
    if (!line)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: found no line of names, expected w_NAME, NAME and se_NAME of each objective", r->path);
    r->names_line = r->line;
    r->columns = split(line, r->column);
    if (r->columns > MAX_COLUMNS)
        return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: found more than %d columns", r->path, r->line, MAX_COLUMNS);
    t->name = pr_alloc(PR_MAX_OBJECTIVES, sizeof *t->name);
    for (int c = 0; c < r->columns; c++) {
        if (strncmp(r->column[c], "w_", 2) != 0)
            continue;
        if (t->k == PR_MAX_OBJECTIVES)
            return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: found more than %d weights (columns w_NAME)", r->path, r->line,
                           PR_MAX_OBJECTIVES);
        const char *name = r->column[c] + 2;
        r->w[t->k] = c;
        PR_TRY(find_column(r, "w_", name, &r->w[t->k], err));
        PR_TRY(find_column(r, "", name, &r->mean[t->k], err));
        PR_TRY(find_column(r, "se_", name, &r->se[t->k], err));
        t->name[t->k++] = pr_strdup(name);
    }
    if (t->k < 2)
        return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: found %d weights (columns w_NAME), expected 2 to %d", r->path,
                       r->line, t->k, PR_MAX_OBJECTIVES);
    return PR_OK;
}

static pr_status_t read_number(const reader_t *r, char *const *field, int column, double *out, pr_error_t *err)
{
    char *end;
    *out = strtod(field[column], &end);
    if (end == field[column] || *end || !isfinite(*out))
        return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: %s: found '%.40s', expected a number", r->path, r->line,
                       r->column[column], field[column]);
    return PR_OK;
}

/* Weights, means and standard errors of the next row; false at the end. */
static pr_status_t read_row(reader_t *r, int k, double *w, double *mean, double *se, bool *more, pr_error_t *err)
{
    char *field[MAX_COLUMNS], *line = next_line(r);
    *more = line != NULL;
    if (!line)
        return PR_OK;
    int n = split(line, field);
    if (n != r->columns)
        return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: found %d columns, expected %d as in line %zu", r->path, r->line, n,
                       r->columns, r->names_line);
    for (int j = 0; j < k; j++) {
        PR_TRY(read_number(r, field, r->w[j], &w[j], err));
        PR_TRY(read_number(r, field, r->mean[j], &mean[j], err));
        PR_TRY(read_number(r, field, r->se[j], &se[j], err));
        if (se[j] < 0)
            return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: %s: found %g, expected 0 or more", r->path, r->line,
                           r->column[r->se[j]], se[j]);
    }
    return PR_OK;
}

/* Rows as they stand in the file: [n, 3k + 1], weights, means, standard errors, line. */
typedef struct rows {
    double *at;
    size_t n, cap, width;
} rows_t;

static pr_status_t read_rows(reader_t *r, int k, rows_t *rows, pr_error_t *err)
{
    rows->width = 3 * (size_t)k + 1;
    for (bool more = true;;) {
        if (rows->n == rows->cap) {
            rows->cap = rows->cap ? 2 * rows->cap : 256;
            rows->at = pr_realloc(rows->at, rows->cap, rows->width * sizeof *rows->at);
        }
        double *row = rows->at + rows->n * rows->width;
        PR_TRY(read_row(r, k, row, row + k, row + 2 * k, &more, err));
        if (!more)
            return PR_OK;
        row[3 * k] = (double)r->line;
        rows->n++;
    }
}

/* The lattice that has as many points. */
static pr_status_t find_step(const reader_t *r, pr_landscape_table_t *t, size_t n, pr_error_t *err)
{
    int64_t size = 1, last = 1;
    while (size < (int64_t)n) {
        last = size;
        t->m++;
        size = choose(t->m + t->k - 1, t->k - 1);
    }
    if (size != (int64_t)n || n < 2)
        return pr_fail(
            err, PR_ERR_FORMAT,
            "%s: found %zu rows, expected all points of a simplex lattice of %d weights, such as %lld or %lld", r->path,
            n, t->k, (long long)(n < 2 ? t->k : last), (long long)(n < 2 ? choose(t->k + 1, 2) : size));
    t->n = n;
    return PR_OK;
}

/* Puts the rows where the lattice has them. */
static pr_status_t place_rows(const reader_t *r, pr_landscape_table_t *t, const rows_t *rows, size_t *line,
                              pr_error_t *err)
{
    size_t k = (size_t)t->k;
    for (size_t i = 0; i < rows->n; i++) {
        const double *row = rows->at + i * rows->width;
        size_t here = (size_t)row[3 * k];
        int num[PR_MAX_OBJECTIVES] = {0}, sum = 0;
        for (size_t j = 0; j < k; j++) {
            double steps = row[j] * t->m, nearest = nearbyint(steps);
            if (!(fabs(steps - nearest) < 0.01) || nearest < 0 || nearest > t->m)
                return pr_fail(err, PR_ERR_FORMAT,
                               "%s:%zu: %s: found %g, expected a multiple of 1/%d from 0 to 1, as there are "
                               "%zu rows",
                               r->path, here, r->column[r->w[j]], row[j], t->m, rows->n);
            num[j] = (int)nearest;
            sum += num[j];
        }
        if (sum != t->m)
            return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: found weights of sum %g, expected 1", r->path, here,
                           (double)sum / t->m);
        size_t at = rank_of(num, t->k, t->m);
        if (line[at])
            return pr_fail(err, PR_ERR_FORMAT,
                           "%s:%zu: found the weights of line %zu again, expected every lattice point once", r->path,
                           here, line[at]);
        line[at] = here;
        memcpy(t->mean + at * k, row + k, k * sizeof *row);
        memcpy(t->se + at * k, row + 2 * k, k * sizeof *row);
    }
    return PR_OK;
}

pr_status_t pr_landscape_table_parse(const char *path, char *text, size_t len, pr_landscape_table_t *out,
                                     pr_error_t *err)
{
    reader_t r = {.path = path, .at = text, .end = text + len};
    pr_landscape_table_t t = {0};
    rows_t rows = {0};
    size_t *line = NULL;
    pr_status_t status;
    PR_GO(read_names(&r, &t, err));
    PR_GO(read_rows(&r, t.k, &rows, err));
    PR_GO(find_step(&r, &t, rows.n, err));
    t.mean = pr_alloc(t.n * (size_t)t.k, sizeof *t.mean);
    t.se = pr_alloc(t.n * (size_t)t.k, sizeof *t.se);
    line = pr_alloc(t.n, sizeof *line);
    PR_GO(place_rows(&r, &t, &rows, line, err));
    *out = t;
    t = (pr_landscape_table_t){0};
done:
    pr_landscape_table_free(&t);
    free(rows.at);
    free(line);
    return status;
}

pr_status_t pr_landscape_table_read(const char *path, pr_landscape_table_t *out, pr_error_t *err)
{
    char *text;
    size_t len;
    PR_TRY(pr_file_read_text(path, MAX_FILE, &text, &len, err));
    pr_status_t status = pr_landscape_table_parse(path, text, len, out, err);
    free(text);
    return status;
}

void pr_landscape_table_free(pr_landscape_table_t *t)
{
    for (int j = 0; j < t->k; j++)
        free(t->name[j]);
    free(t->name);
    free(t->mean);
    free(t->se);
    *t = (pr_landscape_table_t){0};
}
