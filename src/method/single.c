// SPDX-License-Identifier: BSD-3-Clause
/* Single-policy: one training per point, for the objectives together. What they are together is the training's business:
 * `combine` and `weigh` (learn/combine.h, learn/weigh.h); by default the weighted sum, linear scalarisation (MORLHF: Bai et
 * al. 2022; Wu et al. 2023; Zhou et al. 2024, the baseline of most papers). The search decides what is trained. At w = e_k
 * it is the expert of objective k, byte for byte. */
#include "method/method.h"

static pr_status_t policy_at(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err)
{
    pr_training_wish_t wish = {.w = {0}};
    char id[PR_HASH_HEX];
    int n = 0;
    bool own = e->weigher && e->weigher->own, // a rule of its own takes no preference
        which = e->combiner && e->combiner->unweighted && (!e->weigher || e->weigher == &pr_weigher_fixed);
    out->mix = &pr_mix_params;
    for (int k = 0; k < e->k; k++) {
        wish.w[k] = own ? 1 : at->w[k];
        n += wish.w[k] != 0;
    }
    if (!n) // nothing to climb: the base model
        return PR_OK;
    wish.equal = own || which;
    for (int k = 0; k < e->k && wish.equal; k++) // so that equal trainings are one
        wish.w[k] = wish.w[k] != 0 ? 1.0 / n : 0;
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

static const pr_option_t options[] = {{.key = NULL}};

const pr_method_t pr_method_single = {
    .name = "single",
    .formula = "one adapter per point, trained for all objectives: by default for sum w_k r_k",
    .help =
        "Every point is a training of its own, for the objectives together: as train.combine and train.weigh say, by "
        "default towards the weighted sum (linear scalarisation). With a weighting rule that takes no preference there "
        "is one training for all points; with a combiner that asks only which weights are 0, one per set of "
        "objectives.",
    .options = options,
    .per_point = true,
    .policy_at = policy_at,
    .trains = trains};
