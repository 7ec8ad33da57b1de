// SPDX-License-Identifier: BSD-3-Clause
/* Writing a Hugging Face model directory: another one's, with an adapter merged into its weights. */
#ifndef PR_MODEL_MODEL_WRITE_H
#define PR_MODEL_MODEL_WRITE_H

#include "model/delta.h"

/* What rounding to the tensors' own type cost: squared norms of it and of what was changed. Both 0 of float32, of which
 * nothing is rounded but the sum. */
typedef struct pr_rounding {
    double lost, whole;
} pr_rounding_t;

/* Writes into the directory `to`, which is there, what `from` has of config.json, generation_config.json, tokenizer files,
 * chat templates and licences, and its weights in files of the same names with W + s B A in place of each adapted W: in
 * the type that the tensor has, rounded once; all others as they are, to the last bit. a: NULL merges nothing. metadata:
 * of the weights' files, an object of texts, borrowed. rounding: or NULL. Holds two tensors at a time. Errors:
 * PR_ERR_NOT_FOUND, PR_ERR_FORMAT (an adapted tensor is not there or of another shape), PR_ERR_NUMERIC (a weight that
 * its type has no place for), PR_ERR_UNSUPPORTED, PR_ERR_MEMORY, PR_ERR_IO; what was written stays, as the caller's to
 * remove. */
pr_status_t pr_model_write_merged(const char *from, const pr_model_config_t *c, const pr_adapter_t *a, const char *to,
                                  const json_t *metadata, pr_rounding_t *rounding, pr_error_t *err);
/* The same of any change of the maps' weights, and of what that holds. Errors: those of
 * the change, too. */
pr_status_t pr_model_write_changed(const char *from, const pr_model_config_t *c, const pr_delta_t *d, const char *to,
                                   const json_t *metadata, pr_rounding_t *rounding, pr_error_t *err);

#endif
