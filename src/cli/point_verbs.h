// SPDX-License-Identifier: BSD-3-Clause
/* What the verbs on files of points share. */
#ifndef PR_CLI_POINT_VERBS_H
#define PR_CLI_POINT_VERBS_H

#include "cli/cli.h"
#include "pareto/points_file.h"

/* What --help says about point files. */
#define PR_POINT_FILE_HELP                                                                                             \
    "FILE ('-': standard input) holds one point per line, numbers between spaces, tabs or commas. Lines without "      \
    "numbers "                                                                                                         \
    "(empty, or only a # comment) end a set. LF or CRLF. 'nan' and rows of unequal length are errors.\n"               \
    "Exit codes: 0 ok, 2 usage, 3 bad or missing file, 4 cannot write."

/* Prints a value on one line of stdout with 17 significant digits, and releases it. */
void pr_point_print_json(json_t *value);
/* An array of n numbers; what JSON has no number for is null. */
json_t *pr_point_json_numbers(const double *numbers, size_t n);

#endif
