// SPDX-License-Identifier: BSD-3-Clause
/* The MLP's activations and what is as long as the vocabulary. */
#include "model/kernels.h"
#include "model/kernels_exp.h"

#include <math.h>

// Value and derivative of each activation at x.
typedef struct act_value {
    float f, df;
} act_value_t;

PR_INLINE act_value_t act_silu(float x)
{
    float s = pr_sigmoid(x);
    return (act_value_t){x * s, s * (1.0f + x * (1.0f - s))};
}

// 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
PR_INLINE act_value_t act_gelu_new(float x)
{
    const float c = 1.5957691216057308f; // 2 sqrt(2/pi)
    float s = pr_sigmoid(c * (x + 0.044715f * x * x * x));
    return (act_value_t){x * s, s + x * s * (1.0f - s) * c * (1.0f + 0.134145f * x * x)};
}

// x Phi(x); erf by Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7)
PR_INLINE act_value_t act_gelu(float x)
{
    float z = fabsf(x) * 0.70710678118654752f;
    float e = pr_exp(-z * z), t = 1.0f / (1.0f + 0.3275911f * z);
    float q = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t * e;
    float phi = x < 0.0f ? 0.5f * q : 1.0f - 0.5f * q;
    return (act_value_t){x * phi, phi + x * 0.39894228040143268f * e};
}

PR_INLINE act_value_t act_relu(float x)
{
    return (act_value_t){x > 0.0f ? x : 0.0f, x > 0.0f ? 1.0f : 0.0f};
}

#define ACT_LOOPS(name)                                                                                                \
    PR_CLONES static void name##_forward(int64_t n, const float *gate, const float *up, float *h)                      \
    {                                                                                                                  \
        if (gate) {                                                                                                    \
            PR_SIMD                                                                                                    \
            for (int64_t i = 0; i < n; i++)                                                                            \
                h[i] = act_##name(gate[i]).f * up[i];                                                                  \
        } else {                                                                                                       \
            PR_SIMD                                                                                                    \
            for (int64_t i = 0; i < n; i++)                                                                            \
                h[i] = act_##name(up[i]).f;                                                                            \
        }                                                                                                              \
    }                                                                                                                  \
    PR_CLONES static void name##_backward(int64_t n, const float *gate, const float *up, const float *dh,              \
                                          float *dgate, float *dup)                                                    \
    {                                                                                                                  \
        if (gate) {                                                                                                    \
            PR_SIMD                                                                                                    \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                act_value_t a = act_##name(gate[i]);                                                                   \
                float d = dh[i];                                                                                       \
                dgate[i] = d * up[i] * a.df;                                                                           \
                dup[i] = d * a.f;                                                                                      \
            }                                                                                                          \
        } else {                                                                                                       \
            PR_SIMD                                                                                                    \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                act_value_t a = act_##name(up[i]);                                                                     \
                dup[i] = dh[i] * a.df;                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
    }

ACT_LOOPS(silu)
ACT_LOOPS(gelu)
ACT_LOOPS(gelu_new)
ACT_LOOPS(relu)

void pr_k_activate(pr_act_t act, int64_t n, const float *gate, const float *up, float *h)
{
    switch (act) {
    case PR_ACT_SILU:
        silu_forward(n, gate, up, h);
        return;
    case PR_ACT_GELU:
        gelu_forward(n, gate, up, h);
        return;
    case PR_ACT_GELU_NEW:
        gelu_new_forward(n, gate, up, h);
        return;
    case PR_ACT_RELU:
        relu_forward(n, gate, up, h);
        return;
    }
}

void pr_k_activate_backward(pr_act_t act, int64_t n, const float *gate, const float *up, const float *dh, float *dgate,
                            float *dup)
{
    switch (act) {
    case PR_ACT_SILU:
        silu_backward(n, gate, up, dh, dgate, dup);
        return;
    case PR_ACT_GELU:
        gelu_backward(n, gate, up, dh, dgate, dup);
        return;
    case PR_ACT_GELU_NEW:
        gelu_new_backward(n, gate, up, dh, dgate, dup);
        return;
    case PR_ACT_RELU:
        relu_backward(n, gate, up, dh, dgate, dup);
        return;
    }
}

enum { LANES = 16 };

PR_INLINE float max_of(int v, const float *x)
{
    float lane[LANES], m = -INFINITY;
    for (int j = 0; j < LANES; j++)
        lane[j] = -INFINITY;
    int i = 0;
    for (; i + LANES <= v; i += LANES) {
        PR_SIMD
        for (int j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    }
    for (; i < v; i++)
        m = x[i] > m ? x[i] : m;
    for (int j = 0; j < LANES; j++)
        m = lane[j] > m ? lane[j] : m;
    return m;
}

PR_CLONES float pr_k_max(int v, const float *x)
{
    return max_of(v, x);
}

PR_CLONES pr_k_lse_t pr_k_log_sum_exp(int v, const float *x, float scale, bool want_mean)
{
    pr_k_lse_t r = {.max = max_of(v, x)};
    double dots = 0;
    for (int first = 0; first < v; first += 1024) { // float sums of short chunks, added in double
        int n = v - first < 1024 ? v - first : 1024;
        const float *c = x + first;
        float s = 0, t = 0, m = r.max;
        if (want_mean) {
#pragma omp simd reduction(+ : s, t)
            for (int i = 0; i < n; i++) {
                float z = scale * (c[i] - m), e = pr_exp(z);
                s += e;
                t += e * z;
            }
        } else {
#pragma omp simd reduction(+ : s)
            for (int i = 0; i < n; i++)
                s += pr_exp(scale * (c[i] - m));
        }
        r.sum += (double)s;
        dots += (double)t;
    }
    r.mean = dots / r.sum;
    return r;
}

PR_CLONES void pr_k_subtract(int v, float max, float log_sum, float *x)
{
    PR_SIMD
    for (int i = 0; i < v; i++)
        x[i] = (x[i] - max) - log_sum;
}

PR_CLONES void pr_k_softmax_scaled(int v, float scale, float max, float log_sum, float c, float *x)
{
    PR_SIMD
    for (int i = 0; i < v; i++)
        x[i] = c * pr_exp(scale * (x[i] - max) - log_sum);
}

PR_CLONES void pr_k_softmax_tilted(int v, float scale, float max, float log_sum, float a, float b, float *x)
{
    PR_SIMD
    for (int i = 0; i < v; i++) {
        float u = scale * (x[i] - max) - log_sum;
        x[i] = (a + b * u) * pr_exp(u);
    }
}

PR_CLONES void pr_k_exp_chunks(int v, float max, float scale, float *x, double *sums)
{
    for (int first = 0, k = 0; first < v; first += PR_EXP_CHUNK, k++) {
        int n = v - first < PR_EXP_CHUNK ? v - first : PR_EXP_CHUNK;
        float *c = x + first, s = 0;
#pragma omp simd reduction(+ : s)
        for (int i = 0; i < n; i++) {
            c[i] = pr_exp(scale * (c[i] - max));
            s += c[i];
        }
        sums[k] = (double)s;
    }
}
