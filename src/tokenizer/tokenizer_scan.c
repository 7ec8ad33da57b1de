// SPDX-License-Identifier: BSD-3-Clause
/* The pre-tokenizer patterns of GPT-2, Llama-3 and Qwen-2, by hand: each function takes the first alternative that
 * matches, as the regular expression does. */
#include "tokenizer/tokenizer_internal.h"

#include <string.h>

static const char *const patterns[] = {
    [PR_TOK_SCAN_NONE] = "",
    [PR_TOK_SCAN_GPT2] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    [PR_TOK_SCAN_LLAMA3] =
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
        "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    [PR_TOK_SCAN_QWEN2] =
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
        "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
};

const char *pr_tok_scan_pattern(pr_tok_scan_t kind)
{
    return patterns[kind];
}

pr_tok_scan_t pr_tok_scan_of(const char *pattern, size_t n)
{
    for (pr_tok_scan_t k = PR_TOK_SCAN_GPT2; k <= PR_TOK_SCAN_QWEN2; k++)
        if (strlen(patterns[k]) == n && memcmp(patterns[k], pattern, n) == 0)
            return k;
    return PR_TOK_SCAN_NONE;
}

#define LNS (PR_TOK_L | PR_TOK_N | PR_TOK_S)

/* The class of the character at i among letters, numbers, spaces and (0) others; *after is behind it. */
static unsigned class_at(const char *s, size_t i, size_t *after)
{
    *after = i;
    return pr_tok_class(pr_tok_next(s, after)) & (LNS | PR_TOK_CRLF);
}

/* The end of the run of characters of this class that starts at i, of at most max characters. */
static size_t run(const char *s, size_t n, size_t i, unsigned class, size_t max)
{
    size_t after;
    for (; i < n && max > 0 && (class_at(s, i, &after) & LNS) == class; max--)
        i = after;
    return i;
}

/* 's 't 'm 'd 're 've 'll at s[i] = '\''; the end, or i when there is none. Without case, U+017F is an s, too. */
static size_t contraction(const char *s, size_t n, size_t i, bool any_case)
{
    unsigned char fold = any_case ? 0x20 : 0;
    if (i + 1 >= n)
        return i;
    unsigned char c = (unsigned char)s[i + 1], d = i + 2 < n ? (unsigned char)s[i + 2] : 0;
    if (any_case && c == 0xC5 && d == 0xBF)
        return i + 3;
    c |= fold;
    d |= fold;
    if (c == 's' || c == 't' || c == 'm' || c == 'd')
        return i + 2;
    if (((c == 'r' || c == 'v') && d == 'e') || (c == 'l' && d == 'l'))
        return i + 3;
    return i;
}

/* \s+(?!\S)|\s+ : a run of spaces without its last one, which goes with what follows, if it has others. */
static size_t spaces(const char *s, size_t n, size_t i)
{
    size_t end = i, last = i, after;
    while (end < n && class_at(s, end, &after) & PR_TOK_S) {
        last = end;
        end = after;
    }
    return end == n || last == i ? end : last;
}

static size_t gpt2(const char *s, size_t n, size_t i)
{
    if (s[i] == '\'') {
        size_t end = contraction(s, n, i, false);
        if (end > i)
            return end;
    }
    size_t first = s[i] == ' ' && i + 1 < n ? i + 1 : i, after;
    unsigned class = class_at(s, first, &after) & LNS;
    return class == PR_TOK_S ? spaces(s, n, i) : run(s, n, after, class, SIZE_MAX);
}

/* \s*[\r\n]+ : to the last line end of the run of spaces; i when it has none. */
static size_t line_ends(const char *s, size_t n, size_t i)
{
    size_t end = i, after;
    for (size_t k = i; k < n; k = after) {
        unsigned class = class_at(s, k, &after);
        if (!(class & PR_TOK_S))
            break;
        if (class & PR_TOK_CRLF)
            end = after;
    }
    return end;
}

static size_t others(const char *s, size_t n, size_t i)
{
    i = run(s, n, i, 0, SIZE_MAX);
    while (i < n && (s[i] == '\r' || s[i] == '\n'))
        i++;
    return i;
}

static size_t llama3(const char *s, size_t n, size_t i, size_t digits)
{
    size_t end, after, second;
    if (s[i] == '\'' && (end = contraction(s, n, i, true)) > i)
        return end;
    unsigned class = class_at(s, i, &after);
    if (class & PR_TOK_N)
        return run(s, n, after, PR_TOK_N, digits - 1);
    if (class & PR_TOK_L)
        return run(s, n, after, PR_TOK_L, SIZE_MAX);
    unsigned follows = after < n ? class_at(s, after, &second) & LNS : PR_TOK_S;
    if (!(class & PR_TOK_CRLF) && follows == PR_TOK_L)
        return run(s, n, second, PR_TOK_L, SIZE_MAX);
    if (class == 0 || (s[i] == ' ' && follows == 0))
        return others(s, n, after);
    end = line_ends(s, n, i);
    return end > i ? end : spaces(s, n, i);
}

size_t pr_tok_scan_next(pr_tok_scan_t kind, const char *s, size_t n, size_t i)
{
    if (kind == PR_TOK_SCAN_GPT2)
        return gpt2(s, n, i);
    return llama3(s, n, i, kind == PR_TOK_SCAN_LLAMA3 ? 3 : 1);
}
