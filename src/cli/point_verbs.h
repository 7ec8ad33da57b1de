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
    "(empty, or only a # comment) end a set. LF or CRLF. 'nan' and rows of unequal length are errors. Or it is a "     \
    "table with a line of names first, such as a sweep's cells.csv, in which rows of the base model and of experts "   \
    "alone are no points.\n"                                                                                           \
    "Exit codes: 0 ok, 2 usage, 3 bad or missing file, 4 cannot write."

/* Rows of a verb's table of options. */
#define PR_POINT_ARGS(type)                                                                                            \
    PR_ARG("--columns", STRING, offsetof(type, columns), "NAMES",                                                      \
           "Of a table with names: the objectives' columns, such as empathy,brevity. Default: the objectives of a "    \
           "sweep, which have columns of weights (w_NAME)."),                                                          \
        PR_ARG("--by", STRING, offsetof(type, by), "NAMES",                                                            \
               "Of a table with names: a set for each value of these columns, such as search,seed. Default: all rows " \
               "are one set.")
#define PR_MAXIMIZE_HELP                                                                                               \
    "Objectives to be maximised, counted from 1, such as 1,3, or by the names of a table's columns; or all, or none. " \
    "The others are minimised."

/* Prints a value on one line of stdout with 17 significant digits, and releases it. */
void pr_point_print_json(json_t *value);
/* An array of n numbers; what JSON has no number for is null. */
json_t *pr_point_json_numbers(const double *numbers, size_t n);
/* Of a table with names: sets "name" of a set, "columns" of all; of another file nothing. */
void pr_point_json_name(const pr_points_t *p, size_t set, json_t *value);
void pr_point_json_columns(const pr_points_t *p, json_t *value);

#endif
