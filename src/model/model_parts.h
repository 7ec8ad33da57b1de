/* Within the model: the one list of the tensors that a configuration has. */
#ifndef PR_MODEL_MODEL_PARTS_H
#define PR_MODEL_MODEL_PARTS_H

#include "model/model.h"
#include "model/safetensors.h"

typedef struct pr_model_spec {
    char name[128]; // Hugging Face name
    size_t prefix;  // length of its prefix ("transformer.", "model.") that some files leave out
    int n_dim;
    int shape[2];     // as stored
    const float **at; // where the model keeps the pointer
} pr_model_spec_t;

/* What the model's pointers point into. */
typedef struct pr_model_storage {
    pr_safetensors_t *files; // kept open while something is used straight from the map
    float **block;           // allocated
    size_t n_block, cap_block;
    int rope_len; // positions in the tables
} pr_model_storage_t;

/* All tensors of m->config, in a fixed order; m->layer must be there, its weights' shapes and lds are filled in.
 * Caller frees. */
pr_model_spec_t *pr_model_specs(pr_model_t *m, size_t *n);
/* A block of n floats that the model owns; NULL when memory is short. */
float *pr_model_block(pr_model_t *m, size_t n);
/* Points a tied head at the embedding; after the embedding's pointer was set. */
void pr_model_tie(pr_model_t *m);

#endif
