// SPDX-License-Identifier: BSD-3-Clause
/* `multislerp`: the mean direction of the experts' changes, as long as their mean length, where a weighted sum of
 * opposite or unrelated ones gets shorter (Goddard's mergekit has it; barycentric interpolation on the sphere). */
#include "policy/mix_options.h"
#include "policy/spherical.h"

#include <math.h>

static const pr_option_t options[] = {
    {.key = "normalize_weights",
     .kind = PR_OPT_BOOL,
     .dflt = "true",
     .help = "Weights of sum 1; else the merged change is as long as the weighted sum of the lengths."},
    PR_MIX_SPACE_WEIGHTS,
    PR_MIX_BLOCKS,
    {0},
};

static pr_status_t multislerp_check(const json_t *o, int n, const double *w, pr_error_t *err)
{
    for (int k = 0; w && k < n; k++)
        if (w[k] < 0)
            return pr_fail(err, PR_ERR_CONFIG, "multislerp: found the weight %g, expected weights >= 0", w[k]);
    if (pr_spherical_of_weights(o) && !pr_option_bool(o, "normalize_weights"))
        return pr_fail(err, PR_ERR_CONFIG,
                       "normalize_weights: found false beside space = \"weights\", which would scale all weights");
    return PR_OK;
}

static bool mean(const json_t *o, const pr_sphere_t *given, double *c)
{
    double w[PR_MAX_PARTS], sum = 0, length = 0;
    pr_sphere_t s = {.n = given->n, .gram = given->gram, .w = w};
    for (int k = 0; k < s.n; k++)
        sum += given->w[k];
    for (int k = 0; k < s.n; k++) {
        w[k] = given->w[k] / sum;
        length += w[k] * sqrt(fmax(s.gram[k * s.n + k], 0));
    }
    bool found = pr_sphere_step(&s, c);
    for (int k = 0; k < s.n && found; k++)
        c[k] *= pr_option_bool(o, "normalize_weights") ? length : length * sum;
    return found;
}

static pr_status_t multislerp_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    return pr_spherical_factors(mean, o, m, out, err);
}

static pr_status_t multislerp_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    return pr_spherical_change(mean, o, m, w, err);
}

static bool multislerp_alone(const json_t *o, double w, double *scale)
{
    *scale = pr_option_bool(o, "normalize_weights") ? 1 : w;
    return true;
}

/* With a base model it stops at tensors that no part changes. */
static json_t *multislerp_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)n;
    (void)blocks;
    (void)w;
    if (!pr_spherical_of_weights(o))
        return NULL;
    return json_pack("{s:s, s:b, s:{s:b}, s:b, s:{}}", "method", "multislerp", "base", 0, "parameters",
                     "normalize_weights", 1, "weight", 1, "each");
}

const pr_mix_t pr_mix_multislerp = {
    .name = "multislerp",
    .formula =
        "u = sum w_k D_k / |D_k|, of length 1, moved by the mean of the tangents there; W = W0 + u sum w_k |D_k|",
    .help = "The mean direction of the parts' changes, as long as they are on average.",
    .options = options,
    .mergekit = multislerp_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_spherical_kind,
    .of_weights = pr_spherical_of_weights,
    .check = multislerp_check,
    .alone = multislerp_alone,
    .factors = multislerp_factors,
    .change = multislerp_change,
};
