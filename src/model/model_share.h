// SPDX-License-Identifier: BSD-3-Clause
/* Within the model: weights that are not used as the file has them are converted once per node (shared_block.h). What
 * is shared is one block of every converted tensor. */
#ifndef PR_MODEL_MODEL_SHARE_H
#define PR_MODEL_MODEL_SHARE_H

#include "base/file.h"
#include "model/model_parts.h"
#include "model/shared_block.h"

typedef struct pr_model_share {
    pr_shared_block_t *block;
    size_t *at; // [tensors] byte of each in the block; 0 for one that is used as the file has it
} pr_model_share_t;

/* Can the tensor be used as it lies in the file? */
bool pr_model_is_mapped(const pr_tensor_t *t);
/* The block of the converted among tensor [n] of a model whose files are `files` and whose config.json, in `dir`, was
 * in the state `config` before it was read. PR_SHARED_NONE: s->block is NULL, and why that is was logged. Where it has
 * to be made, what the files say from now on is what belongs in it. pr_model_share_clear in any case. */
pr_shared_t pr_model_share_open(pr_model_share_t *s, const char *dir, const pr_file_id_t *config,
                                const pr_safetensors_t *files, const pr_tensor_t *const *tensor, size_t n);
/* Where the floats of tensor i lie: written while the block is being made, then read. They move at publication. */
float *pr_model_share_tensor(const pr_model_share_t *s, size_t i);
/* The block is complete. False, which was logged, if it cannot be shared: its contents are gone. */
bool pr_model_share_publish(pr_model_share_t *s, const char *dir, const pr_file_id_t *config,
                            const pr_safetensors_t *files);
/* Gives up what s has. */
void pr_model_share_clear(pr_model_share_t *s);

#endif
