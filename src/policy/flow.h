// SPDX-License-Identifier: BSD-3-Clause
/* One pass of a policy over a batch: the experts' part (layers 0..split-1, a sequence an expert), the combination, the
 * part after it (one sequence per item), the head.
 *
 *   split        combined
 *   0, K = 0     nothing to combine: items start at the embedding, adapters merged by w
 *   0 < s < L    sum (w_k / sum w) z_k of every position
 *   L            the positions wanted, as the mix says (policy/mix.h): one row of their hidden states, before the norm
 *                or after it, or one row of their logits
 */
#ifndef PR_POLICY_FLOW_H
#define PR_POLICY_FLOW_H

#include "policy/policy.h"

/* Sequences of tokens, packed, each with its stream of the cache (kv NULL: from position 0). */
typedef struct pr_strand {
    int n;
    const int *start; // [n+1]
    const int32_t *token;
    pr_kv_t *kv;
    const int *stream; // [n]
} pr_strand_t;

typedef struct pr_flow {
    pr_strand_t expert_seq; // n = 0 when split is 0
    const int *expert;      // [expert_seq.n] its adapter; neighbours with the same adapter share products
    pr_strand_t item;       // token is read, and kv used, only when layers lie after the split
    const int *source;      // [item.n,K] the expert sequence of adapter k, of the same length; -1 where w_k = 0
    const double **w;       // [item.n] weights [K]
    bool all_positions;     // logits of every row, not of each item's last
} pr_flow_t;

/* Takes logits of output rows first..first+n-1 (items' last rows, or all rows), in order; may change them. */
typedef pr_status_t (*pr_flow_sink)(void *self, int first, int n, float *logits, pr_error_t *err);

typedef struct pr_engine pr_engine_t;
/* Everything here is collective on the columns of the policy's provider. The policy must have passed pr_policy_check
 * and must outlive the engine; its adapters must not change meanwhile. */
pr_status_t pr_engine_new(const pr_policy_t *p, pr_engine_t **out, pr_error_t *err);
void pr_engine_free(pr_engine_t **e);
/* Layers run once per expert. */
int pr_engine_split(const pr_engine_t *e);
pr_status_t pr_flow_run(pr_engine_t *e, const pr_flow_t *f, pr_flow_sink sink, void *self, pr_error_t *err);

#endif
