/* From a tree to the structures, by the table of keys. */
#include "base/file.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "config/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pr_status_t pr_key_wrong(const pr_node_t *node, const char *label, const char *key, const char *expected,
                         pr_error_t *err)
{
    char found[128];
    pr_node_describe(node, found, sizeof found);
    return pr_fail(err, PR_ERR_CONFIG, "%s: %s%s: found %s, expected %s", node->where, label, key, found, expected);
}

static pr_status_t wrong(const pr_key_t *key, const pr_node_t *node, const char *label, pr_error_t *err)
{
    static const char *const one[] = {[PR_KEY_STRING] = "a string",
                                      [PR_KEY_PATH] = "a file name",
                                      [PR_KEY_BOOL] = "true or false",
                                      [PR_KEY_INT] = "an integer",
                                      [PR_KEY_INT64] = "an integer",
                                      [PR_KEY_REAL] = "a number",
                                      [PR_KEY_CHOICE] = "one of",
                                      [PR_KEY_SWITCH] = "one of",
                                      [PR_KEY_STRINGS] = "a list of strings",
                                      [PR_KEY_INTS] = "a list of integers",
                                      [PR_KEY_INT64S] = "a list of integers",
                                      [PR_KEY_REALS] = "a list of numbers"};
    char expected[256];
    snprintf(expected, sizeof expected, "%s%s%s", one[key->kind], key->doc.range[0] ? " " : "", key->doc.range);
    return pr_key_wrong(node, label, pr_key_local(key), expected, err);
}

static bool in_range(const pr_key_t *key, double value)
{
    return (value >= key->min && value <= key->max) || (key->or_0 && value == 0);
}

// A number of the key's kind and range; whole numbers stand for numbers.
static bool number_of(const pr_key_t *key, const pr_node_t *node, bool whole, double *value)
{
    if (node->kind != PR_NODE_INT && (whole || node->kind != PR_NODE_REAL))
        return false;
    *value = node->kind == PR_NODE_INT ? (double)node->i : node->r;
    return in_range(key, *value);
}

// The place of word among "a | b | c", or -1.
static int choice_index(const char *words, const char *word)
{
    int index = 0;
    size_t len = strlen(word);
    for (const char *p = words; *p; index++) {
        size_t n = strcspn(p, " ");
        if (n == len && strncmp(p, word, n) == 0)
            return index;
        p += n;
        p += strspn(p, " |");
    }
    return -1;
}

static pr_status_t read_strings(const pr_key_t *key, const pr_node_t *node, const char *label, pr_strings_t *out,
                                pr_error_t *err)
{
    const pr_node_t *const *item = (const pr_node_t *const *)node->child;
    int n = node->n;
    if (node->kind == PR_NODE_STRING) {
        item = &node;
        n = 1;
    } else if (node->kind != PR_NODE_LIST) {
        return wrong(key, node, label, err);
    }
    if (n > key->max_n)
        return pr_fail(err, PR_ERR_CONFIG, "%s: %s%s: found %d texts, expected at most %d", node->where, label,
                       pr_key_local(key), n, key->max_n);
    for (int i = 0; i < n; i++)
        if (item[i]->kind != PR_NODE_STRING || !item[i]->s[0])
            return pr_key_wrong(item[i], label, pr_key_local(key), "texts that are not empty", err);
    out->item = pr_alloc((size_t)n, sizeof *out->item);
    for (out->n = 0; out->n < n; out->n++)
        out->item[out->n] = pr_strdup(item[out->n]->s);
    return PR_OK;
}

static pr_status_t read_numbers(const pr_key_t *key, const pr_node_t *node, const char *label, char *base,
                                pr_error_t *err)
{
    if (node->kind != PR_NODE_LIST)
        return wrong(key, node, label, err);
    if (node->n > key->max_n)
        return pr_fail(err, PR_ERR_CONFIG, "%s: %s%s: found %d numbers, expected at most %d", node->where, label,
                       pr_key_local(key), node->n, key->max_n);
    for (int i = 0; i < node->n; i++) {
        double value;
        if (!number_of(key, node->child[i], key->kind != PR_KEY_REALS, &value))
            return wrong(key, node->child[i], label, err);
        if (key->kind == PR_KEY_REALS)
            ((double *)(void *)(base + key->offset))[i] = value;
        else if (key->kind == PR_KEY_INT64S)
            ((int64_t *)(void *)(base + key->offset))[i] = node->child[i]->i;
        else
            ((int *)(void *)(base + key->offset))[i] = (int)node->child[i]->i;
    }
    *(int *)(void *)(base + key->count) = node->n;
    return PR_OK;
}

static pr_status_t read_word(const pr_key_t *key, const pr_node_t *node, const char *label, const char *dir, void *at,
                             pr_error_t *err)
{
    if (node->kind != PR_NODE_STRING || !node->s[0])
        return wrong(key, node, label, err);
    int choice = choice_index(key->doc.range, node->s);
    if ((key->kind == PR_KEY_CHOICE || key->kind == PR_KEY_SWITCH) && choice < 0)
        return wrong(key, node, label, err);
    if (key->kind == PR_KEY_SWITCH)
        *(bool *)at = choice == 1;
    else
        *(char **)at = key->kind == PR_KEY_PATH ? pr_path_join(dir, node->s) : pr_strdup(node->s);
    return PR_OK;
}

static pr_status_t read_key(const pr_key_t *key, const pr_node_t *node, const char *label, const char *dir, char *base,
                            pr_error_t *err)
{
    void *at = base + key->offset;
    double value;
    switch (key->kind) {
    case PR_KEY_STRING:
    case PR_KEY_PATH:
    case PR_KEY_CHOICE:
    case PR_KEY_SWITCH:
        return read_word(key, node, label, dir, at, err);
    case PR_KEY_STRINGS:
        return read_strings(key, node, label, at, err);
    case PR_KEY_INTS:
    case PR_KEY_INT64S:
    case PR_KEY_REALS:
        return read_numbers(key, node, label, base, err);
    case PR_KEY_BOOL:
        if (node->kind != PR_NODE_BOOL)
            return wrong(key, node, label, err);
        *(bool *)at = node->i != 0;
        return PR_OK;
    default:
        if (!number_of(key, node, key->kind != PR_KEY_REAL, &value))
            return wrong(key, node, label, err);
    }
    if (key->kind == PR_KEY_REAL)
        *(double *)at = value;
    else if (key->kind == PR_KEY_INT64)
        *(int64_t *)at = node->i;
    else
        *(int *)at = (int)node->i;
    return PR_OK;
}

// Defaults stand in the table as they would in a file, and are read in the same way.
static pr_status_t read_default(const pr_key_t *key, const char *dir, char *base, pr_error_t *err)
{
    pr_buf_t text = {0};
    pr_node_t *group = NULL;
    pr_buf_printf(&text, "v = %s;", key->doc.dflt);
    pr_status_t status = pr_node_from_text(text.data, "default", &group, err);
    if (status == PR_OK)
        status = read_key(key, group->child[0], "", dir, base, err);
    pr_node_free(&group);
    pr_buf_free(&text);
    return status;
}

pr_status_t pr_section_read(pr_section_t section, const pr_node_t *group, const pr_node_t *fallback, const char *label,
                            const char *dir, void *base, pr_error_t *err)
{
    for (size_t i = 0; i < pr_key_count; i++) {
        const pr_key_t *key = &pr_key_table[i];
        if (key->section != section || key->kind == PR_KEY_SPECIAL)
            continue;
        const pr_node_t *node = pr_node_find(group, pr_key_local(key));
        if (!node)
            node = pr_node_find(fallback, pr_key_local(key));
        if (node)
            PR_TRY(read_key(key, node, label, dir, base, err));
        else if (strcmp(key->doc.dflt, "required") == 0)
            return pr_fail(err, PR_ERR_CONFIG, "%s: %s%s: missing; expected a %s: %s",
                           group ? group->where : "configuration", label, pr_key_local(key), key->doc.type,
                           key->doc.help);
        else if (key->doc.dflt[0])
            PR_TRY(read_default(key, dir, base, err));
    }
    return PR_OK;
}

/* ---- names ---- */

bool pr_section_knows(pr_section_t section, const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < pr_key_count; i++) {
        const char *local = pr_key_local(&pr_key_table[i]);
        if (pr_key_table[i].section == section && strncmp(local, path, len) == 0 &&
            (local[len] == 0 || local[len] == '.'))
            return true;
    }
    return false;
}

static bool is_leaf(pr_section_t section, const char *path)
{
    for (size_t i = 0; i < pr_key_count; i++)
        if (pr_key_table[i].section == section && strcmp(pr_key_local(&pr_key_table[i]), path) == 0)
            return true;
    return false;
}

static pr_status_t unknown(pr_section_t section, const pr_node_t *node, const char *label, const char *path,
                           pr_error_t *err)
{
    const char **names = pr_alloc(pr_key_count, sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < pr_key_count; i++)
        if (pr_key_table[i].section == section)
            names[n++] = pr_key_local(&pr_key_table[i]);
    const char *nearest = pr_nearest(path, names, n);
    pr_fail(err, PR_ERR_CONFIG, "%s: unknown key '%s%s'%s%s%s", node->where, label, path,
            nearest ? "; the nearest known one is '" : " (see: paretorank help config)", nearest ? nearest : "",
            nearest ? "'" : "");
    free(names);
    return PR_ERR_CONFIG;
}

static pr_status_t check_names(pr_section_t section, const pr_node_t *group, const char *label, const char *prefix,
                               pr_error_t *err)
{
    char path[192];
    for (int i = 0; i < group->n; i++) {
        const pr_node_t *child = group->child[i];
        snprintf(path, sizeof path, "%s%s%.100s", prefix, prefix[0] ? "." : "", child->name);
        if (!pr_section_knows(section, path))
            return unknown(section, child, label, path, err);
        if (is_leaf(section, path))
            continue;
        if (child->kind != PR_NODE_GROUP)
            return pr_key_wrong(child, label, path, "a group { ... }", err);
        PR_TRY(check_names(section, child, label, path, err));
    }
    return PR_OK;
}

pr_status_t pr_section_check_names(pr_section_t section, const pr_node_t *group, const char *label, pr_error_t *err)
{
    return check_names(section, group, label, "", err);
}

/* ---- freeing ---- */

static void clear_key(const pr_key_t *key, char *base)
{
    void *at = base + key->offset;
    if (key->kind == PR_KEY_STRINGS) {
        pr_strings_t *s = at;
        for (int i = 0; i < s->n; i++)
            free(s->item[i]);
        free(s->item);
        *s = (pr_strings_t){0};
    } else if (key->kind == PR_KEY_STRING || key->kind == PR_KEY_PATH || key->kind == PR_KEY_CHOICE) {
        free(*(char **)at);
        *(char **)at = NULL;
    }
}

void pr_section_clear(pr_section_t section, void *base)
{
    for (size_t i = 0; i < pr_key_count; i++)
        if (pr_key_table[i].section == section && pr_key_table[i].kind != PR_KEY_SPECIAL)
            clear_key(&pr_key_table[i], base);
}
