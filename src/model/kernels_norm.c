// SPDX-License-Identifier: BSD-3-Clause
/* Norms, row helpers and rotary positions. */
#include "model/kernels.h"
#include "model/kernels_exp.h"

#include <math.h>

PR_INLINE float dot(int n, const float *a, const float *b)
{
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (int i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

PR_INLINE float sum(int n, const float *a)
{
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (int i = 0; i < n; i++)
        s += a[i];
    return s;
}

PR_CLONES void pr_k_rms_norm(int n, int d, const float *x, int ldx, const float *w, float eps, float *y, int ldy)
{
    for (int row = 0; row < n; row++, x += ldx, y += ldy) {
        float r = 1.0f / sqrtf(dot(d, x, x) / (float)d + eps);
        PR_SIMD
        for (int i = 0; i < d; i++)
            y[i] = x[i] * r * w[i];
    }
}

PR_CLONES void pr_k_rms_norm_backward(int n, int d, const float *x, int ldx, const float *w, float eps, const float *dy,
                                      int lddy, float *dx, int lddx, float *dw)
{
    for (int row = 0; row < n; row++, x += ldx, dy += lddy, dx += lddx) {
        float ss = 0, c = 0;
#pragma omp simd reduction(+ : ss, c)
        for (int i = 0; i < d; i++) {
            ss += x[i] * x[i];
            c += dy[i] * w[i] * x[i];
        }
        float r = 1.0f / sqrtf(ss / (float)d + eps);
        c *= r * r / (float)d;
        if (dw) {
            PR_SIMD
            for (int i = 0; i < d; i++)
                dw[i] += dy[i] * x[i] * r;
        }
        PR_SIMD
        for (int i = 0; i < d; i++)
            dx[i] = r * (dy[i] * w[i] - x[i] * c);
    }
}

PR_CLONES void pr_k_row_sums(int n, int d, const float *x, float *s)
{
    for (int row = 0; row < n; row++, x += d)
        s[row] = sum(d, x);
}

PR_CLONES void pr_k_row_squares(int n, int d, const float *x, const float *mean, float *s)
{
    for (int row = 0; row < n; row++, x += d) {
        if (!mean) {
            s[row] = dot(d, x, x);
            continue;
        }
        float m = mean[row], v = 0;
#pragma omp simd reduction(+ : v)
        for (int i = 0; i < d; i++)
            v += (x[i] - m) * (x[i] - m);
        s[row] = v;
    }
}

PR_CLONES void pr_k_norm_apply(int n, int d, const float *x, const float *mean, const float *scale, const float *w,
                               const float *b, float *y)
{
    for (int row = 0; row < n; row++, x += d, y += d) {
        float m = mean ? mean[row] : 0.0f, r = scale[row];
        if (b) {
            PR_SIMD
            for (int i = 0; i < d; i++)
                y[i] = (x[i] - m) * r * w[i] + b[i];
        } else {
            PR_SIMD
            for (int i = 0; i < d; i++)
                y[i] = (x[i] - m) * r * w[i];
        }
    }
}

PR_CLONES void pr_k_norm_backward_sums(int n, int d, const float *x, const float *mean, const float *w, const float *dy,
                                       float *c0, float *c1)
{
    for (int row = 0; row < n; row++, x += d, dy += d) {
        float m = mean ? mean[row] : 0.0f, s0 = 0, s1 = 0;
#pragma omp simd reduction(+ : s0, s1)
        for (int i = 0; i < d; i++) {
            s0 += dy[i] * w[i];
            s1 += dy[i] * w[i] * (x[i] - m);
        }
        if (c0)
            c0[row] = s0;
        c1[row] = s1;
    }
}

PR_CLONES void pr_k_norm_backward_apply(int n, int d, const float *x, const float *mean, const float *scale,
                                        const float *w, const float *dy, const float *c0, const float *c1, float *dx,
                                        float *dw, float *db)
{
    for (int row = 0; row < n; row++, x += d, dy += d, dx += d) {
        float m = mean ? mean[row] : 0.0f, r = scale[row], a = c0 ? c0[row] : 0.0f, c = c1[row];
        if (dw) {
            PR_SIMD
            for (int i = 0; i < d; i++)
                dw[i] += dy[i] * (x[i] - m) * r;
        }
        if (db) {
            PR_SIMD
            for (int i = 0; i < d; i++)
                db[i] += dy[i];
        }
        PR_SIMD
        for (int i = 0; i < d; i++)
            dx[i] += r * (dy[i] * w[i] - a - (x[i] - m) * c);
    }
}

PR_CLONES void pr_k_add_bias(int n, int d, const float *b, float *y, int ldy)
{
    for (int row = 0; row < n; row++, y += ldy) {
        PR_SIMD
        for (int i = 0; i < d; i++)
            y[i] += b[i];
    }
}

PR_CLONES void pr_k_column_sums(int n, int d, const float *x, int ldx, float *s)
{
    for (int row = 0; row < n; row++, x += ldx) {
        PR_SIMD
        for (int i = 0; i < d; i++)
            s[i] += x[i];
    }
}

PR_CLONES void pr_k_axpy(int64_t n, float a, const float *x, float *y)
{
    PR_SIMD
    for (int64_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

PR_CLONES void pr_k_axpby(int64_t n, float a, const float *x, float b, float *y)
{
    if (b == 0.0f) {
        PR_SIMD
        for (int64_t i = 0; i < n; i++)
            y[i] = a * x[i];
    } else {
        PR_SIMD
        for (int64_t i = 0; i < n; i++)
            y[i] = a * x[i] + b * y[i];
    }
}

PR_CLONES void pr_k_scale_rows(int n, int d, const float *c, float *u, int ld)
{
    for (int row = 0; row < n; row++, u += ld) {
        float s = c[row];
        PR_SIMD
        for (int i = 0; i < d; i++)
            u[i] *= s;
    }
}

PR_CLONES void pr_k_rope(int n, int n_head, int head_dim, const int *pos, const float *cosine, const float *sine,
                         float sign, float *x, int ld)
{
    int half = head_dim / 2;
    for (int row = 0; row < n; row++, x += ld) {
        const float *co = cosine + (int64_t)pos[row] * half, *si = sine + (int64_t)pos[row] * half;
        for (int h = 0; h < n_head; h++) {
            float *lo = x + (int64_t)h * head_dim, *hi = lo + half;
            PR_SIMD
            for (int i = 0; i < half; i++) {
                float a = lo[i], b = hi[i], s = sign * si[i];
                lo[i] = a * co[i] - b * s;
                hi[i] = b * co[i] + a * s;
            }
        }
    }
}
