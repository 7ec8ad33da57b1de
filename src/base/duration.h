// SPDX-License-Identifier: BSD-3-Clause
/* Durations as people write them: "90s", "5m", "1.5h", "2d", "250ms", or a bare number of seconds. */
#ifndef PR_BASE_DURATION_H
#define PR_BASE_DURATION_H

#include "base/error.h"

#include <stddef.h>

pr_status_t pr_duration_parse(const char *text, double *seconds, pr_error_t *err);
/* Writes "3m 20s", "1h 05m", "42s" into out. */
void pr_duration_format(double seconds, char *out, size_t size);
/* Seconds since 1970 (wall clock), and seconds of a clock that never goes back. */
double pr_time_wall(void);
double pr_time_monotonic(void);

#endif
