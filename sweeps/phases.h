// SPDX-License-Identifier: BSD-3-Clause
/* The phases of a sweep and the teams of each: where fine-tuning and evaluation want teams of different shapes, all
 * that evaluations wait for comes first, and then the teams are re-formed. Pure functions of the configuration. */
#ifndef PR_SWEEPS_PHASES_H
#define PR_SWEEPS_PHASES_H

#include "config/config.h"
#include "sweeps/sweep.h"

typedef struct pr_phase_spec {
    pr_phase_t phase;
    const char *key; // of the configuration: "finetune" or "evaluate"
    pr_team_config_t team;
} pr_phase_spec_t;

enum { PR_MAX_PHASES = 2 };

/* In order; returns how many. */
int pr_sweep_phases(const pr_config_t *c, pr_phase_spec_t out[PR_MAX_PHASES]);
/* Teams of that shape that so many ranks make: rank 0 schedules, unless it is alone and does both. *idle (may be NULL):
 * ranks that fit none. */
int pr_team_count(const pr_team_config_t *t, int ranks, int *idle);
/* Are there enough ranks for a team in each phase? Errors: PR_ERR_CONFIG, naming the key. */
pr_status_t pr_sweep_check_ranks(const pr_config_t *c, int ranks, pr_error_t *err);

#endif
