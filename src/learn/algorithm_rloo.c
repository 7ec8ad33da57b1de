// SPDX-License-Identifier: BSD-3-Clause
/* REINFORCE with the other samples' mean as baseline (Ahmadian et al. 2024). */
#include "learn/algorithm.h"

static void advantages(int k, const double *reward, double *advantage)
{
    double mean, std;
    pr_group_moments(k, reward, &mean, &std);
    double factor = (double)k / (k - 1); // r_i minus the mean of the others is (r_i - mean) k / (k-1)
    for (int i = 0; i < k; i++)
        advantage[i] = (reward[i] - mean) * factor;
}

const pr_algorithm_t pr_algorithm_rloo = {.name = "rloo",
                                          .formula = "r_i - mean of the other rewards of the prompt",
                                          .least = 2,
                                          .advantages = advantages,
                                          .share = pr_group_share_whole,
                                          .kl_advantages = pr_group_kl_others};
