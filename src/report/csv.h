// SPDX-License-Identifier: BSD-3-Clause
/* Reading the tables that a sweep writes (report/table.h): by the names of their columns, line by line. */
#ifndef PR_REPORT_CSV_H
#define PR_REPORT_CSV_H

#include "base/error.h"

#include <stdbool.h>

typedef struct pr_csv_line {
    int n;             // fields, as many as there are names
    char *const *name; // [n]
    char *const
        *field; // [n] without quotes, and without the ' that stands before what a spreadsheet takes for a formula
    const char *where; // "path:line", for messages
} pr_csv_line_t;

/* Called for each line after the first; not PR_OK ends the reading. line is borrowed. */
typedef pr_status_t (*pr_csv_fn)(void *self, const pr_csv_line_t *line, pr_error_t *err);
/* Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (no line of names, a line of another number of fields, a quote that does not
 * end), what fn returned. */
pr_status_t pr_csv_read(const char *path, pr_csv_fn fn, void *self, pr_error_t *err);
/* The field of that name; NULL where there is no such column. */
const char *pr_csv_field(const pr_csv_line_t *line, const char *name);
/* Its number. false: there is no such column, or no number in it (*out is then NaN). */
bool pr_csv_number(const pr_csv_line_t *line, const char *prefix, const char *name, double *out);

#endif
