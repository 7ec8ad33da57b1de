// SPDX-License-Identifier: BSD-3-Clause
/* One judging on the ranks of a transport, scheduled as a sweep is. */
#ifndef PR_RUN_RUN_JUDGING_H
#define PR_RUN_RUN_JUDGING_H

#include "run/transport.h"
#include "sweeps/judging.h"

typedef struct pr_judging_hooks {
    bool (*stopping)(void *self);                         // a signal came to this process; asked on every rank
    void (*progress)(void *self, const pr_progress_t *p); // rank 0: some times a second
    void *self;
} pr_judging_hooks_t;

/* j: rank 0's, with its status; the others pass NULL. Collective. Returns the same status on all. Errors: those of a
 * judging, PR_ERR_INTERRUPTED. */
pr_status_t pr_run_judging(const pr_transport_t *t, pr_judging_t *j, pr_status_t open_status,
                           const pr_judging_hooks_t *hooks, pr_error_t *err);

#endif
