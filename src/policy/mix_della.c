// SPDX-License-Identifier: BSD-3-Clause
/* `della`: elements are left out at random, small ones sooner, then those of the elected sign added (Deep et al. 2024,
 * "DELLA-Merging"). */
#include "policy/mix_options.h"
#include "policy/prune.h"

static const pr_option_t options[] = {
    PR_MIX_DENSITY,           PR_MIX_EPSILON, PR_MIX_SEED,   PR_MIX_RESCALE,
    PR_MIX_NORMALIZE("true"), PR_MIX_LAMBDA,  PR_MIX_BLOCKS, {0},
};

PR_PRUNE_FUNCTIONS(della, PR_PRUNE_RANKED, true)

const pr_mix_t pr_mix_della = {
    .name = "della",
    .formula = "x_k = w_k m_k D_k / p_k, p_k from density - epsilon to density + epsilon by the rank of |D_k| in its "
               "row; W = W0 + lambda sum of the x_k with the sign of their sum, / their sum w",
    .help = "As dare_ties, but larger elements of a row have a larger chance to be kept.",
    .options = options,
    .blocks = pr_mix_option_blocks,
    .kind = pr_mix_kind_dense,
    .check = della_check,
    .alone = della_alone,
    .jumps = della_jumps,
    .change = della_change,
};
