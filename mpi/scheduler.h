/* Rank 0 schedules, the others work; with one rank it does both. The scheduler knows jobs and ranks, not weights: where
 * jobs come from is a table of functions, and so is who does them. */
#ifndef PR_MPI_SCHEDULER_H
#define PR_MPI_SCHEDULER_H

#include "base/json.h"
#include "mpi/world.h"

/* Where jobs come from; on rank 0 only. A spec is a JSON object with an "id". */
typedef enum { PR_SOURCE_JOB, PR_SOURCE_WAIT, PR_SOURCE_DONE } pr_source_next_t;
typedef struct pr_source {
    pr_source_next_t (*next)(void *self, json_t **spec); // a new reference; the job counts as running
    pr_status_t (*started)(void *self, const char *id, int rank, const char *host, pr_error_t *err);
    pr_status_t (*event)(void *self, int rank, const char *host, const char *event, const json_t *fields,
                         pr_error_t *err);
    pr_status_t (*finished)(void *self, const char *id, int rank, const char *host, pr_status_t status,
                            const char *text, const json_t *result, pr_error_t *err);
    void (*tick)(void *self);     // called often; for progress
    bool (*stopping)(void *self); // true: start nothing more, have running jobs saved
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
    int depth; // jobs a worker may hold at once, the one it runs included; more than 1 hides the latency of short jobs.
               // Holds only once the worker's jobs are seen to be short
    double short_seconds; // what short means
} pr_schedule_options_t;

/* Hands out jobs until the source is done or stops. runner is used only when there is one rank. Rank 0 only. Errors:
 * what the source's functions return. */
pr_status_t pr_schedule(pr_world_t *w, const pr_source_t *source, const pr_runner_t *runner,
                        const pr_schedule_options_t *o, pr_error_t *err);
/* Takes jobs until rank 0 says that there are no more. All ranks but 0. */
pr_status_t pr_work(pr_world_t *w, const pr_runner_t *runner, pr_error_t *err);

#endif
