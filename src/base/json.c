// SPDX-License-Identifier: BSD-3-Clause
#include "base/json.h"
#include "base/file.h"
#include "base/hash.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pr_status_t pr_json_load_with(const char *path, size_t max, unsigned flags, json_t **out, pr_error_t *err)
{
    char *text;
    size_t len;
    PR_TRY(pr_file_read_text(path, max, &text, &len, err));
    pr_status_t status = pr_json_parse_with(text, len, flags, path, out, err);
    free(text);
    return status;
}

pr_status_t pr_json_load(const char *path, size_t max, json_t **out, pr_error_t *err)
{
    return pr_json_load_with(path, max, 0, out, err);
}

bool pr_json_is_none(const json_t *value)
{
    return !value || (json_is_null(value) && !pr_json_special(value));
}

json_t *pr_json_real(double x)
{
    json_t *value = isfinite(x) ? json_real(x) : json_null();
    if (!value) {
        fprintf(stderr, "paretorank: out of memory for a JSON number\n");
        abort();
    }
    return value;
}

json_t *pr_json_reals(const double *x, size_t n)
{
    json_t *list = x ? json_array() : json_null();
    for (size_t i = 0; x && i < n; i++)
        json_array_append_new(list, pr_json_real(x[i]));
    return list;
}

char *pr_json_text(const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags | JSON_ENCODE_ANY);
    if (!text) {
        fprintf(stderr, "paretorank: internal error: %s cannot be written as JSON\n", pr_json_type_name(value));
        abort();
    }
    return text;
}

char *pr_json_canonical(const json_t *value)
{
    return pr_json_text(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
}

void pr_json_hash(const json_t *value, char out[33])
{
    char *text = pr_json_canonical(value);
    pr_hash_hex(text, strlen(text), out);
    free(text);
}

const char *pr_json_type_name(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "an integer",
                                        "a number",  "true",     "false",    "null"};
    const char *special = pr_json_special(value);
    if (special)
        return special;
    if (json_is_real(value) && fabs(json_real_value(value)) >= 0x1p63)
        return "a number past 2^63";
    return value ? names[json_typeof(value)] : "nothing";
}

static pr_status_t wrong(const json_t *v, const char *key, const char *expected, const char *where, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected %s", where, key, pr_json_type_name(v),
                   expected);
}

pr_status_t pr_json_unsupported(const json_t *v, const char *key, const char *expected, const char *where,
                                pr_error_t *err)
{
    const char *name = pr_json_special(v);
    char *text = v && !name ? pr_json_text(v, JSON_COMPACT) : NULL;
    pr_fail(err, PR_ERR_UNSUPPORTED, "%s: key '%s': found %.200s, expected %s", where, key,
            text ? text : pr_json_type_name(v), expected);
    free(text);
    return PR_ERR_UNSUPPORTED;
}

pr_status_t pr_json_get_int(const json_t *obj, const char *key, int64_t dflt, int64_t *out, const char *where,
                            pr_error_t *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!pr_json_is_none(v) && !json_is_integer(v))
        return wrong(v, key, "an integer", where, err);
    *out = json_is_integer(v) ? json_integer_value(v) : dflt;
    return PR_OK;
}

pr_status_t pr_json_get_real(const json_t *obj, const char *key, double dflt, double *out, const char *where,
                             pr_error_t *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!pr_json_is_none(v) && !json_is_number(v))
        return wrong(v, key, "a number", where, err);
    *out = json_is_number(v) ? json_number_value(v) : dflt;
    return PR_OK;
}

pr_status_t pr_json_get_bool(const json_t *obj, const char *key, bool dflt, bool *out, const char *where,
                             pr_error_t *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!pr_json_is_none(v) && !json_is_boolean(v))
        return wrong(v, key, "true or false", where, err);
    *out = json_is_boolean(v) ? json_is_true(v) : dflt;
    return PR_OK;
}

pr_status_t pr_json_get_string(const json_t *obj, const char *key, const char *dflt, const char **out,
                               const char *where, pr_error_t *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!pr_json_is_none(v) && !json_is_string(v))
        return wrong(v, key, "a string", where, err);
    *out = json_is_string(v) ? json_string_value(v) : dflt;
    return PR_OK;
}
