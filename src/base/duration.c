// SPDX-License-Identifier: BSD-3-Clause
#include "base/duration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

pr_status_t pr_duration_parse(const char *text, double *seconds, pr_error_t *err)
{
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    char *end;
    double value = strtod(text, &end);
    if (end != text && isfinite(value) && value >= 0)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (strcmp(end, units[i].unit) == 0) {
                *seconds = value * units[i].factor;
                return PR_OK;
            }
    return pr_fail(err, PR_ERR_CONFIG,
                   "'%s' is not a duration; expected a number and s, m, h or d, such as \"90s\" or \"1.5h\"", text);
}

void pr_duration_format(double seconds, char *out, size_t size)
{
    if (!(seconds >= 0) || seconds > 1e9) {
        snprintf(out, size, "?");
        return;
    }
    long s = lround(seconds);
    if (s < 60)
        snprintf(out, size, "%lds", s);
    else if (s < 3600)
        snprintf(out, size, "%ldm %02lds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, size, "%ldh %02ldm", s / 3600, s / 60 % 60);
    else
        snprintf(out, size, "%ldd %02ldh", s / 86400, s / 3600 % 24);
}

static double clock_seconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double pr_time_wall(void)
{
    return clock_seconds(CLOCK_REALTIME);
}

double pr_time_monotonic(void)
{
    return clock_seconds(CLOCK_MONOTONIC);
}
