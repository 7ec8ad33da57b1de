// SPDX-License-Identifier: BSD-3-Clause
/* PCGrad, gradient surgery (Yu et al. 2020, arXiv 2001.06782): from each objective's gradient what conflicts with another's
 * is projected away, one after the other in random order, and what is left is summed. The objectives here are w_k J_k, of
 * which the projections are those of J_k times w_k: equal weights are the paper's, over the number of objectives.
 *
 * Every projection is a combination of the gradients with coefficients that their inner products give, so that the sum is
 * a weighting of them. State: lambda. */
#include "learn/weigh_internal.h"

#include <math.h>

static size_t state_numbers(int k, const json_t *options)
{
    (void)options;
    return (size_t)k;
}

/* order [m]: a permutation for objective `of` at this step. */
static void shuffle(const pr_weigh_in_t *in, int of, int m, int *order)
{
    for (int i = 0; i < m; i++)
        order[i] = i;
    for (int i = m - 1; i > 0; i--) {
        int j = (int)pr_rng_below(in->key, (uint64_t)i + 1, (uint64_t)in->step, (uint64_t)of, (uint64_t)i, 0);
        int kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

/* c [m] of gradient `of` after its surgery. */
static void project(int m, const double *g, int of, const int *order, double *c)
{
    pr_vector_fill(m, 0, c);
    c[of] = 1;
    for (int n = 0; n < m; n++) {
        int j = order[n];
        double inner = 0, square = g[j * m + j];
        for (int i = 0; i < m; i++)
            inner += c[i] * g[i * m + j];
        if (j != of && inner < 0 && square > 0)
            c[j] -= inner / square;
    }
}

static void weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int at[PR_MAX_OBJECTIVES], order[PR_MAX_OBJECTIVES];
    double g[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES], c[PR_MAX_OBJECTIVES], found[PR_MAX_OBJECTIVES] = {0};
    int m = pr_gram_of(in->k, in->gram, in->w, at, g);
    if (!pr_all_finite((size_t)m * (size_t)m, g))
        found[0] = NAN;
    for (int i = 0; i < m; i++) {
        shuffle(in, at[i], m, order);
        project(m, g, i, order, c);
        for (int j = 0; j < m; j++)
            found[at[j]] += in->w[at[i]] * c[j];
    }
    pr_weigh_settle(in->k, found, state, lambda);
}

static const pr_option_t options[] = {{0}};

const pr_weigher_t pr_weigher_pcgrad = {
    .name = "pcgrad",
    .formula = "sum of w_k times g_k without what conflicts in it with the others, each projected away in random "
               "order",
    .help = "PCGrad (Yu et al. 2020). As `fixed` while gradients agree, and with less harm where they do not. "
            "Two objectives that oppose each other outright cancel; noise in small gradients looks like conflict.",
    .options = options,
    .gram = true,
    .state = state_numbers,
    .begin = pr_weigh_begin_w,
    .weigh = weigh};
