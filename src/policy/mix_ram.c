// SPDX-License-Identifier: BSD-3-Clause
/* `ram`: the mean over those experts that change an element (policy/ram.h). */
#include "policy/mix_options.h"
#include "policy/ram.h"

static const pr_option_t options[] = {PR_MIX_RAM_EPSILON, PR_MIX_BLOCKS, {0}};

static pr_status_t ram_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    return pr_ram_change(o, 0, 0, m, w, err);
}

static json_t *ram_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)n;
    (void)blocks;
    (void)w;
    return pr_ram_mergekit("ram", o);
}

const pr_mix_t pr_mix_ram = {
    .name = "ram",
    .formula = "W = W0 + the mean of the D_k that are larger than epsilon",
    .help =
        "Element by element the mean over the parts that change it, for sparse changes. Weights say who takes part, "
        "and no more: it is one point, not a front.",
    .options = options,
    .mergekit = ram_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_mix_kind_dense,
    .change = ram_change,
};
