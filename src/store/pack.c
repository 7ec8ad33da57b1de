// SPDX-License-Identifier: BSD-3-Clause
#include "store/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BLOCK = 1 << 16, LEVEL = 1, WINDOW_BITS = 15, MEMORY = 9 };

// ---- packing ----

static void gather(unsigned char *out, const unsigned char *data, size_t elem, size_t plane, size_t first, size_t n)
{
    const unsigned char *p = data + first * elem + plane;
    for (size_t i = 0; i < n; i++)
        out[i] = p[i * elem];
}

static void deflate_block(z_stream *z, int flush, pr_buf_t *out)
{
    unsigned char block[BLOCK];
    int code;
    do {
        z->next_out = block;
        z->avail_out = BLOCK;
        code = deflate(z, flush);
        pr_buf_add(out, block, BLOCK - z->avail_out);
    } while (z->avail_out == 0 && code != Z_STREAM_END);
}

static void out_of_memory(void)
{
    fprintf(stderr, "paretorank: out of memory in zlib\n");
    abort();
}

void pr_pack(const void *data, size_t elem, size_t count, pr_buf_t *out)
{
    unsigned char block[BLOCK];
    z_stream z = {0};
    // Shuffled floats have skewed bytes (exponents) and long runs (zeros, halves in floats) but no repeated strings:
    // looking for runs only is more than twice as fast as a search for strings and compresses better.
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY, Z_RLE) != Z_OK)
        out_of_memory();
    for (size_t plane = 0; plane < elem; plane++)
        for (size_t first = 0; first < count; first += BLOCK) {
            size_t n = count - first < BLOCK ? count - first : BLOCK;
            gather(block, data, elem, plane, first, n);
            z.next_in = block;
            z.avail_in = (uInt)n;
            deflate_block(&z, Z_NO_FLUSH, out);
        }
    z.avail_in = 0;
    deflate_block(&z, Z_FINISH, out);
    deflateEnd(&z);
}

// ---- unpacking ----

typedef struct pr_unpacker {
    z_stream z;
    unsigned char *data;
    size_t elem, count;
    size_t pos, raw; // shuffled bytes written so far, and in all
    bool ended;
} pr_unpacker_t;

/* Puts n shuffled bytes, which start at u->pos, where they belong. */
static void scatter(pr_unpacker_t *u, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        size_t plane = u->pos / u->count, first = u->pos % u->count;
        size_t run = u->count - first < n ? u->count - first : n;
        unsigned char *p = u->data + first * u->elem + plane;
        for (size_t i = 0; i < run; i++)
            p[i * u->elem] = bytes[i];
        bytes += run;
        n -= run;
        u->pos += run;
    }
}

/* Inflates what is in z.next_in; a word for what is wrong with it, or NULL. */
static const char *inflate_block(pr_unpacker_t *u)
{
    unsigned char block[BLOCK];
    while (u->z.avail_in > 0) {
        if (u->ended)
            return "bytes after the end of the compressed data";
        u->z.next_out = block;
        u->z.avail_out = BLOCK;
        int code = inflate(&u->z, Z_NO_FLUSH);
        if (code == Z_MEM_ERROR)
            out_of_memory();
        if (code != Z_OK && code != Z_STREAM_END)
            return u->z.msg ? u->z.msg : "not zlib data";
        size_t n = BLOCK - u->z.avail_out;
        if (n > u->raw - u->pos)
            return "more data than the header says";
        scatter(u, block, n);
        u->ended = code == Z_STREAM_END;
    }
    return NULL;
}

static pr_status_t unpack_stream(pr_unpacker_t *u, FILE *f, size_t stored, uint32_t *crc, const char *where,
                                 pr_error_t *err)
{
    unsigned char block[BLOCK];
    unsigned long sum = crc32_z(0, NULL, 0);
    for (size_t left = stored; left > 0;) {
        size_t n = fread(block, 1, left < BLOCK ? left : BLOCK, f);
        if (n == 0)
            return ferror(f) ? pr_fail(err, PR_ERR_NOT_FOUND, "%s: cannot read: %s", where, strerror(errno))
                             : pr_fail(err, PR_ERR_FORMAT, "%s: the file ends %zu bytes early", where, left);
        sum = crc32_z(sum, block, n);
        left -= n;
        u->z.next_in = block;
        u->z.avail_in = (uInt)n;
        const char *wrong = inflate_block(u);
        if (wrong)
            return pr_fail(err, PR_ERR_FORMAT, "%s: damaged at byte %zu of %zu: %s", where,
                           stored - left - u->z.avail_in, stored, wrong);
    }
    *crc = (uint32_t)sum;
    if (!u->ended || u->pos != u->raw)
        return pr_fail(err, PR_ERR_FORMAT, "%s: damaged: found %zu bytes of data, expected %zu", where, u->pos, u->raw);
    return PR_OK;
}

pr_status_t pr_unpack(FILE *f, size_t stored, void *data, size_t elem, size_t count, uint32_t *crc, const char *where,
                      pr_error_t *err)
{
    pr_unpacker_t u = {.data = data, .elem = elem, .count = count, .raw = elem * count};
    if (inflateInit(&u.z) != Z_OK)
        out_of_memory();
    pr_status_t status = unpack_stream(&u, f, stored, crc, where, err);
    inflateEnd(&u.z);
    return status;
}
