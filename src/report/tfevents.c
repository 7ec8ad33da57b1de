// SPDX-License-Identifier: BSD-3-Clause
#include "report/tfevents.h"

#include <math.h>
#include <string.h>

uint32_t pr_crc32c(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78 & -(crc & 1));
    }
    return ~crc;
}

static void put_little(pr_buf_t *b, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)(x >> 8 * i);
        pr_buf_add(b, &byte, 1);
    }
}

static void put_masked(pr_buf_t *b, const void *bytes, size_t n)
{
    uint32_t crc = pr_crc32c(bytes, n);
    put_little(b, (crc >> 15 | crc << 17) + 0xa282ead8, 4);
}

static void put_record(pr_buf_t *b, const pr_buf_t *data)
{
    pr_buf_t length = {0};
    put_little(&length, data->len, 8);
    pr_buf_add(b, length.data, length.len);
    put_masked(b, length.data, length.len);
    pr_buf_add(b, data->data, data->len);
    put_masked(b, data->data, data->len);
    pr_buf_free(&length);
}

/* ---- protobuf ---- */

enum { VARINT = 0, EIGHT_BYTES = 1, BYTES = 2, FOUR_BYTES = 5 };

static void put_varint(pr_buf_t *b, uint64_t x)
{
    while (x >= 0x80) {
        put_little(b, (x & 0x7f) | 0x80, 1);
        x >>= 7;
    }
    put_little(b, x, 1);
}

static void put_key(pr_buf_t *b, unsigned field, unsigned type)
{
    put_varint(b, field << 3 | type);
}

static void put_bytes(pr_buf_t *b, unsigned field, const void *bytes, size_t n)
{
    put_key(b, field, BYTES);
    put_varint(b, n);
    pr_buf_add(b, bytes, n);
}

static void put_wall_time(pr_buf_t *b, double wall_time)
{
    uint64_t bits;
    memcpy(&bits, &wall_time, sizeof bits);
    put_key(b, 1, EIGHT_BYTES);
    put_little(b, bits, 8);
}

static void put_scalar(pr_buf_t *summary, const char *tag, float x)
{
    uint32_t bits;
    pr_buf_t value = {0};
    memcpy(&bits, &x, sizeof bits);
    put_bytes(&value, 1, tag, strlen(tag));
    put_key(&value, 2, FOUR_BYTES);
    put_little(&value, bits, 4);
    put_bytes(summary, 1, value.data, value.len);
    pr_buf_free(&value);
}

void pr_tfevents_begin(pr_buf_t *b, double wall_time)
{
    static const char version[] = "brain.Event:2";
    pr_buf_t event = {0};
    put_wall_time(&event, wall_time);
    put_bytes(&event, 3, version, sizeof version - 1);
    put_record(b, &event);
    pr_buf_free(&event);
}

void pr_tfevents_add(pr_buf_t *b, double wall_time, int64_t step, size_t n, const char *const *tag, const double *value)
{
    pr_buf_t event = {0}, summary = {0};
    pr_buf_add(&summary, "", 0);
    for (size_t i = 0; i < n; i++)
        if (isfinite((float)value[i]))
            put_scalar(&summary, tag[i], (float)value[i]);
    put_wall_time(&event, wall_time);
    put_key(&event, 2, VARINT);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, summary.data, summary.len);
    put_record(b, &event);
    pr_buf_free(&summary);
    pr_buf_free(&event);
}
