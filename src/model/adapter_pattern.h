// SPDX-License-Identifier: BSD-3-Clause
/* Python regular expressions over module names, by PCRE2, with bounds on time and memory since they come from files. */
#ifndef PR_MODEL_ADAPTER_PATTERN_H
#define PR_MODEL_ADAPTER_PATTERN_H

#include "base/error.h"

#include <stdbool.h>

typedef struct pr_pattern pr_pattern_t;

/* suffix false: re.fullmatch(text, name). suffix true: PEFT's re.match("(.*\.)?(text)$", name), as the keys of
 * rank_pattern are matched. where names file and key for messages. Errors: PR_ERR_FORMAT. */
pr_status_t pr_pattern_new(const char *text, bool suffix, const char *where, pr_pattern_t **out, pr_error_t *err);
void pr_pattern_free(pr_pattern_t **p);
/* Errors: PR_ERR_FORMAT when the match passes its bounds. */
pr_status_t pr_pattern_match(const pr_pattern_t *p, const char *name, bool *matches, pr_error_t *err);

#endif
