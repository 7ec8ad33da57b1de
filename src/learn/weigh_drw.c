// SPDX-License-Identifier: BSD-3-Clause
/* Dynamic reward weighting (Lu et al. 2025, arXiv 2509.11452), both of its methods.
 *
 * drw_hv: the policy is evaluated on the validation prompts, and the whole reward is multiplied by .5 + 1.5 tanh of the
 * hypervolume that this adds to what earlier ones reached, from the base model's scores as reference. A factor of the whole
 * reward cancels in advantages that are divided by their deviation (grpo, gdpo), and nearly in AdamW; what is
 * left of it is a weight of the reward against the KL.
 *
 * drw_grad: an objective gains weight as its gradient agrees with the sum of all, log w_k += eta <g_k, sum_j g_j>, with
 * eta the paper's learning rate over its mu.
 *
 * State of drw_hv: whether there is a reference, the factor, how many points are kept, which comes next; the reference;
 * the points. State of drw_grad: lambda, the logarithms. */
#include "base/mem.h"
#include "learn/weigh_internal.h"
#include "pareto/dominance.h"
#include "pareto/hv_estimate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- hypervolume ---- */

enum { HEAD = 3 };
/* About a tenth of a second for one validation; then the estimate, whose samples are a function of the points. */
static const double EXACT_STEPS = 1e8, ESTIMATE_STEPS = 3e7;

static size_t hv_state(int k, const json_t *options)
{
    return HEAD + (size_t)k * (size_t)(1 + pr_option_int(options, "points"));
}

static void hv_begin(const pr_weigh_in_t *in, double *state)
{
    (void)in;
    state[1] = 1;
}

/* How much volume x [k] adds to points [n,k] from the reference on: its own box less what they cover of it. */
static double hv_gain(int n, int k, const double *points, const double *reference, const double *x)
{
    double box = 1, *clipped = pr_alloc((size_t)n * (size_t)k, sizeof *clipped);
    pr_hv_estimate_t covered = {0};
    for (int j = 0; j < k; j++)
        box *= fmax(x[j] - reference[j], 0);
    for (int i = 0; i < n * k; i++)
        clipped[i] = fmin(points[i], x[i % k]);
    if (box > 0 && n > 0)
        pr_hv_exact_or_estimate(clipped, (size_t)n, k, reference, EXACT_STEPS, 1e-4, ESTIMATE_STEPS, NULL, NULL,
                                &covered);
    free(clipped);
    return fmax(box - covered.volume, 0);
}

/* Points that x dominates go; where there is no room, the oldest does. */
static int hv_keep(int n, int room, int k, double *points, const double *x)
{
    int left = 0;
    size_t row = (size_t)k * sizeof *x;
    for (int i = 0; i < n; i++)
        if (!pr_weakly_dominates(x, points + (ptrdiff_t)i * k, k))
            memmove(points + (ptrdiff_t)left++ * k, points + (ptrdiff_t)i * k, row);
    if (left == room)
        memmove(points, points + k, (size_t)--left * row);
    memcpy(points + (ptrdiff_t)left * k, x, row);
    return left + 1;
}

static void hv_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int k = in->k, n = (int)state[2];
    double *reference = state + HEAD, *points = reference + k;
    const double *x = in->validation;
    if (x && pr_all_finite((size_t)k, x)) {
        if (state[0] > 0) {
            double gain = hv_gain(n, k, points, reference, x);
            state[1] = pr_option_real(in->options, "least") + pr_option_real(in->options, "swing") * tanh(gain);
            if (gain > 0)
                n = hv_keep(n, pr_option_int(in->options, "points"), k, points, x);
        } else {
            memcpy(reference, x, (size_t)k * sizeof *x);
            state[0] = 1;
        }
        state[2] = n;
    }
    for (int i = 0; i < k; i++)
        lambda[i] = in->w[i] * state[1];
}

static const pr_option_t hv_options[] = {
    {.key = "every",
     .kind = PR_OPT_INT,
     .dflt = "1",
     .min = 1,
     .max = 1e6,
     .help = "steps between validations; the factor stays until the next"},
    {.key = "least",
     .kind = PR_OPT_REAL,
     .dflt = "0.5",
     .min = 0,
     .max = 100,
     .help = "the factor where nothing is gained"},
    {.key = "swing", .kind = PR_OPT_REAL, .dflt = "1.5", .min = 0, .max = 100, .help = "what a large gain adds to it"},
    {.key = "points",
     .kind = PR_OPT_INT,
     .dflt = "64",
     .min = 1,
     .max = 256,
     .help = "how many non-dominated validations are remembered"},
    {0}};

const pr_weigher_t pr_weigher_drw_hv = {
    .name = "drw_hv",
    .formula = "lambda = w (least + swing tanh(hypervolume that the latest validation adds to those before it)); 1 "
               "for the base model's own, which is the reference",
    .help = "Hypervolume-guided dynamic reward weighting (Lu et al. 2025). A validation pass every step. Every "
            "objective gets the same factor, so that under grpo and gdpo it changes nothing, and under rloo only "
            "the reward's weight against the KL.",
    .options = hv_options,
    .validation = true,
    .state = hv_state,
    .begin = hv_begin,
    .weigh = hv_weigh};

/* ---- gradients ---- */

static size_t grad_state(int k, const json_t *options)
{
    (void)options;
    return (size_t)k * 2;
}

/* An objective of weight 0 has -INFINITY for its logarithm in the formula; here it is left out, as JSON has no such
 * number. */
static void grad_begin(const pr_weigh_in_t *in, double *state)
{
    pr_weigh_begin_w(in, state);
    for (int i = 0; i < in->k; i++)
        state[in->k + i] = in->w[i] > 0 ? log(in->w[i]) : 0;
}

static void grad_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int k = in->k;
    double *logs = state + k, next[PR_MAX_OBJECTIVES], found[PR_MAX_OBJECTIVES] = {0}, most = -INFINITY, sum = 0;
    double eta = pr_option_real(in->options, "eta");
    for (int i = 0; i < k; i++) {
        next[i] = logs[i];
        for (int j = 0; j < k; j++)
            if (in->w[i] > 0 && in->w[j] > 0)
                next[i] += eta * in->gram[i * k + j];
        if (in->w[i] > 0)
            most = fmax(most, next[i]);
    }
    for (int i = 0; i < k; i++)
        if (in->w[i] > 0)
            sum += found[i] = exp(next[i] - most);
    for (int i = 0; i < k; i++)
        found[i] /= sum;
    if (pr_all_finite((size_t)k, found) && pr_all_finite((size_t)k, next))
        for (int i = 0; i < k; i++)
            logs[i] = in->w[i] > 0 ? next[i] - most : 0;
    else
        found[0] = NAN;
    pr_weigh_settle(k, found, state, lambda);
}

static const pr_option_t grad_options[] = {
    {.key = "eta",
     .kind = PR_OPT_REAL,
     .dflt = "0.1",
     .min = 0,
     .max = 1e6,
     .help = "how fast the logarithms of the weights change; the authors' 1e-6 / 1e-5"},
    {0}};

const pr_weigher_t pr_weigher_drw_grad = {
    .name = "drw_grad",
    .formula = "lambda = softmax(log lambda + eta times the inner products of each objective's gradient with their "
               "sum), from w on",
    .help = "Gradient-based dynamic reward weighting (Lu et al. 2025). Follows the objective from which all gain "
            "most at the time. The rich get richer: nothing keeps a weight from going to 0, and the scores' units say "
            "how fast.",
    .options = grad_options,
    .gram = true,
    .state = grad_state,
    .begin = grad_begin,
    .weigh = grad_weigh};
