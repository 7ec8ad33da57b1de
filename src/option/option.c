// SPDX-License-Identifier: BSD-3-Clause
#include "option/option.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/nearest.h"
#include "option/kinds.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading resolved options ---- */
bool pr_option_given(const json_t *options, const char *key)
{
    return json_object_get(options, key) != NULL;
}

const char *pr_option_string(const json_t *options, const char *key)
{
    return json_string_value(json_object_get(options, key));
}

int pr_option_int(const json_t *options, const char *key)
{
    const json_t *v = json_object_get(options, key);
    assert(json_is_integer(v));
    return (int)json_integer_value(v);
}

double pr_option_real(const json_t *options, const char *key)
{
    const json_t *v = json_object_get(options, key);
    assert(json_is_number(v));
    return json_number_value(v);
}

bool pr_option_bool(const json_t *options, const char *key)
{
    const json_t *v = json_object_get(options, key);
    assert(json_is_boolean(v));
    return json_is_true(v);
}

int pr_option_length(const json_t *options, const char *key)
{
    return (int)json_array_size(json_object_get(options, key));
}

double pr_option_item(const json_t *options, const char *key, int i)
{
    const json_t *v = json_array_get(json_object_get(options, key), (size_t)i);
    assert(json_is_number(v));
    return json_number_value(v);
}

char *pr_option_path(const json_t *options, const char *key, const char *dir)
{
    const char *name = pr_option_string(options, key);
    return name ? pr_path_join(dir ? dir : "", name) : NULL;
}

/* ---- one value ---- */
static pr_status_t wrong(const pr_option_t *o, const json_t *v, pr_error_t *err)
{
    char found[128], expected[256];
    pr_option_describe(v, found, sizeof found);
    pr_option_expected(o, expected, sizeof expected);
    return pr_fail(err, PR_ERR_CONFIG, "found %s, expected %s", found, expected);
}

static pr_status_t check_number(const pr_option_t *o, pr_option_kind_t kind, const json_t *v, json_t **out,
                                pr_error_t *err)
{
    bool whole = kind == PR_OPT_INT || kind == PR_OPT_INT64;
    double x = json_number_value(v), min, max;
    if (kind == PR_OPT_DURATION && json_is_string(v))
        PR_TRY(pr_duration_parse(json_string_value(v), &x, err));
    else if (!json_is_integer(v) && (whole || !json_is_real(v)))
        return wrong(o, v, err);
    pr_option_bounds(o, &min, &max);
    if (!(x >= min && x <= max) && !(o->or_0 && x == 0))
        return wrong(o, v, err);
    *out = whole ? json_integer(json_integer_value(v)) : pr_json_real(x);
    return PR_OK;
}

int pr_option_choice(const pr_option_t *o, const char *word)
{
    size_t len = strlen(word);
    int index = 0;
    for (const char *c = o->choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL, index++)
        if (strcspn(c, "|") == len && memcmp(c, word, len) == 0)
            return index;
    return -1;
}

static pr_status_t check_file(const pr_option_t *o, const char *path, pr_error_t *err)
{
    if (o->kind == PR_OPT_FILE && !pr_file_exists(path))
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such file", path);
    if (o->kind == PR_OPT_DIR && !pr_dir_exists(path))
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such directory", path);
    return PR_OK;
}

static pr_status_t check_string(const pr_option_t *o, const json_t *v, const pr_option_reading_t *how, json_t **out,
                                pr_error_t *err)
{
    const char *text = json_string_value(v);
    if (!text || (!*text && o->not_empty) || (o->choices && pr_option_choice(o, text) < 0))
        return wrong(o, v, err);
    if (strlen(text) != json_string_length(v))
        return pr_fail(err, PR_ERR_CONFIG, "the string holds a NUL character");
    bool file = o->kind == PR_OPT_FILE || o->kind == PR_OPT_DIR;
    char *path = pr_path_join(how->dir ? how->dir : "", text);
    pr_status_t status = how->join ? PR_OK : check_file(o, path, err);
    if (status == PR_OK)
        *out = json_string(file && how->join ? path : text);
    if (status == PR_OK && !*out)
        status = pr_fail(err, PR_ERR_CONFIG, "the name '%s' is not UTF-8", path);
    free(path);
    return status;
}

static pr_status_t check_one(const pr_option_t *o, pr_option_kind_t kind, const json_t *v,
                             const pr_option_reading_t *how, json_t **out, pr_error_t *err)
{
    switch (kind) {
    case PR_OPT_STRING:
    case PR_OPT_FILE:
    case PR_OPT_DIR:
    case PR_OPT_SWITCH:
        return check_string(o, v, how, out, err);
    case PR_OPT_INT:
    case PR_OPT_INT64:
    case PR_OPT_REAL:
    case PR_OPT_DURATION:
        return check_number(o, kind, v, out, err);
    case PR_OPT_BOOL:
        if (!json_is_boolean(v))
            return wrong(o, v, err);
        *out = json_boolean(json_is_true(v));
        return PR_OK;
    default:
        return wrong(o, v, err);
    }
}

/* A list's values, each checked as one of its own. A string alone is a list of itself, or a command's line. */
static pr_status_t check_list(const pr_option_t *o, const json_t *v, const pr_option_reading_t *how, json_t **out,
                              int *item, pr_error_t *err)
{
    pr_option_kind_t kind = pr_option_kinds[o->kind].each;
    bool command = o->kind == PR_OPT_COMMAND, alone = json_is_string(v) && kind == PR_OPT_STRING;
    if ((!alone && !json_is_array(v)) || (command && !alone && json_array_size(v) == 0))
        return wrong(o, v, err);
    if (o->max_n > 0 && json_array_size(v) > (size_t)o->max_n)
        return pr_fail(err, PR_ERR_CONFIG, "found a list of %zu, expected at most %d", json_array_size(v), o->max_n);
    json_t *list = alone && command ? json_pack("[s, s]", "/bin/sh", "-c") : json_array();
    pr_status_t status = PR_OK;
    for (size_t i = 0, n = alone ? 1 : json_array_size(v); i < n && status == PR_OK; i++) {
        json_t *one = NULL;
        *item = alone ? -1 : (int)i;
        status = check_one(o, kind, alone ? v : json_array_get(v, i), how, &one, err);
        if (status == PR_OK)
            json_array_append_new(list, one);
    }
    if (status == PR_OK)
        *out = list;
    else
        json_decref(list);
    return status;
}

pr_status_t pr_option_check(const pr_option_t *o, const json_t *value, const pr_option_reading_t *how, json_t **out,
                            int *item, pr_error_t *err)
{
    static const pr_option_reading_t plain = {0};
    int place;
    if (!item)
        item = &place;
    *item = -1;
    if (pr_option_kinds[o->kind].list)
        return check_list(o, value, how ? how : &plain, out, item, err);
    return check_one(o, o->kind, value, how ? how : &plain, out, err);
}

json_t *pr_option_default(const pr_option_t *o)
{
    if (!o->dflt || !*o->dflt)
        return NULL;
    json_t *v = json_loads(o->dflt, JSON_DECODE_ANY, NULL);
    assert(v);
    return v;
}

/* ---- a table ---- */
size_t pr_option_count(const pr_option_t *table)
{
    size_t n = 0;
    while (table[n].key)
        n++;
    return n;
}

const pr_option_t *pr_option_find(const pr_option_t *table, const char *key)
{
    for (const pr_option_t *o = table; o->key; o++)
        if (strcmp(o->key, key) == 0)
            return o;
    return NULL;
}

json_t *pr_option_at(const json_t *group, const char *key)
{
    char name[64];
    size_t n = strcspn(key, ".");
    if (!key[n])
        return json_object_get(group, key);
    assert(n < sizeof name);
    memcpy(name, key, n);
    name[n] = 0;
    return pr_option_at(json_object_get(group, name), key + n + 1);
}

void pr_option_put(json_t *group, const char *key, json_t *value)
{
    const char *dot = strchr(key, '.');
    if (!dot) {
        json_object_set_new(group, key, value);
        return;
    }
    char *name = pr_strndup(key, (size_t)(dot - key));
    if (!json_object_get(group, name))
        json_object_set_new(group, name, json_object());
    pr_option_put(json_object_get(group, name), dot + 1, value);
    free(name);
}

// Puts the place of a key's value, and the key when it is to be named, before a message.
static pr_status_t located(const pr_option_reading_t *how, const char *key, int item, bool named, pr_status_t status,
                           pr_error_t *err)
{
    if (named)
        pr_fail_in(err, "%s%s", how->label ? how->label : "", key);
    if (how->where)
        pr_fail_in(err, "%s", how->where(how->self, key, item));
    return status;
}

static bool is_group(const pr_option_t *table, const char *path)
{
    size_t len = strlen(path);
    for (const pr_option_t *o = table; o->key; o++)
        if (strncmp(o->key, path, len) == 0 && o->key[len] == '.')
            return true;
    return false;
}

static pr_status_t unknown_key(const pr_option_t *table, const char *path, const pr_option_reading_t *how,
                               pr_error_t *err)
{
    size_t n = pr_option_count(table);
    const char **keys = pr_alloc(n, sizeof *keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = table[i].key;
    pr_unknown("key", how->label ? how->label : "", path, keys, n, how->see, err);
    free(keys);
    return located(how, path, -1, false, PR_ERR_CONFIG, err);
}

static pr_status_t check_keys(const pr_option_t *table, const json_t *group, const char *prefix,
                              const pr_option_reading_t *how, pr_error_t *err)
{
    char path[192];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)group, key, value)
    {
        snprintf(path, sizeof path, "%s%.100s", prefix, key);
        if (pr_option_find(table, path))
            continue;
        if (!is_group(table, path)) {
            if (how->others)
                continue;
            return unknown_key(table, path, how, err);
        }
        if (!json_is_object(value)) {
            char found[128];
            pr_option_describe(value, found, sizeof found);
            pr_fail(err, PR_ERR_CONFIG, "found %s, expected a group { ... }", found);
            return located(how, path, -1, true, PR_ERR_CONFIG, err);
        }
        snprintf(path, sizeof path, "%s%.100s.", prefix, key);
        PR_TRY(check_keys(table, value, path, how, err));
    }
    return PR_OK;
}

static pr_status_t read_option(const pr_option_t *o, const json_t *given, const pr_option_reading_t *how, json_t *out,
                               pr_error_t *err)
{
    json_t *value = NULL, *dflt = NULL;
    bool absent = pr_json_is_none(given);
    int item = -1;
    if (o->elsewhere || (absent && o->dflt && !*o->dflt))
        return PR_OK;
    if (absent && !o->dflt) {
        char expected[256];
        pr_option_expected(o, expected, sizeof expected);
        pr_fail(err, PR_ERR_CONFIG, "missing; expected %s: %s", expected, o->help);
        return located(how, o->key, item, true, PR_ERR_CONFIG, err);
    }
    if (absent)
        dflt = pr_option_default(o);
    pr_status_t status = pr_option_check(o, absent ? dflt : given, how, &value, &item, err);
    json_decref(dflt);
    if (status != PR_OK)
        return located(how, o->key, item, true, status, err);
    pr_option_put(out, o->key, value);
    return PR_OK;
}

pr_status_t pr_options_read(const pr_option_t *table, const json_t *given, const pr_option_reading_t *how, json_t **out,
                            pr_error_t *err)
{
    static const pr_option_reading_t plain = {0};
    how = how ? how : &plain;
    if (given && !json_is_object(given)) {
        char found[128];
        pr_option_describe(given, found, sizeof found);
        return pr_fail(err, PR_ERR_CONFIG, "found %s, expected a group of options", found);
    }
    PR_TRY(check_keys(table, given, "", how, err));
    json_t *resolved = json_object();
    pr_status_t status = PR_OK;
    for (const pr_option_t *o = table; o->key && status == PR_OK; o++)
        status = read_option(o, pr_option_at(given, o->key), how, resolved, err);
    if (status == PR_OK)
        *out = resolved;
    else
        json_decref(resolved);
    return status;
}

pr_status_t pr_options_resolve(const pr_option_t *table, const json_t *given, const char *dir, json_t **out,
                               pr_error_t *err)
{
    pr_option_reading_t how = {.dir = dir};
    return pr_options_read(table, given, &how, out, err);
}

const char *pr_typed_name(const json_t *value)
{
    const char *name = json_is_string(value) ? json_string_value(value) : pr_option_string(value, "type");
    return name ? name : "";
}

pr_status_t pr_typed_options(const pr_option_t *table, const json_t *value, json_t **out, pr_error_t *err)
{
    json_t *given = json_is_object(value) ? json_copy((json_t *)(uintptr_t)value) : json_object();
    json_object_del(given, "type");
    pr_status_t status = pr_options_resolve(table, given, NULL, out, err);
    json_decref(given);
    return status;
}
