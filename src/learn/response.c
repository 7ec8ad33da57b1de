// SPDX-License-Identifier: BSD-3-Clause
#include "learn/response.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- stop texts ---- */

/* Does the text hold that of a special token? */
static bool holds_special(const pr_tokenizer_t *t, const char *text, size_t len)
{
    for (int id = 0, size = pr_tokenizer_size(t); id < size; id++) {
        size_t n;
        const char *token = pr_tokenizer_is_special(t, id) ? pr_tokenizer_token(t, id, &n) : NULL;
        if (token && n > 0 && memmem(text, len, token, n))
            return true;
    }
    return false;
}

/* A text can be found when the tokenizer gives it back. What it cannot write (a character of no token, a capital under
 * a lower-casing normalizer, white space that it drops) would never end a response. */
static pr_status_t check_stop(const pr_tokenizer_t *t, const pr_stop_t *stop, pr_error_t *err)
{
    int32_t *ids = NULL;
    char *back = NULL;
    size_t n, len = 0;
    pr_status_t status;
    if (stop->len == 0)
        return pr_fail(err, PR_ERR_CONFIG, "stop: found an empty text, expected one that can be found");
    PR_GO(pr_tokenizer_encode(t, stop->text, stop->len, false, &ids, &n, err));
    PR_GO(pr_tokenizer_decode(t, ids, n, false, &back, &len, err));
    if (!memmem(back, len, stop->text, stop->len))
        status = pr_fail(err, PR_ERR_CONFIG,
                         "stop: found \"%.100s\", which this tokenizer cannot write (it makes \"%.100s\" of it): a "
                         "response would never end there",
                         stop->text, back);
done:
    free(ids);
    free(back);
    return status;
}

const char **pr_stop_texts(const pr_model_config_t *m, int n, const char *const *own, int *total)
{
    const char **all = pr_alloc((size_t)(n + m->n_stop), sizeof *all);
    *total = n + m->n_stop;
    for (int i = 0; i < *total; i++)
        all[i] = i < n ? own[i] : m->stop[i - n];
    return all;
}

pr_status_t pr_stops_init(pr_stops_t *s, const pr_tokenizer_t *tokenizer, int n, const char *const *text,
                          pr_error_t *err)
{
    size_t longest = 0;
    *s = (pr_stops_t){.tokenizer = tokenizer, .n = n, .stop = pr_alloc((size_t)n, sizeof *s->stop)};
    for (int i = 0; i < n; i++) {
        size_t len = strlen(text[i]);
        s->stop[i] = (pr_stop_t){text[i], len, holds_special(tokenizer, text[i], len)};
        pr_status_t status = check_stop(tokenizer, &s->stop[i], err);
        if (status != PR_OK) {
            pr_stops_clear(s);
            return status;
        }
        s->any_special = s->any_special || s->stop[i].special;
        longest = len > longest ? len : longest;
    }
    s->tail = (int)longest + 4;
    return PR_OK;
}

void pr_stops_clear(pr_stops_t *s)
{
    free(s->stop);
    *s = (pr_stops_t){0};
}

/* Where the first stop text of a kind begins; NULL when there is none. */
static const char *first_stop(const pr_stops_t *s, bool special, const char *text, size_t len)
{
    const char *first = NULL;
    for (int i = 0; i < s->n; i++) {
        const pr_stop_t *stop = &s->stop[i];
        const char *at = stop->special == special ? memmem(text, len, stop->text, stop->len) : NULL;
        if (at && (!first || at < first))
            first = at;
    }
    return first;
}

/* Is there a stop text of a kind in ids? */
static bool hit(const pr_stops_t *s, bool special, const int32_t *ids, int n)
{
    char *text;
    size_t len;
    if (pr_tokenizer_decode_more(s->tokenizer, ids, (size_t)n, !special, &text, &len, NULL) != PR_OK)
        return false;
    bool yes = first_stop(s, special, text, len) != NULL;
    free(text);
    return yes;
}

static bool says_something(const pr_tokenizer_t *t, int id)
{
    size_t len;
    return !pr_tokenizer_is_special(t, id) && pr_tokenizer_token(t, id, &len) && len > 0;
}

bool pr_stops_hit(const pr_stops_t *s, const int32_t *ids, int n)
{
    if (s->n == 0)
        return false;
    int from = n;
    for (int left = s->tail; from > 0 && left > 0; from--)
        left -= says_something(s->tokenizer, ids[from - 1]); // others have no byte in the text
    return hit(s, false, ids + from, n - from) || (s->any_special && hit(s, true, ids + from, n - from));
}

/* ---- the response ---- */

bool pr_response_continues(const pr_tokenizer_t *t, const int32_t *prompt, int n)
{
    for (int i = 0; i < n; i++)
        if (says_something(t, prompt[i]))
            return true;
    return false;
}

typedef struct source {
    const pr_stops_t *s;
    bool continues;
    const int32_t *ids;
    int n;
} source_t;

static pr_status_t decode(const source_t *x, int n, bool skip_special, char **text, size_t *len, pr_error_t *err)
{
    return (x->continues ? pr_tokenizer_decode_more : pr_tokenizer_decode)(x->s->tokenizer, x->ids, (size_t)n,
                                                                           skip_special, text, len, err);
}

/* The fewest ids whose text begins with text [len], found from all of them down, as a stop text is at the end; *beyond
 * is how much longer their text is. */
static pr_status_t fewest(const source_t *x, bool skip_special, const char *text, size_t len, int *n, size_t *beyond,
                          pr_error_t *err)
{
    *n = x->n;
    *beyond = 0;
    for (int k = x->n; k >= 0; k--) {
        char *some;
        size_t some_len;
        PR_TRY(decode(x, k, skip_special, &some, &some_len, err));
        bool enough = some_len >= len && memcmp(some, text, len) == 0;
        free(some);
        if (!enough)
            break;
        *n = k;
        *beyond = some_len - len;
    }
    return PR_OK;
}

/* Cuts r before the first stop text that holds no special token. */
static pr_status_t cut_plain(const source_t *x, pr_response_t *r, pr_error_t *err)
{
    size_t beyond;
    const char *at = first_stop(x->s, false, r->text, r->len);
    if (!at)
        return PR_OK;
    r->len = (size_t)(at - r->text);
    r->text[r->len] = 0;
    return fewest(x, true, r->text, r->len, &r->n, &beyond, err);
}

/* Where the first stop text with a special token ends the response: *n ids, of whose text without special tokens the
 * last *beyond bytes are cut. */
static pr_status_t find_special(const source_t *x, int *n, size_t *beyond, pr_error_t *err)
{
    char *text;
    size_t len;
    *n = x->n;
    *beyond = 0;
    PR_TRY(decode(x, x->n, false, &text, &len, err));
    const char *at = first_stop(x->s, true, text, len);
    pr_status_t status = at ? fewest(x, false, text, (size_t)(at - text), n, beyond, err) : PR_OK;
    free(text);
    if (*n == 0 || pr_tokenizer_is_special(x->s->tokenizer, x->ids[*n - 1]))
        *beyond = 0; // the stop text begins within a special token, which is in no response
    return status;
}

/* Cuts r before the first stop text that holds a special token, where that is earlier. */
static pr_status_t cut_special(const source_t *x, pr_response_t *r, pr_error_t *err)
{
    int n;
    char *text;
    size_t len, beyond;
    PR_TRY(find_special(x, &n, &beyond, err));
    if (n == x->n && beyond == 0)
        return PR_OK;
    PR_TRY(decode(x, n, true, &text, &len, err));
    len -= beyond < len ? beyond : len;
    text[len] = 0;
    if (len > r->len) { // the other cut is the earlier one
        free(text);
        return PR_OK;
    }
    free(r->text);
    *r = (pr_response_t){text, len, n < r->n ? n : r->n};
    return PR_OK;
}

pr_status_t pr_response_read(const pr_stops_t *s, bool continues, const int32_t *ids, int n, pr_response_t *out,
                             pr_error_t *err)
{
    source_t x = {s, continues, ids, n};
    pr_response_t r = {.n = n};
    pr_status_t status;
    PR_GO(decode(&x, n, true, &r.text, &r.len, err));
    PR_GO(cut_plain(&x, &r, err));
    if (s->any_special)
        PR_GO(cut_special(&x, &r, err));
    *out = r;
    return PR_OK;
done:
    pr_response_clear(&r);
    return status;
}

void pr_response_clear(pr_response_t *r)
{
    free(r->text);
    *r = (pr_response_t){0};
}
