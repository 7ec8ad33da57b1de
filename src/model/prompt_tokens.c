// SPDX-License-Identifier: BSD-3-Clause
#include "model/prompt_tokens.h"
#include "base/log.h"
#include "model/tokens.h"

#include <stdlib.h>
#include <string.h>

static pr_status_t check_length(const pr_prompt_reader_t *r, size_t n, pr_error_t *err)
{
    int positions = r->model->max_pos, room = positions - r->new_tokens;
    if (room < 1)
        return pr_fail(err, PR_ERR_FORMAT, "found %zu tokens, but %d new ones leave no room for any in the model's %d",
                       n, r->new_tokens, positions);
    if (n == 0)
        return pr_fail(err, PR_ERR_FORMAT, "found no token, expected 1 to %d", room);
    if (n > (size_t)room)
        return pr_fail(err, PR_ERR_FORMAT, "found %zu tokens, expected %s%d (the model's %d less %d new ones)", n,
                       room > 1 ? "1 to " : "", room, positions, r->new_tokens);
    return PR_OK;
}

pr_status_t pr_prompt_tokens(pr_prompt_reader_t *r, int i, const char *id, const char *text, int32_t **ids, size_t *n,
                             pr_error_t *err)
{
    pr_status_t status = pr_tokenizer_encode(r->tokenizer, text, strlen(text), true, ids, n, err);
    bool encoded = status == PR_OK;
    if (status == PR_OK)
        status = check_length(r, *n, err);
    if (status == PR_OK)
        status = pr_tokens_check(r->tokenizer, r->model, *ids, *n, err);
    if (status != PR_OK) {
        if (encoded)
            free(*ids);
        *ids = NULL;
        return id ? pr_fail_in(err, "%s: prompt %d ('%.40s')", r->file, i + 1, id)
                  : pr_fail_in(err, "%s: prompt %d", r->file, i + 1);
    }
    if (pr_tokenizer_start_doubled(r->tokenizer, *ids, *n)) {
        r->first_doubled = r->n_doubled == 0 ? i + 1 : r->first_doubled;
        r->n_doubled++;
    }
    return PR_OK;
}

void pr_prompt_tell(const pr_prompt_reader_t *r)
{
    if (r->n_doubled > 0)
        pr_log(
            PR_LOG_WARN,
            "%s: %d prompt%s (the first: prompt %d) begin%s with the token that the tokenizer puts before every text, "
            "and have it twice",
            r->file, r->n_doubled, r->n_doubled == 1 ? "" : "s", r->first_doubled, r->n_doubled == 1 ? "s" : "");
}
