// SPDX-License-Identifier: BSD-3-Clause
/* The job that fits a linear reward head (reward/head.h). */
#ifndef PR_JOBS_FIT_REWARD_H
#define PR_JOBS_FIT_REWARD_H

#include "base/hash.h"
#include "base/json.h"

/* The inputs of a fit_reward job, whose result is {"artifact": hash of the head's file, "fit": figures, "tokens",
 * "seconds"}. Values are borrowed. */
typedef struct pr_fit_inputs {
    char model[PR_HASH_HEX];
    const char *type;  // of the objective
    const json_t *fit; // pr_fit_part of its identity
} pr_fit_inputs_t;
json_t *pr_fit_inputs_pack(const pr_fit_inputs_t *in);
pr_status_t pr_fit_inputs_parse(const json_t *value, pr_fit_inputs_t *out, pr_error_t *err);
/* What an objective's head depends on besides the model: its options (pr_objective_identity) without what only scoring
 * depends on. New reference. */
json_t *pr_fit_part(const json_t *identity);

#endif
