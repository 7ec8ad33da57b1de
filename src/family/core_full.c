// SPDX-License-Identifier: BSD-3-Clause
/* A matrix between the factors, affine in w (PBLoRA in PARM: Lin et al. 2025, whose matrix is the preference's block of
 * this one). */
#include "family/core.h"

#include <math.h>

static size_t square(const pr_core_map_t *m)
{
    return (size_t)pr_core_ranks(m) * (size_t)pr_core_ranks(m);
}

/* M_0, then M_1 .. M_K. */
static size_t numbers(const pr_core_map_t *m)
{
    return square(m) * (size_t)(m->k + 1);
}

static void begin(const pr_core_map_t *m, const pr_rng_key_t *key, uint64_t map, bool made, float *core)
{
    size_t r = (size_t)pr_core_ranks(m);
    double spread = made ? 0 : pr_option_real(m->options, "spread") / sqrt((double)r);
    for (size_t i = 0; i < numbers(m); i++)
        core[i] = i < square(m) ? 0 : (float)(spread * pr_rng_normal(key, map, i, 0, 0));
    for (size_t j = 0; j < r; j++)
        core[(size_t)pr_core_term(m, (int)j) * square(m) + j * (r + 1)] += 1;
}

static void at(const pr_core_map_t *m, const float *core, const double *w, double *out)
{
    size_t n = square(m);
    for (size_t i = 0; i < n; i++) {
        out[i] = (double)core[i];
        for (int k = 0; k < m->k; k++)
            out[i] += w[k] * (double)core[(size_t)(k + 1) * n + i];
    }
}

static void pull(const pr_core_map_t *m, const float *core, const double *w, const double *d, float *dcore)
{
    size_t n = square(m);
    (void)core;
    for (size_t i = 0; i < n; i++) {
        dcore[i] += (float)d[i];
        for (int k = 0; k < m->k; k++)
            dcore[(size_t)(k + 1) * n + i] += (float)(w[k] * d[i]);
    }
}

static const pr_option_t options[] = {
    PR_CORE_SPREAD(
        0, 100,
        "of a new family, the standard deviation that the entries of M_1 .. M_K begin with, times the root of R"),
    {0}};

const pr_core_t pr_core_full = {.name = "full",
                                .formula = "M(w) = M_0 + sum_k w_k M_k, all of them learned",
                                .help = "Whole matrices between the factors, affine in w (as PBLoRA: Lin et al. 2025, "
                                        "PARM). Of experts it may learn how "
                                        "each one's directions serve the others; (K + 1) R^2 numbers per map.",
                                .options = options,
                                .numbers = numbers,
                                .begin = begin,
                                .at = at,
                                .pull = pull};
