// SPDX-License-Identifier: BSD-3-Clause
/* Proximal policy optimisation (Schulman et al. 2017) of language models (Ouyang et al. 2022): learn/critic.h has the value
 * head and what is climbed token by token. */
#include "learn/algorithm.h"

/* The reward itself: its baseline is the critic's. */
static void advantages(int k, const double *reward, double *advantage)
{
    for (int i = 0; i < k; i++)
        advantage[i] = reward[i];
}

static const pr_option_t options[] = {
    {.key = "epochs",
     .kind = PR_OPT_INT,
     .dflt = "4",
     .min = 1,
     .max = 1000,
     .help = "passes over the responses of a step"},
    {.key = "minibatches",
     .kind = PR_OPT_INT,
     .dflt = "1",
     .min = 1,
     .max = 1 << 20,
     .help = "steps of the optimizer per pass, each on its share of the step's prompts; at most prompts_per_step"},
    {.key = "clip",
     .kind = PR_OPT_REAL,
     .dflt = "0.2",
     .min = 1e-6,
     .max = 1e6,
     .help = "the ratio of a token's probabilities after and before gains nothing beyond 1 -+ this"},
    {.key = "gamma", .kind = PR_OPT_REAL, .dflt = "1.0", .min = 0, .max = 1, .help = "discount per token"},
    {.key = "lambda",
     .kind = PR_OPT_REAL,
     .dflt = "0.95",
     .min = 0,
     .max = 1,
     .help =
         "of generalised advantage estimation: 1 is the whole response's reward less the value, 0 the value's change "
         "by one token"},
    {.key = "value_weight",
     .kind = PR_OPT_REAL,
     .dflt = "0.1",
     .min = 0,
     .max = 1e6,
     .help = "of the value head's loss, half the squared error"},
    {.key = "value_clip",
     .kind = PR_OPT_REAL,
     .dflt = "0.2",
     .min = 0,
     .max = 1e6,
     .help = "a value gains nothing beyond this from what it was before the step; 0: not clipped"},
    {.key = "whiten",
     .kind = PR_OPT_BOOL,
     .dflt = "true",
     .help = "advantages of a step's tokens are less their mean and over their deviation"},
    {.key = NULL}};

const pr_algorithm_t pr_algorithm_ppo = {
    .name = "ppo",
    .formula = "min(ratio A, clip(ratio, 1 - clip, 1 + clip) A) per token, A by generalised advantage estimation",
    .help =
        "Proximal policy optimisation (Schulman et al. 2017; Ouyang et al. 2022), with a linear value head on the "
        "policy's last hidden states. Takes several steps of the optimizer per roll-out and says which tokens earned "
        "the reward; with kl_estimator \"k1\" the KL is in each token's reward. The value head has to be learnt first: "
        "with few steps rloo is ahead.",
    .options = options,
    .least = 1,
    .advantages = advantages,
    .share = pr_group_share_whole,
    .critic = true};
