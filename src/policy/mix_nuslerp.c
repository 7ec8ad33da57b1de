// SPDX-License-Identifier: BSD-3-Clause
/* `nuslerp`: between two experts along the great circle (Shoemake 1985, "slerp"), of whole maps, or of each map row by row or
 * column by column. */
#include "base/mem.h"
#include "policy/mix_options.h"
#include "policy/spherical.h"

#include <math.h>
#include <stdlib.h>

static const pr_option_t options[] = {
    {.key = "nuslerp_flatten",
     .kind = PR_OPT_BOOL,
     .dflt = "true",
     .help = "A map is one long vector; else it is as many as nuslerp_row_wise says."},
    {.key = "nuslerp_row_wise",
     .kind = PR_OPT_BOOL,
     .dflt = "false",
     .help = "With nuslerp_flatten = false: false takes each row of the stored tensor for a vector, true each column, "
             "which is what mergekit does by these names."},
    PR_MIX_SPACE_WEIGHTS,
    PR_MIX_BLOCKS,
    {0},
};

static pr_status_t nuslerp_check(const json_t *o, int n, const double *w, pr_error_t *err)
{
    int with = 0;
    for (int k = 0; k < n; k++) {
        with += !w || w[k] != 0;
        if (w && w[k] < 0)
            return pr_fail(err, PR_ERR_CONFIG, "nuslerp: found the weight %g, expected weights >= 0", w[k]);
    }
    if (with > 2)
        return pr_fail(err, PR_ERR_CONFIG, "nuslerp takes two experts, found %d; multislerp takes any number", with);
    if (pr_spherical_of_weights(o) && !pr_option_bool(o, "nuslerp_flatten"))
        return pr_fail(err, PR_ERR_CONFIG,
                       "nuslerp_flatten: found false beside space = \"weights\", expected space = \"deltas\"");
    return PR_OK;
}

/* c [2] for two vectors of squared lengths aa, bb and product ab; nearly parallel ones are added linearly. */
static void between(double aa, double ab, double bb, const double *w, double *c)
{
    double lengths = sqrt(fmax(aa, 0) * fmax(bb, 0)), share = w[1] / (w[0] + w[1]);
    double angle = acos(fmin(fmax(lengths > 0 ? ab / lengths : 0, -1), 1)), sine = sin(angle);
    c[0] = sine < 1e-8 ? 1 - share : sin((1 - share) * angle) / sine;
    c[1] = sine < 1e-8 ? share : sin(share * angle) / sine;
}

static bool whole(const json_t *o, const pr_sphere_t *s, double *c)
{
    (void)o;
    if (s->n == 2)
        between(s->gram[0], s->gram[1], s->gram[3], s->w, c);
    else
        c[0] = 1;
    return true;
}

/* Ranks side by side, rows of the left factors or columns of the right ones scaled, each by its own numbers. */
static pr_status_t by_vectors(const pr_mix_map_t *m, bool rows, pr_mix_factors_t *out, pr_error_t *err)
{
    static const double ones[] = {1, 1};
    size_t n = (size_t)(rows ? m->rows : m->cols), r = (size_t)m->part[0].r;
    double *aa = pr_alloc(n, sizeof *aa), *ab = pr_alloc(n, sizeof *ab), *bb = pr_alloc(n, sizeof *bb);
    const double w[] = {m->part[0].w, m->part[1].w};
    void (*inner)(const pr_mix_map_t *map, int a, int b, double *to) = rows ? pr_mix_inner_rows : pr_mix_inner_cols;
    inner(m, 0, 0, aa);
    inner(m, 0, 1, ab);
    inner(m, 1, 1, bb);
    pr_status_t status = pr_mix_sum_factors(m, ones, out, err);
    for (size_t i = 0; i < n && status == PR_OK; i++) {
        double c[2];
        between(aa[i], ab[i], bb[i], w, c);
        for (size_t j = 0; j < (size_t)out->r; j++) {
            float *x = rows ? &out->left[i * (size_t)out->r + j] : &out->right[j * n + i];
            *x = (float)(c[j >= r] * (double)*x);
        }
    }
    free(aa);
    free(ab);
    free(bb);
    return status;
}

static pr_status_t nuslerp_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    if (m->n != 2 || pr_option_bool(o, "nuslerp_flatten"))
        return pr_spherical_factors(whole, o, m, out, err);
    return by_vectors(m, !pr_option_bool(o, "nuslerp_row_wise"), out, err);
}

static pr_status_t nuslerp_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    return pr_spherical_change(whole, o, m, w, err);
}

static bool nuslerp_alone(const json_t *o, double w, double *scale)
{
    (void)o;
    (void)w;
    *scale = 1;
    return true;
}

static json_t *nuslerp_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)blocks;
    (void)w;
    if (n != 2)
        return NULL;
    return json_pack("{s:s, s:b, s:{s:O, s:O}, s:b, s:{}}", "method", "nuslerp", "base", !pr_spherical_of_weights(o),
                     "parameters", "nuslerp_flatten", json_object_get(o, "nuslerp_flatten"), "nuslerp_row_wise",
                     json_object_get(o, "nuslerp_row_wise"), "weight", 1, "each");
}

const pr_mix_t pr_mix_nuslerp = {
    .name = "nuslerp",
    .formula = "W = W0 + (sin((1 - t) a) D_1 + sin(t a) D_2) / sin a, t = w_2 / sum w, a the angle between them",
    .help = "Spherical interpolation between two parts.",
    .options = options,
    .mergekit = nuslerp_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_spherical_kind,
    .of_weights = pr_spherical_of_weights,
    .check = nuslerp_check,
    .alone = nuslerp_alone,
    .factors = nuslerp_factors,
    .change = nuslerp_change,
};
