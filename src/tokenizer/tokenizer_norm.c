// SPDX-License-Identifier: BSD-3-Clause
#include "tokenizer/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* A decomposed character and its combining class. */
typedef struct mark {
    utf8proc_int32_t c;
    utf8proc_propval_t class;
} mark_t;

/* Stable merge sort by combining class: a text may be one long run of marks. */
static void sort_marks(mark_t *a, mark_t *scratch, size_t n)
{
    if (n < 2)
        return;
    size_t half = n / 2;
    sort_marks(a, scratch, half);
    sort_marks(a + half, scratch, n - half);
    if (a[half - 1].class <= a[half].class)
        return;
    memcpy(scratch, a, half * sizeof *a);
    for (size_t i = 0, j = half, k = 0; i < half; k++)
        a[k] = j < n && a[j].class < scratch[i].class ? a[j++] : scratch[i++];
}

/* Canonical ordering: each run of characters with a combining class other than 0. */
static void order_marks(utf8proc_int32_t *c, size_t n)
{
    mark_t *marks = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && utf8proc_get_property(c[end])->combining_class)
            end++;
        size_t len = end - i;
        if (len > cap) {
            cap = 2 * len;
            marks = pr_realloc(marks, 2 * cap, sizeof *marks);
        }
        for (size_t k = 0; len > 1 && k < len; k++)
            marks[k] = (mark_t){c[i + k], utf8proc_get_property(c[i + k])->combining_class};
        if (len > 1)
            sort_marks(marks, marks + cap, len);
        for (size_t k = 0; len > 1 && k < len; k++)
            c[i + k] = marks[k].c;
        i = end + 1;
    }
    free(marks);
}

/* Appends the decomposition of s to *c [*n of *cap]. */
static void decompose(const char *s, size_t n, int options, utf8proc_int32_t **c, size_t *count, size_t *cap)
{
    enum { LONGEST = 32 }; // the longest compatibility decomposition has 18 characters
    for (size_t i = 0; i < n;) {
        if (*count + LONGEST > *cap) {
            *cap = 2 * *cap + n - i + LONGEST;
            *c = pr_realloc(*c, *cap, sizeof **c);
        }
        utf8proc_int32_t one = (utf8proc_int32_t)pr_tok_next(s, &i);
        int last = 0;
        utf8proc_ssize_t got = utf8proc_decompose_char(one, *c + *count, LONGEST, (utf8proc_option_t)options, &last);
        if (got < 0 || got > LONGEST) {
            (*c)[*count] = one;
            got = 1;
        }
        *count += (size_t)got;
    }
}

static void normalize_part(const char *s, size_t n, int kind, pr_buf_t *out)
{
    utf8proc_int32_t *c = NULL;
    size_t count = 0, cap = 0;
    int compat = kind == PR_TOK_NFKC || kind == PR_TOK_NFKD ? UTF8PROC_COMPAT : 0;
    decompose(s, n, UTF8PROC_DECOMPOSE | compat, &c, &count, &cap);
    order_marks(c, count);
    if (kind == PR_TOK_NFC || kind == PR_TOK_NFKC) {
        utf8proc_ssize_t left =
            utf8proc_normalize_utf32(c, (utf8proc_ssize_t)count, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
        count = left > 0 ? (size_t)left : 0;
    }
    for (size_t i = 0; i < count; i++)
        pr_tok_add_char(out, (uint32_t)c[i]);
    free(c);
}

/* ASCII stays as it is; only the last of an ASCII run can combine with what follows. */
static void normalize_unicode(const char *s, size_t n, int kind, pr_buf_t *out)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && !(s[end] & 0x80))
            end++;
        size_t part = end < n && end > i ? end - 1 : end;
        pr_buf_add(out, s + i, part - i);
        while (end < n && s[end] & 0x80)
            end++;
        if (end > part && part < n)
            normalize_part(s + part, end - part, kind, out);
        i = end;
    }
}

static void lowercase(const char *s, size_t n, pr_buf_t *out)
{
    for (size_t i = 0; i < n;) {
        uint32_t c = pr_tok_next(s, &i);
        if (c == 0x130)
            pr_buf_puts(out, "i\xCC\x87"); // the one lower-case form of two characters
        else
            pr_tok_add_char(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    }
}

static void strip(const pr_tok_norm_t *norm, const char *s, size_t n, pr_buf_t *out)
{
    size_t start = 0, end = n;
    for (size_t i = 0; norm->left && i < n; start = i)
        if (!(pr_tok_class(pr_tok_next(s, &i)) & PR_TOK_S))
            break;
    while (norm->right && end > start) {
        size_t at = end - 1;
        while (at > start && ((unsigned char)s[at] & 0xC0) == 0x80)
            at--;
        size_t i = at;
        if (!(pr_tok_class(pr_tok_next(s, &i)) & PR_TOK_S))
            break;
        end = at;
    }
    pr_buf_add(out, s + start, end - start);
}

static pr_status_t apply(const pr_tok_norm_t *norm, const char *s, size_t n, pr_tok_match_t *m, pr_buf_t *out,
                         pr_error_t *err)
{
    if (n == 0)
        return PR_OK;
    switch (norm->kind) {
    case PR_TOK_LOWERCASE:
        lowercase(s, n, out);
        return PR_OK;
    case PR_TOK_PREPEND:
        pr_buf_add(out, norm->text, norm->len);
        pr_buf_add(out, s, n);
        return PR_OK;
    case PR_TOK_REPLACE:
        return pr_tok_replace(&norm->pattern, norm->text, norm->len, s, n, m, out, err);
    case PR_TOK_STRIP:
        strip(norm, s, n, out);
        return PR_OK;
    default:
        normalize_unicode(s, n, (int)norm->kind, out);
        return PR_OK;
    }
}

pr_status_t pr_tok_normalize(const pr_tokenizer_t *t, const char *s, size_t n, pr_tok_match_t *m, pr_buf_t *out,
                             pr_error_t *err)
{
    pr_buf_t other = {0};
    pr_status_t status = PR_OK;
    for (size_t k = 0; k < t->n_norms && status == PR_OK; k++) {
        pr_buf_t swap = other;
        other = *out;
        *out = swap;
        out->len = 0;
        status = apply(&t->norms[k], k ? other.data : s, k ? other.len : n, m, out, err);
    }
    pr_buf_free(&other);
    return status;
}
