// SPDX-License-Identifier: BSD-3-Clause
#include "base/json_fields.h"
#include "base/hash.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static json_t *pack_field(const pr_field_t *f, const void *member)
{
    const char *text;
    const json_t *json;
    switch (f->kind) {
    case PR_FIELD_INT:
        return json_integer(*(const int *)member);
    case PR_FIELD_INT64:
        return json_integer(*(const int64_t *)member);
    case PR_FIELD_REAL:
        return pr_json_real(*(const double *)member);
    case PR_FIELD_BOOL:
        return json_boolean(*(const bool *)member);
    case PR_FIELD_TEXT:
        text = *(const char *const *)member;
        return json_string(text);
    case PR_FIELD_HASH:
        text = member;
        return text[0] ? json_string(text) : NULL;
    case PR_FIELD_JSON:
        json = *(const json_t *const *)member;
        return json_incref((json_t *)(uintptr_t)json);
    }
    return NULL;
}

json_t *pr_fields_pack(const pr_field_t *table, const void *from)
{
    json_t *out = json_object();
    for (const pr_field_t *f = table; f->key; f++) {
        json_t *v = pack_field(f, (const char *)from + f->offset);
        if (v)
            json_object_set_new(out, f->key, v);
    }
    return out;
}

static pr_status_t wrong(const char *where, const char *key, const json_t *v, const char *expected, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected %s", where, key,
                   v ? pr_json_type_name(v) : "nothing", expected);
}

static pr_status_t parse_field(const pr_field_t *f, const json_t *v, void *member, const char *where, pr_error_t *err)
{
    json_int_t i = json_integer_value(v);
    switch (f->kind) {
    case PR_FIELD_INT:
        if (!json_is_integer(v) || i < INT_MIN || i > INT_MAX)
            return wrong(where, f->key, v, "an integer of 32 bits", err);
        *(int *)member = (int)i;
        return PR_OK;
    case PR_FIELD_INT64:
        if (!json_is_integer(v))
            return wrong(where, f->key, v, "an integer", err);
        *(int64_t *)member = i;
        return PR_OK;
    case PR_FIELD_REAL:
        if (!json_is_number(v) || !isfinite(json_number_value(v)))
            return wrong(where, f->key, v, "a number", err);
        *(double *)member = json_number_value(v);
        return PR_OK;
    case PR_FIELD_BOOL:
        if (!json_is_boolean(v))
            return wrong(where, f->key, v, "true or false", err);
        *(bool *)member = json_is_true(v);
        return PR_OK;
    case PR_FIELD_TEXT:
        if (!json_is_string(v))
            return wrong(where, f->key, v, "a string", err);
        *(const char **)member = json_string_value(v);
        return PR_OK;
    case PR_FIELD_HASH:
        if (v && (!json_is_string(v) || strlen(json_string_value(v)) != PR_HASH_HEX - 1))
            return wrong(where, f->key, v, "a hash of 32 digits", err);
        snprintf(member, PR_HASH_HEX, "%s", v ? json_string_value(v) : "");
        return PR_OK;
    case PR_FIELD_JSON:
        *(const json_t **)member = v;
        return PR_OK;
    }
    return PR_OK;
}

pr_status_t pr_fields_parse(const pr_field_t *table, const json_t *value, void *to, const char *where, pr_error_t *err)
{
    for (const pr_field_t *f = table; f->key; f++)
        PR_TRY(parse_field(f, json_object_get(value, f->key), (char *)to + f->offset, where, err));
    return PR_OK;
}
