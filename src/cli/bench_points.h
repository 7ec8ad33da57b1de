// SPDX-License-Identifier: BSD-3-Clause
/* What rank 0 needs for a sweep of many points. */
#ifndef PR_CLI_BENCH_POINTS_H
#define PR_CLI_BENCH_POINTS_H

#include "base/error.h"

#include <stddef.h>

typedef struct pr_bench_points {
    size_t points;
    double open_seconds;   // until the first job can be given
    double run_seconds;    // giving and ending all jobs, journal included
    double resume_seconds; // opening the finished sweep again: the journal is read
    double run_mib;        // most memory of the process until then
    double resume_mib;
} pr_bench_points_t;

/* A sweep over about n points of three objectives (a lattice) whose jobs end at once, in a temporary directory that is
 * removed. Forks, so that memory is that of the sweep alone: before MPI is started. Errors: PR_ERR_IO. */
pr_status_t pr_bench_points(size_t n, pr_bench_points_t *out, pr_error_t *err);

#endif
