// SPDX-License-Identifier: BSD-3-Clause
#include "learn/combine.h"
#include "base/nearest.h"

#include <math.h>

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

/* One score's z. Scores that only differ by rounding are equal: their deviation would be that of the rounding. */
static void one_z(int n, int k, const double *score, double range, double *z)
{
    double least = score[0], most = score[0], sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        double s = score[(size_t)i * (size_t)k];
        least = fmin(least, s);
        most = fmax(most, s);
        sum += s;
    }
    double mean = sum / n;
    for (int i = 0; i < n; i++) {
        double d = score[(size_t)i * (size_t)k] - mean;
        squares += d * d;
    }
    bool equal = most - least <= 1e-12 * fmax(fabs(most), fabs(least));
    double std = sqrt(squares / (n - 1)) + (isfinite(range) ? 1e-4 * range : 0);
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)i * (size_t)k;
        z[at] = equal ? 0 : (score[at] - mean) / std;
    }
}

void pr_combine_z(const pr_score_group_t *g, double *z)
{
    for (int j = 0; j < g->k; j++)
        one_z(g->n, g->k, g->score + j, g->hi[j] - g->lo[j], z + j);
}
