// SPDX-License-Identifier: BSD-3-Clause
#include "base/hash.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>

uint64_t pr_hash64(const void *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}

uint32_t pr_crc32(const void *bytes, size_t n)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), bytes, n);
}

static void to_hex(XXH128_hash_t h, char out[PR_HASH_HEX])
{
    snprintf(out, PR_HASH_HEX, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

void pr_hash_hex(const void *bytes, size_t n, char out[PR_HASH_HEX])
{
    to_hex(XXH3_128bits(bytes, n), out);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool pr_hash_bytes(const char *text, unsigned char out[PR_HASH_BYTES])
{
    for (size_t i = 0; i < PR_HASH_BYTES; i++) {
        int high = text ? digit(text[2 * i]) : -1, low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (unsigned char)(16 * high + low);
    }
    return text[PR_HASH_HEX - 1] == 0;
}

void pr_hash_text(const unsigned char bytes[PR_HASH_BYTES], char out[PR_HASH_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < PR_HASH_BYTES; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[PR_HASH_HEX - 1] = 0;
}

pr_status_t pr_hash_file(const char *path, char out[PR_HASH_HEX], pr_error_t *err)
{
    enum { block = 1 << 20 };
    pr_status_t status = PR_OK;
    FILE *f = fopen(path, "rb");
    if (!f)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    XXH3_state_t *state = XXH3_createState();
    char *bytes = pr_alloc(block, 1);
    XXH3_128bits_reset(state);
    for (size_t n; (n = fread(bytes, 1, block, f)) > 0;)
        XXH3_128bits_update(state, bytes, n);
    if (ferror(f))
        status = pr_fail(err, PR_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    else
        to_hex(XXH3_128bits_digest(state), out);
    free(bytes);
    XXH3_freeState(state);
    fclose(f);
    return status;
}
