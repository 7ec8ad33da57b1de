// SPDX-License-Identifier: BSD-3-Clause
/* Bi-level: the experts of all objectives (the inner level) are made one family, which at w is their weighted sum, as in
 * `params`; then it is trained over sampled preferences (the outer level). With no steps it is `params`. It is this
 * engine's own, after Kong et al. 2025 (arXiv 2509.21613), who call for meta-policies that start where experts end. */
#include "method/method.h"

static pr_status_t policy_at(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err)
{
    return pr_method_family_at(e, at, PR_TRAINS_MADE, out, err);
}

static bool trains(int k, const char *const *given)
{
    (void)k;
    (void)given;
    return true;
}

static const pr_option_t options[] = {{.key = NULL}};

const pr_method_t pr_method_meta_soup = {
    .name = "meta_soup",
    .formula = "dW(w) = sum_k w_k dW_k of the experts, then trained as `conditioned` is",
    .help = "Starts where rewarded soups end: the experts that `finetune` trains, or that objectives bring, become one "
            "family "
            "of adapters, which is trained over sampled preferences as policies[].train says; with steps = 0 it is "
            "`params`. "
            "Smooth Chebyshev (train.weigh = \"stch\") spreads it over flat fronts. Costs the experts, which other "
            "policies of the sweep share, and one training more.",
    .options = options,
    .core = "full",
    .policy_at = policy_at,
    .trains = trains};
