// SPDX-License-Identifier: BSD-3-Clause
#include "report/text.h"
#include "base/file.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define REPLACEMENT "\xEF\xBF\xBD" // U+FFFD
#define ELLIPSIS "\xE2\x80\xA6"    // one column

enum { MAX_MARKS = 4 };

// ---- numbers ----

void pr_text_number(pr_buf_t *b, double value)
{
    char text[40];
    if (isnan(value)) {
        pr_buf_puts(b, "nan"); // without the sign that printf gives some
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    pr_buf_puts(b, text);
}

// ---- UTF-8 ----

/* Length of the maximal part at s that could start a well-formed sequence (Unicode 3.9, table 3-7), at least 1; *whole
 * is whether it is one. */
static size_t sequence(const unsigned char *s, size_t len, bool *whole)
{
    unsigned char c = s[0], low = 0x80, high = 0xBF;
    size_t need = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    if (c == 0xE0)
        low = 0xA0;
    else if (c == 0xED)
        high = 0x9F;
    else if (c == 0xF0)
        low = 0x90;
    else if (c == 0xF4)
        high = 0x8F;
    size_t n = 1;
    while (n < need && n < len && s[n] >= low && s[n] <= high) {
        n++;
        low = 0x80;
        high = 0xBF;
    }
    *whole = n == need;
    return n;
}

void pr_text_utf8(pr_buf_t *b, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        bool whole;
        size_t n = sequence((const unsigned char *)bytes + i, len - i, &whole);
        if (whole)
            pr_buf_add(b, bytes + i, n);
        else
            pr_buf_puts(b, REPLACEMENT);
        i += n;
    }
}

// ---- CSV ----

static bool starts_formula(const char *text)
{
    static const char *const marks[] = {"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"};
    text += strspn(text, " ");
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strncmp(text, marks[i], strlen(marks[i])) == 0)
            return true;
    return false;
}

/* Whether the well-formed sequence at s is a control character other than tab and line ends. */
static bool is_control(const char *s)
{
    unsigned char c = (unsigned char)s[0], d = (unsigned char)s[1];
    return (c < 32 && c != '\t' && c != '\n' && c != '\r') || c == 127 || (c == 0xC2 && d < 0xA0);
}

void pr_text_csv(pr_buf_t *b, const char *text)
{
    pr_buf_t clean = {0};
    if (starts_formula(text))
        pr_buf_puts(&clean, "'");
    pr_text_utf8(&clean, text, strlen(text));
    bool quote = clean.len > 0 && strpbrk(clean.data, ",\"\r\n") != NULL;
    if (quote)
        pr_buf_puts(b, "\"");
    for (const char *s = clean.data; s && *s;) {
        size_t n = *s == '"' || is_control(s) ? 0 : 1;
        if (*s == '"')
            pr_buf_puts(b, "\"\"");
        else if (n == 0)
            pr_buf_puts(b, REPLACEMENT);
        else
            pr_buf_add(b, s, n);
        s += (unsigned char)*s == 0xC2 && n == 0 ? 2 : 1;
    }
    if (quote)
        pr_buf_puts(b, "\"");
    pr_buf_free(&clean);
}

void pr_text_csv_known(pr_buf_t *b, const double *values, int n)
{
    for (int i = 0; i < n; i++) {
        pr_buf_puts(b, ",");
        if (!isnan(values[i]))
            pr_text_number(b, values[i]);
    }
}

// ---- JSON ----

json_t *pr_text_json_string(const char *bytes, size_t len)
{
    pr_buf_t b = {0};
    pr_text_utf8(&b, bytes, len);
    json_t *value = json_stringn(b.data ? b.data : "", b.len);
    pr_buf_free(&b);
    return value;
}

static void new_line(pr_buf_t *b, int indent, int depth)
{
    if (indent > 0)
        pr_buf_printf(b, "\n%*s", indent * depth, "");
}

static void put_scalar(pr_buf_t *b, const json_t *value)
{
    if (json_is_real(value)) {
        size_t start = b->len;
        pr_text_number(b, json_real_value(value));
        if (!strpbrk(b->data + start, ".e"))
            pr_buf_puts(b, ".0"); // so that it reads back as a real
        return;
    }
    char *text = pr_json_text(value, JSON_ENCODE_ANY | JSON_COMPACT);
    pr_buf_puts(b, text);
    free(text);
}

static void put_json(pr_buf_t *b, const json_t *value, int indent, int depth)
{
    bool object = json_is_object(value);
    if (!object && !json_is_array(value)) {
        put_scalar(b, value);
        return;
    }
    void *it = object ? json_object_iter((json_t *)(uintptr_t)value) : NULL;
    size_t n = object ? json_object_size(value) : json_array_size(value);
    pr_buf_puts(b, object ? "{" : "[");
    for (size_t i = 0; i < n; i++) {
        pr_buf_puts(b, i ? "," : "");
        new_line(b, indent, depth + 1);
        if (object) {
            json_t *key = json_string(json_object_iter_key(it));
            put_scalar(b, key);
            json_decref(key);
            pr_buf_puts(b, indent > 0 ? ": " : ":");
            put_json(b, json_object_iter_value(it), indent, depth + 1);
            it = json_object_iter_next((json_t *)(uintptr_t)value, it);
        } else {
            put_json(b, json_array_get(value, i), indent, depth + 1);
        }
    }
    if (n > 0)
        new_line(b, indent, depth);
    pr_buf_puts(b, object ? "}" : "]");
}

void pr_text_json(pr_buf_t *b, const json_t *value, int indent)
{
    put_json(b, value, indent, 0);
}

pr_status_t pr_text_json_write(const char *path, const json_t *value, int indent, pr_error_t *err)
{
    pr_buf_t b = {0};
    pr_text_json(&b, value, indent);
    pr_buf_puts(&b, "\n");
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    pr_buf_free(&b);
    return status;
}

// ---- terminals ----

typedef struct pr_glyph {
    char bytes[5];
    int width;
} pr_glyph_t;

/* What a terminal is shown for a code point; an empty glyph for one that is left out. */
static pr_glyph_t glyph_of(utf8proc_int32_t c)
{
    pr_glyph_t g = {.width = utf8proc_charwidth(c)};
    utf8proc_category_t category = utf8proc_category(c);
    if (c == 0x00AD) // a soft hyphen is seen only where a line is broken
        return (pr_glyph_t){.width = 0};
    bool joiner = c == 0x200C || c == 0x200D;
    if ((category == UTF8PROC_CATEGORY_CF && !joiner) || category == UTF8PROC_CATEGORY_CC ||
        category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_CS)
        return (pr_glyph_t){.bytes = REPLACEMENT, .width = 1};
    utf8proc_encode_char(c, (utf8proc_uint8_t *)g.bytes);
    return g;
}

static bool is_space(utf8proc_int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return (c >= '\t' && c <= '\r') || c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/* The next glyph of valid UTF-8 at *s, which moves past it; white space becomes one space. */
static pr_glyph_t next_glyph(const char **s, const char *end)
{
    utf8proc_int32_t c;
    pr_glyph_t space = {" ", 1};
    const char *at = *s;
    bool blank = false;
    while (at < end) {
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)at, end - at, &c);
        if (!is_space(c)) {
            if (blank)
                break;
            *s = at + n;
            return glyph_of(c);
        }
        blank = true;
        at += n;
    }
    *s = at;
    return space;
}

/* Appends the cleaned text, without spaces at its ends, while it fits; *cut is whether it did not. */
static int put_glyphs(pr_buf_t *b, const pr_buf_t *clean, int columns, bool *cut)
{
    int used = 0, marks = 0, blank = 0;
    const char *s = clean->data, *end = clean->data + clean->len;
    *cut = false;
    while (s < end) {
        pr_glyph_t g = next_glyph(&s, end);
        if (g.bytes[0] == ' ') {
            blank = used > 0;
            continue;
        }
        if (used + blank + g.width > columns) {
            *cut = true;
            break;
        }
        marks = g.width == 0 ? marks + 1 : 0;
        if (blank)
            pr_buf_puts(b, " ");
        if (marks <= MAX_MARKS)
            pr_buf_puts(b, g.bytes);
        used += blank + g.width;
        blank = 0;
    }
    return used;
}

int pr_text_cut(pr_buf_t *b, const char *text, int columns)
{
    pr_buf_t clean = {0};
    bool cut = false;
    size_t start = b->len, len = strlen(text);
    pr_buf_add(b, "", 0);
    // Far more bytes than any line holds; the rest of a long text is not looked at.
    size_t most = 64 * (size_t)(columns > 0 ? columns : 0) + 256;
    size_t seen = len < most ? len : most;
    while (seen < len && seen > 0 && ((unsigned char)text[seen] & 0xC0) == 0x80)
        seen--;
    pr_text_utf8(&clean, text, seen);
    int used = clean.len ? put_glyphs(b, &clean, columns, &cut) : 0;
    if ((cut || seen < len) && columns > 0) {
        b->len = start;
        used = put_glyphs(b, &clean, columns - 1, &cut);
        pr_buf_puts(b, ELLIPSIS);
        used++;
    }
    pr_buf_free(&clean);
    return used;
}

int pr_text_width(const char *text)
{
    pr_buf_t b = {0};
    int width = pr_text_cut(&b, text, 1 << 20);
    pr_buf_free(&b);
    return width;
}
