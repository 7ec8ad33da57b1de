// SPDX-License-Identifier: BSD-3-Clause
/* A Hugging Face model directory in memory: configuration, weights in float. F32 weights are used straight from the
 * mapped file; F16 and BF16 (and F32 off the 4-byte grid) are converted, tensor by tensor, their pages given back, so
 * that memory peaks near 4 bytes a parameter. Either way the processes of a node hold a model's weights once: mapped
 * files are the page cache's, and what was converted is shared (shared_block.h) by all who load the same files, in
 * whatever run. Where that cannot be, a process converts for itself and says so. PARETORANK_SHARE_WEIGHTS=0 asks for
 * it.
 *
 * A column of a team holds a part of it (model/part.h), read straight from the mapped file: about 1/cols of the
 * weights. There, maps that read the same input are one: q, k and v in slot PR_SLOT_QKV, gate and up in PR_SLOT_GATE,
 * their outputs side by side; and split weights lie as PBLAS wants them (model_part.c). */
#ifndef PR_MODEL_MODEL_H
#define PR_MODEL_MODEL_H

#include "base/error.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/part.h"
#include "parallel/linalg.h"

#include <stddef.h>
#include <stdint.h>

typedef struct pr_layer {
    const float *norm1_w, *norm1_b; // [d] before attention; b NULL for RMSNorm
    const float *norm2_w, *norm2_b; // [d] before the MLP
    pr_weight_t w[PR_N_SLOT];       // data NULL for slots the architecture lacks
    const float *bias[PR_N_SLOT];   // [out] or NULL
    const float *q_norm, *k_norm;   // [head_dim] or NULL
} pr_layer_t;

typedef struct pr_model {
    pr_model_config_t config;
    pr_part_t part;               // what this column holds; below, d and V are the part's
    pr_layer_t *layer;            // [n_layer]
    const float *embed;           // [V, all d], or [all d, V] with embed_transposed (the part of a tied embedding)
    int embed_ld;                 // elements between its stored rows
    bool embed_transposed;        // by features instead of by words
    const float *pos;             // [max_pos,d] learned positions (gpt2) or NULL
    const float *norm_w, *norm_b; // [d] final norm
    pr_weight_t head;             // [V,d]; the embedding when tied; data NULL for a classifier
    pr_weight_t score;            // [n_label,d] of a sequence classifier; data NULL for a language model
    float *rope_cos, *rope_sin;   // [at least what pr_model_rope_reserve asked for, head_dim/2], or NULL before it
    size_t bytes;                 // memory held for weights
    size_t shared_bytes;          // of these, what all processes of the node hold once; the rest is private
    struct pr_model_storage *storage;
} pr_model_t;

/* Loads DIR; may wait for another process of the node that is loading the same, never for one that waits for this one.
 * Checks that every expected tensor is there with the shape that config.json says and holds finite numbers.
 * Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT, PR_ERR_UNSUPPORTED, PR_ERR_MEMORY. */
pr_status_t pr_model_load(const char *dir, pr_model_t **out, pr_error_t *err);
/* The part of column col of cols. Local: no rank ever holds the whole model. Errors: as pr_model_load, and
 * PR_ERR_CONFIG for a model that cannot be split so. */
pr_status_t pr_model_load_part(const char *dir, int cols, int col, pr_model_t **out, pr_error_t *err);
/* A model of that configuration (copied) with random weights, or a column's part of it: the same model for any cols.
 * Errors: PR_ERR_CONFIG, PR_ERR_MEMORY. */
pr_status_t pr_model_random(const pr_model_config_t *c, int cols, int col, uint64_t seed, pr_model_t **out,
                            pr_error_t *err);
void pr_model_free(pr_model_t **m);

/* Makes the tables rope_cos and rope_sin hold positions 0..n_pos-1; nothing to do without rotary positions. The tables
 * are a cache that grows on demand (a full one for a context of 2^17 would outweigh a small model), hence the const;
 * they may move, so read the pointers afterwards. Not for several threads at once. Errors: PR_ERR_FORMAT (n_pos past
 * max_pos), PR_ERR_MEMORY. */
pr_status_t pr_model_rope_reserve(const pr_model_t *m, int n_pos, pr_error_t *err);

/* One named tensor of the model: all of them in a fixed order, for full fine-tuning, checks and writing. Of a part, a
 * tensor as it is held, such as a layer's q, k and v together; pr_model_export gives those of Hugging Face. */
typedef struct pr_model_tensor {
    char name[128]; // Hugging Face name
    float *data;    // writable only after pr_model_make_writable
    int n_dim;
    int shape[2]; // as stored
    size_t n;
} pr_model_tensor_t;

/* Copies what is still mapped or shared, so that weights may be changed (full fine-tuning, checks). Errors:
 * PR_ERR_MEMORY. */
pr_status_t pr_model_make_writable(pr_model_t *m, pr_error_t *err);
/* The list (caller frees it, not the data) and its length. A tied head appears once, as the embedding. */
pr_model_tensor_t *pr_model_tensors(const pr_model_t *m, size_t *n);

/* What a split model holds twice: to be made the same on all columns. */
typedef enum {
    PR_EXPORT_WEIGHTS,  // copies are equal: one of them counts
    PR_EXPORT_GRADIENTS // every copy holds a share: they are added up
} pr_export_t;
/* Number of Hugging Face tensors. */
size_t pr_model_export_count(const pr_model_t *m);
/* Hugging Face tensor number i from values [n tensors] laid out as pr_model_tensors lists them (NULL: the weights
 * themselves): its name and shape into *t, t->data freshly allocated on every column, caller frees. Collective on the
 * columns. Errors: PR_ERR_MEMORY. */
pr_status_t pr_model_export(const pr_model_t *m, const pr_linalg_t *la, size_t i, const float *const *values,
                            pr_export_t kind, pr_model_tensor_t *t, pr_error_t *err);
/* The reverse, for values that are the same on all columns: full [t->n] of tensor i into the places it has in values.
 * Local. */
void pr_model_import(const pr_model_t *m, size_t i, const float *full, float *const *values);

#endif
