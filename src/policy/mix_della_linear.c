// SPDX-License-Identifier: BSD-3-Clause
/* `della_linear`: elements are left out at random, small ones sooner, then added (Deep et al. 2024, "DELLA-Merging"). */
#include "policy/mix_options.h"
#include "policy/prune.h"

static const pr_option_t options[] = {
    PR_MIX_DENSITY, PR_MIX_EPSILON, PR_MIX_SEED, PR_MIX_RESCALE, PR_MIX_NORMALIZE("false"),
    PR_MIX_LAMBDA,  PR_MIX_BLOCKS,  {0},
};

PR_PRUNE_FUNCTIONS(della_linear, PR_PRUNE_RANKED, false)

const pr_mix_t pr_mix_della_linear = {
    .name = "della_linear",
    .formula = "W = W0 + lambda sum w_k m_k D_k / p_k, p_k from density - epsilon to density + epsilon by the rank of "
               "|D_k| in its row",
    .help = "As dare_linear, but larger elements of a row have a larger chance to be kept.",
    .options = options,
    .blocks = pr_mix_option_blocks,
    .kind = pr_mix_kind_dense,
    .check = della_linear_check,
    .alone = della_linear_alone,
    .jumps = della_linear_jumps,
    .change = della_linear_change,
};
