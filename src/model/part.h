// SPDX-License-Identifier: BSD-3-Clause
/* Which features of a model a column of a team holds.
 *
 * The residual stream, the MLP's inner features and the vocabulary are split into blocks of equal size, the last ones
 * cut at the end, as PBLAS distributes them. Query heads are split whole, sizes differing by at most one; a column
 * holds every key/value head that one of its query heads reads, so that some are held twice where the columns do not
 * divide them. Attention's buffers are padded with zeros to the widest column's, which makes them blocks of equal size
 * too. */
#ifndef PR_MODEL_PART_H
#define PR_MODEL_PART_H

#include "base/error.h"
#include "model/adapter.h"
#include "model/config.h"

#include <stdbool.h>

typedef struct pr_range {
    int first, n;
} pr_range_t;

typedef struct pr_part {
    int cols, col;
    pr_range_t d;       // features of the residual stream
    pr_range_t ff;      // inner features of the MLP
    pr_range_t vocab;   // rows of embedding and head
    pr_range_t head;    // query heads
    pr_range_t kv_head; // key/value heads
    int d_block, ff_block, vocab_block;
    int q_block;   // features of the widest column's query heads
    int qkv_block; // features of the widest column's q, k and v together
} pr_part_t;

/* Can the model's features be split so? Every column needs a query head. Errors: PR_ERR_CONFIG. Local. */
pr_status_t pr_part_check(const pr_model_config_t *c, int cols, pr_error_t *err);
/* The part of column col of cols. Local. */
pr_part_t pr_part(const pr_model_config_t *c, int cols, int col);

/* The kinds of features that are split. */
typedef enum { PR_SPACE_D, PR_SPACE_FF, PR_SPACE_Q, PR_SPACE_VOCAB, PR_N_SPACE } pr_space_t;
/* first [cols+1] of a space, for pr_linalg's gather; PR_SPACE_Q: query heads times their size. Local. */
void pr_part_bounds(const pr_model_config_t *c, int cols, pr_space_t space, int *first);

/* Inputs of a slot that a column holds, as a range of the whole slot's. */
pr_range_t pr_part_slot_in(const pr_model_config_t *c, const pr_part_t *p, pr_slot_t slot);
/* Outputs of a slot that a column holds: up to three ranges (gpt2's fused q, k and v), in the order they lie there.
 * Returns how many. */
int pr_part_slot_out(const pr_model_config_t *c, const pr_part_t *p, pr_slot_t slot, pr_range_t out[3]);

#endif
