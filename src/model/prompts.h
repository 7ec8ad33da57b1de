// SPDX-License-Identifier: BSD-3-Clause
/* Prompt files: JSON lines, each an object with "prompt" (a string that is not empty), or without it "messages" (a
 * conversation, which the model's chat template makes a text of: chat/chat.h), the same in all lines of a file; and
 * optionally "id" (a string or an integer). Other members are passed over, and so are blank lines. */
#ifndef PR_MODEL_PROMPTS_H
#define PR_MODEL_PROMPTS_H

#include "base/error.h"
#include "chat/chat.h"

#include <stdbool.h>
#include <stddef.h>

enum { PR_MAX_PROMPT_BYTES = 1 << 20, PR_MAX_PROMPTS = 10000000 };

typedef struct pr_prompts {
    int n;
    char **text;    // [n] UTF-8 without NUL
    char **id;      // [n] the file's id, or the prompt's number counted from 0
    bool *numbered; // [n] the id is the integer that it reads as
    bool chat;      // texts are rendered conversations, which bring the special tokens that a tokenizer would add
} pr_prompts_t;

/* How conversations become texts: of the fields of chat/chat.h those that a file's share. */
typedef struct pr_chat_options pr_prompt_chat_t;

/* Reads a file; there is at least one prompt in the result. Caller frees with pr_prompts_free. Errors:
 * PR_ERR_NOT_FOUND, PR_ERR_FORMAT (file:line: found, expected). */
pr_status_t pr_prompts_load(const char *path, pr_prompts_t **out, pr_error_t *err);
/* The same of files that may hold conversations. Errors: those of pr_chat_render too. */
pr_status_t pr_prompts_load_chat(const char *path, const pr_prompt_chat_t *chat, pr_prompts_t **out, pr_error_t *err);
void pr_prompts_free(pr_prompts_t **p);

#endif
