// SPDX-License-Identifier: BSD-3-Clause
/* `dare_ties`: elements are left out at random and the rest rescaled, then those of the elected sign added (Yu et al.
 * 2024, "DARE"). */
#include "policy/mix_options.h"
#include "policy/prune.h"

static const pr_option_t options[] = {
    PR_MIX_DENSITY, PR_MIX_SEED,       PR_MIX_RESCALE, PR_MIX_NORMALIZE("false"),
    PR_MIX_LAMBDA,  PR_MIX_SPACE_CORE, PR_MIX_BLOCKS,  {0},
};

PR_PRUNE_FUNCTIONS(dare_ties, PR_PRUNE_CHANCE, true)

static pr_status_t dare_ties_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    return pr_core_space_factors(dare_ties_change, o, m, out, err);
}
const pr_mix_t pr_mix_dare_ties = {
    .name = "dare_ties",
    .formula = "x_k = w_k m_k D_k / density; W = W0 + lambda sum of the x_k with the sign of their sum",
    .help = "As dare_linear, but of each element only the parts that have the sign of the weighted sum.",
    .options = options,
    .blocks = pr_mix_option_blocks,
    .kind = pr_core_space_kind,
    .check = dare_ties_check,
    .alone = dare_ties_alone,
    .jumps = dare_ties_jumps,
    .change = dare_ties_change,
    .factors = dare_ties_factors,
};
