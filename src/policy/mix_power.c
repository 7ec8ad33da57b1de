// SPDX-License-Identifier: BSD-3-Clause
/* `power`: the power mean of the parts' distributions. For an f-divergence D_f(policy || base) the best mixture of policies
 * that were trained against it has f'(p / p_0) = sum w_k f'(p_k / p_0) (Shi et al. 2024, "Decoding-time language model
 * alignment with multiple objectives"): forward KL is exponent -1, the alpha divergence -alpha, reverse KL the limit 0. */
#include "policy/mix.h"

#include "model/kernels.h"

#include <math.h>

static const pr_option_t options[] = {
    {.key = "exponent",
     .kind = PR_OPT_REAL,
     .dflt = "0.0",
     .min = -20,
     .max = 20,
     .help =
         "1: the mean, as probs; 0: the geometric mean, the limit; -1: the harmonic mean. Less than 0 lets every part "
         "veto a token, more lets the surest part decide."},
    {0},
};

static pr_status_t power_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    (void)err;
    plan->split = model->n_layer;
    plan->of_logits = true;
    plan->normalised = true;
    plan->number[0] = pr_option_real(o, "exponent");
    return PR_OK;
}

/* Rows become log w_k + e log p_k, or for e = 0 w_k log p_k. */
static void weigh_rows(double e, const pr_mix_rows_t *r)
{
    for (int j = 0; j < r->n; j++) {
        float *x = r->x + (size_t)j * (size_t)r->width;
        pr_k_lse_t lse = pr_k_log_sum_exp(r->width, x, 1.0f, false);
        double constant = (double)lse.max + log(lse.sum), scale = e == 0 ? r->w[j] : e,
               more = e == 0 ? 0 : log(r->w[j]);
        for (int i = 0; i < r->width; i++)
            x[i] = (float)(more + scale * ((double)x[i] - constant));
    }
}

static void power_combine(const pr_mix_plan_t *plan, const pr_mix_rows_t *r, float *out)
{
    double e = plan->number[0];
    size_t width = (size_t)r->width;
    weigh_rows(e, r);
    for (size_t i = 0; i < width; i++) {
        float most = r->x[i], sum = 0;
        for (size_t j = 1; j < (size_t)r->n; j++)
            most = fmaxf(most, r->x[j * width + i]);
        for (size_t j = 0; j < (size_t)r->n; j++)
            sum += e == 0 ? r->x[j * width + i] : expf(r->x[j * width + i] - most);
        out[i] = e == 0 ? sum : (float)(((double)most + log((double)sum)) / e);
    }
}

const pr_mix_t pr_mix_power = {
    .name = "power",
    .formula = "(sum (w_k / sum w) p_k^e)^(1/e), normalised; e = 0: product of p_k^(w_k / sum w)",
    .help =
        "The power mean of the distributions, at the price of a head per part: what experts that were trained against "
        "another divergence than the reverse KL are combined by.",
    .options = options,
    .plan = power_plan,
    .combine = power_combine,
};
