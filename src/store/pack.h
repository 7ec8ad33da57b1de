// SPDX-License-Identifier: BSD-3-Clause
/* The bytes of an array as checkpoints store them: byte-shuffled (the first bytes of all elements, then the second
 * bytes, ...) and zlib-compressed. Both ways work in small blocks, so that no copy of the array is made. */
#ifndef PR_STORE_PACK_H
#define PR_STORE_PACK_H

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Deflate codes at most 258 bytes in two bits, so that no honest stream is smaller than this part of its content. */
#define PR_PACK_MAX_RATIO 1032

/* Appends the packed form of count elements of elem bytes at data to out. */
void pr_pack(const void *data, size_t elem, size_t count, pr_buf_t *out);

/* Reads exactly `stored` bytes from f and unpacks them into data [elem * count bytes]; never writes beyond. *crc: the
 * CRC-32 of the stored bytes. where is put before the message. Errors: PR_ERR_FORMAT (damaged, another length),
 * PR_ERR_NOT_FOUND (cannot be read). */
pr_status_t pr_unpack(FILE *f, size_t stored, void *data, size_t elem, size_t count, uint32_t *crc, const char *where,
                      pr_error_t *err);

#endif
