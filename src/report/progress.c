// SPDX-License-Identifier: BSD-3-Clause
#include "report/progress.h"
#include "base/duration.h"
#include "base/mem.h"
#include "report/text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 8, GAP = 2 };

typedef struct pr_progress_part {
    char text[160];
    int importance; // the lowest is left out first
    int width;
} pr_progress_part_t;

void pr_progress_rate(double rate, char *out, size_t size)
{
    if (!(rate >= 0) || isinf(rate))
        snprintf(out, size, "?");
    else if (rate < 9.95)
        snprintf(out, size, "%.1f", rate);
    else if (rate < 999.5)
        snprintf(out, size, "%.0f", rate);
    else if (rate < 9950)
        snprintf(out, size, "%.1fk", rate / 1e3);
    else if (rate < 999500)
        snprintf(out, size, "%.0fk", rate / 1e3);
    else
        snprintf(out, size, "%.1fM", rate / 1e6);
}

static void count_text(const char *what, long done, long total, char *out, size_t size)
{
    if (total > 0)
        snprintf(out, size, "%s %ld/%ld", what, done, total);
    else
        snprintf(out, size, "%s", what);
}

static pr_progress_part_t *add_part(pr_progress_part_t *parts, int *n, int importance)
{
    parts[*n].importance = importance;
    return &parts[(*n)++];
}

/* The parts of the line in the order they are shown. */
static int collect(const pr_progress_t *p, pr_progress_part_t *parts)
{
    enum { size = sizeof parts->text };
    int n = 0;
    char text[64];
    char phase[128];
    snprintf(phase, sizeof phase, "%s", p->phase);
    count_text(phase, p->jobs_done, p->jobs_total, add_part(parts, &n, 9)->text, size);
    if (p->step_total > 0)
        count_text("step", p->step, p->step_total, add_part(parts, &n, 6)->text, size);
    if (p->running > 0)
        snprintf(add_part(parts, &n, 2)->text, size, "%d running", p->running);
    if (isfinite(p->reward))
        snprintf(add_part(parts, &n, 5)->text, size, "reward %.3f", p->reward);
    if (p->tokens_per_second >= 0) {
        pr_progress_rate(p->tokens_per_second, text, sizeof text);
        snprintf(add_part(parts, &n, 3)->text, size, "%s tok/s", text);
    }
    if (p->seconds_left >= 0) {
        pr_duration_format(p->seconds_left, text, sizeof text);
        snprintf(add_part(parts, &n, 7)->text, size, "%s left", text);
    }
    if (p->failed > 0)
        snprintf(add_part(parts, &n, 8)->text, size, "%ld failed", p->failed);
    return n;
}

/* Leaves out the least important parts until the line fits or one is left. */
static int fit(pr_progress_part_t *parts, int n, int columns)
{
    for (;;) {
        int width = -GAP, least = 0;
        for (int i = 0; i < n; i++) {
            width += parts[i].width + GAP;
            least = parts[i].importance < parts[least].importance ? i : least;
        }
        if (width <= columns || n == 1)
            return n;
        memmove(&parts[least], &parts[least + 1], (size_t)(n - least - 1) * sizeof *parts);
        n--;
    }
}

int pr_progress_line(const pr_progress_t *p, int columns, char *out, size_t size)
{
    pr_progress_part_t parts[PARTS];
    pr_buf_t b = {0};
    int n = collect(p, parts), used = 0;
    for (int i = 0; i < n; i++)
        parts[i].width = pr_text_width(parts[i].text);
    n = fit(parts, n, columns);
    for (int i = 0; i < n; i++) {
        pr_buf_puts(&b, i ? "  " : "");
        used += (i ? GAP : 0) + pr_text_cut(&b, parts[i].text, columns - used);
    }
    while (b.len >= size && b.len > 0) // out is too small: not within a character
        do
            b.len--;
        while (b.len > 0 && ((unsigned char)b.data[b.len] & 0xC0) == 0x80);
    if (size > 0) {
        memcpy(out, b.data ? b.data : "", b.len);
        out[b.len] = 0;
    }
    pr_buf_free(&b);
    return used;
}

static void put_duration(pr_buf_t *b, const char *what, double seconds, const char *after)
{
    char text[32];
    if (!(seconds >= 0))
        return;
    pr_duration_format(seconds, text, sizeof text);
    pr_buf_printf(b, "%-12s%s%s\n", what, text, after);
}

char *pr_progress_text(const pr_progress_t *p)
{
    pr_buf_t b = {0};
    char rate[32];
    bool ended = strcmp(p->phase, "ended") == 0; // which the state says
    if (!ended) {
        pr_buf_printf(&b, "%-12s", "phase");
        pr_text_cut(&b, p->phase, 64);
        pr_buf_puts(&b, "\n");
    }
    if (p->jobs_total > 0)
        pr_buf_printf(&b, "%-12s%ld/%ld done", "jobs", p->jobs_done, p->jobs_total);
    if (p->jobs_total > 0 && !ended)
        pr_buf_printf(&b, ", %d running", p->running);
    if (p->jobs_total > 0)
        pr_buf_printf(&b, ", %ld failed\n", p->failed);
    if (p->step_total > 0)
        pr_buf_printf(&b, "%-12s%ld/%ld\n", "step", p->step, p->step_total);
    if (p->workers > 0)
        pr_buf_printf(&b, "%-12s%d\n", "workers", p->workers);
    if (isfinite(p->reward))
        pr_buf_printf(&b, "%-12s%.3f\n", "reward", p->reward);
    if (p->tokens_per_second >= 0 && !ended) {
        pr_progress_rate(p->tokens_per_second, rate, sizeof rate);
        pr_buf_printf(&b, "%-12s%s tok/s\n", "speed", rate);
    }
    put_duration(&b, ended ? "took" : "elapsed", p->seconds_elapsed, "");
    put_duration(&b, "left", p->seconds_left, "");
    put_duration(&b, "last event", p->last_event_age, " ago");
    return b.data;
}

static json_t *count_value(long n)
{
    return n < 0 ? json_null() : json_integer(n);
}

json_t *pr_progress_json(const pr_progress_t *p)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "phase",
                     pr_text_json_string(p->phase, strlen(p->phase)), "jobs_done", count_value(p->jobs_done),
                     "jobs_total", count_value(p->jobs_total), "step", count_value(p->step), "step_total",
                     count_value(p->step_total), "running", count_value(p->running), "workers", count_value(p->workers),
                     "failed", count_value(p->failed), "reward", pr_json_real(p->reward), "tokens_per_second",
                     pr_json_real(p->tokens_per_second), "seconds_elapsed", pr_json_real(p->seconds_elapsed),
                     "seconds_left", pr_json_real(p->seconds_left), "last_event_age", pr_json_real(p->last_event_age));
}
