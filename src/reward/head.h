// SPDX-License-Identifier: BSD-3-Clause
/* A linear reward head fitted on the last hidden states of a base model: what the fit_reward job and `paretorank
 * fit-reward` share. Texts go through the model in batches. Of labelled texts only the labels and one batch's states
 * are held; the differences of pairs, which every Newton step needs again, are held as float: 4 n d bytes of a team
 * row's n pairs, on each of its ranks, as the model would take far longer to make them again. */
#ifndef PR_REWARD_HEAD_H
#define PR_REWARD_HEAD_H

#include "base/hash.h"
#include "base/json.h"
#include "model/linear_head.h"
#include "model/model.h"
#include "objective/templated.h"
#include "parallel/team.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_fit_input {
    const pr_team_t *team;
    const pr_model_t *model; // this column's part
    const pr_tokenizer_t *tokenizer;
    const char *data;       // file (reward/data.h)
    const char *model_hash; // of the model's files, told in the head's file; NULL: not known
    pr_templated_t text;    // borrowed
    double ridge, holdout;
    size_t batch_tokens;
    bool (*cancel)(void *self); // asked before every batch; may be NULL
    void *self;
} pr_fit_input_t;

typedef struct pr_fit_output {
    pr_linear_head_t *head; // the same on every rank; its metadata hold the figures
    json_t *figures;        // {"kind": "labels" | "pairs", "samples", "fitted", "held_out", "ridge", "rcond", "steps",
                            // "train_loss", "held_out_loss" | "held_out_rmse", "held_out_r2", "held_out_accuracy",
                            // "held_out_base_rate"}; null for
                            // what there is nothing to tell from
    int64_t tokens;         // through the model, of the whole team
} pr_fit_output_t;

/* Collective on the team. The caller clears *out. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (the data), PR_ERR_NUMERIC
 * (reward/fit.h; a weight that float cannot hold), PR_ERR_MEMORY, PR_ERR_INTERRUPTED. */
pr_status_t pr_fit_reward(const pr_fit_input_t *in, pr_fit_output_t *out, pr_error_t *err);
void pr_fit_output_clear(pr_fit_output_t *out);

#endif
