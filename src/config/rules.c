// SPDX-License-Identifier: BSD-3-Clause
/* What a training climbs and how, as a configuration says it: an algorithm, a combiner and a weighting rule, by name or
 * with options. */
#include "learn/rules.h"
#include "config/keys.h"
#include "family/core.h"
#include "learn/preference.h"

#include <string.h>

/* "NAME", or { type = NAME; ... }, as JSON: a new reference. */
static pr_status_t typed_json(const pr_node_t *node, const char *label, const char *key, json_t **out, pr_error_t *err)
{
    const pr_node_t *type = node->kind == PR_NODE_STRING ? node : pr_node_member(node, "type");
    if (!type || type->kind != PR_NODE_STRING)
        return pr_key_wrong(node, label, key, "a name, or a group with its type and options", err);
    *out = pr_node_json(node);
    return PR_OK;
}

/* The name alone where there are no options, else {"type": name, options as resolved}. */
static pr_status_t resolve(const pr_option_t *table, const char *name, const json_t *value, json_t **out,
                           pr_error_t *err)
{
    json_t *options = NULL;
    PR_TRY(pr_typed_options(table, value, &options, err));
    if (table->key) {
        json_object_set_new(options, "type", json_string(name));
        *out = options;
        return PR_OK;
    }
    json_decref(options);
    *out = json_string(name);
    return PR_OK;
}

/* The node that says it: of the group, else of the one that it falls back to. */
static const pr_node_t *node_of(const pr_node_t *group, const pr_node_t *fallback, const char *key)
{
    const pr_node_t *own = pr_node_member(group, key);
    return own ? own : pr_node_member(fallback, key);
}

static pr_status_t read_combine(const pr_node_t *node, const char *label, json_t **out, pr_error_t *err)
{
    const pr_combiner_t *c;
    json_t *value = NULL;
    PR_TRY(typed_json(node, label, "combine", &value, err));
    pr_status_t status = pr_combiner_find(pr_typed_name(value), &c, err);
    if (status == PR_OK)
        status = resolve(c->options, c->name, value, out, err);
    json_decref(value);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "%s: %scombine", node->where, label);
}

static pr_status_t read_weigh(const pr_node_t *node, const char *label, json_t **out, pr_error_t *err)
{
    const pr_weigher_t *w;
    json_t *value = NULL;
    PR_TRY(typed_json(node, label, "weigh", &value, err));
    pr_status_t status = pr_weigher_find(pr_typed_name(value), &w, err);
    if (status == PR_OK && w != &pr_weigher_fixed) // which is as if nothing were said
        status = resolve(w->options, w->name, value, out, err);
    json_decref(value);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "%s: %sweigh", node->where, label);
}

static pr_status_t read_algorithm(const pr_node_t *node, const char *label, json_t **out, pr_error_t *err)
{
    const pr_algorithm_t *a;
    json_t *value = NULL;
    PR_TRY(typed_json(node, label, node->name, &value, err));
    pr_status_t status = pr_algorithm_find(pr_typed_name(value), &a, err);
    if (status == PR_OK)
        status = resolve(a->options, a->name, value, out, err);
    json_decref(value);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "%s: %s%s", node->where, label, node->name);
}

/* What belongs together; the place of a message is the group's. */
static pr_status_t check_rules(const pr_node_t *group, const char *label, const pr_finetune_config_t *f,
                               pr_error_t *err)
{
    pr_rules_t rules;
    pr_status_t status = pr_rules_resolve(f->algorithm, f->combine, f->weigh, &rules, err);
    if (status == PR_OK)
        status = pr_rules_suit(&rules, f->kl, f->kl_estimator, f->prompts_per_step, err);
    pr_rules_clear(&rules);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "%s: %s", group ? group->where : "configuration", label);
}

pr_status_t pr_finetune_rules_read(const pr_node_t *group, const pr_node_t *fallback, const char *name,
                                   const char *label, pr_finetune_config_t *out, pr_error_t *err)
{
    const pr_node_t *algorithm = node_of(group, fallback, name), *combine = node_of(group, fallback, "combine"),
                    *weigh = node_of(group, fallback, "weigh");
    if (algorithm)
        PR_TRY(read_algorithm(algorithm, label, &out->algorithm, err));
    else
        out->algorithm = json_string(pr_algorithm_rloo.name);
    if (combine)
        PR_TRY(read_combine(combine, label, &out->combine, err));
    else
        out->combine = json_string(pr_combiner_linear.name);
    if (weigh)
        PR_TRY(read_weigh(weigh, label, &out->weigh, err));
    return check_rules(group, label, out, err);
}

/* A core with its options, {"type": name, ...}. */
static pr_status_t read_core(const pr_node_t *node, const char *dflt, const char *label, json_t **out, pr_error_t *err)
{
    const pr_core_t *core;
    json_t *value = NULL;
    if (node)
        PR_TRY(typed_json(node, label, "core", &value, err));
    else
        value = json_string(dflt);
    pr_status_t status = pr_core_resolve(value, &core, out, err);
    json_decref(value);
    if (status == PR_OK)
        json_object_set_new(*out, "type", json_string(core->name));
    return status == PR_OK || !node ? status : pr_fail_in(err, "%s: %score", node->where, label);
}

pr_status_t pr_finetune_family_read(const pr_node_t *group, const char *core, const char *label,
                                    pr_finetune_config_t *out, pr_error_t *err)
{
    const pr_node_t *of_core = pr_node_member(group, "core"), *sample = pr_node_member(group, "sample"),
                    *refused = of_core ? of_core : sample;
    if (!core)
        return refused ? pr_key_wrong(refused, label, refused->name,
                                      "nothing of a method whose trainings are one adapter each", err)
                       : PR_OK;
    if (sample && sample->kind != PR_NODE_GROUP)
        return pr_key_wrong(sample, label, "sample", "a group such as { alpha = 1.0; corners = 0.2; }", err);
    PR_TRY(read_core(of_core, core, label, &out->core, err));
    json_t *given = sample ? pr_node_json(sample) : json_object();
    pr_status_t status = pr_options_resolve(pr_preference_options, given, NULL, &out->sample, err);
    json_decref(given);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "%s: %ssample", sample->where, label);
}

void pr_finetune_rules_clear(pr_finetune_config_t *f)
{
    json_decref(f->algorithm);
    json_decref(f->combine);
    json_decref(f->weigh);
    json_decref(f->core);
    json_decref(f->sample);
    f->algorithm = f->combine = f->weigh = f->core = f->sample = NULL;
}

void pr_finetune_rules_json(const pr_finetune_config_t *f, const char *name, json_t *object)
{
    json_object_set(object, name, f->algorithm);
    json_object_set(object, "combine", f->combine);
    if (f->weigh)
        json_object_set(object, "weigh", f->weigh);
    if (f->core)
        json_object_set(object, "core", f->core);
    if (f->sample)
        json_object_set(object, "sample", f->sample);
}
