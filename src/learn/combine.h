// SPDX-License-Identifier: BSD-3-Clause
/* Combiners: how the scores of several objectives become what a step climbs, group by group (the responses to one
 * prompt). A structure each, in a file combine_NAME.c, and a word of PR_COMBINER_LIST; who trains knows none by name.
 *
 * There are two kinds. One makes one reward per response, of which the algorithm makes advantages (learn/algorithm.h); one
 * makes advantages itself, as methods do that normalise objective by objective. Scores are turned so that larger is
 * better, weights are the step's (learn/weigh.h). z_k is a score less its group's mean, over the group's deviation
 * (with n - 1) + 1e-4.
 *
 *   linear     sum w_k s_k; of one objective with weight 1 its own score
 *   cheby_sample, rank, hvc                  rewards of each response among the others
 *   mo_grpo, gdpo, rvpo, pama                advantages
 */
#ifndef PR_LEARN_COMBINE_H
#define PR_LEARN_COMBINE_H

#include "base/error.h"
#include "option/option.h"

#include <stddef.h>

typedef struct pr_score_group {
    int n, k;              // responses to one prompt; objectives
    const double *score;   // [n,k] turned
    const double *w;       // [k] weights of the step
    const double *lo, *hi; // [k] turned ranges as declared; may be infinite
    const json_t *options; // the combiner's own, resolved
} pr_score_group_t;

typedef struct pr_combiner {
    const char *name;
    const char *formula;        // one line
    const char *help;           // one sentence or two: whose it is, when to take it, when it fails
    const pr_option_t *options; // ends with a NULL key
    /* One of these two. reward [n]; advantage [n], n > 1. */
    void (*reward)(const pr_score_group_t *g, double *reward);
    void (*advantages)(const pr_score_group_t *g, double *advantage);
    /* Over the advantages [n] of a whole step, of the responses that are not alone in their group. NULL: stay so. */
    void (*whole_step)(int n, double *advantage);
} pr_combiner_t;

/* Every combiner's word, in the order of help. */
#define PR_COMBINER_LIST(X) X(linear)
#define PR_COMBINER_DECLARE(name) extern const pr_combiner_t pr_combiner_##name;
PR_COMBINER_LIST(PR_COMBINER_DECLARE)
#undef PR_COMBINER_DECLARE

const pr_combiner_t *const *pr_combiners(size_t *n);
/* Errors: PR_ERR_CONFIG, naming them all. */
pr_status_t pr_combiner_find(const char *name, const pr_combiner_t **out, pr_error_t *err);

#endif
