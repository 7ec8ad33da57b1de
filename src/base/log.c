// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static pr_log_level_t max_level = PR_LOG_INFO;
static char log_tag[16]; // "[3]", or nothing

void pr_log_set_level(pr_log_level_t level)
{
    max_level = level;
}

void pr_log_set_rank(int rank)
{
    if (rank < 0)
        log_tag[0] = 0;
    else
        snprintf(log_tag, sizeof log_tag, "[%d]", rank);
}

void pr_log(pr_log_level_t level, const char *format, ...)
{
    if (level > max_level)
        return;
    // One write per line, so that lines of several ranks do not mix.
    char line[2048];
    va_list args;
    int n = snprintf(line, sizeof line, "paretorank%s: %s", log_tag, level == PR_LOG_WARN ? "warning: " : "");
    va_start(args, format);
    vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
    va_end(args);
    fprintf(stderr, "%s\n", line);
}
