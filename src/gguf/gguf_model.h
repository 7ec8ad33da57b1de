// SPDX-License-Identifier: BSD-3-Clause
/* What a GGUF file says of a model of the families llama, qwen2 and qwen3: sizes and settings as a config.json of the
 * transformers library, and which of its tensors is which weight there. */
#ifndef PR_GGUF_GGUF_MODEL_H
#define PR_GGUF_GGUF_MODEL_H

#include "base/json.h"
#include "gguf/gguf.h"

typedef struct pr_gguf_model {
    const char *arch; // "llama", "qwen2" or "qwen3"; static
    int layers, width, inner, heads, kv_heads, head_dim, vocab, context;
    double eps, theta;
    double linear; // rotary positions are divided by this; 1: they are not
    bool
        llama3; // frequencies are scaled as those of Llama 3.1: by factor, from and to wavelengths of original / high and
                // original / low
    double factor, low, high;
    int original;
    bool tied;           // no language-model head of its own
    bool attention_bias; // llama, qwen3: biases on q, k, v and o; qwen2 has them on q, k, v, and this is false
    bool mlp_bias;       // llama
} pr_gguf_model_t;

/* Errors: PR_ERR_FORMAT and PR_ERR_UNSUPPORTED, naming file and key or tensor: an architecture or a setting that this
 * program does not have, a key that is missing or impossible. */
pr_status_t pr_gguf_model_read(const pr_gguf_t *g, pr_gguf_model_t *out, pr_error_t *err);
/* config.json without its tokens. New reference. */
json_t *pr_gguf_model_config(const pr_gguf_model_t *m);

typedef struct pr_gguf_weight {
    char name[96];                  // as transformers has it
    const pr_gguf_tensor_t *tensor; // of this shape
    int heads;                      // not 0: within each of so many heads, the rows of the two halves stand alternately
} pr_gguf_weight_t;

/* All weights, in the order of the layers; the caller frees. Errors: PR_ERR_FORMAT (one is missing or of another shape),
 * PR_ERR_UNSUPPORTED (a tensor that is none of them). */
pr_status_t pr_gguf_model_weights(const pr_gguf_t *g, const pr_gguf_model_t *m, pr_gguf_weight_t **out, size_t *n,
                                  pr_error_t *err);
/* Row r of the weight [rows] is which of the tensor's? */
int64_t pr_gguf_weight_row(const pr_gguf_weight_t *w, int64_t r);

#endif
