// SPDX-License-Identifier: BSD-3-Clause
/* CTWA, covariance-targeted weight adaptation (2026, arXiv 2602.06869). To first order a step changes J_j by the learning
 * rate times the covariance, within prompts, of objective j's score and the advantage that the response is trained with.
 * Where that covariance stays below its target the objective's weight grows.
 *
 * The advantage is s less its mean over its deviation, s = sum lambda_k r_k with the weights so far (the authors whiten
 * it: REINFORCE++), so that the covariance is (C lambda)_j / sqrt(lambda' C lambda): in units of score j, and the same
 * whatever lambda sums to.
 *
 * State: lambda, the logarithms u, the running covariance and whether there was one. */
#include "learn/weigh_internal.h"

#include <math.h>

static size_t state_numbers(int k, const json_t *options)
{
    (void)options;
    return (size_t)k * 4;
}

static void begin(const pr_weigh_in_t *in, double *state)
{
    pr_weigh_begin_w(in, state);
    for (int i = 0; i < in->k; i++)
        state[in->k + i] = in->w[i] > 0 ? log(in->w[i]) : 0;
}

/* covariance [k] of each score with the advantage. What is not finite in C is left out; NaN where it is the score's own. */
static void with_advantage(const pr_weigh_in_t *in, const double *lambda, double *covariance)
{
    int k = in->k;
    double variance = 0;
    for (int j = 0; j < k; j++) {
        const double *c = in->covariance + (ptrdiff_t)j * k;
        covariance[j] = 0;
        for (int i = 0; i < k; i++)
            if (lambda[i] > 0 && isfinite(c[i]))
                covariance[j] += lambda[i] * c[i];
        if (lambda[j] > 0)
            variance += lambda[j] * covariance[j];
    }
    for (int j = 0; j < k; j++)
        covariance[j] = !isfinite(in->covariance[j * k + j]) ? NAN : variance > 0 ? covariance[j] / sqrt(variance) : 0;
}

static double item(const json_t *options, const char *key, int i)
{
    return pr_option_item(options, key, pr_option_length(options, key) == 1 ? 0 : i);
}

static void weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int k = in->k;
    double *u = state + k, *running = u + k, *seen = running + k;
    double covariance[PR_MAX_OBJECTIVES], found[PR_MAX_OBJECTIVES];
    double share = pr_option_real(in->options, "share"), lr = pr_option_real(in->options, "lr");
    bool caps = pr_option_given(in->options, "caps");
    with_advantage(in, state, covariance);
    for (int j = 0; j < k; j++) {
        if (isfinite(covariance[j])) {
            running[j] = seen[j] > 0 ? (1 - share) * running[j] + share * covariance[j] : covariance[j];
            seen[j] = 1;
            bool there = caps && in->mean[j] >= item(in->options, "caps", j);
            if (!there)
                u[j] += lr * fmax(item(in->options, "targets", j) - running[j], 0);
        }
        found[j] = in->w[j] > 0 ? exp(u[j]) : 0;
    }
    pr_weigh_settle(k, found, state, lambda);
}

static pr_status_t list_or_one(int k, const json_t *options, const char *key, pr_error_t *err)
{
    return pr_option_length(options, key) == 1 ? PR_OK : pr_list_check(options, key, k, "objective, or 1", err);
}

static pr_status_t check(int k, const double *lo, const double *hi, const json_t *options, pr_error_t *err)
{
    (void)lo;
    (void)hi;
    PR_TRY(list_or_one(k, options, "targets", err));
    return list_or_one(k, options, "caps", err);
}

static const pr_option_t options[] = {
    {.key = "targets",
     .kind = PR_OPT_REALS,
     .dflt = "[0.08]",
     .help = "the covariance that each objective's score should have with the advantage, in units of the score: a "
             "number per objective, or one for all. The authors': 0.15 for accuracy, 0.08 for conciseness and "
             "clarity"},
    {.key = "caps",
     .kind = PR_OPT_REALS,
     .dflt = "",
     .help = "mean scores at which an objective's weight stops to grow: a number per objective, or one for all; of "
             "a minimised one its negative"},
    {.key = "lr", .kind = PR_OPT_REAL, .dflt = "0.05", .min = 0, .max = 1e3, .help = "how fast the weights grow"},
    {.key = "share",
     .kind = PR_OPT_REAL,
     .dflt = "0.1",
     .min = 1e-6,
     .max = 1,
     .help = "of a step's covariance in the running one"},
    {0}};

const pr_weigher_t pr_weigher_ctwa = {
    .name = "ctwa",
    .formula = "lambda = exp(u), u_k += lr max(target_k - running covariance of score k and the advantage, 0), from "
               "log w on",
    .help = "CTWA (2026, arXiv 2602.06869). Where one objective falls while the others rise, seen from the "
            "roll-outs alone at no cost. Targets are in the scores' units and need tuning; weights only grow, and "
            "with them the reward against the KL.",
    .options = options,
    .state = state_numbers,
    .begin = begin,
    .weigh = weigh,
    .check = check};
