// SPDX-License-Identifier: BSD-3-Clause
/* Between JSON, the words of a command line and the fields of a structure. */
#include "option/kinds.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- words of a command line ---- */

static json_t *parse_number(pr_option_kind_t kind, const char *text, char **end)
{
    if (kind == PR_OPT_INT || kind == PR_OPT_INT64) {
        errno = 0;
        long long i = strtoll(text, end, 10);
        return *end != text && errno == 0 ? json_integer(i) : NULL;
    }
    double r = strtod(text, end);
    if (*end != text && **end == '/') { // weights are often fractions
        const char *below = *end + 1;
        r /= strtod(below, end);
        if (*end == below)
            return NULL;
    }
    return *end != text && isfinite(r) ? pr_json_real(r) : NULL;
}

/* Numbers between commas or blanks. */
static json_t *parse_numbers(pr_option_kind_t kind, const char *text)
{
    json_t *list = json_array(), *one;
    char *end = NULL;
    for (const char *p = text; (one = parse_number(kind, p, &end)); p = end + 1) {
        json_array_append_new(list, one);
        if (!*end)
            return list;
        if (*end != ',' && *end != ' ')
            break;
    }
    json_decref(list);
    return NULL;
}

json_t *pr_option_parse(const pr_option_t *o, const char *text)
{
    pr_option_kind_t each = pr_option_kinds[o->kind].each;
    if (!pr_option_kinds[o->kind].number || each == PR_OPT_DURATION)
        return json_string(text);
    if (pr_option_kinds[o->kind].list)
        return parse_numbers(each, text);
    char *end = NULL;
    json_t *v = parse_number(each, text, &end);
    if (v && *end) {
        json_decref(v);
        v = NULL;
    }
    return v;
}

/* ---- one value ---- */

static void store_one(const pr_option_t *o, pr_option_kind_t kind, const json_t *v, void *at)
{
    switch (kind) {
    case PR_OPT_BOOL:
        *(bool *)at = json_is_true(v);
        break;
    case PR_OPT_SWITCH:
        *(bool *)at = pr_option_choice(o, json_string_value(v)) == 1;
        break;
    case PR_OPT_INT:
        *(int *)at = (int)json_integer_value(v);
        break;
    case PR_OPT_INT64:
        *(int64_t *)at = json_integer_value(v);
        break;
    case PR_OPT_REAL:
    case PR_OPT_DURATION:
        *(double *)at = json_number_value(v);
        break;
    default:
        *(char **)at = pr_strdup(json_string_value(v));
    }
}

static void clear_one(pr_option_kind_t kind, void *at)
{
    if (kind == PR_OPT_STRING || kind == PR_OPT_FILE || kind == PR_OPT_DIR) {
        free(*(char **)at);
        *(char **)at = NULL;
    }
}

// NULL for a text that is not set.
static json_t *one_json(const pr_option_t *o, pr_option_kind_t kind, const void *at)
{
    const char *bar;
    switch (kind) {
    case PR_OPT_BOOL:
        return json_boolean(*(const bool *)at);
    case PR_OPT_SWITCH:
        bar = strchr(o->choices, '|');
        return *(const bool *)at ? json_string(bar + 1) : json_stringn(o->choices, (size_t)(bar - o->choices));
    case PR_OPT_INT:
        return json_integer(*(const int *)at);
    case PR_OPT_INT64:
        return json_integer(*(const int64_t *)at);
    case PR_OPT_REAL:
    case PR_OPT_DURATION:
        return pr_json_real(*(const double *)at);
    default:
        return *(char *const *)at ? json_string(*(char *const *)at) : NULL;
    }
}

/* ---- lists: an array in the structure, or a count and a pointer, which all such types begin with ---- */

_Static_assert(offsetof(pr_ints_t, item) == offsetof(pr_strings_t, item) &&
                   offsetof(pr_reals_t, item) == offsetof(pr_strings_t, item),
               "lists are laid out alike");

typedef struct list {
    size_t n, size; // of one
    char *item;
    bool own; // behind a pointer
} list_t;

static list_t list_of(const pr_option_t *o, const void *base)
{
    pr_option_kind_t each = pr_option_kinds[o->kind].each;
    char *at = (char *)(uintptr_t)base + o->offset;
    list_t l = {.size = each == PR_OPT_INT     ? sizeof(int)
                        : each == PR_OPT_INT64 ? sizeof(int64_t)
                        : each == PR_OPT_REAL  ? sizeof(double)
                                               : sizeof(char *),
                .own = o->max_n == 0 || each == PR_OPT_STRING,
                .item = at};
    const int *n = (const void *)(l.own ? at : (const char *)base + o->count);
    l.n = (size_t)*n;
    if (l.own)
        memcpy(&l.item, at + offsetof(pr_strings_t, item), sizeof l.item);
    return l;
}

static void list_set(const pr_option_t *o, void *base, size_t n, const list_t *l)
{
    char *at = (char *)base + o->offset;
    *(int *)(void *)(l->own ? at : (char *)base + o->count) = (int)n;
    if (l->own)
        memcpy(at + offsetof(pr_strings_t, item), &l->item, sizeof l->item);
}

/* ---- fields ---- */

static bool in_structure(const pr_option_t *o)
{
    return !o->elsewhere && o->kind != PR_OPT_GROUPS;
}

void pr_option_store(const pr_option_t *o, const json_t *value, void *base)
{
    pr_option_clear(o, base);
    if (!pr_option_kinds[o->kind].list) {
        store_one(o, o->kind, value, (char *)base + o->offset);
        return;
    }
    list_t l = list_of(o, base);
    size_t n = json_array_size(value);
    if (l.own)
        l.item = pr_alloc(n, l.size);
    for (size_t i = 0; i < n; i++)
        store_one(o, pr_option_kinds[o->kind].each, json_array_get(value, i), l.item + i * l.size);
    list_set(o, base, n, &l);
}

void pr_options_store(const pr_option_t *table, const json_t *resolved, void *base)
{
    for (const pr_option_t *o = table; o->key; o++) {
        const json_t *v = in_structure(o) ? pr_option_at(resolved, o->key) : NULL;
        if (v)
            pr_option_store(o, v, base);
    }
}

void pr_option_clear(const pr_option_t *o, void *base)
{
    if (!pr_option_kinds[o->kind].list) {
        clear_one(o->kind, (char *)base + o->offset);
        return;
    }
    list_t l = list_of(o, base);
    for (size_t i = 0; i < l.n; i++)
        clear_one(pr_option_kinds[o->kind].each, l.item + i * l.size);
    if (l.own)
        free(l.item);
    l.item = NULL;
    list_set(o, base, 0, &l);
}

void pr_options_clear(const pr_option_t *table, void *base)
{
    for (const pr_option_t *o = table; o->key; o++)
        if (in_structure(o))
            pr_option_clear(o, base);
}

json_t *pr_options_json(const pr_option_t *table, const void *base)
{
    json_t *object = json_object();
    for (const pr_option_t *o = table; o->key; o++) {
        pr_option_kind_t kind = pr_option_kinds[o->kind].each;
        json_t *value = NULL;
        if (in_structure(o) && pr_option_kinds[o->kind].list) {
            list_t l = list_of(o, base);
            value = json_array();
            for (size_t i = 0; i < l.n; i++)
                json_array_append_new(value, one_json(o, kind, l.item + i * l.size));
        } else if (in_structure(o)) {
            value = one_json(o, kind, (const char *)base + o->offset);
        }
        if (value)
            pr_option_put(object, o->key, value);
    }
    return object;
}
