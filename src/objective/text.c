// SPDX-License-Identifier: BSD-3-Clause
#include "objective/text.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { REPLACEMENT = 0xFFFD, CAPITAL_SIGMA = 0x3A3, SMALL_SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2 };

size_t pr_utf8_next(const char *s, size_t len, int32_t *cp)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t limit = len < 4 ? (utf8proc_ssize_t)len : 4;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s, limit, &c);
    *cp = n > 0 ? c : REPLACEMENT;
    return n > 0 ? (size_t)n : 1;
}

size_t pr_utf8_count(const char *s, size_t len)
{
    size_t n = 0;
    int32_t cp;
    for (size_t i = 0; i < len; n++)
        i += pr_utf8_next(s + i, len - i, &cp);
    return n;
}

static void add_code_point(pr_buf_t *b, int32_t cp)
{
    utf8proc_uint8_t bytes[4];
    pr_buf_add(b, bytes, (size_t)utf8proc_encode_char(cp, bytes));
}

char *pr_utf8_clean(const char *s, size_t len, size_t *out_len)
{
    pr_buf_t b = {0};
    int32_t cp;
    pr_buf_add(&b, "", 0);
    for (size_t i = 0; i < len;) {
        i += pr_utf8_next(s + i, len - i, &cp);
        add_code_point(&b, cp);
    }
    *out_len = b.len;
    return b.data;
}

bool pr_is_space(int32_t cp)
{
    return (cp >= 0x9 && cp <= 0xD) || (cp >= 0x1C && cp <= 0x20) || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F ||
           cp == 0x3000;
}

/* ---- lower case ---- */
static bool in_ranges(int32_t cp, const int32_t (*range)[2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cp >= range[i][0] && cp <= range[i][1])
            return true;
    return false;
}

// Unicode's Case_Ignorable: marks, modifiers and formats, and what joins words in the middle.
static bool is_case_ignorable(int32_t cp)
{
    static const int32_t middle[][2] = {{0x27, 0x27},     {0x2E, 0x2E},     {0x3A, 0x3A},     {0xB7, 0xB7},
                                        {0x387, 0x387},   {0x55F, 0x55F},   {0x5F4, 0x5F4},   {0x2018, 0x2019},
                                        {0x2024, 0x2024}, {0x2027, 0x2027}, {0xFE13, 0xFE13}, {0xFE52, 0xFE52},
                                        {0xFE55, 0xFE55}, {0xFF07, 0xFF07}, {0xFF0E, 0xFF0E}, {0xFF1A, 0xFF1A}};
    switch (utf8proc_category(cp)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return in_ranges(cp, middle, sizeof middle / sizeof *middle);
    }
}

// Unicode's Cased, of characters that are not Case_Ignorable.
static bool is_cased(int32_t cp)
{
    static const int32_t other[][2] = {{0xAA, 0xAA},       {0xBA, 0xBA},       {0x2160, 0x217F},  {0x24B6, 0x24E9},
                                       {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
    switch (utf8proc_category(cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
        return true;
    default:
        return in_ranges(cp, other, sizeof other / sizeof *other);
    }
}

static bool cased_follows(const char *s, size_t len)
{
    int32_t cp;
    for (size_t i = 0; i < len;) {
        i += pr_utf8_next(s + i, len - i, &cp);
        if (!is_case_ignorable(cp))
            return is_cased(cp);
    }
    return false;
}

char *pr_text_lower(const char *s, size_t len, size_t *out_len)
{
    pr_buf_t b = {0};
    int32_t cp;
    bool after_cased = false; // the last character before this one that is not case-ignorable is cased
    pr_buf_add(&b, "", 0);
    for (size_t i = 0; i < len;) {
        i += pr_utf8_next(s + i, len - i, &cp);
        if (cp == CAPITAL_SIGMA)
            add_code_point(&b, after_cased && !cased_follows(s + i, len - i) ? FINAL_SIGMA : SMALL_SIGMA);
        else if (cp == 0x130) // I with dot above, the one letter whose lower case is two characters
            pr_buf_puts(&b, "i\xCC\x87");
        else
            add_code_point(&b, utf8proc_tolower(cp));
        if (!is_case_ignorable(cp))
            after_cased = is_cased(cp);
    }
    *out_len = b.len;
    return b.data;
}

/* ---- pieces ---- */
void pr_spans_add(pr_spans_t *spans, const char *s, size_t len)
{
    if (spans->n == spans->cap) {
        spans->cap = spans->cap ? 2 * spans->cap : 16;
        spans->at = pr_realloc(spans->at, spans->cap, sizeof *spans->at);
    }
    spans->at[spans->n++] = (pr_span_t){s, len};
}

void pr_spans_free(pr_spans_t *spans)
{
    free(spans->at);
    free(spans->text);
    *spans = (pr_spans_t){0};
}

pr_span_t pr_text_strip(const char *s, size_t len)
{
    size_t first = len, last = 0;
    int32_t cp;
    for (size_t i = 0, n; i < len; i += n) {
        n = pr_utf8_next(s + i, len - i, &cp);
        if (pr_is_space(cp))
            continue;
        if (first == len)
            first = i;
        last = i + n;
    }
    return last ? (pr_span_t){s + first, last - first} : (pr_span_t){s, 0};
}

pr_span_t pr_text_trimmed(const char *s, size_t len, bool trim)
{
    return trim ? pr_text_strip(s, len) : (pr_span_t){s, len};
}

void pr_text_ascii_words(const char *s, size_t len, pr_spans_t *out)
{
    size_t n, start = 0;
    *out = (pr_spans_t){.text = pr_text_lower(s, len, &n)};
    for (size_t i = 0; i <= n; i++) {
        char c = out->text[i];
        if (i < n && ((c >= 'a' && c <= 'z') || c == '\''))
            continue;
        if (i > start)
            pr_spans_add(out, out->text + start, i - start);
        start = i + 1;
    }
}

static bool is_letter_or_digit(int32_t cp)
{
    utf8proc_category_t c = utf8proc_category(cp);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO) ||
           (c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO);
}

static bool is_mark(int32_t cp)
{
    utf8proc_category_t c = utf8proc_category(cp);
    return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_MC || c == UTF8PROC_CATEGORY_ME;
}

// Apostrophes at the ends are quotation marks.
static void add_word(pr_spans_t *out, const char *s, size_t len)
{
    for (; len > 0 && *s == '\''; s++)
        len--;
    while (len > 0 && s[len - 1] == '\'')
        len--;
    pr_spans_add(out, s, len);
}

// The lower-cased text with U+2019 made an apostrophe.
static char *lower_plain(const char *s, size_t len, size_t *out_len)
{
    pr_buf_t b = {0};
    size_t n;
    char *lower = pr_text_lower(s, len, &n);
    pr_buf_add(&b, "", 0);
    for (size_t i = 0, step; i < n; i += step) {
        int32_t cp;
        step = pr_utf8_next(lower + i, n - i, &cp);
        pr_buf_add(&b, cp == 0x2019 ? "'" : lower + i, cp == 0x2019 ? 1 : step);
    }
    free(lower);
    *out_len = b.len;
    return b.data;
}

void pr_text_words(const char *s, size_t len, pr_spans_t *out)
{
    size_t n, start = 0;
    bool solid = false; // the run holds a letter or digit
    *out = (pr_spans_t){.text = lower_plain(s, len, &n)};
    for (size_t i = 0, step; i < n; i += step) {
        int32_t cp;
        step = pr_utf8_next(out->text + i, n - i, &cp);
        bool core = is_letter_or_digit(cp), inside = core || cp == '\'' || is_mark(cp);
        solid = solid || core;
        if (inside && i + step < n)
            continue;
        size_t end = inside ? n : i;
        if (solid)
            add_word(out, out->text + start, end - start);
        start = i + step;
        solid = false;
    }
}

/* ---- dictionary ---- */
struct pr_dict_slot {
    char *key;
    size_t len;
    double value;
};

static struct pr_dict_slot *find_slot(const pr_dict_t *d, const char *key, size_t len)
{
    for (size_t i = (size_t)pr_hash64(key, len);; i++) {
        struct pr_dict_slot *slot = &d->slot[i & (d->cap - 1)];
        if (!slot->key || (slot->len == len && memcmp(slot->key, key, len) == 0))
            return slot;
    }
}

static void grow(pr_dict_t *d)
{
    pr_dict_t bigger = {.n = d->n, .cap = d->cap ? 2 * d->cap : 32};
    bigger.slot = pr_alloc(bigger.cap, sizeof *bigger.slot);
    for (size_t i = 0; i < d->cap; i++)
        if (d->slot[i].key)
            *find_slot(&bigger, d->slot[i].key, d->slot[i].len) = d->slot[i];
    free(d->slot);
    *d = bigger;
}

double *pr_dict_put(pr_dict_t *d, const char *key, size_t len, bool *added)
{
    if (2 * (d->n + 1) > d->cap)
        grow(d);
    struct pr_dict_slot *slot = find_slot(d, key, len);
    if (added)
        *added = !slot->key;
    if (!slot->key) {
        slot->key = pr_alloc(len + 1, 1);
        memcpy(slot->key, key, len);
        slot->len = len;
        d->n++;
    }
    return &slot->value;
}

const double *pr_dict_get(const pr_dict_t *d, const char *key, size_t len)
{
    if (d->n == 0)
        return NULL;
    struct pr_dict_slot *slot = find_slot(d, key, len);
    return slot->key ? &slot->value : NULL;
}

void pr_dict_free(pr_dict_t *d)
{
    for (size_t i = 0; i < d->cap; i++)
        free(d->slot[i].key);
    free(d->slot);
    *d = (pr_dict_t){0};
}
