// SPDX-License-Identifier: BSD-3-Clause
/* config.json of a Hugging Face model directory: what the transformer needs of it, one structure for all supported
 * architectures.
 *
 * model_type gpt2 (learned positions, LayerNorm, fused QKV, Conv1D weights stored [in,out]) and the llama family:
 * llama, mistral, qwen2 (QKV bias), qwen3 (RMSNorm on every head's q and k). A setting that this program does not have
 * is PR_ERR_UNSUPPORTED and is named. */
#ifndef PR_MODEL_CONFIG_H
#define PR_MODEL_CONFIG_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum { PR_ARCH_GPT2, PR_ARCH_LLAMA, PR_ARCH_MISTRAL, PR_ARCH_QWEN2, PR_ARCH_QWEN3 } pr_arch_t;
typedef enum { PR_ACT_SILU, PR_ACT_GELU, PR_ACT_GELU_NEW /* also gelu_pytorch_tanh */, PR_ACT_RELU } pr_act_t;
typedef enum { PR_ROPE_NONE, PR_ROPE_DEFAULT, PR_ROPE_LINEAR, PR_ROPE_LLAMA3 } pr_rope_t;

enum { PR_MAX_EOS = 16 };

typedef struct pr_model_config {
    pr_arch_t arch;
    int vocab;     // V
    int d_model;   // d
    int n_layer;   // L
    int n_head;    // query heads
    int n_kv_head; // key/value heads; divides n_head
    int head_dim;  // size of one head
    int d_ff;      // inner size of the MLP
    int max_pos;   // longest sequence
    pr_act_t act;
    double norm_eps;
    bool tied_head; // the language-model head is the token embedding
    bool qkv_bias;  // biases on q, k, v
    bool o_bias;    // bias on the attention output
    bool mlp_bias;  // biases in the MLP
    bool qk_norm;   // RMSNorm of each head's q and k (qwen3)
    pr_rope_t rope;
    double rope_theta, rope_factor; // linear, llama3
    double rope_low, rope_high;     // llama3: low_freq_factor, high_freq_factor
    int rope_original_pos;          // llama3: original_max_position_embeddings
    int *window;                // [n_layer] sliding attention: a token sees itself and the window-1 before it; 0: no
                                // window; NULL when no layer has one
    int bos, pad;               // -1: none
    int n_eos, eos[PR_MAX_EOS]; // end-of-text tokens: generation_config.json's, else config.json's
    int n_stop;                 // texts that end a response beside them: generation_config.json's stop_strings
    char **stop;                // [n_stop], none empty; NULL when there are none
    int n_label;                // sequence classification: labels (0: a language model)
    char arch_name[64];         // architectures[0], such as "LlamaForCausalLM"
} pr_model_config_t;

/* PR_ERR_NOT_FOUND, saying what a model is, where there is no such directory. */
pr_status_t pr_model_dir_check(const char *dir, pr_error_t *err);
/* Reads DIR/config.json (and DIR/generation_config.json where present). The caller clears it with
 * pr_model_config_clear. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (missing or impossible sizes), PR_ERR_UNSUPPORTED. */
pr_status_t pr_model_config_read(const char *dir, pr_model_config_t *out, pr_error_t *err);
void pr_model_config_clear(pr_model_config_t *c);
const char *pr_arch_name(pr_arch_t arch);
/* Number of parameters, counted from the shapes (a tied head once). */
int64_t pr_model_config_params(const pr_model_config_t *c);
/* inv_freq [head_dim/2]: the angle per position of each rotated pair (i, i + head_dim/2), with the scaling applied; in
 * float, as PyTorch computes it, however the weights are stored. Only for configurations with rope != PR_ROPE_NONE. */
void pr_model_config_rope(const pr_model_config_t *c, float *inv_freq);

#endif
