// SPDX-License-Identifier: BSD-3-Clause
/* A hyper-network of one hidden layer per map (Navon et al. 2021): gains that need not be affine in w. It adds to the
 * base, and made of experts it begins as 0. */
#include "family/core.h"

#include <math.h>

enum { MOST_HIDDEN = 1024 };

static int hidden(const pr_core_map_t *m)
{
    return pr_option_int(m->options, "hidden");
}

/* Of each hidden unit its bias and weights [k]; then of each rank its bias and weights [hidden]. */
static size_t numbers(const pr_core_map_t *m)
{
    return (size_t)hidden(m) * (size_t)(m->k + 1) + (size_t)pr_core_ranks(m) * (size_t)(hidden(m) + 1);
}

static void begin(const pr_core_map_t *m, const pr_rng_key_t *key, uint64_t map, bool made, float *core)
{
    size_t inner = (size_t)hidden(m) * (size_t)(m->k + 1);
    double spread = made ? 0 : pr_option_real(m->options, "spread") / sqrt(hidden(m));
    for (size_t i = 0; i < numbers(m); i++)
        core[i] = (float)((i < inner ? 1 : spread) * pr_rng_normal(key, map, i, 0, 0));
}

static void units(const pr_core_map_t *m, const float *core, const double *w, double *h)
{
    for (int i = 0; i < hidden(m); i++, core += m->k + 1) {
        double x = (double)core[0];
        for (int k = 0; k < m->k; k++)
            x += (double)core[1 + k] * w[k];
        h[i] = tanh(x);
    }
}

static void at(const pr_core_map_t *m, const float *core, const double *w, double *out)
{
    double h[MOST_HIDDEN] = {0};
    int n = hidden(m);
    const float *outer = core + (ptrdiff_t)n * (m->k + 1);
    units(m, core, w, h);
    for (int j = 0; j < pr_core_ranks(m); j++, outer += n + 1) {
        out[j] = pr_core_base(m, j, w) + (double)outer[0];
        for (int i = 0; i < n; i++)
            out[j] += (double)outer[1 + i] * h[i];
    }
}

static void pull(const pr_core_map_t *m, const float *core, const double *w, const double *d, float *dcore)
{
    double h[MOST_HIDDEN] = {0}, dh[MOST_HIDDEN] = {0};
    int n = hidden(m);
    const float *outer = core + (ptrdiff_t)n * (m->k + 1);
    float *douter = dcore + (ptrdiff_t)n * (m->k + 1);
    units(m, core, w, h);
    for (int j = 0; j < pr_core_ranks(m); j++, outer += n + 1, douter += n + 1) {
        douter[0] += (float)d[j];
        for (int i = 0; i < n; i++) {
            douter[1 + i] += (float)(d[j] * h[i]);
            dh[i] += d[j] * (double)outer[1 + i];
        }
    }
    for (int i = 0; i < n; i++, dcore += m->k + 1) {
        double dx = dh[i] * (1 - h[i] * h[i]);
        dcore[0] += (float)dx;
        for (int k = 0; k < m->k; k++)
            dcore[1 + k] += (float)(dx * w[k]);
    }
}

static const pr_option_t options[] = {
    {.key = "hidden",
     .kind = PR_OPT_INT,
     .dflt = "16",
     .min = 1,
     .max = MOST_HIDDEN,
     .help = "units of the hidden layer, a tanh each"},
    PR_CORE_SPREAD(0, 100,
                   "of a new family, the standard deviation that the last layer's weights "
                   "begin with, times the root of `hidden`"),
    {0}};

const pr_core_t pr_core_mlp = {.name = "mlp",
                               .formula = "M(w) = base(w) + diag(C tanh(D w + d) + c), C, D, c and d learned",
                               .help = "A gain per rank by a network of one hidden layer (Pareto hyper-networks: Navon "
                                       "et al. 2021). Where fronts bend "
                                       "more than an affine gain follows; more to learn from the same roll-outs.",
                               .options = options,
                               .diagonal = true,
                               .numbers = numbers,
                               .begin = begin,
                               .at = at,
                               .pull = pull};
