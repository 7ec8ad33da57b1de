// SPDX-License-Identifier: BSD-3-Clause
/* Progress of a verb that takes long, on stderr. */
#ifndef PR_CLI_SCREEN_H
#define PR_CLI_SCREEN_H

#include "report/progress.h"

#include <stdbool.h>

typedef struct pr_cli_screen {
    bool live;    // a terminal: one line that is written over; else lines
    bool quiet;   // none
    double every; // seconds between lines
    double last;  // when there was one, by pr_time_monotonic
} pr_cli_screen_t;

/* Shows it where it is time. self: a pr_cli_screen_t. */
void pr_cli_screen_progress(void *self, const pr_progress_t *p);
/* Makes room for what stays. */
void pr_cli_screen_clear(const pr_cli_screen_t *s);

#endif
