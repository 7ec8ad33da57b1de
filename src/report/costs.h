// SPDX-License-Identifier: BSD-3-Clause
/* costs.csv: what each job of a sweep took. It differs from run to run, so it is no part of the results proper. */
#ifndef PR_REPORT_COSTS_H
#define PR_REPORT_COSTS_H

#include "base/error.h"

#include <stddef.h>

typedef struct pr_cost {
    const char *job;   // identity
    const char *kind;  // "finetune", "evaluate", ...
    const char *label; // for people, such as "brevity-s1"
    int rank;          // the team's first rank; negative: never started
    const char *host;
    double seconds; // of all attempts together
    long tokens;
    int attempts;
    const char *status; // "ok" or the reason it failed
} pr_cost_t;

/* Header job,kind,label,rank,host,seconds,tokens,attempts,status and one row per job, in the order given; text is escaped
 * as in cells.csv, NULL text is empty, and so are a negative rank and seconds that are not a number. Atomic. Errors:
 * PR_ERR_IO. */
pr_status_t pr_write_costs_csv(const char *path, const pr_cost_t *cost, size_t n, pr_error_t *err);

#endif
