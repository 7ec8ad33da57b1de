// SPDX-License-Identifier: BSD-3-Clause
/* Within the adapters: what reading, writing and making them share. */
#ifndef PR_MODEL_ADAPTER_PARTS_H
#define PR_MODEL_ADAPTER_PARTS_H

#include "model/adapter.h"

enum { PR_MAX_LORA_RANK = 65536 };

/* The module's name within a layer, such as "self_attn.q_proj"; NULL when the architecture has no such slot. */
const char *pr_slot_path(const pr_model_config_t *c, pr_slot_t slot);
/* PEFT's match of a listed target: the module's name, or its end behind a dot. */
bool pr_slot_suffix(const char *module, const char *target);

/* An adapter of the model's layers with no slot adapted. */
pr_adapter_t *pr_adapter_empty(const pr_model_config_t *c);
/* Rank, alpha and the scale that follows of them. */
void pr_lora_set(pr_lora_t *l, int r, double alpha, bool rslora);
/* The data block (not initialised) for the ranks that were set, and the pointers into it. Errors: PR_ERR_MEMORY. */
pr_status_t pr_adapter_allocate(pr_adapter_t *a, const pr_model_config_t *c, pr_error_t *err);

/* to (its r set, a and b allocated, scale 1) = the to->r largest singular values of s B A. false: they were not found. */
bool pr_lora_truncate(const pr_lora_t *l, int out, int in, pr_lora_t *to, pr_rank_loss_t *loss);

#endif
