// SPDX-License-Identifier: BSD-3-Clause
#include "learn/rules.h"

#include <string.h>

pr_status_t pr_rules_combiner(const json_t *value, const pr_combiner_t **out, pr_error_t *err)
{
    return pr_combiner_find(value ? pr_typed_name(value) : pr_combiner_linear.name, out, err);
}

pr_status_t pr_rules_weigher(const json_t *value, const pr_weigher_t **out, pr_error_t *err)
{
    return pr_weigher_find(value ? pr_typed_name(value) : pr_weigher_fixed.name, out, err);
}

/* What a critic needs: one reward per response. */
static pr_status_t check_critic(const pr_rules_t *r, pr_error_t *err)
{
    if (r->combiner->advantages)
        return pr_fail(err, PR_ERR_CONFIG,
                       "combine: found \"%s\", which makes advantages itself, beside the algorithm \"%s\"; expected "
                       "a combiner that makes a reward, such as \"linear\"",
                       r->combiner->name, r->algorithm->name);
    if (r->weigher->gram)
        return pr_fail(err, PR_ERR_CONFIG,
                       "weigh: found \"%s\", which takes each objective's own gradient, beside the algorithm \"%s\", "
                       "whose critic is of one reward; expected a rule that takes none",
                       r->weigher->name, r->algorithm->name);
    return PR_OK;
}

pr_status_t pr_rules_suit(const pr_rules_t *r, double kl, const char *kl_estimator, int prompts, pr_error_t *err)
{
    const pr_algorithm_t *a = r->algorithm;
    if (a->preferences && !(kl > 0))
        return pr_fail(err, PR_ERR_CONFIG, "kl: found %g, expected more than 0 for the algorithm \"%s\"", kl, a->name);
    if (a->preferences && strcmp(kl_estimator, "k1") != 0)
        return pr_fail(err, PR_ERR_CONFIG,
                       "kl_estimator: found \"%s\", expected \"k1\" for the algorithm \"%s\", whose loss holds the KL",
                       kl_estimator, a->name);
    if (a->critic && pr_option_int(r->algorithm_options, "minibatches") > prompts)
        return pr_fail(err, PR_ERR_CONFIG, "algorithm: found %d minibatches, expected at most prompts_per_step = %d",
                       pr_option_int(r->algorithm_options, "minibatches"), prompts);
    return PR_OK;
}

pr_status_t pr_rules_resolve(const json_t *algorithm, const json_t *combine, const json_t *weigh, pr_rules_t *out,
                             pr_error_t *err)
{
    *out = (pr_rules_t){0};
    PR_TRY(pr_algorithm_find(algorithm ? pr_typed_name(algorithm) : pr_algorithm_rloo.name, &out->algorithm, err));
    PR_TRY(pr_typed_options(out->algorithm->options, algorithm, &out->algorithm_options, err));
    PR_TRY(pr_rules_combiner(combine, &out->combiner, err));
    PR_TRY(pr_typed_options(out->combiner->options, combine, &out->combine_options, err));
    PR_TRY(pr_rules_weigher(weigh, &out->weigher, err));
    PR_TRY(pr_typed_options(out->weigher->options, weigh, &out->weigh_options, err));
    if (out->weigher->gram && out->combiner != &pr_combiner_linear)
        return pr_fail(
            err, PR_ERR_CONFIG,
            "combine: found \"%s\" beside weigh = \"%s\", which takes each objective's own gradient; expected "
            "\"linear\"",
            out->combiner->name, out->weigher->name);
    return out->algorithm->critic ? check_critic(out, err) : PR_OK;
}

void pr_rules_clear(pr_rules_t *r)
{
    json_decref(r->algorithm_options);
    json_decref(r->combine_options);
    json_decref(r->weigh_options);
    *r = (pr_rules_t){0};
}

pr_status_t pr_rules_fit(const pr_rules_t *r, int k, const double *lo, const double *hi, pr_error_t *err)
{
    if (r->weigher->check && r->weigher->check(k, lo, hi, r->weigh_options, err) != PR_OK)
        return pr_fail_in(err, "weigh = \"%s\"", r->weigher->name);
    if (r->combiner->check && r->combiner->check(k, lo, hi, r->combine_options, err) != PR_OK)
        return pr_fail_in(err, "combine = \"%s\"", r->combiner->name);
    return PR_OK;
}
