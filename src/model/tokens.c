// SPDX-License-Identifier: BSD-3-Clause
#include "model/tokens.h"

#include <stdlib.h>

pr_status_t pr_tokens_check(const pr_tokenizer_t *t, const pr_model_config_t *c, const int32_t *ids, size_t n,
                            pr_error_t *err)
{
    size_t i = 0, len;
    char *text;
    while (i < n && ids[i] >= 0 && ids[i] < c->vocab)
        i++;
    if (i == n)
        return PR_OK;
    PR_TRY(pr_tokenizer_decode(t, &ids[i], 1, false, &text, &len, err));
    pr_fail(
        err, PR_ERR_FORMAT,
        "token %zu: found '%.40s' with the id %d, beyond the model's vocabulary of %d (a token that was added to the "
        "tokenizer, but not to the model?)",
        i + 1, text, ids[i], c->vocab);
    free(text);
    return PR_ERR_FORMAT;
}
