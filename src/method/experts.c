// SPDX-License-Identifier: BSD-3-Clause
/* Multi-policy: one expert per objective, trained for that alone or brought by it, and combined at w by the mix (Rame
 * et al. 2023, "Rewarded soups"; Shi et al. 2024, "Decoding-time language model alignment with multiple objectives";
 * Kong et al. 2025, EMORL). All points share the K trainings. */
#include "method/method.h"

static pr_status_t policy_at(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err)
{
    out->mix = e->mix;
    out->options = json_incref((json_t *)(uintptr_t)e->mix_options);
    for (int k = 0; k < e->k; k++) {
        pr_training_wish_t wish = {.w = {0}};
        char id[PR_HASH_HEX];
        if (at->w[k] == 0) // such an expert is not run
            continue;
        if (e->given[k]) {
            pr_policy_add(out, false, e->given[k], at->w[k]);
            continue;
        }
        wish.w[k] = 1;
        PR_TRY(e->train(e->self, &wish, id, err));
        pr_policy_add(out, true, id, at->w[k]);
    }
    return PR_OK;
}

static bool trains(int k, const char *const *given)
{
    for (int i = 0; i < k; i++)
        if (!given[i])
            return true;
    return false;
}

static const pr_option_t options[] = {{.key = NULL}};

const pr_method_t pr_method_experts = {
    .name = "experts",
    .formula = "one expert per objective, combined at w by the mix",
    .help = "Trains one adapter per objective, or takes those that objectives bring; a point is a mix of them, so all "
            "points share the trainings.",
    .options = options,
    .mixes = true,
    .policy_at = policy_at,
    .trains = trains};
