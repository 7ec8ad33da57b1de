// SPDX-License-Identifier: BSD-3-Clause
/* Self-critical training, with the samples' own mean as baseline (Rennie et al. 2017). */
#include "learn/algorithm.h"

static void advantages(int k, const double *reward, double *advantage)
{
    double mean, std;
    pr_group_moments(k, reward, &mean, &std);
    const double factor = 1;
    for (int i = 0; i < k; i++)
        advantage[i] = (reward[i] - mean) * factor;
}

static double share(int k)
{
    return (double)(k - 1) / k;
}

static void kl_advantages(int k, double beta, const double *divergence, double *advantage)
{
    pr_group_kl(k, beta, 1, divergence, advantage);
}

static const pr_option_t options[] = {{.key = NULL}};

const pr_algorithm_t pr_algorithm_scst = {.name = "scst",
                                          .formula = "r_i - mean of the prompt's rewards",
                                          .help = "Self-critical training (Rennie et al. 2017), as EMORL has it, with "
                                                  "the mean of all samples as baseline: (k - 1)/k of rloo's gradient.",
                                          .options = options,
                                          .least = 1,
                                          .advantages = advantages,
                                          .share = share,
                                          .kl_advantages = kl_advantages};
