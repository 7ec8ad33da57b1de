// SPDX-License-Identifier: BSD-3-Clause
/* The inside of a judging. */
#ifndef PR_SWEEPS_JUDGING_INTERNAL_H
#define PR_SWEEPS_JUDGING_INTERNAL_H

#include "store/journal.h"
#include "store/results.h"
#include "store/segment.h"
#include "sweeps/fold.h"
#include "sweeps/judging.h"
#include "sweeps/take.h"

/* A fit of a head, or the evaluation of a point. */
typedef struct pr_judged {
    pr_job_record_t *job;
    json_t *inputs, *how;
    char id[PR_HASH_HEX], *label;
    bool fits;
} pr_judged_t;

struct pr_judging {
    char *name, *sweep_dir, *dir;
    json_t *weights; // the sweep's objectives: names
    pr_config_t *c;  // the sweep's, with the prompts, objectives and results of this
    pr_inputs_t in;  //
    size_t n;
    pr_taken_t *taken; // [n] in the order of the rows
    size_t n_fit;
    pr_judged_t *job; // [n_fit + n] the fits first
    pr_results_t *results;
    pr_journal_t *journal;
    pr_fold_t *fold;
    json_t *pending; // [event, line]
    int workers, running;
    double began;
    pr_status_t why; // of the first job that was given up
};

/* Reads what the evaluation of a point wrote; *where: of it, for messages. The caller clears *out and frees *where, also
 * after an error. */
pr_status_t pr_judging_record(const pr_judging_t *j, const pr_judged_t *d, pr_record_t *out, char **where,
                              pr_error_t *err);
/* Writes cells.csv and samples.jsonl. Errors: PR_ERR_IO; those of reading what evaluations wrote. */
pr_status_t pr_judging_write(const pr_judging_t *j, pr_error_t *err);

#endif
