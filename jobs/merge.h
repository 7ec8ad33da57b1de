// SPDX-License-Identifier: BSD-3-Clause
/* Mixes that make one adapter of a policy's parts, within jobs: what they measure of an adapter is made when first
 * needed and kept with it. Memory of Gram matrices: an adapter's are the sum over the layers of (2 d^2 + q^2 + ff^2)
 * doubles, of the maps that are adapted; the team's ranks share them. */
#ifndef PR_JOBS_MERGE_H
#define PR_JOBS_MERGE_H

#include "jobs/env.h"
#include "policy/spec.h"

typedef struct pr_merge_inputs {
    const char *corpus; // hash of the prompts that parts are measured on; "" where none are
    int max_new_tokens; // of the responses to them
    int streams;
} pr_merge_inputs_t;

/* The adapter, to be run as `params` with weight 1, of a spec whose mix merges; part [spec->n] are its parts, n >= 1.
 * Collective on the team. Errors: PR_ERR_CONFIG (no prompts to measure on), PR_ERR_UNSUPPORTED (a team without matrices
 * that its rows share), those of the mix. Caller frees. */
pr_status_t pr_env_merge(pr_job_env_t *env, const pr_policy_spec_t *spec, pr_cached_adapter_t *const *part,
                         const pr_merge_inputs_t *in, const pr_job_hooks_t *hooks, pr_adapter_t **out, pr_error_t *err);

#endif
