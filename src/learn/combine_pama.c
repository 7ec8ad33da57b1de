// SPDX-License-Identifier: BSD-3-Clause
/* PAMA (2025, arXiv 2508.07768), response by response. Negative advantages are set to 0 ("Noon PPO"), and the bound on
 * the norm of a common gradient is then least for the least advantage. One such number for a whole batch would push every
 * response alike, which in expectation moves nothing. */
#include "base/mem.h"
#include "learn/combine.h"

#include <math.h>
#include <stdlib.h>

static void advantages(const pr_score_group_t *g, double *advantage)
{
    double *z = pr_alloc((size_t)g->n * (size_t)g->k, sizeof *z);
    pr_combine_z(g, z);
    for (int i = 0; i < g->n; i++) {
        double least = INFINITY;
        for (int j = 0; j < g->k; j++)
            if (g->w[j] > 0)
                least = fmin(least, fmax(z[i * g->k + j], 0));
        advantage[i] = isfinite(least) ? least : 0;
    }
    free(z);
}

static const pr_option_t options[] = {{0}};

const pr_combiner_t pr_combiner_pama = {
    .name = "pama",
    .formula = "the least over objectives of z_k, or 0 where that is negative; z_k as mo_grpo's",
    .help = "PAMA (2025), per response. Learns from responses that are above the mean in every objective, and "
            "from nothing else: half of the signal or more is thrown away. Of the weights only which are 0 "
            "matters.",
    .options = options,
    .unweighted = true,
    .advantages = advantages};
