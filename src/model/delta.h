// SPDX-License-Identifier: BSD-3-Clause
/* What is done to the weights of a model's linear maps that is no adapter: a dense change, made map by map when it is
 * asked for, so that nobody holds it as a whole beside what it is added to.
 *
 *   pr_model_t *changed;
 *   PR_TRY(pr_model_with_delta(m, la, &delta, &changed, err));   // runs like any model
 *   pr_model_free(&changed);                                     // before m */
#ifndef PR_MODEL_DELTA_H
#define PR_MODEL_DELTA_H

#include "model/model.h"

typedef struct pr_delta {
    /* Is this map changed? */
    bool (*has)(const void *self, int layer, pr_slot_t slot);
    /* w, the map's weight as Hugging Face stores it ([out,in]; gpt2: [in,out]), becomes the changed one. Errors:
     * PR_ERR_MEMORY, PR_ERR_NUMERIC. */
    pr_status_t (*change)(const void *self, int layer, pr_slot_t slot, float *w, pr_error_t *err);
    bool of_weights; // the change depends on w; else something is added, whatever w is
    const void *self;
} pr_delta_t;

/* The model with its maps changed: a copy of those, all else borrowed from m, which must outlive it. Collective on the
 * columns. Errors: PR_ERR_MEMORY, those of the change. */
pr_status_t pr_model_with_delta(const pr_model_t *m, const pr_linalg_t *la, const pr_delta_t *d, pr_model_t **out,
                                pr_error_t *err);
/* Rows and columns of a map's weight as it is stored. */
void pr_slot_stored(const pr_model_config_t *c, pr_slot_t slot, int *rows, int *cols);
/* The map to (its r set, a and b allocated) of factors of the stored weight: left [rows,r], right [r,cols]. */
void pr_lora_put(const pr_model_config_t *c, pr_lora_t *to, int rows, int cols, const float *left, const float *right);
/* Numbers of the maps that are changed, of the whole model. */
double pr_delta_numbers(const pr_delta_t *d, const pr_model_config_t *c);
/* The adapter of so many ranks a map that is nearest to what is added. loss [n_layer][PR_N_SLOT]: what is not in it.
 * Not for a change of_weights. Holds one map at a time. Errors: PR_ERR_MEMORY, PR_ERR_NUMERIC, those of the change. */
pr_status_t pr_delta_truncate(const pr_delta_t *d, const pr_model_config_t *c, int rank, pr_rank_loss_t *loss,
                              pr_adapter_t **out, pr_error_t *err);

#endif
