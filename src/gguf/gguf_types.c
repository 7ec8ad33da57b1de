// SPDX-License-Identifier: BSD-3-Clause
#include "gguf/gguf_types.h"
#include "model/safetensors.h"

#include <string.h>

enum { BLOCK = 32, SUPER = 256 };

static float half_at(const unsigned char *p)
{
    return pr_half_to_float((uint16_t)(p[0] | p[1] << 8));
}

static void f32(const unsigned char *in, size_t n, float *out)
{
    memcpy(out, in, n * sizeof *out);
}

static void f16(const unsigned char *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = half_at(in + 2 * i);
}

static void bf16(const unsigned char *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)in[2 * i] << 16 | (uint32_t)in[2 * i + 1] << 24;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

/* ---- blocks of 32 ---- */

/* Half of the numbers are in the low halves of the bytes, half in the high ones. */
static void q4_0(const unsigned char *in, size_t n, float *out)
{
    for (; n > 0; n--, in += 18, out += BLOCK) {
        float d = half_at(in);
        for (int j = 0; j < 16; j++) {
            out[j] = (float)((in[2 + j] & 15) - 8) * d;
            out[j + 16] = (float)((in[2 + j] >> 4) - 8) * d;
        }
    }
}

static void q4_1(const unsigned char *in, size_t n, float *out)
{
    for (; n > 0; n--, in += 20, out += BLOCK) {
        float d = half_at(in), m = half_at(in + 2);
        for (int j = 0; j < 16; j++) {
            out[j] = (float)(in[4 + j] & 15) * d + m;
            out[j + 16] = (float)(in[4 + j] >> 4) * d + m;
        }
    }
}

/* The fifth bits of all 32 numbers are a word of their own. */
static int fifth(const unsigned char *high, int j)
{
    return (high[j / 8] >> (j % 8) & 1) << 4;
}

static void q5_0(const unsigned char *in, size_t n, float *out)
{
    for (; n > 0; n--, in += 22, out += BLOCK) {
        float d = half_at(in);
        for (int j = 0; j < 16; j++) {
            out[j] = (float)(((in[6 + j] & 15) | fifth(in + 2, j)) - 16) * d;
            out[j + 16] = (float)(((in[6 + j] >> 4) | fifth(in + 2, j + 16)) - 16) * d;
        }
    }
}

static void q5_1(const unsigned char *in, size_t n, float *out)
{
    for (; n > 0; n--, in += 24, out += BLOCK) {
        float d = half_at(in), m = half_at(in + 2);
        for (int j = 0; j < 16; j++) {
            out[j] = (float)((in[8 + j] & 15) | fifth(in + 4, j)) * d + m;
            out[j + 16] = (float)((in[8 + j] >> 4) | fifth(in + 4, j + 16)) * d + m;
        }
    }
}

static void q8_0(const unsigned char *in, size_t n, float *out)
{
    for (; n > 0; n--, in += 34, out += BLOCK) {
        float d = half_at(in);
        for (int j = 0; j < BLOCK; j++)
            out[j] = (float)(int8_t)in[2 + j] * d;
    }
}

/* ---- blocks of 256 ---- */

/* Scale and minimum, six bits each, of the j-th of eight groups of 32; packed in 12 bytes. */
static void scale_and_min(const unsigned char *q, int j, float *scale, float *min)
{
    int s, m;
    if (j < 4) {
        s = q[j] & 63;
        m = q[j + 4] & 63;
    } else {
        s = (q[j + 4] & 15) | (q[j - 4] >> 6) << 4;
        m = q[j + 4] >> 4 | (q[j] >> 6) << 4;
    }
    *scale = (float)s;
    *min = (float)m;
}

/* Q4_K and Q5_K: bytes of low bits, 32 for two groups; of fifth bits, one bit a group (high: NULL for none). */
static void k4_or_5(const unsigned char *head, const unsigned char *high, const unsigned char *low, float *out)
{
    float d = half_at(head), dmin = half_at(head + 2);
    for (int group = 0; group < 8; group++) {
        float scale, min;
        scale_and_min(head + 4, group, &scale, &min);
        scale *= d;
        min *= dmin;
        for (int l = 0; l < 32; l++) {
            int q = low[group / 2 * 32 + l] >> (group % 2 * 4) & 15;
            if (high)
                q |= (high[l] >> group & 1) << 4;
            out[group * 32 + l] = scale * (float)q - min;
        }
    }
}

static void q4_k(const unsigned char *in, size_t n, float *out)
{
    for (; n > 0; n--, in += 144, out += SUPER)
        k4_or_5(in, NULL, in + 16, out);
}

static void q5_k(const unsigned char *in, size_t n, float *out)
{
    for (; n > 0; n--, in += 176, out += SUPER)
        k4_or_5(in, in + 16, in + 48, out);
}

/* 128 bytes of four low bits, 64 of two high ones, 16 scales of a byte, the scale of all. */
static void q6_k(const unsigned char *in, size_t n, float *out)
{
    for (; n > 0; n--, in += 210, out += SUPER) {
        float d = half_at(in + 208);
        for (int i = 0; i < SUPER; i++) {
            int half = i / 128, quarter = i % 128 / 32, l = i % 32;
            int low = in[half * 64 + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15;
            int high = in[128 + half * 32 + l] >> (quarter * 2) & 3;
            float scale = d * (float)(int8_t)in[192 + i / 16];
            out[i] = scale * (float)((low | high << 4) - 32);
        }
    }
}

static const pr_gguf_type_t types[] = {
    {0, "F32", 1, 4, f32},          {1, "F16", 1, 2, f16},          {30, "BF16", 1, 2, bf16},
    {8, "Q8_0", BLOCK, 34, q8_0},   {2, "Q4_0", BLOCK, 18, q4_0},   {3, "Q4_1", BLOCK, 20, q4_1},
    {6, "Q5_0", BLOCK, 22, q5_0},   {7, "Q5_1", BLOCK, 24, q5_1},   {12, "Q4_K", SUPER, 144, q4_k},
    {13, "Q5_K", SUPER, 176, q5_k}, {14, "Q6_K", SUPER, 210, q6_k}, {4, "Q4_2", 0, 0, NULL},
    {5, "Q4_3", 0, 0, NULL},        {9, "Q8_1", 0, 0, NULL},        {10, "Q2_K", 0, 0, NULL},
    {11, "Q3_K", 0, 0, NULL},       {15, "Q8_K", 0, 0, NULL},       {16, "IQ2_XXS", 0, 0, NULL},
    {17, "IQ2_XS", 0, 0, NULL},     {18, "IQ3_XXS", 0, 0, NULL},    {19, "IQ1_S", 0, 0, NULL},
    {20, "IQ4_NL", 0, 0, NULL},     {21, "IQ3_S", 0, 0, NULL},      {22, "IQ2_S", 0, 0, NULL},
    {23, "IQ4_XS", 0, 0, NULL},     {24, "I8", 0, 0, NULL},         {25, "I16", 0, 0, NULL},
    {26, "I32", 0, 0, NULL},        {27, "I64", 0, 0, NULL},        {28, "F64", 0, 0, NULL},
    {29, "IQ1_M", 0, 0, NULL},      {31, "Q4_0_4_4", 0, 0, NULL},   {32, "Q4_0_4_8", 0, 0, NULL},
    {33, "Q4_0_8_8", 0, 0, NULL},   {34, "TQ1_0", 0, 0, NULL},      {35, "TQ2_0", 0, 0, NULL},
    {36, "IQ4_NL_4_4", 0, 0, NULL}, {37, "IQ4_NL_4_8", 0, 0, NULL}, {38, "IQ4_NL_8_8", 0, 0, NULL},
    {39, "MXFP4", 0, 0, NULL},
};
enum { N_TYPES = sizeof types / sizeof *types };

const pr_gguf_type_t *pr_gguf_type_at(size_t i)
{
    return i < N_TYPES ? &types[i] : NULL;
}

const pr_gguf_type_t *pr_gguf_type(uint32_t id)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].id == id)
            return &types[i];
    return NULL;
}

const char *pr_gguf_types_read(void)
{
    return "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K";
}
