// SPDX-License-Identifier: BSD-3-Clause
/* From a configuration to the inputs of jobs: everything on disk that results depend on is hashed, and what jobs share
 * is put where they find it by hash (jobs/content.h). */
#ifndef PR_SWEEPS_INPUTS_H
#define PR_SWEEPS_INPUTS_H

#include "config/config.h"
#include "jobs/content.h"
#include "method/domain.h"
#include "method/method.h"
#include "model/adapter.h"
#include "model/prompts.h"

/* A policy of the configuration: how points become policies. */
typedef struct pr_sweep_policy {
    const pr_method_t *method;
    const pr_mix_t *mix;
    json_t *mix_options,
        *options;       // resolved, of the mix (what is searched at the middle of its range) and of the method
    pr_domain_t domain; // of its points
    const pr_finetune_config_t *set; // of its trainings
    const pr_weigher_t *weigher;     // of them
    const pr_combiner_t *combiner;
    bool per_point;     // each point is a training of its own
    const char *prefix; // of its trainings' labels, where it has settings of its own; else NULL
} pr_sweep_policy_t;

typedef struct pr_inputs {
    const pr_config_t *config;
    bool sketched; // all hashes below are of names
    pr_content_t *content;
    char model[PR_HASH_HEX]; // config, generation config, tokenizer and weights
    char train[PR_HASH_HEX], eval[PR_HASH_HEX],
        validation[PR_HASH_HEX];                  // of the lists of prompts; "" where there are none
    char adapter[PR_MAX_OBJECTIVES][PR_HASH_HEX]; // of objectives that bring their expert; "" for the others
    const char *given[PR_MAX_OBJECTIVES];         // the same, NULL for the others
    json_t *init;                                 // {path: content hash} of the adapters that trainings begin as
    json_t *objective[PR_MAX_OBJECTIVES];         // pr_objective_identity of each
    char objective_hash[PR_MAX_OBJECTIVES][PR_HASH_HEX];
    char head[PR_MAX_OBJECTIVES][PR_HASH_HEX]; // the job that fits its head, "" for the others
    char task[PR_HASH_HEX];                    // pr_evaluation_task_t, in content
    char train_task[PR_HASH_HEX];              // the same on the training prompts; "" where there are none
    int n_eval;                                // prompts in the file
    pr_sweep_policy_t policy[PR_MAX_SEARCHES]; // of each search
} pr_inputs_t;

/* Local. Reads every input file once. The caller clears it, also after an error; config must outlive it. Errors:
 * PR_ERR_NOT_FOUND, PR_ERR_CONFIG, PR_ERR_FORMAT (an adapter or a head of another results directory that is not what
 * that sweep made). */
pr_status_t pr_inputs_read(const pr_config_t *c, pr_inputs_t *out, pr_error_t *err);
/* The same without opening what it names: in place of a content's hash stands the name's. Jobs then have other
 * identities, and the settings, parts and needs that they will have. Objectives, whose options are resolved, are to have
 * been checked. Errors: PR_ERR_CONFIG. */
pr_status_t pr_inputs_sketch(const pr_config_t *c, pr_inputs_t *out, pr_error_t *err);
void pr_inputs_clear(pr_inputs_t *in);

/* The policies of a configuration's searches [n_searches], without reading any input; the caller clears each. Errors:
 * PR_ERR_CONFIG. */
pr_status_t pr_sweep_policies(const pr_config_t *c, pr_sweep_policy_t *out, pr_error_t *err);
void pr_sweep_policy_clear(pr_sweep_policy_t *p);
/* The policy of a search at a choice of its domain by its method, which asks train(self, ...) for the jobs that make
 * adapters. The caller clears *out, also after an error. Errors: those of the method and of train. */
pr_status_t pr_sweep_policy_at(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_choice_t *at,
                               pr_status_t (*train)(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX],
                                                    pr_error_t *err),
                               void *self, pr_policy_spec_t *out, pr_error_t *err);
/* The options of a mix by the configuration: those of the first search that has it, else what the file's keys say.
 * *options is a new reference, resolved. Errors: PR_ERR_CONFIG. */
pr_status_t pr_sweep_mix_options(const pr_config_t *c, const pr_mix_t *mix, json_t **options, pr_error_t *err);
/* How conversations among its prompts become texts; borrows from c. */
pr_prompt_chat_t pr_sweep_chat(const pr_config_t *c);
/* The texts of the prompts that points are evaluated on, a JSON array. Borrowed. */
const json_t *pr_inputs_eval_texts(const pr_inputs_t *in);
/* Does any policy train, other than by adapters that are given? */
bool pr_sweep_trains(const pr_config_t *c);
/* The most new tokens that a training of the searches' policies puts after a prompt. */
int pr_sweep_training_tokens(const pr_config_t *c);
/* The adapter that trainings make; borrows from f. */
pr_adapter_options_t pr_sweep_lora(const pr_finetune_config_t *f);
/* What every job of its kind would fail on for the configuration, hours after others perhaps: LoRA targets and layers
 * that the model does not have. Errors: PR_ERR_CONFIG. */
pr_status_t pr_sweep_check_model(const pr_config_t *c, const pr_model_config_t *m, pr_error_t *err);
/* What only ranges can say of the rules that trainings are made by; lo, hi [n_objectives] as declared. Errors:
 * PR_ERR_CONFIG. */
pr_status_t pr_sweep_check_rules(const pr_inputs_t *in, const double *lo, const double *hi, pr_error_t *err);

/* Inputs of jobs, whose hashes are their identities. New references. */
json_t *pr_inputs_fit(const pr_inputs_t *in, int objective);
json_t *pr_inputs_train(const pr_inputs_t *in, const pr_finetune_config_t *set, const pr_training_wish_t *wish,
                        int64_t seed);
json_t *pr_inputs_evaluate(const pr_inputs_t *in, const pr_policy_spec_t *policy, int first, int count);
/* Whatever a wish of a policy is answered by: the training, or the fit of a route. pr_inputs_how_wished: how. */
json_t *pr_inputs_wished(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_training_wish_t *wish,
                         int64_t seed);
json_t *pr_inputs_how_wished(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_training_wish_t *wish);
/* The identity of that job alone. */
void pr_inputs_wished_id(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_training_wish_t *wish,
                         int64_t seed, char id[PR_HASH_HEX]);
/* The experts that are trained before a wish is answered: expert [n_objectives], and of, the policy that wishes for them,
 * which borrows from p. Returns how many; 0 where a wish needs none, or all are given. */
int pr_wish_experts(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_training_wish_t *wish,
                    pr_sweep_policy_t *of, pr_training_wish_t *expert);
/* How they are done; of an evaluation that is a whole point also "minimize", for pr_sweep_job_value. New references. */
json_t *pr_inputs_how_fit(const pr_inputs_t *in, int objective);
json_t *pr_inputs_how_train(const pr_inputs_t *in, const pr_finetune_config_t *set);
json_t *pr_inputs_how_evaluate(const pr_inputs_t *in);
/* What a training of these settings costs, in evaluations of one prompt, by the most tokens of both: a model, the same on
 * every machine. A token that is learned from counts as two that are sampled only. */
int64_t pr_training_prompts(const pr_config_t *c, const pr_finetune_config_t *set);
/* What people call a training: "empathy-s1", "empathy-0.5-brevity-0.5-s1", "empathy-brevity-s1" where weights say
 * nothing, or with a prefix (NULL: none) before it. Caller frees. */
char *pr_training_label(const pr_config_t *c, const char *prefix, const pr_training_wish_t *wish, int64_t seed);

/* The PEFT directory of an objective's expert of a seed: the given one, or the link of the results. Caller frees. */
char *pr_sweep_expert_dir(const pr_config_t *c, const char *results, int objective, int64_t seed);

#endif
