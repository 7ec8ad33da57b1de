// SPDX-License-Identifier: BSD-3-Clause
/* Token sequences scored by a model in packed batches. The cut into batches depends on the sequences only: in order,
 * each batch as many whole sequences as fit into a number of tokens. */
#ifndef PR_OBJECTIVE_PACKED_H
#define PR_OBJECTIVE_PACKED_H

#include "model/head.h"
#include "model/transformer.h"

typedef struct pr_packed {
    size_t n;       // sequences
    size_t *start;  // [n+1] in tokens
    int32_t *token; // [start[n]]
    size_t cap_n, cap_token;
} pr_packed_t;

/* Adds a sequence of n > 0 tokens. Start from {0}; free with pr_packed_free. */
void pr_packed_add(pr_packed_t *p, const int32_t *token, size_t n);
void pr_packed_free(pr_packed_t *p);

/* The end of the batch that begins with sequence `first` < p->n: as many whole sequences as fit, at least one. */
size_t pr_packed_batch_end(const pr_packed_t *p, size_t first, size_t batch_tokens);
/* Gets the hidden states of sequences first..first+b->n_seq-1: h [T,d] after the final norm, rows as in b. */
typedef pr_status_t (*pr_states_fn)(void *self, size_t first, const pr_batch_t *b, const float *h, pr_error_t *err);
/* Runs all sequences through the model without adapters, batch_tokens at a time (more where one sequence is longer).
 * la: what run was made on; collective on its columns. */
pr_status_t pr_packed_run(const pr_packed_t *p, const pr_model_t *m, const pr_linalg_t *la, pr_run_t *run,
                          size_t batch_tokens, pr_states_fn each, void *self, pr_error_t *err);

#endif
