// SPDX-License-Identifier: BSD-3-Clause
/* A policy's parts as mixes take them, within jobs. What a mix measures of an adapter is made when first needed and kept
 * with it. Memory of Gram matrices: an adapter's are the sum over the layers of (2 d^2 + q^2 + ff^2) doubles, of the maps
 * that are adapted; the team's ranks share them. */
#ifndef PR_JOBS_MERGE_H
#define PR_JOBS_MERGE_H

#include "jobs/env.h"
#include "policy/spec.h"

typedef struct pr_merge_inputs {
    const char *corpus; // hash of the prompts that parts are measured on; "" where none are
    int max_new_tokens; // of the responses to them
    int streams;
} pr_merge_inputs_t;

/* Of a spec: what it points to stays the spec's and the cache's. */
typedef struct pr_merge_parts {
    pr_mix_parts_t parts;
    const pr_adapter_t *adapter[PR_MAX_PARTS];
    const pr_grams_t *grams[PR_MAX_PARTS];
    double w[PR_MAX_PARTS * PR_MAX_BLOCKS];
} pr_merge_parts_t;

/* part [spec->n] are the parts of spec, which may have none. Collective on the team. Errors: PR_ERR_CONFIG (no prompts to
 * measure on), PR_ERR_UNSUPPORTED (a team without matrices that its rows share), those of measuring. */
pr_status_t pr_env_parts(pr_job_env_t *env, const pr_policy_spec_t *spec, pr_cached_adapter_t *const *part,
                         const pr_merge_inputs_t *in, const pr_job_hooks_t *hooks, pr_merge_parts_t *out,
                         pr_error_t *err);

#endif
