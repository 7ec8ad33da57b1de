// SPDX-License-Identifier: BSD-3-Clause
/* Weighting rules: with what weights lambda the objectives go into a step. A rule is pure: of the preference w, of what the
 * step and those before have found, and of its own state it makes the step's weights. It is one file weigh_NAME.c (rules
 * that are variants of each other share one) and a word of PR_WEIGHER_LIST; who trains knows none by name. Its state is in
 * the checkpoint, so that a training that is stopped and goes on is the same.
 *
 *   const pr_weigher_t *rule;
 *   PR_TRY(pr_weigher_find("stch", &rule, err));
 *   double *state = pr_alloc(rule->state(k, options), sizeof *state);
 *   rule->begin(&in, state);                  before the first step
 *   rule->weigh(&in, state, lambda);          in each: changes state
 *
 * All see objectives turned so that larger is better, and so are the numbers of their options: a threshold of a minimised
 * objective is its negative. What is not finite in the input is no news: an objective whose responses were all dropped
 * keeps what was last known of it, and lambda is the last finite one, at first w (equal, of a rule of its own).
 *
 * lambda is >= 0. A single objective of weight 1 has 1, but where the formula multiplies it: ctwa and drw_hv, rho in
 * chebyshev and stch, and cagrad without its `rescale`. An objective of weight 0 stays out, except in a rule of its own.
 * Ties go to the lowest index. Objectives in another order have the same weights in that order, but where a rule draws or
 * tries them in theirs: the bandits, round_robin, and pcgrad with more than two. */
#ifndef PR_LEARN_WEIGH_H
#define PR_LEARN_WEIGH_H

#include "base/error.h"
#include "base/rng.h"
#include "option/option.h"

#include <stdbool.h>
#include <stddef.h>

/* What a rule may know at a step. */
typedef struct pr_weigh_in {
    int k;              // objectives
    long step;          // 0 first
    const double *w;    // [k] the preference: >= 0
    const double *mean; // [k] mean scores of the step's responses
    /* [k,k] of the scores within prompts (of groups of two or more, with n - 1), averaged over prompts. */
    const double *covariance;
    /* [k,k] inner products of the objectives' gradients at this step; NULL where the rule does not ask for it. */
    const double *gram;
    const double *validation; // [k] mean scores on the validation prompts when they have just been evaluated, else NULL
    const double *lo, *hi;    // [k] ranges as declared; may be infinite
    const pr_rng_key_t *key;  // of the training; counters begin with the step
    const json_t *options;    // the rule's own, resolved
} pr_weigh_in_t;

typedef struct pr_weigher {
    const char *name;
    const char *formula;        // one line
    const char *help;           // one sentence or two: whose it is, when to take it, when it fails
    const pr_option_t *options; // ends with a NULL key
    bool own;                   // it does not follow a preference: w is taken to be equal, and points that differ in
                                // weights alone are one training
    bool gram;                  // asks for the gradients' inner products
    /* With these options, are its weights a function of the preference and the mean scores there alone, so that a policy
     * that is told its preference may be trained by it, each prompt by its own? NULL: no. */
    bool (*follows)(const json_t *options);
    bool validation; // asks for validation: every `every` steps (an option of its own), and before the first;
                     // weigh() sees it in the step that follows it
    /* Numbers of its state; NULL: none. */
    size_t (*state)(int k, const json_t *options);
    /* Of zeroed state. NULL: it stays zero. in->mean, covariance, gram and validation are NULL. */
    void (*begin)(const pr_weigh_in_t *in, double *state);
    /* lambda [k]. */
    void (*weigh)(const pr_weigh_in_t *in, double *state, double *lambda);
    /* Do the options fit k objectives of these turned ranges? NULL: always. Errors: PR_ERR_CONFIG "KEY: found X, expected
     * Y". */
    pr_status_t (*check)(int k, const double *lo, const double *hi, const json_t *options, pr_error_t *err);
} pr_weigher_t;

/* Every rule's word, in the order of help. */
// clang-format off
#define PR_WEIGHER_LIST(X) \
    X(fixed) X(chebyshev) X(stch) X(maxmin) X(lagrangian) X(drw_hv) X(drw_grad) X(ctwa) X(exp3) X(exp3_scaled) X(ucb1) \
    X(linucb) X(uniform) X(round_robin) X(mgda) X(pcgrad) X(cagrad) X(gradnorm)
// clang-format on
#define PR_WEIGHER_DECLARE(name) extern const pr_weigher_t pr_weigher_##name;
PR_WEIGHER_LIST(PR_WEIGHER_DECLARE)
#undef PR_WEIGHER_DECLARE

const pr_weigher_t *const *pr_weighers(size_t *n);
/* Errors: PR_ERR_CONFIG, naming the nearest. */
pr_status_t pr_weigher_find(const char *name, const pr_weigher_t **out, pr_error_t *err);
/* A rule of the caller's own, for as long as the process lives; before any thread. Errors: PR_ERR_CONFIG. */
pr_status_t pr_weigher_add(const pr_weigher_t *rule, pr_error_t *err);

#endif
