// SPDX-License-Identifier: BSD-3-Clause
/* Checkpoints: named binary sections in one file, compressed, checked, written so that a reader sees the old one or the
 * new.
 *
 *   line 1      "paretorank checkpoint 1\n"
 *   the rest    one record (store/record.h), and nothing after it */
#ifndef PR_STORE_CHECKPOINT_H
#define PR_STORE_CHECKPOINT_H

#include "base/error.h"
#include "base/json.h"
#include "store/record.h"

#include <stddef.h>

/* Writes n sections. meta: an object, borrowed. Needs memory for the compressed bytes. Errors: PR_ERR_IO, PR_ERR_FORMAT
 * (a name or an element size that a checkpoint cannot hold); nothing is left behind. */
pr_status_t pr_checkpoint_write(const char *path, const char *kind, const json_t *meta, const pr_section_t *sections,
                                size_t n, pr_error_t *err);

typedef pr_record_t pr_checkpoint_t;

/* Reads a checkpoint of that kind (NULL: any) into *out, which the caller clears; on error *out is empty. Errors:
 * PR_ERR_NOT_FOUND, PR_ERR_FORMAT (damage of any kind: file, offset or section; found; expected), PR_ERR_MEMORY. */
pr_status_t pr_checkpoint_read(const char *path, const char *kind, pr_checkpoint_t *out, pr_error_t *err);
/* The section of that name with that element size and count. *data points into c. Errors: PR_ERR_FORMAT. */
pr_status_t pr_checkpoint_section(const pr_checkpoint_t *c, const char *path, const char *name, size_t elem,
                                  size_t count, const void **data, pr_error_t *err);
void pr_checkpoint_clear(pr_checkpoint_t *c);

#endif
