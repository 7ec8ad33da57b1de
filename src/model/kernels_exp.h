// SPDX-License-Identifier: BSD-3-Clause
/* What the kernel files share: the clones macro and the exponential. */
#ifndef PR_MODEL_KERNELS_EXP_H
#define PR_MODEL_KERNELS_EXP_H

#include <stdint.h>

/* Not with clang, which (to version 14 at least) leaves such a function's own name undefined for other files; there
 * -march=native (PARETORANK_NATIVE) is the way to wide vectors. */
#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__) && !defined(PR_SANITIZE) && !defined(__AVX512F__)
#define PR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PR_CLONES
#endif

#define PR_SIMD _Pragma("omp simd")
#define PR_INLINE static inline __attribute__((always_inline))

typedef union pr_float_bits {
    float f;
    int32_t i;
} pr_float_bits_t;

/* The bound where x is past it (mask all ones), else x. Not written as a conditional: gcc splits the whole expression
 * behind one into a case an end, and works out the ends' products, which are denormal and slow, for every element. */
PR_INLINE float pr_replace(float x, int32_t mask, float bound)
{
    pr_float_bits_t a = {.f = x}, b = {.f = bound};
    a.i = (a.i & ~mask) | (b.i & mask);
    return a.f;
}

/* exp(x), relative error below 2e-7, no branches. Outside [-87,88] the nearest end's value; NaN stays NaN. */
PR_INLINE float pr_exp(float x)
{
    x = pr_replace(x, -(int32_t)(x < -87.0f), -87.0f);
    x = pr_replace(x, -(int32_t)(x > 88.0f), 88.0f);
    pr_float_bits_t t = {.f = x * 1.44269504088896341f + 12582912.0f}; // 1.5 * 2^23: the integer is in the low bits
    float n = t.f - 12582912.0f;
    float r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    pr_float_bits_t s = {.i = (int32_t)(((uint32_t)t.i + 127u) << 23)};
    return p * s.f;
}

PR_INLINE float pr_sigmoid(float x)
{
    return 1.0f / (1.0f + pr_exp(-x));
}

#endif
