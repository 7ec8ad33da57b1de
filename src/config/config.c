// SPDX-License-Identifier: BSD-3-Clause
#include "config/config.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "config/keys.h"
#include "config/searches.h"
#include "method/method.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE = 1 << 20 };

static char *absolute(const char *path)
{
    char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
    char *joined = pr_path_join(cwd ? cwd : "", path);
    free(cwd);
    return joined;
}

// The directory's real name, so that a configuration read over different ways is the same.
static char *real_dir(const char *path)
{
    char *real = realpath(path, NULL);
    if (!real)
        return absolute(path);
    char *copy = pr_strdup(real);
    free(real);
    return copy;
}

/* ---- objectives ---- */

static pr_status_t read_objective(const pr_node_t *node, int i, const char *dir, pr_objective_config_t *o,
                                  pr_error_t *err)
{
    char label[32];
    snprintf(label, sizeof label, "objectives[%d].", i);
    if (node->kind != PR_NODE_GROUP)
        return pr_key_wrong(node, "objectives", "", "groups such as { name = \"brevity\"; }", err);
    PR_TRY(pr_group_read(pr_objective_keys, node, NULL, label, dir, true, o, err));
    if (!o->type)
        o->type = pr_strdup(o->name);
    o->options = json_object();
    for (int j = 0; j < node->n; j++) {
        const pr_node_t *option = node->child[j];
        if (pr_option_find(pr_objective_keys, option->name))
            continue;
        if (option->kind == PR_NODE_REAL && !isfinite(option->r)) // JSON has no such number
            return pr_key_wrong(option, label, option->name, "a number -1.7e308 to 1.7e308", err);
        json_object_set_new(o->options, option->name, pr_node_json(option));
    }
    return PR_OK;
}

/* Those that are optimised first, both kinds in the file's order. */
static void reports_last(pr_config_t *c)
{
    pr_objective_config_t sorted[PR_MAX_OBJECTIVES];
    int n = 0;
    for (int report = 0; report < 2; report++) {
        for (int i = 0; i < c->n_scored; i++)
            if (c->objective[i].report == (report == 1))
                sorted[n++] = c->objective[i];
        if (report == 0)
            c->n_objectives = n;
    }
    memcpy(c->objective, sorted, (size_t)n * sizeof *sorted);
}

static pr_status_t read_objectives(const pr_node_t *root, pr_config_t *c, pr_error_t *err)
{
    const pr_node_t *list = pr_node_member(root, "objectives");
    if (!list)
        return pr_fail(err, PR_ERR_CONFIG, "%s: objectives: missing; expected ( { name = \"...\"; }, ... )",
                       root->where);
    if (list->kind != PR_NODE_LIST || list->n < 1 || list->n > PR_MAX_OBJECTIVES)
        return pr_key_wrong(list, "", "objectives", "a list of 1 to 16 groups", err);
    for (int i = 0; i < list->n; i++) {
        c->n_scored = i + 1; // pr_config_free clears what a failure leaves behind
        PR_TRY(read_objective(list->child[i], i, c->dir, &c->objective[i], err));
        c->objective[i].place = i;
        if (c->objective[i].report && c->objective[i].adapter)
            return pr_fail(err, PR_ERR_CONFIG,
                           "%s: objectives[%d].adapter: found beside role = \"report\", which has no expert",
                           list->child[i]->where, i);
    }
    reports_last(c);
    if (c->n_objectives == 0)
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: objectives: found only such with role = \"report\", expected one or more to optimise",
                       list->where);
    return PR_OK;
}

/* ---- policies ---- */

/* The value of a mix's option. [ from, to ] is a range, { from; to } to JSON; ( values ) is a list. */
static pr_status_t read_mix_option(const pr_node_t *node, const char *label, json_t *options, pr_error_t *err)
{
    json_t *value = pr_node_json(node);
    if (node->kind == PR_NODE_LIST && node->array) {
        if (node->n != 2) {
            json_decref(value);
            return pr_fail(err, PR_ERR_CONFIG,
                           "%s: %smix.%s: found [ ] of %d, expected a value, [ from, to ] or ( values )", node->where,
                           label, node->name, node->n);
        }
        json_t *range = json_pack("{s:O, s:O}", "from", json_array_get(value, 0), "to", json_array_get(value, 1));
        json_decref(value);
        value = range;
    }
    json_object_set_new(options, node->name, value);
    return PR_OK;
}

/* "states", or { type = "states"; layer = 1; }. A method whose policies have one part has none to choose. */
static pr_status_t read_mix(const pr_node_t *node, const char *label, const pr_method_t *method, pr_policy_config_t *p,
                            pr_error_t *err)
{
    const pr_node_t *type = !node || node->kind == PR_NODE_STRING ? node : pr_node_member(node, "type");
    const pr_mix_t *mix;
    p->mix_options = json_object();
    if (node && (!type || type->kind != PR_NODE_STRING))
        return pr_key_wrong(node, label, "mix", "the name of a mix, or a group with its type and options", err);
    p->mix = pr_strdup(type ? type->s : method->mixes ? "states" : "params");
    if (node && !method->mixes)
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: %smix: method \"%s\" combines nothing: its policies are one adapter each", node->where,
                       label, method->name);
    for (int i = 0; node && node->kind == PR_NODE_GROUP && i < node->n; i++)
        if (strcmp(node->child[i]->name, "type") != 0)
            PR_TRY(read_mix_option(node->child[i], label, p->mix_options, err));
    if (pr_mix_find(p->mix, &mix, err) != PR_OK)
        return pr_fail_in(err, "%s: %smix", type ? type->where : "configuration", label);
    return PR_OK;
}

/* The settings of its trainings, with those of `finetune` where it does not say. */
static pr_status_t read_train(const pr_node_t *root, const pr_node_t *group, const char *label, const char *dir,
                              pr_policy_config_t *p, pr_error_t *err)
{
    const pr_node_t *shared = pr_node_member(root, "finetune");
    json_t *all = shared ? pr_node_json(shared) : json_object(), *method = json_object_get(all, "method");
    pr_node_t *fallback = NULL;
    if (method) // has another name here
        json_object_set(all, "algorithm", method);
    json_object_del(all, "method");
    json_object_del(all, "team"); // of all trainings
    pr_status_t status = pr_node_from_json(all, shared ? shared->where : "configuration", &fallback, err);
    json_decref(all);
    if (status == PR_OK)
        status = pr_group_read(pr_train_keys, group, fallback, label, dir, false, &p->train, err);
    if (status == PR_OK)
        status = pr_finetune_rules_read(group, fallback, "algorithm", label, &p->train, err);
    pr_node_free(&fallback);
    return status;
}

static pr_status_t read_policy(const pr_node_t *root, const pr_node_t *node, int i, const char *dir,
                               pr_policy_config_t *p, pr_error_t *err)
{
    char label[32], train[48];
    const pr_node_t *own = pr_node_member(node, "train");
    const pr_method_t *method;
    snprintf(label, sizeof label, "policies[%d].", i);
    snprintf(train, sizeof train, "policies[%d].train.", i);
    if (node->kind != PR_NODE_GROUP)
        return pr_key_wrong(node, "policies", "", "groups such as { name = \"soup\"; mix = \"params\"; }", err);
    if (own && own->kind != PR_NODE_GROUP)
        return pr_key_wrong(own, label, "train", "a group such as { steps = 40; }", err);
    PR_TRY(pr_group_read(pr_policy_keys, node, NULL, label, dir, true, p, err));
    p->options = json_object();
    for (int j = 0; j < node->n; j++)
        if (!pr_option_find(pr_policy_keys, node->child[j]->name))
            json_object_set_new(p->options, node->child[j]->name, pr_node_json(node->child[j]));
    if (pr_method_find(p->method, &method, err) != PR_OK)
        return pr_fail_in(err, "%s: %smethod", node->where, label);
    PR_TRY(read_mix(pr_node_member(node, "mix"), label, method, p, err));
    p->own_train = own && own->n > 0;
    PR_TRY(read_train(root, own, train, dir, p, err));
    return pr_finetune_family_read(own, method->core, train, &p->train, err);
}

static pr_status_t read_policies(const pr_node_t *root, pr_config_t *c, pr_error_t *err)
{
    const pr_node_t *list = pr_node_member(root, "policies");
    if (!list)
        return PR_OK;
    if (list->kind != PR_NODE_LIST || list->n < 1 || list->n > PR_MAX_POLICIES)
        return pr_key_wrong(list, "", "policies", "a list of 1 to 64 groups", err);
    if (pr_node_member(root, "aggregate"))
        return pr_key_wrong(pr_node_member(root, "aggregate"), "", "aggregate", "nothing beside policies", err);
    pr_node_t *all = NULL;
    char *family[PR_MAX_POLICIES] = {NULL};
    pr_status_t status = pr_policies_expand(list, &all, family, err);
    for (int i = 0; i < all->n; i++) {
        c->policy[i].family = family[i];
        c->n_policies = i + 1; // pr_config_free clears what a failure leaves behind
        if (status == PR_OK)
            status = read_policy(root, all->child[i], i, c->dir, &c->policy[i], err);
    }
    pr_node_free(&all);
    return status;
}

/* ---- searches: every search group times every aggregation ---- */

/* Is it the name of a mix? */
static pr_status_t check_aggregate(const pr_node_t *node, const char *label, pr_error_t *err)
{
    const pr_mix_t *mix;
    if (node->kind != PR_NODE_STRING)
        return pr_key_wrong(node, label, "aggregate", "the name of a mix, or a list of them", err);
    if (pr_mix_find(node->s, &mix, err) != PR_OK)
        return pr_fail_in(err, "%s: %saggregate", node->where, label);
    return PR_OK;
}

/* A search with a name of its own, which is kept, when it is made for one policy only; with the policy's or aggregation's
 * where it says which of several this is. */
static void name_search(const pr_config_t *c, pr_search_spec_t *s, bool several)
{
    const char *policy = s->policy >= 0 ? c->policy[s->policy].name : s->aggregate;
    pr_buf_t name = {0};
    if (!s->name || !several)
        return;
    pr_buf_printf(&name, "%s-%s", s->name, policy);
    free(s->name);
    s->name = name.data;
}

static int same_names(const pr_config_t *c, int n, const char *name)
{
    int same = 0;
    for (int i = 0; i < n; i++)
        same += c->search[i].name && strcmp(c->search[i].name, name) == 0;
    return same;
}

/* Names for those without: the policy's or aggregation's, with the strategy's where that tells several apart; numbers make
 * what is still the same unique. own: has it a name of its own? */
static void name_others(pr_config_t *c, const bool *own)
{
    const char *first[PR_MAX_SEARCHES];
    for (int i = 0; i < c->n_searches; i++)
        first[i] = c->search[i].policy >= 0 ? c->policy[c->search[i].policy].name : c->search[i].aggregate;
    for (int i = 0; i < c->n_searches; i++) {
        pr_search_spec_t *s = &c->search[i];
        pr_buf_t base = {0}, name = {0};
        bool tells = false; // there is another of this policy, by another strategy
        if (own[i])
            continue;
        for (int j = 0; j < c->n_searches; j++)
            tells = tells || (!own[j] && strcmp(first[i], first[j]) == 0 && strcmp(s->type, c->search[j].type) != 0);
        pr_buf_printf(&base, tells ? "%s-%s" : "%s", first[i], s->type);
        pr_buf_puts(&name, base.data);
        for (int number = 2; same_names(c, c->n_searches, name.data) > 0; number++) {
            name.len = 0;
            pr_buf_printf(&name, "%s-%d", base.data, number);
        }
        s->name = name.data;
        pr_buf_free(&base);
    }
}

/* Is name one of "a, b, c"? */
static bool is_listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strstr(list, name); at; at = strstr(at + 1, name))
        if ((at == list || at[-1] == ' ') && (at[n] == 0 || at[n] == ','))
            return true;
    return false;
}

/* NULL: a strategy of the caller's own, which may read any. */
static const char *keys_of_type(const char *type)
{
#define KEYS(name)                                                                                                     \
    if (strcmp(type, #name) == 0)                                                                                      \
        return PR_SEARCH_KEYS_##name;
    PR_SEARCH_LIST(KEYS)
#undef KEYS
    return NULL;
}

bool pr_search_reads(const char *type, const char *key)
{
    /* scalar: configurations that were written with all defaults have it everywhere. */
    const char *keys = keys_of_type(type);
    return is_listed("name, policy, aggregate, layer, norm, type, scalar", key) || !keys || is_listed(keys, key);
}

/* Of the keys that only some strategies read, others' are refused, as they would say nothing; their defaults may stand. */
static pr_status_t refuse_unread(const pr_node_t *group, const char *label, const pr_search_spec_t *s, pr_error_t *err)
{
    pr_search_spec_t plain = {.policy = -1};
    pr_status_t status;
    json_t *given = pr_options_json(pr_search_keys, s), *other = NULL;
    PR_GO(pr_group_read(pr_search_keys, NULL, NULL, label, "", false, &plain, err));
    other = pr_options_json(pr_search_keys, &plain);
    for (int i = 0; status == PR_OK && i < group->n; i++) {
        const char *key = group->child[i]->name;
        if (!pr_search_reads(s->type, key) && !json_equal(json_object_get(given, key), json_object_get(other, key)))
            status =
                pr_fail(err, PR_ERR_CONFIG, "%s: %s%s: found beside type = \"%s\", which does not read it; it reads %s",
                        group->child[i]->where, label, key, s->type, keys_of_type(s->type));
    }
done:
    pr_options_clear(pr_search_keys, &plain);
    json_decref(given);
    json_decref(other);
    return status;
}

/* Reads the keys of one search. */
static pr_status_t read_search_keys(const pr_node_t *group, const pr_node_t *shared, const char *label, const char *dir,
                                    pr_search_spec_t *s, pr_error_t *err)
{
    PR_TRY(pr_group_read(pr_search_keys, group, shared, label, dir, false, s, err));
    if (!group)
        return PR_OK;
    if (!pr_node_member(group, "type") &&
        (pr_node_member(group, "levels") || pr_node_member(group, "select") || pr_node_member(group, "beam"))) {
        free(s->type);
        s->type = pr_strdup("hierarchical");
        pr_log(PR_LOG_INFO, "%s: %slevels, select and beam without type mean type = \"hierarchical\"", group->where,
               label);
    }
    return refuse_unread(group, label, s, err);
}

/* aggregate: its node, or NULL. policy: which of policies, or -1. */
static pr_status_t add_search(const pr_node_t *root, const pr_node_t *group, const pr_node_t *aggregate, int policy,
                              bool several, const char *label, pr_config_t *c, pr_error_t *err)
{
    if (c->n_searches == PR_MAX_SEARCHES)
        return pr_fail(err, PR_ERR_CONFIG, "%s: search: found more than %d searches (searches times aggregations)",
                       root->where, PR_MAX_SEARCHES);
    if (aggregate)
        PR_TRY(check_aggregate(aggregate, label, err));
    pr_search_spec_t *s = &c->search[c->n_searches++];
    s->policy = policy;
    pr_node_t shared = {.kind = PR_NODE_GROUP}; // of the root only these say something about searches
    pr_node_t *child[2];
    shared.child = child;
    for (int i = 0; i < 2; i++) {
        const pr_node_t *node = pr_node_member(root, i == 0 ? "layer" : "norm");
        if (node)
            child[shared.n++] = (pr_node_t *)(uintptr_t)node;
    }
    PR_TRY(read_search_keys(group, &shared, label, c->dir, s, err));
    s->aggregate = pr_strdup(policy >= 0 ? c->policy[policy].mix : aggregate ? aggregate->s : "states");
    bool states = strcmp(s->aggregate, "states") == 0;
    bool own = group && ((pr_node_member(group, "layer") && s->layer != -1) ||
                         (pr_node_member(group, "norm") && s->norm_before));
    if (!states && own && !several)
        return pr_fail(err, PR_ERR_CONFIG, "%s: %slayer and norm belong to aggregate = \"states\", found \"%s\"",
                       group->where, label, s->aggregate);
    if (!states) {
        s->layer = -1;
        s->norm_before = false;
    }
    name_search(c, s, several);
    return PR_OK;
}

/* Appends those of a name: one, or those that differ in settings of their trainings. */
static pr_status_t find_policies(const pr_config_t *c, const pr_node_t *node, const char *label, int *which, int *n,
                                 pr_error_t *err)
{
    const char *names[PR_MAX_POLICIES];
    int before = *n;
    if (node->kind != PR_NODE_STRING)
        return pr_key_wrong(node, label, "policy", "the name of a policy, or a list of them", err);
    for (int i = 0; i < c->n_policies; i++) {
        const pr_policy_config_t *p = &c->policy[i];
        names[i] = p->family ? p->family : p->name;
        if ((strcmp(node->s, p->name) == 0 || strcmp(node->s, names[i]) == 0) && *n < PR_MAX_POLICIES)
            which[(*n)++] = i;
    }
    if (*n > before)
        return PR_OK;
    if (pr_unknown("policy", "", node->s, names, (size_t)c->n_policies, NULL, err) != PR_OK)
        pr_fail_in(err, "%s: %spolicy", node->where, label);
    return PR_ERR_CONFIG;
}

/* A search with each policy that it names, or with all. */
static pr_status_t add_policies(const pr_node_t *root, const pr_node_t *group, const pr_node_t *named,
                                const char *label, pr_config_t *c, pr_error_t *err)
{
    int which[PR_MAX_POLICIES], n = 0;
    if (named && named->kind != PR_NODE_LIST)
        PR_TRY(find_policies(c, named, label, which, &n, err));
    if (named && named->kind == PR_NODE_LIST && named->n == 0)
        return pr_key_wrong(named, label, "policy", "one or more", err);
    for (int i = 0; named && named->kind == PR_NODE_LIST && i < named->n; i++)
        PR_TRY(find_policies(c, named->child[i], label, which, &n, err));
    for (; !named && n < c->n_policies; n++)
        which[n] = n;
    for (int i = 0; i < n; i++)
        PR_TRY(add_search(root, group, NULL, which[i], n > 1, label, c, err));
    return PR_OK;
}

static pr_status_t read_search(const pr_node_t *root, const pr_node_t *group, int i, pr_config_t *c, pr_error_t *err)
{
    char label[32];
    snprintf(label, sizeof label, "search[%d].", i);
    if (group && group->kind != PR_NODE_GROUP)
        return pr_key_wrong(group, "", "search", "a group such as { type = \"grid\"; }", err);
    const pr_node_t *aggregate = pr_node_member(group, "aggregate"), *policy = pr_node_member(group, "policy");
    if (c->n_policies > 0 && aggregate)
        return pr_key_wrong(aggregate, label, "aggregate", "policy, as there are policies", err);
    if (c->n_policies > 0 || policy)
        return add_policies(root, group, policy, label, c, err);
    if (!aggregate)
        aggregate = pr_node_member(root, "aggregate");
    if (!aggregate || aggregate->kind != PR_NODE_LIST)
        return add_search(root, group, aggregate, -1, false, label, c, err);
    if (aggregate->n == 0)
        return pr_key_wrong(aggregate, label, "aggregate", "one or more", err);
    for (int j = 0; j < aggregate->n; j++)
        PR_TRY(add_search(root, group, aggregate->child[j], -1, aggregate->n > 1, label, c, err));
    return PR_OK;
}

static pr_status_t read_searches(const pr_node_t *root, pr_config_t *c, pr_error_t *err)
{
    const pr_node_t *node = pr_node_member(root, "search");
    bool own[PR_MAX_SEARCHES];
    if (node && node->kind == PR_NODE_LIST && node->n == 0)
        return pr_key_wrong(node, "", "search", "a group, or a list of one group or more", err);
    if (!node || node->kind != PR_NODE_LIST)
        PR_TRY(read_search(root, node, 0, c, err));
    for (int i = 0; node && node->kind == PR_NODE_LIST && i < node->n; i++)
        PR_TRY(read_search(root, node->child[i], i, c, err));
    for (int i = 0; i < c->n_searches; i++)
        own[i] = c->search[i].name != NULL;
    name_others(c, own);
    return PR_OK;
}

pr_status_t pr_search_spec_parse(const char *text, const char *where, int k, pr_search_spec_t *out, pr_error_t *err)
{
    pr_node_t *group = NULL;
    pr_search_spec_t s = {.policy = -1};
    pr_status_t status;
    PR_GO(pr_node_from_text(text, where, &group, err));
    PR_GO(read_search_keys(group, NULL, "", "", &s, err));
    PR_GO(pr_search_complete(where, k, &s, err));
    *out = s;
    s = (pr_search_spec_t){0};
done:
    pr_search_spec_clear(&s);
    pr_node_free(&group);
    return status;
}

void pr_search_spec_clear(pr_search_spec_t *s)
{
    pr_options_clear(pr_search_keys, s);
    free(s->aggregate);
    *s = (pr_search_spec_t){0};
}

/* ---- the whole ---- */

// "sweeps/tiny.cfg" -> "tiny".
static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = pr_strdup(slash ? slash + 1 : path);
    char *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = 0;
    return name;
}

// dir first, as everything else is relative to it.
static pr_status_t find_dir(const pr_node_t *root, const char *path, char **out, pr_error_t *err)
{
    const pr_node_t *node = pr_node_member(root, "dir");
    char *own = pr_path_dir(path);
    if (node && (node->kind != PR_NODE_STRING || !node->s[0])) {
        free(own);
        return pr_key_wrong(node, "", "dir", "a directory", err);
    }
    char *dir = node ? pr_path_join(own, node->s) : pr_strdup(own);
    *out = real_dir(dir);
    free(dir);
    free(own);
    return PR_OK;
}

// "../model" as it is; "/data/hub/SmolLM2/" -> "SmolLM2".
static char *name_of_model(const char *written)
{
    size_t len = strlen(written);
    while (len > 1 && written[len - 1] == '/')
        len--;
    size_t first = len;
    while (written[0] == '/' && first > 0 && written[first - 1] != '/')
        first--;
    return written[0] == '/' ? pr_strndup(written + first, len - first) : pr_strndup(written, len);
}

static void fill_names(const pr_node_t *root, pr_config_t *c)
{
    const pr_node_t *model = pr_node_member(root, "model");
    if (!c->model_name || !c->model_name[0]) {
        free(c->model_name);
        c->model_name = name_of_model(model && model->s ? model->s : c->model);
    }
    if (!c->name)
        c->name = stem(c->path);
    pr_buf_t results = {0};
    pr_buf_printf(&results, "%s%s", c->results ? "" : "results/", c->results ? c->results : c->name);
    free(c->results);
    c->results = absolute(results.data);
    pr_buf_free(&results);
}

static pr_status_t read_tree(const pr_node_t *root, const char *path, pr_config_t **out, pr_error_t *err)
{
    if (root->kind != PR_NODE_GROUP)
        return pr_key_wrong(root, "", path, "a group", err);
    pr_config_t *c = pr_alloc(1, sizeof *c);
    c->path = pr_strdup(path);
    char *dir = NULL;
    pr_status_t status;
    PR_GO(find_dir(root, path, &dir, err));
    PR_GO(pr_group_read(pr_config_keys, root, NULL, "", dir, false, c, err));
    PR_GO(pr_finetune_rules_read(pr_node_member(root, "finetune"), NULL, "method", "finetune.", &c->finetune, err));
    free(c->dir);
    c->dir = dir;
    dir = NULL;
    fill_names(root, c);
    PR_GO(read_objectives(root, c, err));
    PR_GO(read_policies(root, c, err));
    PR_GO(read_searches(root, c, err));
    PR_GO(pr_config_check(c, err));
    *out = c;
    c = NULL;
done:
    free(dir);
    pr_config_free(&c);
    return status;
}

pr_status_t pr_config_parse(const char *text, const char *path, const char *const *overrides, int n, pr_config_t **out,
                            pr_error_t *err)
{
    pr_node_t *root = NULL;
    PR_TRY(pr_node_from_text(text, path, &root, err));
    pr_status_t status = PR_OK;
    for (int i = 0; i < n; i++)
        PR_GO(pr_node_override(root, overrides[i], err));
    status = read_tree(root, path, out, err);
done:
    pr_node_free(&root);
    return status;
}

pr_status_t pr_config_read(const char *path, const char *const *overrides, int n, pr_config_t **out, pr_error_t *err)
{
    char *text;
    size_t len;
    pr_status_t status = pr_file_read_text(path, MAX_FILE, &text, &len, err);
    if (status == PR_ERR_FORMAT && err)
        err->status = PR_ERR_CONFIG; // a sweep's file is the configuration, whatever is wrong with it
    if (status != PR_OK)
        return status == PR_ERR_FORMAT ? PR_ERR_CONFIG : status;
    if (strlen(text) != len)
        status = pr_fail(err, PR_ERR_CONFIG, "%s: byte %zu: found a NUL character, expected text", path, strlen(text));
    else
        status = pr_config_parse(text, path, overrides, n, out, err);
    free(text);
    return status;
}

pr_status_t pr_config_from_json(const json_t *value, pr_config_t **out, pr_error_t *err)
{
    pr_node_t *root = NULL;
    PR_TRY(pr_node_from_json(value, "configuration", &root, err));
    pr_status_t status = read_tree(root, "configuration", out, err);
    pr_node_free(&root);
    return status;
}

void pr_config_free(pr_config_t **config)
{
    pr_config_t *c = *config;
    if (!c)
        return;
    for (int i = 0; i < c->n_scored; i++) {
        pr_options_clear(pr_objective_keys, &c->objective[i]);
        json_decref(c->objective[i].options);
    }
    for (int i = 0; i < c->n_policies; i++) {
        pr_options_clear(pr_policy_keys, &c->policy[i]);
        pr_options_clear(pr_train_keys, &c->policy[i].train);
        pr_finetune_rules_clear(&c->policy[i].train);
        free(c->policy[i].family);
        free(c->policy[i].mix);
        json_decref(c->policy[i].mix_options);
        json_decref(c->policy[i].options);
    }
    for (int i = 0; i < c->n_searches; i++)
        pr_search_spec_clear(&c->search[i]);
    pr_options_clear(pr_config_keys, c);
    pr_finetune_rules_clear(&c->finetune);
    free(c->path);
    free(c);
    *config = NULL;
}
