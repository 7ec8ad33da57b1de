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

#endif
