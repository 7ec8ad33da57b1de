// SPDX-License-Identifier: BSD-3-Clause
/* The ideal point z from which Chebyshev's scalarisation measures what an objective lacks, as options of combiners and
 * rules say it; and lists of one number per objective. */
#ifndef PR_LEARN_IDEAL_H
#define PR_LEARN_IDEAL_H

#include "base/error.h"
#include "option/option.h"

/* Rows of a table: `ideal` and `ideal_at`. most: what "max" means there. */
#define PR_IDEAL_OPTIONS(most)                                                                                         \
    {.key = "ideal",                                                                                                   \
     .kind = PR_OPT_STRING,                                                                                            \
     .dflt = "\"range\"",                                                                                              \
     .choices = "range|max|list",                                                                                      \
     .help = "the ideal point: range, the upper ends of the declared ranges; max, " most "; list, ideal_at"},          \
    {                                                                                                                  \
        .key = "ideal_at", .kind = PR_OPT_REALS, .dflt = "",                                                           \
        .help =                                                                                                        \
            "a number per objective, such as what its expert reaches and 5 % more; of a minimised one its negative"    \
    }

/* instead: what to give where a range is infinite. Errors: PR_ERR_CONFIG. */
pr_status_t pr_ideal_option_check(int k, const double *hi, const json_t *options, const char *instead, pr_error_t *err);
/* z [k]; most [k] is what "max" stands for. */
void pr_ideal_option(int k, const double *hi, const double *most, const json_t *options, double *z);

/* A list that may be absent has `expected` numbers when it is there. Errors: PR_ERR_CONFIG. */
pr_status_t pr_list_check(const json_t *options, const char *key, int expected, const char *of, pr_error_t *err);
/* Every range has both ends (lo NULL: an upper one). Errors: PR_ERR_CONFIG "FOUND, and the range of objective 2 is
 * infinite, expected EXPECTED". */
pr_status_t pr_ranges_check(int k, const double *lo, const double *hi, const char *found, const char *expected,
                            pr_error_t *err);

#endif
