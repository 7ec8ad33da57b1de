/* Checkpoints: named binary sections in one file, compressed, checked, written so that a reader sees the old one or the
 * new.
 *
 *   line 1      "paretorank checkpoint 1\n"
 *   line 2      {"crc":"1a2b3c4d",...}\n: compact JSON with sorted keys. crc: the CRC-32 of this line's bytes without
 *               its newline and without `"crc":"1a2b3c4d",`. Then "kind": "finetune", "meta": {...}, "sections":
 *               [{"name", "elem": bytes an element, "count": elements, "stored": compressed bytes,
 *                 "crc": of the raw bytes, "stored_crc": of the compressed bytes}]
 *   the rest    the sections' stored bytes, one behind the other, in order, and nothing after them; zlib, after
 *               byte-shuffling the elements (all first bytes, then all second bytes, ...: float data compresses much
 *               better so)
 *
 * All crcs are 8 lower-case hexadecimal digits; together they cover every byte of the file. Numbers are in the byte
 * order of the machine that wrote them (little-endian everywhere this runs). Nothing in it depends on the number of
 * ranks. */
#ifndef PR_STORE_CHECKPOINT_H
#define PR_STORE_CHECKPOINT_H

#include "base/error.h"
#include "base/json.h"

#include <stddef.h>

typedef struct pr_section {
    char name[64]; // not empty, NUL-terminated, valid UTF-8, once in a file
    size_t elem;   // bytes an element, 1..16
    size_t count;  // elements
    void *data;    // elem * count bytes
} pr_section_t;

/* Writes n sections. meta: an object, borrowed. Needs memory for the compressed bytes. Errors: PR_ERR_IO, PR_ERR_FORMAT
 * (a name or an element size that a checkpoint cannot hold); nothing is left behind. */
pr_status_t pr_checkpoint_write(const char *path, const char *kind, const json_t *meta, const pr_section_t *sections,
                                size_t n, pr_error_t *err);

typedef struct pr_checkpoint {
    json_t *meta;
    pr_section_t *section;
    size_t n;
    char *kind;
} pr_checkpoint_t;

/* Reads a checkpoint of that kind (NULL: any) into *out, which the caller clears; on error *out is empty. Errors:
 * PR_ERR_NOT_FOUND, PR_ERR_FORMAT (damage of any kind: file, offset or section; found; expected), PR_ERR_MEMORY. */
pr_status_t pr_checkpoint_read(const char *path, const char *kind, pr_checkpoint_t *out, pr_error_t *err);
/* The section of that name with that element size and count. *data points into c. Errors: PR_ERR_FORMAT. */
pr_status_t pr_checkpoint_section(const pr_checkpoint_t *c, const char *path, const char *name, size_t elem,
                                  size_t count, const void **data, pr_error_t *err);
void pr_checkpoint_clear(pr_checkpoint_t *c);

#endif
