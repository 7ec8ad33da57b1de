// SPDX-License-Identifier: BSD-3-Clause
/* A policy of parts with coefficients as it is run: blocks of layers in the adapters' scales, a mix's own coefficients,
 * or what it merges the parts into.
 *
 *   pr_ready_t r;
 *   PR_TRY(pr_ready_make(model, la, mix, options, &parts, &r, err));
 *   ... pr_decode(&r.policy, 1, r.w, ...) ...
 *   pr_ready_clear(&r); */
#ifndef PR_POLICY_READY_H
#define PR_POLICY_READY_H

#include "policy/merge.h"
#include "policy/policy.h"
#include "policy/spec.h"

typedef struct pr_ready {
    pr_policy_t policy;
    double w[PR_MAX_PARTS]; // [policy.n_expert]
    const pr_adapter_t *adapter[PR_MAX_PARTS];
    pr_adapter_t *by_blocks[PR_MAX_PARTS];
    pr_merged_t *merged; // NULL where parts are run
    pr_model_t *changed; // the policy's model where it is not the parts'
} pr_ready_t;

/* Options are resolved, or NULL; they, the model and the parts' adapters are borrowed. parts->n may be 0: the base
 * model. The caller clears *out, also after an error. Collective on the parts' team. Errors: those of pr_mix_check, of
 * pr_merge and of pr_model_with_delta. */
pr_status_t pr_ready_make(const pr_model_t *model, const pr_linalg_t *la, const pr_mix_t *mix, const json_t *options,
                          const pr_mix_parts_t *parts, pr_ready_t *out, pr_error_t *err);
void pr_ready_clear(pr_ready_t *r);

#endif
