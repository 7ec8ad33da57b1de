// SPDX-License-Identifier: BSD-3-Clause
/* The rules of a training, as configurations and jobs say them in JSON: a combiner and a weighting rule, each its name or
 * {"type": name, options}. */
#ifndef PR_LEARN_RULES_H
#define PR_LEARN_RULES_H

#include "learn/combine.h"
#include "learn/weigh.h"

typedef struct pr_rules {
    const pr_combiner_t *combiner;
    const pr_weigher_t *weigher;
    json_t *combine_options, *weigh_options; // resolved
} pr_rules_t;

/* The rule that a value says; NULL: linear, fixed. Errors: PR_ERR_CONFIG. */
pr_status_t pr_rules_combiner(const json_t *value, const pr_combiner_t **out, pr_error_t *err);
pr_status_t pr_rules_weigher(const json_t *value, const pr_weigher_t **out, pr_error_t *err);
/* Both with their options, where they fit together. The caller clears *out, also after an error. Errors: PR_ERR_CONFIG. */
pr_status_t pr_rules_resolve(const json_t *combine, const json_t *weigh, pr_rules_t *out, pr_error_t *err);
void pr_rules_clear(pr_rules_t *r);
/* Do they fit k objectives of these ranges [k], turned so that larger is better? Errors: PR_ERR_CONFIG. */
pr_status_t pr_rules_fit(const pr_rules_t *r, int k, const double *lo, const double *hi, pr_error_t *err);

#endif
