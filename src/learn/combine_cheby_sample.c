// SPDX-License-Identifier: BSD-3-Clause
/* Chebyshev's scalarisation of the single response (Bowman 1976; Steuer and Choo 1983): the worst weighted gap to the
 * ideal, response by response. E min_k differs from min_k E: this climbs what one response is worth to a user who needs
 * every objective at once (ESR); learn/weigh_chebyshev.c climbs the gaps of the means (SER). */
#include "base/limits.h"
#include "learn/combine.h"
#include "learn/ideal.h"

#include <math.h>

static void reward(const pr_score_group_t *g, double *reward)
{
    double most[PR_MAX_OBJECTIVES], z[PR_MAX_OBJECTIVES];
    for (int j = 0; j < g->k; j++) {
        most[j] = g->score[j];
        for (int i = 1; i < g->n; i++)
            most[j] = fmax(most[j], g->score[(size_t)i * (size_t)g->k + (size_t)j]);
    }
    pr_ideal_option(g->k, g->hi, most, g->options, z);
    for (int i = 0; i < g->n; i++) {
        const double *s = g->score + (size_t)i * (size_t)g->k;
        double worst = -INFINITY;
        for (int j = 0; j < g->k; j++)
            if (g->w[j] > 0)
                worst = fmax(worst, g->w[j] * (z[j] - s[j]));
        reward[i] = worst > -INFINITY ? -worst : 0;
    }
}

static pr_status_t check(int k, const double *lo, const double *hi, const json_t *options, pr_error_t *err)
{
    (void)lo;
    return pr_ideal_option_check(k, hi, options, "ideal \"max\" or \"list\"", err);
}

static const pr_option_t options[] = {PR_IDEAL_OPTIONS("the best of the prompt's responses"), {0}};

const pr_combiner_t pr_combiner_cheby_sample = {
    .name = "cheby_sample",
    .formula = "minus the largest of w_k times (ideal_k - score of objective k)",
    .help = "Chebyshev's scalarisation of each response by itself. Where one response must be good in everything, "
            "and not only the mean over responses. It depends on units, and sees one objective of a response "
            "alone.",
    .options = options,
    .reward = reward,
    .check = check};
