// SPDX-License-Identifier: BSD-3-Clause
#include "model/prompt_tokens.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/tokens.h"

#include <stdlib.h>
#include <string.h>

/* The most new tokens that fit after every prompt of the file; 0 where none do. */
static int most_new_tokens(const pr_prompt_reader_t *r)
{
    size_t longest = 0, positions = (size_t)r->model->max_pos;
    for (int i = 0; i < r->n; i++) {
        int32_t *ids = NULL;
        size_t n = 0;
        if (pr_tokenizer_encode(r->tokenizer, r->text[i], strlen(r->text[i]), !r->chat, &ids, &n, NULL) == PR_OK)
            longest = n > longest ? n : longest;
        free(ids);
    }
    return longest < positions ? (int)(positions - longest) : 0;
}

/* "; with max_new_tokens of at most 483 all prompts fit". */
static pr_status_t too_long(const pr_prompt_reader_t *r, pr_error_t *err)
{
    int most = most_new_tokens(r);
    char *said = err && most > 0 ? pr_strdup(err->text) : NULL;
    if (said)
        pr_fail(err, PR_ERR_FORMAT, "%s; the largest max_new_tokens that fits all prompts of the file is %d", said,
                most);
    free(said);
    return PR_ERR_FORMAT;
}

static pr_status_t check_length(const pr_prompt_reader_t *r, size_t n, pr_error_t *err)
{
    int positions = r->model->max_pos, room = positions - r->new_tokens;
    if (room < 1) {
        pr_fail(err, PR_ERR_FORMAT, "found %zu tokens, but %d new ones leave no room for any in the model's %d", n,
                r->new_tokens, positions);
        return too_long(r, err);
    }
    if (n == 0)
        return pr_fail(err, PR_ERR_FORMAT, "found no token, expected 1 to %d", room);
    if (n <= (size_t)room)
        return PR_OK;
    pr_fail(err, PR_ERR_FORMAT, "found %zu tokens, expected %s%d (the model's %d less %d new ones)", n,
            room > 1 ? "1 to " : "", room, positions, r->new_tokens);
    return too_long(r, err);
}

pr_status_t pr_prompt_tokens(pr_prompt_reader_t *r, int i, const char *id, const char *text, int32_t **ids, size_t *n,
                             pr_error_t *err)
{
    pr_status_t status = pr_tokenizer_encode(r->tokenizer, text, strlen(text), !r->chat, ids, n, err);
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
    if (!r->chat && pr_tokenizer_start_doubled(r->tokenizer, *ids, *n)) {
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
