// SPDX-License-Identifier: BSD-3-Clause
/* Which modules a PEFT configuration adapts, with which rank and alpha. */
#ifndef PR_MODEL_ADAPTER_TARGETS_H
#define PR_MODEL_ADAPTER_TARGETS_H

#include "base/json.h"
#include "model/adapter.h"

/* Sets rank, alpha and scale of every slot that adapter_config.json (root, read from path) targets: target_modules as
 * list, regular expression or "all-linear", exclude_modules, layers_to_transform, r, lora_alpha, rank_pattern,
 * alpha_pattern, use_rslora. Errors: PR_ERR_FORMAT, PR_ERR_UNSUPPORTED (a target outside the layers' linear maps). */
pr_status_t pr_adapter_read_targets(const json_t *root, const char *path, const pr_model_config_t *c, pr_adapter_t *a,
                                    pr_error_t *err);

#endif
