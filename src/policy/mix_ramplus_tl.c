// SPDX-License-Identifier: BSD-3-Clause
/* `ramplus_tl`: `ram`, with an expert's own elements larger by what it shares of the tensor (policy/ram.h). */
#include "policy/mix_options.h"
#include "policy/ram.h"

static const pr_option_t options[] = {
    PR_MIX_RAM_EPSILON,
    {.key = "r", .kind = PR_OPT_REAL, .dflt = "0.1", .min = 0, .max = 100, .help = "How much larger per share."},
    {.key = "alpha",
     .kind = PR_OPT_REAL,
     .dflt = "0.2",
     .min = 0,
     .max = 100,
     .help = "The largest share that counts."},
    PR_MIX_BLOCKS,
    {0},
};

static pr_status_t ramplus_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    return pr_ram_change(o, pr_option_real(o, "r"), pr_option_real(o, "alpha"), m, w, err);
}

static json_t *ramplus_tl_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)n;
    (void)blocks;
    (void)w;
    return pr_ram_mergekit("ramplus_tl", o);
}

const pr_mix_t pr_mix_ramplus_tl = {
    .name = "ramplus_tl",
    .formula = "as ram, but an element that part k alone changes is (1 + r min(shared / alone, alpha)) D_k, the counts "
               "of its elements in the tensor",
    .help = "As ram, with what one part alone changes made larger. Weights say who takes part, and no more: it is one "
            "point, not a front.",
    .options = options,
    .mergekit = ramplus_tl_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_mix_kind_dense,
    .change = ramplus_change,
};
