// SPDX-License-Identifier: BSD-3-Clause
/* Conditional language policies (Wang et al. 2024, arXiv 2407.15762, CLP): parameters of each objective's own, averaged
 * by w, and parameters that all share, trained together over sampled w. Here a set of an objective's own is a block of
 * ranks; maps that are not conditioned have shared ranks alone, as in the paper's attention-only form. */
#include "family/core.h"

#include <string.h>

/* Does the module's name end so, behind a dot? */
static bool ends_with(const char *module, const char *end)
{
    size_t n = strlen(module), m = strlen(end);
    return m > 0 && m <= n && strcmp(module + n - m, end) == 0 && (m == n || module[n - m - 1] == '.');
}

static void ranks(int r, const char *module, const json_t *options, int *block, int *shared)
{
    const json_t *maps = json_object_get(options, "maps");
    bool follows = json_array_size(maps) == 0;
    for (size_t i = 0; i < json_array_size(maps); i++)
        follows = follows || ends_with(module, json_string_value(json_array_get(maps, i)));
    *block = follows ? r : 0;
    *shared = follows ? pr_option_int(options, "shared") : r;
}

static void at(const pr_core_map_t *m, const float *core, const double *w, double *out)
{
    (void)core;
    for (int j = 0; j < pr_core_ranks(m); j++)
        out[j] = pr_core_base(m, j, w);
}

static const pr_option_t options[] = {
    {.key = "shared",
     .kind = PR_OPT_INT,
     .dflt = "0",
     .min = 0,
     .max = 4096,
     .help = "ranks that all preferences share, beside lora.r of each objective"},
    {.key = "maps",
     .kind = PR_OPT_STRINGS,
     .dflt = "",
     .help =
         "the linear maps that follow the preference, by the ends of their names (\"q_proj\"); the others have lora.r "
         "shared ranks. Default: all of them. Attention's alone is the paper's attention-only form"},
    {0}};

const pr_core_t pr_core_blocks = {
    .name = "blocks",
    .formula = "M(w) = w_k on the ranks of objective k, 1 on shared ones",
    .help = "Ranks of each objective's own, averaged by w, as `params` averages experts, but trained together (CLP: "
            "Wang et "
            "al. 2024). The claim to beat among conditioned policies. Corners lose to experts where their preferences "
            "are rarely drawn: sample.corners.",
    .options = options,
    .diagonal = true,
    .alike = true,
    .ranks = ranks,
    .at = at};
