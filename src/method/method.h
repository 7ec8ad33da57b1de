// SPDX-License-Identifier: BSD-3-Clause
/* Methods: what policy a point stands for, and which trainings it needs. A method is one file, one word of
 * PR_METHOD_LIST, and a pure function: it asks for trainings by what they are of, and is told which job makes each; who
 * else asks for the same gets the same job. */
#ifndef PR_METHOD_METHOD_H
#define PR_METHOD_METHOD_H

#include "base/limits.h"
#include "learn/combine.h"
#include "learn/weigh.h"
#include "option/option.h"
#include "policy/spec.h"

/* What a search chooses: one or more rows of weights (a row per block of layers), and values of the mix's parameters by
 * name. */
typedef struct pr_choice {
    int k, rows;
    const double *w;      // [rows,k], >= 0
    const json_t *params; // object of values; NULL: none
} pr_choice_t;

/* What a training makes. */
typedef enum {
    PR_TRAINS_ADAPTER,
    PR_TRAINS_FAMILY, // an adapter for every preference, which it is told (family/family.h)
    PR_TRAINS_MADE,   // the same, made of the experts, one per objective, that are given or by the sweep's own settings
    PR_FITS_ROUTE // no training: which mix of the experts, that are given or by the policy's settings, suits a prompt
} pr_trains_t;

/* A training that a method asks for: the adapter of one reward, or a family. */
typedef struct pr_training_wish {
    double w[PR_MAX_OBJECTIVES]; // of each objective in the reward; 0: it has no part
    bool equal;                  // they are all equal because nothing depends on what they are
    pr_trains_t makes;
} pr_training_wish_t;

/* The expert of one objective. */
static inline pr_training_wish_t pr_wish_expert(int k)
{
    pr_training_wish_t wish = {.w = {0}};
    wish.w[k] = 1;
    return wish;
}

/* What a method may know. */
typedef struct pr_method_env {
    int k;                               // objectives
    const char *const *given;            // [k] content hash of the adapter that an objective brings, or NULL
    const pr_mix_t *mix;                 // of the policy's configuration
    const json_t *mix_options, *options; // resolved, of the mix (at a point: pr_method_mix_options) and of the method
    const pr_weigher_t *weigher;         // of its trainings (learn/weigh.h); NULL: fixed
    const pr_combiner_t *combiner;       // of them (learn/combine.h); NULL: linear
    /* The identity of the job that makes the adapter of a training, under the seed in question. */
    pr_status_t (*train)(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX], pr_error_t *err);
    void *self;
} pr_method_env_t;

typedef struct pr_method {
    const char *name;
    const char *formula;        // one line
    const char *help;           // one sentence or two
    const pr_option_t *options; // ends with a NULL key
    bool mixes;                 // its policies have several parts, so that `mix` says something
    const char *core;           // its trainings are families, of this core unless they say another; NULL: adapters
    bool per_point;             // each point is a training of its own, where the weighting rule follows the preference
    /* The policy of a point; the caller clears out, also after an error. */
    pr_status_t (*policy_at)(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err);
    /* Does it train anything, with these objectives' adapters given? */
    bool (*trains)(int k, const char *const *given);
} pr_method_t;

/* All, in order of help. */
const pr_method_t *const *pr_methods(size_t *n);
/* Errors: PR_ERR_CONFIG, naming the nearest. */
pr_status_t pr_method_find(const char *name, const pr_method_t **out, pr_error_t *err);
/* A method of the caller's own, for as long as the process lives; before any thread. Errors: PR_ERR_CONFIG (the name is
 * taken, or there are too many). */
pr_status_t pr_method_add(const pr_method_t *method, pr_error_t *err);

/* For methods: appends a part; with a coefficient [blocks] per block of layers. */
void pr_policy_add(pr_policy_spec_t *spec, bool job, const char *source, double coefficient);
void pr_policy_add_blocks(pr_policy_spec_t *spec, bool job, const char *source, int blocks, const double *coefficient);
/* For methods: appends the experts at coefficients w [k], those of 0 left out unless all is set; trained where they are
 * not given. */
pr_status_t pr_method_add_experts(const pr_method_env_t *e, int rows, const double *w, bool all, pr_policy_spec_t *out,
                                  pr_error_t *err);
/* For methods: the policy of a family at the point's first row of weights, which it is told. */
pr_status_t pr_method_family_at(const pr_method_env_t *e, const pr_choice_t *at, pr_trains_t makes,
                                pr_policy_spec_t *out, pr_error_t *err);
/* For methods: the mix's options at a point. New reference. */
json_t *pr_method_mix_options(const pr_method_env_t *e, const pr_choice_t *at);

/* Every method's word, in the order of help. */
#define PR_METHOD_LIST(X) X(experts) X(single) X(conditioned) X(meta_soup) X(bone_soups) X(bandit)
#define PR_METHOD_DECLARE(name) extern const pr_method_t pr_method_##name;
PR_METHOD_LIST(PR_METHOD_DECLARE)
#undef PR_METHOD_DECLARE
/* What the registry says of itself, as a page in Markdown. The caller frees. */
char *pr_method_page(void);

#endif
