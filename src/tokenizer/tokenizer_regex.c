// SPDX-License-Identifier: BSD-3-Clause
/* Oniguruma's regular expressions by PCRE2. The syntaxes agree on what tokenizers use, except for a few points that are
 * rewritten here (\s and \w by their Unicode definitions, \h, \u) or refused (class intersections and nested classes,
 * \Q...\E, intervals followed by '+', the flag m). */
#include "tokenizer/tokenizer_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SPACES "\\t-\\r\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define WORDS "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}"
#define HEX "0-9A-Fa-f"

typedef struct translator {
    const char *s;
    size_t n, i;
    bool in_class, class_start;
    pr_buf_t out;
} translator_t;

/* A set written as a class of its own, or within the present class. Returns false where neither can be done. */
static bool put_set(translator_t *t, const char *set, bool negate)
{
    if (t->in_class && negate)
        return false;
    if (t->in_class)
        pr_buf_puts(&t->out, set);
    else
        pr_buf_printf(&t->out, "[%s%s]", negate ? "^" : "", set);
    return true;
}

/* A backslash and what follows it; NULL, or what is not supported. */
static const char *translate_escape(translator_t *t)
{
    if (t->i + 1 >= t->n) {
        pr_buf_puts(&t->out, "\\"); // PCRE2 gives the message
        t->i++;
        return NULL;
    }
    char c = t->s[t->i + 1];
    const char *set = strchr("sS", c) ? SPACES : strchr("wW", c) ? WORDS : strchr("hH", c) ? HEX : NULL;
    if (c && set) {
        t->i += 2;
        return put_set(t, set, isupper((unsigned char)c)) ? NULL : "a negated escape within a class";
    }
    if (c == 'Q' || c == 'E' || c == 0)
        return "this escape";
    if (c == 'u' && t->i + 6 <= t->n) {
        pr_buf_printf(&t->out, "\\x{%.4s}", t->s + t->i + 2);
        t->i += 6;
        return NULL;
    }
    size_t len = 1 + pr_tok_char_len(c);
    const char *brace = t->i + len < t->n && t->s[t->i + len] == '{' ? t->s + t->i + len : NULL;
    const char *end = brace && strchr("pPxgk", c) ? memchr(brace, '}', t->n - t->i - len) : NULL;
    if (end)
        len = (size_t)(end + 1 - (t->s + t->i)); // \p{L}: not an interval
    pr_buf_add(&t->out, t->s + t->i, len);
    t->i += len;
    return NULL;
}

static const char *translate_in_class(translator_t *t)
{
    const char *p = t->s + t->i;
    size_t left = t->n - t->i;
    if (*p == '[') {
        const char *end = left > 3 && p[1] == ':' ? memmem(p, left, ":]", 2) : NULL;
        if (!end)
            return "a class within a class";
        pr_buf_add(&t->out, p, (size_t)(end + 2 - p));
        t->i += (size_t)(end + 2 - p);
        return NULL;
    }
    if (left > 1 && p[0] == '&' && p[1] == '&')
        return "an intersection of classes";
    if (*p == ']' && !t->class_start)
        t->in_class = false;
    pr_buf_add(&t->out, p, 1);
    t->i++;
    t->class_start = false;
    return NULL;
}

/* (?flags: the flag m means something else. */
static bool has_flag_m(const translator_t *t)
{
    size_t i = t->i + 2;
    for (; i < t->n && (islower((unsigned char)t->s[i]) || t->s[i] == '-'); i++)
        if (t->s[i] == 'm')
            return true;
    return false;
}

static const char *translate_plain(translator_t *t)
{
    const char *p = t->s + t->i;
    size_t left = t->n - t->i;
    if (left > 1 && p[0] == '}' && p[1] == '+')
        return "an interval followed by '+'";
    if (left > 2 && p[0] == '(' && p[1] == '?' && has_flag_m(t))
        return "the flag m";
    size_t len = 1;
    if (*p == '[') {
        t->in_class = true;
        t->class_start = true;
        len = left > 1 && p[1] == '^' ? 2 : 1;
    }
    pr_buf_add(&t->out, p, len);
    t->i += len;
    return NULL;
}

static const char *translate(translator_t *t)
{
    const char *bad = NULL;
    while (t->i < t->n && !bad) {
        if (t->s[t->i] == '\\') {
            bad = translate_escape(t);
            t->class_start = false;
        } else {
            bad = t->in_class ? translate_in_class(t) : translate_plain(t);
        }
    }
    return bad;
}

static pr_status_t compile(const pr_buf_t *text, const char *where, pcre2_code **out, pr_error_t *err)
{
    int code;
    size_t at;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return pr_fail(err, PR_ERR_MEMORY, "%s: no memory for a regular expression", where);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 100);
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    *out = pcre2_compile((PCRE2_SPTR)text->data, text->len, options, &code, &at, context);
    pcre2_compile_context_free(context);
    if (!*out) {
        PCRE2_UCHAR message[256];
        pcre2_get_error_message(code, message, sizeof message);
        return pr_fail(err, PR_ERR_FORMAT, "%s: not a valid regular expression: %s", where, (char *)message);
    }
    pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE); // where it fails, matching is interpreted
    return PR_OK;
}

pr_status_t pr_tok_regex_compile(const char *pattern, size_t n, const char *where, pcre2_code **out, pr_error_t *err)
{
    translator_t t = {.s = pattern, .n = n};
    if (n == 0 || n > 65536)
        return pr_fail(err, PR_ERR_FORMAT, "%s: a regular expression of %zu bytes, expected 1 to 65536", where, n);
    const char *bad = translate(&t);
    pr_status_t status =
        bad ? pr_fail(err, PR_ERR_UNSUPPORTED, "%s: regular expression: byte %zu: %s is not supported", where, t.i, bad)
            : compile(&t.out, where, out, err);
    pr_buf_free(&t.out);
    return status;
}

void pr_tok_pattern_free(pr_tok_pattern_t *p)
{
    free(p->text);
    pcre2_code_free(p->re);
    *p = (pr_tok_pattern_t){0};
}

void pr_tok_match_free(pr_tok_match_t *m)
{
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_jit_stack_free(m->stack);
    *m = (pr_tok_match_t){0};
}

static pr_status_t match_init(pr_tok_match_t *m, pr_error_t *err)
{
    if (m->data)
        return PR_OK;
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(32 << 10, 8 << 20, NULL); // NULL without JIT support
    if (m->context && m->stack)
        pcre2_jit_stack_assign(m->context, NULL, m->stack);
    m->data = m->context ? pcre2_match_data_create(1, NULL) : NULL;
    return m->data ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory to match a regular expression");
}

static pr_status_t find_regex(const pr_tok_iter_t *it, pr_tok_match_t *m, size_t from, bool *found, size_t *start,
                              size_t *end, pr_error_t *err)
{
    PR_TRY(match_init(m, err));
    int rc = pcre2_match(it->pattern->re, (PCRE2_SPTR)it->s, it->n, from, PCRE2_NO_UTF_CHECK, m->data, m->context);
    *found = rc >= 0;
    if (rc >= 0) {
        const size_t *at = pcre2_get_ovector_pointer(m->data);
        *start = at[0];
        *end = at[1] > at[0] ? at[1] : at[0];
        return PR_OK;
    }
    if (rc == PCRE2_ERROR_NOMATCH)
        return PR_OK;
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(rc, message, sizeof message);
    return pr_fail(err, PR_ERR_FORMAT, "the tokenizer's regular expression cannot be matched at byte %zu: %s", from,
                   (char *)message);
}

static bool find_string(const pr_tok_iter_t *it, size_t from, size_t *start, size_t *end)
{
    const char *p = memmem(it->s + from, it->n - from, it->pattern->text, it->pattern->len);
    if (p) {
        *start = (size_t)(p - it->s);
        *end = *start + it->pattern->len;
    }
    return p != NULL;
}

static bool find_chars(const pr_tok_iter_t *it, size_t from, size_t *start, size_t *end)
{
    for (size_t i = from; i < it->n;) {
        size_t at = i;
        if (pr_tok_class(pr_tok_next(it->s, &i)) & it->pattern->classes) {
            *start = at;
            *end = i;
            return true;
        }
    }
    return false;
}

pr_status_t pr_tok_iter_next(pr_tok_iter_t *it, pr_tok_match_t *m, bool *found, size_t *start, size_t *end,
                             pr_error_t *err)
{
    for (;;) {
        *found = false;
        if (it->at > it->n)
            return PR_OK;
        if (it->pattern->kind == PR_TOK_STRING)
            *found = find_string(it, it->at, start, end);
        else if (it->pattern->kind == PR_TOK_CHARS)
            *found = find_chars(it, it->at, start, end);
        else
            PR_TRY(find_regex(it, m, it->at, found, start, end, err));
        if (!*found)
            return PR_OK;
        if (*start < *end || !it->matched || *end != it->last_end)
            break;
        // an empty match right behind the last one does not count
        it->at += it->at < it->n ? pr_tok_char_len(it->s[it->at]) : 1;
    }
    it->at = it->last_end = *end;
    it->matched = true;
    return PR_OK;
}

pr_status_t pr_tok_replace(const pr_tok_pattern_t *p, const char *content, size_t content_len, const char *s, size_t n,
                           pr_tok_match_t *m, pr_buf_t *out, pr_error_t *err)
{
    pr_tok_iter_t it = {.pattern = p, .s = s, .n = n};
    size_t done = 0, start, end;
    bool found;
    for (;;) {
        PR_TRY(pr_tok_iter_next(&it, m, &found, &start, &end, err));
        if (!found)
            break;
        pr_buf_add(out, s + done, start - done);
        pr_buf_add(out, content, content_len);
        done = end;
    }
    pr_buf_add(out, s + done, n - done);
    return PR_OK;
}
