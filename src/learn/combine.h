// SPDX-License-Identifier: BSD-3-Clause
/* Combiners: how the scores of several objectives become what a step climbs, group by group (the responses to one
 * prompt). A structure each, in a file combine_NAME.c (variants of each other share one), and a word of
 * PR_COMBINER_LIST; who trains knows none by name. All are pure.
 *
 * There are two kinds. One makes one reward per response, of which the algorithm makes advantages (learn/algorithm.h); one
 * makes advantages itself, as methods do that normalise objective by objective. Scores are turned so that larger is
 * better, weights are the step's (learn/weigh.h). An objective of weight 0 is none: whatever it scores changes nothing.
 *
 * z_k is a score less its group's mean, over the group's deviation (with n - 1) + 1e-4 of the declared range; where that
 * is infinite the deviation stands alone. So z does not change when a score and its range are multiplied, and is the
 * authors' for ranges of 0 to 1. Scores that are all equal have z = 0.
 *
 *   linear        sum of w_k s_k; of one objective with weight 1 its own score
 *   cheby_sample  minus the largest w_k (ideal_k - s_k)
 *   rank          minus the response's rank in its group: how many layers of non-dominated responses lie before it
 *   hvc           the hypervolume that only the response adds to its group's, over the largest such of the group
 *   mo_grpo       sum of w_k z_k                                                   an advantage, as are those below
 *   gdpo          the same, whitened over the step
 *   rvpo          soft minimum of z_k with weights w_k
 *   pama          the least of max(z_k, 0)
 */
#ifndef PR_LEARN_COMBINE_H
#define PR_LEARN_COMBINE_H

#include "base/error.h"
#include "option/option.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_score_group {
    int n, k;              // responses to one prompt; objectives
    const double *score;   // [n,k] turned
    const double *w;       // [k] weights of the step: >= 0
    const double *lo, *hi; // [k] turned ranges as declared; may be infinite
    const json_t *options; // the combiner's own, resolved
} pr_score_group_t;

typedef struct pr_combiner {
    const char *name;
    const char *formula;        // one line
    const char *help;           // one sentence or two: whose it is, when to take it, when it fails
    const pr_option_t *options; // ends with a NULL key
    bool unweighted;            // of the weights only which are 0 matters
    /* One of these two. reward [n]; advantage [n], n > 1. */
    void (*reward)(const pr_score_group_t *g, double *reward);
    void (*advantages)(const pr_score_group_t *g, double *advantage);
    /* Over the advantages [n] of a whole step, of the responses that are not alone in their group. NULL: stay so. */
    void (*whole_step)(int n, double *advantage);
    /* Do the options fit k objectives of these turned ranges? NULL: always. Errors: PR_ERR_CONFIG "KEY: found X, expected
     * Y". */
    pr_status_t (*check)(int k, const double *lo, const double *hi, const json_t *options, pr_error_t *err);
} pr_combiner_t;

/* Every combiner's word, in the order of help. */
#define PR_COMBINER_LIST(X) X(linear) X(cheby_sample) X(rank) X(hvc) X(mo_grpo) X(gdpo) X(rvpo) X(pama)
#define PR_COMBINER_DECLARE(name) extern const pr_combiner_t pr_combiner_##name;
PR_COMBINER_LIST(PR_COMBINER_DECLARE)
#undef PR_COMBINER_DECLARE

const pr_combiner_t *const *pr_combiners(size_t *n);
/* Errors: PR_ERR_CONFIG, naming them all. */
pr_status_t pr_combiner_find(const char *name, const pr_combiner_t **out, pr_error_t *err);

/* For combiners: z [n,k] of a group, n > 1. */
void pr_combine_z(const pr_score_group_t *g, double *z);

#endif
