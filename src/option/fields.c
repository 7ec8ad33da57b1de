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

// Numbers between commas or blanks.
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

/* ---- fields ---- */

static size_t size_of(pr_option_kind_t kind)
{
    return kind == PR_OPT_INT ? sizeof(int) : kind == PR_OPT_INT64 ? sizeof(int64_t) : sizeof(double);
}

static void store_number(pr_option_kind_t kind, const json_t *v, void *at)
{
    if (kind == PR_OPT_INT)
        *(int *)at = (int)json_integer_value(v);
    else if (kind == PR_OPT_INT64)
        *(int64_t *)at = json_integer_value(v);
    else
        *(double *)at = json_number_value(v);
}

static void store_numbers(const pr_option_t *o, const json_t *list, char *base)
{
    pr_option_kind_t each = pr_option_kinds[o->kind].each;
    size_t n = json_array_size(list), size = size_of(each);
    char *at = base + o->offset;
    if (o->max_n > 0) {
        *(int *)(void *)(base + o->count) = (int)n;
    } else if (each == PR_OPT_INT) {
        pr_ints_t *ints = (void *)at;
        *ints = (pr_ints_t){(int)n, pr_alloc(n, size)};
        at = (void *)ints->item;
    } else {
        pr_reals_t *reals = (void *)at;
        *reals = (pr_reals_t){(int)n, pr_alloc(n, size)};
        at = (void *)reals->item;
    }
    for (size_t i = 0; i < n; i++)
        store_number(each, json_array_get(list, i), at + i * size);
}

static void store_strings(const json_t *list, pr_strings_t *out)
{
    size_t n = json_array_size(list);
    *out = (pr_strings_t){(int)n, pr_alloc(n, sizeof *out->item)};
    for (size_t i = 0; i < n; i++)
        out->item[i] = pr_strdup(json_string_value(json_array_get(list, i)));
}

void pr_option_store(const pr_option_t *o, const json_t *value, void *base)
{
    void *at = (char *)base + o->offset;
    pr_option_clear(o, base);
    switch (o->kind) {
    case PR_OPT_STRING:
    case PR_OPT_FILE:
    case PR_OPT_DIR:
        *(char **)at = pr_strdup(json_string_value(value));
        break;
    case PR_OPT_BOOL:
        *(bool *)at = json_is_true(value);
        break;
    case PR_OPT_SWITCH:
        *(bool *)at = pr_option_choice(o, json_string_value(value)) == 1;
        break;
    case PR_OPT_STRINGS:
    case PR_OPT_COMMAND:
        store_strings(value, at);
        break;
    case PR_OPT_INTS:
    case PR_OPT_INT64S:
    case PR_OPT_REALS:
        store_numbers(o, value, base);
        break;
    case PR_OPT_GROUPS:
        break;
    default:
        store_number(o->kind, value, at);
    }
}

void pr_options_store(const pr_option_t *table, const json_t *resolved, void *base)
{
    for (const pr_option_t *o = table; o->key; o++) {
        const json_t *v = o->elsewhere ? NULL : pr_option_at(resolved, o->key);
        if (v)
            pr_option_store(o, v, base);
    }
}

void pr_option_clear(const pr_option_t *o, void *base)
{
    void *at = (char *)base + o->offset;
    switch (o->kind) {
    case PR_OPT_STRING:
    case PR_OPT_FILE:
    case PR_OPT_DIR:
        free(*(char **)at);
        *(char **)at = NULL;
        break;
    case PR_OPT_STRINGS:
    case PR_OPT_COMMAND: {
        pr_strings_t *s = at;
        for (int i = 0; i < s->n; i++)
            free(s->item[i]);
        free(s->item);
        *s = (pr_strings_t){0};
        break;
    }
    case PR_OPT_INTS:
        if (o->max_n == 0) {
            free(((pr_ints_t *)at)->item);
            *(pr_ints_t *)at = (pr_ints_t){0};
        }
        break;
    case PR_OPT_REALS:
        if (o->max_n == 0) {
            free(((pr_reals_t *)at)->item);
            *(pr_reals_t *)at = (pr_reals_t){0};
        }
        break;
    default:
        break;
    }
}

void pr_options_clear(const pr_option_t *table, void *base)
{
    for (const pr_option_t *o = table; o->key; o++)
        if (!o->elsewhere)
            pr_option_clear(o, base);
}

static json_t *number_json(pr_option_kind_t kind, const void *at)
{
    if (kind == PR_OPT_INT)
        return json_integer(*(const int *)at);
    if (kind == PR_OPT_INT64)
        return json_integer(*(const int64_t *)at);
    return pr_json_real(*(const double *)at);
}

static json_t *numbers_json(const pr_option_t *o, const char *base)
{
    pr_option_kind_t each = pr_option_kinds[o->kind].each;
    const char *at = base + o->offset;
    json_t *list = json_array();
    int n = *(const int *)(const void *)(o->max_n > 0 ? base + o->count : at);
    if (o->max_n == 0 && each == PR_OPT_INT)
        at = (const void *)((const pr_ints_t *)(const void *)at)->item;
    else if (o->max_n == 0)
        at = (const void *)((const pr_reals_t *)(const void *)at)->item;
    for (int i = 0; i < n; i++)
        json_array_append_new(list, number_json(each, at + (size_t)i * size_of(each)));
    return list;
}

static json_t *strings_json(const pr_strings_t *s)
{
    json_t *list = json_array();
    for (int i = 0; i < s->n; i++)
        json_array_append_new(list, json_string(s->item[i]));
    return list;
}

// NULL for a text that is not set.
static json_t *field_json(const pr_option_t *o, const char *base)
{
    const void *at = base + o->offset;
    switch (o->kind) {
    case PR_OPT_STRING:
    case PR_OPT_FILE:
    case PR_OPT_DIR:
        return *(char *const *)at ? json_string(*(char *const *)at) : NULL;
    case PR_OPT_BOOL:
        return json_boolean(*(const bool *)at);
    case PR_OPT_SWITCH: {
        const char *bar = strchr(o->choices, '|');
        return *(const bool *)at ? json_string(bar + 1) : json_stringn(o->choices, (size_t)(bar - o->choices));
    }
    case PR_OPT_STRINGS:
    case PR_OPT_COMMAND:
        return strings_json(at);
    case PR_OPT_INTS:
    case PR_OPT_INT64S:
    case PR_OPT_REALS:
        return numbers_json(o, base);
    case PR_OPT_GROUPS:
        return NULL;
    default:
        return number_json(o->kind, at);
    }
}

json_t *pr_options_json(const pr_option_t *table, const void *base)
{
    json_t *object = json_object();
    for (const pr_option_t *o = table; o->key; o++) {
        json_t *value = o->elsewhere ? NULL : field_json(o, base);
        if (value)
            pr_option_put(object, o->key, value);
    }
    return object;
}
