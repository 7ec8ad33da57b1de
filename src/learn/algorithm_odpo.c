// SPDX-License-Identifier: BSD-3-Clause
/* Online direct preference optimisation (Rafailov et al. 2023, "Direct preference optimization"; Guo et al. 2024, "Direct
 * language model alignment from online AI feedback"; Gupta et al. 2025, MO-ODPO, where the preference between two responses
 * is that of their weighted sum): of a prompt's responses the one of the largest reward is preferred to the one of the
 * least. The loss is -log sigmoid(m), m = beta (d_best - d_worst), d a response's sum of log q - log base; its gradient is
 * -beta sigmoid(-m) (grad log q(best) - grad log q(worst)), which is a policy gradient with these two advantages: responses
 * are the policy's own, so that m is known when they are scored. The k in front makes loss_norm = "sequence" the mean over
 * prompts. */
#include "learn/algorithm.h"

#include <math.h>

/* The first of the largest, the first of the least; false where all are equal. */
static bool extremes(int k, const double *reward, int *best, int *worst)
{
    *best = *worst = 0;
    for (int i = 1; i < k; i++) {
        if (reward[i] > reward[*best])
            *best = i;
        if (reward[i] < reward[*worst])
            *worst = i;
    }
    return *best != *worst;
}

static void preferences(int k, const double *reward, double beta, const double *divergence, double *advantage)
{
    int best, worst;
    for (int i = 0; i < k; i++)
        advantage[i] = 0;
    if (!extremes(k, reward, &best, &worst))
        return;
    double margin = beta * (divergence[best] - divergence[worst]);
    advantage[best] = k * beta / (1 + exp(margin));
    advantage[worst] = -advantage[best];
}

/* Before anything is learnt, when policy and base model are the same. */
static void advantages(int k, const double *reward, double *advantage)
{
    int best, worst;
    for (int i = 0; i < k; i++)
        advantage[i] = 0;
    if (extremes(k, reward, &best, &worst)) {
        advantage[best] = k / 2.0;
        advantage[worst] = -k / 2.0;
    }
}

static const pr_option_t options[] = {{.key = NULL}};

const pr_algorithm_t pr_algorithm_odpo = {
    .name = "odpo",
    .formula = "-log sigmoid(kl (d_best - d_worst)), d the log-ratios of the prompt's best and worst response to the "
               "base model",
    .help =
        "Online direct preference optimisation (Rafailov et al. 2023; Guo et al. 2024; with `conditioned` MO-ODPO, "
        "Gupta et al. 2025). Asks of rewards only which response is better, so that no scale matters; `kl` is its "
        "beta, 0.1 at most papers', and has to be above 0. Learns from two responses of a prompt alone, and as much "
        "from a small difference as from a large one.",
    .options = options,
    .least = 2,
    .advantages = advantages,
    .share = pr_group_share_whole,
    .preferences = preferences};
