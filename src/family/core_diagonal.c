// SPDX-License-Identifier: BSD-3-Clause
/* The smallest hyper-network (Navon et al. 2021, "Learning the Pareto front with hypernetworks"): every rank's gain is
 * affine in w. */
#include "family/core.h"

/* Of each rank alpha, then beta [k]. */
static size_t numbers(const pr_core_map_t *m)
{
    return (size_t)pr_core_ranks(m) * (size_t)(m->k + 1);
}

/* Of a new family B is 0, so that gains may begin anywhere; where they begin alike, nothing tells preferences apart but
 * what beta has learned, which takes long. */
static void begin(const pr_core_map_t *m, const pr_rng_key_t *key, uint64_t map, bool made, float *core)
{
    double spread = made ? 0 : pr_option_real(m->options, "spread");
    for (int j = 0; j < pr_core_ranks(m); j++, core += m->k + 1) {
        for (int i = 0; i <= m->k; i++)
            core[i] = (float)(spread * (i > 0 ? pr_rng_normal(key, map, (uint64_t)j, (uint64_t)i, 0) : 0));
        core[pr_core_term(m, j)] = 1;
    }
}

static void at(const pr_core_map_t *m, const float *core, const double *w, double *out)
{
    for (int j = 0; j < pr_core_ranks(m); j++, core += m->k + 1) {
        out[j] = (double)core[0];
        for (int k = 0; k < m->k; k++)
            out[j] += (double)core[1 + k] * w[k];
    }
}

static void pull(const pr_core_map_t *m, const float *core, const double *w, const double *d, float *dcore)
{
    (void)core;
    for (int j = 0; j < pr_core_ranks(m); j++, dcore += m->k + 1) {
        dcore[0] += (float)d[j];
        for (int k = 0; k < m->k; k++)
            dcore[1 + k] += (float)(d[j] * w[k]);
    }
}

static const pr_option_t options[] = {
    PR_CORE_SPREAD(
        0, 100,
        "of a new family, the standard deviation that beta begins with; with 0 it begins as one plain adapter for "
        "all preferences, and learns slowly to tell them apart"),
    {0}};

const pr_core_t pr_core_diagonal = {.name = "diagonal",
                                    .formula = "M(w) = diag(alpha_j + sum_k beta_jk w_k), alpha and beta learned",
                                    .help = "A gain per rank that is affine in w: the smallest hyper-network.",
                                    .options = options,
                                    .diagonal = true,
                                    .numbers = numbers,
                                    .begin = begin,
                                    .at = at,
                                    .pull = pull};
