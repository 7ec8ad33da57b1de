// SPDX-License-Identifier: BSD-3-Clause
/* What every step of a training gave, kept with its state: in the checkpoint while it runs, and beside the adapter once
 * it is done, so that all steps are there after any kill, and those of a shorter training that a longer one went on
 * from. (The journal's `step` events are for those who watch; a kill may lose some.) Nothing in it differs from run to
 * run.
 *
 * steps.json, beside the adapter: {"columns": [names, then "reward" once for each objective], "objectives": [their
 * hashes], "steps": [[number or null, ...], ...]}, one list per step, in order. */
#ifndef PR_JOBS_HISTORY_H
#define PR_JOBS_HISTORY_H

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "store/checkpoint.h"

#include <stddef.h>

/* Numbers of a step; the mean reward of every reported objective follows. */
#define PR_STEP_LIST(X)                                                                                                \
    X(step)      /* from 1 */                                                                                          \
    X(climbed)   /* the reward that the training climbs: weights times the objectives' means */                        \
    X(loss)      /* of the policy gradient */                                                                          \
    X(kl)        /* to the base model, nats per token */                                                               \
    X(entropy)   /* nats per token */                                                                                  \
    X(grad_norm) /* before clipping */                                                                                 \
    X(lr)        /* learning rate */                                                                                   \
    X(length)    /* tokens per response */                                                                             \
    X(cut)       /* share of the responses that max_new_tokens cut */                                                  \
    X(tokens)    /* trained on */
#define X(name) PR_STEP_##name,
enum { PR_STEP_LIST(X) PR_STEP_COLUMNS };
#undef X
extern const char *const pr_step_columns[PR_STEP_COLUMNS];

typedef struct pr_history {
    int k;                                              // objectives
    char objective[2 * PR_MAX_OBJECTIVES][PR_HASH_HEX]; // [k] their identities
    double *row;                                        // [n][PR_STEP_COLUMNS + k]; NaN: not known
    size_t n, cap;
} pr_history_t;

void pr_history_clear(pr_history_t *h);
/* Numbers in a row. */
size_t pr_history_width(const pr_history_t *h);
/* Room for one more row: its numbers, all NaN. Valid until the next call. */
double *pr_history_add(pr_history_t *h);

/* For a checkpoint: the section, which points into h, and the meta data that say what it is of. */
pr_section_t pr_history_section(const pr_history_t *h);
void pr_history_meta(const pr_history_t *h, json_t *meta);
/* Takes the steps up to `last` of a checkpoint; objectives that were not reported then are NaN. One without steps, as an
 * earlier version wrote it, gives none. Errors: PR_ERR_FORMAT. */
pr_status_t pr_history_restore(pr_history_t *h, const pr_checkpoint_t *c, const char *path, long last, pr_error_t *err);

/* Writes steps.json into an adapter's directory; hash: of its bytes. Errors: PR_ERR_IO. */
pr_status_t pr_history_write(const pr_history_t *h, const char *dir, char hash[PR_HASH_HEX], pr_error_t *err);
/* Reads it into an empty *h, which the caller clears. hash: what its job said. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT
 * (it is not what the job wrote). */
pr_status_t pr_history_read(const char *dir, const char *hash, pr_history_t *h, pr_error_t *err);

#endif
