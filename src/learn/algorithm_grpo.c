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

static const pr_option_t options[] = {{.key = NULL}};

const pr_algorithm_t pr_algorithm_grpo = {
    .name = "grpo",
    .formula = "(r_i - mean of the prompt's rewards) / (their standard deviation + 1e-4)",
    .help = "Group relative policy optimisation (Shao et al. 2024). Where rewards have other scales from prompt to "
            "prompt; what hardly differs is made as large as what differs much.",
    .options = options,
    .least = 2,
    .advantages = advantages,
    .share = pr_group_share_whole,
    .kl_advantages = pr_group_kl_others};
