// SPDX-License-Identifier: BSD-3-Clause
/* MGDA, the multiple-gradient descent algorithm (Desideri 2012; Sener and Koltun 2018): the combination of least norm, of
 * which no objective gets worse to first order. With `power` gradients are first divided by a power of their norms: GAPO
 * (2025) with 1 or 2, against the pull towards small gradients.
 *
 * The authors find the combination by Frank-Wolfe from the best pair on (20 iterations, 1e-5); here it is exact to rounding.
 * State: lambda. */
#include "learn/weigh_internal.h"

#include <math.h>

static size_t state_numbers(int k, const json_t *options)
{
    (void)options;
    return (size_t)k;
}

/* Divides row and column i by the norm of gradient i to the power; scale [k] what they were divided by. Gradients of norm 0
 * have no direction and get no weight: returns how many are left, `at` which. */
static int directions(int k, const double *gram, double power, int *at, double *scale, double *g)
{
    int m = 0;
    for (int i = 0; i < k; i++)
        if (power == 0 || gram[i * k + i] > 0) {
            scale[m] = power > 0 ? pow(gram[i * k + i], power / 2) : 1;
            at[m++] = i;
        }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            g[i * m + j] = gram[at[i] * k + at[j]] / (scale[i] * scale[j]);
    return m;
}

static void weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    int k = in->k, at[PR_MAX_OBJECTIVES];
    double g[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES], scale[PR_MAX_OBJECTIVES], v[PR_MAX_OBJECTIVES];
    double found[PR_MAX_OBJECTIVES] = {0};
    if (pr_all_finite((size_t)k * (size_t)k, in->gram)) {
        int m = directions(k, in->gram, pr_option_real(in->options, "power"), at, scale, g);
        if (m > 0)
            pr_simplex_min_norm(m, g, v);
        for (int i = 0; i < m; i++)
            found[at[i]] = v[i] / scale[i];
        double sum = pr_vector_sum(k, found);
        for (int i = 0; i < k; i++)
            found[i] /= sum; // without any direction: not a number, and lambda stays
        pr_weigh_settle(k, found, state, lambda);
    } else {
        found[0] = NAN;
        pr_weigh_settle(k, found, state, lambda);
    }
}

static const pr_option_t options[] = {
    {.key = "power",
     .kind = PR_OPT_REAL,
     .dflt = "0",
     .min = 0,
     .max = 2,
     .help = "gradients are divided by their norms to this power: 0 as in MGDA, 1 or 2 as in GAPO"},
    {0}};

const pr_weigher_t pr_weigher_mgda = {
    .name = "mgda",
    .formula = "lambda = the c on the simplex with the least norm of sum c_k g_k, g_k objective k's gradient",
    .help = "MGDA (Desideri 2012; Sener and Koltun 2018). A step that makes no objective worse; it follows no "
            "preference. Prefers small gradients, stops at the first point from which not all can gain, and near "
            "it sees little but noise.",
    .options = options,
    .own = true,
    .gram = true,
    .state = state_numbers,
    .begin = pr_weigh_begin_equal,
    .weigh = weigh};
