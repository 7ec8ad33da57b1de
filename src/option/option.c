#include "option/option.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/nearest.h"

#include <assert.h>
#include <math.h>
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

char *pr_option_path(const json_t *options, const char *key, const char *dir)
{
    const char *name = pr_option_string(options, key);
    return name ? pr_path_join(dir ? dir : "", name) : NULL;
}

/* ---- one value ---- */
static pr_status_t wrong_type(const json_t *v, const char *expected, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_CONFIG, "found %s, expected %s", pr_json_type_name(v), expected);
}

#define MAX_REAL 1e30 // of numbers without bounds of their own: sums and squares of them stay numbers

static pr_status_t check_bounds(const pr_option_t *o, double x, pr_error_t *err)
{
    bool bounded = o->min < o->max;
    double min = bounded ? o->min : o->kind == PR_OPT_INT ? INT32_MIN : -MAX_REAL;
    double max = bounded ? o->max : o->kind == PR_OPT_INT ? INT32_MAX : MAX_REAL;
    if (!(x >= min && x <= max))
        return pr_fail(err, PR_ERR_CONFIG, "found %.15g, expected a value from %.10g to %.10g", x, min, max);
    return PR_OK;
}

static pr_status_t resolve_int(const pr_option_t *o, const json_t *v, json_t **out, pr_error_t *err)
{
    if (!json_is_integer(v))
        return wrong_type(v, "an integer", err);
    json_int_t x = json_integer_value(v);
    PR_TRY(check_bounds(o, (double)x, err));
    *out = json_integer(x);
    return PR_OK;
}

static pr_status_t resolve_real(const pr_option_t *o, const json_t *v, json_t **out, pr_error_t *err)
{
    if (!json_is_number(v))
        return wrong_type(v, "a number", err);
    PR_TRY(check_bounds(o, json_number_value(v), err));
    *out = pr_json_real(json_number_value(v));
    return PR_OK;
}

static pr_status_t resolve_duration(const pr_option_t *o, const json_t *v, json_t **out, pr_error_t *err)
{
    double seconds;
    if (json_is_string(v))
        PR_TRY(pr_duration_parse(json_string_value(v), &seconds, err));
    else if (json_is_number(v))
        seconds = json_number_value(v);
    else
        return wrong_type(v, "a duration such as \"90s\"", err);
    PR_TRY(check_bounds(o, seconds, err));
    *out = pr_json_real(seconds);
    return PR_OK;
}

static bool is_choice(const char *choices, const char *word)
{
    size_t len = strlen(word);
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (strcspn(c, "|") == len && memcmp(c, word, len) == 0)
            return true;
    return false;
}

static pr_status_t resolve_string(const pr_option_t *o, const json_t *v, const char *dir, json_t **out, pr_error_t *err)
{
    const char *text = json_string_value(v);
    if (!text)
        return wrong_type(v, "a string", err);
    if (strlen(text) != json_string_length(v))
        return pr_fail(err, PR_ERR_CONFIG, "the string holds a NUL character");
    if (o->choices && !is_choice(o->choices, text))
        return pr_fail(err, PR_ERR_CONFIG, "found \"%s\", expected one of %s", text, o->choices);
    char *path = pr_path_join(dir, text);
    bool file_missing = o->kind == PR_OPT_FILE && !pr_file_exists(path);
    bool dir_missing = o->kind == PR_OPT_DIR && !pr_dir_exists(path);
    if (file_missing || dir_missing)
        pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such %s", path, file_missing ? "file" : "directory");
    free(path);
    if (file_missing || dir_missing)
        return PR_ERR_NOT_FOUND;
    *out = json_string(text);
    return PR_OK;
}

static pr_status_t resolve_strings(const json_t *v, json_t **out, pr_error_t *err)
{
    size_t i;
    const json_t *item;
    if (!json_is_array(v))
        return wrong_type(v, "a list of strings", err);
    json_array_foreach(v, i, item)
    {
        if (!json_is_string(item))
            return pr_fail(err, PR_ERR_CONFIG, "item %zu: found %s, expected a string", i, pr_json_type_name(item));
        if (strlen(json_string_value(item)) != json_string_length(item))
            return pr_fail(err, PR_ERR_CONFIG, "item %zu: the string holds a NUL character", i);
    }
    *out = json_deep_copy(v);
    return PR_OK;
}

static pr_status_t resolve_command(const json_t *v, json_t **out, pr_error_t *err)
{
    json_t *list = json_is_string(v) ? json_pack("[s, s, O]", "/bin/sh", "-c", v) : json_incref((json_t *)(uintptr_t)v);
    pr_status_t status = resolve_strings(list, out, err);
    json_decref(list);
    if (status == PR_OK && json_array_size(*out) == 0) {
        json_decref(*out);
        return pr_fail(err, PR_ERR_CONFIG, "the list is empty, expected a program and its arguments");
    }
    return status;
}

static pr_status_t resolve_value(const pr_option_t *o, const json_t *v, const char *dir, json_t **out, pr_error_t *err)
{
    switch (o->kind) {
    case PR_OPT_INT:
        return resolve_int(o, v, out, err);
    case PR_OPT_REAL:
        return resolve_real(o, v, out, err);
    case PR_OPT_DURATION:
        return resolve_duration(o, v, out, err);
    case PR_OPT_STRINGS:
        return resolve_strings(v, out, err);
    case PR_OPT_COMMAND:
        return resolve_command(v, out, err);
    case PR_OPT_BOOL:
        if (!json_is_boolean(v))
            return wrong_type(v, "true or false", err);
        *out = json_boolean(json_is_true(v));
        return PR_OK;
    case PR_OPT_STRING:
    case PR_OPT_FILE:
    case PR_OPT_DIR:
        break;
    }
    return resolve_string(o, v, dir, out, err);
}

/* ---- a table ---- */
static size_t count_options(const pr_option_t *table)
{
    size_t n = 0;
    while (table[n].key)
        n++;
    return n;
}

static pr_status_t unknown_key(const pr_option_t *table, const char *key, pr_error_t *err)
{
    size_t n = count_options(table);
    const char **keys = pr_alloc(n, sizeof *keys);
    pr_buf_t all = {0};
    for (size_t i = 0; i < n; i++) {
        keys[i] = table[i].key;
        pr_buf_printf(&all, "%s%s", i ? ", " : "", keys[i]);
    }
    const char *near = pr_nearest(key, keys, n);
    if (near)
        pr_fail(err, PR_ERR_CONFIG, "unknown option '%.64s'; did you mean '%s'?", key, near);
    else
        pr_fail(err, PR_ERR_CONFIG, "unknown option '%.64s'; there are: %s", key, n ? all.data : "none");
    pr_buf_free(&all);
    free(keys);
    return PR_ERR_CONFIG;
}

static pr_status_t check_keys(const pr_option_t *table, const json_t *options, pr_error_t *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        const pr_option_t *o = table;
        while (o->key && strcmp(o->key, key) != 0)
            o++;
        if (!o->key)
            return unknown_key(table, key, err);
    }
    return PR_OK;
}

static pr_status_t resolve_option(const pr_option_t *o, const json_t *given, const char *dir, json_t *out,
                                  pr_error_t *err)
{
    json_t *value = NULL, *dflt = NULL;
    bool absent = !given || json_is_null(given);
    if (absent && o->dflt && !*o->dflt)
        return PR_OK;
    if (absent && !o->dflt)
        return pr_fail(err, PR_ERR_CONFIG, "option '%s' is missing: %s", o->key, o->help);
    if (absent) {
        dflt = json_loads(o->dflt, JSON_DECODE_ANY, NULL);
        assert(dflt);
    }
    pr_status_t status = resolve_value(o, absent ? dflt : given, dir, &value, err);
    json_decref(dflt);
    if (status != PR_OK) {
        pr_fail_in(err, "option '%s'", o->key);
        return status;
    }
    json_object_set_new(out, o->key, value);
    return PR_OK;
}

pr_status_t pr_options_resolve(const pr_option_t *table, const json_t *given, const char *dir, json_t **out,
                               pr_error_t *err)
{
    if (given && !json_is_object(given))
        return wrong_type(given, "a group of options", err);
    PR_TRY(check_keys(table, given, err));
    json_t *resolved = json_object();
    pr_status_t status = PR_OK;
    for (const pr_option_t *o = table; o->key && status == PR_OK; o++)
        status = resolve_option(o, json_object_get(given, o->key), dir ? dir : "", resolved, err);
    if (status == PR_OK)
        *out = resolved;
    else
        json_decref(resolved);
    return status;
}
