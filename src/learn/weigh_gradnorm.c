// SPDX-License-Identifier: BSD-3-Clause
/* GradNorm (Chen et al. 2018, arXiv 1711.02257): weights w_k move by the sign of what their gradients' norms lack to a
 * common size, more for an objective that learns slowly: target_k = mean_j(w_j |g_j|) (r_k / mean r)^alpha, r_k the share
 * of its first loss that objective k still has. That loss is its ideal less its running mean score; a policy gradient's own
 * loss is about 0 and says nothing.
 *
 * Norms are taken over their mean, so that lr means the same for rewards of any units, and weights sum to one, as
 * preferences do (the paper's: to the number of objectives). State: lambda, which is w; the running mean; the first
 * losses. */
#include "learn/weigh_internal.h"

#include <math.h>

static const double LEAST_WEIGHT = 1e-4; // of one: none gets negative, or cannot come back

static size_t state_numbers(int k, const json_t *options)
{
    (void)options;
    return (size_t)k * 4;
}

/* share [k]: of the first loss; false while an objective has not had a number. */
static bool shares(const pr_weigh_in_t *in, double *state, double *share)
{
    int k = in->k;
    double *first = state + (ptrdiff_t)3 * k, z[PR_MAX_OBJECTIVES];
    pr_running_t r = pr_running_at(k, state + k);
    pr_ideal_option(k, in->hi, NULL, in->options, z);
    for (int i = 0; i < k; i++)
        if (!(r.seen[i] > 0) && isfinite(in->mean[i]))
            first[i] = z[i] - in->mean[i];
    pr_running_update(r, in);
    for (int i = 0; i < k; i++)
        share[i] = first[i] > 0 ? fmax((z[i] - r.mean[i]) / first[i], 0) : 1; // at its ideal from the start
    return pr_running_knows(r, k, NULL);
}

static void weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int k = in->k;
    double share[PR_MAX_OBJECTIVES], norm[PR_MAX_OBJECTIVES], found[PR_MAX_OBJECTIVES], mean = 0, size = 0;
    double lr = pr_option_real(in->options, "lr"), alpha = pr_option_real(in->options, "alpha");
    bool known = shares(in, state, share) && pr_all_finite((size_t)k * (size_t)k, in->gram);
    for (int i = 0; i < k; i++) {
        norm[i] = sqrt(fmax(in->gram[i * k + i], 0));
        mean += norm[i] / k;
    }
    double common = pr_vector_sum(k, share) / k;
    for (int i = 0; i < k; i++)
        size += state[i] * norm[i] / mean / k;
    for (int i = 0; i < k; i++) {
        double target = size * (common > 0 ? pow(share[i] / common, alpha) : 1),
               lacks = target - state[i] * norm[i] / mean;
        double way = lacks > 1e-12 * size ? 1 : lacks < -1e-12 * size ? -1 : 0;
        found[i] = fmax(state[i] + lr * way * norm[i] / mean, LEAST_WEIGHT);
    }
    double sum = pr_vector_sum(k, found);
    for (int i = 0; i < k; i++)
        found[i] = known && mean > 0 ? found[i] / sum : NAN;
    pr_weigh_settle(k, found, state, lambda);
}

static pr_status_t check(int k, const double *lo, const double *hi, const json_t *options, pr_error_t *err)
{
    (void)lo;
    return pr_ideal_option_check(k, hi, options, "ideal \"list\"", err);
}

static const pr_option_t options[] = {
    {.key = "alpha",
     .kind = PR_OPT_REAL,
     .dflt = "1.5",
     .min = 0,
     .max = 100,
     .help = "how much more an objective gets that learns slowly; 0: equal norms"},
    {.key = "lr", .kind = PR_OPT_REAL, .dflt = "0.025", .min = 0, .max = 1, .help = "how far a weight moves in a step"},
    {.key = "ideal",
     .kind = PR_OPT_STRING,
     .dflt = "\"range\"",
     .choices = "range|list",
     .help = "where an objective's loss is 0: range, the upper ends of the declared ranges; list, ideal_at"},
    {.key = "ideal_at",
     .kind = PR_OPT_REALS,
     .dflt = "",
     .help = "a number per objective, such as what its expert reaches; of a minimised one its negative"},
    PR_HALF_LIFE_OPTION("5", "With less, one step's noise decides"),
    {0}};

const pr_weigher_t pr_weigher_gradnorm = {
    .name = "gradnorm",
    .formula = "lambda_k -+ lr |g_k| towards lambda_k |g_k| = mean of those times (r_k / mean r)^alpha, r_k the "
               "share of ideal_k - J_k that is left; sum 1",
    .help = "GradNorm (Chen et al. 2018). Lets objectives of different gradients learn at one pace; it follows no "
            "preference. An objective that cannot get near its ideal takes ever more weight; noise in a gradient "
            "counts as its norm.",
    .options = options,
    .own = true,
    .gram = true,
    .state = state_numbers,
    .begin = pr_weigh_begin_equal,
    .weigh = weigh,
    .check = check};
