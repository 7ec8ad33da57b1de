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

static const pr_option_t options[] = {{.key = NULL}};

const pr_algorithm_t pr_algorithm_rloo = {.name = "rloo",
                                          .formula = "r_i - mean of the other rewards of the prompt",
                                          .help =
                                              "REINFORCE with a leave-one-out baseline (Kool et al. 2019; Ahmadian et "
                                              "al. 2024): the gradient of the mean reward itself. What to begin with.",
                                          .options = options,
                                          .least = 2,
                                          .advantages = advantages,
                                          .share = pr_group_share_whole,
                                          .kl_advantages = pr_group_kl_others};
