// SPDX-License-Identifier: BSD-3-Clause
/* The transformer, forward and backward, on packed rows.
 *
 * A batch is n_seq sequences whose new tokens lie one behind the other: row i of every activation is one token, T =
 * seq_start[n_seq] rows in all; there is no padding, so a sequence's numbers do not depend on its neighbours' lengths.
 * With a KV cache a sequence's rows continue what the cache holds of its stream. Adapters are applied a row: y = x W0t
 * + sum_k mix[seq,k] s_k (x A_kt) B_kt, so that one batch serves many experts (one-hot mixes) and many weight vectors
 * (`params` aggregation) over one copy of the base weights.
 *
 * Order of calls for a forward pass: pr_embed, pr_layers (0..n_layer), pr_final_norm, then pr_head_* of head.h on the
 * rows wanted. */
#ifndef PR_MODEL_TRANSFORMER_H
#define PR_MODEL_TRANSFORMER_H

#include "model/model.h"

#include <stdint.h>

/* ---- KV cache ---- */
typedef struct pr_kv pr_kv_t;

/* Room for n_stream streams of at most max_len tokens in layers [first,last). Errors: PR_ERR_MEMORY. */
pr_status_t pr_kv_new(const pr_model_t *m, int first, int last, int n_stream, int max_len, pr_kv_t **out,
                      pr_error_t *err);
void pr_kv_free(pr_kv_t **kv);
/* Tokens held of a stream. */
int pr_kv_len(const pr_kv_t *kv, int stream);
/* Forgets everything behind the first len tokens of a stream. */
void pr_kv_truncate(pr_kv_t *kv, int stream, int len);
/* Makes stream dst hold what src holds (as a prompt shared by several samples or points). */
void pr_kv_copy(pr_kv_t *kv, int dst, int src);
/* As pr_kv_copy, from one cache to another of the same model and layers. */
void pr_kv_copy_between(pr_kv_t *to, int dst, const pr_kv_t *from, int src);

/* ---- a batch ---- */
typedef struct pr_batch {
    int n_seq;
    const int *seq_start;               // [n_seq+1], seq_start[0] = 0
    const int32_t *token;               // [T]
    pr_kv_t *kv;                        // NULL: every sequence starts at position 0 and sees only itself
    const int *stream;                  // [n_seq] its stream in kv; ignored without kv
    int n_adapter;                      // K
    const pr_adapter_t *const *adapter; // [K]
    const float *mix;                   // [n_seq,K] adapter weights per sequence; ignored when K = 0
} pr_batch_t;

/* ---- a run: scratch memory, and what backward needs ---- */
typedef struct pr_run pr_run_t;

/* A workspace bound to a model and a provider; grows as needed and is reused between calls. save: keep activations for
 * pr_backward. */
pr_status_t pr_run_new(const pr_model_t *m, const pr_linalg_t *la, bool save, pr_run_t **out, pr_error_t *err);
void pr_run_free(pr_run_t **run);
/* Says that adapters this run meets will not change, so that what is derived from their values is kept between calls
 * (while training it is derived anew in every pr_layers). */
void pr_run_freeze_adapters(pr_run_t *run);
/* Is told of every input of the layers' linear maps in a forward pass, before the product: the next n rows x [n,*]
 * (ldx) that the maps of one group (pr_group_t) of a layer read; of a split model this column's features. Per layer and
 * group the rows come in their order, on every column in the same calls. fn NULL: nobody is told. */
typedef void (*pr_run_observer)(void *self, int layer, int group, int n, const float *x, int ldx);
void pr_run_observe(pr_run_t *run, pr_run_observer fn, void *self);

/* x [T,d] = token (and position) embeddings. Errors: PR_ERR_FORMAT for an id outside the vocabulary or a position past
 * max_pos. */
pr_status_t pr_embed(pr_run_t *run, const pr_batch_t *b, float *x, pr_error_t *err);
/* x [T,d] through layers first..last-1, in place. With a cache, the streams' keys and values of these layers grow by
 * the rows; call it with contiguous ranges in order and pr_kv_advance afterwards. Errors: PR_ERR_MEMORY, PR_ERR_FORMAT
 * (cache full). */
pr_status_t pr_layers(pr_run_t *run, const pr_batch_t *b, int first, int last, float *x, pr_error_t *err);
/* Counts the batch's rows as held: every stream's length grows by its sequence's rows. Once a batch, after
 * pr_layers. */
void pr_kv_advance(const pr_batch_t *b);
/* h [n,d] = final norm of x [n,d]; h may be x. With save the input is kept for backward. */
void pr_final_norm(pr_run_t *run, int n, const float *x, float *h);
/* All of it: h [T,d], after the final norm. */
pr_status_t pr_forward(pr_run_t *run, const pr_batch_t *b, float *h, pr_error_t *err);

/* ---- backward of the last pr_forward of a saving run (no cache) ---- */
typedef struct pr_grads {
    int adapter;         // which adapter gets gradients (index into batch.adapter), or -1
    float *adapter_grad; // [channels][adapter->n_data], += , laid out as adapter->data
    /* Several gradients of the adapter from one pass: channel c has each sequence's share times channel[c][sequence].
     * Sequences do not meet in the backward pass, so each is what a pass of its own would give. */
    int channels;         // 0: one, of the shares as they are
    const float *channel; // [channels][n_seq]
    float **weight_grad;  // [n tensors], in the order of pr_model_tensors, each +=, or NULL for no full gradients
} pr_grads_t;

/* dh [T,d]: the loss's derivative by pr_forward's h (destroyed). Gradients are added to g. The head's own gradient (and
 * a tied embedding's share through the head) is added by pr_head_backward. */
pr_status_t pr_backward(pr_run_t *run, const pr_batch_t *b, float *dh, const pr_grads_t *g, pr_error_t *err);

#endif
