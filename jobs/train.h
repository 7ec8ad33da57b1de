// SPDX-License-Identifier: BSD-3-Clause
/* The train job: one adapter towards one reward, by policy gradient on its own roll-outs. What reward a step climbs
 * (learn/combine.h), by which estimator (learn/algorithm.h) and what is trained are separate choices, and the job knows
 * none of them by name.
 *
 * Result: {"artifact": hash of the adapter, "history": of what its steps gave (history.h), "checkpoint": whose name has
 * this, "steps", "taught": steps in which responses to a prompt differed in reward, "tokens", "seconds", "objectives":
 * hashes of those reported, "reward": [their means in the last step], "ledger": {"prompts", "scored", "forward",
 * "backward": counts of tokens and responses, "numbers": that were trained}}. */
#ifndef PR_JOBS_TRAIN_H
#define PR_JOBS_TRAIN_H

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "jobs/memory.h"

#include <stdbool.h>

/* One objective's part in the reward. */
typedef struct pr_reward_term {
    char objective[PR_HASH_HEX]; // identity
    char head[PR_HASH_HEX];      // the job that fits its head, or ""
    double weight;
    bool minimize;
} pr_reward_term_t;

/* How a reward is climbed. Texts are borrowed. */
typedef struct pr_train_settings {
    const json_t *algorithm; // its name, or {"type": name, options}
    const json_t *combine;   // a combiner's name, or {"type": name, options}
    const json_t *stop;      // {"patience", "every", "min_gain", "metric"}; NULL: it takes all its steps
    bool measure;            // inner products of the objectives' gradients in every step
    const json_t *weigh;     // the same of a weighting rule; NULL: "fixed"
    const json_t *core;      // of a family that is told the preference, {"type": name, options}; NULL: one adapter
    const json_t *sample;    // of it, how preferences are drawn: learn/preference.h
    int steps, prompts_per_step, samples, max_new_tokens;
    double temperature, top_p;
    double lr, beta1, beta2, eps, weight_decay;
    int warmup;           // steps of linear warm-up
    const char *schedule; // "constant" | "linear" | "cosine"
    double kl;            // weight of the KL to the base model
    const char *kl_estimator;
    double entropy, clip_norm;
    const char *loss_norm; // "token" | "sequence"
    int lora_r;
    double lora_alpha;
    bool lora_rslora;
    const json_t *lora_targets; // list of texts; empty: every linear map
} pr_train_settings_t;

typedef struct pr_train_inputs {
    char model[PR_HASH_HEX], prompts[PR_HASH_HEX];
    char validation[PR_HASH_HEX]; // prompts, where the rule asks for them; ""
    char init[PR_HASH_HEX];       // content of the adapter that it begins as; "": a new one
    const json_t *experts;        // of a family that is made of them: a policy's parts, one per term; NULL: a new one
    int n_term;
    pr_reward_term_t term[PR_MAX_OBJECTIVES];
    pr_train_settings_t set;
    const json_t *stop;    // list of texts, borrowed
    const char *truncated; // "score" | "worst" | "drop", borrowed
    int64_t sweep_seed, seed;
} pr_train_inputs_t;

/* New reference; its hash is the job's identity. */
json_t *pr_train_pack(const pr_train_inputs_t *in);
/* out borrows from value. Errors: PR_ERR_FORMAT, naming the key. */
pr_status_t pr_train_parse(const json_t *value, pr_train_inputs_t *out, pr_error_t *err);

/* How it is done, which changes at most how sums are rounded: sequences decoded together, tokens of a forward and
 * backward pass, steps between checkpoints; and the objectives whose means every step reports beside the reward. */
typedef struct pr_train_how {
    int streams, micro_tokens, checkpoint_every;
    int n_report;
    pr_reward_term_t report[PR_MAX_OBJECTIVES]; // weights mean nothing
} pr_train_how_t;
json_t *pr_train_how_pack(const pr_train_how_t *how);
pr_status_t pr_train_how_parse(const json_t *value, pr_train_how_t *out, pr_error_t *err);

/* Of pr_job_kind_t (train_memory.c). */
pr_status_t pr_train_memory(const json_t *inputs, const json_t *how, const pr_job_sizes_t *sizes, pr_job_memory_t *out,
                            pr_error_t *err);

/* The LoRA adapter of the settings; its target list, which the caller frees, points into them. */
pr_adapter_options_t pr_train_lora(const pr_train_settings_t *s, const char ***targets);

#endif
