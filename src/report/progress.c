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

enum { PARTS = 8 + PR_PROGRESS_JOBS, GAP = 2 };

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

/* "12m 00s", or "8m 10s to 12m 00s" while that is a guess. */
static void left_text(const pr_progress_t *p, char *out, size_t size)
{
    char most[32], least[32];
    pr_duration_format(p->seconds_left, most, sizeof most);
    pr_duration_format(p->seconds_left_least, least, sizeof least);
    if (p->seconds_left_least >= 0 && p->seconds_left > 1.25 * p->seconds_left_least && strcmp(most, least) != 0)
        snprintf(out, size, "%s to %s", least, most);
    else
        snprintf(out, size, "%s", most);
}

static void job_text(const pr_progress_job_t *job, bool first, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s%s %ld/%ld", first ? "" : "· ", job->name, job->step, job->steps);
    if (isfinite(job->reward) && n < size)
        n += (size_t)snprintf(out + n, size - n, " r=%.2f", job->reward);
    if (isfinite(job->kl) && n < size)
        snprintf(out + n, size - n, " kl=%.2f", job->kl);
}

/* The parts of the line in the order they are shown. */
static int collect(const pr_progress_t *p, pr_progress_part_t *parts)
{
    enum { size = sizeof parts->text };
    int n = 0;
    char text[96];
    char phase[128];
    long total = p->evaluates && p->jobs_most > p->jobs_total ? p->jobs_most : p->jobs_total;
    snprintf(phase, sizeof phase, "%s", p->phase);
    count_text(phase, p->jobs_done, total, add_part(parts, &n, 19)->text, size);
    for (int i = 0; i < p->n_jobs && i < PR_PROGRESS_JOBS; i++)
        job_text(&p->job[i], i == 0, add_part(parts, &n, 15 - i)->text, size); // the last go first
    if (p->n_jobs > PR_PROGRESS_JOBS)
        snprintf(add_part(parts, &n, 9)->text, size, "· %d more", p->n_jobs - PR_PROGRESS_JOBS);
    if (!p->evaluates && p->evaluated > 0)
        count_text("points", p->evaluated, p->jobs_most, add_part(parts, &n, 5)->text, size);
    if (p->running > 0)
        snprintf(add_part(parts, &n, 2)->text, size, "%d running", p->running);
    if (p->tokens_per_second >= 0) {
        pr_progress_rate(p->tokens_per_second, text, sizeof text);
        snprintf(add_part(parts, &n, 3)->text, size, "%s tok/s", text);
    }
    if (p->seconds_left >= 0) {
        left_text(p, text, sizeof text);
        snprintf(add_part(parts, &n, 17)->text, size, "%s left", text);
    }
    if (p->failed > 0)
        snprintf(add_part(parts, &n, 18)->text, size, "%ld failed", p->failed);
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
    if (!ended && p->jobs_most > 0)
        pr_buf_printf(&b, "%-12s%ld of at most %ld\n", "points", p->evaluated, p->jobs_most);
    for (int i = 0; i < p->n_jobs && i < PR_PROGRESS_JOBS; i++) {
        char job[160];
        job_text(&p->job[i], true, job, sizeof job);
        pr_buf_printf(&b, "%-12s", "training");
        pr_text_cut(&b, job, 100);
        pr_buf_puts(&b, "\n");
    }
    if (p->n_jobs > PR_PROGRESS_JOBS)
        pr_buf_printf(&b, "%-12s%d more\n", "training", p->n_jobs - PR_PROGRESS_JOBS);
    if (p->workers > 0)
        pr_buf_printf(&b, "%-12s%d\n", "workers", p->workers);
    if (p->tokens_per_second >= 0 && !ended) {
        pr_progress_rate(p->tokens_per_second, rate, sizeof rate);
        pr_buf_printf(&b, "%-12s%s tok/s\n", "speed", rate);
    }
    put_duration(&b, ended ? "took" : "elapsed", p->seconds_elapsed, "");
    if (p->seconds_left >= 0) {
        char left[96];
        left_text(p, left, sizeof left);
        pr_buf_printf(&b, "%-12s%s\n", "left", left);
    }
    put_duration(&b, "last event", p->last_event_age, " ago");
    return b.data;
}

static json_t *count_value(long n)
{
    return n < 0 ? json_null() : json_integer(n);
}

json_t *pr_progress_json(const pr_progress_t *p)
{
    json_t *jobs = json_array();
    for (int i = 0; i < p->n_jobs && i < PR_PROGRESS_JOBS; i++)
        json_array_append_new(jobs,
                              json_pack("{s:o, s:I, s:I, s:o, s:o}", "name",
                                        pr_text_json_string(p->job[i].name, strlen(p->job[i].name)), "step",
                                        (json_int_t)p->job[i].step, "steps", (json_int_t)p->job[i].steps, "reward",
                                        pr_json_real(p->job[i].reward), "kl", pr_json_real(p->job[i].kl)));
    json_t *v = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "phase",
                          pr_text_json_string(p->phase, strlen(p->phase)), "jobs_done", count_value(p->jobs_done),
                          "jobs_total", count_value(p->jobs_total), "points_done", count_value(p->evaluated),
                          "points_most", p->jobs_most > 0 ? json_integer(p->jobs_most) : json_null(), "step",
                          count_value(p->step), "step_total", count_value(p->step_total), "running",
                          count_value(p->running), "workers", count_value(p->workers));
    json_object_set_new(v, "failed", count_value(p->failed));
    json_object_set_new(v, "jobs", jobs);
    json_object_set_new(v, "reward", pr_json_real(p->reward));
    json_object_set_new(v, "tokens_per_second", pr_json_real(p->tokens_per_second));
    json_object_set_new(v, "seconds_elapsed", pr_json_real(p->seconds_elapsed));
    json_object_set_new(v, "seconds_left", pr_json_real(p->seconds_left));
    json_object_set_new(v, "seconds_left_least", pr_json_real(p->seconds_left_least));
    json_object_set_new(v, "last_event_age", pr_json_real(p->last_event_age));
    return v;
}
