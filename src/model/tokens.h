// SPDX-License-Identifier: BSD-3-Clause
/* Where a tokenizer and a model meet. */
#ifndef PR_MODEL_TOKENS_H
#define PR_MODEL_TOKENS_H

#include "model/config.h"
#include "tokenizer/tokenizer.h"

/* PR_ERR_FORMAT, naming the token, when one of ids [n] is beyond the model's vocabulary, as tokens are that were added
 * to a tokenizer without new rows of the embedding. A tokenizer that is larger is no error as long as none occurs. */
pr_status_t pr_tokens_check(const pr_tokenizer_t *t, const pr_model_config_t *c, const int32_t *ids, size_t n,
                            pr_error_t *err);

#endif
