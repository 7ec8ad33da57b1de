// SPDX-License-Identifier: BSD-3-Clause
/* Hashes of content: XXH3 (xxHash), 64 and 128 bits. Identities in this project are 32 hexadecimal digits of
 * XXH3-128. */
#ifndef PR_BASE_HASH_H
#define PR_BASE_HASH_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PR_HASH_BYTES 16
#define PR_HASH_HEX 33 // 32 digits and the NUL

uint64_t pr_hash64(const void *bytes, size_t n);
/* CRC-32 (zlib's polynomial), as the journal and checkpoints use it. */
uint32_t pr_crc32(const void *bytes, size_t n);
void pr_hash_hex(const void *bytes, size_t n, char out[PR_HASH_HEX]);
/* An identity as bytes, and back. false: the text (which may be NULL) is not one; out may then have been written to. */
bool pr_hash_bytes(const char *text, unsigned char out[PR_HASH_BYTES]);
void pr_hash_text(const unsigned char bytes[PR_HASH_BYTES], char out[PR_HASH_HEX]);
/* The hash of a whole file's bytes, read in blocks. Errors: PR_ERR_NOT_FOUND. */
pr_status_t pr_hash_file(const char *path, char out[PR_HASH_HEX], pr_error_t *err);

#endif
