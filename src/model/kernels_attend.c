// SPDX-License-Identifier: BSD-3-Clause
/* The row-wise part of attention, and one query against the KV cache. */
#include "model/kernels.h"
#include "model/kernels_exp.h"

#include <math.h>
#include <string.h>

enum { LANES = 16 };
typedef float vec_t __attribute__((vector_size(64)));
typedef float vec_load_t __attribute__((vector_size(64), aligned(4), may_alias));

PR_INLINE float max_of(int n, const float *x)
{
    float lane[LANES], m = -INFINITY;
    for (int j = 0; j < LANES; j++)
        lane[j] = -INFINITY;
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        PR_SIMD
        for (int j = 0; j < LANES; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    }
    for (; i < n; i++)
        m = x[i] > m ? x[i] : m;
    for (int j = 0; j < LANES; j++)
        m = lane[j] > m ? lane[j] : m;
    return m;
}

// s [n] = softmax(scale s); returns log sum exp
PR_INLINE float softmax(int n, float scale, float *s)
{
    float m = max_of(n, s), t = 0;
#pragma omp simd reduction(+ : t)
    for (int i = 0; i < n; i++) {
        s[i] = pr_exp(scale * (s[i] - m));
        t += s[i];
    }
    float inverse = 1.0f / t;
    PR_SIMD
    for (int i = 0; i < n; i++)
        s[i] *= inverse;
    return scale * m + logf(t);
}

PR_INLINE void zero_outside(int width, int lo, int hi, float *s)
{
    if (lo > 0)
        memset(s, 0, (size_t)lo * sizeof *s);
    if (hi < width)
        memset(s + hi, 0, (size_t)(width - hi) * sizeof *s);
}

PR_CLONES void pr_k_softmax_rows(int n, int width, const int *lo, const int *hi, float scale, float *s, int ld,
                                 float *lse, int ldl)
{
    for (int i = 0; i < n; i++, s += ld) {
        float l = softmax(hi[i] - lo[i], scale, s + lo[i]);
        if (lse)
            lse[(int64_t)i * ldl] = l;
        zero_outside(width, lo[i], hi[i], s);
    }
}

PR_CLONES void pr_k_softmax_again(int n, int width, const int *lo, const int *hi, float scale, float *s, int ld,
                                  const float *lse, int ldl)
{
    for (int i = 0; i < n; i++, s += ld) {
        float l = lse[(int64_t)i * ldl];
        PR_SIMD
        for (int j = lo[i]; j < hi[i]; j++)
            s[j] = pr_exp(scale * s[j] - l);
        zero_outside(width, lo[i], hi[i], s);
    }
}

PR_CLONES void pr_k_softmax_rows_backward(int n, int width, int head_dim, float scale, const float *p, int ld,
                                          float *dp, const float *dout, int lddo, const float *out, int ldo)
{
    for (int i = 0; i < n; i++, p += ld, dp += ld, dout += lddo, out += ldo) {
        float delta = 0;
#pragma omp simd reduction(+ : delta)
        for (int j = 0; j < head_dim; j++)
            delta += dout[j] * out[j];
        PR_SIMD
        for (int j = 0; j < width; j++)
            dp[j] = scale * p[j] * (dp[j] - delta);
    }
}

/* Asks for lines that are read next: the cache of a thousand streams lies far away, and a head's part of it is too
 * short for the hardware to see coming. */
PR_INLINE void prefetch(const float *x, int n)
{
    for (int i = 0; i < n; i += LANES)
        __builtin_prefetch(x + i);
}

/* s [nq][lds] at the keys of two blocks = q [nq,head_dim] times k [head_dim][16] of each: enough sums side by side to
 * hide the latency of one. */
#define SCORES(NQ)                                                                                                     \
    PR_INLINE void scores_##NQ(int head_dim, const float *q, const float *k, const float *k1, float *s, float *s1,     \
                               int lds)                                                                                \
    {                                                                                                                  \
        vec_t acc[NQ], acc1[NQ];                                                                                       \
        for (int g = 0; g < NQ; g++)                                                                                   \
            acc[g] = acc1[g] = (vec_t){0};                                                                             \
        for (int j = 0; j < head_dim; j++) {                                                                           \
            vec_t key = *(const vec_load_t *)(k + (int64_t)j * LANES);                                                 \
            vec_t key1 = *(const vec_load_t *)(k1 + (int64_t)j * LANES);                                               \
            for (int g = 0; g < NQ; g++) {                                                                             \
                acc[g] += key * q[g * head_dim + j];                                                                   \
                acc1[g] += key1 * q[g * head_dim + j];                                                                 \
            }                                                                                                          \
        }                                                                                                              \
        for (int g = 0; g < NQ; g++) {                                                                                 \
            *(vec_load_t *)(s1 + (int64_t)g * lds) = acc1[g];                                                          \
            *(vec_load_t *)(s + (int64_t)g * lds) = acc[g];                                                            \
        }                                                                                                              \
    }
SCORES(1)
SCORES(2)
SCORES(3)
SCORES(4)

// out [nq][ldo], 16 columns = p [nq][ldp] over keys first..n-1 times v (ldv); even and odd keys are summed apart
#define MIX(NQ)                                                                                                        \
    PR_INLINE void mix_##NQ(int first, int n, const float *p, int ldp, const float *v, int ldv, float *out, int ldo)   \
    {                                                                                                                  \
        vec_t acc[NQ], acc1[NQ];                                                                                       \
        for (int g = 0; g < NQ; g++)                                                                                   \
            acc[g] = acc1[g] = (vec_t){0};                                                                             \
        int t = first;                                                                                                 \
        for (; t + 1 < n; t += 2) {                                                                                    \
            vec_t value = *(const vec_load_t *)(v + (int64_t)t * ldv);                                                 \
            vec_t value1 = *(const vec_load_t *)(v + (int64_t)(t + 1) * ldv);                                          \
            for (int g = 0; g < NQ; g++) {                                                                             \
                acc[g] += value * p[(int64_t)g * ldp + t];                                                             \
                acc1[g] += value1 * p[(int64_t)g * ldp + t + 1];                                                       \
            }                                                                                                          \
        }                                                                                                              \
        if (t < n) {                                                                                                   \
            vec_t value = *(const vec_load_t *)(v + (int64_t)t * ldv);                                                 \
            for (int g = 0; g < NQ; g++)                                                                               \
                acc[g] += value * p[(int64_t)g * ldp + t];                                                             \
        }                                                                                                              \
        for (int g = 0; g < NQ; g++)                                                                                   \
            *(vec_load_t *)(out + (int64_t)g * ldo) = acc[g] + acc1[g];                                                \
    }
MIX(1)
MIX(2)
MIX(3)
MIX(4)

#define BY_COUNT(f, nq, ...)                                                                                           \
    do {                                                                                                               \
        switch (nq) {                                                                                                  \
        case 1:                                                                                                        \
            f##_1(__VA_ARGS__);                                                                                        \
            break;                                                                                                     \
        case 2:                                                                                                        \
            f##_2(__VA_ARGS__);                                                                                        \
            break;                                                                                                     \
        case 3:                                                                                                        \
            f##_3(__VA_ARGS__);                                                                                        \
            break;                                                                                                     \
        default:                                                                                                       \
            f##_4(__VA_ARGS__);                                                                                        \
        }                                                                                                              \
    } while (0)

// Scores of all query heads at all blocks of keys; the values are asked for meanwhile.
PR_INLINE void score_blocks(int n_q, int head_dim, int first, int n_key, const float *q, const float *k, const float *v,
                            int ldv, float *s, int lds)
{
    int64_t block = (int64_t)head_dim * LANES;
    for (int t = first / LANES * LANES; t < n_key; t += 2 * LANES) {
        const float *k0 = k + t / LANES * block, *k1 = t + LANES < n_key ? k0 + block : k0;
        int t1 = t + LANES < n_key ? t + LANES : t;
        prefetch(v + (int64_t)t * ldv, 2 * LANES * ldv);
        for (int g = 0; g < n_q; g += 4)
            BY_COUNT(scores, n_q - g, head_dim, q + (int64_t)g * head_dim, k0, k1, s + (int64_t)g * lds + t,
                     s + (int64_t)g * lds + t1, lds);
    }
}

PR_CLONES void pr_k_attend(int n_q, int head_dim, int first, int n_key, float scale, const float *q, const float *k,
                           const float *v, int ldv, const float *next_k, float *scratch, float *out)
{
    int lds = (n_key + LANES - 1) / LANES * LANES;
    float *s = scratch, *mixed = scratch + (int64_t)n_q * lds;
    score_blocks(n_q, head_dim, first, n_key, q, k, v, ldv, s, lds);
    for (int g = 0; g < n_q; g++)
        softmax(n_key - first, scale, s + (int64_t)g * lds + first);
    prefetch(next_k + (int64_t)(first / LANES * LANES) * head_dim, (lds - first / LANES * LANES) * head_dim);
    for (int g = 0; g < n_q; g += 4)
        for (int c = 0; c < ldv; c += LANES)
            BY_COUNT(mix, n_q - g, first, n_key, s + (int64_t)g * lds, lds, v + c, ldv, mixed + (int64_t)g * ldv + c,
                     ldv);
    for (int g = 0; g < n_q; g++)
        memcpy(out + (int64_t)g * head_dim, mixed + (int64_t)g * ldv, (size_t)head_dim * sizeof *out);
}
