// SPDX-License-Identifier: BSD-3-Clause
/* `params`: the adapters' outputs are added by weight in every linear map (Wortsman et al. 2022, "Model soups";
 * Rame et al. 2023, "Rewarded soups"). */
#include "policy/mix.h"

static const pr_option_t options[] = {{0}};

const pr_mix_t pr_mix_params = {
    .name = "params",
    .formula = "W = W0 + sum w_k s_k B_k A_k",
    .help = "The weighted sum of the adapters. It is never written out: every linear map adds the adapters' outputs.",
    .options = options,
    .one_adapter = true,
};
