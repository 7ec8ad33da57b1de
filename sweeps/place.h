// SPDX-License-Identifier: BSD-3-Clause
/* Where a sweep's files are. A results directory is worked in wherever it is now: it may have been moved, renamed or
 * copied since, alone or with what lies around it. Identities are by content, so what it is does not change; its
 * configuration names model, prompts, adapters and objectives' files as they were, and what is not there any more is
 * looked for where it would be if it had moved along, and taken if its content is the same. */
#ifndef PR_SWEEPS_PLACE_H
#define PR_SWEEPS_PLACE_H

#include "config/config.h"
#include "sweeps/inputs.h"

typedef enum {
    PR_PLACE_ALL,    // every input must be there
    PR_PLACE_POLICY, // model and adapters must; others are left as they were when they are not
} pr_place_t;

/* Reads the configuration of a sweep: of a file; or of a results directory, whose "results" then is that directory,
 * unless an override says otherwise; or of the sweep.cfg of a folder in which nothing has been run. overrides [n]:
 * "key=value". Caller frees with pr_config_free. Errors: those of pr_config_read; PR_ERR_NOT_FOUND: an input that is
 * not there (its key, what it was, how to name it again); PR_ERR_UNSUPPORTED: results of another layout. */
pr_status_t pr_sweep_config_read(const char *path, const char *const *overrides, int n, pr_place_t need,
                                 pr_config_t **out, pr_error_t *err);
/* What the journal's "sweep_start" keeps for that: {key: {"path", "hash"}} of all input files. New reference. */
json_t *pr_sweep_inputs_json(const pr_config_t *c, const pr_inputs_t *in);

#endif
