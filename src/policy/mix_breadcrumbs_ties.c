// SPDX-License-Identifier: BSD-3-Clause
/* `breadcrumbs_ties`: outliers and small elements are left out, then the rest of the elected sign added (Davari and
 * Belilovsky 2024; Yadav et al. 2023). */
#include "policy/mix_options.h"
#include "policy/prune.h"

static const pr_option_t options[] = {
    PR_MIX_DENSITY, PR_MIX_GAMMA, PR_MIX_NORMALIZE("false"), PR_MIX_LAMBDA, PR_MIX_BLOCKS, {0},
};

PR_PRUNE_FUNCTIONS(breadcrumbs_ties, PR_PRUNE_ENDS, true)

static json_t *breadcrumbs_ties_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)n;
    (void)blocks;
    (void)w;
    return pr_prune_mergekit("breadcrumbs_ties", o);
}

const pr_mix_t pr_mix_breadcrumbs_ties = {
    .name = "breadcrumbs_ties",
    .formula = "x_k = w_k (D_k without its gamma largest and so many smallest that density are left); W = W0 + lambda "
               "sum of the x_k with the sign of their sum",
    .help = "As breadcrumbs, but of each element only the parts that have the sign of the weighted sum.",
    .options = options,
    .mergekit = breadcrumbs_ties_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_mix_kind_dense,
    .check = breadcrumbs_ties_check,
    .alone = breadcrumbs_ties_alone,
    .jumps = breadcrumbs_ties_jumps,
    .change = breadcrumbs_ties_change,
};
