// SPDX-License-Identifier: BSD-3-Clause
/* A configuration as a tree, before the table of keys gives it meaning: what libconfig read from a file, or JSON, with
 * the place that each value came from, so that a message can name it. `--set key=value` changes it. */
#ifndef PR_OPTION_TREE_H
#define PR_OPTION_TREE_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    PR_NODE_GROUP,
    PR_NODE_LIST, // libconfig's lists ( ) and arrays [ ]
    PR_NODE_STRING,
    PR_NODE_INT,
    PR_NODE_REAL,
    PR_NODE_BOOL
} pr_node_kind_t;

typedef struct pr_node {
    pr_node_kind_t kind;
    char *name;  // NULL for the root and the elements of lists
    char *where; // "sweep.cfg:12", "--set finetune.steps=3"
    bool array;  // LIST: written [ ]
    int64_t i;   // INT, BOOL
    double r;    // REAL
    char *s;     // STRING, valid UTF-8
    int n;       // children of GROUP and LIST
    struct pr_node **child;
} pr_node_t;

/* Parses libconfig text; path is for messages. Integers that do not fit into 32 bits need no L; @include is refused.
 * Errors: PR_ERR_CONFIG. Caller frees with pr_node_free. */
pr_status_t pr_node_from_text(const char *text, const char *path, pr_node_t **out, pr_error_t *err);
/* From JSON; null members count as absent. */
pr_status_t pr_node_from_json(const json_t *value, const char *where, pr_node_t **out, pr_error_t *err);
/* New reference. */
json_t *pr_node_json(const pr_node_t *node);
/* Applies one "key=value": value in libconfig's syntax, or plain text where that is not valid libconfig. Key:
 * "finetune.lora.r", "objectives.[1].name" or "objectives[1].name"; groups on the way are made where missing. */
pr_status_t pr_node_override(pr_node_t *root, const char *text, pr_error_t *err);
/* The child of that name, or NULL; group may be NULL. */
const pr_node_t *pr_node_member(const pr_node_t *group, const char *name);
/* The node at "a.b.c" below group, or NULL. */
const pr_node_t *pr_node_find(const pr_node_t *group, const char *path);
void pr_node_free(pr_node_t **node);
/* The caller frees. */
pr_node_t *pr_node_copy(const pr_node_t *node);
/* Makes a node hold what another holds, under its own name. */
void pr_node_replace(pr_node_t *node, const pr_node_t *by);
/* Drops the children. */
void pr_node_clear(pr_node_t *node);
/* child is taken over. */
void pr_node_append(pr_node_t *parent, pr_node_t *child);

#endif
