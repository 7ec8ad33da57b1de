// SPDX-License-Identifier: BSD-3-Clause
/* Files of points, as the field's tools write them.
 *
 * A line is a point: numbers between spaces, tabs or commas. '#' begins a comment. Lines without numbers, empty or with
 * nothing but a comment, end a set, and the next point begins another one. Lines end with LF or CRLF. "inf" is a
 * number; "nan", numbers that do not fit a double, empty fields and rows with another number of columns than the first
 * are refused with "file:line: ...".
 *
 * Or it is a table with names: RFC 4180's CSV whose first line is no row of numbers, such as a sweep's cells.csv. Its
 * points are some of the columns. A row is a line: a quoted field that goes over a line's end is refused. */
#ifndef PR_PARETO_POINTS_FILE_H
#define PR_PARETO_POINTS_FILE_H

#include "base/error.h"

#include <stddef.h>

typedef struct pr_points_row {
    size_t offset, len; // the line's text, without its end
    size_t line;        // from 1
} pr_points_row_t;

typedef struct pr_points {
    char *name; // the path, or "stdin"
    char *text; // the whole file
    size_t n;
    int m;
    double *values;        // [n,m] as written
    pr_points_row_t *rows; // [n]
    size_t n_sets;
    size_t *start; // [n_sets + 1] the first row of each set; no set is empty
    /* Of a table with names: */
    char **column;           // [m] names; NULL: it is not one
    char **set_name;         // [n_sets] "search=states seed=1"; NULL: there is one set
    pr_points_row_t heading; // the line of names
    size_t left_out;         // rows of the base model and of experts alone
} pr_points_t;

/* Reads a file, or standard input for "-". Free with pr_points_free(). Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (also
 * for a file without any point). */
pr_status_t pr_points_load(const char *path, pr_points_t *out, pr_error_t *err);
/* The same from text [len] that is already in memory. */
pr_status_t pr_points_parse(const char *name, const char *text, size_t len, pr_points_t *out, pr_error_t *err);
void pr_points_free(pr_points_t *points);

/* The same, where the file may be a table with names. columns: those of the objectives, "a,b"; NULL: those that have a
 * column of weights (w_NAME or w_NAME.0), as objectives of a sweep. by: columns whose values tell sets apart, "a,b"; NULL:
 * all rows are one set. Rows of the search "base", or "base (...)", are left out, as they are no points of a search's.
 * Errors: also PR_ERR_USAGE: columns or by, and the file has no names, or not those. */
pr_status_t pr_points_load_named(const char *path, const char *columns, const char *by, pr_points_t *out,
                                 pr_error_t *err);

/* Makes one set of all rows. */
void pr_points_unite(pr_points_t *points);

/* Directions as the command line names them: "all", "none", or the objectives to be maximised counted from 1, such as
 * "1,3", or their names where column [m] is not NULL. signs [m], the caller's to free: 1 for an objective to be
 * maximised, -1 for one to be minimised. Errors: PR_ERR_USAGE. */
pr_status_t pr_points_directions(const char *text, int m, char *const *column, double **signs, pr_error_t *err);
/* to [n,m] = rows times signs [m], so that every objective is maximised (or, applied again, is as written). */
void pr_points_orient(const double *rows, size_t n, int m, const double *signs, double *to);

/* Numbers between spaces, tabs or commas, such as a --reference argument; *values is the caller's to free. what names
 * the text in an error, which is PR_ERR_USAGE. */
pr_status_t pr_points_numbers(const char *what, const char *text, double **values, size_t *n, pr_error_t *err);

#endif
