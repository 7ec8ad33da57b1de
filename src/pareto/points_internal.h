// SPDX-License-Identifier: BSD-3-Clause
/* What the readers of files of points share. */
#ifndef PR_PARETO_POINTS_INTERNAL_H
#define PR_PARETO_POINTS_INTERNAL_H

#include "pareto/points_file.h"

#include <stdbool.h>

/* One field [len]; where is the error's beginning, class its status. */
pr_status_t pr_points_field(const char *where, pr_status_t class, const char *field, size_t len, double *out,
                            pr_error_t *err);
/* Is the text a table with names: is the first field of its first line neither a number nor a comment? */
bool pr_points_is_table(const char *text, size_t len);
/* Reads one. Takes over name and text. */
pr_status_t pr_points_parse_table(char *name, char *text, size_t len, const char *columns, const char *by,
                                  pr_points_t *out, pr_error_t *err);

#endif
