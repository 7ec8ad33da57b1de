// SPDX-License-Identifier: BSD-3-Clause
/* Families of adapters, one for every preference w (seam of CLP, Panacea, hyper-networks and what is made of experts):
 *
 *   dW(w) = B S M(w) A      of each adapted linear map, A [R,in], B [out,R], S = diag(scale of each rank), M(w) the core
 *
 * At one w it is a plain adapter, A' = A and B' = B M(w), so that decoding, teams and files need nothing new; and what a
 * gradient of that adapter says of the family is linear in it (pr_family_pull), so that it may be summed over ranks, w and
 * channels in any order. All that is learned is one vector: the factors, map after map as an adapter has them, then the
 * cores' numbers.
 *
 *   pr_family_new(config, k, core, &lora, &key, &f, err);      or pr_family_of(config, core, expert, k, &key, &f, err)
 *   pr_family_instance(f, config, &adapter, err);
 *   pr_family_set(f, w, adapter);                               adapter is that of w
 *   ... its gradient [adapter->n_data] ...
 *   pr_family_pull(f, w, adapter, gradient, grad);              grad [f->n] +=
 */
#ifndef PR_FAMILY_FAMILY_H
#define PR_FAMILY_FAMILY_H

#include "family/core.h"
#include "model/adapter.h"

typedef struct pr_family_map {
    pr_core_map_t map;
    float scale[PR_MAX_OBJECTIVES + 1]; // of each block's ranks, then of shared ones
    size_t first, n;                    // its core's numbers in data
} pr_family_map_t;

typedef struct pr_family {
    int k;
    const pr_core_t *core;
    json_t *options;       // the core's, resolved
    pr_adapter_t *factors; // A and B of all ranks; its data is the family's
    pr_family_map_t *map;  // [n_layer][PR_N_SLOT], of no rank where the map is not adapted
    float *data;           // [n] all that is learned
    size_t n;
} pr_family_t;

/* A family whose adapters have the options' ranks, as the core lays them out; at first the base model for every w. core:
 * a core's name or {"type": name, options}. A begins as that of pr_adapter_new, by the same numbers. Errors: PR_ERR_CONFIG,
 * PR_ERR_MEMORY. */
pr_status_t pr_family_new(const pr_model_config_t *c, int k, const json_t *core, const pr_adapter_options_t *o,
                          const pr_rng_key_t *key, pr_family_t **out, pr_error_t *err);
/* A family made of experts [k], which it is at w: sum w_k expert_k. Errors: likewise. */
pr_status_t pr_family_of(const pr_model_config_t *c, const json_t *core, const pr_adapter_t *const *expert, int k,
                         const pr_rng_key_t *key, pr_family_t **out, pr_error_t *err);
/* What the first of the two would be, without its numbers: the shape of its adapters, which the caller frees, and how
 * many numbers are learned. Of experts of r ranks, where experts is set, for the second. */
pr_status_t pr_family_shape(const pr_model_config_t *c, int k, const json_t *core, const pr_adapter_options_t *o,
                            bool experts, pr_adapter_t **shape, size_t *n, pr_error_t *err);
void pr_family_free(pr_family_t **f);

/* An adapter with room for the family's at any w; its numbers are those of pr_family_set. The caller frees. Errors:
 * PR_ERR_MEMORY. */
pr_status_t pr_family_instance(const pr_family_t *f, const pr_model_config_t *c, pr_adapter_t **out, pr_error_t *err);
void pr_family_set(const pr_family_t *f, const pr_model_config_t *c, const double *w, pr_adapter_t *instance);
/* grad [f->n] += what gradient [instance->n_data], of the adapter at w, says of the family. */
void pr_family_pull(const pr_family_t *f, const pr_model_config_t *c, const double *w, const pr_adapter_t *instance,
                    const float *gradient, float *grad);

/* The policy at w as adapters with coefficients, to be added up: [*n] of at most k + 1, which the caller frees. Where the
 * core is its base at w, the blocks stand apart, so that a family that is just made of experts is their weighted sum to
 * the last bit; else there is one. None: the base model. Errors: PR_ERR_MEMORY. */
pr_status_t pr_family_parts(const pr_family_t *f, const pr_model_config_t *c, const double *w,
                            pr_adapter_t *part[PR_MAX_OBJECTIVES + 1], double coefficient[PR_MAX_OBJECTIVES + 1],
                            int *n, pr_error_t *err);

/* The preference [k] that a policy is told: a list of k numbers. Errors: PR_ERR_CONFIG. */
pr_status_t pr_family_told(const json_t *condition, int k, double *w, pr_error_t *err);

/* ---- files (family_file.c): family.json and family.safetensors ---- */
pr_status_t pr_family_write(const char *dir, const pr_family_t *f, const pr_model_config_t *c, pr_error_t *err);
/* Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (file and key or tensor), PR_ERR_CONFIG (of another model). */
pr_status_t pr_family_read(const char *dir, const pr_model_config_t *c, pr_family_t **out, pr_error_t *err);
/* Does the directory hold one? */
bool pr_family_there(const char *dir);
#define PR_FAMILY_FILE "family.json"
#define PR_FAMILY_TENSORS "family.safetensors"

/* ---- for family_file.c ---- */
pr_family_map_t *pr_family_map_at(const pr_family_t *f, int layer, int slot);
/* A family with ranks and scales as laid out, map after map, and no numbers set. layout(self, layer, slot, map): fills in
 * first and scale of a map, whose options are set. Errors: PR_ERR_MEMORY, PR_ERR_CONFIG. */
typedef void (*pr_family_layout)(const void *self, int layer, int slot, pr_family_map_t *map);
pr_status_t pr_family_allocate(const pr_model_config_t *c, int k, const json_t *core, pr_family_layout layout,
                               const void *self, pr_family_t **out, pr_error_t *err);

#endif
