// SPDX-License-Identifier: BSD-3-Clause
/* Meta-policy: one policy that is told the preference, a family of adapters trained over sampled ones (CLP: Wang et al.
 * 2024; Panacea: Zhong et al. 2024; Pareto hyper-networks: Navon et al. 2021). All points share the one training. */
#include "base/json.h"
#include "method/method.h"

pr_status_t pr_method_family_at(const pr_method_env_t *e, const pr_choice_t *at, pr_trains_t makes,
                                pr_policy_spec_t *out, pr_error_t *err)
{
    pr_training_wish_t wish = {.equal = true, .makes = makes};
    char id[PR_HASH_HEX];
    for (int k = 0; k < e->k; k++)
        wish.w[k] = 1.0 / e->k;
    out->mix = &pr_mix_params;
    PR_TRY(e->train(e->self, &wish, id, err));
    pr_policy_add(out, true, id, 1);
    out->condition = pr_json_reals(at->w, (size_t)e->k);
    return PR_OK;
}

static pr_status_t policy_at(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err)
{
    return pr_method_family_at(e, at, PR_TRAINS_FAMILY, out, err);
}

static bool trains(int k, const char *const *given)
{
    (void)k;
    (void)given;
    return true;
}

static const pr_option_t options[] = {{.key = NULL}};

const pr_method_t pr_method_conditioned = {
    .name = "conditioned",
    .formula = "one policy for all preferences: dW(w) = s B M(w) A, trained over sampled w",
    .help =
        "Trains one family of adapters, whose core (train.core) says what the preference does within it, on "
        "preferences "
        "that are drawn for every prompt (train.sample): conditional language policies, Panacea, hyper-networks. A new "
        "preference costs nothing. It climbs what train.weigh makes of each prompt's preference: fixed, chebyshev or "
        "stch. At one w its policy is a plain adapter.",
    .options = options,
    .core = "blocks",
    .policy_at = policy_at,
    .trains = trains};
