// SPDX-License-Identifier: BSD-3-Clause
/* Grids over settings of trainings: a policy whose `train` has a list where a setting is one value is as many policies, one
 * per combination, which differ in nothing else: a parameter sweep in the plain sense. */
#include "base/mem.h"
#include "config/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16 }; // settings that are lists

typedef struct grid {
    char *path[MOST]; // of each, below `train`
    const pr_node_t *list[MOST];
    int n;
} grid_t;

static void grid_clear(grid_t *g)
{
    for (int i = 0; i < g->n; i++)
        free(g->path[i]);
}

/* Is a list of this key a list of values to try? Not where the setting is a list itself. */
static bool is_grid(const char *path)
{
    const pr_option_t *o = pr_option_find(pr_train_keys, path);
    return o && o->kind != PR_OPT_STRINGS && o->kind != PR_OPT_INTS && o->kind != PR_OPT_REALS;
}

/* Lists of a group and of the groups in it, but those of rules, whose lists are their own. */
static pr_status_t find_lists(const pr_node_t *group, const char *before, grid_t *g, pr_error_t *err)
{
    for (int i = 0; i < group->n; i++) {
        const pr_node_t *node = group->child[i];
        pr_buf_t path = {0};
        pr_status_t status = PR_OK;
        pr_buf_printf(&path, "%s%s%s", before, before[0] ? "." : "", node->name);
        bool known = is_grid(path.data);
        if (node->kind == PR_NODE_LIST && known && node->n == 0) {
            status =
                pr_fail(err, PR_ERR_CONFIG, "%s: train.%s: found an empty list, expected a value, or values to try",
                        node->where, path.data);
        } else if (node->kind == PR_NODE_LIST && known && g->n == MOST) {
            status =
                pr_fail(err, PR_ERR_CONFIG, "%s: train.%s: found more than %d lists", node->where, path.data, MOST);
        } else if (node->kind == PR_NODE_LIST && known) {
            g->list[g->n] = node;
            g->path[g->n++] = pr_strdup(path.data);
        } else if (node->kind == PR_NODE_GROUP && !known) {
            status = find_lists(node, path.data, g, err);
        }
        pr_buf_free(&path);
        PR_TRY(status);
    }
    return PR_OK;
}

/* A value as a part of a name. */
static void put_value(pr_buf_t *b, const pr_node_t *node)
{
    const pr_node_t *type = node->kind == PR_NODE_GROUP ? pr_node_member(node, "type") : node;
    char text[64];
    if (type && type->kind == PR_NODE_STRING)
        snprintf(text, sizeof text, "%s", type->s);
    else if (node->kind == PR_NODE_INT)
        snprintf(text, sizeof text, "%lld", (long long)node->i);
    else if (node->kind == PR_NODE_REAL)
        snprintf(text, sizeof text, "%.6g", node->r);
    else
        snprintf(text, sizeof text, "%s", node->kind == PR_NODE_BOOL ? (node->i ? "true" : "false") : "x");
    for (const char *p = text; *p; p++)
        if (isalnum((unsigned char)*p) || strchr("._-", *p))
            pr_buf_add(b, p, 1);
}

/* The policy of combination number i, the last list's values the fastest. */
static pr_node_t *combination(const pr_node_t *policy, const grid_t *g, int i)
{
    pr_node_t *copy = pr_node_copy(policy), *train = (pr_node_t *)(uintptr_t)pr_node_member(copy, "train"),
              *name = (pr_node_t *)(uintptr_t)pr_node_member(copy, "name");
    pr_buf_t text = {0};
    int which[MOST];
    pr_buf_puts(&text, name->s);
    for (int j = g->n - 1; j >= 0; j--) {
        which[j] = i % g->list[j]->n;
        i /= g->list[j]->n;
    }
    for (int j = 0; j < g->n; j++) {
        const pr_node_t *value = g->list[j]->child[which[j]];
        const char *last = strrchr(g->path[j], '.');
        pr_buf_printf(&text, "-%s-", last ? last + 1 : g->path[j]);
        put_value(&text, value);
        pr_node_replace((pr_node_t *)(uintptr_t)pr_node_find(train, g->path[j]), value);
    }
    free(name->s);
    name->s = text.data;
    return copy;
}

/* Appends a policy's combinations to the list. */
static pr_status_t expand(const pr_node_t *policy, pr_node_t *list, char **family, pr_error_t *err)
{
    const pr_node_t *train = pr_node_member(policy, "train"), *name = pr_node_member(policy, "name");
    grid_t g = {.n = 0};
    long long n = 1;
    pr_status_t status = PR_OK;
    if (policy->kind == PR_NODE_GROUP && train && train->kind == PR_NODE_GROUP && name && name->kind == PR_NODE_STRING)
        status = find_lists(train, "", &g, err);
    for (int j = 0; j < g.n && n <= PR_MAX_POLICIES; j++)
        n *= g.list[j]->n;
    if (status == PR_OK && list->n + n > PR_MAX_POLICIES)
        status = pr_fail(err, PR_ERR_CONFIG,
                         "%s: policies: found more than %d, with every combination of what train has "
                         "lists of",
                         policy->where, PR_MAX_POLICIES);
    for (int i = 0; status == PR_OK && i < (int)n; i++) {
        family[list->n] = g.n > 0 ? pr_strdup(name->s) : NULL;
        pr_node_append(list, g.n > 0 ? combination(policy, &g, i) : pr_node_copy(policy));
    }
    grid_clear(&g);
    return status;
}

pr_status_t pr_policies_expand(const pr_node_t *list, pr_node_t **out, char **family, pr_error_t *err)
{
    *out = pr_node_copy(list);
    pr_node_clear(*out);
    for (int i = 0; i < list->n; i++)
        PR_TRY(expand(list->child[i], *out, family, err));
    return PR_OK;
}
