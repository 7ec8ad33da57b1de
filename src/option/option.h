/* Options: a table says each one's key, kind, default, range and help, and drives reading, messages, help and pages. */
#ifndef PR_OPTION_OPTION_H
#define PR_OPTION_OPTION_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>

typedef enum {
    PR_OPT_STRING,
    PR_OPT_FILE,
    PR_OPT_DIR,
    PR_OPT_INT,
    PR_OPT_REAL,
    PR_OPT_BOOL,
    PR_OPT_STRINGS,
    PR_OPT_DURATION, // "90s", or a number of seconds; resolved to seconds
    PR_OPT_COMMAND   // a list of strings (program and arguments), or one string for /bin/sh -c; resolved to a list
} pr_option_kind_t;

typedef struct pr_option {
    const char *key;
    pr_option_kind_t kind;
    const char
        *dflt; // as JSON, which is also how a .cfg writes it; "" none, and then the key may be absent; NULL: required
    double min, max;     // of numbers and durations, where min < max
    const char *choices; // of strings: "none|sigmoid|softmax"; NULL: any
    bool incidental;     // does not change the scores: not a part of the identity
    const char *help;
} pr_option_t;

/* Fills in defaults and checks keys, types, ranges and that files exist (dir: what relative names are relative to;
 * NULL: the current directory). table ends with a NULL key; given may be NULL. *out is a new reference; resolving it
 * again changes nothing. Unknown keys name the nearest known one. Errors: PR_ERR_CONFIG, PR_ERR_NOT_FOUND. */
pr_status_t pr_options_resolve(const pr_option_t *table, const json_t *given, const char *dir, json_t **out,
                               pr_error_t *err);

/* Values of resolved options. An option with a default, or a required one, is always there; asking for an absent
 * number is a programming error. */
bool pr_option_given(const json_t *options, const char *key);
/* Points into options; NULL when absent. */
const char *pr_option_string(const json_t *options, const char *key);
int pr_option_int(const json_t *options, const char *key);
double pr_option_real(const json_t *options, const char *key);
bool pr_option_bool(const json_t *options, const char *key);
/* The file or directory, joined with dir; NULL when absent. Caller frees. */
char *pr_option_path(const json_t *options, const char *key, const char *dir);

#endif
