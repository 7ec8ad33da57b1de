// SPDX-License-Identifier: BSD-3-Clause
/* The adapter of a point of a mix that merges, outside of a sweep's jobs. */
#ifndef PR_SWEEPS_MERGE_H
#define PR_SWEEPS_MERGE_H

#include "config/config.h"
#include "model/adapter.h"
#include "policy/mix.h"

/* The adapter with which an evaluation runs experts at w [K] under a mix that merges, from those of one of the sweep's
 * seeds, in the results directory or brought by objectives. Loads what that needs; no objective. Caller frees. Errors:
 * PR_ERR_CONFIG (no weight above 0), PR_ERR_NOT_FOUND, PR_ERR_FORMAT, PR_ERR_NUMERIC, PR_ERR_MEMORY. */
pr_status_t pr_sweep_merge(const pr_config_t *c, const pr_mix_t *mix, int64_t seed, const double *w, pr_adapter_t **out,
                           pr_error_t *err);

/* The adapter of the policy that a search of the configuration evaluates at w [K], whatever its method: of trainings that
 * the results directory has. *n_parts: how many adapters it is made of. Errors: those of pr_sweep_merge;
 * PR_ERR_NOT_FOUND: nothing was trained for w; PR_ERR_USAGE: a policy of its mix is not one adapter; PR_ERR_FORMAT: an
 * adapter is not what its job wrote. Caller frees. */
pr_status_t pr_sweep_search_adapter(const pr_config_t *c, int search, int64_t seed, const double *w, pr_adapter_t **out,
                                    int *n_parts, pr_error_t *err);

#endif
