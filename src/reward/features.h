// SPDX-License-Identifier: BSD-3-Clause
/* The samples that a linear head is fitted on, or measured by, as features: the last hidden states of labelled texts,
 * or their differences of pairs, batch by batch. */
#ifndef PR_REWARD_FEATURES_H
#define PR_REWARD_FEATURES_H

#include "reward/data.h"
#include "reward/fit.h"
#include "reward/head.h"

typedef struct pr_reward_set {
    const pr_fit_input_t *in;
    int n;            // samples of this team row
    int each;         // sequences of a sample: 1, or 2 of a pair
    double *y;        // [n] labels
    pr_packed_t text; // [n each] sequences
    int *first;       // [n_batch+1] first sample of each batch; empty ones at the end
    pr_run_t *run;
    float *h;               // [max_rows each, d] of one batch
    float *kept;            // [n,d] of pairs once they have been gone through; NULL where one pass is enough
    bool *have;             // [n_batch] is in kept
    int64_t tokens;         // through the model so far
    pr_features_t features; // for reward/fit.h
} pr_reward_set_t;

/* This team row's share of the samples that are held out, or of those that are not. keep: pairs will be gone through
 * several times. Caller clears. Collective on the team. Errors: those of the tokenizer, PR_ERR_MEMORY. */
pr_status_t pr_reward_set_open(const pr_fit_input_t *in, const pr_reward_data_t *data, bool held_out, bool keep,
                               pr_reward_set_t *out, pr_error_t *err);
void pr_reward_set_clear(pr_reward_set_t *s);

#endif
