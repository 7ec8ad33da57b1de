// SPDX-License-Identifier: BSD-3-Clause
/* What a configuration changes for a results directory: by the resolved configuration that the journal holds, by the
 * content of the input files, and by what each key does to results that are there (config/key_class.h). */
#ifndef PR_SWEEPS_CHANGES_H
#define PR_SWEEPS_CHANGES_H

#include "sweeps/inputs.h"

/* One side: what a sweep was or is told to be. */
typedef struct pr_changes_side {
    const json_t *config; // pr_config_json; may be an earlier version's
    const json_t *inputs; // pr_sweep_inputs_json, or NULL: files are not compared
    int prompts;          // evaluation prompts used; 0: not known
    const json_t *asked;  // of what was: search -> the most points that it has asked for; or NULL
} pr_changes_side_t;

/* What makes the new configuration's results others than those that are there, and does not only add to them. */
typedef struct pr_changes {
    json_t *text;    // list: "finetune.steps: 2 → 3"
    bool more_steps; // there is such a key among them
    bool other;      // there is one that is no such key
} pr_changes_t;

/* Local. The caller clears *out. */
void pr_changes_find(const pr_changes_side_t *before, const pr_changes_side_t *after, pr_changes_t *out);
void pr_changes_clear(pr_changes_t *c);
/* The first of them in one line. Caller frees. */
char *pr_changes_line(const pr_changes_t *c);
/* Refuses them for a results directory. Errors: PR_ERR_CONFIG with the list; PR_OK when there is none. */
pr_status_t pr_changes_refuse(const char *dir, const pr_changes_t *c, pr_error_t *err);
/* What a run of config in its results directory would refuse, as far as the configuration says it: files are not
 * compared. Errors: those of reading the journal. The caller clears *out, also after an error. */
pr_status_t pr_changes_of_dir(const pr_config_t *config, pr_changes_t *out, pr_error_t *err);

#endif
