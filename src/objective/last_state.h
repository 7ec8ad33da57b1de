// SPDX-License-Identifier: BSD-3-Clause
/* The base model's hidden state, after the final norm, at the last token of each sequence: the features of linear
 * reward heads. */
#ifndef PR_OBJECTIVE_LAST_STATE_H
#define PR_OBJECTIVE_LAST_STATE_H

#include "objective/packed.h"

/* h [end-first, all d] of sequences first .. end-1 in one pass, all features on every column. run is bound to the model
 * and to la. Collective on the columns, which get the same status. Errors: PR_ERR_MEMORY, those of pr_forward. */
pr_status_t pr_last_states(const pr_model_t *m, const pr_linalg_t *la, pr_run_t *run, const pr_packed_t *p,
                           size_t first, size_t end, float *h, pr_error_t *err);

#endif
