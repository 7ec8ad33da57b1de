// SPDX-License-Identifier: BSD-3-Clause
/* What a run needs of the processes that it is done by: a table of functions, so that the loop knows no MPI.
 *
 * All are collective on the ranks, unless they say otherwise. */
#ifndef PR_RUN_TRANSPORT_H
#define PR_RUN_TRANSPORT_H

#include "parallel/team.h"
#include "pareto/archive.h"
#include "run/schedule.h"

#include <stddef.h>

typedef struct pr_transport {
    int rank, size;
    const char *host; // of this rank
    /* PR_OK when all ranks say so, else the status and text of the lowest rank that does not. */
    pr_status_t (*agree)(void *self, pr_status_t mine, pr_error_t *err);
    /* bytes [n] of rank 0 to all: *bytes is allocated on the others (NUL-terminated); caller frees it there. */
    pr_status_t (*broadcast)(void *self, char **bytes, size_t *n, pr_error_t *err);
    /* n bytes of each rank to rank 0's all [size n]; and n of each of those back. */
    void (*gather)(void *self, const void *mine, size_t n, void *all);
    void (*scatter)(void *self, const void *all, size_t n, void *mine);
    /* Waits for all without burning a core. */
    void (*barrier)(void *self);
    /* Cuts all ranks but 0 into teams of rows x cols; *out is this rank's, NULL where it is in none. Ends one's own. */
    void (*open_teams)(void *self, int rows, int cols, pr_team_t **out);
    void (*close_team)(pr_team_t **team);
    /* Hands out jobs until the source is done or stops; on rank 0. Errors: what the source's functions return. */
    pr_status_t (*schedule)(void *self, const pr_source_t *source, const pr_runner_t *runner,
                            const pr_schedule_options_t *o, pr_error_t *err);
    /* Takes jobs until there are no more; on the ranks of teams. */
    void (*work)(void *self, int team, const pr_runner_t *runner);
    /* Merges the archives of all ranks into rank 0's. Errors: PR_ERR_FORMAT. */
    pr_status_t (*reduce)(void *self, pr_archive_t *archive, pr_error_t *err);
    void *self;
} pr_transport_t;

#endif
