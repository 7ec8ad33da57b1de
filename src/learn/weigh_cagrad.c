// SPDX-License-Identifier: BSD-3-Clause
/* CAGrad, conflict-averse gradient descent (Liu et al. 2021, arXiv 2110.14048): of all steps within c |g_0| of the mean
 * gradient g_0 the one that helps the worst-served objective most. That is g_0 + c |g_0| g_v / |g_v| with the v on the
 * simplex that makes <g_v, g_0> + c |g_0| |g_v| least. Here g_0 = sum w_k g_k; equal weights are the paper's.
 *
 * Where the gradients have a combination of norm 0, |g_v| would divide by it: a hundred-millionth of the mean squared norm
 * is added to |g_v|^2, as the authors add 1e-8 or 1e-4. State: lambda. */
#include "learn/weigh_internal.h"

#include <math.h>

static size_t state_numbers(int k, const json_t *options)
{
    (void)options;
    return (size_t)k;
}

static double inner(int m, const double *g, const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            sum += a[i] * g[i * m + j] * b[j];
    return sum;
}

static double shrink(const json_t *options, double c)
{
    const char *word = pr_option_string(options, "rescale");
    return *word == 'l' ? 1 + c : *word == 's' ? 1 + c * c : 1;
}

/* found [m] for weights w [m]. */
static void averse(int m, const double *g, const double *w, double c, double *found)
{
    double b[PR_MAX_OBJECTIVES], v[PR_MAX_OBJECTIVES], soft = 0;
    for (int i = 0; i < m; i++) {
        soft += 1e-8 * g[i * m + i] / m;
        b[i] = 0;
        for (int j = 0; j < m; j++)
            b[i] += g[i * m + j] * w[j];
        found[i] = w[i];
    }
    if (m == 1) // nothing to be averse to, to the digit
        found[0] *= 1 + c;
    double radius = m > 1 ? c * sqrt(fmax(inner(m, g, w, w), 0)) : 0;
    if (!(soft > 0) || !(radius > 0))
        return;
    pr_simplex_averse(m, g, b, radius, soft, v);
    double factor = radius / sqrt(fmax(inner(m, g, v, v), 0) + soft);
    for (int i = 0; i < m; i++)
        found[i] += factor * v[i];
}

static void weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int at[PR_MAX_OBJECTIVES];
    double g[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES], w[PR_MAX_OBJECTIVES], part[PR_MAX_OBJECTIVES];
    double found[PR_MAX_OBJECTIVES] = {0}, c = pr_option_real(in->options, "c");
    int m = pr_gram_of(in->k, in->gram, in->w, at, g);
    if (pr_all_finite((size_t)m * (size_t)m, g)) {
        for (int i = 0; i < m; i++)
            w[i] = in->w[at[i]];
        averse(m, g, w, c, part);
        for (int i = 0; i < m; i++)
            found[at[i]] = part[i] / shrink(in->options, c);
    } else {
        found[0] = NAN;
    }
    pr_weigh_settle(in->k, found, state, lambda);
}

static const pr_option_t options[] = {
    {.key = "c",
     .kind = PR_OPT_REAL,
     .dflt = "0.5",
     .min = 0,
     .max = 10,
     .help = "how far the step may be from that of the weights, in units of its norm: 0 is `fixed`, large is mgda"},
    {.key = "rescale",
     .kind = PR_OPT_STRING,
     .dflt = "\"linear\"",
     .choices = "linear|square|none",
     .help = "what the step is divided by: linear, 1 + c, so that gradients that agree give the step of the "
             "weights; square, 1 + c^2; none. The authors have both"},
    {0}};

const pr_weigher_t pr_weigher_cagrad = {
    .name = "cagrad",
    .formula = "(g_0 + c |g_0| g_v / |g_v|) / (1 + c), g_0 = sum w_k g_k, v on the simplex with the least <g_v, g_0> "
               "+ c |g_0| |g_v|",
    .help = "CAGrad (Liu et al. 2021). Between `fixed` and mgda: still climbs the weighted sum, and helps the "
            "objective that it serves worst. Where objectives oppose each other outright little is left but "
            "noise.",
    .options = options,
    .gram = true,
    .state = state_numbers,
    .begin = pr_weigh_begin_w,
    .weigh = weigh};
