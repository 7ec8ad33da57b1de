// SPDX-License-Identifier: BSD-3-Clause
#include "cli/screen.h"
#include "base/duration.h"
#include "base/log.h"
#include "cli/cli.h"

#include <stdio.h>

void pr_cli_screen_progress(void *self, const pr_progress_t *p)
{
    pr_cli_screen_t *s = self;
    char line[1024];
    double now = pr_time_monotonic();
    if (s->quiet || now - s->last < (s->live ? 0.2 : s->every))
        return;
    s->last = now;
    pr_progress_line(p, s->live ? pr_cli_columns() - 1 : 160, line, sizeof line);
    if (s->live)
        fprintf(stderr, "\r\033[K%s", line);
    else
        pr_log(PR_LOG_INFO, "%s", line);
}

void pr_cli_screen_clear(const pr_cli_screen_t *s)
{
    if (s->live && !s->quiet)
        fprintf(stderr, "\r\033[K");
}
