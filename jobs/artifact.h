// SPDX-License-Identifier: BSD-3-Clause
/* What jobs leave, and what is given in its place: by the hash of its content, so that what was damaged is noticed. */
#ifndef PR_JOBS_ARTIFACT_H
#define PR_JOBS_ARTIFACT_H

#include "base/error.h"
#include "base/hash.h"
#include "store/layout.h"

#include <stdbool.h>

/* The hash of a PEFT directory's two files, and of a family's where it holds one (family/family.h). Errors:
 * PR_ERR_NOT_FOUND. */
pr_status_t pr_adapter_hash(const char *dir, char out[PR_HASH_HEX], pr_error_t *err);
/* Of what a job left, by what it is. Errors: PR_ERR_NOT_FOUND. */
pr_status_t pr_artifact_hash(pr_artifact_kind_t kind, const char *path, char out[PR_HASH_HEX], pr_error_t *err);
/* Of a model directory: config, generation config, tokenizer and weights. Reads every byte. Errors: PR_ERR_NOT_FOUND.
 */
pr_status_t pr_model_dir_hash(const char *dir, char out[PR_HASH_HEX], pr_error_t *err);

/* Is a PEFT directory, or the file of a head, in a results directory (by its own name or by that of the link for
 * people) what its job wrote, as the journal there says? Of anything else *known is false, and all is well. Errors:
 * PR_ERR_FORMAT (it is not; the journal has no such job, or no good line), PR_ERR_NOT_FOUND (it cannot be read). */
pr_status_t pr_artifact_check(const char *path, bool *known, pr_error_t *err);
/* pr_adapter_hash of a PEFT directory that passes this check, read once for both. Errors: of both. */
pr_status_t pr_artifact_adapter_hash(const char *path, char out[PR_HASH_HEX], pr_error_t *err);

#endif
