// SPDX-License-Identifier: BSD-3-Clause
/* Exclusive hypervolume within the prompt's responses, as SMS-EMOA selects (Beume, Naujoks and Emmerich 2007).
 *
 * The reference is the declared lower end of an objective's range. Where that is infinite it is the group's least score
 * less a tenth of what the group spans, so that the response at the end still adds something. Volumes are taken in units
 * of the span from the reference to the group's best, and the reward is a share of the largest, as a volume alone shrinks
 * with the number of objectives until no algorithm sees it. */
#include "base/limits.h"
#include "base/mem.h"
#include "learn/combine.h"
#include "pareto/hv_estimate.h"
#include "pareto/hypervolume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Some hundredths of a second for one prompt; then the estimate, off by some hundredths of the largest, whose samples are a
 * function of the points. */
static const double EXACT_STEPS = 1e7, ESTIMATE_STEPS = 3e7;

/* points [n,m] in [0,1]; m counts objectives that have a weight and differ. */
static int scaled(const pr_score_group_t *g, double *points)
{
    int at[PR_MAX_OBJECTIVES], m = 0;
    double from[PR_MAX_OBJECTIVES], span[PR_MAX_OBJECTIVES];
    for (int j = 0; j < g->k; j++) {
        double least = INFINITY, most = -INFINITY;
        for (int i = 0; i < g->n; i++) {
            double s = g->score[(size_t)i * (size_t)g->k + (size_t)j];
            least = fmin(least, s);
            most = fmax(most, s);
        }
        if (!(g->w[j] > 0) || !(most > least))
            continue;
        at[m] = j;
        from[m] = isfinite(g->lo[j]) ? g->lo[j] : least - 0.1 * (most - least);
        span[m] = most - from[m];
        m++;
    }
    for (int i = 0; i < g->n; i++)
        for (int j = 0; j < m; j++)
            points[i * m + j] = (g->score[(size_t)i * (size_t)g->k + (size_t)at[j]] - from[j]) / span[j];
    return m;
}

static void reward(const pr_score_group_t *g, double *reward)
{
    static const double zero[PR_MAX_OBJECTIVES];
    size_t n = (size_t)g->n;
    double *points = pr_alloc(n * (size_t)g->k, sizeof *points), *error = pr_alloc(n, sizeof *error), most = 0;
    double steps = EXACT_STEPS;
    int m = scaled(g, points);
    memset(reward, 0, n * sizeof *reward);
    if (m && !pr_hypervolume_contributions_within(points, n, m, zero, &steps, reward))
        pr_hv_estimate_contributions(points, n, m, zero, ESTIMATE_STEPS, NULL, NULL, reward, error);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, reward[i]);
    for (size_t i = 0; i < n; i++)
        reward[i] = most > 0 ? reward[i] / most : 0;
    free(error);
    free(points);
}

static const pr_option_t options[] = {{0}};

const pr_combiner_t pr_combiner_hvc = {
    .name = "hvc",
    .formula = "the hypervolume that the response alone adds to its prompt's responses, over the largest of those",
    .help = "Credit for what no other response covers, as in SMS-EMOA; from the declared lower ends of the "
            "ranges, or a tenth below the prompt's least. Rewards a spread of responses, also to the same prompt. "
            "Two equal responses add nothing, however good they are. Of the weights only which are 0 matters. "
            "Estimated where exact volumes take too long: of dozens of responses in about ten objectives.",
    .options = options,
    .unweighted = true,
    .reward = reward};
