// SPDX-License-Identifier: BSD-3-Clause
/* What a team does for one job. A job is its inputs: a JSON value whose hash is its identity, and which is what
 * travels. Nothing else of a sweep reaches it; there is no scheduling and no search here.
 *
 *   env = pr_job_env_new(content, team);          content.h: what inputs name by hash
 *   pr_job_env_load(env, err);                    bad input is found before the first job
 *   pr_job_run(env, message, hooks, &result, err) for each that rank 0 gives
 *
 * Everything is collective on the team: all ranks are given the same and take the same decisions; a status is that of
 * all, so that a rank that fails takes its team's job down and nothing else. Files are written, and programs that score
 * run, by the team's leader. */
#ifndef PR_JOBS_JOB_H
#define PR_JOBS_JOB_H

#include "base/json.h"
#include "jobs/content.h"
#include "parallel/team.h"

#include <stdbool.h>

/* What a rank keeps between jobs: the model, tokenizer, objectives, prompts and adapters, loaded when first needed. */
typedef struct pr_job_env pr_job_env_t;

/* content and team are borrowed. Nothing is loaded yet. */
pr_job_env_t *pr_job_env_new(const pr_content_t *content, const pr_team_t *team);
void pr_job_env_free(pr_job_env_t **env);
/* From now on this rank is one of another team (borrowed): what depends on it is loaded again by pr_job_env_load. */
void pr_job_env_set_team(pr_job_env_t *env, const pr_team_t *team);
/* Loads everything that content names, so that bad input is found before the first job. */
pr_status_t pr_job_env_load(pr_job_env_t *env, pr_error_t *err);
/* Warnings of what was loaded, for one rank of a run to give. */
void pr_job_env_tell(const pr_job_env_t *env);
/* The declared range of an objective of the content; may be infinite. */
typedef struct pr_objective_range {
    char objective[PR_HASH_HEX];
    double lo, hi;
} pr_objective_range_t;
/* Those of all objectives, once loaded; borrowed. Returns how many. */
int pr_job_env_ranges(const pr_job_env_t *env, const pr_objective_range_t **out);

/* What the base model says to the first n prompts of an evaluation task (evaluate.h), by its hash, and what each
 * objective of the content makes of it: a list of {"prompt", "response", "cut", "scores": {objective: number}}, null of
 * one whose head is yet to be fitted. *out is a new reference. Collective on the team. Errors: those of loading and of
 * scoring. */
pr_status_t pr_job_env_try(pr_job_env_t *env, const char *task, int n, json_t **out, pr_error_t *err);

/* How a running job talks to the outside. */
typedef struct pr_job_hooks {
    bool (*cancel)(void *self); // true on any rank: save what there is and return PR_ERR_INTERRUPTED
    void (*event)(void *self, const char *event, const json_t *fields); // progress, such as "step"; the leader's only
    void *self;
} pr_job_hooks_t;

/* A job on its way. */
typedef struct pr_job {
    const char *id, *label; // the hash of inputs; what people call it
    const json_t *inputs;   // {"kind", ...}: what the result is a function of
    const json_t *how;      // {"streams", "micro_tokens", ...}: what changes at most how sums are rounded
    const json_t *made;     // job -> hash of what it left, for all jobs that inputs refer to
} pr_job_t;

/* {"id", "kind", "label", "inputs", "how", "made"}. inputs, how and made are borrowed; made may be NULL. New reference.
 */
json_t *pr_job_message(const char *id, const char *label, const json_t *inputs, const json_t *how, const json_t *made);
/* Does the job of a message. *result is a new reference: an object of the kind's own (its header), and always "tokens"
 * and "seconds". Errors: as a job's failure is data, any status; PR_ERR_FORMAT for a message whose inputs are not those
 * of its identity; PR_ERR_INTERRUPTED when cancelled. *result is then left alone, or {"tokens": that were generated for
 * nothing}. */
pr_status_t pr_job_run(pr_job_env_t *env, const json_t *message, const pr_job_hooks_t *hooks, json_t **result,
                       pr_error_t *err);

#endif
