// SPDX-License-Identifier: BSD-3-Clause
/* `params`: the adapters' outputs are added by weight in every linear map (Wortsman et al. 2022, "Model soups";
 * Rame et al. 2023, "Rewarded soups"), with other weights in each block of layers where they are asked for. */
#include "policy/mix.h"
#include "policy/spec.h"

static const pr_option_t options[] = {
    {.key = "blocks",
     .kind = PR_OPT_INT,
     .dflt = "1",
     .min = 1,
     .max = PR_MAX_BLOCKS,
     .incidental = true, // the coefficients say it
     .help = "Blocks of layers with weights of their own: a point then has a row of weights per block, which a search "
             "chooses (auto, random, list)."},
    {0},
};

static int params_blocks(const json_t *o)
{
    return pr_option_int(o, "blocks");
}

static pr_status_t params_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    (void)plan; // all zero
    if (params_blocks(o) > model->n_layer)
        return pr_fail(err, PR_ERR_CONFIG, "blocks: found %d, expected at most the model's %d layers", params_blocks(o),
                       model->n_layer);
    return PR_OK;
}

const pr_mix_t pr_mix_params = {
    .name = "params",
    .formula = "W = W0 + sum w_k s_k B_k A_k",
    .help = "The weighted sum of the adapters. It is never written out: every linear map adds the adapters' outputs.",
    .options = options,
    .plan = params_plan,
    .blocks = params_blocks,
    .one_adapter = true,
};
