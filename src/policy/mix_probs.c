// SPDX-License-Identifier: BSD-3-Clause
/* `probs`: the mean of the parts' distributions. */
#include "policy/mix.h"

#include "model/kernels.h"

#include <math.h>

static const pr_option_t options[] = {{0}};

static pr_status_t probs_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    (void)o;
    (void)err;
    plan->split = model->n_layer;
    plan->of_logits = true;
    plan->normalised = true;
    return PR_OK;
}

static void probs_combine(const pr_mix_plan_t *plan, const pr_mix_rows_t *r, float *out)
{
    (void)plan;
    for (int j = 0; j < r->n; j++) {
        float *x = r->x + (size_t)j * (size_t)r->width;
        pr_k_lse_t lse = pr_k_log_sum_exp(r->width, x, 1.0f, false);
        pr_k_softmax_scaled(r->width, 1.0f, lse.max, (float)log(lse.sum), (float)r->w[j], x);
        pr_k_axpby(r->width, 1.0f, x, j ? 1.0f : 0.0f, out);
    }
    for (int i = 0; i < r->width; i++)
        out[i] = logf(out[i]);
}

static const char *probs_python(const pr_mix_plan_t *plan, const pr_model_config_t *model)
{
    (void)plan, (void)model;
    return "torch.logsumexp(p + (w / w.sum()).log()[:, None, None], 0)";
}

const pr_mix_t pr_mix_probs = {
    .name = "probs",
    .formula = "sum (w_k / sum w) p_k",
    .help = "The weighted mean of the distributions, at the price of a head per part.",
    .options = options,
    .plan = probs_plan,
    .combine = probs_combine,
    .python = probs_python,
};
