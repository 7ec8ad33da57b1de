// SPDX-License-Identifier: BSD-3-Clause
/* Structures as JSON objects: a table says which key is which member, and serves both ways, so that what is packed and
 * what is parsed cannot drift apart. */
#ifndef PR_BASE_JSON_FIELDS_H
#define PR_BASE_JSON_FIELDS_H

#include "base/error.h"
#include "base/json.h"

#include <stddef.h>

typedef enum {
    PR_FIELD_INT,   // int
    PR_FIELD_INT64, // int64_t
    PR_FIELD_REAL,  // double, finite
    PR_FIELD_BOOL,  // bool
    PR_FIELD_TEXT,  // const char *, borrowed from the value that is parsed
    PR_FIELD_HASH,  // char [PR_HASH_HEX]; "" is left out and stands for a key that is not there
    PR_FIELD_JSON   // const json_t *, borrowed as text is; NULL is left out
} pr_field_kind_t;

typedef struct pr_field {
    const char *key; // NULL ends a table
    pr_field_kind_t kind;
    size_t offset;
} pr_field_t;

/* A row: the key, the kind without PR_FIELD_, and the member of the structure; and the end of a table. */
#define PR_FIELD(structure, key, kind, member)                                                                         \
    {                                                                                                                  \
        key, PR_FIELD_##kind, offsetof(structure, member)                                                              \
    }
#define PR_FIELDS_END                                                                                                  \
    {                                                                                                                  \
        NULL, PR_FIELD_INT, 0                                                                                          \
    }

/* New reference. */
json_t *pr_fields_pack(const pr_field_t *table, const void *from);
/* Errors: PR_ERR_FORMAT (where and the key: missing, or of another type). */
pr_status_t pr_fields_parse(const pr_field_t *table, const json_t *value, void *to, const char *where, pr_error_t *err);

#endif
