// SPDX-License-Identifier: BSD-3-Clause
/* `ram`: the mean over those experts that change an element (policy/ram.h). */
#include "policy/mix_options.h"
#include "policy/ram.h"

static const pr_option_t options[] = {PR_MIX_RAM_EPSILON, PR_MIX_BLOCKS, {0}};

static pr_status_t ram_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    return pr_ram_change(o, 0, 0, m, w, err);
}

const pr_mix_t pr_mix_ram = {
    .name = "ram",
    .formula = "W = W0 + the mean of the D_k that are larger than epsilon",
    .help =
        "Element by element the mean over the parts that change it, for sparse changes. Weights say who takes part, "
        "and no more: it is one point, not a front.",
    .options = options,
    .blocks = pr_mix_option_blocks,
    .kind = pr_ram_kind,
    .change = ram_change,
};
