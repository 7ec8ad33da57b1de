// SPDX-License-Identifier: BSD-3-Clause
/* Norms of rows whose features are split over the columns, and other helpers of the forward and backward passes. */
#include "model/kernels.h"
#include "model/transformer_internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static float *stat_of(const pr_run_t *run, int which)
{
    assert(run->stat);
    return run->stat + (size_t)which * (size_t)run->block;
}

/* Mean (LayerNorm; else NULL) and 1/deviation of the rows; the mean first, as a sum of squares would lose digits. */
static const float *row_stats(const pr_run_t *run, int n, const float *x, float **scale)
{
    const pr_linalg_t *la = run->la;
    const pr_model_config_t *c = &run->m->config;
    float *mean = c->arch == PR_ARCH_GPT2 ? stat_of(run, 0) : NULL, *s = stat_of(run, 1);
    assert(n <= run->block);
    if (mean) {
        pr_k_row_sums(n, run->d, x, mean);
        la->sum(la, mean, (size_t)n);
        for (int i = 0; i < n; i++)
            mean[i] /= (float)c->d_model;
    }
    pr_k_row_squares(n, run->d, x, mean, s);
    la->sum(la, s, (size_t)n);
    for (int i = 0; i < n; i++)
        s[i] = 1.0f / sqrtf(s[i] / (float)c->d_model + (float)c->norm_eps);
    *scale = s;
    return mean;
}

void pr_norm_forward(const pr_run_t *run, int n, const float *w, const float *b, const float *x, float *y)
{
    float *scale;
    const float *mean = row_stats(run, n, x, &scale);
    pr_k_norm_apply(n, run->d, x, mean, scale, w, b, y);
}

void pr_norm_backward(const pr_run_t *run, int n, const float *w, const float *x, const float *dy, float *dx, float *dw,
                      float *db)
{
    float *scale, d = (float)run->m->config.d_model;
    const float *mean = row_stats(run, n, x, &scale);
    float *c0 = mean ? stat_of(run, 2) : NULL, *c1 = stat_of(run, 2) + (mean ? n : 0); // one sum for both
    pr_k_norm_backward_sums(n, run->d, x, mean, w, dy, c0, c1);
    run->la->sum(run->la, stat_of(run, 2), (size_t)n * (mean ? 2 : 1));
    for (int i = 0; i < n; i++) {
        if (c0)
            c0[i] /= d;
        c1[i] *= scale[i] * scale[i] / d;
    }
    pr_k_norm_backward_apply(n, run->d, x, mean, scale, w, dy, c0, c1, dx, dw, db);
}

void pr_activate_rows(const pr_run_t *run, int n, const float *gate, const float *up, float *h, int ldh)
{
    pr_act_t act = run->m->config.act;
    size_t ff = (size_t)run->ff, ld = (size_t)run->ff_ld;
    if (ff == ld && ldh == run->ff) {
        pr_k_activate(act, (int64_t)n * run->ff, gate, up, h);
        return;
    }
    for (size_t r = 0; r < (size_t)n; r++)
        pr_k_activate(act, run->ff, gate ? gate + r * ld : NULL, up + r * ld, h + r * (size_t)ldh);
}

void pr_activate_rows_backward(const pr_run_t *run, int n, const float *gate, const float *up, float *dgate, float *dup)
{
    pr_act_t act = run->m->config.act;
    size_t ff = (size_t)run->ff, ld = (size_t)run->ff_ld;
    if (ff == ld) {
        pr_k_activate_backward(act, (int64_t)n * run->ff, gate, up, dup, dgate, dup);
        return;
    }
    for (size_t r = 0; r < (size_t)n; r++)
        pr_k_activate_backward(act, run->ff, gate + r * ld, up + r * ld, dup + r * ld, dgate + r * ld, dup + r * ld);
}

void pr_zero_columns(int n, int first, int last, float *x, int ldx)
{
    for (int r = 0; last > first && r < n; r++)
        memset(x + (size_t)r * (size_t)ldx + first, 0, (size_t)(last - first) * sizeof *x);
}
