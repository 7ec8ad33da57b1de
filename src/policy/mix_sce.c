// SPDX-License-Identifier: BSD-3-Clause
/* `sce`: select, calculate, erase (Wan et al. 2024, "FuseChat"): the elements in which experts differ most, each expert by
 * the mean square of what it has there, of those with the sign of the sum. Weights only say who takes part. */
#include "base/mem.h"
#include "policy/core.h"
#include "policy/mix_options.h"
#include "policy/pick.h"

#include <stdlib.h>

static const pr_option_t options[] = {
    {.key = "select_topk",
     .kind = PR_OPT_REAL,
     .dflt = "1.0",
     .min = 0,
     .max = 1,
     .help = "The share of the elements that is kept: those of the largest variance over the parts."},
    PR_MIX_SPACE_CORE,
    PR_MIX_BLOCKS,
    {0},
};

typedef struct work {
    const pr_mix_map_t *m;
    float *tile; // [parts,PR_MIX_TILE,cols]
    double *c;   // [parts]
    uint64_t differ;
} work_t;

static float variance(const work_t *t, size_t at)
{
    size_t ld = PR_MIX_TILE * (size_t)t->m->cols;
    float mean = 0, sum = 0;
    for (int k = 0; k < t->m->n; k++)
        mean += t->tile[(size_t)k * ld + at];
    mean /= (float)t->m->n;
    for (int k = 0; k < t->m->n; k++) {
        float x = t->tile[(size_t)k * ld + at] - mean;
        sum += x * x;
    }
    return sum / (float)t->m->n;
}

static void variances(void *self, int row, int n, float *out)
{
    work_t *t = self;
    pr_mix_tiles(t->m, row, n, t->tile);
    for (size_t i = 0; i < (size_t)n * (size_t)t->m->cols; i++)
        out[i] = variance(t, i);
}

/* One pass over what is picked: first the squares into c, then what is merged into w. */
static void pass(work_t *t, pr_pick_t pick, bool all, float *w)
{
    size_t cols = (size_t)t->m->cols, ld = PR_MIX_TILE * cols;
    for (int row = 0, n; row < t->m->rows; row += n) {
        n = pr_mix_tile_rows(t->m, row);
        pr_mix_tiles(t->m, row, n, t->tile);
        for (size_t i = 0; i < (size_t)n * cols; i++) {
            if (!all && !pr_pick_takes(&pick, variance(t, i)))
                continue;
            double sum = 0, y = 0, q = 0;
            for (int k = 0; k < t->m->n; k++)
                sum += (double)t->tile[(size_t)k * ld + i];
            for (int k = 0; k < t->m->n; k++) {
                double x = (double)t->tile[(size_t)k * ld + i];
                if (!w)
                    t->c[k] += x * x;
                else if (sum >= 0 ? x > 0 : x < 0) {
                    y += t->c[k] * x;
                    q += t->c[k];
                }
            }
            if (w && q > 0)
                w[(size_t)row * cols + i] += (float)(y / q);
        }
    }
}

static void count_different(work_t *t)
{
    for (int row = 0, n; row < t->m->rows; row += n) {
        n = pr_mix_tile_rows(t->m, row);
        pr_mix_tiles(t->m, row, n, t->tile);
        for (size_t i = 0; i < (size_t)n * (size_t)t->m->cols; i++)
            t->differ += variance(t, i) > 0;
    }
}

static pr_status_t sce_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    double share = pr_option_real(o, "select_topk");
    share = m->n == 1 && share > 0 ? 1 : share;
    work_t t = {.m = m, .tile = pr_mix_tiles_new(m), .c = pr_alloc((size_t)m->n, sizeof(double))};
    pr_pick_t pick = {0, 0};
    pr_status_t status = t.tile ? PR_OK : pr_mix_no_memory(m, err);
    if (status == PR_OK && share < 1) {
        count_different(&t);
        uint64_t count = (uint64_t)(share * (double)t.differ);
        if (!pr_pick_find(m->rows, m->cols, variances, &t, 1, &count, &pick))
            status = pr_mix_no_memory(m, err);
    }
    if (status == PR_OK) {
        pass(&t, pick, share >= 1, NULL);
        pass(&t, pick, share >= 1, w);
    }
    free(t.tile);
    free(t.c);
    return status;
}

static pr_status_t sce_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    return pr_core_factors(sce_change, o, m, out, err);
}

static bool sce_alone(const json_t *o, double w, double *scale)
{
    (void)w;
    *scale = 1;
    return pr_option_real(o, "select_topk") > 0; // nobody is there to differ from
}

static json_t *sce_mergekit(const json_t *o, int n, int blocks, const double *w)
{
    (void)blocks;
    (void)w;
    if (pr_core_chosen(o) || n < 2)
        return NULL;
    return json_pack("{s:s, s:b, s:{s:O}, s:b, s:{}}", "method", "sce", "base", 1, "parameters", "select_topk",
                     json_object_get(o, "select_topk"), "weight", 0, "each");
}

const pr_mix_t pr_mix_sce = {
    .name = "sce",
    .formula = "c_k = mean of D_k^2 where the variance over k is largest; W = W0 + there sum c_k D_k / sum c_k, over "
               "the D_k with the sign of their sum",
    .help = "What the parts differ in most, by how much each changes there. Weights say who takes part, and no more: "
            "it is one point, not a front.",
    .options = options,
    .mergekit = sce_mergekit,
    .blocks = pr_mix_option_blocks,
    .kind = pr_core_kind,
    .alone = sce_alone,
    .factors = sce_factors,
    .change = sce_change,
};
