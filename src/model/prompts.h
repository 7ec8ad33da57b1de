// SPDX-License-Identifier: BSD-3-Clause
/* Prompt files: JSON lines, each an object with "prompt" (a string that is not empty) and optionally "id" (a string or
 * an integer); other members are passed over, and so are blank lines. */
#ifndef PR_MODEL_PROMPTS_H
#define PR_MODEL_PROMPTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { PR_MAX_PROMPT_BYTES = 1 << 20, PR_MAX_PROMPTS = 10000000 };

typedef struct pr_prompts {
    int n;
    char **text;    // [n] UTF-8 without NUL
    char **id;      // [n] the file's id, or the prompt's number counted from 0
    bool *numbered; // [n] the id is the integer that it reads as
} pr_prompts_t;

/* Reads a file; there is at least one prompt in the result. Caller frees with pr_prompts_free. Errors:
 * PR_ERR_NOT_FOUND, PR_ERR_FORMAT (file:line: found, expected). */
pr_status_t pr_prompts_load(const char *path, pr_prompts_t **out, pr_error_t *err);
void pr_prompts_free(pr_prompts_t **p);

#endif
