/* The inside of a job environment, for the kinds of jobs. */
#ifndef PR_JOBS_ENV_H
#define PR_JOBS_ENV_H

#include "base/hash.h"
#include "jobs/job.h"
#include "jobs/prompt_tokens.h"
#include "learn/response.h"
#include "objective/objective.h"
#include "policy/gram.h"
#include "policy/policy.h"

/* A prompts file with its tokens. */
typedef struct pr_prompt_set {
    int n;
    char **text;
    pr_prompt_reader_t reader;
    int *start;   // [n+1]
    int32_t *ids; // with what the tokenizer's template adds
} pr_prompt_set_t;

typedef struct pr_cached_expert {
    char *dir;
    char hash[PR_HASH_HEX];
    pr_adapter_t *adapter;
    pr_mix_grams_t wish; // what grams are
    pr_grams_t *grams;   // made when a mix first needs them, or NULL
} pr_cached_expert_t;

enum { PR_ENV_WAITS = 2 }; // files that a rank waits for in vain before it waits no more

struct pr_job_env {
    const pr_config_t *config;
    const pr_team_t *team; // that this rank is one of
    bool loaded;
    pr_model_t *model;
    pr_tokenizer_t *tokenizer;
    const pr_linalg_t *la;
    pr_prompt_set_t train, eval;
    pr_objective_t *objective[PR_MAX_OBJECTIVES]; // NULL on ranks that have no part in one
    double worst[PR_MAX_OBJECTIVES];              // of each objective, as scored; for truncated = "worst"
    pr_stops_t stops;
    const char **stop_text;                       // that stops borrows
    pr_cached_expert_t expert[PR_MAX_OBJECTIVES]; // the last expert used of each objective
    int waited;                                   // times that a file was waited for in vain
    char head[PR_MAX_OBJECTIVES][PR_HASH_HEX];    // hashes of the fitted heads that objectives have been given
};

/* The expert of an objective and seed, read when it is not the one kept. hash: what it must be. Borrowed from env.
 * Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (changed since the job that made it). */
pr_status_t pr_env_expert(pr_job_env_t *env, int objective, int64_t seed, const char *hash, const pr_adapter_t **out,
                          pr_error_t *err);

/* Model, tokenizer, prompts and the adapters that objectives bring, but no objective. Collective on the team. */
pr_status_t pr_env_load_files(pr_job_env_t *env, pr_error_t *err);

/* The adapter that a mix (with `merge`, and its options) makes of the experts kept of objectives objective [n], n >= 1,
 * with weights w [n] above 0; to be run with weight 1. Their Gram matrices, where it needs them, are made when they are
 * not there, and kept as long as the expert is. Collective on the team. Errors: those of pr_grams_new and of merging.
 * Caller frees. */
pr_status_t pr_env_merge(pr_job_env_t *env, const pr_mix_t *mix, const json_t *options, int n, const int *objective,
                         const double *w, const pr_job_hooks_t *hooks, pr_adapter_t **out, pr_error_t *err);

/* Gives the objectives that need one their fitted heads, those of the hashes in spec's "heads". Collective on the team.
 * Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (changed since the job that made it). */
pr_status_t pr_env_heads(pr_job_env_t *env, const json_t *spec, pr_error_t *err);

/* Decodes prompts [n_prompt] as pr_decode does at one point: every row of the team its share of the prompts, then all
 * get all of it. w [K] or NULL. prompt_id may not be NULL. Collective on the team. */
pr_status_t pr_env_decode(pr_job_env_t *env, const pr_policy_t *p, const double *w, int n_prompt,
                          const int *prompt_start, const int32_t *prompt_ids, const pr_decode_options_t *o,
                          pr_decoded_t *out, pr_error_t *err);

/* Generated sequences of one decoding as text, ready to be scored: sequence i belongs to prompt first + (i / samples) %
 * count. */
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
/* scores [n,K], row-major, by every objective of the sweep: models score on all ranks, the rest on the leader. With
 * truncated = "worst", those of responses that were cut are the worst there are. Collective on the team. */
pr_status_t pr_responses_score(pr_job_env_t *env, const pr_responses_t *r, double *scores, pr_error_t *err);
/* The share of responses that were cut. */
double pr_responses_cut(const pr_responses_t *r);
/* With truncated = "drop": is response i left out? */
bool pr_responses_dropped(const pr_job_env_t *env, const pr_responses_t *r, int i);
/* The index into stops/ids callbacks of pr_decode: does a stop string end this sequence? self: a pr_decode_watch_t. */
typedef struct pr_decode_watch {
    const pr_stops_t *stops;
    const pr_job_hooks_t *hooks;
} pr_decode_watch_t;
bool pr_watch_stop(void *self, int seq, const int32_t *ids, int n);
bool pr_watch_cancel(void *self);

pr_status_t pr_job_finetune(pr_job_env_t *env, const json_t *spec, const pr_job_hooks_t *hooks, json_t **result,
                            pr_error_t *err);
pr_status_t pr_job_fit_reward(pr_job_env_t *env, const json_t *spec, const pr_job_hooks_t *hooks, json_t **result,
                              pr_error_t *err);
pr_status_t pr_job_evaluate(pr_job_env_t *env, const json_t *spec, const pr_job_hooks_t *hooks, json_t **result,
                            pr_error_t *err);

#endif
