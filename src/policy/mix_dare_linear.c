// SPDX-License-Identifier: BSD-3-Clause
/* `dare_linear`: elements are left out at random and the rest rescaled, then added (Yu et al. 2024, "DARE"). One mask
 * for all weights. */
#include "policy/mix_options.h"
#include "policy/prune.h"

static const pr_option_t options[] = {
    PR_MIX_DENSITY, PR_MIX_SEED,       PR_MIX_RESCALE, PR_MIX_NORMALIZE("false"),
    PR_MIX_LAMBDA,  PR_MIX_SPACE_CORE, PR_MIX_BLOCKS,  {0},
};

PR_PRUNE_FUNCTIONS(dare_linear, PR_PRUNE_CHANCE, false)

static pr_status_t dare_linear_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    return pr_core_space_factors(dare_linear_change, o, m, out, err);
}
const pr_mix_t pr_mix_dare_linear = {
    .name = "dare_linear",
    .formula = "W = W0 + lambda sum w_k m_k D_k / density, m_k 1 with chance density, else 0",
    .help = "The weighted sum of parts of which elements were left out at random, the others made larger for it.",
    .options = options,
    .blocks = pr_mix_option_blocks,
    .kind = pr_core_space_kind,
    .check = dare_linear_check,
    .alone = dare_linear_alone,
    .jumps = dare_linear_jumps,
    .change = dare_linear_change,
    .factors = dare_linear_factors,
};
