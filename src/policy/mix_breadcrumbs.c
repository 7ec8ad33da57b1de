// SPDX-License-Identifier: BSD-3-Clause
/* `breadcrumbs`: outliers and small elements are left out, then the rest added (Davari and Belilovsky 2024, "Model
 * Breadcrumbs"). */
#include "policy/mix_options.h"
#include "policy/prune.h"

static const pr_option_t options[] = {
    PR_MIX_DENSITY, PR_MIX_GAMMA, PR_MIX_NORMALIZE("false"), PR_MIX_LAMBDA, PR_MIX_BLOCKS, {0},
};

PR_PRUNE_FUNCTIONS(breadcrumbs, PR_PRUNE_ENDS, false)

static json_t *breadcrumbs_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)n;
    (void)blocks;
    (void)w;
    return pr_prune_mergekit("breadcrumbs", o);
}

const pr_mix_t pr_mix_breadcrumbs = {
    .name = "breadcrumbs",
    .formula = "W = W0 + lambda sum w_k (D_k without its gamma largest and so many smallest that density are left)",
    .help = "The weighted sum of parts without their outliers and their smallest elements.",
    .options = options,
    .mergekit = breadcrumbs_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_mix_kind_dense,
    .check = breadcrumbs_check,
    .alone = breadcrumbs_alone,
    .jumps = breadcrumbs_jumps,
    .change = breadcrumbs_change,
};
