// SPDX-License-Identifier: BSD-3-Clause
/* A table of all points of a simplex lattice that were evaluated, as a landscape. CSV: lines that begin with '#' are
 * comments; a line of names, of which there are w_NAME (the weight), NAME (the mean, to be maximised, reference 0) and
 * se_NAME (its standard error) for each of K objectives, in any order and among others, as in cells.csv; then one row for
 * each of the C(m+K-1, K-1) points of the lattice of step 1/m, in any order. */
#ifndef PR_LANDSCAPE_TABLE_H
#define PR_LANDSCAPE_TABLE_H

#include "base/error.h"
#include "base/limits.h"

#include <stddef.h>

typedef struct pr_landscape_table {
    int k, m;          // objectives; the lattice's step is 1/m
    size_t n;          // points
    char **name;       // [k]
    double *mean, *se; // [n,k], the lattice's points in lexicographic order
} pr_landscape_table_t;

/* Reads a file; free with pr_landscape_table_free. Errors: PR_ERR_NOT_FOUND; PR_ERR_FORMAT with file, line, found and
 * expected. */
pr_status_t pr_landscape_table_read(const char *path, pr_landscape_table_t *out, pr_error_t *err);
/* The same from text [len], which is changed. */
pr_status_t pr_landscape_table_parse(const char *path, char *text, size_t len, pr_landscape_table_t *out,
                                     pr_error_t *err);
void pr_landscape_table_free(pr_landscape_table_t *t);

/* The lattice point nearest to w [k] (of sum 1), num [k] of sum m: by largest remainders, of equal ones (within 1e-9)
 * the first. */
void pr_landscape_snap(const double *w, int k, int m, int *num);
/* The row of a lattice point num [k], whose sum is m. */
size_t pr_landscape_table_row(const pr_landscape_table_t *t, const int *num);

#endif
