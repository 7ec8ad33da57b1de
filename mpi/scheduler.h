// SPDX-License-Identifier: BSD-3-Clause
/* Rank 0 schedules, the others work, in teams of neighbours whose first rank is a worker to rank 0 and hands its jobs
 * on; with one rank it does both. The scheduler knows jobs and ranks, not weights: where jobs come from is a table of
 * functions, and so is who does them.
 *
 * Messages are JSON: jobs and results travel in lists, so that jobs of microseconds need not a message each. A worker
 * that does short jobs holds some beside the one it runs, which hides the time that messages take; how short jobs of a
 * kind (the spec's "kind") are is learned from those that ended.
 *
 *   rank 0                                       every other rank
 *   pr_schedule(w, &source, &runner, ...);       pr_work(w, team, &runner);   returns when rank 0's schedule ends */
#ifndef PR_MPI_SCHEDULER_H
#define PR_MPI_SCHEDULER_H

#include "base/json.h"
#include "mpi/world.h"
#include "run/schedule.h"

/* Hands out jobs until the source is done or stops. runner is used only when there is one rank. On an error the workers
 * are stopped and sent home, as at the end. Rank 0 only. Errors: what the source's functions return. */
pr_status_t pr_schedule(pr_world_t *w, const pr_source_t *source, const pr_runner_t *runner,
                        const pr_schedule_options_t *o, pr_error_t *err);
/* Takes jobs until rank 0 says that there are no more: a team's first rank from rank 0, the others from it. A job runs
 * on all ranks of a team at once. team: ranks of a team. All ranks but 0 and those left over. */
void pr_work(pr_world_t *w, int team, const pr_runner_t *runner);

#endif
