// SPDX-License-Identifier: BSD-3-Clause
/* Within decoding: sequences that are decoded together. */
#ifndef PR_POLICY_DECODE_CHUNK_H
#define PR_POLICY_DECODE_CHUNK_H

#include "policy/flow.h"

typedef struct pr_decode {
    const pr_policy_t *p;
    pr_engine_t *engine;
    const double *w; // [n_point,K]
    int n_prompt;
    const int *prompt_start;
    const int32_t *prompt_ids;
    const pr_decode_options_t *o;
    int samples;
    pr_decoded_t *out;
} pr_decode_t;

typedef struct pr_sequence {
    int number, point, prompt, sample;
    int n, limit; // new tokens so far and at most
    int32_t *ids; // [limit]
    float *logp;  // [limit] or NULL
    bool done;
    pr_finish_t finish;
} pr_sequence_t;

/* Chooses the sequence's next token from logits (destroyed) and decides whether it ends there. */
pr_status_t pr_decode_token(pr_decode_t *d, pr_sequence_t *s, float *logits, pr_error_t *err);

/* Run n sequences to their ends. */
pr_status_t pr_chunk_with_cache(pr_decode_t *d, pr_sequence_t *s, int n, pr_error_t *err);
pr_status_t pr_chunk_without_cache(pr_decode_t *d, pr_sequence_t *s, int n, pr_error_t *err);

#endif
