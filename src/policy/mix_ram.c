// SPDX-License-Identifier: BSD-3-Clause
/* `ram`: the mean over those experts that change an element (policy/ram.h). */
#include "policy/mix_options.h"
#include "policy/ram.h"

static const pr_option_t options[] = {PR_MIX_RAM_EPSILON, PR_MIX_BLOCKS, {0}};

static pr_status_t ram_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    return pr_ram_change(o, 0, 0, m, w, err);
}

/* Its threshold is no share of the tensor's size. */
static json_t *ram_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)n;
    (void)blocks;
    (void)w;
    if (!pr_option_given(o, "epsilon"))
        return NULL;
    return json_pack("{s:s, s:b, s:{s:O, s:O*, s:O*}, s:b, s:{}}", "method", "ram", "base", 1, "parameters", "epsilon",
                     json_object_get(o, "epsilon"), "r", json_object_get(o, "r"), "alpha", json_object_get(o, "alpha"),
                     "weight", 0, "each");
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
    .kind = pr_ram_kind,
    .change = ram_change,
};
