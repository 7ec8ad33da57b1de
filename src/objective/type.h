/* What the types share: their declarations, and reading of resolved options. */
#ifndef PR_OBJECTIVE_TYPE_H
#define PR_OBJECTIVE_TYPE_H

#include "objective/objective.h"
#include "objective/text.h"

extern const pr_objective_type_t pr_objective_brevity, pr_objective_command, pr_objective_distinct,
    pr_objective_empathy, pr_objective_fluency, pr_objective_length_target, pr_objective_lexicon,
    pr_objective_linear_head, pr_objective_match, pr_objective_readability, pr_objective_reflection,
    pr_objective_repetition, pr_objective_reward_model;

/* Lines of a word or phrase file (UTF-8, at most 4 MiB): without '#' comments, stripped, blank ones skipped. number is
 * the line's, from 1. Stops at the first error of the callback. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT. */
typedef pr_status_t (*pr_line_fn)(void *self, const char *path, size_t number, pr_span_t line, pr_error_t *err);
pr_status_t pr_read_lines(const char *path, pr_line_fn each, void *self, pr_error_t *err);

/* For types whose state is one block: frees o->self. */
void pr_objective_free_self(pr_objective_t *o);

#endif
