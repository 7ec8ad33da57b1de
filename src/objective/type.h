// SPDX-License-Identifier: BSD-3-Clause
/* What the types share: their declarations, and reading of resolved options. */
#ifndef PR_OBJECTIVE_TYPE_H
#define PR_OBJECTIVE_TYPE_H

#include "objective/objective.h"
#include "objective/text.h"

/* Every type's word, in order of name: a type is one file, obj_NAME.c, which fills in one pr_objective_type_t, and one
 * word here. */
#define PR_OBJECTIVE_LIST(X)                                                                                           \
    X(brevity)                                                                                                         \
    X(command)                                                                                                         \
    X(distinct)                                                                                                        \
    X(empathy)                                                                                                         \
    X(fluency)                                                                                                         \
    X(length_target)                                                                                                   \
    X(lexicon)                                                                                                         \
    X(linear_head)                                                                                                     \
    X(match)                                                                                                           \
    X(readability)                                                                                                     \
    X(reflection)                                                                                                      \
    X(repetition)                                                                                                      \
    X(reward_model)
#define PR_OBJECTIVE_DECLARE(name) extern const pr_objective_type_t pr_objective_##name;
PR_OBJECTIVE_LIST(PR_OBJECTIVE_DECLARE)
#undef PR_OBJECTIVE_DECLARE

/* Lines of a word or phrase file (UTF-8, at most 4 MiB): without '#' comments, stripped, blank ones skipped. number is
 * the line's, from 1. Stops at the first error of the callback. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT. */
typedef pr_status_t (*pr_line_fn)(void *self, const char *path, size_t number, pr_span_t line, pr_error_t *err);
pr_status_t pr_read_lines(const char *path, pr_line_fn each, void *self, pr_error_t *err);

/* Makes a failure one of an objective that has never scored anything, and returns its status. */
pr_status_t pr_objective_never_scored(pr_error_t *err);

/* For types whose state is one block: frees o->self. */
void pr_objective_free_self(pr_objective_t *o);

#endif
