// SPDX-License-Identifier: BSD-3-Clause
/* What the parts of the engine share. */
#ifndef PR_OPTION_KINDS_H
#define PR_OPTION_KINDS_H

#include "option/option.h"

typedef struct pr_option_words {
    const char *type;      // in documents
    const char *expected;  // in messages
    bool list;             // of values of the kind each
    pr_option_kind_t each; // itself where it is no list
    bool number;           // or a list of them: min, max and or_0 say something
    bool whole;            // and of integers
} pr_option_words_t;
extern const pr_option_words_t pr_option_kinds[];

/* The ends of what is allowed: the row's, or what the kind holds. */
void pr_option_bounds(const pr_option_t *o, double *min, double *max);
/* The place of a word among the choices, or -1. */
int pr_option_choice(const pr_option_t *o, const char *word);
/* The value at "a.b.c" below a group, or NULL; puts a value (stolen) there. */
json_t *pr_option_at(const json_t *group, const char *key);
void pr_option_put(json_t *group, const char *key, json_t *value);

#endif
