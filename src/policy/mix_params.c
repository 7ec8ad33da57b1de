// SPDX-License-Identifier: BSD-3-Clause
/* `params`: the adapters' outputs are added by weight in every linear map (Wortsman et al. 2022, "Model soups";
 * Rame et al. 2023, "Rewarded soups"), with other weights in each block of layers where they are asked for. */
#include "base/mem.h"
#include "model/adapter_parts.h"
#include "policy/mix_options.h"

static const pr_option_t options[] = {
    PR_MIX_BLOCKS,
    {.key = "lambda", // without a default that is written: it was always 1
     .kind = PR_OPT_REAL,
     .dflt = "",
     .min = -PR_MIX_MOST_LAMBDA,
     .max = PR_MIX_MOST_LAMBDA,
     .help = "What the sum is multiplied by. Default: 1."},
    {.key = "normalize", .kind = PR_OPT_BOOL, .dflt = "", .help = "Divide by the sum of the weights. Default: false."},
    {.key = "rank",
     .kind = PR_OPT_INT,
     .dflt = "",
     .min = 1,
     .max = PR_MAX_LORA_RANK,
     .help = "Keep only the largest singular values of each map's sum, so many. Default: all, which is exact."},
    {0},
};

static bool params_normalized(const json_t *o)
{
    return pr_option_given(o, "normalize") && pr_option_bool(o, "normalize");
}

static pr_status_t params_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    (void)o;
    (void)model;
    (void)err;
    plan->signed_weights = true;
    return PR_OK;
}

static pr_mix_kind_t params_kind(const json_t *o)
{
    return pr_option_given(o, "rank") ? PR_MIX_ADAPTER : PR_MIX_RUN;
}

static pr_status_t params_check(const json_t *o, int n, const double *w, pr_error_t *err)
{
    return w && params_normalized(o) ? pr_mix_refuse_negative(n, w, err) : PR_OK;
}

static void params_coefficients(const json_t *o, int n, double *w)
{
    double scale = pr_option_given(o, "lambda") ? pr_option_real(o, "lambda") : 1, sum = 0;
    for (int k = 0; k < n; k++)
        sum += w[k];
    if (params_normalized(o) && sum != 0)
        scale /= sum;
    for (int k = 0; k < n && scale != 1; k++)
        w[k] *= scale;
}

static pr_status_t params_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    double *c = pr_alloc((size_t)m->n, sizeof *c);
    pr_mix_factors_t sum = {.r = 0};
    pr_rank_loss_t loss;
    for (int k = 0; k < m->n; k++)
        c[k] = m->part[k].w;
    params_coefficients(o, m->n, c);
    pr_status_t status = pr_mix_sum_factors(m, c, &sum, err);
    int r = pr_option_int(o, "rank");
    *out = sum;
    if (status != PR_OK || sum.r <= r)
        goto done;
    *out = (pr_mix_factors_t){.r = r};
    out->left = pr_alloc_matrix((size_t)m->rows * (size_t)r, sizeof(float));
    out->right = pr_alloc_matrix((size_t)r * (size_t)m->cols, sizeof(float));
    pr_lora_t whole = {.r = sum.r, .scale = 1, .a = sum.right, .b = sum.left},
              part = {.r = r, .scale = 1, .a = out->right, .b = out->left};
    if (!out->left || !out->right)
        status = pr_mix_no_memory(m, err);
    else if (!pr_lora_truncate(&whole, m->rows, m->cols, &part, &loss))
        status = pr_fail(err, PR_ERR_NUMERIC, "tensor '%s': the singular values of the sum were not found", m->name);
    free(sum.left);
    free(sum.right);
done:
    free(c);
    return status;
}

static json_t *params_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)n;
    (void)blocks;
    (void)w;
    if (pr_option_given(o, "rank"))
        return NULL;
    return json_pack("{s:s, s:b, s:{s:b, s:O*}, s:b, s:{}}", "method", "task_arithmetic", "base", 1, "parameters",
                     "normalize", params_normalized(o), "lambda", json_object_get(o, "lambda"), "weight", 1, "each");
}

const pr_mix_t pr_mix_params = {
    .name = "params",
    .formula = "W = W0 + lambda sum w_k s_k B_k A_k; normalize: / sum w",
    .help = "The weighted sum of the adapters (task arithmetic). It is never written out: every linear map adds the "
            "adapters' outputs. Weights may be negative.",
    .options = options,
    .mergekit = params_mergekit,
    .plan = params_plan,
    .blocks = pr_mix_option_blocks,
    .kind = params_kind,
    .check = params_check,
    .coefficients = params_coefficients,
    .factors = params_factors,
    .one_adapter = true,
};
