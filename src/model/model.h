/* A Hugging Face model directory in memory: configuration, weights in float. F32 weights are used straight from the
 * mapped file; F16 and BF16 are converted once, tensor by tensor, their pages given back, so that memory peaks near 4
 * bytes a parameter. */
#ifndef PR_MODEL_MODEL_H
#define PR_MODEL_MODEL_H

#include "base/error.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/linalg.h"

#include <stddef.h>

typedef struct pr_layer {
    const float *norm1_w, *norm1_b; // [d] before attention; b NULL for RMSNorm
    const float *norm2_w, *norm2_b; // [d] before the MLP
    pr_weight_t w[PR_N_SLOT];       // data NULL for slots the architecture lacks
    const float *bias[PR_N_SLOT];   // [out] or NULL
    const float *q_norm, *k_norm;   // [head_dim] or NULL
} pr_layer_t;

typedef struct pr_model {
    pr_model_config_t config;
    pr_layer_t *layer;            // [n_layer]
    const float *embed;           // [V,d]
    const float *pos;             // [max_pos,d] learned positions (gpt2) or NULL
    const float *norm_w, *norm_b; // [d] final norm
    pr_weight_t head;             // [V,d]; the embedding when tied; data NULL for a classifier
    pr_weight_t score;            // [n_label,d] of a sequence classifier; data NULL for a language model
    float *rope_cos, *rope_sin;   // [at least what pr_model_rope_reserve asked for, head_dim/2], or NULL before it
    char hash[33];                // identity by content: config.json and the weight files
    size_t bytes;                 // memory held for weights
    struct pr_model_storage *storage;
} pr_model_t;

/* Loads DIR. Checks that every expected tensor is there with the shape that config.json says.
 * Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT, PR_ERR_UNSUPPORTED, PR_ERR_MEMORY. */
pr_status_t pr_model_load(const char *dir, pr_model_t **out, pr_error_t *err);
void pr_model_free(pr_model_t **m);

/* Makes the tables rope_cos and rope_sin hold positions 0..n_pos-1; nothing to do without rotary positions. The tables
 * are a cache that grows on demand (a full one for a context of 2^17 would outweigh a small model), hence the const;
 * they may move, so read the pointers afterwards. Not for several threads at once. Errors: PR_ERR_FORMAT (n_pos past
 * max_pos), PR_ERR_MEMORY. */
pr_status_t pr_model_rope_reserve(const pr_model_t *m, int n_pos, pr_error_t *err);

/* One named tensor of the model: all of them in a fixed order, for full fine-tuning, checks and writing. */
typedef struct pr_model_tensor {
    char name[128]; // Hugging Face name
    float *data;    // writable only after pr_model_make_writable
    int n_dim;
    int shape[2]; // as stored
    size_t n;
} pr_model_tensor_t;

/* Copies what is still mapped, so that weights may be changed (full fine-tuning, checks). Errors: PR_ERR_MEMORY. */
pr_status_t pr_model_make_writable(pr_model_t *m, pr_error_t *err);
/* The list (caller frees it, not the data) and its length. A tied head appears once, as the embedding. */
pr_model_tensor_t *pr_model_tensors(const pr_model_t *m, size_t *n);

#endif
