// SPDX-License-Identifier: BSD-3-Clause
/* A policy of a sweep as a directory that other programs load.
 *
 *   lora    adapter_model.safetensors, adapter_config.json        the one adapter that the policy is, for Python's peft
 *   model   a whole Hugging Face model                             the base model with that adapter merged in
 *                                                                  (and mergekit.yml, where mergekit can make the same)
 *   parts   parts/<n>-<name>/, policy.json, logits_processor.py    of a policy that is no one adapter: its adapters, the
 *                                                                  coefficients and the mix, and a logits processor of
 *                                                                  transformers, where one can compute the mix
 *
 * A policy whose mix makes dense changes of the model's maps is a model; as lora it is the nearest adapter of a rank that
 * is given, and what is lost is told. With them README.md, a model card. Where the policy comes from (pr_taken_about)
 * is in the card, in the metadata of the safetensors files (keys "paretorank.*") and in policy.json. */
#ifndef PR_SWEEPS_EXPORT_H
#define PR_SWEEPS_EXPORT_H

#include "model/model_write.h"
#include "sweeps/take.h"

#define PR_EXPORT_FORMS "lora|model|parts"
typedef enum { PR_FORM_LORA, PR_FORM_MODEL, PR_FORM_PARTS } pr_export_form_t;

/* The form of that name; NULL: lora where the policy is one adapter or a rank is given, model where it is other weights
 * of the model, else parts. rank: 0, or how many at most lora may have. Errors: PR_ERR_USAGE, where the policy cannot be
 * that, with the reason. */
pr_status_t pr_export_form(const pr_taken_t *t, const char *name, int rank, pr_export_form_t *out, pr_error_t *err);

/* What was written. */
typedef struct pr_exported {
    int parts, rank, sum;   // adapters of the policy; ranks of the one that was written, and of all parts together
    bool processor;         // parts: there is a logits processor
    int maps;               // layers times PR_N_SLOT
    pr_rank_loss_t *loss;   // [maps] what a rank that was given leaves out; NULL: nothing was cut
    char **module;          // [maps] names of the maps; those of loss
    pr_rounding_t rounding; // model: what the type of its tensors cost
} pr_exported_t;
/* Relative error of all maps together; 0 where nothing was cut. */
double pr_exported_loss(const pr_exported_t *e);
void pr_exported_clear(pr_exported_t *e);

/* Writes into out, which is made; the caller clears *told, also after an error; nothing is there before all is. force:
 * in the place of an export of the same form. Errors: PR_ERR_USAGE (out holds one, or another form), those of making
 * and writing it. */
pr_status_t pr_export(const pr_config_t *c, const pr_taken_t *t, pr_export_form_t form, int rank, const char *out,
                      bool force, pr_exported_t *told, pr_error_t *err);

#endif
