/* The table of keys: one row says a key's type, default, range, help and where its value lives. Reading, --set, help,
 * the dump and JSON all follow it. */
#ifndef PR_CONFIG_KEYS_H
#define PR_CONFIG_KEYS_H

#include "config/config.h"
#include "config/tree.h"

typedef enum {
    PR_KEY_STRING,
    PR_KEY_PATH, // joined with the configuration's directory
    PR_KEY_BOOL,
    PR_KEY_INT,
    PR_KEY_INT64,
    PR_KEY_REAL,
    PR_KEY_CHOICE,  // char *, one of the words of range
    PR_KEY_SWITCH,  // bool: true for the second of the two words of range
    PR_KEY_STRINGS, // pr_strings_t
    PR_KEY_INTS,    // int [max_n]
    PR_KEY_INT64S,  // int64_t [max_n]
    PR_KEY_REALS,   // double [max_n]
    PR_KEY_SPECIAL  // read by code of its own; not a field
} pr_key_kind_t;

/* Which structure a row's offsets count from: pr_config_t, pr_objective_config_t, pr_search_spec_t. */
typedef enum { PR_SECTION_ROOT, PR_SECTION_OBJECTIVE, PR_SECTION_SEARCH } pr_section_t;

typedef struct pr_key {
    pr_config_key_t doc;
    pr_section_t section;
    pr_key_kind_t kind;
    size_t offset, count; // of the field, and of a list's int count
    int max_n;            // of a list
    double min, max;      // of numbers, and of each of a list
    bool or_0;            // 0 is allowed beside min to max
} pr_key_t;

extern const pr_key_t pr_key_table[];
extern const size_t pr_key_count;

/* The key within its section: "name" of "objectives[].name"; "finetune.steps" stays. */
const char *pr_key_local(const pr_key_t *key);

/* Reads the fields of a section from its group (NULL: all defaults), checking types, ranges and unknown keys. fallback:
 * where keys that the group lacks are looked for next, or NULL. label is put before key names in messages
 * ("search[0]."). dir: what PR_KEY_PATH is joined with. Rows of PR_KEY_SPECIAL are left alone. Errors: PR_ERR_CONFIG.
 */
pr_status_t pr_section_read(pr_section_t section, const pr_node_t *group, const pr_node_t *fallback, const char *label,
                            const char *dir, void *base, pr_error_t *err);
/* Errors for keys below group that the table does not know; a section with free keys (objectives' options) does not
 * call it. */
pr_status_t pr_section_check_names(pr_section_t section, const pr_node_t *group, const char *label, pr_error_t *err);
/* Is this the name of a key, or of a group of keys, of the section? */
bool pr_section_knows(pr_section_t section, const char *path);
/* Frees what pr_section_read allocated. */
void pr_section_clear(pr_section_t section, void *base);
/* A section's fields as JSON, nested as in the file. New reference. */
json_t *pr_section_json(pr_section_t section, const void *base);

/* "WHERE: LABELkey: found X, expected Y". */
pr_status_t pr_key_wrong(const pr_node_t *node, const char *label, const char *key, const char *expected,
                         pr_error_t *err);
/* Checks that belong to several keys at once; completes values that depend on others (scalar, evaluate.samples). */
pr_status_t pr_config_check(pr_config_t *c, pr_error_t *err);

#endif
