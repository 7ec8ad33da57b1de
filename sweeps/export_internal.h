// SPDX-License-Identifier: BSD-3-Clause
/* Within exports: the texts. */
#ifndef PR_SWEEPS_EXPORT_INTERNAL_H
#define PR_SWEEPS_EXPORT_INTERNAL_H

#include "base/mem.h"
#include "sweeps/export.h"

#define PR_EXPORT_PARTS "parts"
#define PR_EXPORT_POLICY "policy.json"
#define PR_EXPORT_PROCESSOR "logits_processor.py"
#define PR_EXPORT_MERGEKIT "mergekit.yml"

/* Why the policy is not one adapter; "" where it is. Caller frees. */
char *pr_export_reason(const pr_taken_t *t);
/* README.md. python: the mix as Python, or NULL. Caller frees. */
char *pr_export_card(const pr_config_t *c, const pr_taken_t *t, pr_export_form_t form, const char *python,
                     const pr_exported_t *told);
/* logits_processor.py. Caller frees. */
char *pr_export_processor(const pr_taken_t *t, const char *python);
/* mergekit.yml, with which mergekit makes the same model; NULL where it cannot. Caller frees. */
char *pr_export_mergekit(const pr_config_t *c, const pr_taken_t *t, const pr_model_config_t *model);
/* "1-empathy-s1": the folder of a part. Caller frees. */
char *pr_export_part_folder(const pr_taken_t *t, int part);

#endif
