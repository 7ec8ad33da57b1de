// SPDX-License-Identifier: BSD-3-Clause
/* The Lagrangian of: maximise one objective while each other one stays above its threshold. The policy climbs
 * (g_primary + sum L_k g_k) / (1 + sum L_k), and the multipliers rise while a threshold is missed.
 *
 *   log        log L_k += lr L_k (threshold_k - J_k), L <= most      Safe RLHF (Dai et al. 2024, arXiv 2310.12773)
 *   add        L_k = max(L_k + lr (threshold_k - J_k), 0), L <= most  projected gradient ascent on the dual, as in CTWA's
 *                                                                    baselines (2026, arXiv 2602.06869)
 *
 * Sweeping thresholds instead of weights is the epsilon-constraint method (Haimes, Lasdon and Wismer 1971), which also
 * reaches the parts of a front that no weights reach.
 *
 * State: lambda; the multipliers, or their logarithms; the running mean. */
#include "learn/weigh_internal.h"

#include <math.h>

static size_t state_numbers(int k, const json_t *options)
{
    (void)options;
    return (size_t)k * 4;
}

static bool is_log(const json_t *options)
{
    return *pr_option_string(options, "form") == 'l';
}

static int primary_of(const json_t *options)
{
    return pr_option_int(options, "primary") - 1;
}

/* lambda of the multipliers kept [k]; that of the primary is not used. */
static void lambda_of(const pr_weigh_in_t *in, const double *kept, double *lambda)
{
    int primary = primary_of(in->options);
    double sum = 1;
    for (int i = 0; i < in->k; i++) {
        lambda[i] = i == primary ? 1 : is_log(in->options) ? exp(kept[i]) : kept[i];
        if (i != primary)
            sum += lambda[i];
    }
    for (int i = 0; i < in->k; i++)
        lambda[i] /= sum;
}

static void begin(const pr_weigh_in_t *in, double *state)
{
    double start = pr_option_real(in->options, "start");
    pr_vector_fill(in->k, is_log(in->options) ? log(start) : start, state + in->k);
    lambda_of(in, state + in->k, state);
}

static void weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int k = in->k, primary = primary_of(in->options), next = 0;
    bool logarithm = is_log(in->options);
    double *kept = state + k, found[PR_MAX_OBJECTIVES];
    double lr = pr_option_real(in->options, "lr"), most = pr_option_real(in->options, "most");
    pr_running_t r = pr_running_at(k, state + (ptrdiff_t)2 * k);
    pr_running_update(r, in);
    for (int i = 0; i < k; i++) {
        if (i == primary)
            continue;
        double missing = pr_option_item(in->options, "thresholds", next++) - r.mean[i];
        if (!isfinite(in->mean[i]))
            continue;
        if (logarithm)
            kept[i] = fmin(kept[i] + lr * exp(kept[i]) * missing, log(most));
        else
            kept[i] = fmin(fmax(kept[i] + lr * missing, 0), most);
    }
    lambda_of(in, kept, found);
    pr_weigh_settle(k, found, state, lambda);
}

static pr_status_t check(int k, const double *lo, const double *hi, const json_t *options, pr_error_t *err)
{
    (void)lo;
    (void)hi;
    if (primary_of(options) >= k)
        return pr_fail(err, PR_ERR_CONFIG, "primary: found %d, expected 1 to %d, the number of objectives",
                       primary_of(options) + 1, k);
    if (!pr_option_given(options, "thresholds") && k > 1)
        return pr_fail(err, PR_ERR_CONFIG, "thresholds: found nothing, expected %d, one per objective but the primary",
                       k - 1);
    PR_TRY(pr_list_check(options, "thresholds", k - 1, "objective but the primary", err));
    double start = pr_option_real(options, "start");
    if (is_log(options) && start == 0)
        return pr_fail(err, PR_ERR_CONFIG,
                       "start: found 0, of which there is no logarithm, expected more or form \"add\"");
    if (start > pr_option_real(options, "most"))
        return pr_fail(err, PR_ERR_CONFIG, "start: found %g, expected at most `most`, %g", start,
                       pr_option_real(options, "most"));
    return PR_OK;
}

static const pr_option_t options[] = {
    {.key = "primary",
     .kind = PR_OPT_INT,
     .dflt = "1",
     .min = 1,
     .max = PR_MAX_OBJECTIVES,
     .help = "which objective is maximised, in the order of the configuration"},
    {.key = "thresholds",
     .kind = PR_OPT_REALS,
     .dflt = "",
     .help = "what the mean scores of the other objectives must reach, in their order; of a minimised one its "
             "negative"},
    {.key = "form",
     .kind = PR_OPT_STRING,
     .dflt = "\"log\"",
     .choices = "log|add",
     .help = "how multipliers change: log, their logarithms as in Safe RLHF; add, themselves, so that they can be "
             "0"},
    {.key = "lr",
     .kind = PR_OPT_REAL,
     .dflt = "0.1",
     .min = 0,
     .max = 1e6,
     .help = "how fast the multipliers change, per unit of score and step; with form \"add\" the authors take 0.01"},
    {.key = "start",
     .kind = PR_OPT_REAL,
     .dflt = "1",
     .min = 0,
     .max = 1e6,
     .help = "the multipliers before the first step"},
    {.key = "most", .kind = PR_OPT_REAL, .dflt = "5", .min = 1e-6, .max = 1e6, .help = "no multiplier gets larger"},
    PR_HALF_LIFE_OPTION("2", "The authors' mean is over the last 128 responses"),
    {0}};

const pr_weigher_t pr_weigher_lagrangian = {
    .name = "lagrangian",
    .formula = "lambda = (1, L) / (1 + sum of L), 1 for the primary; L_k rises with threshold_k - J_k",
    .help = "Safe RLHF (Dai et al. 2024): thresholds in the place of weights. For \"as good as possible, but at "
            "least ...\". Multipliers swing around a threshold; at `most` one is stuck, the threshold is out of "
            "reach or `most` too small. A threshold in the wrong units decides everything.",
    .options = options,
    .own = true,
    .state = state_numbers,
    .begin = begin,
    .weigh = weigh,
    .check = check};
