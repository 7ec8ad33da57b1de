// SPDX-License-Identifier: BSD-3-Clause
/* JSON as RFC 8259 has it and as Python's json module writes and reads it: NaN, Infinity, -Infinity and integers of any
 * size are values, "\u0000" may stand in a string, and half a surrogate pair is one character, U+FFFD here.
 *
 * Values are jansson's, which has no such numbers itself: those that are not finite are nulls of their own
 * (pr_json_special), and integers past 63 bits become real numbers. */
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 1000 };

typedef struct parser {
    const char *text;
    size_t len, at;
    const char *where;
    unsigned flags;
    int depth;
    pr_buf_t string; // the last string read
    pr_error_t *err;
} parser_t;

static pr_status_t read_value(parser_t *p, json_t **out);

// what: found instead of JSON, at p->at.
static pr_status_t bad(const parser_t *p, const char *what)
{
    size_t line = 1, start = 0;
    for (size_t i = 0; i < p->at && i < p->len; i++)
        if (p->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    return pr_fail(p->err, PR_ERR_FORMAT, "%s: line %zu, column %zu: not valid JSON: %s", p->where, line,
                   p->at - start + 1, what);
}

static void skip_space(parser_t *p)
{
    while (p->at < p->len &&
           (p->text[p->at] == ' ' || p->text[p->at] == '\n' || p->text[p->at] == '\r' || p->text[p->at] == '\t'))
        p->at++;
}

// The next byte, 0 at the end.
static char peek(const parser_t *p)
{
    return p->at < p->len ? p->text[p->at] : 0;
}

static bool take(parser_t *p, const char *word)
{
    size_t n = strlen(word);
    if (p->len - p->at < n || memcmp(p->text + p->at, word, n) != 0)
        return false;
    p->at += n;
    return true;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// The four digits at `at`; -1: there are none.
static int read_hex(const parser_t *p, size_t at)
{
    int value = 0;
    for (size_t i = at; i < at + 4; i++) {
        int digit = i < p->len ? hex_digit(p->text[i]) : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static void add_char(pr_buf_t *b, unsigned c)
{
    char bytes[4];
    size_t n = 0;
    if (c < 0x80) {
        bytes[n++] = (char)c;
    } else if (c < 0x800) {
        bytes[n++] = (char)(0xC0 | c >> 6);
    } else if (c < 0x10000) {
        bytes[n++] = (char)(0xE0 | c >> 12);
        bytes[n++] = (char)(0x80 | (c >> 6 & 63));
    } else {
        bytes[n++] = (char)(0xF0 | c >> 18);
        bytes[n++] = (char)(0x80 | (c >> 12 & 63));
        bytes[n++] = (char)(0x80 | (c >> 6 & 63));
    }
    if (c >= 0x80)
        bytes[n++] = (char)(0x80 | (c & 63));
    pr_buf_add(b, bytes, n);
}

// Behind "\u".
static pr_status_t read_unicode(parser_t *p)
{
    int c = read_hex(p, p->at);
    if (c < 0)
        return bad(p, "expected four hexadecimal digits after \\u");
    p->at += 4;
    if (c >= 0xD800 && c < 0xDC00 && p->len - p->at >= 6 && p->text[p->at] == '\\' && p->text[p->at + 1] == 'u') {
        int low = read_hex(p, p->at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            p->at += 6;
            add_char(&p->string, 0x10000u + ((unsigned)(c - 0xD800) << 10) + (unsigned)(low - 0xDC00));
            return PR_OK;
        }
    }
    add_char(&p->string, c >= 0xD800 && c < 0xE000 ? 0xFFFD : (unsigned)c);
    return PR_OK;
}

static pr_status_t read_escape(parser_t *p)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = peek(p);
    const char *name = c ? strchr(names, c) : NULL;
    if (c == 'u') {
        p->at++;
        return read_unicode(p);
    }
    if (!name)
        return bad(p, "an unknown escape in a string");
    p->at++;
    pr_buf_add(&p->string, &values[name - names], 1);
    return PR_OK;
}

// The string at p->at, a quotation mark, into p->string.
static pr_status_t read_string(parser_t *p)
{
    p->string.len = 0;
    pr_buf_add(&p->string, "", 0);
    p->at++;
    for (;;) {
        size_t from = p->at;
        while (p->at < p->len && p->text[p->at] != '"' && p->text[p->at] != '\\' &&
               (unsigned char)p->text[p->at] >= 0x20)
            p->at++;
        pr_buf_add(&p->string, p->text + from, p->at - from);
        if (p->at == p->len)
            return bad(p, "a string without an end");
        char c = p->text[p->at];
        if (c != '"' && c != '\\')
            return bad(p, "a control character in a string, which must be escaped");
        p->at++;
        if (c == '"')
            return PR_OK;
        PR_TRY(read_escape(p));
    }
}

static pr_status_t read_text(parser_t *p, json_t **out)
{
    size_t start = p->at;
    PR_TRY(read_string(p));
    *out = json_stringn(p->string.data, p->string.len);
    if (*out)
        return PR_OK;
    p->at = start;
    return bad(p, "a string that is not UTF-8");
}

/* ---- numbers ---- */

static json_t specials[] = {{JSON_NULL, (size_t)-1}, {JSON_NULL, (size_t)-1}, {JSON_NULL, (size_t)-1}};
static const char *const special_names[] = {"NaN", "Infinity", "-Infinity"};

const char *pr_json_special(const json_t *value)
{
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (value == &specials[i])
            return special_names[i];
    return NULL;
}

json_t *pr_json_any_real(double x)
{
    return isfinite(x) ? pr_json_real(x) : &specials[isnan(x) ? 0 : x > 0 ? 1 : 2];
}

static json_t *number_value(const char *digits, bool integer)
{
    errno = 0;
    long long whole = integer ? strtoll(digits, NULL, 10) : 0;
    if (integer && errno == 0)
        return json_integer(whole);
    return pr_json_any_real(strtod(digits, NULL));
}

static size_t skip_digits(const parser_t *p, size_t at)
{
    while (at < p->len && p->text[at] >= '0' && p->text[at] <= '9')
        at++;
    return at;
}

// The end of the number at p->at, or p->at when there is none.
static size_t number_end(const parser_t *p, bool *integer)
{
    size_t first = p->at + (peek(p) == '-'), end = skip_digits(p, first);
    *integer = true;
    if (end == first || (p->text[first] == '0' && end > first + 1))
        return p->at;
    if (end < p->len && p->text[end] == '.') {
        size_t part = skip_digits(p, end + 1);
        if (part == end + 1)
            return p->at;
        *integer = false;
        end = part;
    }
    if (end < p->len && (p->text[end] == 'e' || p->text[end] == 'E')) {
        size_t sign = end + 1 + (end + 1 < p->len && (p->text[end + 1] == '-' || p->text[end + 1] == '+'));
        size_t part = skip_digits(p, sign);
        if (part == sign)
            return p->at;
        *integer = false;
        end = part;
    }
    return end;
}

static pr_status_t read_number(parser_t *p, json_t **out)
{
    bool integer;
    size_t end = number_end(p, &integer);
    if (end == p->at)
        return bad(p, "a number in none of the forms that JSON has");
    p->string.len = 0;
    pr_buf_add(&p->string, p->text + p->at, end - p->at);
    *out = number_value(p->string.data, integer);
    p->at = end;
    return PR_OK;
}

/* ---- values ---- */

static pr_status_t read_array(parser_t *p, json_t *array)
{
    p->at++;
    skip_space(p);
    if (take(p, "]"))
        return PR_OK;
    for (;;) {
        json_t *item = NULL;
        PR_TRY(read_value(p, &item));
        json_array_append_new(array, item);
        skip_space(p);
        if (take(p, "]"))
            return PR_OK;
        if (!take(p, ","))
            return bad(p, "expected ',' or ']' after an element");
    }
}

static pr_status_t check_key(const parser_t *p, const json_t *object)
{
    const char *key = p->string.data;
    if (!(p->flags & PR_JSON_NUL_KEYS) && memchr(key, 0, p->string.len))
        return bad(p, "a key with a NUL character");
    if (!json_object_getn(object, key, p->string.len))
        return PR_OK;
    char what[96];
    snprintf(what, sizeof what, "duplicate object key '%.60s'", key);
    return bad(p, what);
}

static pr_status_t read_member(parser_t *p, json_t *object)
{
    size_t start = p->at;
    if (peek(p) != '"')
        return bad(p, "expected a key, in quotation marks");
    PR_TRY(read_string(p));
    PR_TRY(check_key(p, object));
    size_t n = p->string.len;
    char *key = pr_alloc(n + 1, 1);
    memcpy(key, p->string.data, n);
    json_t *value = NULL;
    skip_space(p);
    pr_status_t status = take(p, ":") ? read_value(p, &value) : bad(p, "expected ':' after a key");
    if (status == PR_OK && json_object_setn_new(object, key, n, value) != 0) {
        p->at = start;
        status = bad(p, "a key that is not UTF-8");
    }
    free(key);
    return status;
}

static pr_status_t read_object(parser_t *p, json_t *object)
{
    p->at++;
    skip_space(p);
    if (take(p, "}"))
        return PR_OK;
    for (;;) {
        PR_TRY(read_member(p, object));
        skip_space(p);
        if (take(p, "}"))
            return PR_OK;
        if (!take(p, ","))
            return bad(p, "expected ',' or '}' after a member");
        skip_space(p);
    }
}

static pr_status_t read_container(parser_t *p, json_t **out)
{
    if (++p->depth > MAX_DEPTH)
        return bad(p, "too many values within each other");
    bool array = peek(p) == '[';
    json_t *value = array ? json_array() : json_object();
    pr_status_t status = array ? read_array(p, value) : read_object(p, value);
    p->depth--;
    if (status == PR_OK)
        *out = value;
    else
        json_decref(value);
    return status;
}

static pr_status_t read_word(parser_t *p, json_t **out)
{
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (take(p, special_names[i])) {
            *out = &specials[i];
            return PR_OK;
        }
    *out = take(p, "true") ? json_true() : take(p, "false") ? json_false() : take(p, "null") ? json_null() : NULL;
    if (*out)
        return PR_OK;
    return bad(p, p->at == p->len ? "it ends where a value is expected" : "a character that begins no value");
}

static pr_status_t read_value(parser_t *p, json_t **out)
{
    skip_space(p);
    char c = peek(p);
    if (c == '{' || c == '[')
        return read_container(p, out);
    if (c == '"')
        return read_text(p, out);
    if ((c >= '0' && c <= '9') || (c == '-' && p->at + 1 < p->len && p->text[p->at + 1] != 'I'))
        return read_number(p, out);
    return read_word(p, out);
}

pr_status_t pr_json_parse_with(const char *text, size_t len, unsigned flags, const char *where, json_t **out,
                               pr_error_t *err)
{
    parser_t p = {.text = text, .len = len, .where = where, .flags = flags, .err = err};
    json_t *value = NULL;
    take(&p, "\xEF\xBB\xBF"); // a byte order mark
    pr_status_t status = read_value(&p, &value);
    skip_space(&p);
    if (status == PR_OK && p.at < p.len)
        status = bad(&p, "something after the value");
    pr_buf_free(&p.string);
    if (status == PR_OK)
        *out = value;
    else
        json_decref(value);
    return status;
}

pr_status_t pr_json_parse(const char *text, size_t len, const char *where, json_t **out, pr_error_t *err)
{
    return pr_json_parse_with(text, len, 0, where, out, err);
}
