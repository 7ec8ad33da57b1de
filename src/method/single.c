// SPDX-License-Identifier: BSD-3-Clause
/* Single-policy, linear scalarisation: one training per point, for the weighted sum of the objectives (MORLHF: Bai et
 * al. 2022; Wu et al. 2023; Zhou et al. 2024, the baseline of most papers). The search decides what is trained. At w =
 * e_k it is the expert of objective k, byte for byte. */
#include "learn/combine.h"
#include "method/method.h"

static pr_status_t policy_at(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err)
{
    pr_training_wish_t wish = {.w = {0}};
    char id[PR_HASH_HEX];
    bool any = false;
    out->mix = &pr_mix_params;
    wish.combine = pr_option_string(e->options, "combine");
    for (int k = 0; k < e->k; k++) {
        wish.w[k] = at->w[k];
        any = any || at->w[k] != 0;
    }
    if (!any) // nothing to climb: the base model
        return PR_OK;
    PR_TRY(e->train(e->self, &wish, id, err));
    pr_policy_add(out, true, id, 1);
    return PR_OK;
}

static bool trains(int k, const char *const *given)
{
    (void)k;
    (void)given;
    return true;
}

static const pr_option_t options[] = {
    {.key = "combine",
     .kind = PR_OPT_STRING,
     .dflt = "\"linear\"",
     .choices = PR_OPTION_WORDS(PR_COMBINER_LIST),
     .help = "How the objectives' scores become the reward of a training: linear is sum w_k r_k, r_k turned so that "
             "larger is better."},
    {.key = NULL}};

const pr_method_t pr_method_single = {
    .name = "single",
    .formula = "one adapter per point, trained for sum w_k r_k",
    .help = "Linear scalarisation: every point is a training of its own, towards the weighted sum of the objectives.",
    .options = options,
    .per_point = true,
    .policy_at = policy_at,
    .trains = trains};
