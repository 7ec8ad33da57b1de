// SPDX-License-Identifier: BSD-3-Clause
/* A policy of a sweep as a directory that other programs load.
 *
 *   lora    adapter_model.safetensors, adapter_config.json        the one adapter that the policy is, for Python's peft
 *   model   a whole Hugging Face model                             the base model with that adapter merged in
 *   parts   parts/<n>-<name>/, policy.json, logits_processor.py    of a policy that is no one adapter: its adapters, the
 *                                                                  coefficients and the mix, and a logits processor of
 *                                                                  transformers, where one can compute the mix
 *
 * and README.md, a model card. Where the policy comes from (pr_taken_about) is in the card, in the metadata of the
 * safetensors files (keys "paretorank.*") and in policy.json. */
#ifndef PR_SWEEPS_EXPORT_H
#define PR_SWEEPS_EXPORT_H

#include "sweeps/take.h"

#define PR_EXPORT_FORMS "lora|model|parts"
typedef enum { PR_FORM_LORA, PR_FORM_MODEL, PR_FORM_PARTS } pr_export_form_t;

/* The form of that name; NULL: lora where the policy is one adapter, else parts. Errors: PR_ERR_USAGE, where the policy
 * cannot be that, with the reason. */
pr_status_t pr_export_form(const pr_taken_t *t, const char *name, pr_export_form_t *out, pr_error_t *err);

/* What was written. */
typedef struct pr_exported {
    int parts, rank, sum; // adapters of the policy; ranks of the one that was written, and of all parts together
    bool processor;       // parts: there is a logits processor
} pr_exported_t;

/* Writes into out, which is made; nothing is there before all is. force: in the place of an export of the same form.
 * Errors: PR_ERR_USAGE (out holds one, or another form), those of making and writing it. */
pr_status_t pr_export(const pr_config_t *c, const pr_taken_t *t, pr_export_form_t form, const char *out, bool force,
                      pr_exported_t *told, pr_error_t *err);

#endif
