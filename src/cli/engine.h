/* What tokenize, generate, logits and score share: options that name a model, adapters and weights, and opening
 * them. */
#ifndef PR_CLI_ENGINE_H
#define PR_CLI_ENGINE_H

#include "cli/cli.h"
#include "policy/policy.h"
#include "tokenizer/tokenizer.h"

#include <limits.h>
#include <stddef.h>

typedef struct pr_engine_options {
    const char *model; // directory
    pr_texts_t adapters;
    pr_reals_t weights;
    const char *aggregate, *norm;
    const char *gram_prompts; // file, or NULL
    int layer;
    int threads;
} pr_engine_options_t;

#define PR_ENGINE_DEFAULTS                                                                                             \
    {                                                                                                                  \
        .aggregate = "states", .norm = "after", .layer = -1, .threads = 1                                              \
    }

/* Rows of a verb's table: type is the verb's structure, member its pr_engine_options_t. */
#define PR_ENGINE_MODEL(type, member)                                                                                  \
    {                                                                                                                  \
        "MODEL_DIR", PR_ARG_TEXT, offsetof(type, member.model), "DIR",                                                 \
            "A Hugging Face model directory: config.json, safetensors, tokenizer.json.", 0, 0, true                    \
    }
#define PR_ENGINE_ARGS(type, member)                                                                                   \
    {"--adapter",                                                                                                      \
     PR_ARG_TEXTS,                                                                                                     \
     offsetof(type, member.adapters),                                                                                  \
     "DIR",                                                                                                            \
     "A PEFT LoRA directory; may be repeated, an expert each.",                                                        \
     0,                                                                                                                \
     0,                                                                                                                \
     false},                                                                                                           \
        {"--weights",                                                                                                  \
         PR_ARG_REALS,                                                                                                 \
         offsetof(type, member.weights),                                                                               \
         "A,B,...",                                                                                                    \
         "Preference weights, one an adapter, in their order. Default for one adapter: 1.",                            \
         0,                                                                                                            \
         1e9,                                                                                                          \
         false},                                                                                                       \
        {"--aggregate",                                                                                                \
         PR_ARG_CHOICE,                                                                                                \
         offsetof(type, member.aggregate),                                                                             \
         "states|logits|probs|params|regmean",                                                                         \
         "How experts and weights make one policy. Default: states.",                                                  \
         0,                                                                                                            \
         0,                                                                                                            \
         false},                                                                                                       \
        {"--gram-prompts",                                                                                             \
         PR_ARG_TEXT,                                                                                                  \
         offsetof(type, member.gram_prompts),                                                                          \
         "FILE.jsonl",                                                                                                 \
         "regmean: prompts, best of those trained on; every expert's inputs on them and on its greedy responses of "   \
         "up to 40 tokens weigh its maps (off-diagonals times 0.9, ridge 1e-6).",                                      \
         0,                                                                                                            \
         0,                                                                                                            \
         false},                                                                                                       \
        {"--layer",                                                                                                    \
         PR_ARG_INT,                                                                                                   \
         offsetof(type, member.layer),                                                                                 \
         "L",                                                                                                          \
         "states: layers that every expert runs alone before the states are combined. Default: -1, all.",              \
         -1,                                                                                                           \
         INT_MAX,                                                                                                      \
         false},                                                                                                       \
        {"--norm",                                                                                                     \
         PR_ARG_CHOICE,                                                                                                \
         offsetof(type, member.norm),                                                                                  \
         "after|before",                                                                                               \
         "states: combine after the final norm or before it. Default: after.",                                         \
         0,                                                                                                            \
         0,                                                                                                            \
         false},                                                                                                       \
    {                                                                                                                  \
        "--threads", PR_ARG_INT, offsetof(type, member.threads), "N", "BLAS threads. Default: 1.", 1, 1024, false      \
    }

typedef struct pr_engine {
    pr_model_t *model;
    pr_tokenizer_t *tokenizer; // NULL where it was not asked for
    int n_adapter;
    pr_adapter_t **adapter;
    const pr_adapter_t *merged; // of regmean, which the policy then has alone
    const double *w;            // of the policy's adapters: the options', or the default
    double one;
    pr_policy_t policy;
} pr_engine_t;

/* Loads what the options name. Errors: PR_ERR_USAGE (weights and adapters do not fit), those of loading. The caller
 * clears the engine with pr_engine_close, also after an error. */
pr_status_t pr_engine_open(const pr_engine_options_t *o, bool tokenizer, pr_engine_t *out, pr_error_t *err);
void pr_engine_close(pr_engine_t *e);
/* MODEL_DIR/tokenizer.json; dir may also be a tokenizer's file itself. */
pr_status_t pr_engine_tokenizer(const char *dir, pr_tokenizer_t **out, pr_error_t *err);
/* ids [n] as given (copied), or else text's, with the special tokens that the tokenizer adds. Caller frees. Errors:
 * PR_ERR_FORMAT for an empty sequence, where the model is not a classifier, or an id that the model does not have. */
pr_status_t pr_engine_ids(const pr_engine_t *e, const pr_ints_t *given, const char *text, int32_t **ids, size_t *n,
                          pr_error_t *err);
/* An array of ids. New reference. */
json_t *pr_cli_ids_json(const int32_t *ids, size_t n);
/* Text as JSON. New reference. */
json_t *pr_cli_text_json(const char *text, size_t len);

#endif
