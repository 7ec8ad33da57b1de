// SPDX-License-Identifier: BSD-3-Clause
/* One sweep on the ranks of a transport: rank 0 opens it and schedules, the others work, the front is reduced over all. */
#ifndef PR_RUN_RUN_H
#define PR_RUN_RUN_H

#include "run/transport.h"
#include "sweeps/sweep.h"

/* How a run talks to whoever started it; on rank 0, but for `stopping`, which every rank asks. */
typedef struct pr_run_hooks {
    bool (*stopping)(void *self);                                     // a signal came to this process
    void (*progress)(void *self, const pr_progress_t *p);             // several times per second
    void (*finished)(void *self, const pr_sweep_t *s, bool complete); // everything is written; the sweep is still open
    void *self;
    void (*started)(void *self, const char *text); // what there is to do, before the first job; NULL: nobody asks
    bool may_replace; // results of another configuration: their tables are moved aside, else the run is refused
} pr_run_hooks_t;

/* Runs or continues the sweep of config (rank 0's; the others pass NULL and get it from rank 0). open_status: what rank
 * 0 found when it read the configuration, so that all end together when it is bad. Collective. Returns the same status
 * on every rank: PR_OK when the sweep is complete, PR_ERR_INTERRUPTED or PR_ERR_INCOMPLETE (everything written, the
 * same command continues), or what kept it from starting. */
pr_status_t pr_run_sweep(const pr_transport_t *t, const pr_config_t *config, pr_status_t open_status,
                         const pr_run_hooks_t *hooks, pr_error_t *err);

#endif
