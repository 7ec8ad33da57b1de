// SPDX-License-Identifier: BSD-3-Clause
/* Bone soups (Xie et al. 2025, arXiv 2502.10762): one backbone per objective, trained for beta of that and equal shares of
 * the others, and combined in their parameters by the coefficients lambda whose mixture of the backbones' rewards is the one
 * asked for: B lambda = w, B_ki the share of objective k in backbone i. They may be negative. With beta = 1 backbones are
 * experts and lambda = w: rewarded soups. */
#include "method/method.h"

/* The share of each other objective; B = share + (beta - share) I. */
static double share_of(const pr_method_env_t *e, double beta)
{
    return e->k > 1 ? (1 - beta) / (e->k - 1) : 0;
}

static pr_status_t check(const pr_method_env_t *e, double beta, pr_error_t *err)
{
    if (e->k > 1 && !(beta * e->k > 1))
        return pr_fail(err, PR_ERR_CONFIG,
                       "method \"bone_soups\": beta: found %g, expected more than 1/%d, or no mixture of the backbones "
                       "favours an objective",
                       beta, e->k);
    if (e->weigher && e->weigher->own)
        return pr_fail(
            err, PR_ERR_CONFIG,
            "method \"bone_soups\": found weigh = \"%s\", which takes no preference; expected one that follows "
            "the backbones' weights",
            e->weigher->name);
    return PR_OK;
}

static pr_status_t policy_at(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err)
{
    double beta = e->k > 1 ? pr_option_real(e->options, "beta") : 1, share = share_of(e, beta), sum = 0;
    double scale = 1 / (1 - pr_option_real(e->options, "extrapolate"));
    PR_TRY(check(e, beta, err));
    out->mix = &pr_mix_params;
    for (int k = 0; k < e->k; k++)
        sum += at->w[k];
    for (int i = 0; i < e->k; i++) {
        pr_training_wish_t wish = {.w = {0}};
        char id[PR_HASH_HEX];
        double lambda = share > 0 ? (at->w[i] - share * sum) / (beta - share) : at->w[i];
        if (lambda == 0) // it is not run
            continue;
        for (int k = 0; k < e->k; k++)
            wish.w[k] = k == i ? beta : share;
        if (share == 0 && e->given[i]) { // an expert
            pr_policy_add(out, false, e->given[i], lambda * scale);
            continue;
        }
        PR_TRY(e->train(e->self, &wish, id, err));
        pr_policy_add(out, true, id, lambda * scale);
    }
    return PR_OK;
}

static bool trains(int k, const char *const *given)
{
    (void)k;
    (void)given; // backbones are not what objectives bring
    return true;
}

static const pr_option_t options[] = {
    {.key = "beta",
     .kind = PR_OPT_REAL,
     .dflt = "0.7",
     .min = 1e-3,
     .max = 1,
     .help = "the share of its own objective in a backbone's reward; the authors try 0.6, 0.7 and 0.8"},
    {.key = "extrapolate",
     .kind = PR_OPT_REAL,
     .dflt = "0",
     .min = 0,
     .max = 0.9,
     .help = "a: the merged change is multiplied by 1 / (1 - a), away from the base model; the authors choose it on a "
             "small "
             "set of prompts"},
    {.key = NULL}};

const pr_method_t pr_method_bone_soups = {
    .name = "bone_soups",
    .formula =
        "dW = sum_i lambda_i dW_i / (1 - a), B lambda = w, backbone i trained for beta r_i + (1 - beta)/(K - 1) sum of "
        "the others",
    .help =
        "Rewarded soups of backbones that are trained for mixed rewards (Xie et al. 2025); points have the "
        "coefficients "
        "whose mixture of the backbones' rewards is the one asked for, some of them negative. All points share the K "
        "trainings. beta = 1 is `experts` with mix `params`.",
    .options = options,
    .policy_at = policy_at,
    .trains = trains};
