// SPDX-License-Identifier: BSD-3-Clause
/* Where jobs come from, and who does them, as tables of functions: who schedules knows jobs and ranks, not weights. */
#ifndef PR_RUN_SCHEDULE_H
#define PR_RUN_SCHEDULE_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>

/* Where jobs come from; on rank 0 only. A spec is a JSON object with an "id" and optionally a "kind". Functions that
 * return a status end the schedule when it is not PR_OK. */
typedef enum { PR_SOURCE_JOB, PR_SOURCE_WAIT, PR_SOURCE_DONE } pr_source_next_t;
typedef struct pr_source {
    pr_source_next_t (*next)(void *self, json_t **spec); // a new reference; the job counts as running
    pr_status_t (*started)(void *self, const char *id, int rank, const char *host, pr_error_t *err);
    pr_status_t (*event)(void *self, int rank, const char *host, const char *event, const json_t *fields,
                         pr_error_t *err);
    /* A running job ended; one that was running when the schedule ended by an error is not told of. result of one that
     * did not end well: {"seconds": what it took, ...: what the runner said beside its status}. */
    pr_status_t (*finished)(void *self, const char *id, int rank, const char *host, pr_status_t status,
                            const char *text, const json_t *result, pr_error_t *err);
    /* Called after some finished() and before the next next(): what ended is to be kept now. */
    pr_status_t (*commit)(void *self, pr_error_t *err);
    void (*tick)(void *self);      // called often; for progress
    bool (*stopping)(void *self);  // true: start nothing more, have running jobs saved
    void (*signalled)(void *self); // a signal came to a worker, so the schedule stops
    void *self;
} pr_source_t;

/* Who does a job; on every rank that works. */
typedef struct pr_runner_hooks {
    bool (*cancel)(void *self);
    void (*event)(void *self, const char *event, const json_t *fields);
    void *self;
} pr_runner_hooks_t;
typedef struct pr_runner {
    pr_status_t (*run)(void *self, const json_t *spec, const pr_runner_hooks_t *hooks, json_t **result,
                       pr_error_t *err);
    bool (*stopping)(void *self); // a signal came to this rank
    void *self;
} pr_runner_t;

typedef struct pr_schedule_options {
    int team;             // ranks of a team: 1, 1 + team, ... lead one each; ranks left over get nothing
    int depth;            // jobs a worker may hold at most, the one it runs included
    double short_seconds; // a worker that holds a job which takes longer gets no second one
    double ahead_seconds; // a worker gets a third and further ones only while what it holds takes less than this
} pr_schedule_options_t;
/* For sweeps and for the benchmark. */
#define PR_SCHEDULE_DEFAULTS                                                                                           \
    {                                                                                                                  \
        .team = 1, .depth = 128, .short_seconds = 0.25, .ahead_seconds = 0.005                                         \
    }

#endif
