// SPDX-License-Identifier: BSD-3-Clause
/* A sweep's jobs in outline: one of every sort, as its graph would make them, for who wants to know what they take
 * before anything runs. */
#ifndef PR_SWEEPS_OUTLINE_H
#define PR_SWEEPS_OUTLINE_H

#include "sweeps/inputs.h"

/* inputs and how are borrowed. */
typedef pr_status_t (*pr_outline_fn)(void *self, const json_t *inputs, const json_t *how, pr_error_t *err);

/* Calls each for the fits of heads; and for every search, over the first set of experts, for the trainings and the
 * evaluation, on so many prompts, of the point at which all weights are equal, whose policy leaves no part out. A job
 * comes after those that it needs, and may come again. in: read or sketched (sweeps/inputs.h). Errors: those of each and
 * of the methods. */
pr_status_t pr_sweep_outline(const pr_inputs_t *in, int prompts, pr_outline_fn each, void *self, pr_error_t *err);

/* What tells a set of experts from others: the training of one of them. false: all are given. */
bool pr_sweep_experts_key(const pr_inputs_t *in, const pr_sweep_policy_t *p, char out[PR_HASH_HEX]);
/* How many rows the base model and the experts alone will be. */
int64_t pr_sweep_base_rows(const pr_inputs_t *in);

#endif
