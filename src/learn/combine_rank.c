// SPDX-License-Identifier: BSD-3-Clause
/* Non-dominated ranking within the prompt's responses, as NSGA-II ranks its population (Goldberg 1989; Deb, Pratap,
 * Agarwal and Meyarivan 2002). */
#include "base/limits.h"
#include "base/mem.h"
#include "learn/combine.h"
#include "pareto/dominance.h"

#include <stdlib.h>

static void reward(const pr_score_group_t *g, double *reward)
{
    int at[PR_MAX_OBJECTIVES], m = 0;
    for (int j = 0; j < g->k; j++)
        if (g->w[j] > 0)
            at[m++] = j;
    size_t n = (size_t)g->n;
    double *points = pr_alloc(n * (size_t)(m ? m : 1), sizeof *points); // all zeros, and so equal, without objectives
    uint32_t *rank = pr_alloc(n, sizeof *rank);
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            points[i * (size_t)m + (size_t)j] = g->score[i * (size_t)g->k + (size_t)at[j]];
    uint32_t fronts = pr_nondominated_rank(points, n, m ? m : 1, rank);
    for (size_t i = 0; i < n; i++)
        reward[i] = 0.0 - (double)(rank[i] == PR_RANK_NONE ? fronts : rank[i]);
    free(rank);
    free(points);
}

static const pr_option_t options[] = {{0}};

const pr_combiner_t pr_combiner_rank = {
    .name = "rank",
    .formula = "minus the response's non-dominated rank among the prompt's responses, 0 for those that none "
               "dominates",
    .help = "Credit by dominance, as in NSGA-II. Needs no units and no weights: of those only which are 0 "
            "matters. With four objectives and more nearly no response dominates another, and there is nothing to "
            "learn from.",
    .options = options,
    .unweighted = true,
    .reward = reward};
