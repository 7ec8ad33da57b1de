// SPDX-License-Identifier: BSD-3-Clause
/* MaxMin-RLHF (Chakraborty et al. 2024, arXiv 2402.08925), with objectives in the place of the paper's groups of users:
 * each step climbs the objective that is worst off, u_k = (J_k - low_k) / (high_k - low_k).
 *
 * State: lambda, the running mean. */
#include "learn/weigh_internal.h"

#include <math.h>

static size_t state_numbers(int k, const json_t *options)
{
    (void)options;
    return (size_t)k * 3;
}

static double end(const pr_weigh_in_t *in, const char *key, const double *range, int i)
{
    return pr_option_given(in->options, key) ? pr_option_item(in->options, key, i) : range[i];
}

static void weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int k = in->k, worst = 0;
    double found[PR_MAX_OBJECTIVES] = {0}, least = INFINITY;
    pr_running_t r = pr_running_at(k, state + k);
    pr_running_update(r, in);
    for (int i = 0; i < k; i++) {
        double low = end(in, "low", in->lo, i), high = end(in, "high", in->hi, i);
        double u = (r.mean[i] - low) / (high - low);
        if (u < least) {
            least = u;
            worst = i;
        }
    }
    found[worst] = pr_running_knows(r, k, NULL) ? 1 : NAN;
    pr_weigh_settle(k, found, state, lambda);
}

static pr_status_t check(int k, const double *lo, const double *hi, const json_t *options, pr_error_t *err)
{
    PR_TRY(pr_list_check(options, "low", k, "objective", err));
    PR_TRY(pr_list_check(options, "high", k, "objective", err));
    bool low = pr_option_given(options, "low"), high = pr_option_given(options, "high");
    if (low != high)
        return pr_fail(err, PR_ERR_CONFIG, "%s: found nothing beside %s, expected both or neither",
                       low ? "high" : "low", low ? "low" : "high");
    if (!low)
        return pr_ranges_check(k, lo, hi, "low: found nothing", "a number per objective, and high", err);
    for (int i = 0; i < k; i++)
        if (!(pr_option_item(options, "high", i) > pr_option_item(options, "low", i)))
            return pr_fail(err, PR_ERR_CONFIG, "high: found %g for objective %d, expected more than low, %g",
                           pr_option_item(options, "high", i), i + 1, pr_option_item(options, "low", i));
    return PR_OK;
}

static const pr_option_t options[] = {
    {.key = "low",
     .kind = PR_OPT_REALS,
     .dflt = "",
     .help = "a number per objective that counts as 0, such as the base model's; of a minimised one its negative. "
             "Default: the lower ends of the declared ranges"},
    {.key = "high",
     .kind = PR_OPT_REALS,
     .dflt = "",
     .help = "the same for 1, such as what each objective's expert reaches. Default: the upper ends"},
    PR_HALF_LIFE_OPTION("0", "0 is the authors'; a few steps where one has few prompts"),
    {0}};

const pr_weigher_t pr_weigher_maxmin = {
    .name = "maxmin",
    .formula = "lambda = 1 for the k with the least (J_k - low_k) / (high_k - low_k), 0 for the others",
    .help = "MaxMin-RLHF (Chakraborty et al. 2024). For the policy whose worst objective is best; it follows no "
            "preference. What is worst depends wholly on low and high, and an objective that cannot rise starves "
            "the others.",
    .options = options,
    .own = true,
    .state = state_numbers,
    .begin = pr_weigh_begin_equal,
    .weigh = weigh,
    .check = check};
