// SPDX-License-Identifier: BSD-3-Clause
#include "option/tree.h"
#include "base/mem.h"
#include "option/syntax.h"

#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

static pr_node_t *node_new(pr_node_kind_t kind, const char *name, const char *where)
{
    pr_node_t *node = pr_alloc(1, sizeof *node);
    node->kind = kind;
    node->name = name ? pr_strdup(name) : NULL;
    node->where = pr_strdup(where);
    return node;
}

void pr_node_free(pr_node_t **node)
{
    if (!*node)
        return;
    for (int i = 0; i < (*node)->n; i++)
        pr_node_free(&(*node)->child[i]);
    free((*node)->child);
    free((*node)->name);
    free((*node)->where);
    free((*node)->s);
    free(*node);
    *node = NULL;
}

void pr_node_append(pr_node_t *parent, pr_node_t *child)
{
    parent->child = pr_realloc(parent->child, (size_t)parent->n + 1, sizeof *parent->child);
    parent->child[parent->n++] = child;
}

void pr_node_clear(pr_node_t *node)
{
    for (int i = 0; i < node->n; i++)
        pr_node_free(&node->child[i]);
    free(node->child);
    free(node->s);
    node->child = NULL;
    node->s = NULL;
    node->n = 0;
}

void pr_node_replace(pr_node_t *node, const pr_node_t *by)
{
    pr_node_clear(node);
    node->kind = by->kind;
    node->array = by->array;
    node->i = by->i;
    node->r = by->r;
    node->s = by->s ? pr_strdup(by->s) : NULL;
    free(node->where);
    node->where = pr_strdup(by->where);
    for (int i = 0; i < by->n; i++)
        pr_node_append(node, pr_node_copy(by->child[i]));
}

pr_node_t *pr_node_copy(const pr_node_t *node)
{
    pr_node_t *copy = node_new(node->kind, node->name, node->where);
    pr_node_replace(copy, node);
    return copy;
}

static pr_status_t check_utf8(const char *text, const char *where, pr_error_t *err)
{
    json_t *probe = json_string(text);
    if (!probe)
        return pr_fail(err, PR_ERR_CONFIG, "%s: found text that is not UTF-8", where);
    json_decref(probe);
    return PR_OK;
}

/* ---- libconfig ---- */

// Is this an integer, decimal or with 0x, with or without L? errno is ERANGE where 64 bits do not hold it.
static bool is_integer(const char *token, long long *value)
{
    char *end;
    size_t sign = *token == '-' || *token == '+';
    bool hex =
        sign == 0 && token[0] == '0' && (token[1] == 'x' || token[1] == 'X') && isxdigit((unsigned char)token[2]);
    if (!isdigit((unsigned char)token[sign]))
        return false;
    errno = 0;
    *value = strtoll(token, &end, hex ? 16 : 10);
    return strcmp(end, "") == 0 || strcmp(end, "L") == 0 || strcmp(end, "LL") == 0;
}

// Is this a number that is not 0, but that a double takes for 0?
static bool vanishes(const char *token)
{
    char *end;
    errno = 0;
    double value = strtod(token, &end);
    return !isalpha((unsigned char)*token) && end != token && !*end && value == 0 && errno == ERANGE;
}

/* libconfig silently cuts integers without an L to 32 bits, and others to 64; put the L there, or refuse. Lines stay
 * what they are. */
static pr_status_t widen_token(const char *token, size_t len, const char *path, int line, pr_buf_t *out,
                               pr_error_t *err)
{
    char *copy = pr_strndup(token, len);
    long long value;
    pr_status_t status = PR_OK;
    if (is_integer(copy, &value)) {
        if (errno == ERANGE)
            status = pr_fail(err, PR_ERR_CONFIG, "%s:%d: found the integer %.60s, expected one from %lld to %lld", path,
                             line, copy, LLONG_MIN, LLONG_MAX);
        pr_buf_printf(out, value > INT_MAX || value < INT_MIN ? "%lldL" : "%lld", value);
    } else {
        if (vanishes(copy))
            status = pr_fail(err, PR_ERR_CONFIG, "%s:%d: found the number %.60s, expected 0 or one from 2.2e-308 on",
                             path, line, copy);
        pr_buf_add(out, token, len);
    }
    free(copy);
    return status;
}

/* libconfig 1.5 calls a comma too many in a list a syntax error and says no more; 1.7 takes one. last: what stands
 * before p that is neither blank nor comment. */
static pr_status_t check_comma(char last, const char *p, const char *path, int line, pr_error_t *err)
{
    bool opens = last == '(' || last == '[', comma = last == ',';
    if ((comma && strchr(")],;", *p)) || (opens && *p == ','))
        return pr_fail(err, PR_ERR_CONFIG, "%s:%d: found '%c', expected a value: there is a comma too many", path, line,
                       *p);
    return PR_OK;
}

/* The first element of a list that was written as an array: no string of a user's, which are UTF-8. */
#define ARRAY "\xff["

// What libconfig is given instead of the text, line by line the same.
static pr_status_t normalise(const char *text, const char *path, pr_buf_t *out, pr_error_t *err)
{
    int line = 1;
    char last = 0;
    bool opened = false; // an array, whose first element is to come
    for (const char *p = text; *p;) {
        bool closed;
        size_t n = pr_syntax_opaque(p, &closed);
        if (!closed)
            return pr_fail(err, PR_ERR_CONFIG, "%s:%d: found a %s that does not end", path, line,
                           *p == '"' ? "string" : "comment");
        bool blank = n > 0 ? *p != '"' : isspace((unsigned char)*p) != 0;
        if (!blank) {
            PR_TRY(check_comma(last, p, path, line, err));
            last = *p;
            if (opened)
                pr_buf_printf(out, "\"%s\"%s", ARRAY, *p == ']' ? "" : ", ");
            opened = false;
        }
        if (n > 0) {
            pr_buf_add(out, p, n);
        } else if ((n = pr_syntax_token(p)) > 0) {
            PR_TRY(widen_token(p, n, path, line, out, err));
        } else if (*p == '@') {
            return pr_fail(err, PR_ERR_CONFIG, "%s:%d: found '@', expected a setting (@include is not supported)", path,
                           line);
        } else {
            // libconfig's arrays hold one type only, so that [0, 0.5] would be an error; its lists do not mind.
            n = 1;
            pr_buf_add(out, *p == '[' ? "(" : *p == ']' ? ")" : p, 1);
            opened = *p == '[';
        }
        for (size_t i = 0; i < n; i++)
            line += p[i] == '\n';
        p += n;
    }
    pr_buf_puts(out, "\n");
    return PR_OK;
}

static pr_status_t from_setting(const config_setting_t *s, const char *path, int depth, pr_node_t **out,
                                pr_error_t *err);

static pr_status_t children_from_setting(const config_setting_t *s, const char *path, int depth, pr_node_t *node,
                                         pr_error_t *err)
{
    if (depth >= MAX_DEPTH)
        return pr_fail(err, PR_ERR_CONFIG, "%s: nested more than %d deep", node->where, MAX_DEPTH);
    const config_setting_t *first = config_setting_length(s) > 0 ? config_setting_get_elem(s, 0) : NULL;
    const char *text = first && node->kind == PR_NODE_LIST ? config_setting_get_string(first) : NULL;
    node->array = text && strcmp(text, ARRAY) == 0;
    for (int i = node->array; i < config_setting_length(s); i++) {
        pr_node_t *child;
        PR_TRY(from_setting(config_setting_get_elem(s, (unsigned)i), path, depth + 1, &child, err));
        pr_node_append(node, child);
    }
    return PR_OK;
}

static pr_node_kind_t kind_of_setting(const config_setting_t *s)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_GROUP:
        return PR_NODE_GROUP;
    case CONFIG_TYPE_STRING:
        return PR_NODE_STRING;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return PR_NODE_INT;
    case CONFIG_TYPE_FLOAT:
        return PR_NODE_REAL;
    case CONFIG_TYPE_BOOL:
        return PR_NODE_BOOL;
    default:
        return PR_NODE_LIST;
    }
}

static pr_status_t from_setting(const config_setting_t *s, const char *path, int depth, pr_node_t **out,
                                pr_error_t *err)
{
    char where[512];
    if (s->line > 0)
        snprintf(where, sizeof where, "%s:%u", path, s->line);
    else
        snprintf(where, sizeof where, "%s", path);
    pr_node_t *node = node_new(kind_of_setting(s), config_setting_name(s), where);
    pr_status_t status = PR_OK;
    switch (node->kind) {
    case PR_NODE_GROUP:
    case PR_NODE_LIST:
        PR_GO(children_from_setting(s, path, depth, node, err));
        break;
    case PR_NODE_STRING:
        node->s = pr_strdup(config_setting_get_string(s));
        PR_GO(check_utf8(node->s, where, err));
        break;
    case PR_NODE_INT:
        node->i = config_setting_get_int64(s);
        break;
    case PR_NODE_REAL:
        node->r = config_setting_get_float(s);
        break;
    case PR_NODE_BOOL:
        node->i = config_setting_get_bool(s);
        break;
    }
    *out = node;
    return PR_OK;
done:
    pr_node_free(&node);
    return status;
}

pr_status_t pr_node_from_text(const char *text, const char *path, pr_node_t **out, pr_error_t *err)
{
    static const char mark[] = "\xEF\xBB\xBF"; // a byte order mark, which some editors write
    config_t config;
    pr_buf_t wide = {0};
    if (strncmp(text, mark, sizeof mark - 1) == 0)
        text += sizeof mark - 1;
    pr_status_t status = pr_syntax_begins(text, path, err);
    if (status == PR_OK)
        status = normalise(text, path, &wide, err);
    if (status != PR_OK) {
        pr_buf_free(&wide);
        return status;
    }
    config_init(&config);
    if (config_read_string(&config, wide.data)) {
        status = from_setting(config_root_setting(&config), path, 0, out, err);
    } else {
        (void)pr_syntax_refused(text, path, config_error_line(&config), config_error_text(&config), err);
        status = PR_ERR_CONFIG;
    }
    config_destroy(&config);
    pr_buf_free(&wide);
    return status;
}

/* ---- JSON ---- */

static pr_status_t from_json(const json_t *v, const char *name, const char *where, int depth, pr_node_t **out,
                             pr_error_t *err);

static pr_status_t children_from_json(const json_t *v, int depth, pr_node_t *node, pr_error_t *err)
{
    if (depth >= MAX_DEPTH)
        return pr_fail(err, PR_ERR_CONFIG, "%s: nested more than %d deep", node->where, MAX_DEPTH);
    pr_node_t *child;
    const char *name;
    json_t *member;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)v, name, member)
    {
        if (json_is_null(member))
            continue;
        PR_TRY(from_json(member, name, node->where, depth + 1, &child, err));
        pr_node_append(node, child);
    }
    json_array_foreach(v, i, member)
    {
        PR_TRY(from_json(member, NULL, node->where, depth + 1, &child, err));
        pr_node_append(node, child);
    }
    return PR_OK;
}

static pr_status_t kind_of_json(const json_t *v, const char *where, pr_node_kind_t *kind, pr_error_t *err)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        *kind = PR_NODE_GROUP;
        return PR_OK;
    case JSON_ARRAY:
        *kind = PR_NODE_LIST;
        return PR_OK;
    case JSON_STRING:
        *kind = PR_NODE_STRING;
        return PR_OK;
    case JSON_INTEGER:
        *kind = PR_NODE_INT;
        return PR_OK;
    case JSON_REAL:
        *kind = PR_NODE_REAL;
        return PR_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        *kind = PR_NODE_BOOL;
        return PR_OK;
    default:
        return pr_fail(err, PR_ERR_CONFIG, "%s: found null in a list", where);
    }
}

static pr_status_t from_json(const json_t *v, const char *name, const char *where, int depth, pr_node_t **out,
                             pr_error_t *err)
{
    pr_node_kind_t kind;
    PR_TRY(kind_of_json(v, where, &kind, err));
    pr_node_t *node = node_new(kind, name, where);
    pr_status_t status = PR_OK;
    if (kind == PR_NODE_GROUP || kind == PR_NODE_LIST) {
        PR_GO(children_from_json(v, depth, node, err));
    } else if (kind == PR_NODE_STRING) {
        node->s = pr_strdup(json_string_value(v));
        if (strlen(node->s) != json_string_length(v))
            PR_GO(pr_fail(err, PR_ERR_CONFIG, "%s: found a NUL character in a text", where));
    } else {
        node->i = json_is_boolean(v) ? json_is_true(v) : json_integer_value(v);
        node->r = json_real_value(v);
    }
    *out = node;
    return PR_OK;
done:
    pr_node_free(&node);
    return status;
}

pr_status_t pr_node_from_json(const json_t *value, const char *where, pr_node_t **out, pr_error_t *err)
{
    return from_json(value, NULL, where, 0, out, err);
}

json_t *pr_node_json(const pr_node_t *node)
{
    json_t *v = NULL;
    switch (node->kind) {
    case PR_NODE_GROUP:
        v = json_object();
        for (int i = 0; i < node->n; i++)
            json_object_set_new(v, node->child[i]->name, pr_node_json(node->child[i]));
        break;
    case PR_NODE_LIST:
        v = json_array();
        for (int i = 0; i < node->n; i++)
            json_array_append_new(v, pr_node_json(node->child[i]));
        break;
    case PR_NODE_STRING:
        v = json_string(node->s);
        break;
    case PR_NODE_INT:
        v = json_integer(node->i);
        break;
    case PR_NODE_REAL:
        v = pr_json_any_real(node->r);
        break;
    case PR_NODE_BOOL:
        v = json_boolean(node->i);
        break;
    }
    return v;
}

/* ---- look-ups ---- */

const pr_node_t *pr_node_member(const pr_node_t *group, const char *name)
{
    for (int i = 0; group && group->kind == PR_NODE_GROUP && i < group->n; i++)
        if (strcmp(group->child[i]->name, name) == 0)
            return group->child[i];
    return NULL;
}

const pr_node_t *pr_node_find(const pr_node_t *group, const char *path)
{
    char name[64];
    size_t n = strcspn(path, ".");
    snprintf(name, sizeof name, "%.*s", (int)n, path);
    const pr_node_t *child = pr_node_member(group, name);
    return child && path[n] ? pr_node_find(child, path + n + 1) : child;
}

/* ---- overrides ---- */

static void rename_places(pr_node_t *node, const char *where)
{
    free(node->where);
    node->where = pr_strdup(where);
    for (int i = 0; i < node->n; i++)
        rename_places(node->child[i], where);
}

static pr_status_t parse_value(const char *value, const char *where, pr_node_t **out, pr_error_t *err)
{
    pr_buf_t text = {0};
    pr_node_t *group = NULL;
    pr_buf_printf(&text, "v = %s\n;", value);
    pr_status_t status = pr_node_from_text(text.data, where, &group, err);
    pr_buf_free(&text);
    if (status == PR_OK && group->n != 1)
        status = pr_fail(err, PR_ERR_CONFIG, "%s: expected one value", where);
    if (status != PR_OK && !strpbrk(value, "\"=;(){}[]@") && *value) {
        // A word or a file name, for which a shell user should not have to write two kinds of quotes.
        status = check_utf8(value, where, err);
        *out = status == PR_OK ? node_new(PR_NODE_STRING, NULL, where) : NULL;
        if (*out)
            (*out)->s = pr_strdup(value);
    } else if (status == PR_OK) {
        *out = group->child[0];
        group->n = 0;
        rename_places(*out, where);
    } else if (err) {
        pr_fail(err, PR_ERR_CONFIG, "%s: expected a value in libconfig's syntax: \"text\", 1, 0.5, true, ( list )",
                where);
    }
    pr_node_free(&group);
    return status;
}

// Takes the first step of a path: "[3]" gives index 3, "name" gives name and index -1. Returns what follows, or NULL.
static const char *next_step(const char *path, char name[64], int *index)
{
    *index = -1;
    name[0] = 0;
    if (*path == '[') {
        char *end;
        long i = strtol(path + 1, &end, 10);
        if (end == path + 1 || *end != ']' || i < 0 || i > 9999)
            return NULL;
        *index = (int)i;
        path = end + 1;
    } else {
        size_t n = strcspn(path, ".[");
        if (n == 0 || n > 63)
            return NULL;
        snprintf(name, 64, "%.*s", (int)n, path);
        path += n;
    }
    return *path == '.' ? path + 1 : path;
}

static pr_status_t find_slot(pr_node_t *parent, const char *name, int index, const char *where, int *slot,
                             pr_error_t *err)
{
    if (index >= 0) {
        if (parent->kind != PR_NODE_LIST || index > parent->n)
            return pr_fail(err, PR_ERR_CONFIG, "%s: there is no element [%d] (%s)", where, index,
                           parent->kind == PR_NODE_LIST ? "the list is shorter" : "not a list");
        *slot = index;
        return PR_OK;
    }
    if (parent->kind == PR_NODE_LIST)
        return pr_fail(err, PR_ERR_CONFIG, "%s: '%s' is to be looked for in a list; say in which element, as in [0].%s",
                       where, name, name);
    if (parent->kind != PR_NODE_GROUP)
        return pr_fail(err, PR_ERR_CONFIG, "%s: '%s' is to be looked for in what is not a group", where, name);
    for (*slot = 0; *slot < parent->n; ++*slot)
        if (strcmp(parent->child[*slot]->name, name) == 0)
            return PR_OK;
    return PR_OK;
}

static void put_child(pr_node_t *parent, int slot, const char *name, pr_node_t *value)
{
    free(value->name);
    value->name = name[0] ? pr_strdup(name) : NULL;
    if (slot == parent->n) {
        pr_node_append(parent, value);
        return;
    }
    pr_node_free(&parent->child[slot]);
    parent->child[slot] = value;
}

static pr_status_t set_at(pr_node_t *parent, const char *path, const char *where, pr_node_t **value, pr_error_t *err)
{
    char name[64];
    int index, slot = 0;
    const char *rest = next_step(path, name, &index);
    if (!rest)
        return pr_fail(err, PR_ERR_CONFIG, "%s: expected a key such as finetune.steps or objectives.[0].name", where);
    PR_TRY(find_slot(parent, name, index, where, &slot, err));
    if (*rest && slot == parent->n)
        put_child(parent, slot, name, node_new(*rest == '[' ? PR_NODE_LIST : PR_NODE_GROUP, NULL, where));
    if (*rest)
        return set_at(parent->child[slot], rest, where, value, err);
    put_child(parent, slot, name, *value);
    *value = NULL;
    return PR_OK;
}

pr_status_t pr_node_override(pr_node_t *root, const char *text, pr_error_t *err)
{
    char where[256];
    snprintf(where, sizeof where, "--set %s", text);
    const char *equals = strchr(text, '=');
    if (!equals)
        return pr_fail(err, PR_ERR_CONFIG, "%s: expected key=value", where);
    pr_node_t *value = NULL;
    PR_TRY(parse_value(equals + 1, where, &value, err));
    char *key = pr_strndup(text, (size_t)(equals - text));
    while (*key && isspace((unsigned char)key[strlen(key) - 1]))
        key[strlen(key) - 1] = 0;
    pr_status_t status = set_at(root, key, where, &value, err);
    free(key);
    pr_node_free(&value);
    return status;
}
