// SPDX-License-Identifier: BSD-3-Clause
/* What tokenize, generate, logits and score share: options that name a model, adapters and weights, and opening
 * them. */
#ifndef PR_CLI_ENGINE_H
#define PR_CLI_ENGINE_H

#include "cli/cli.h"
#include "config/config.h"
#include "policy/ready.h"
#include "sweeps/take.h"
#include "tokenizer/tokenizer.h"

#include <limits.h>
#include <stddef.h>

/* Rows of weights, a row per block of layers; mostly one. */
typedef struct pr_cli_weights {
    const char *text; // the command line's; NULL: not given
    int rows, n;      // n in each
    double *item;     // [rows,n]
} pr_cli_weights_t;
/* Of text, which may be NULL. The caller frees. Errors: PR_ERR_USAGE. */
pr_status_t pr_cli_weights_read(pr_cli_weights_t *w, pr_error_t *err);
void pr_cli_weights_free(pr_cli_weights_t *w);
#define PR_CLI_WEIGHTS "A,B,...[;A,B,...]"

typedef struct pr_cli_engine_options {
    const char *model; // directory
    bool sweeps;       // it may be a sweep's results directory
    pr_texts_t adapters;
    const char *weights;      // as pr_cli_weights_read takes them
    const char *mix;          // "NAME; KEY=VALUE; ..."; NULL: not given
    const char *norm;         // option "norm" of it; NULL: not given
    int layer;                // option "layer" of it; PR_CLI_ENGINE_NO_LAYER: not given
    const char *gram_prompts; // file, or NULL
    const char *point;        // of a results directory; NULL: not given
    const char *search;       // likewise
    int64_t experts;          // seed of its experts; negative: not given
    pr_texts_t set;           // overrides of its configuration
    int threads;
} pr_cli_engine_options_t;

enum { PR_CLI_ENGINE_NO_LAYER = -2 };
/* Before options are parsed. */
#define PR_CLI_ENGINE_DEFAULTS                                                                                         \
    {                                                                                                                  \
        .layer = PR_CLI_ENGINE_NO_LAYER, .experts = -1, .threads = 1                                                   \
    }

/* Rows of a verb's table: type is the verb's structure, member its pr_cli_engine_options_t. */
#define PR_CLI_ENGINE_MODEL(type, member)                                                                              \
    PR_ARG_REQUIRED("MODEL_DIR", STRING, offsetof(type, member.model), "DIR",                                          \
                    "A Hugging Face model directory: config.json, safetensors, tokenizer.json.")
/* The same of verbs that have PR_CLI_ENGINE_ARGS. */
#define PR_CLI_ENGINE_PLACE(type, member)                                                                              \
    PR_ARG_REQUIRED("DIR", STRING, offsetof(type, member.model), "DIR",                                                \
                    "A Hugging Face model directory: config.json, safetensors, tokenizer.json; or a sweep's results "  \
                    "directory, of which --point or --weights says which policy.")
#define PR_CLI_ENGINE_NAME(name) " " #name
#define PR_CLI_ENGINE_ARGS(type, member)                                                                               \
    PR_ARG("--adapter", STRINGS, offsetof(type, member.adapters), "DIR",                                               \
           "A PEFT LoRA directory; may be repeated, an expert each."),                                                 \
        PR_ARG(                                                                                                        \
            "--weights", STRING, offsetof(type, member.weights), PR_CLI_WEIGHTS,                                       \
            "Preference weights, one per adapter, or per objective of a results directory, in their order; with the "  \
            "mix's option blocks a row of them per block, between semicolons. Some mixes take negative ones. Default " \
            "for one adapter: 1."),                                                                                    \
        PR_ARG("--mix", STRING, offsetof(type, member.mix), "MIX", "Another name of --aggregate."),                    \
        PR_ARG("--aggregate", STRING, offsetof(type, member.mix), "MIX",                                               \
               "How experts and weights make one policy, one of" PR_MIX_LIST(                                          \
                   PR_CLI_ENGINE_NAME) "; with options of its own after it such as \"states; layer=1\" "               \
                                       "(paretorank help mixes). Default: states; of a results directory, as the "     \
                                       "search has it."),                                                              \
        PR_ARG("--point", STRING, offsetof(type, member.point), "ID",                                                  \
               "Of a results directory: the policy of this point, by its own mix: an id of the column point of "       \
               "cells.csv and of `paretorank front`, or what only one of them begins with."),                          \
        PR_ARG("--search", STRING, offsetof(type, member.search), "NAME",                                              \
               "Of a results directory with --weights: the policy that this search of the sweep makes of them."),      \
        PR_ARG("--experts", INT64, offsetof(type, member.experts), "S",                                                \
               "Of a results directory with --weights: the experts of this seed. Default: the first of seeds.",        \
               .min = 0, .max = INT32_MAX),                                                                            \
        PR_ARG("--set", STRINGS, offsetof(type, member.set), "KEY=VALUE",                                              \
               "Of a results directory: overrides a key of the sweep's configuration, such as a model that has "       \
               "moved; may be repeated."),                                                                             \
        PR_ARG("--gram-prompts", STRING, offsetof(type, member.gram_prompts), "FILE.jsonl",                            \
               "Of mixes that merge by what the experts' maps read (regmean): prompts, best of those trained on; "     \
               "every expert's inputs on the first of them and on its greedy responses, of as many tokens as "         \
               "evaluate.max_new_tokens says by default, weigh its maps."),                                            \
        PR_ARG("--layer", INT, offsetof(type, member.layer), "L",                                                      \
               "The mix's option layer, of states: layers that every expert runs alone before the states are "         \
               "combined. Default: -1, all.",                                                                          \
               .min = -1, .max = INT_MAX),                                                                             \
        PR_ARG_CHOICE("--norm", offsetof(type, member.norm), "after|before", "",                                       \
                      "The mix's option norm, of states: combine after the final norm or before it. Default: "         \
                      "after."),                                                                                       \
        PR_ARG_DEFAULT("--threads", INT, offsetof(type, member.threads), "N", "1", "BLAS threads.", .min = 1,          \
                       .max = 1024)

typedef struct pr_cli_engine {
    pr_model_t *model;
    pr_tokenizer_t *tokenizer; // NULL where it was not asked for
    int n_adapter;
    pr_adapter_t **adapter;
    const pr_mix_t *mix;
    json_t *mix_options;
    pr_cli_weights_t weights;
    pr_ready_t ready;   // and what it is run by:
    pr_policy_t policy; //
    const double *w;    //
    /* Of a results directory. */
    pr_config_t *sweep; // NULL: it is none
    pr_taken_t taken;
} pr_cli_engine_t;

/* Does it hold a sweep's results, and no model? */
bool pr_cli_engine_is_sweep(const char *dir);
/* pr_cli_engine_open of such a directory. */
pr_status_t pr_cli_engine_open_sweep(const pr_cli_engine_options_t *o, bool tokenizer, pr_cli_engine_t *out,
                                     pr_error_t *err);
/* What the options of a verb say of a policy of a results directory; the texts are the command line's. */
typedef struct pr_cli_take {
    const char *point, *search, *mix; // NULL: not given
    const pr_cli_weights_t *weights;
    int64_t seed; // negative: not given
    const pr_texts_t *set;
} pr_cli_take_t;
/* The caller frees *sweep and clears *out, also after an error; both are all zero before. Errors: those of
 * pr_sweep_config_read and pr_take, PR_ERR_CONFIG (the mix). */
pr_status_t pr_cli_take(const char *dir, const pr_cli_take_t *o, pr_config_t **sweep, pr_taken_t *out, pr_error_t *err);
/* Loads what the options name. Errors: PR_ERR_USAGE (weights and adapters do not fit), those of loading. The caller
 * clears the engine with pr_cli_engine_close, also after an error. */
pr_status_t pr_cli_engine_open(const pr_cli_engine_options_t *o, bool tokenizer, pr_cli_engine_t *out, pr_error_t *err);
void pr_cli_engine_close(pr_cli_engine_t *e);
/* MODEL_DIR/tokenizer.json; dir may also be a tokenizer's file itself. */
pr_status_t pr_cli_engine_tokenizer(const char *dir, pr_tokenizer_t **out, pr_error_t *err);
/* ids [n] as given (copied), or else text's, with the special tokens that the tokenizer adds. Caller frees. Errors:
 * PR_ERR_FORMAT for an empty sequence, where the model is not a classifier, or an id that the model does not have. */
pr_status_t pr_cli_engine_ids(const pr_cli_engine_t *e, const pr_ints_t *given, const char *text, int32_t **ids,
                              size_t *n, pr_error_t *err);
/* The same of a rendered conversation, to which the tokenizer adds no special tokens. */
pr_status_t pr_cli_engine_chat_ids(const pr_cli_engine_t *e, const char *text, size_t len, int32_t **ids, size_t *n,
                                   pr_error_t *err);
/* An array of ids. New reference. */
json_t *pr_cli_ids_json(const int32_t *ids, size_t n);
/* Text as JSON. New reference. */
json_t *pr_cli_text_json(const char *text, size_t len);

#endif
