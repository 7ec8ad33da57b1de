// SPDX-License-Identifier: BSD-3-Clause
/* The configuration of a sweep: one libconfig file, one table of keys (key, type, default, range, help) that drives
 * parsing, --set key=value, `paretorank help config`, the man page and the resolved dump. The result is a plain
 * structure and, with all defaults filled in, canonical JSON. An unknown key is an error that names the nearest known
 * one. */
#ifndef PR_CONFIG_CONFIG_H
#define PR_CONFIG_CONFIG_H

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "option/option.h"

#include <stdbool.h>
#include <stdint.h>

enum { PR_MAX_SEARCHES = 32, PR_MAX_POLICIES = 64, PR_MAX_SEEDS = 64, PR_MAX_LIST = 64 };

typedef struct pr_objective_config {
    char *name, *type;
    char *adapter;   // a PEFT directory to use as this objective's expert instead of fine-tuning one, or NULL
    bool minimize;   // fronts and searches treat smaller as better
    bool report;     // scored and tabled at every point, but no aim: no expert, no weight, not in the front
    int place;       // in the file's list
    json_t *options; // the type's own keys, not yet resolved against the registry
} pr_objective_config_t;

enum { PR_MAX_TEAM = 1 << 16 }; // ranks of a team
typedef struct pr_team_config {
    int rows, cols; // ranks that split the sequences, and the features
} pr_team_config_t;

typedef struct pr_finetune_config {
    json_t *algorithm; // its name, or {"type": name, options}
    int steps;
    int prompts_per_step; // B
    int samples;          // k, per prompt
    int max_new_tokens;
    double temperature, top_p;
    double lr, beta1, beta2, eps, weight_decay;
    int warmup;         // steps of linear warm-up
    char *schedule;     // "constant" | "linear" | "cosine"
    double kl;          // weight of the KL to the reference
    char *kl_estimator; // "k1" | "k2" | "k3": learn/loss.h
    double entropy;     // weight of an entropy bonus
    double clip_norm;   // global gradient norm; 0: off
    json_t *combine;    // a combiner's name, or {"type": name, options}
    json_t *weigh;      // the same of a weighting rule; NULL: "fixed"
    json_t *core;       // of a family of adapters, one for every preference: {"type": name, options}; NULL: one adapter
    json_t *sample;     // how its preferences are drawn (learn/preference.h), where there is a core
    bool measure;       // inner products of the objectives' gradients in every step
    int stop_patience;  // validations without a gain that end a training; 0: never
    int stop_every;     // steps between validations
    double stop_gain;   // what counts as one
    bool stop_worst;    // of the objective that does worst, in its range; else of what is climbed
    char *loss_norm;    // "token": mean over the step's tokens; "sequence": sum over a response, mean over responses
    int lora_r;
    double lora_alpha;
    bool lora_rslora;
    pr_strings_t lora_targets; // empty: every linear map
    char *init;                // a PEFT directory of the same shape that it begins as, or NULL
    int micro_tokens;     // tokens of one forward/backward pass; does not change the result's definition, only rounding
    int checkpoint_every; // steps; 0: only on a signal
    pr_team_config_t team;
} pr_finetune_config_t;

typedef struct pr_evaluate_config {
    int prompts; // how many of prompts.eval; 0: all
    bool greedy;
    double temperature, top_p;
    int samples; // responses per prompt (1 when greedy)
    int max_new_tokens;
    int streams; // sequences decoded together
    pr_team_config_t team;
} pr_evaluate_config_t;

typedef struct pr_regmean_config {
    int prompts;         // how many of prompts.train, at most
    double off_diagonal; // factor of what stands off the diagonal of a Gram matrix
    double ridge;        // share of the mean diagonal that is added to the diagonal
} pr_regmean_config_t;

/* How points become policies: `policies` of the file. */
typedef struct pr_policy_config {
    char *name, *method;
    char *family;        // of one of several that differ in settings of `train`: their name as written; else NULL
    char *mix;           // "states", ...
    json_t *mix_options; // the mix's own keys, not yet resolved against the registry
    json_t *options;     // the method's own keys, likewise
    pr_finetune_config_t train; // of its trainings: those of `finetune` with what `train` says
    bool own_train;             // it says anything
} pr_policy_config_t;

typedef struct pr_search_spec {
    int policy;       // which of policies; -1: experts, combined as aggregate says
    char *name;       // names this search in the results; default: the aggregation, made unique
    char *aggregate;  // "params" | "logits" | "probs" | "states" | "regmean"
    int layer;        // states: -1 the last
    bool norm_before; // states: combine before the final norm
    char *type;       // a name of PR_SEARCH_LIST (config/searches.h)
    char *domain;     // "simplex" | "cube"
    int levels;
    int divisions;            // grid: steps along a side (Das-Dennis)
    int lattice;              // auto: points are multiples of 1/lattice; 0: any
    char *select;             // "front" | "best" | "all"
    int beam;                 // cells refined per level; 0: no limit
    int batch;                // auto: points per round; 0: from the number of objectives
    int budget;               // points; 0: no limit, or auto's proposal
    double budget_core_hours; // 0: no limit
    double min_gain;          // gain below which nothing is looked at; see keys.c
    double recheck;           // auto: share of the budget for more prompts of points in doubt; 0: fidelity is a race
    int points;               // random
    double alpha;             // random: Dirichlet concentration
    char *file;               // list
    int n_fidelity;
    int fidelity[PR_MAX_LIST];        // prompts per point, rising; empty: all of evaluate.prompts
    int n_scalar;                     // K once resolved
    double scalar[PR_MAX_OBJECTIVES]; // weights of the scalar score of select = "best" and of the cube; default equal
} pr_search_spec_t;

typedef struct pr_chat_config {
    char *template, *system, *variables, *now; // NULL: not given
    bool add_generation_prompt;
} pr_chat_config_t;

typedef struct pr_config {
    char *path, *dir; // the file read, and its directory: relative names in it are relative to this
    char *name;
    int64_t seed;
    char *model;      // directory
    char *model_name; // what adapters call it
    char *train_prompts, *validation_prompts,
        *eval_prompts;     // JSON lines with a "prompt" string, or "messages", each (and optionally "id")
    pr_chat_config_t chat; // how messages become texts
    char *results;         // directory
    int n_objectives;      // K: those that are optimised, which come first
    int n_scored;          // and those that are only reported, after them
    pr_objective_config_t objective[PR_MAX_OBJECTIVES];
    int n_seeds;
    int64_t seeds[PR_MAX_SEEDS]; // one set of experts each
    pr_strings_t stop;           // stop strings of roll-outs and evaluation
    char *truncated;             // "score" | "worst" | "drop": responses that max_new_tokens cut
    pr_finetune_config_t finetune;
    pr_evaluate_config_t evaluate;
    pr_regmean_config_t regmean;
    int n_policies;
    pr_policy_config_t policy[PR_MAX_POLICIES];
    int n_searches;
    pr_search_spec_t search[PR_MAX_SEARCHES];
    int n_reference; // hypervolume's reference point; 0: the objectives' lower bounds
    double reference[PR_MAX_OBJECTIVES];
    bool base;         // the base model and the experts alone are evaluated
    int retries;       // of a failed job
    int threads;       // BLAS threads per rank
    int front_samples; // responses kept in samples.jsonl per front point
} pr_config_t;

/* Reads path; overrides: n texts "key=value" in libconfig's syntax ("finetune.steps=20", "search.levels=2",
 * "objectives.[1].name=x"), applied before checking. Paths in the result are joined with dir. Caller frees with
 * pr_config_free. Errors: PR_ERR_NOT_FOUND, PR_ERR_CONFIG (file, line, key; found; expected). */
pr_status_t pr_config_read(const char *path, const char *const *overrides, int n, pr_config_t **out, pr_error_t *err);
/* As pr_config_read, from text (of a results directory's sweep.cfg, say). */
pr_status_t pr_config_parse(const char *text, const char *path, const char *const *overrides, int n, pr_config_t **out,
                            pr_error_t *err);
void pr_config_free(pr_config_t **c);

/* The resolved configuration, every key with its value, in libconfig's syntax (absolute paths); reading it back gives
 * the same. Caller frees. */
char *pr_config_dump(const pr_config_t *c);
/* The same as JSON, for identities, workers and the journal. New reference. */
json_t *pr_config_json(const pr_config_t *c);
/* Inverse of pr_config_json; how workers receive the configuration. */
pr_status_t pr_config_from_json(const json_t *value, pr_config_t **out, pr_error_t *err);

/* The keys of one search alone, as they stand in a group of `search` ("budget = 45;"), for k objectives: for a search
 * that belongs to no sweep. where: put before messages. Caller frees with pr_search_spec_clear. Errors: PR_ERR_CONFIG. */
pr_status_t pr_search_spec_parse(const char *text, const char *where, int k, pr_search_spec_t *out, pr_error_t *err);
void pr_search_spec_clear(pr_search_spec_t *s);
/* Every key with its value. New reference. */
json_t *pr_search_spec_json(const pr_search_spec_t *s);

/* The table of keys, by which a file is read and of which help, the manual page and the documents speak. */
extern const pr_option_t pr_config_keys[];

#endif
