// SPDX-License-Identifier: BSD-3-Clause
/* From the structures to JSON and to text, by the tables of keys. */
#include "base/mem.h"
#include "config/keys.h"
#include "method/method.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *objective_json(const pr_objective_config_t *o)
{
    json_t *object = pr_options_json(pr_objective_keys, o);
    json_object_update_missing(object, o->options);
    return object;
}

static json_t *train_json(const pr_finetune_config_t *f)
{
    json_t *object = pr_options_json(pr_train_keys, f);
    pr_finetune_rules_json(f, "algorithm", object);
    return object;
}

static json_t *policy_json(const pr_policy_config_t *p)
{
    const pr_method_t *method;
    json_t *object = pr_options_json(pr_policy_keys, p), *mix = json_copy(p->mix_options);
    json_object_set_new(mix, "type", json_string(p->mix));
    json_object_set_new(object, "mix", mix);
    if (pr_method_find(p->method, &method, NULL) == PR_OK && !method->mixes)
        json_object_del(object, "mix");
    if (p->own_train)
        json_object_set_new(object, "train", train_json(&p->train));
    json_object_update_missing(object, p->options);
    return object;
}

json_t *pr_search_spec_json(const pr_search_spec_t *s)
{
    json_t *object = pr_options_json(pr_search_keys, s), *value;
    const char *key;
    void *next;
    json_object_foreach_safe(object, next, key, value) if (!pr_search_reads(s->type, key)) json_object_del(object, key);
    return object;
}

static json_t *search_json(const pr_config_t *c, const pr_search_spec_t *s)
{
    json_t *object = pr_search_spec_json(s);
    if (s->policy >= 0)
        json_object_set_new(object, "policy", json_string(c->policy[s->policy].name));
    else
        json_object_set_new(object, "aggregate", json_string(s->aggregate));
    return object;
}

json_t *pr_config_json(const pr_config_t *c)
{
    json_t *object = pr_options_json(pr_config_keys, c), *list = json_array();
    pr_finetune_rules_json(&c->finetune, "method", json_object_get(object, "finetune"));
    for (int place = 0; place < c->n_scored; place++)
        for (int i = 0; i < c->n_scored; i++)
            if (c->objective[i].place == place)
                json_array_append_new(list, objective_json(&c->objective[i]));
    json_object_set_new(object, "objectives", list);
    list = json_array();
    for (int i = 0; i < c->n_policies; i++)
        json_array_append_new(list, policy_json(&c->policy[i]));
    if (c->n_policies > 0)
        json_object_set(object, "policies", list);
    json_decref(list);
    list = json_array();
    for (int i = 0; i < c->n_searches; i++)
        json_array_append_new(list, search_json(c, &c->search[i]));
    json_object_set_new(object, "search", list);
    return object;
}

/* ---- libconfig text ---- */

static void put_indent(pr_buf_t *b, int depth)
{
    for (int i = 0; i < depth; i++)
        pr_buf_puts(b, "  ");
}

static void put_string(pr_buf_t *b, const char *s)
{
    pr_buf_puts(b, "\"");
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p == '"' || *p == '\\')
            pr_buf_printf(b, "\\%c", *p);
        else if (*p == '\n')
            pr_buf_puts(b, "\\n");
        else if (*p == '\t')
            pr_buf_puts(b, "\\t");
        else if (*p < 32 || *p == 127)
            pr_buf_printf(b, "\\x%02x", *p);
        else
            pr_buf_add(b, p, 1);
    }
    pr_buf_puts(b, "\"");
}

// The shortest form that reads back as the same number, and as a number with a fraction.
static void put_real(pr_buf_t *b, double value)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    pr_buf_printf(b, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void put_value(pr_buf_t *b, const json_t *v, int depth);

static void put_members(pr_buf_t *b, const json_t *object, int depth)
{
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)object, name, member)
    {
        put_indent(b, depth);
        pr_buf_printf(b, "%s = ", name);
        put_value(b, member, depth);
        pr_buf_puts(b, ";\n");
    }
}

static void put_list(pr_buf_t *b, const json_t *list, int depth)
{
    size_t i;
    json_t *item;
    pr_buf_puts(b, "(");
    json_array_foreach(list, i, item)
    {
        pr_buf_puts(b, i ? ", " : " ");
        put_value(b, item, depth);
    }
    pr_buf_puts(b, " )");
}

static void put_value(pr_buf_t *b, const json_t *v, int depth)
{
    if (json_is_object(v)) {
        pr_buf_puts(b, "{\n");
        put_members(b, v, depth + 1);
        put_indent(b, depth);
        pr_buf_puts(b, "}");
    } else if (json_is_array(v)) {
        put_list(b, v, depth);
    } else if (json_is_string(v)) {
        put_string(b, json_string_value(v));
    } else if (json_is_integer(v)) {
        long long i = json_integer_value(v);
        pr_buf_printf(b, i > INT_MAX || i < INT_MIN ? "%lldL" : "%lld", i);
    } else if (json_is_real(v)) {
        put_real(b, json_real_value(v));
    } else {
        pr_buf_puts(b, json_is_true(v) ? "true" : "false");
    }
}

// As put_members, each key with its help; groups are gone into, lists are not.
static void put_documented(pr_buf_t *b, const json_t *object, const char *prefix, int depth)
{
    const char *name;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)object, name, member)
    {
        pr_buf_t path = {0};
        pr_buf_printf(&path, "%s%s%s", prefix, prefix[0] ? "." : "", name);
        const pr_option_t *row = pr_option_find(pr_config_keys, path.data);
        if (row) {
            put_indent(b, depth);
            pr_buf_printf(b, "# %s\n", row->help);
        }
        put_indent(b, depth);
        pr_buf_printf(b, "%s = ", name);
        if (json_is_object(member)) {
            pr_buf_puts(b, "{\n");
            put_documented(b, member, path.data, depth + 1);
            put_indent(b, depth);
            pr_buf_puts(b, "}");
        } else {
            put_value(b, member, depth);
        }
        pr_buf_puts(b, ";\n");
        pr_buf_free(&path);
    }
}

char *pr_config_dump(const pr_config_t *c)
{
    pr_buf_t b = {0};
    json_t *v = pr_config_json(c);
    pr_buf_puts(&b, "# The configuration with every key, as paretorank resolved it.\n");
    put_documented(&b, v, "", 0);
    json_decref(v);
    return b.data;
}
