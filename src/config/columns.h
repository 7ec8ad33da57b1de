// SPDX-License-Identifier: BSD-3-Clause
/* The names of the columns of cells.csv and front.csv, for those who write them (report/table.c) and for the check that
 * no objective's name makes two of them the same (config/check.c). */
#ifndef PR_CONFIG_COLUMNS_H
#define PR_CONFIG_COLUMNS_H

#define PR_COLUMNS_FIRST "search", "seed", "level"
#define PR_COLUMNS_LAST "prompts", "new_tokens", "cut", "front", "point", "job"
/* Between them a column for each objective with each of these before its name: weight, mean, standard error. */
#define PR_COLUMN_PREFIXES "w_", "", "se_"

#endif
