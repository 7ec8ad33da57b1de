// SPDX-License-Identifier: BSD-3-Clause
#include "learn/combine.h"
#include "base/nearest.h"

static void linear_reward(const pr_score_group_t *g, double *reward)
{
    for (int i = 0; i < g->n; i++) {
        const double *s = g->score + (size_t)i * (size_t)g->k;
        reward[i] = g->w[0] * s[0]; // nothing is added to one score alone
        for (int j = 1; j < g->k; j++)
            reward[i] += g->w[j] * s[j];
    }
}

static const pr_option_t linear_options[] = {{0}};

const pr_combiner_t pr_combiner_linear = {.name = "linear",
                                          .formula = "sum of w_k times the score of objective k",
                                          .help = "One reward, of which the algorithm makes advantages. With grpo the "
                                                  "objective that varies most within a prompt has most to say.",
                                          .options = linear_options,
                                          .reward = linear_reward};

#define COMBINER(name) &pr_combiner_##name,
static const pr_combiner_t *const combiners[] = {PR_COMBINER_LIST(COMBINER)};

const pr_combiner_t *const *pr_combiners(size_t *n)
{
    *n = sizeof combiners / sizeof *combiners;
    return combiners;
}

pr_status_t pr_combiner_find(const char *name, const pr_combiner_t **out, pr_error_t *err)
{
    enum { N = sizeof combiners / sizeof *combiners };
    const char *names[N];
    size_t index;
    for (size_t i = 0; i < N; i++)
        names[i] = combiners[i]->name;
    PR_TRY(pr_find_name("combiner", name, names, N, &index, err));
    *out = combiners[index];
    return PR_OK;
}
