// SPDX-License-Identifier: BSD-3-Clause
/* Within the model: the one list of the tensors that a configuration has. */
#ifndef PR_MODEL_MODEL_PARTS_H
#define PR_MODEL_MODEL_PARTS_H

#include "model/model.h"
#include "model/safetensors.h"
#include "model/shared_block.h"

typedef enum {
    PR_SPEC_EMBED,     // [V,d]
    PR_SPEC_POS,       // [max_pos,d]
    PR_SPEC_NORM,      // [d]
    PR_SPEC_HEAD_NORM, // [head_dim]
    PR_SPEC_WEIGHT,    // of a layer's slot
    PR_SPEC_BIAS,      // of a layer's slot
    PR_SPEC_HEAD,      // [V,d]
    PR_SPEC_SCORE      // [n_label,d]
} pr_spec_kind_t;

typedef struct pr_model_spec {
    pr_spec_kind_t kind;
    int layer;      // of a slot
    pr_slot_t slot; // which of them
    char name[128]; // Hugging Face name
    size_t prefix;  // length of its prefix ("transformer.", "model.") that some files leave out
    int n_dim;
    int shape[2];     // as stored
    const float **at; // where the model keeps the pointer
} pr_model_spec_t;

/* What the model's pointers point into. */
typedef struct pr_model_storage {
    pr_safetensors_t *files;   // kept open while something is used straight from the map
    pr_shared_block_t *shared; // weights that were converted once for all processes of the node, or NULL
    float **block;             // allocated
    size_t n_block, cap_block;
    int rope_len; // positions in the tables
    bool borrows; // a model with other maps than that whose configuration and weights it uses (delta.h)
} pr_model_storage_t;

/* All tensors of m->config, in a fixed order; m->layer must be there, its weights' shapes and lds are filled in.
 * Caller frees. */
pr_model_spec_t *pr_model_specs(pr_model_t *m, size_t *n);
/* A block of n floats that the model owns; NULL when memory is short. */
float *pr_model_block(pr_model_t *m, size_t n);
/* For tests: how many numbers of whole models this process has converted to float, for itself or for all. */
int64_t pr_model_converted(void);
/* An empty model with its storage; m->config is the caller's to fill in. */
pr_model_t *pr_model_new(void);
/* Values n of spec s from element `first` of the whole tensor on, as it is stored. */
typedef pr_status_t (*pr_part_read_fn)(void *self, const pr_model_spec_t *s, size_t first, size_t n, float *out,
                                       pr_error_t *err);
/* Lays out the part m->part of all specs (as pr_model_specs made them) and reads it. Errors: PR_ERR_MEMORY, the
 * reader's. */
pr_status_t pr_model_read_part(pr_model_t *m, const pr_model_spec_t *spec, size_t n, pr_part_read_fn read, void *self,
                               pr_error_t *err);
/* As pr_model_tensors, of a part. */
pr_model_tensor_t *pr_model_part_tensors(const pr_model_t *m, size_t *n);
/* Points a tied head at the embedding; after the embedding's pointer was set. */
void pr_model_tie(pr_model_t *m);

#endif
