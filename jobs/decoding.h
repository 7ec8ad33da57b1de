// SPDX-License-Identifier: BSD-3-Clause
/* What jobs that evaluate policies share: decoding as the sweep's evaluations do it, and prompts as features. */
#ifndef PR_JOBS_DECODING_H
#define PR_JOBS_DECODING_H

#include "jobs/env.h"
#include "jobs/evaluate.h"

/* The task that a job names by its hash. Errors: PR_ERR_CONFIG. */
pr_status_t pr_evaluation_task_find(const pr_content_t *content, const char *hash, pr_evaluation_task_t *out,
                                    pr_error_t *err);
/* Responses to prompts first .. first+count-1 of a set, by the task. w [n_expert], or with paired one row for each prompt;
 * streams: sequences decoded together. Collective on the team. Errors: those of pr_decode. */
pr_status_t pr_evaluation_decode(pr_job_env_t *env, const pr_evaluation_task_t *task, const pr_policy_t *policy,
                                 const double *w, bool paired, const pr_prompt_set_t *set, int first, int count,
                                 int streams, const pr_job_hooks_t *hooks, pr_decoded_t *out, pr_error_t *err);
/* The base model's hidden state, after the final norm, at the last token of prompts first .. first+count-1: [count,d], the
 * same on every rank. Collective on the team. Errors: PR_ERR_MEMORY. */
pr_status_t pr_env_prompt_states(pr_job_env_t *env, const pr_prompt_set_t *set, int first, int count, double *state,
                                 pr_error_t *err);

#endif
