// SPDX-License-Identifier: BSD-3-Clause
/* `ties`: of each expert the largest elements, then per element those of the elected sign (Yadav et al. 2023,
 * "TIES-Merging"; the weights before the election, as mergekit has them). */
#include "policy/mix_options.h"
#include "policy/prune.h"

static const pr_option_t options[] = {
    PR_MIX_DENSITY, PR_MIX_NORMALIZE("true"), PR_MIX_LAMBDA, PR_MIX_SPACE_CORE, PR_MIX_BLOCKS, {0},
};

PR_PRUNE_FUNCTIONS(ties, PR_PRUNE_SMALL, true)

static pr_status_t ties_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    return pr_core_space_factors(ties_change, o, m, out, err);
}
static json_t *ties_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)n;
    (void)blocks;
    (void)w;
    return pr_core_space_chosen(o) ? NULL : pr_prune_mergekit("ties", o);
}

const pr_mix_t pr_mix_ties = {
    .name = "ties",
    .formula =
        "x_k = w_k times the largest of D_k; W = W0 + lambda sum of the x_k with the sign of their sum, / their sum w",
    .help = "Of each part's change the largest elements, and of those the ones that have the sign of the weighted sum, "
            "divided by their weights. With normalize it jumps where a weight becomes 0.",
    .options = options,
    .mergekit = ties_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_core_space_kind,
    .check = ties_check,
    .alone = ties_alone,
    .jumps = ties_jumps,
    .change = ties_change,
    .factors = ties_factors,
};
