// SPDX-License-Identifier: BSD-3-Clause
/* Frees what a results directory does not need any more. */
#ifndef PR_SWEEPS_CLEAN_H
#define PR_SWEEPS_CLEAN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    PR_CLEAN_TEMPORARY,  // files that a killed process left half-written
    PR_CLEAN_TUNED,      // checkpoints of fine-tune jobs whose experts are there
    PR_CLEAN_LEFT,       // what a finished sweep has no use for, of configurations before it
    PR_CLEAN_EVALUATION, // of a finished sweep's points: prompts' scores and responses
    PR_CLEAN_KINDS
} pr_clean_kind_t;

typedef struct pr_clean {
    size_t files[PR_CLEAN_KINDS];
    uint64_t bytes[PR_CLEAN_KINDS]; // on disk
    bool finished;                  // the sweep is
} pr_clean_t;

/* Deletes, with the directory's lock held; dry: only counts. A later run of the same sweep gives the same without them.
 * evaluations: those of points too, after which intervals and samples are only kept as long as the configuration stays.
 * Errors: PR_ERR_LOCKED (a run works there), PR_ERR_NOT_FOUND (no results directory), PR_ERR_FORMAT (its journal),
 * PR_ERR_USAGE (evaluations of a sweep that is not finished or needs them), PR_ERR_IO; what was deleted before is
 * counted then. */
pr_status_t pr_sweep_clean(const char *dir, bool evaluations, bool dry, pr_clean_t *out, pr_error_t *err);

#endif
