// SPDX-License-Identifier: BSD-3-Clause
/* `linear`: the mean of the experts by weight, which a common factor of the weights does not change (Wortsman et al. 2022,
 * "Model soups"). */
#include "policy/mix_options.h"

#include <math.h>

static const pr_option_t options[] = {PR_MIX_BLOCKS, {0}};

static pr_status_t linear_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    (void)o;
    (void)model;
    (void)err;
    plan->signed_weights = true;
    return PR_OK;
}

static pr_status_t linear_check(const json_t *o, int n, const double *w, pr_error_t *err)
{
    double sum = 0, whole = 0;
    (void)o;
    for (int k = 0; w && k < n; k++) {
        sum += w[k];
        whole += fabs(w[k]);
    }
    if (w && whole > 0 && !(fabs(sum) > 1e-12 * whole))
        return pr_fail(err, PR_ERR_CONFIG, "linear: the weights' sum is 0, expected another, as it is divided by");
    return PR_OK;
}

static void linear_coefficients(const json_t *o, int n, double *w)
{
    double sum = 0;
    (void)o;
    for (int k = 0; k < n; k++)
        sum += w[k];
    for (int k = 0; k < n && sum != 0 && sum != 1; k++)
        w[k] /= sum;
}

static json_t *linear_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)o;
    (void)n;
    (void)blocks;
    (void)w;
    return json_pack("{s:s, s:b, s:{}, s:b, s:{}}", "method", "linear", "base", 0, "parameters", "weight", 1, "each");
}

const pr_mix_t pr_mix_linear = {
    .name = "linear",
    .formula = "W = W0 + sum w_k s_k B_k A_k / sum w",
    .help = "The weighted mean of the adapters: params with weights of sum 1.",
    .options = options,
    .mergekit = linear_mergekit,
    .plan = linear_plan,
    .blocks = pr_mix_option_blocks,
    .check = linear_check,
    .coefficients = linear_coefficients,
    .one_adapter = true,
};
