// SPDX-License-Identifier: BSD-3-Clause
/* The inside of a run, for all that is done by ranks: what they hold, and how they come to share it. */
#ifndef PR_RUN_RUN_INTERNAL_H
#define PR_RUN_RUN_INTERNAL_H

#include "jobs/job.h"
#include "run/run.h"
#include "sweeps/phases.h"

/* What a rank holds during a run. */
typedef struct pr_run_state {
    const pr_transport_t *t;
    const pr_run_hooks_t *hooks;
    const pr_config_t *config;
    pr_config_t *received;          // on ranks but 0
    pr_inputs_t inputs;             // on rank 0
    const pr_content_t *content;    // what jobs name by hash
    pr_content_t *content_received; // on ranks but 0
    pr_sweep_t *sweep;              // on rank 0
    pr_team_t *team;                // on ranks that are in one; NULL for one rank alone
    pr_phase_spec_t phase[PR_MAX_PHASES];
    int n_phase;
    pr_team_config_t shape; // of the teams there are
    bool idle;              // a rank that no team has use for
    pr_job_env_t *env;      // on ranks that work
    pr_archive_t *archive;  // of the points evaluated here
    bool interrupted;       // rank 0: a signal came to some rank
    double last_progress;
} pr_run_state_t;

/* JSON of rank 0 to the others: mine is rank 0's, *theirs a new reference on the others. Collective. */
pr_status_t pr_run_share_json(const pr_run_state_t *r, const char *what, const json_t *mine, json_t **theirs,
                              pr_error_t *err);
/* Rank 0's r->content to the others. Collective. */
pr_status_t pr_run_share_content(pr_run_state_t *r, pr_error_t *err);
/* Is what the ranks of other nodes will open what rank 0 hashed? Collective. */
pr_status_t pr_run_check_content(pr_run_state_t *r, pr_error_t *err);
/* Teams of that shape out of all ranks but 0, in place of those there are, with everything that r->content names loaded.
 * Collective. */
pr_status_t pr_run_form_teams(pr_run_state_t *r, const pr_team_config_t *t, pr_error_t *err);
/* Rank 0 hands out the source's jobs, and the teams do them. Collective. */
pr_status_t pr_run_schedule(pr_run_state_t *r, const pr_source_t *source, pr_error_t *err);
/* Does a job; for pr_runner_t, self: a pr_run_state_t. Collective on the team. */
pr_status_t pr_run_job(void *self, const json_t *message, const pr_runner_hooks_t *h, json_t **result, pr_error_t *err);
/* Has a signal come to this process, or to one that this one has heard of? */
bool pr_run_stopping(void *self);

#endif
