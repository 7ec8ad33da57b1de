// SPDX-License-Identifier: BSD-3-Clause
/* Normalisation objective by objective and then the sum: MO-GRPO (Ichihara et al. 2025, arXiv 2509.22047), and with the
 * whitening of a whole batch behind it GDPO (Liu et al. 2026, arXiv 2601.05242). */
#include "base/mem.h"
#include "learn/algorithm.h"
#include "learn/combine.h"

#include <stdlib.h>

static void advantages(const pr_score_group_t *g, double *advantage)
{
    double *z = pr_alloc((size_t)g->n * (size_t)g->k, sizeof *z);
    pr_combine_z(g, z);
    for (int i = 0; i < g->n; i++) {
        advantage[i] = 0;
        for (int j = 0; j < g->k; j++)
            if (g->w[j] != 0)
                advantage[i] += g->w[j] * z[i * g->k + j];
    }
    free(z);
}

static void whiten(int n, double *advantage)
{
    double mean, std;
    if (n < 2)
        return;
    pr_group_moments(n, advantage, &mean, &std);
    for (int i = 0; i < n; i++)
        advantage[i] = (advantage[i] - mean) / (std + 1e-4);
}

static const pr_option_t options[] = {{0}};

const pr_combiner_t pr_combiner_mo_grpo = {
    .name = "mo_grpo",
    .formula = "sum of w_k times objective k's score less the prompt's mean, over the prompt's deviation",
    .help = "MO-GRPO (Ichihara et al. 2025). Where objectives have different units or variances: with grpo alone "
            "the one that varies most decides. Weights are shares of deviations. An objective that nearly never "
            "differs has its noise made large.",
    .options = options,
    .advantages = advantages};

const pr_combiner_t pr_combiner_gdpo = {
    .name = "gdpo",
    .formula = "mo_grpo's advantages, less their mean and over their deviation in the whole step",
    .help = "GDPO (Liu et al. 2026). mo_grpo with steps of one size whatever the number of objectives. Fails as "
            "mo_grpo does; prompts on which nothing differs make the steps on the others larger.",
    .options = options,
    .advantages = advantages,
    .whole_step = whiten};
