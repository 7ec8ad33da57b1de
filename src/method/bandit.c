// SPDX-License-Identifier: BSD-3-Clause
/* Contextual mixing: a prompt takes the point of a lattice of mixing weights that suits it at the user's preference, by what
 * is known of all points on the training prompts (route/route.h; Kong et al. 2025 name contextual bandits over experts as
 * future work). */
#include "base/json.h"
#include "method/method.h"

#include <string.h>

static pr_status_t policy_at(const pr_method_env_t *e, const pr_choice_t *at, pr_policy_spec_t *out, pr_error_t *err)
{
    pr_training_wish_t wish = {.equal = true, .makes = PR_FITS_ROUTE};
    double one[PR_MAX_OBJECTIVES];
    for (int k = 0; k < e->k; k++) {
        one[k] = 1;
        wish.w[k] = 1.0 / e->k;
    }
    if (pr_mix_kind(e->mix, e->mix_options) != PR_MIX_RUN)
        return pr_fail(err, PR_ERR_CONFIG,
                       "method \"bandit\": found mix \"%s\", which merges the experts; expected one that takes other "
                       "weights for every prompt",
                       e->mix->name);
    out->mix = e->mix;
    out->options = pr_method_mix_options(e, at);
    PR_TRY(pr_method_add_experts(e, 1, one, true, out, err));
    PR_TRY(e->train(e->self, &wish, out->route, err));
    out->condition = pr_json_reals(at->w, (size_t)e->k);
    return PR_OK;
}

static bool trains(int k, const char *const *given)
{
    (void)k;
    (void)given; // the route is fitted on training prompts
    return true;
}

static const pr_option_t options[] = {
    {.key = "divisions",
     .kind = PR_OPT_INT,
     .dflt = "4",
     .min = 1,
     .max = 1000,
     .help =
         "the mixing weights that prompts choose from are the multiples of 1/divisions on the simplex; every one is "
         "evaluated on the training prompts"},
    {.key = "prompts",
     .kind = PR_OPT_INT,
     .dflt = "0",
     .min = 0,
     .max = 1 << 30,
     .help = "how many of prompts.train it is fitted on, at most; 0: all"},
    {.key = "ridge",
     .kind = PR_OPT_REAL,
     .dflt = "1.0",
     .min = 1e-9,
     .max = 1e9,
     .help = "ridge of the regressions; learner ridge: in units of the features' mean variance, as a sum over prompts"},
    {.key = "components",
     .kind = PR_OPT_INT,
     .dflt = "16",
     .min = 0,
     .max = 1 << 20,
     .help = "of the features, their leading principal components that the regressions are on; 0: all features"},
    {.key = "learner",
     .kind = PR_OPT_STRING,
     .dflt = "\"ridge\"",
     .choices = "ridge|linucb",
     .help = "ridge: every point of the lattice is evaluated on every training prompt. linucb: every prompt is tried "
             "at one "
             "point per pass, the one with the largest upper bound at a preference drawn for it, which costs less and "
             "learns "
             "of fewer; what headroom there is is then not known"},
    {.key = "passes",
     .kind = PR_OPT_INT,
     .dflt = "4",
     .min = 1,
     .max = 1 << 20,
     .help = "linucb: passes over the training prompts"},
    {.key = "confidence",
     .kind = PR_OPT_REAL,
     .dflt = "1.0",
     .min = 0,
     .max = 1e6,
     .help = "linucb: the width of the bounds, in the scores' units"},
    {.key = "anyway",
     .kind = PR_OPT_BOOL,
     .dflt = "false",
     .help = "fit and evaluate also where no preference has headroom, instead of failing with what was measured"},
    {.key = NULL}};

const pr_method_t pr_method_bandit = {
    .name = "bandit",
    .formula = "a prompt x takes the mixing weights a with the largest sum w_k r_ak(f(x)), r_ak ridge regressions",
    .help =
        "A contextual bandit over the experts' mixing weights: every point of a lattice is evaluated on the training "
        "prompts, and a regression on the prompt's features (the base model's last hidden state) says which one suits "
        "a "
        "prompt at the user's w. As all scores are known nothing is explored, and one fit serves every w. What there "
        "is "
        "to gain is measured first (`gain` of its job in journal.jsonl): where prompts are alike it is nothing.",
    .options = options,
    .mixes = true,
    .policy_at = policy_at,
    .trains = trains};
