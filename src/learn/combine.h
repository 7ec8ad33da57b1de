// SPDX-License-Identifier: BSD-3-Clause
/* Combiners: how the scores of several objectives become the one reward that a step climbs. A structure each,
 * in a file combine_NAME.c or in combine.c, and a word of PR_COMBINER_LIST; who trains knows none by name.
 *
 *   linear  sum w_k s_k, s_k a score turned so that larger is better; of one objective with weight 1 its own score
 */
#ifndef PR_LEARN_COMBINE_H
#define PR_LEARN_COMBINE_H

#include "base/error.h"

#include <stddef.h>

typedef struct pr_combiner {
    const char *name;
    const char *formula; // one line
    /* reward [n] of score [n,k], turned, with weights w [k]. */
    void (*combine)(int n, int k, const double *score, const double *w, double *reward);
} pr_combiner_t;

/* Every combiner's word, in the order of help. */
#define PR_COMBINER_LIST(X) X(linear)
#define PR_COMBINER_DECLARE(name) extern const pr_combiner_t pr_combiner_##name;
PR_COMBINER_LIST(PR_COMBINER_DECLARE)
#undef PR_COMBINER_DECLARE

/* Errors: PR_ERR_CONFIG, naming them all. */
pr_status_t pr_combiner_find(const char *name, const pr_combiner_t **out, pr_error_t *err);

#endif
