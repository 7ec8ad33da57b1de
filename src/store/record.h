// SPDX-License-Identifier: BSD-3-Clause
/* The record that checkpoints and segments are made of: a readable header line, then binary sections, all of it under
 * crcs.
 *
 *   header      {"crc":"1a2b3c4d",...}\n: compact JSON with sorted keys. crc: the CRC-32 of this line's bytes without
 *               its newline and without `"crc":"1a2b3c4d",`. Then "id": "..." (segments only), "kind": "train",
 *               "meta": {...}, "sections": [{"name", "elem": bytes per element, "count": elements,
 *               "stored": compressed bytes, "crc": of the raw bytes, "stored_crc": of the compressed bytes}]
 *   sections    the stored bytes of each, one after the other, in order; zlib, after byte-shuffling the elements (all
 *               first bytes, then all second bytes, ...: float data compresses much better so)
 *
 * All crcs are 8 lower-case hexadecimal digits; together they cover every byte. Numbers are in the byte order of the
 * machine that wrote them (little-endian everywhere this runs). Nothing in it depends on the number of ranks. */
#ifndef PR_STORE_RECORD_H
#define PR_STORE_RECORD_H

#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdio.h>

#define PR_RECORD_HEAD "{\"crc\":\"" // what every header begins with

typedef struct pr_section {
    char name[64]; // not empty, NUL-terminated, valid UTF-8, once in a record
    size_t elem;   // bytes per element, 1..16
    size_t count;  // elements
    void *data;    // elem * count bytes
} pr_section_t;

/* What was read: the owner clears it. */
typedef struct pr_record {
    json_t *meta;
    pr_section_t *section;
    size_t n;
    char *kind;
    char *id; // NULL where the record has none
} pr_record_t;

void pr_record_clear(pr_record_t *r);
/* The section of that name with that element size and count. *data points into r. Errors: PR_ERR_FORMAT. */
pr_status_t pr_record_section(const pr_record_t *r, const char *path, const char *name, size_t elem, size_t count,
                              const void **data, pr_error_t *err);

/* What is written; everything is borrowed. */
typedef struct pr_record_what {
    const char *lead;      // what goes before the header, may be ""
    const char *kind, *id; // id: NULL for none
    const json_t *meta;    // an object
    const pr_section_t *section;
    size_t n;
} pr_record_what_t;

/* Packs lead and record into body, which is empty before: they are its bytes from *start on. path is for messages.
 * Errors: PR_ERR_FORMAT (a name or an element size that a record cannot hold). */
pr_status_t pr_record_pack(const char *path, const pr_record_what_t *w, pr_buf_t *body, size_t *start, pr_error_t *err);

typedef struct pr_record_input {
    const char *path;
    FILE *f;         // stands at `at`
    size_t size, at; // where the record ends and begins; at moves on while it is read
} pr_record_input_t;

/* Reads a record of that kind (NULL: any) that fills the input up to its end. what: "checkpoint", for messages. On
 * error *out is empty. Errors: PR_ERR_NOT_FOUND (cannot be read), PR_ERR_FORMAT (damage of any kind: file, offset or
 * section; found; expected), PR_ERR_MEMORY. */
pr_status_t pr_record_read(pr_record_input_t *in, const char *what, const char *kind, pr_record_t *out,
                           pr_error_t *err);

/* Checks the crcs of the record that begins at bytes, of which the file has `left` from there on, without unpacking it.
 * The header line in bytes is changed. *header: the parsed header (a new reference), *len: the whole record's bytes.
 * Errors: PR_ERR_FORMAT. */
pr_status_t pr_record_verify(const char *path, size_t offset, char *bytes, size_t left, json_t **header, size_t *len,
                             pr_error_t *err);

#endif
