// SPDX-License-Identifier: BSD-3-Clause
/* The rules of a training, as configurations and jobs say them in JSON: an algorithm, a combiner and a weighting rule, each
 * its name or {"type": name, options}. */
#ifndef PR_LEARN_RULES_H
#define PR_LEARN_RULES_H

#include "learn/algorithm.h"
#include "learn/combine.h"
#include "learn/weigh.h"

typedef struct pr_rules {
    const pr_algorithm_t *algorithm;
    const pr_combiner_t *combiner;
    const pr_weigher_t *weigher;
    json_t *algorithm_options, *combine_options, *weigh_options; // resolved
} pr_rules_t;

/* The rule that a value says; NULL: linear, fixed. Errors: PR_ERR_CONFIG. */
pr_status_t pr_rules_combiner(const json_t *value, const pr_combiner_t **out, pr_error_t *err);
pr_status_t pr_rules_weigher(const json_t *value, const pr_weigher_t **out, pr_error_t *err);
/* All with their options, where they fit together; algorithm NULL: rloo. The caller clears *out, also after an error.
 * Errors: PR_ERR_CONFIG. */
pr_status_t pr_rules_resolve(const json_t *algorithm, const json_t *combine, const json_t *weigh, pr_rules_t *out,
                             pr_error_t *err);
void pr_rules_clear(pr_rules_t *r);
/* Do they fit what else a training is: the weight of its KL and how that is estimated, prompts per step? Errors:
 * PR_ERR_CONFIG. */
pr_status_t pr_rules_suit(const pr_rules_t *r, double kl, const char *kl_estimator, int prompts, pr_error_t *err);
/* Do they fit k objectives of these ranges [k], turned so that larger is better? Errors: PR_ERR_CONFIG. */
pr_status_t pr_rules_fit(const pr_rules_t *r, int k, const double *lo, const double *hi, pr_error_t *err);

#endif
