// SPDX-License-Identifier: BSD-3-Clause
#include "policy/spec.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"adapter", "job"};

// All options of the mix but those that are a part of nothing. New reference.
static json_t *all_options(const pr_policy_spec_t *s)
{
    json_t *options = NULL;
    pr_status_t status = pr_options_resolve(s->mix->options, s->options, NULL, &options, NULL);
    assert(status == PR_OK); // who made the spec has resolved them
    (void)status;
    for (const pr_option_t *o = s->mix->options; o->key; o++)
        if (o->incidental)
            json_object_del(options, o->key);
    return options;
}

static bool is_absent(const pr_policy_part_t *p, int blocks)
{
    for (int b = 0; b < blocks; b++)
        if (p->coefficient[b] != 0)
            return false;
    return true;
}

static json_t *coefficients(const pr_policy_part_t *p, int blocks)
{
    return blocks == 1 ? pr_json_real(p->coefficient[0]) : pr_json_reals(p->coefficient, (size_t)blocks);
}

json_t *pr_policy_pack(const pr_policy_spec_t *s)
{
    json_t *parts = json_array();
    assert(s->mix && s->n >= 0 && s->n <= PR_MAX_PARTS);
    for (int i = 0; i < s->n; i++) {
        const pr_policy_part_t *p = &s->part[i];
        int blocks = pr_policy_blocks(s);
        for (int b = 0; b < blocks; b++)
            assert(isfinite(p->coefficient[b]));
        if (!is_absent(p, blocks))
            json_array_append_new(parts, json_pack("[s, s, o]", kinds[p->job], p->source, coefficients(p, blocks)));
    }
    json_t *value = json_pack("{s:s, s:o, s:o}", "mix", s->mix->name, "options", all_options(s), "parts", parts);
    if (s->condition)
        json_object_set(value, "condition", s->condition);
    if (s->route[0])
        json_object_set_new(value, "route", json_string(s->route));
    return value;
}

static pr_status_t wrong(const json_t *found, const char *key, const char *expected, pr_error_t *err)
{
    char *text = found ? pr_json_text(found, JSON_COMPACT) : NULL;
    pr_fail(err, PR_ERR_CONFIG, "%s: found %.64s, expected %s", key, text ? text : "nothing", expected);
    free(text);
    return PR_ERR_CONFIG;
}

/* A number, or one per block. Returns how many; 0: neither. */
static int parse_coefficients(const json_t *value, double *out)
{
    int n = json_is_array(value) ? (int)json_array_size(value) : 1;
    if (n > PR_MAX_BLOCKS)
        return 0;
    for (int b = 0; b < n; b++) {
        const json_t *c = json_is_array(value) ? json_array_get(value, (size_t)b) : value;
        out[b] = json_number_value(c);
        if (!json_is_number(c) || !isfinite(out[b]))
            return 0;
    }
    return n;
}

static pr_status_t parse_part(const json_t *value, int *blocks, pr_policy_part_t *out, pr_error_t *err)
{
    const char *kind = json_string_value(json_array_get(value, 0)),
               *source = json_string_value(json_array_get(value, 1));
    unsigned char bytes[PR_HASH_BYTES];
    bool job = kind && strcmp(kind, "job") == 0;
    if (json_array_size(value) != 3 || !kind || (!job && strcmp(kind, "adapter") != 0) || !pr_hash_bytes(source, bytes))
        return wrong(value, "parts", "[\"job\" or \"adapter\", 32 hexadecimal digits, a coefficient]", err);
    *out = (pr_policy_part_t){.job = job};
    int n = parse_coefficients(json_array_get(value, 2), out->coefficient);
    if (n == 0 || is_absent(out, n))
        return wrong(value, "parts", "a coefficient that is a number other than 0, or a list of them, one per block",
                     err);
    if (*blocks > 0 && n != *blocks)
        return wrong(value, "parts", "as many coefficients as the parts before it", err);
    *blocks = n;
    memcpy(out->source, source, PR_HASH_HEX);
    return PR_OK;
}

static pr_status_t check_keys(const json_t *value, pr_error_t *err)
{
    static const char *const known[] = {"mix", "options", "parts", "condition", "route"};
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            is_known = is_known || strcmp(key, known[i]) == 0;
        if (!is_known)
            return wrong(member, key, "no such key: mix, options, parts, condition or route", err);
    }
    return PR_OK;
}

static pr_status_t parse_spec(const json_t *value, pr_policy_spec_t *s, pr_error_t *err)
{
    const char *mix = json_string_value(json_object_get(value, "mix"));
    const json_t *options = json_object_get(value, "options"), *parts = json_object_get(value, "parts");
    json_t *condition = json_object_get(value, "condition");
    if (!json_is_object(value))
        return wrong(value, "the whole", "an object", err);
    PR_TRY(check_keys(value, err));
    if (!mix)
        return wrong(json_object_get(value, "mix"), "mix", "a string", err);
    if (!json_is_array(parts) || json_array_size(parts) > PR_MAX_PARTS)
        return wrong(parts, "parts", "a list of at most 32", err);
    if (condition && pr_json_is_none(condition))
        return wrong(condition, "condition", "a value, or no such key", err);
    const json_t *route = json_object_get(value, "route");
    unsigned char bytes[PR_HASH_BYTES];
    if (route && (!json_is_string(route) || !pr_hash_bytes(json_string_value(route), bytes)))
        return wrong(route, "route", "the hash of a job", err);
    if (route)
        memcpy(s->route, json_string_value(route), PR_HASH_HEX);
    PR_TRY(pr_mix_find(mix, &s->mix, err));
    for (; s->n < (int)json_array_size(parts); s->n++)
        PR_TRY(parse_part(json_array_get(parts, (size_t)s->n), &s->blocks, &s->part[s->n], err));
    pr_status_t status = pr_options_resolve(s->mix->options, options, NULL, &s->options, err);
    if (status != PR_OK)
        pr_fail_in(err, "mix '%s'", mix);
    else
        s->condition = json_incref(condition);
    return status;
}

pr_status_t pr_policy_parse(const json_t *value, pr_policy_spec_t *out, pr_error_t *err)
{
    pr_policy_spec_t s = {0};
    pr_status_t status = parse_spec(value, &s, err);
    if (status == PR_OK)
        *out = s;
    else
        pr_fail_in(err, "policy");
    return status;
}

void pr_policy_spec_clear(pr_policy_spec_t *s)
{
    json_decref(s->options);
    json_decref(s->condition);
    *s = (pr_policy_spec_t){0};
}

static void add_value(pr_buf_t *b, const json_t *v)
{
    char *text =
        json_is_string(v) ? pr_strdup(json_string_value(v)) : pr_json_text(v, JSON_COMPACT | JSON_REAL_PRECISION(6));
    pr_buf_puts(b, text);
    free(text);
}

char *pr_policy_text(const pr_policy_spec_t *s)
{
    enum { DIGITS = 8 };
    pr_buf_t b = {0};
    json_t *options = all_options(s), *defaults = all_options(&(pr_policy_spec_t){.mix = s->mix});
    const char *between = "";
    pr_buf_printf(&b, "%s(", s->mix->name);
    for (int i = 0; i < s->n; i++) {
        if (is_absent(&s->part[i], pr_policy_blocks(s)))
            continue;
        pr_buf_printf(&b, "%s%.*s:", between, DIGITS, s->part[i].source);
        for (int r = 0; r < pr_policy_blocks(s); r++)
            pr_buf_printf(&b, "%s%.6g", r ? "/" : "", s->part[i].coefficient[r]);
        between = ", ";
    }
    between = "; ";
    for (const pr_option_t *o = s->mix->options; o->key; o++) {
        const json_t *v = json_object_get(options, o->key);
        if (!v || json_equal((json_t *)(uintptr_t)v, json_object_get(defaults, o->key)))
            continue;
        pr_buf_printf(&b, "%s%s=", between, o->key);
        add_value(&b, v);
        between = ", ";
    }
    pr_buf_puts(&b, ")");
    if (s->condition) {
        pr_buf_puts(&b, " told ");
        add_value(&b, s->condition);
    }
    if (s->route[0])
        pr_buf_printf(&b, " by prompt (%.*s)", DIGITS, s->route);
    json_decref(options);
    json_decref(defaults);
    return b.data;
}
