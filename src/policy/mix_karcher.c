// SPDX-License-Identifier: BSD-3-Clause
/* `karcher`: the direction whose weighted squared angles to the experts' are least (Karcher 1977, the Riemannian centre of
 * mass), as long as their mean length. */
#include "policy/mix_options.h"
#include "policy/spherical.h"

#include <math.h>

static const pr_option_t options[] = {
    {.key = "max_iter",
     .kind = PR_OPT_INT,
     .dflt = "10",
     .min = 1,
     .max = 10000,
     .help = "Steps at most towards the mean."},
    {.key = "tol",
     .kind = PR_OPT_REAL,
     .dflt = "1e-5",
     .min = 1e-15,
     .max = 1,
     .help = "A step shorter than this, in radians, is the last."},
    PR_MIX_SPACE_WEIGHTS,
    PR_MIX_BLOCKS,
    {0},
};

static pr_status_t karcher_check(const json_t *o, int n, const double *w, pr_error_t *err)
{
    (void)o;
    for (int k = 0; w && k < n; k++)
        if (w[k] < 0)
            return pr_fail(err, PR_ERR_CONFIG, "karcher: found the weight %g, expected weights >= 0", w[k]);
    return PR_OK;
}

/* Parts that leave a map as it is have no direction, and no part in the mean. */
static bool mean(const json_t *o, const pr_sphere_t *given, double *c)
{
    double w[PR_MAX_PARTS], sum = 0, length = 0;
    pr_sphere_t s = {.n = given->n, .gram = given->gram, .w = w};
    for (int k = 0; k < s.n; k++) {
        w[k] = s.gram[k * s.n + k] > 0 ? given->w[k] : 0;
        sum += w[k];
    }
    for (int k = 0; k < s.n && sum > 0; k++) {
        w[k] /= sum;
        length += w[k] * sqrt(fmax(s.gram[k * s.n + k], 0));
    }
    bool found = pr_sphere_karcher(&s, pr_option_int(o, "max_iter"), pr_option_real(o, "tol"), c);
    for (int k = 0; k < s.n && found; k++)
        c[k] *= length;
    return found;
}

static pr_status_t karcher_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    return pr_spherical_factors(mean, o, m, out, err);
}

static pr_status_t karcher_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    return pr_spherical_change(mean, o, m, w, err);
}

static bool karcher_alone(const json_t *o, double w, double *scale)
{
    (void)o;
    (void)w;
    *scale = 1;
    return true;
}

/* It has no weights, and whole weights only. */
static json_t *karcher_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    bool equal = true;
    for (int i = 0; i < n * blocks; i++)
        equal = equal && w[i] == w[0];
    if (!pr_spherical_of_weights(o) || !equal)
        return NULL;
    return json_pack("{s:s, s:b, s:{s:O, s:O}, s:b, s:{}}", "method", "karcher", "base", 0, "parameters", "max_iter",
                     json_object_get(o, "max_iter"), "tol", json_object_get(o, "tol"), "weight", 0, "each");
}

const pr_mix_t pr_mix_karcher = {
    .name = "karcher",
    .formula = "u of length 1 with the least sum w_k angle(u, D_k)^2; W = W0 + u sum w_k |D_k| / sum w",
    .help = "The direction in the middle of the parts' changes on the sphere, as long as they are on average.",
    .options = options,
    .mergekit = karcher_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_spherical_kind,
    .of_weights = pr_spherical_of_weights,
    .check = karcher_check,
    .alone = karcher_alone,
    .factors = karcher_factors,
    .change = karcher_change,
};
