/* Identity by content: a job's identity is a hash of its canonical inputs, so that a finished job is never done twice
 * and a changed configuration never takes a stale result. */
#ifndef PR_JOBS_IDENTITY_H
#define PR_JOBS_IDENTITY_H

#include "base/hash.h"
#include "config/config.h"

/* The hashes of everything on disk that a sweep's results depend on. */
typedef struct pr_inputs {
    char model[PR_HASH_HEX]; // config, generation config, tokenizer and weights
    char train[PR_HASH_HEX], eval[PR_HASH_HEX];
    char adapter[PR_MAX_OBJECTIVES][PR_HASH_HEX]; // of objectives that bring their expert; "" for the others
    json_t *objective[PR_MAX_OBJECTIVES];         // pr_objective_identity of each
    json_t *config;                               // pr_config_json
} pr_inputs_t;

/* Local. Reads every input file once. The caller clears it. Errors: PR_ERR_NOT_FOUND, PR_ERR_CONFIG, PR_ERR_FORMAT (an
 * adapter or a head of another results directory that is not what that sweep made). */
pr_status_t pr_inputs_read(const pr_config_t *c, pr_inputs_t *out, pr_error_t *err);
void pr_inputs_clear(pr_inputs_t *in);
/* The hash of a PEFT directory's two files. */
pr_status_t pr_adapter_hash(const char *dir, char out[PR_HASH_HEX], pr_error_t *err);

/* The hash of a model directory's files, as in pr_inputs_t. */
pr_status_t pr_model_dir_hash(const char *dir, char out[PR_HASH_HEX], pr_error_t *err);

/* The job that fits the head of one objective (pr_objective_needs_fit): {"kind": "fit_reward", "id", "label",
 * "objective": index, "model": hash}. Its identity holds the content of the data and the fit's options, and nothing
 * that only scoring depends on. New reference. */
json_t *pr_fit_spec(const pr_config_t *c, const pr_inputs_t *in, int objective);
/* The file that job writes: heads/<objective>.safetensors of the results. Caller frees. */
char *pr_head_path(const pr_config_t *c, const char *results, int objective);

/* The fine-tune job of one objective and one of the sweep's seeds: {"kind": "finetune", "id", "label", "objective":
 * index, "seed"}. New reference. */
json_t *pr_finetune_spec(const pr_config_t *c, const pr_inputs_t *in, int objective, int64_t seed);

/* The identity of what all evaluations of a search share: model, prompts, objectives, decoding, aggregation. */
void pr_policy_identity(const pr_config_t *c, const pr_inputs_t *in, const pr_search_spec_t *search,
                        char out[PR_HASH_HEX]);

/* One evaluation of a policy. */
typedef struct pr_evaluate_key {
    const char *policy;                    // pr_policy_identity
    const char *expert[PR_MAX_OBJECTIVES]; // identity (fine-tune job or adapter hash), or NULL where w_k = 0: such an
                                           // expert is not run, so the result does not depend on it
    const char *point;                     // "1/2,1/2,0"
    int first, count;                      // prompts
} pr_evaluate_key_t;
/* The identity of an evaluate job. Cheap, as there may be a million. */
void pr_evaluate_identity(const pr_evaluate_key_t *key, char out[PR_HASH_HEX]);
/* Its spec: {"kind": "evaluate", "id", "label", "aggregate", "layer", "norm_before", "seed", "point", "first",
 * "count"}; seed: which experts. New reference. */
json_t *pr_evaluate_spec(const pr_search_spec_t *search, int64_t seed, const pr_evaluate_key_t *key, const char *id);

/* The PEFT directory of an objective's expert: the given one, or experts/<objective>-s<seed> of the results. Caller
 * frees. */
char *pr_expert_dir(const pr_config_t *c, const char *results, int objective, int64_t seed);

#endif
