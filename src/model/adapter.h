// SPDX-License-Identifier: BSD-3-Clause
/* LoRA adapters (Hu et al. 2021) in PEFT's format: adapter_config.json and adapter_model.safetensors.
 *
 * A model's linear maps that an adapter can target are slots: per layer, in the order of pr_slot_t. An adapter holds
 * for some of them A [r,in] and B [out,r] and a scale s = alpha/r (alpha/sqrt(r) with use_rslora); the layer's output
 * becomes x Wt + s (x At) Bt. */
#ifndef PR_MODEL_ADAPTER_H
#define PR_MODEL_ADAPTER_H

#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "model/config.h"

#include <stddef.h>

typedef enum {
    PR_SLOT_QKV,  // gpt2: attn.c_attn, [3d, d]
    PR_SLOT_Q,    // llama family: self_attn.q_proj
    PR_SLOT_K,    // self_attn.k_proj
    PR_SLOT_V,    // self_attn.v_proj
    PR_SLOT_O,    // self_attn.o_proj; gpt2: attn.c_proj
    PR_SLOT_GATE, // mlp.gate_proj
    PR_SLOT_UP,   // mlp.up_proj; gpt2: mlp.c_fc
    PR_SLOT_DOWN, // mlp.down_proj; gpt2: mlp.c_proj
    PR_N_SLOT
} pr_slot_t;

/* Shape of a slot's weight, logically [out,in]; false when the architecture has no such slot. */
bool pr_slot_shape(const pr_model_config_t *c, pr_slot_t slot, int *out, int *in);
/* The module's name in Hugging Face models: "model.layers.3.self_attn.q_proj", "transformer.h.3.attn.c_attn". */
void pr_slot_module(const pr_model_config_t *c, int layer, pr_slot_t slot, char *name, size_t size);

typedef struct pr_lora {
    int r;       // 0: this slot is not adapted
    float alpha; // lora_alpha of this slot
    float scale; // s
    float *a;    // [r,in]
    float *b;    // [out,r]
} pr_lora_t;

typedef struct pr_adapter {
    int n_layer;
    pr_lora_t *lora; // [n_layer][PR_N_SLOT]
    float *data;     // one block that all a and b point into, so that it can be saved and stepped as one vector
    size_t n_data;
    bool rslora;
} pr_adapter_t;

static inline pr_lora_t *pr_adapter_at(const pr_adapter_t *a, int layer, pr_slot_t slot)
{
    return &a->lora[(size_t)layer * PR_N_SLOT + slot];
}

typedef struct pr_adapter_options {
    int r;
    double alpha;
    bool rslora;
    const char *const *targets; // module suffixes such as "q_proj"; NULL: every linear map of the layers
    int n_targets;
} pr_adapter_options_t;

/* Can there be such an adapter of this model? Errors: those of pr_adapter_new. */
pr_status_t pr_adapter_check_options(const pr_model_config_t *c, const pr_adapter_options_t *o, pr_error_t *err);
/* Such an adapter without its numbers, for what only its size is asked of: ranks, scales and n_data are set, data and
 * all a and b are NULL. Errors: those of pr_adapter_new. */
pr_status_t pr_adapter_shape(const pr_model_config_t *c, const pr_adapter_options_t *o, pr_adapter_t **out,
                             pr_error_t *err);
/* A new adapter: A uniform as PEFT initialises it (Kaiming, a = sqrt 5: U(-1/sqrt(in), 1/sqrt(in))) from the key, B
 * zero. Errors: PR_ERR_CONFIG (a target that names no linear map of this model; the message lists those there are). */
pr_status_t pr_adapter_new(const pr_model_config_t *c, const pr_adapter_options_t *o, const pr_rng_key_t *key,
                           pr_adapter_t **out, pr_error_t *err);
/* Has b the shape of a: the same maps, with the same ranks and scales? Errors: PR_ERR_CONFIG, naming the first map where
 * it has not, with b's as found. */
pr_status_t pr_adapter_check_alike(const pr_adapter_t *a, const pr_adapter_t *b, const pr_model_config_t *c,
                                   pr_error_t *err);
/* Takes the numbers of b. Errors: those of pr_adapter_check_alike. */
pr_status_t pr_adapter_take(pr_adapter_t *a, const pr_adapter_t *b, const pr_model_config_t *c, pr_error_t *err);
/* Reads a PEFT directory. target_modules as list or regular expression (full match), "all-linear", rank_pattern,
 * alpha_pattern, use_rslora, fan_in_fan_out. What changes the function and is not supported (use_dora, bias other than
 * "none", modules_to_save, lora on embeddings or the head, layer_replication, ...) is PR_ERR_UNSUPPORTED and named.
 * Every tensor must be used, every shape must fit and every number be finite. */
pr_status_t pr_adapter_read(const char *dir, const pr_model_config_t *c, pr_adapter_t **out, pr_error_t *err);
/* Writes DIR/adapter_model.safetensors and DIR/adapter_config.json so that Python's peft loads them (rank_pattern and
 * alpha_pattern where slots differ). base is put into base_model_name_or_path (may be NULL). */
pr_status_t pr_adapter_write(const char *dir, const pr_adapter_t *a, const pr_model_config_t *c, const char *base,
                             pr_error_t *err);
/* The same with metadata of one's own in the safetensors file: an object of texts, borrowed; NULL: none. */
pr_status_t pr_adapter_write_with(const char *dir, const pr_adapter_t *a, const pr_model_config_t *c, const char *base,
                                  const json_t *metadata, pr_error_t *err);
/* The adapter that is exactly sum_k w_k * adapter_k, by concatenating ranks: r = sum r_k, A stacked, B stacked with w_k
 * s_k folded in, scale 1. Adapters with w_k = 0 are left out. n >= 1. */
pr_status_t pr_adapter_concat(const pr_adapter_t *const *adapters, const double *w, int n, const pr_model_config_t *c,
                              pr_adapter_t **out, pr_error_t *err);
/* The same adapter with the scales of its maps multiplied by w [blocks], by blocks of layers (block b: layers b L / blocks
 * up to (b+1) L / blocks). It has the numbers of a, which must outlive it. The caller frees. */
pr_adapter_t *pr_adapter_by_blocks(const pr_adapter_t *a, int blocks, const double *w);
/* A copy with numbers of its own, of an adapter that has its own. Errors: PR_ERR_MEMORY. The caller frees. */
pr_status_t pr_adapter_copy(const pr_adapter_t *a, pr_adapter_t **out, pr_error_t *err);
/* The largest rank of its maps. */
int pr_adapter_rank(const pr_adapter_t *a);
/* Makes the ranks as small as they can be: every map keeps the singular values above 2^-24 |B| |A|, what the rounding
 * of its factors hides, at the rank of the map that has most of them, so that what the adapter does changes by no more
 * than its rounding. An adapter that needs the rank it has stays as it is, to the last digit. Errors: PR_ERR_NUMERIC,
 * PR_ERR_MEMORY; *a stays then. */
pr_status_t pr_adapter_reduce(pr_adapter_t **a, const pr_model_config_t *c, pr_error_t *err);
/* What a smaller rank leaves out of one map: squared norms of what is lost and of the whole. */
typedef struct pr_rank_loss {
    double lost, whole;
} pr_rank_loss_t;
/* Gives every map at most so many ranks (>= 1): its largest singular values, which is the nearest of that rank. loss
 * [n_layer][PR_N_SLOT], or NULL. A map that has no more stays as it is, to the last digit. Errors: PR_ERR_NUMERIC,
 * PR_ERR_MEMORY; *a stays then. */
pr_status_t pr_adapter_truncate(pr_adapter_t **a, const pr_model_config_t *c, int rank, pr_rank_loss_t *loss,
                                pr_error_t *err);
void pr_adapter_free(pr_adapter_t **a);

#endif
