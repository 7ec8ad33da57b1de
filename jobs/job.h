/* What a team does for one job: inputs to outputs. A job knows its inputs, not who asked; there is no scheduling and no
 * search here. Everything is collective on the team: all ranks are given the same and take the same decisions; a status
 * is that of all, so that a rank that fails takes its team's job down and nothing else. Files are written, and programs
 * that score run, by the team's leader. */
#ifndef PR_JOBS_JOB_H
#define PR_JOBS_JOB_H

#include "base/json.h"
#include "config/config.h"
#include "model/adapter.h"
#include "parallel/team.h"

#include <stdbool.h>

/* What a rank keeps between jobs: the model, tokenizer, objectives, prompts and experts, loaded when first needed. */
typedef struct pr_job_env pr_job_env_t;

/* config and team are borrowed. Nothing is loaded yet. */
pr_job_env_t *pr_job_env_new(const pr_config_t *config, const pr_team_t *team);
void pr_job_env_free(pr_job_env_t **env);
/* From now on this rank is one of another team (borrowed): what depends on it is loaded again by pr_job_env_load. */
void pr_job_env_set_team(pr_job_env_t *env, const pr_team_t *team);
/* Loads everything that the sweep will need, so that bad input is found before the first job. */
pr_status_t pr_job_env_load(pr_job_env_t *env, pr_error_t *err);

/* Warnings of what was loaded, for one rank of a run to give. */
void pr_job_env_tell(const pr_job_env_t *env);

/* The declared ranges [K] of the sweep's objectives, once loaded (may be infinite). On the leader. */
void pr_job_env_ranges(const pr_job_env_t *env, double *lo, double *hi);

/* How a running job talks to the outside. */
typedef struct pr_job_hooks {
    bool (*cancel)(void *self); // true on any rank: save what there is and return PR_ERR_INTERRUPTED
    void (*event)(void *self, const char *event, const json_t *fields); // progress, such as "step"; the leader's only
    void *self;
} pr_job_hooks_t;

/* The adapter that fine-tuning makes; borrows from c. */
pr_adapter_options_t pr_job_lora(const pr_config_t *c);
/* What every job of its kind would fail on for the configuration, hours after others perhaps: LoRA targets and layers
 * that the model does not have. Errors: PR_ERR_CONFIG. */
pr_status_t pr_job_check_model(const pr_config_t *c, const pr_model_config_t *m, pr_error_t *err);

/* Does the job that spec (of identity.h) describes. *result is a new reference:
 *   fit_reward {"head": hash of its file, "fit": figures (fit_reward.h), "tokens", "seconds"}
 *   finetune   {"expert": hash of the adapter, "steps", "taught": steps in which responses to a prompt differed in
 *              reward, "tokens", "seconds", "reward": [K] mean of the last step}
 *   evaluate   {"mean": [K], "se": [K] (null: of one prompt), "n": prompts, "cut": share of the responses that
 *              max_new_tokens cut, "tokens", "seconds"}; prompts' scores and responses are in
 *              checkpoints/evaluate-<id>.ckpt
 * Errors: as a job's failure is data, any status; PR_ERR_INTERRUPTED when cancelled. *result is then left alone, or
 * {"tokens": that were generated for nothing}. */
pr_status_t pr_job_run(pr_job_env_t *env, const json_t *spec, const pr_job_hooks_t *hooks, json_t **result,
                       pr_error_t *err);

/* The adapter with which an evaluate job of a mix that merges (`regmean`) runs the point w [K], from the experts of one
 * of the sweep's seeds, in the results directory or brought by objectives. Loads what that needs; no objective.
 * Collective on the team. Caller frees. Errors: PR_ERR_CONFIG (no weight above 0), PR_ERR_NOT_FOUND, PR_ERR_FORMAT,
 * PR_ERR_NUMERIC, PR_ERR_MEMORY. */
pr_status_t pr_job_merge(pr_job_env_t *env, const char *mix, int64_t seed, const double *w, pr_adapter_t **out,
                         pr_error_t *err);

#endif
