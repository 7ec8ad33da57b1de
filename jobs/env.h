// SPDX-License-Identifier: BSD-3-Clause
/* The inside of a job environment, for the kinds of jobs. */
#ifndef PR_JOBS_ENV_H
#define PR_JOBS_ENV_H

#include "base/limits.h"
#include "family/family.h"
#include "jobs/job.h"
#include "learn/response.h"
#include "model/prompt_tokens.h"
#include "objective/objective.h"
#include "policy/policy.h"
#include "policy/regmean.h"
#include "route/route.h"
#include "store/segment.h"

/* A list of prompts with its tokens. */
typedef struct pr_prompt_set {
    char hash[PR_HASH_HEX];
    int n;
    const char **text; // the content's
    pr_prompt_reader_t reader;
    int *start;   // [n+1]
    int32_t *ids; // with what the tokenizer's template adds
} pr_prompt_set_t;

typedef struct pr_open_objective {
    char hash[PR_HASH_HEX]; // of its identity
    const char *name;
    pr_objective_t *o;      // NULL on ranks that have no part in it
    char head[PR_HASH_HEX]; // of the fitted head that it was given
} pr_open_objective_t;

typedef struct pr_cached_adapter {
    char hash[PR_HASH_HEX];
    pr_adapter_t *adapter;
    pr_family_t *family;        // that the directory holds, whose adapter of equal weights it is; else NULL
    pr_grams_t *grams;          // made when a mix first needs them, or NULL
    char grams_of[PR_HASH_HEX]; // what they were made by
    long used;                  // when last
} pr_cached_adapter_t;

enum { PR_ENV_WAITS = 2 }; // files that a rank waits for in vain before it waits no more

struct pr_job_env {
    const pr_content_t *content;
    const pr_team_t *team; // that this rank is one of
    bool loaded;
    pr_model_t *model;
    char model_hash[PR_HASH_HEX];
    pr_tokenizer_t *tokenizer;
    const pr_linalg_t *la;
    pr_prompt_set_t *prompts; // [n_prompts]
    int n_prompts;
    pr_open_objective_t *objective; // [n_objective]
    pr_objective_range_t *range;    // [n_objective] declared, on all ranks once everything is loaded
    int n_objective;
    pr_stops_t stops;
    const char **stop_text;       // that stops borrows
    pr_cached_adapter_t *adapter; // [n_adapter] those used last
    int n_adapter, cap_adapter;
    long uses;
    pr_segment_writer_t *writer; // of evaluations' results, once there is one
    int waited;                  // times that a file was waited for in vain
};

/* Model, tokenizer, prompts and the adapters that objectives bring, but no objective. Collective on the team. */
pr_status_t pr_env_load_files(pr_job_env_t *env, pr_error_t *err);
/* Is it the model that is loaded? Errors: PR_ERR_CONFIG. */
pr_status_t pr_env_check_model(const pr_job_env_t *env, const char *hash, pr_error_t *err);
/* Are these, of a job's inputs, the stop texts that are loaded? Errors: PR_ERR_CONFIG. */
pr_status_t pr_env_check_stop(const pr_job_env_t *env, const json_t *stop, pr_error_t *err);
/* Errors: PR_ERR_CONFIG (a list that the content does not have). */
pr_status_t pr_env_prompts(const pr_job_env_t *env, const char *hash, const pr_prompt_set_t **out, pr_error_t *err);

/* An adapter that a job left (`made` has its hash), or one that is given, whose content hash `source` then is. Those of
 * the last `keep` calls stay: *out is good until as many others, or one with a larger `keep`, have been asked for.
 * Local. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (not what the job wrote), PR_ERR_CONFIG (the message does not have the
 * job's hash). */
pr_status_t pr_env_adapter(pr_job_env_t *env, const pr_job_t *job, bool made, const char *source, int keep,
                           const pr_job_hooks_t *hooks, pr_cached_adapter_t **out, pr_error_t *err);

/* What a fit_route job left. Local. The caller frees. Errors: those of pr_env_adapter. */
pr_status_t pr_env_route(pr_job_env_t *env, const pr_job_t *job, const char *source, const pr_job_hooks_t *hooks,
                         pr_route_t **out, pr_error_t *err);
/* Files that another node has just renamed into place may take a moment to be seen: waits for one whose hash is the
 * expected one, or until the hooks say stop. Errors: those of hash, PR_ERR_FORMAT (another hash), PR_ERR_INTERRUPTED.
 */
pr_status_t pr_env_await(pr_job_env_t *env, const char *path, pr_status_t (*hash)(const char *, char *, pr_error_t *),
                         const char *expected, const pr_job_hooks_t *hooks, pr_error_t *err);

/* Objectives that a job scores by, in its own order. */
typedef struct pr_scoring {
    int n;
    int index[PR_MAX_OBJECTIVES];     // into env->objective
    bool minimize[PR_MAX_OBJECTIVES]; // which of its values is the worst; false until the caller says otherwise
    const char *truncated;            // "score" (until the caller says otherwise) | "worst" | "drop"
} pr_scoring_t;
/* hashes: list of objectives; heads: object, objective -> the job that fits its head. Gives them their heads.
 * Collective on the team. Errors: PR_ERR_CONFIG, PR_ERR_NOT_FOUND, PR_ERR_FORMAT (changed since the job that made it).
 */
pr_status_t pr_env_scoring(pr_job_env_t *env, const pr_job_t *job, const json_t *hashes, const json_t *heads,
                           const pr_job_hooks_t *hooks, pr_scoring_t *out, pr_error_t *err);

/* Generated sequences of one decoding as text, ready to be scored. */
typedef struct pr_responses {
    int n;
    pr_response_t *said;
    pr_sample_t *sample;
    bool *cut; // [n] by max_new_tokens, or at the model's longest sequence
} pr_responses_t;

/* prompt_of [n]: index into set. Caller clears. */
pr_status_t pr_responses_make(pr_job_env_t *env, const pr_prompt_set_t *set, const int *prompt_of,
                              const pr_decoded_t *d, pr_responses_t *out, pr_error_t *err);
void pr_responses_clear(pr_responses_t *r);
/* scores [n,K], row-major, by every objective of how: models score on all ranks, the rest on the leader. With truncated
 * = "worst", those of responses that were cut are the worst there are. Collective on the team. */
pr_status_t pr_responses_score(pr_job_env_t *env, const pr_scoring_t *how, const pr_responses_t *r, double *scores,
                               pr_error_t *err);
/* The share of responses that were cut. */
double pr_responses_cut(const pr_responses_t *r);
/* With truncated = "drop": is response i left out? */
bool pr_responses_dropped(const pr_scoring_t *how, const pr_responses_t *r, int i);

/* For pr_decode. self: a pr_decode_watch_t. */
typedef struct pr_decode_watch {
    const pr_stops_t *stops;
    const pr_job_hooks_t *hooks;
} pr_decode_watch_t;
/* Does a stop text end the sequence whose tokens so far are ids [n]? */
bool pr_watch_stop(void *self, int seq, const int32_t *ids, int n);
/* Is the job to be cancelled? */
bool pr_watch_cancel(void *self);

#endif
