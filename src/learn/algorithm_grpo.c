// SPDX-License-Identifier: BSD-3-Clause
/* Group relative policy optimisation's advantages (Shao et al. 2024). */
#include "learn/algorithm.h"

static void advantages(int k, const double *reward, double *advantage)
{
    double mean, std;
    pr_group_moments(k, reward, &mean, &std);
    double factor = 1 / (std + 1e-4);
    for (int i = 0; i < k; i++)
        advantage[i] = (reward[i] - mean) * factor;
}

static double share(int k)
{
    (void)k;
    return 1;
}

static void kl_advantages(int k, double beta, const double *divergence, double *advantage)
{
    pr_group_kl(k, beta, (double)k / (k - 1), divergence, advantage);
}

const pr_algorithm_t pr_algorithm_grpo = {
    .name = "grpo",
    .formula = "(r_i - mean of the prompt's rewards) / (their standard deviation + 1e-4)",
    .least = 2,
    .advantages = advantages,
    .share = share,
    .kl_advantages = kl_advantages};
