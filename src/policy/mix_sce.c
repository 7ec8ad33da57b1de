// SPDX-License-Identifier: BSD-3-Clause
/* `sce`: select, calculate, erase (Wan et al. 2024, "FuseChat"): the elements in which experts differ most, each expert by
 * the mean square of what it has there, of those with the sign of the sum. Weights only say who takes part. */
#include "base/mem.h"
#include "model/kernels_exp.h"
#include "policy/core_space.h"
#include "policy/mix_options.h"
#include "policy/pick.h"

#include <stdlib.h>
#include <string.h>

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
    float *tile;     // [parts,PR_MIX_TILE,cols]
    float *variance; // [PR_MIX_TILE,cols]
    bool *takes;     // [PR_MIX_TILE,cols]
    double *c;       // [parts]
} work_t;

static float *rows_of(const work_t *t, int part)
{
    return t->tile + (size_t)part * PR_MIX_TILE * (size_t)t->m->cols;
}

/* out [n] += (x [n] - mean)^2 / parts. */
PR_CLONES static void add_square(size_t n, float parts, const float *x, const float *mean, float *out)
{
    PR_SIMD
    for (size_t i = 0; i < n; i++)
        out[i] += (x[i] - mean[i]) * (x[i] - mean[i]) / parts;
}

PR_CLONES static void add_mean(size_t n, float parts, const float *x, float *mean)
{
    PR_SIMD
    for (size_t i = 0; i < n; i++)
        mean[i] += x[i] / parts;
}

/* Makes the next rows of all parts, and out, their variances. */
static void variances(void *self, int row, int n, float *out)
{
    work_t *t = self;
    size_t size = (size_t)n * (size_t)t->m->cols;
    float *mean = t->variance; // a row of a tile is asked for either here or by pass
    pr_mix_tiles(t->m, row, n, t->tile);
    memset(mean, 0, size * sizeof *mean);
    memset(out, 0, size * sizeof *out);
    for (int k = 0; k < t->m->n; k++)
        add_mean(size, (float)t->m->n, rows_of(t, k), mean);
    for (int k = 0; k < t->m->n; k++)
        add_square(size, (float)t->m->n, rows_of(t, k), mean, out);
}

/* What the parts say of an element that is kept: its squares into c, or what is merged of it. */
static void add_squares(work_t *t, size_t at)
{
    for (int k = 0; k < t->m->n; k++)
        t->c[k] += (double)rows_of(t, k)[at] * (double)rows_of(t, k)[at];
}

static float merged_of(const work_t *t, size_t at)
{
    double sum = 0, y = 0, q = 0;
    for (int k = 0; k < t->m->n; k++)
        sum += (double)rows_of(t, k)[at];
    for (int k = 0; k < t->m->n; k++) {
        double x = (double)rows_of(t, k)[at];
        if (sum >= 0 ? x > 0 : x < 0) {
            y += t->c[k] * x;
            q += t->c[k];
        }
    }
    return q > 0 ? (float)(y / q) : 0;
}

/* One pass over what is picked (NULL: all): first the squares into c, then what is merged into w. */
static void pass(work_t *t, const pr_pick_t *pick, float *of_rows, float *w)
{
    size_t cols = (size_t)t->m->cols;
    pr_pick_t left = pick ? *pick : (pr_pick_t){0, 0};
    for (int row = 0, n; row < t->m->rows; row += n) {
        n = pr_mix_tile_rows(t->m, row);
        if (pick) {
            variances(t, row, n, of_rows);
            pr_pick_takes(&left, n * (int)cols, of_rows, t->takes);
        } else {
            pr_mix_tiles(t->m, row, n, t->tile);
        }
        for (size_t i = 0; i < (size_t)n * cols; i++) {
            if (pick && !t->takes[i])
                continue;
            if (w)
                w[(size_t)row * cols + i] += merged_of(t, i);
            else
                add_squares(t, i);
        }
    }
}

static uint64_t count_different(work_t *t, float *of_rows)
{
    uint64_t differ = 0;
    for (int row = 0, n; row < t->m->rows; row += n) {
        n = pr_mix_tile_rows(t->m, row);
        variances(t, row, n, of_rows);
        for (size_t i = 0; i < (size_t)n * (size_t)t->m->cols; i++)
            differ += of_rows[i] > 0;
    }
    return differ;
}

static pr_status_t sce_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)
{
    double share = pr_option_real(o, "select_topk");
    size_t size = PR_MIX_TILE * (size_t)m->cols;
    work_t t = {.m = m, .tile = pr_mix_tiles_new(m), .c = pr_alloc((size_t)m->n, sizeof(double))};
    float *of_rows = pr_alloc_matrix(size, sizeof *of_rows);
    pr_pick_t pick = {0, 0};
    share = m->n == 1 && share > 0 ? 1 : share;
    t.variance = pr_alloc_matrix(size, sizeof *t.variance);
    t.takes = pr_alloc(size, sizeof *t.takes);
    bool room = t.tile && of_rows && t.variance;
    if (room && share < 1) {
        uint64_t count = (uint64_t)(share * (double)count_different(&t, of_rows));
        room = pr_pick_find(m->rows, m->cols, variances, &t, 1, &count, &pick);
    }
    if (room) {
        pass(&t, share < 1 ? &pick : NULL, of_rows, NULL);
        pass(&t, share < 1 ? &pick : NULL, of_rows, w);
    }
    free(of_rows);
    free(t.variance);
    free(t.takes);
    free(t.tile);
    free(t.c);
    return room ? PR_OK : pr_mix_no_memory(m, err);
}

static pr_status_t sce_factors(const json_t *o, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err)
{
    return pr_core_space_factors(sce_change, o, m, out, err);
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
    if (pr_core_space_chosen(o) || n < 2)
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
    .kind = pr_core_space_kind,
    .alone = sce_alone,
    .factors = sce_factors,
    .change = sce_change,
};
