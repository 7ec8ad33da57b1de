// SPDX-License-Identifier: BSD-3-Clause
/* What messages, help, the manual page and the documents say about a row. */
#include "option/kinds.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT "string or list of strings"

const pr_option_words_t pr_option_kinds[] = {
    [PR_OPT_STRING] = {"string", "a string", false, PR_OPT_STRING, false, false},
    [PR_OPT_FILE] = {"file", "a file", false, PR_OPT_FILE, false, false},
    [PR_OPT_DIR] = {"directory", "a directory", false, PR_OPT_DIR, false, false},
    [PR_OPT_BOOL] = {"true/false", "true or false", false, PR_OPT_BOOL, false, false},
    [PR_OPT_SWITCH] = {"string", "a string", false, PR_OPT_SWITCH, false, false},
    [PR_OPT_INT] = {"integer", "an integer", false, PR_OPT_INT, true, true},
    [PR_OPT_INT64] = {"integer", "an integer", false, PR_OPT_INT64, true, true},
    [PR_OPT_REAL] = {"number", "a number", false, PR_OPT_REAL, true, false},
    [PR_OPT_DURATION] = {"duration", "a duration such as \"90s\",", false, PR_OPT_DURATION, true, false},
    [PR_OPT_STRINGS] = {TEXT, "a " TEXT, true, PR_OPT_STRING, false, false},
    [PR_OPT_INTS] = {"list of integers", "a list of integers", true, PR_OPT_INT, true, true},
    [PR_OPT_INT64S] = {"list of integers", "a list of integers", true, PR_OPT_INT64, true, true},
    [PR_OPT_REALS] = {"list of numbers", "a list of numbers", true, PR_OPT_REAL, true, false},
    [PR_OPT_COMMAND] = {TEXT, "a " TEXT " that is not empty", true, PR_OPT_STRING, false, false},
    [PR_OPT_GROUPS] = {"list of groups", "a list of groups", true, PR_OPT_GROUPS, true, true},
};

#define MAX_REAL 1e30 // of numbers without bounds of their own: sums and squares of them stay numbers

static bool bounded(const pr_option_t *o)
{
    return o->min < o->max;
}

void pr_option_bounds(const pr_option_t *o, double *min, double *max)
{
    pr_option_kind_t kind = pr_option_kinds[o->kind].each;
    *min = bounded(o) ? o->min : kind == PR_OPT_INT ? INT_MIN : kind == PR_OPT_INT64 ? -0x1p63 : -MAX_REAL;
    *max = bounded(o) ? o->max : kind == PR_OPT_INT ? INT_MAX : kind == PR_OPT_INT64 ? 0x1p63 : MAX_REAL;
}

void pr_option_describe(const json_t *v, char *out, size_t size)
{
    const char *text = json_string_value(v), *special = pr_json_special(v);
    if (text)
        snprintf(out, size, strlen(text) > 60 ? "the string \"%.60s...\"" : "the string \"%s\"", text);
    else if (json_is_integer(v))
        snprintf(out, size, "the integer %lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        snprintf(out, size, "the number %.15g", json_real_value(v));
    else if (json_is_array(v))
        snprintf(out, size, "a list of %zu", json_array_size(v));
    else if (json_is_object(v))
        snprintf(out, size, "a group");
    else if (special)
        snprintf(out, size, "the number %g", strtod(special, NULL));
    else
        snprintf(out, size, "%s", json_is_true(v) ? "true" : json_is_false(v) ? "false" : "null");
}

/* As a person writes it: 0.001, 1000, 1e-6, 1e30; integers in full. */
static void put_number(pr_buf_t *b, double x, bool whole)
{
    char text[32];
    double size = fabs(x);
    if (whole) {
        pr_buf_printf(b, "%lld", x >= 0x1p63 ? LLONG_MAX : (long long)x);
    } else if (x == 0 || (size >= 1e-3 && size < 1e5)) {
        pr_buf_printf(b, "%.10g", x);
    } else {
        for (int digits = 0; digits <= 16; digits++) {
            snprintf(text, sizeof text, "%.*e", digits, x);
            if (strtod(text, NULL) == x)
                break;
        }
        char *e = strchr(text, 'e');
        pr_buf_printf(b, "%.*se%d", (int)(e - text), text, atoi(e + 1));
    }
}

static void put_bounds(pr_buf_t *b, const pr_option_t *o)
{
    bool whole = pr_option_kinds[o->kind].whole;
    double min, max;
    pr_option_bounds(o, &min, &max);
    if (o->or_0)
        pr_buf_puts(b, "0, or ");
    put_number(b, min, whole);
    pr_buf_puts(b, " to ");
    put_number(b, max, whole);
    if (o->kind == PR_OPT_DURATION)
        pr_buf_puts(b, " s");
}

static void put_choices(pr_buf_t *b, const char *choices)
{
    for (const char *c = choices; *c; c += *c == '|') {
        size_t n = strcspn(c, "|");
        pr_buf_add(b, c, n);
        c += n;
        if (*c)
            pr_buf_puts(b, " | ");
    }
}

/* "1 to 100", "a | b", or nothing. */
static void put_range(pr_buf_t *b, const pr_option_t *o)
{
    pr_buf_puts(b, "");
    if (o->choices)
        put_choices(b, o->choices);
    else if (pr_option_kinds[o->kind].number && bounded(o))
        put_bounds(b, o);
}

void pr_option_expected(const pr_option_t *o, char *out, size_t size)
{
    pr_buf_t b = {0};
    pr_buf_puts(&b, o->choices ? "one of " : pr_option_kinds[o->kind].expected);
    if (o->choices)
        put_choices(&b, o->choices);
    if (o->choices && pr_option_kinds[o->kind].list)
        pr_buf_puts(&b, ", or a list of them");
    if (pr_option_kinds[o->kind].number) {
        pr_buf_puts(&b, " ");
        put_bounds(&b, o);
    }
    if (o->not_empty)
        pr_buf_puts(&b, " that is not empty");
    snprintf(out, size, "%s", b.data);
    pr_buf_free(&b);
}

void pr_option_facts(pr_buf_t *b, const pr_option_t *o)
{
    pr_buf_t range = {0};
    put_range(&range, o);
    pr_buf_puts(b, pr_option_kinds[o->kind].type);
    if (*range.data)
        pr_buf_printf(b, "; %s", range.data);
    if (!o->dflt)
        pr_buf_puts(b, "; required");
    else if (*o->dflt)
        pr_buf_printf(b, "; default %s", o->dflt);
    pr_buf_free(&range);
}

void pr_option_say(pr_buf_t *b, const pr_option_t *o)
{
    pr_buf_puts(b, o->help);
    if (o->dflt && *o->dflt)
        pr_buf_printf(b, " Default: %s.", o->dflt);
}

/* ---- tables ---- */

/* Calls put for every row and, behind a row of groups, for the groups' own. */
static void each_row(pr_buf_t *b, const pr_option_t *table, const char *prefix, const void *self,
                     void (*put)(pr_buf_t *b, const pr_option_t *o, const char *key, const void *self))
{
    for (const pr_option_t *o = table; o->key; o++) {
        pr_buf_t key = {0};
        pr_buf_printf(&key, "%s%s", prefix, o->key);
        put(b, o, key.data, self);
        if (o->rows) {
            pr_buf_puts(&key, "[].");
            each_row(b, o->rows, key.data, self, put);
        }
        pr_buf_free(&key);
    }
}

static void put_help(pr_buf_t *b, const pr_option_t *o, const char *key, const void *self)
{
    const char *indent = self;
    pr_buf_printf(b, "%s%s (", indent, key);
    pr_option_facts(b, o);
    pr_buf_printf(b, ")\n%s    %s\n", indent, o->help);
}

void pr_options_help(pr_buf_t *b, const pr_option_t *table, const char *indent)
{
    each_row(b, table, "", indent, put_help);
}

/* Is it the row's whole key, or what stands after a dot of it? "[]" need not be said. */
static bool is_named(const char *key, const char *name)
{
    pr_buf_t plain = {0};
    bool same = false;
    pr_buf_puts(&plain, "");
    for (const char *p = key; *p; p++)
        if (*p != '[' && *p != ']')
            pr_buf_add(&plain, p, 1);
    for (const char *p = plain.data; p && !same; p = strchr(p, '.') ? strchr(p, '.') + 1 : NULL)
        same = strcmp(p, name) == 0;
    same = same || strcmp(key, name) == 0;
    pr_buf_free(&plain);
    return same;
}

typedef struct pr_wanted {
    const char *key;
    int *found;
} pr_wanted_t;

static void put_wanted(pr_buf_t *b, const pr_option_t *o, const char *key, const void *self)
{
    const pr_wanted_t *w = self;
    if (!is_named(key, w->key))
        return;
    put_help(b, o, key, "");
    ++*w->found;
}

int pr_options_help_of(pr_buf_t *b, const pr_option_t *table, const char *key)
{
    int found = 0;
    pr_wanted_t w = {key, &found};
    each_row(b, table, "", &w, put_wanted);
    return found;
}

typedef struct pr_teller {
    void (*each)(void *self, const char *key);
    void *self;
} pr_teller_t;

static void tell_key(pr_buf_t *b, const pr_option_t *o, const char *key, const void *self)
{
    const pr_teller_t *t = self;
    (void)b, (void)o;
    t->each(t->self, key);
}

void pr_options_each(const pr_option_t *table, void (*each)(void *self, const char *key), void *self)
{
    pr_teller_t t = {each, self};
    each_row(NULL, table, "", &t, tell_key);
}

// A '|' would end the table's cell.
static void put_cell(pr_buf_t *b, const char *text)
{
    for (; *text; text++)
        pr_buf_printf(b, *text == '|' ? "\\%c" : "%c", *text);
    pr_buf_puts(b, " | ");
}

static void put_markdown(pr_buf_t *b, const pr_option_t *o, const char *key, const void *self)
{
    (void)self;
    pr_buf_t range = {0};
    put_range(&range, o);
    pr_buf_printf(b, "| `%s` | ", key);
    put_cell(b, pr_option_kinds[o->kind].type);
    if (o->dflt && *o->dflt)
        pr_buf_printf(b, "`%s` | ", o->dflt);
    else
        put_cell(b, o->dflt ? "" : "required");
    put_cell(b, range.data);
    put_cell(b, o->help);
    b->data[--b->len] = 0; // the last blank
    pr_buf_puts(b, "\n");
    pr_buf_free(&range);
}

void pr_options_markdown(pr_buf_t *b, const pr_option_t *table, const char *heading)
{
    pr_buf_printf(b, "| %s | type | default | range | meaning |\n| --- | --- | --- | --- | --- |\n", heading);
    each_row(b, table, "", NULL, put_markdown);
}

void pr_roff_text(pr_buf_t *b, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\\')
            pr_buf_puts(b, "\\e");
        else if (*p == '-')
            pr_buf_puts(b, "\\-");
        else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
            pr_buf_printf(b, "\\&%c", *p);
        else
            pr_buf_add(b, p, 1);
    }
}

static void put_roff(pr_buf_t *b, const pr_option_t *o, const char *key, const void *self)
{
    const bool *command_line = self;
    pr_buf_t facts = {0}, help = {0};
    pr_option_facts(&facts, o);
    if (*command_line)
        pr_option_say(&help, o);
    pr_buf_puts(b, ".TP\n\\fB");
    pr_roff_text(b, key);
    pr_buf_puts(b, "\\fR");
    if (!*command_line) {
        pr_buf_puts(b, " (");
        pr_roff_text(b, facts.data);
        pr_buf_puts(b, ")");
    } else if (key[0] == '-' && o->value) {
        pr_buf_printf(b, " \\fI%s\\fR", o->value);
    }
    pr_buf_puts(b, "\n");
    pr_roff_text(b, *command_line ? help.data : o->help);
    pr_buf_puts(b, "\n");
    pr_buf_free(&facts);
    pr_buf_free(&help);
}

void pr_options_roff(pr_buf_t *b, const pr_option_t *table, bool command_line)
{
    each_row(b, table, "", &command_line, put_roff);
}
