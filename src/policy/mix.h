// SPDX-License-Identifier: BSD-3-Clause
/* Mixes: how the parts of a policy (adapters with coefficients) make one next-token distribution. A mix is one file,
 * mix_NAME.c, which fills in one pr_mix_t, and one line of PR_MIX_LIST; whoever runs, merges, exports or plans policies
 * knows no mix by name.
 *
 * There are two kinds. One that is run says, by `plan`, how many layers each part runs alone and, by `combine`, how the
 * rows that the parts leave behind become one (policy/flow.h has the flow):
 *
 *   split = 0        the parts' outputs are added by weight in every linear map: one stream per point
 *   0 < split < L    layers 0..split-1 run once per part; then sum (w_k / sum w) z_k of every position goes on as one
 *                    stream, with the adapters added by weight as above
 *   split = L        all layers run once per part; `combine` makes one row of the parts' rows, of hidden states before
 *                    the head or of logits after it
 *
 * One that is merged has `merge`, which makes one adapter of parts and weights; that is run as `params` with weight 1.
 *
 *   const pr_mix_t *mix;
 *   PR_TRY(pr_mix_find("states", &mix, err));
 *   PR_TRY(pr_options_resolve(mix->options, given, NULL, &options, err));
 *   pr_policy_t p = {.model = ..., .mix = mix, .mix_options = options};   // policy/policy.h
 */
#ifndef PR_POLICY_MIX_H
#define PR_POLICY_MIX_H

#include "model/adapter.h"
#include "option/option.h"
#include "parallel/team.h"

typedef struct pr_mix pr_mix_t;
typedef struct pr_grams pr_grams_t; // policy/gram.h
struct pr_policy;                   // policy/policy.h

/* ---- a mix that is run ---- */

enum { PR_MIX_NUMBERS = 8 };

/* What a mix with its options does with a model's layers: made once per engine, so that nothing is looked up while
 * tokens are made. Plain data. All zero, which `plan` finds, is `params`. */
typedef struct pr_mix_plan {
    int split;           // 0..n_layer
    bool normalised;     // combine gets weights of sum 1, so that a point's weights need a positive sum
    bool signed_weights; // weights below 0 mean something; else they are refused
    bool of_logits;      // combine gets rows of logits; else of hidden states
    bool norm_behind;    // hidden states: the final norm is taken of what is combined, not of what is to be combined
    double number[PR_MIX_NUMBERS]; // the mix's own
} pr_mix_plan_t;

/* One position's rows of the parts in use, those whose weight is not 0, in the policy's order. */
typedef struct pr_mix_rows {
    int n, width;    // width: the vocabulary; or the hidden features that this rank's column has, of which only what
                     // goes feature by feature can be made
    const int *part; // [n] their numbers in the policy
    const double *w; // [n]
    float *x;        // [n,width]; may be changed
} pr_mix_rows_t;

/* ---- a mix that is merged ---- */

/* What Gram matrices `merge` needs of its parts (policy/gram.h): of the first prompts prompts of those trained on. */
typedef struct pr_mix_grams {
    int prompts;
    double off_diagonal, ridge;
} pr_mix_grams_t;

/* Parts to be merged. Another kind of input gets another member here. */
typedef struct pr_mix_parts {
    const pr_team_t *team;
    const pr_model_config_t *model;
    int n;
    const pr_adapter_t *const *adapter; // [n]
    const double *w;                    // [n]
    const pr_grams_t *const *grams; // [n] where the mix asks for them, NULL where w_k = 0 or of a part that is alone
} pr_mix_parts_t;

/* ---- what it takes ---- */

/* Memory of an evaluation, in multiples of what one part alone takes. */
typedef struct pr_mix_memory {
    double streams; // key/value caches of a whole model per sequence; rows of a prefill
    int stacked;    // adapters whose ranks stand side by side in a product
    int logits;     // rows of logits per row that is asked for
    double merged;  // adapters beside the parts', in multiples of all parts' together
    bool grams;     // the parts' Gram matrices, and one layer's sum of them
} pr_mix_memory_t;

struct pr_mix {
    const char *name;           // "states"
    const char *formula;        // one line
    const char *help;           // one sentence or two
    const pr_option_t *options; // ends with a NULL key
    /* In how many blocks of layers parts have coefficients of their own, by its options. NULL: in one. */
    int (*blocks)(const json_t *options);
    bool one_adapter; // a policy is one PEFT adapter, exactly: it can be exported as one

    /* Fills in plan, which is all zero. NULL: it stays so. Errors: PR_ERR_CONFIG (options that do not fit the model).
     */
    pr_status_t (*plan)(const json_t *options, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err);
    /* out [width] of the rows r. Needed where split may be n_layer. */
    void (*combine)(const pr_mix_plan_t *plan, const pr_mix_rows_t *r, float *out);
    /* One adapter of the parts, to be run as `params` with weight 1. Collective on the team. The caller frees. NULL:
     * the mix is run. */
    pr_status_t (*merge)(const json_t *options, const pr_mix_parts_t *parts, pr_adapter_t **out, pr_error_t *err);
    /* NULL: merge needs no Gram matrices. */
    void (*grams)(const json_t *options, pr_mix_grams_t *out);
    /* Corrects what pr_mix_memory has found from the plan. NULL: that is right. */
    void (*memory)(const json_t *options, int parts, pr_mix_memory_t *m);
    /* Where decoding leaves out a constant of each row that the formula has: the rows with it. Arguments as those of
     * pr_policy_logits, which have been checked. NULL: nothing is left out. */
    pr_status_t (*with_constant)(const struct pr_policy *p, int n_seq, const int *seq_start, const int32_t *ids,
                                 const double *w, bool all_positions, float *out, pr_error_t *err);
    /* For a policy that is taken home: an expression of Python that makes one row of log-probabilities, up to a
     * constant, of the tensors w [n] and p [n,batch,vocabulary], the parts' weights and log-probabilities. NULL, or what
     * it returns, for a policy that is no function of these. */
    const char *(*python)(const pr_mix_plan_t *plan, const pr_model_config_t *model);
};

/* ---- the registry ---- */

/* Every mix's line, in the order of help. */
#define PR_MIX_LIST(X) X(states) X(logits) X(probs) X(params) X(regmean) X(power)
#define PR_MIX_DECLARE(name) extern const pr_mix_t pr_mix_##name;
PR_MIX_LIST(PR_MIX_DECLARE)
#undef PR_MIX_DECLARE

/* All mixes; valid until one is added. */
const pr_mix_t *const *pr_mix_all(size_t *n);
/* Errors: PR_ERR_CONFIG, naming the nearest. */
pr_status_t pr_mix_find(const char *name, const pr_mix_t **out, pr_error_t *err);
/* Makes a mix (borrowed, for good) known by its name, as those of PR_MIX_LIST are. Not while others look mixes up.
 * Errors: PR_ERR_CONFIG (the name is taken). */
pr_status_t pr_mix_add(const pr_mix_t *mix, pr_error_t *err);
/* "NAME" or "NAME; KEY=VALUE; ..." into a mix and its resolved options (a new reference). A value is JSON, or else a
 * string: "states; layer=1; norm=before". Errors: PR_ERR_CONFIG. */
pr_status_t pr_mix_parse(const char *text, const pr_mix_t **mix, json_t **options, pr_error_t *err);
/* What the registry says of itself, as a page in Markdown. The caller frees. */
char *pr_mix_page(void);

/* ---- used by flows, plans and mixes ---- */

/* How many blocks of layers the options say, which are resolved. */
int pr_mix_blocks(const pr_mix_t *mix, const json_t *options);
/* The plan of a mix; options may be NULL (the defaults) or lack some. Errors: PR_ERR_CONFIG. */
pr_status_t pr_mix_plan(const pr_mix_t *mix, const json_t *options, const pr_model_config_t *model, pr_mix_plan_t *out,
                        pr_error_t *err);
/* Of a policy of so many parts. Errors: those of pr_mix_plan. */
pr_status_t pr_mix_memory(const pr_mix_t *mix, const json_t *options, const pr_model_config_t *model, int parts,
                          pr_mix_memory_t *out, pr_error_t *err);
/* For combine: out = sum w_k x_k, in the order of the parts. */
void pr_mix_sum(const pr_mix_plan_t *plan, const pr_mix_rows_t *r, float *out);
/* For python, of a mix that is sum w_k log p_k: `logits`, and what is the same with a linear head and no norm after it.
 */
const char *pr_mix_sum_python(const pr_mix_plan_t *plan, const pr_model_config_t *model);

#endif
