// SPDX-License-Identifier: BSD-3-Clause
#include "model/safetensors.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static inline float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

// Half precision without a branch: the exponent is moved by a multiplication, subnormals by a subtraction.
static inline float from_half(uint16_t half)
{
    uint32_t word = (uint32_t)half << 16, sign = word & 0x80000000u, twice = word + word;
    float normal = from_bits((twice >> 4) + (0xE0u << 23)) * 0x1.0p-112f;
    float subnormal = from_bits((twice >> 17) | (126u << 23)) - 0.5f;
    float value = twice < (1u << 27) ? subnormal : normal;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return from_bits(sign | bits);
}

float pr_half_to_float(uint16_t half)
{
    return from_half(half);
}

static void convert_half(const unsigned char *p, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        out[i] = from_half(h);
    }
}

static void convert_bf16(const unsigned char *p, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof h);
        out[i] = from_bits((uint32_t)h << 16);
    }
}

static void convert_double(const unsigned char *p, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        double d;
        memcpy(&d, p + 8 * i, sizeof d);
        out[i] = (float)d;
    }
}

pr_status_t pr_tensor_to_float(const pr_tensor_t *t, int64_t first, int64_t n, float *out, pr_error_t *err)
{
    assert(first >= 0 && n >= 0 && first <= t->n - n);
    size_t at = (size_t)first, count = (size_t)n;
    switch (t->dtype) {
    case PR_DTYPE_F32:
        if (count)
            memcpy(out, t->data + 4 * at, 4 * count);
        return PR_OK;
    case PR_DTYPE_F16:
        convert_half(t->data + 2 * at, count, out);
        return PR_OK;
    case PR_DTYPE_BF16:
        convert_bf16(t->data + 2 * at, count, out);
        return PR_OK;
    case PR_DTYPE_F64:
        convert_double(t->data + 8 * at, count, out);
        return PR_OK;
    default:
        return pr_tensor_unsupported(t, err);
    }
}

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

// Below the normal numbers, adding a half rounds at the last bit of a subnormal.
static uint16_t to_half(float f)
{
    uint32_t word = bits_of(f), sign = word >> 16 & 0x8000u, size = word & 0x7fffffffu;
    if (size >= 0x7f800000u)
        return (uint16_t)(sign | 0x7c00u | (size > 0x7f800000u ? 0x200u : 0));
    if (size >= 0x47800000u)
        return (uint16_t)(sign | 0x7c00u);
    if (size < 0x38800000u)
        return (uint16_t)(sign | (bits_of(from_bits(size) + 0.5f) - bits_of(0.5f)));
    return (uint16_t)(sign | ((size - (112u << 23) + 0xfffu + (size >> 13 & 1u)) >> 13));
}

static uint16_t to_bf16(float f)
{
    uint32_t word = bits_of(f);
    if ((word & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(word >> 16 | 0x40u);
    return (uint16_t)((word + 0x7fffu + (word >> 16 & 1u)) >> 16);
}

pr_status_t pr_tensor_from_float(pr_dtype_t dtype, const float *in, int64_t n, void *out, int64_t *at)
{
    char *to = out;
    *at = n;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)in[i];
        uint16_t h = dtype == PR_DTYPE_F16 ? to_half(in[i]) : to_bf16(in[i]);
        switch (dtype) {
        case PR_DTYPE_F32:
            memcpy(to + 4 * i, &in[i], 4);
            break;
        case PR_DTYPE_F64:
            memcpy(to + 8 * i, &d, 8);
            break;
        case PR_DTYPE_F16:
        case PR_DTYPE_BF16:
            memcpy(to + 2 * i, &h, 2);
            if (isfinite(in[i]) && (h & 0x7fffu) == (dtype == PR_DTYPE_F16 ? 0x7c00u : 0x7f80u)) {
                *at = i;
                return PR_ERR_NUMERIC;
            }
            break;
        default:
            return PR_ERR_UNSUPPORTED;
        }
    }
    return PR_OK;
}

// Bits of all exponents, so that the loop has no branch: a number is not finite when all of its exponent's are set.
static bool all_finite(const float *x, size_t n)
{
    uint32_t odd = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        odd |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !odd;
}

pr_status_t pr_tensor_check_finite(const pr_tensor_t *t, int64_t first, int64_t n, const float *values, pr_error_t *err)
{
    if (all_finite(values, (size_t)n))
        return PR_OK;
    int64_t i = 0;
    while (isfinite(values[i]))
        i++;
    return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%.200s': element %lld: found %s, expected finite numbers", t->file,
                   t->name, (long long)(first + i),
                   isnan(values[i])  ? "NaN"
                   : values[i] > 0.f ? "Infinity"
                                     : "-Infinity");
}

pr_status_t pr_tensor_read(const pr_tensor_t *t, int64_t first, int64_t n, float *out, pr_error_t *err)
{
    enum { PIECE = 1 << 15 }; // floats; stays in a core's cache
    for (int64_t at = 0, m; at < n; at += m) {
        m = n - at < PIECE ? n - at : PIECE;
        PR_TRY(pr_tensor_to_float(t, first + at, m, out + at, err));
        PR_TRY(pr_tensor_check_finite(t, first + at, m, out + at, err));
    }
    return n > 0 ? PR_OK : pr_tensor_to_float(t, first, n, out, err);
}

pr_status_t pr_tensor_unsupported(const pr_tensor_t *t, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: tensor '%.200s': dtype: found %s, expected F32, F16 or BF16", t->file,
                   t->name, t->dtype_name);
}
