// SPDX-License-Identifier: BSD-3-Clause
/* Chebyshev's scalarisation of the mean scores, S(J) = -max_k w_k (z_k - J_k) + rho sum w_k J_k (Bowman 1976; augmented:
 * Steuer and Choo 1983), and its smooth form -mu log sum_k exp(w_k (z_k - J_k) / mu) + rho sum w_k J_k (Lin et al. 2024,
 * arXiv 2402.19078). Either one's gradient is a weighting of the objectives': lambda_k = dS / dJ_k. An objective of weight
 * 0 has no term in the sum: its exp(0) would only shrink the others.
 *
 * State: lambda, the running mean, the largest step means. */
#include "learn/weigh_internal.h"

#include <math.h>
#include <string.h>

static size_t state_numbers(int k, const json_t *options)
{
    (void)options;
    return (size_t)k * 4;
}

/* gap [k] = w_k (z_k - J_k); false while an objective with a weight has not had a number. */
static bool gaps(const pr_weigh_in_t *in, double *state, double *gap)
{
    int k = in->k;
    pr_running_t r = pr_running_at(k, state + k);
    double *most = state + (ptrdiff_t)3 * k, z[PR_MAX_OBJECTIVES];
    for (int i = 0; i < k; i++)
        if (isfinite(in->mean[i]))
            most[i] = r.seen[i] > 0 ? fmax(most[i], in->mean[i]) : in->mean[i];
    pr_running_update(r, in);
    pr_ideal_option(k, in->hi, most, in->options, z);
    for (int i = 0; i < k; i++)
        gap[i] = in->w[i] * (z[i] - r.mean[i]);
    return pr_running_knows(r, k, in->w);
}

/* The index of the largest gap among objectives with a weight; -1: there is none. */
static int widest(const pr_weigh_in_t *in, const double *gap)
{
    int at = -1;
    for (int i = 0; i < in->k; i++)
        if (in->w[i] > 0 && (at < 0 || gap[i] > gap[at]))
            at = i;
    return at;
}

static void augment(const pr_weigh_in_t *in, double *found)
{
    double rho = pr_option_real(in->options, "rho");
    for (int i = 0; i < in->k; i++)
        found[i] += rho * in->w[i];
}

static void chebyshev_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    double gap[PR_MAX_OBJECTIVES], found[PR_MAX_OBJECTIVES] = {0};
    bool known = gaps(in, state, gap);
    int at = widest(in, gap);
    if (at >= 0)
        found[at] = in->w[at];
    augment(in, found);
    if (!known)
        found[0] = NAN;
    pr_weigh_settle(in->k, found, state, lambda);
}

static void stch_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    double gap[PR_MAX_OBJECTIVES], found[PR_MAX_OBJECTIVES] = {0}, sum = 0;
    double mu = pr_option_real(in->options, "mu");
    bool known = gaps(in, state, gap);
    int at = widest(in, gap);
    for (int i = 0; i < in->k; i++)
        if (at >= 0 && in->w[i] > 0)
            sum += found[i] = exp((gap[i] - gap[at]) / mu);
    for (int i = 0; i < in->k; i++)
        found[i] = sum > 0 ? in->w[i] * found[i] / sum : 0;
    augment(in, found);
    if (!known)
        found[0] = NAN;
    pr_weigh_settle(in->k, found, state, lambda);
}

static pr_status_t check(int k, const double *lo, const double *hi, const json_t *options, pr_error_t *err)
{
    (void)lo;
    return pr_ideal_option_check(k, hi, options, "ideal \"max\" or \"list\"", err);
}

/* The largest means so far are not those of one preference. */
static bool follows(const json_t *options)
{
    return strcmp(pr_option_string(options, "ideal"), "max") != 0;
}

#define SHARED_OPTIONS                                                                                                 \
    PR_IDEAL_OPTIONS("the largest mean scores of a step so far"),                                                      \
        PR_HALF_LIFE_OPTION("5", "With less, one step's noise decides"),                                               \
    {                                                                                                                  \
        .key = "rho", .kind = PR_OPT_REAL, .dflt = "0", .min = 0, .max = 10,                                           \
        .help =                                                                                                        \
            "adds rho times the preference weights, as the augmented form does to rule out weakly optimal points; "    \
            "0.01 is usual"                                                                                            \
    }

static const pr_option_t chebyshev_options[] = {SHARED_OPTIONS, {0}};
static const pr_option_t stch_options[] = {
    {.key = "mu",
     .kind = PR_OPT_REAL,
     .dflt = "0.1",
     .min = 1e-6,
     .max = 1e6,
     .help = "smoothing, in units of w_k times a score: small is chebyshev, large the preference weights over the "
             "number of objectives"},
    SHARED_OPTIONS,
    {0}};

const pr_weigher_t pr_weigher_chebyshev = {
    .name = "chebyshev",
    .formula = "lambda = w_k for the k with the largest w_k (ideal_k - J_k), 0 for the others; J the running mean "
               "scores",
    .help = "The augmented Chebyshev scalarisation (Bowman 1976; Steuer and Choo 1983). Reaches the inside of "
            "flat fronts, where fixed weights end in a corner. Jumps between objectives; a point is where w_k "
            "(ideal_k - J_k) are equal, so that a larger weight means a smaller gap, in the objective's units.",
    .options = chebyshev_options,
    .follows = follows,
    .state = state_numbers,
    .begin = pr_weigh_begin_w,
    .weigh = chebyshev_weigh,
    .check = check};

const pr_weigher_t pr_weigher_stch = {
    .name = "stch",
    .formula = "lambda = w_k softmax over k of w_k (ideal_k - J_k) / mu; J the running mean scores",
    .help = "The smooth Chebyshev scalarisation (Lin et al. 2024). As chebyshev, without the jumps: the first "
            "choice for flat or inward-bent fronts. There its gaps differ from chebyshev's by mu log(w_i / w_j); "
            "with a mu that is large against the gaps it is nearly `fixed`, and an ideal of \"max\" drifts as the "
            "training finds more.",
    .options = stch_options,
    .follows = follows,
    .state = state_numbers,
    .begin = pr_weigh_begin_w,
    .weigh = stch_weigh,
    .check = check};
