// SPDX-License-Identifier: BSD-3-Clause
/* Objectives: scalar functions of (prompt, response), to be maximised, each with a declared range. One file a type, all
 * in one registry. An objective of a sweep is a type with options, such as { name = "short"; type = "length_target";
 * words = 12; }. */
#ifndef PR_OBJECTIVE_OBJECTIVE_H
#define PR_OBJECTIVE_OBJECTIVE_H

#include "base/error.h"
#include "base/json.h"
#include "model/model.h"
#include "option/option.h"
#include "parallel/linalg.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is scored. Texts are UTF-8; the response is what the policy wrote before its end, byte for byte: it may begin
 * and end in white space, and hold U+0000. */
typedef struct pr_sample {
    const char *prompt, *response;          // both NUL-terminated; the prompt holds no other NUL
    const int32_t *prompt_id, *response_id; // token ids, the response's without what ended it (end-of-text, stop text)
    int n_prompt, n_response;
    size_t response_len; // bytes; 0: up to the NUL
} pr_sample_t;

/* What a type may need beside its options. Borrowed; must outlive the objective. */
typedef struct pr_objective_env {
    const char *dir;                 // relative file names in options are relative to this
    pr_model_t *model;               // the base model (fluency); NULL where needs_model is false for all
    const pr_tokenizer_t *tokenizer; // its tokenizer
    const pr_linalg_t *la;           // what models run on
} pr_objective_env_t;

typedef struct pr_objective_type pr_objective_type_t;

typedef struct pr_objective {
    const pr_objective_type_t *type;
    char *name;    // its name in the sweep
    double lo, hi; // declared range (may be infinite)
    bool scored;   // it has given a good score before; set by whoever scores, a type may do so within a call
    void *self;    // the type's own state
} pr_objective_t;

struct pr_objective_type {
    const char *name;
    const char *formula;        // one line
    const char *range;          // one line: what lo and hi will be
    const char *help;           // what it measures, and what it makes of an empty response
    const pr_option_t *options; // ends with a NULL key
    bool empty_is_lowest;       // an empty response scores lo
    const char *model_option;   // the option that names a model directory of its own; NULL: it has none
    const char *head_option; // the option that names the file of a head on the base model (model/linear_head.h); NULL
    bool needs_model;        // uses env->model and env->tokenizer
    bool collective; // runs a model on env->la: open and score are collective on its columns, which score the same
                     // samples
    /* Checks values and small files beyond what the options table says, without opening anything heavy; may be NULL. */
    pr_status_t (*check)(const json_t *options, const char *dir, pr_error_t *err);
    /* The range by resolved options, which check has passed; NULL: [0, 1]. Nothing heavy is opened. */
    pr_status_t (*bounds)(const json_t *options, const char *dir, double *lo, double *hi, pr_error_t *err);
    /* What is odd about resolved options, to be warned of: a text that the caller frees, or NULL. May be NULL. */
    char *(*odd)(const json_t *options);
    /* Of types with a model and a tokenizer of their own; NULL for the others. Can all prompts [n] be read by the
     * model, as far as its tokenizer and configuration tell? Errors name the prompt, counted from 1. */
    pr_status_t (*check_prompts)(const json_t *options, const char *dir, int n, char *const *prompt, pr_error_t *err);
    /* Sets o->self from resolved options; o->lo and o->hi are set. After an error close is not called. */
    pr_status_t (*open)(pr_objective_t *o, const json_t *options, const pr_objective_env_t *env, pr_error_t *err);
    /* scores [n], finite. Errors: PR_ERR_SCORER, PR_ERR_TIMEOUT, PR_ERR_NUMERIC. */
    pr_status_t (*score)(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores, pr_error_t *err);
    void (*close)(pr_objective_t *o);
    /* Of types that may rest on a file that a fit_reward job makes first; NULL for the others. Whether one is
     * needed, by resolved options; and takes it, after which score may be called. */
    bool (*needs_fit)(const json_t *options);
    pr_status_t (*check_fit)(const json_t *options, bool pairs,
                             pr_error_t *err); // can a fit on pairs, or labels, serve?
    pr_status_t (*attach)(pr_objective_t *o, const char *file, pr_error_t *err);
};

/* All types, in order of name. */
const pr_objective_type_t *const *pr_objective_types(size_t *n);
/* NULL for an unknown name. */
const pr_objective_type_t *pr_objective_type(const char *name);
/* Fills in defaults and checks keys, types, values and that files exist (dir: what relative names are relative to)
 * without opening anything heavy. options may be NULL. *resolved is a new reference; resolving it again changes
 * nothing. Unknown keys name the nearest known one. Errors: PR_ERR_CONFIG, PR_ERR_NOT_FOUND, PR_ERR_FORMAT (a word
 * list). */
pr_status_t pr_objective_resolve(const char *name, const char *type, const json_t *options, const char *dir,
                                 json_t **resolved, pr_error_t *err);
/* What separates the words of a command, as far as they may name files. */
#define PR_COMMAND_GAPS " \t\n'\";&|<>()"
/* What the objective's values depend on, as canonical JSON: type, options without the incidental ones, and in place of
 * file names the hash of the content: of a file; of the .json and .safetensors files of a directory; of the files that
 * a command's words name (those under /usr and /bin apart, which come with the system), so that it does not matter
 * where they lie. New reference. */
pr_status_t pr_objective_identity(const char *type, const json_t *resolved, const char *dir, json_t **identity,
                                  pr_error_t *err);

/* Collective on the columns of env->la where the type says so; the others are to be opened on one rank of a team.
 * options: resolved or as configured. env and what it points to are borrowed until the close. Errors name the
 * objective. */
pr_status_t pr_objective_open(const char *name, const char *type, const json_t *resolved, const pr_objective_env_t *env,
                              pr_objective_t **out, pr_error_t *err);
/* The declared range (either end may be infinite) by the options, as configured or resolved, without opening anything
 * heavy. Errors name the objective. */
pr_status_t pr_objective_bounds(const char *name, const char *type, const json_t *options, const char *dir, double *lo,
                                double *hi, pr_error_t *err);
/* A warning of options that make sense, but hardly the one that was meant. options: as configured or resolved. */
void pr_objective_tell(const char *name, const char *type, const json_t *options);
/* Can the objective's own model, where it has one, read all prompts [n] of a file? options: resolved or as configured.
 * Nothing heavy is opened. Errors name the objective, the file and the prompt. */
pr_status_t pr_objective_check_prompts(const char *name, const char *type, const json_t *options, const char *dir,
                                       const char *file, int n, char *const *prompt, pr_error_t *err);
/* The file of the head that an objective is given, as its options name it; NULL: none. options: as configured or
 * resolved. Points into them. */
const char *pr_objective_head_file(const char *type, const json_t *options);
/* Must a head be fitted before this objective can score? options: as configured or resolved. */
bool pr_objective_needs_fit(const char *type, const json_t *options);
/* Do its options go with a head fitted on pairs (else on labels)? Errors: PR_ERR_CONFIG, naming the objective. */
pr_status_t pr_objective_check_fit(const char *name, const char *type, const json_t *options, bool pairs,
                                   pr_error_t *err);
/* Gives an objective that needs it the fitted head in `file`. Errors name the objective. */
pr_status_t pr_objective_attach(pr_objective_t *o, const char *file, pr_error_t *err);
/* Scores n samples; checks that every score is finite and within the declared range. Errors name the objective; a program that
 * fails before it has ever scored anything, and a first score that is none, are PR_ERR_FIRST_SAMPLE, as another try would
 * end alike. */
pr_status_t pr_objective_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                               pr_error_t *err);
void pr_objective_close(pr_objective_t **o);

/* The page docs/objectives.md: every type's formula, range and options. Caller frees. */
char *pr_objective_page(void);

#endif
