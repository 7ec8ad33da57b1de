/* Experts and heads of results directories, as others read them: what is damaged is noticed, as the journal holds the
 * hash of what the job wrote. */
#ifndef PR_JOBS_ARTIFACT_H
#define PR_JOBS_ARTIFACT_H

#include "base/error.h"
#include "base/hash.h"

#include <stdbool.h>

/* Is a PEFT directory DIR/experts/LABEL, or a file DIR/heads/NAME.safetensors, with a journal in DIR, what its job
 * wrote? Of anything else *known is false, and all is well. Errors: PR_ERR_FORMAT (it is not; the journal has no such
 * job, or no good line), PR_ERR_NOT_FOUND (it cannot be read). */
pr_status_t pr_artifact_check(const char *path, bool *known, pr_error_t *err);
/* pr_adapter_hash of a PEFT directory that passes this check, read once for both. Errors: of both. */
pr_status_t pr_artifact_adapter_hash(const char *path, char out[PR_HASH_HEX], pr_error_t *err);

#endif
