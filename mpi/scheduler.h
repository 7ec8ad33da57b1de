/* Rank 0 schedules, the others work, in teams of neighbours whose first rank is a worker to rank 0 and hands its jobs
 * on; with one rank it does both. The scheduler knows jobs and ranks, not weights: where jobs come from is a table of
 * functions, and so is who does them.
 *
 * Messages are JSON: jobs and results travel in lists, so that jobs of microseconds need not a message each. A worker
 * that does short jobs holds some beside the one it runs, which hides the time that messages take; how short jobs of a
 * kind (the spec's "kind") are is learned from those that ended. */
#ifndef PR_MPI_SCHEDULER_H
#define PR_MPI_SCHEDULER_H

#include "base/json.h"
#include "mpi/world.h"

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

/* Hands out jobs until the source is done or stops. runner is used only when there is one rank. On an error the workers
 * are stopped and sent home, as at the end. Rank 0 only. Errors: what the source's functions return. */
pr_status_t pr_schedule(pr_world_t *w, const pr_source_t *source, const pr_runner_t *runner,
                        const pr_schedule_options_t *o, pr_error_t *err);
/* Takes jobs until rank 0 says that there are no more: a team's first rank from rank 0, the others from it. A job runs
 * on all ranks of a team at once. team: ranks of a team. All ranks but 0 and those left over. */
void pr_work(pr_world_t *w, int team, const pr_runner_t *runner);

#endif
