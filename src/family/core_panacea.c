// SPDX-License-Identifier: BSD-3-Clause
/* Panacea (Zhong et al. 2024, arXiv 2402.02030): W0 + U diag(sigma_1..r, s w_1..K) V, with sigma and the scalar s of each
 * map learned from 0 on. The base does not fit, as a family begins as the base model: M(0) = 0. A family that is made of
 * experts has sigma = 1 and s = 1 instead. */
#include "family/core.h"

static void ranks(int r, const char *module, const json_t *options, int *block, int *shared)
{
    (void)module;
    (void)options;
    *block = 1;
    *shared = r;
}

static double spread(const json_t *options)
{
    return pr_option_real(options, "spread");
}

/* s, then sigma of the shared ranks. */
static size_t numbers(const pr_core_map_t *m)
{
    return 1 + (size_t)(m->first[m->k + 1] - m->first[m->k]);
}

static void begin(const pr_core_map_t *m, const pr_rng_key_t *key, uint64_t map, bool made, float *core)
{
    (void)key;
    (void)map;
    for (size_t i = 0; i < numbers(m); i++)
        core[i] = made ? 1 : 0;
}

static void at(const pr_core_map_t *m, const float *core, const double *w, double *out)
{
    int shared = m->first[m->k];
    for (int j = 0; j < pr_core_ranks(m); j++)
        out[j] = j < shared ? (double)core[0] * pr_core_base(m, j, w) : (double)core[1 + j - shared];
}

static void pull(const pr_core_map_t *m, const float *core, const double *w, const double *d, float *dcore)
{
    int shared = m->first[m->k];
    double ds = 0;
    (void)core;
    for (int j = 0; j < shared; j++)
        ds += d[j] * pr_core_base(m, j, w);
    dcore[0] += (float)ds;
    for (int j = shared; j < pr_core_ranks(m); j++)
        dcore[1 + j - shared] += (float)d[j];
}

static const pr_option_t options[] = {
    PR_CORE_SPREAD(
        1e-6, 1e3,
        "standard deviation that B's entries begin with. With 1 a step of the optimizer on sigma moves the policy as "
        "one on an adapter's B does; the paper's 0.02 needs a lora.alpha in the hundreds to move at all"),
    {0}};

const pr_core_t pr_core_panacea = {
    .name = "panacea",
    .formula = "M(w) = diag(s w_1 .. s w_K, sigma_1 .. sigma_r), s and sigma learned",
    .help =
        "One rank per objective beside lora.r shared ones, in the manner of a singular value decomposition (Panacea: "
        "Zhong et al. 2024). The smallest conditioned policy; w moves it along K directions of weights only.",
    .options = options,
    .diagonal = true,
    .ranks = ranks,
    .spread = spread,
    .numbers = numbers,
    .begin = begin,
    .at = at,
    .pull = pull};
