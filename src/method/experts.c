// SPDX-License-Identifier: BSD-3-Clause
/* Multi-policy: one expert per objective, trained for that alone or brought by it, and combined at w by the mix (Rame
 * et al. 2023, "Rewarded soups"; Shi et al. 2024, "Decoding-time language model alignment with multiple objectives";
 * Kong et al. 2025, EMORL). All points share the K trainings. */
#include "method/method.h"

/* Rows that are all alike are one: it is the same policy. */
static int rows_of(const pr_choice_t *at)
{
    for (int i = at->k; i < at->rows * at->k; i++)
        if (at->w[i] != at->w[i - at->k])
            return at->rows;
    return 1;
}

static pr_status_t policy_at(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err)
{
    int rows = rows_of(at);
    out->mix = e->mix;
    out->options = pr_method_mix_options(e, at);
    return pr_method_add_experts(e, rows, at->w, false, out, err);
}

pr_status_t pr_method_add_experts(const pr_method_env_t *e, int rows, const double *w, bool all, pr_policy_spec_t *out,
                                  pr_error_t *err)
{
    for (int k = 0; k < e->k; k++) {
        pr_training_wish_t wish = pr_wish_expert(k);
        char id[PR_HASH_HEX];
        double own[PR_MAX_BLOCKS];
        bool any = all;
        for (int r = 0; r < rows; r++) {
            own[r] = w[r * e->k + k];
            any = any || own[r] != 0;
        }
        if (!any) // such an expert is not run
            continue;
        if (e->given[k]) {
            pr_policy_add_blocks(out, false, e->given[k], rows, own);
            continue;
        }
        PR_TRY(e->train(e->self, &wish, id, err));
        pr_policy_add_blocks(out, true, id, rows, own);
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
