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
 * One that is merged is made before it is run (policy/merge.h), by one of
 *
 *   merge     one adapter of parts and weights, run as `params` with weight 1
 *   factors   the same, map by map, in factors
 *   change    a dense change of each map's weight, map by map, which makes a model of its own
 *
 * `kind` says which, by the options, where that is not always the same.
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
#include "policy/map.h"

typedef struct pr_mix pr_mix_t;
typedef struct pr_grams pr_grams_t; // policy/gram.h
struct pr_policy;                   // policy/policy.h

/* What becomes of a policy's parts. */
typedef enum {
    PR_MIX_RUN,     // they are run, by plan and combine
    PR_MIX_ADAPTER, // made one adapter
    PR_MIX_DENSE    // made a model with other weights
} pr_mix_kind_t;

/* ---- a mix that is run ---- */

enum { PR_MIX_NUMBERS = 8 };

/* What a mix with its options does with a model's layers: made once per engine, so that nothing is looked up while
 * tokens are made. Plain data. All zero, which `plan` finds, is `params`. */
typedef struct pr_mix_plan {
    pr_mix_kind_t kind;
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
    int blocks;                     // of layers with weights of their own: w is [n,blocks] then; 0 counts as 1
} pr_mix_parts_t;

/* ---- what it takes ---- */

/* Memory of an evaluation, in multiples of what one part alone takes. */
typedef struct pr_mix_memory {
    double streams; // key/value caches of a whole model per sequence; rows of a prefill
    int stacked;    // adapters whose ranks stand side by side in a product
    int logits;     // rows of logits per row that is asked for
    double merged;  // adapters beside the parts', in multiples of all parts' together
    bool grams;     // the parts' Gram matrices, and one layer's sum of them
    bool dense;     // a copy of the maps that the parts adapt
} pr_mix_memory_t;

struct pr_mix {
    const char *name;           // "states"
    const char *formula;        // one line
    const char *help;           // one sentence or two
    const pr_option_t *options; // ends with a NULL key
    /* In how many blocks of layers parts have coefficients of their own, by its options. NULL: in one. */
    int (*blocks)(const json_t *options);
    bool
        one_adapter; // a policy is one PEFT adapter, exactly: it can be exported as one (with `kind`: where that says so)
    /* What becomes of the parts. NULL: PR_MIX_ADAPTER with merge, else PR_MIX_RUN. */
    pr_mix_kind_t (*kind)(const json_t *options);

    /* Can these options be, and with n parts, and with weights w [n] of them (one block's) where they are known (else
     * NULL; n = 0: not known either)? NULL: as the table says. Errors: PR_ERR_CONFIG. */
    pr_status_t (*check)(const json_t *options, int n, const double *w, pr_error_t *err);
    /* Of a mix that is run by adding adapters: w [n], one block's weights, become what they are multiplied by. NULL: the
     * weights. Those were checked. */
    void (*coefficients)(const json_t *options, int n, double *w);

    /* Fills in plan, which is all zero. NULL: it stays so. Errors: PR_ERR_CONFIG (options that do not fit the model).
     */
    pr_status_t (*plan)(const json_t *options, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err);
    /* out [width] of the rows r. Needed where split may be n_layer. */
    void (*combine)(const pr_mix_plan_t *plan, const pr_mix_rows_t *r, float *out);
    /* One adapter of the parts, to be run as `params` with weight 1. Collective on the team. The caller frees. NULL:
     * the mix is run. */
    pr_status_t (*merge)(const json_t *options, const pr_mix_parts_t *parts, pr_adapter_t **out, pr_error_t *err);
    /* One map's merged change in factors; who asked frees them, also after an error. */
    pr_status_t (*factors)(const json_t *options, const pr_mix_map_t *map, pr_mix_factors_t *out, pr_error_t *err);
    /* w [rows,cols], one map's weight, becomes the merged one. */
    pr_status_t (*change)(const json_t *options, const pr_mix_map_t *map, float *w, pr_error_t *err);
    /* Does change depend on the weight it starts from? NULL: it adds to it. */
    bool (*of_weights)(const json_t *options);
    /* Is a policy of one part of weight w exactly that part times *scale? Then that is run. NULL: never. */
    bool (*alone)(const json_t *options, double w, double *scale);
    /* Does the policy jump where a weight becomes 0? NULL: no. Who refines between points then looks at the jump. */
    bool (*jumps)(const json_t *options);
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
    /* Likewise: what mergekit is asked for the same model, a new reference to {"method": name, "base": is there a base
     * model?, "parameters": {...}, "weight": has each model one?, "each": {...} of every model}. w [n,blocks]. NULL, or
     * what it returns, where mergekit makes another one. */
    json_t *(*mergekit)(const json_t *options, int n, int blocks, const double *w);
};

/* ---- the registry ---- */

/* Every mix's line, in the order of help. */
#define PR_MIX_LIST(X)                                                                                                 \
    X(states)                                                                                                          \
    X(logits)                                                                                                          \
    X(probs)                                                                                                           \
    X(params)                                                                                                          \
    X(regmean)                                                                                                         \
    X(power)                                                                                                           \
    X(linear)                                                                                                          \
    X(ties)                                                                                                            \
    X(dare_linear)                                                                                                     \
    X(dare_ties)                                                                                                       \
    X(della)                                                                                                           \
    X(della_linear)                                                                                                    \
    X(breadcrumbs)                                                                                                     \
    X(breadcrumbs_ties)                                                                                                \
    X(multislerp)                                                                                                      \
    X(karcher)                                                                                                         \
    X(nuslerp)                                                                                                         \
    X(sce)                                                                                                             \
    X(ram)                                                                                                             \
    X(ramplus_tl)
#define PR_MIX_DECLARE(name) extern const pr_mix_t pr_mix_##name;
PR_MIX_LIST(PR_MIX_DECLARE)
#undef PR_MIX_DECLARE

/* All mixes; valid until one is added. */
const pr_mix_t *const *pr_mix_all(size_t *n);
/* Errors: PR_ERR_CONFIG, naming the nearest; PR_ERR_UNSUPPORTED for a method that others have and this program leaves
 * out, with the reason. */
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
/* What becomes of the parts, by the options, which are resolved. */
pr_mix_kind_t pr_mix_kind(const pr_mix_t *mix, const json_t *options);
/* Can the mix be of n parts with weights w [n,blocks] (NULL: not known)? Options may be NULL or lack some. Errors:
 * PR_ERR_CONFIG. */
pr_status_t pr_mix_check(const pr_mix_t *mix, const json_t *options, int n, int blocks, const double *w,
                         pr_error_t *err);
/* Of a mix that is run: w [n,blocks] become what parts are multiplied by. */
void pr_mix_coefficients(const pr_mix_t *mix, const json_t *options, int n, int blocks, double *w);
/* For check: PR_ERR_CONFIG where a weight is negative, which normalize has no meaning for. */
pr_status_t pr_mix_refuse_negative(int n, const double *w, pr_error_t *err);
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
