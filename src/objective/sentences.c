// SPDX-License-Identifier: BSD-3-Clause
/* Sentences by Unicode's rule (UAX 29), by ICU's break iterator. */
#include "base/mem.h"
#include "objective/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/ubrk.h>
#include <utf8proc.h>

static bool has_letter(const char *s, size_t len)
{
    int32_t cp;
    for (size_t i = 0; i < len;) {
        i += pr_utf8_next(s + i, len - i, &cp);
        utf8proc_category_t c = utf8proc_category(cp);
        if (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO)
            return true;
    }
    return false;
}

/* Does a line end before s [at]? */
static bool at_line(const char *s, size_t at)
{
    return at == 0 || s[at - 1] == '\n' || s[at - 1] == '\r' || (at >= 2 && memcmp(s + at - 2, "\xC2\x85", 2) == 0) ||
           (at >= 3 && (memcmp(s + at - 3, "\xE2\x80\xA8", 3) == 0 || memcmp(s + at - 3, "\xE2\x80\xA9", 3) == 0));
}

/* The sentence that is being put together: pieces from first to end of s. */
typedef struct pending {
    const char *s;
    size_t first, end;
    bool letters;
} pending_t;

static void flush(pending_t *p, pr_spans_t *out)
{
    pr_span_t t = pr_text_strip(p->s + p->first, p->end - p->first);
    pr_span_t *last = !p->letters && out->n > 0 ? &out->at[out->n - 1] : NULL;
    if (t.len > 0 && last)
        last->len = (size_t)(t.s + t.len - last->s); // what has no letter is no sentence of its own
    else if (t.len > 0)
        pr_spans_add(out, t.s, t.len);
    p->first = p->end;
    p->letters = false;
}

static void add_piece(pending_t *p, size_t end, pr_spans_t *out)
{
    bool letters = has_letter(p->s + p->end, end - p->end);
    if (p->letters && (letters || at_line(p->s, p->end)))
        flush(p, out);
    p->letters = p->letters || letters;
    p->end = end;
}

/* Making one reads ICU's rules, so that a thread keeps its own; it is let go with the process. */
static UBreakIterator *iterator(UErrorCode *code)
{
    static _Thread_local UBreakIterator *it;
    if (!it)
        it = ubrk_open(UBRK_SENTENCE, "", NULL, 0, code);
    return it;
}

/* The sign for three dots is no end of a sentence by Unicode's table, but three dots are: a copy with them in its
 * place, which have as many bytes. NULL where there is none. */
static char *with_dots(const char *s, size_t len)
{
    static const char sign[] = "\xE2\x80\xA6";
    char *copy = NULL;
    for (const char *at = s; (at = memmem(at, len - (size_t)(at - s), sign, 3)); at += 3) {
        if (!copy)
            copy = memcpy(pr_alloc(len, 1), s, len); // it may hold NUL
        memcpy(copy + (at - s), "...", 3);
    }
    return copy;
}

void pr_text_sentences(const char *s, size_t len, pr_spans_t *out)
{
    UErrorCode code = U_ZERO_ERROR;
    UText text = UTEXT_INITIALIZER;
    UBreakIterator *it = iterator(&code);
    pending_t p = {.s = s};
    *out = (pr_spans_t){0};
    char *dots = with_dots(s, len);
    utext_openUTF8(&text, dots ? dots : s, (int64_t)len, &code);
    if (it)
        ubrk_setUText(it, &text, &code);
    if (!it || U_FAILURE(code)) {
        // Its rules are a part of the library, so that memory is all it can lack.
        fprintf(stderr, "paretorank: ICU finds no sentences in %zu bytes: %s\n", len, u_errorName(code));
        abort();
    }
    for (int32_t at; (at = ubrk_next(it)) != UBRK_DONE;)
        add_piece(&p, (size_t)at, out);
    flush(&p, out);
    utext_close(&text);
    free(dots);
}
