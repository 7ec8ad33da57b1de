// SPDX-License-Identifier: BSD-3-Clause
/* `states`: hidden states are combined, after the last layer or before that. */
#include "policy/mix.h"

#include <limits.h>
#include <string.h>

static const pr_option_t options[] = {
    {.key = "layer",
     .kind = PR_OPT_INT,
     .dflt = "-1",
     .min = -1,
     .max = INT_MAX,
     .help = "Layers that every part runs alone before the states are combined; -1: all."},
    {.key = "norm",
     .kind = PR_OPT_STRING,
     .dflt = "\"after\"",
     .choices = "after|before",
     .help = "At the last layer: combine after the final norm or before it."},
    {0},
};

static pr_status_t states_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    int layer = pr_option_int(o, "layer");
    if (layer > model->n_layer)
        return pr_fail(err, PR_ERR_CONFIG, "layer: found %d, expected -1 (the last) to %d", layer, model->n_layer);
    plan->split = layer < 0 ? model->n_layer : layer;
    plan->norm_behind = strcmp(pr_option_string(o, "norm"), "before") == 0;
    return PR_OK;
}

const pr_mix_t pr_mix_states = {
    .name = "states",
    .formula = "softmax(H sum w_k norm(z_k)); norm = before: softmax(H norm(sum w_k z_k)), z_k the state after the "
               "last layer",
    .help = "The weighted sum of the hidden states, through one head. With layer = l the states after the first l "
            "layers are averaged and the later layers run once, with the adapters added as in params.",
    .options = options,
    .plan = states_plan,
    .combine = pr_mix_sum,
    .python = pr_mix_sum_python,
};
