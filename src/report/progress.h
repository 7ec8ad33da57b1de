// SPDX-License-Identifier: BSD-3-Clause
/* How far a sweep is, as one line for a terminal or a log, as lines for `status`, and as JSON. Formatting only: who
 * calls knows the clock and the terminal. */
#ifndef PR_REPORT_PROGRESS_H
#define PR_REPORT_PROGRESS_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

enum { PR_PROGRESS_JOBS = 6 };
/* A running job with steps. */
typedef struct pr_progress_job {
    char name[64]; // of the expert
    long step, steps;
    double reward, kl; // of the last step
} pr_progress_job_t;

/* Numbers that are not known are NAN (doubles) or negative (integers); totals of 0 are not shown. */
typedef struct pr_progress {
    const char *phase;                       // "fine-tuning", "evaluating", ...; what the jobs are
    long jobs_done, jobs_total;              // of this phase
    long step, step_total;                   // of the job that is furthest behind, where jobs have steps
    int running;                             // jobs running now
    int workers;                             // teams that could run one
    long failed;                             // jobs given up
    bool evaluates;                          // the phase is the evaluation of points
    long jobs_most;                          // evaluations that there may be in all, as far as searches say
    long evaluated;                          // of them done
    pr_progress_job_t job[PR_PROGRESS_JOBS]; // [n_jobs, or as many as there is room for] running jobs with steps
    int n_jobs;
    double reward;            // mean reward of the latest step, where there is one such job
    double tokens_per_second; // of all teams together
    double seconds_elapsed;
    double seconds_left, seconds_left_least; // of all phases; the least that it may be
    double last_event_age;                   // seconds since the journal's last event
} pr_progress_t;

/* Everything unknown, counts 0. */
#define PR_PROGRESS_UNKNOWN                                                                                            \
    {                                                                                                                  \
        .phase = "", .reward = NAN, .tokens_per_second = NAN, .seconds_elapsed = NAN, .seconds_left = NAN,             \
        .seconds_left_least = NAN, .last_event_age = NAN                                                               \
    }

/* Writes "fine-tuning 1/3  reflection 23/40 r=0.91 kl=0.03 · empathy 4/40 r=0.26  5.2k tok/s  12s left  1 failed" into out, without a newline; parts
 * that do not fit into `columns` are left out, the least important first. Returns the columns used. */
int pr_progress_line(const pr_progress_t *p, int columns, char *out, size_t size);
/* The same for people who asked: one "what  value" a line, each with a newline. Caller frees. */
char *pr_progress_text(const pr_progress_t *p);
/* {"phase", "jobs_done", ...}: the fields of the struct, null where not known. Caller json_decref()s. */
json_t *pr_progress_json(const pr_progress_t *p);
/* Writes a rate as "873", "5.2k" or "1.3M" into out. */
void pr_progress_rate(double rate, char *out, size_t size);

#endif
