// SPDX-License-Identifier: BSD-3-Clause
/* RVPO, reward-variance policy optimisation (Montero, Jurczyk and Dhingra 2026, arXiv 2605.05750): a soft minimum of the
 * objectives' advantages, whose expansion is their mean less their variance over twice the temperature. The paper's k is
 * 1 over the temperature here. */
#include "base/mem.h"
#include "learn/combine.h"

#include <math.h>
#include <stdlib.h>

/* Weights that do not sum to one scale the advantage as they do in mo_grpo. */
static double soft_minimum(int k, const double *w, const double *z, double temperature)
{
    double least = INFINITY, most = -INFINITY, sum = 0, total = 0;
    for (int j = 0; j < k; j++)
        if (w[j] > 0) {
            least = fmin(least, z[j]);
            most = fmax(most, z[j]);
            total += w[j];
        }
    if (total == 0)
        return 0;
    if (least == most) // to the digit, whatever the shares sum to
        return total * least;
    for (int j = 0; j < k; j++)
        if (w[j] > 0)
            sum += w[j] / total * exp((least - z[j]) / temperature);
    return total * (least - temperature * log(sum));
}

static void advantages(const pr_score_group_t *g, double *advantage)
{
    double *z = pr_alloc((size_t)g->n * (size_t)g->k, sizeof *z);
    double temperature = pr_option_real(g->options, "temperature");
    pr_combine_z(g, z);
    for (int i = 0; i < g->n; i++)
        advantage[i] = soft_minimum(g->k, g->w, z + (size_t)i * (size_t)g->k, temperature);
    free(z);
}

static const pr_option_t options[] = {
    {.key = "temperature",
     .kind = PR_OPT_REAL,
     .dflt = "0.2",
     .min = 1e-3,
     .max = 1e6,
     .help = "small: the worst objective alone; large: mo_grpo. 1 over the paper's k"},
    {0}};

const pr_combiner_t pr_combiner_rvpo = {
    .name = "rvpo",
    .formula = "-t log of the sum of w_k exp(-z_k / t), z_k as mo_grpo's and t the temperature",
    .help = "RVPO (Montero et al. 2026). Where a response must not be bad in anything: a success does not pay for "
            "a failure. A noisy objective is often the worst one and then leads; and a small temperature from the "
            "start may end in nothing.",
    .options = options,
    .advantages = advantages};
