// SPDX-License-Identifier: BSD-3-Clause
/* From the tree to the structures, by the tables of keys. */
#include "config/keys.h"

pr_status_t pr_key_wrong(const pr_node_t *node, const char *label, const char *key, const char *expected,
                         pr_error_t *err)
{
    char found[128];
    json_t *value = pr_node_json(node);
    pr_option_describe(value, found, sizeof found);
    json_decref(value);
    return pr_fail(err, PR_ERR_CONFIG, "%s: %s%s: found %s, expected %s", node->where, label, key, found, expected);
}

typedef struct places {
    const pr_node_t *group, *fallback;
} places_t;

static const char *place_of(const void *self, const char *key, int item)
{
    const places_t *p = self;
    const pr_node_t *node = pr_node_find(p->group, key);
    if (!node)
        node = pr_node_find(p->fallback, key);
    if (node && item >= 0 && item < node->n)
        return node->child[item]->where;
    return node ? node->where : p->group ? p->group->where : "configuration";
}

/* What `given` lacks, in groups too. */
static void update_missing(json_t *given, const json_t *shared)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)shared, key, value)
    {
        json_t *own = json_object_get(given, key);
        if (!own)
            json_object_set(given, key, value);
        else if (json_is_object(own) && json_is_object(value))
            update_missing(own, value);
    }
}

pr_status_t pr_group_read(const pr_option_t *table, const pr_node_t *group, const pr_node_t *fallback,
                          const char *label, const char *dir, bool others, void *base, pr_error_t *err)
{
    places_t places = {group, fallback};
    pr_option_reading_t how = {.dir = dir,
                               .join = true,
                               .others = others,
                               .label = label,
                               .see = "paretorank help config",
                               .where = place_of,
                               .self = &places};
    json_t *given = group ? pr_node_json(group) : json_object(), *shared = fallback ? pr_node_json(fallback) : NULL;
    json_t *resolved = NULL;
    if (shared)
        update_missing(given, shared);
    pr_status_t status = pr_options_read(table, given, &how, &resolved, err);
    if (status == PR_OK)
        pr_options_store(table, resolved, base);
    json_decref(given);
    json_decref(shared);
    json_decref(resolved);
    return status;
}
