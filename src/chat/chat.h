// SPDX-License-Identifier: BSD-3-Clause
/* Conversations as texts, by the chat template that comes with a model.
 *
 * Templates are programs in Jinja's language. Python's Jinja2 (Debian: python3-jinja2) runs them, in the sandbox that
 * Hugging Face's transformers builds, in one process (chat_template.py) that has a limit of memory and, for every
 * conversation, of processor time. It is the first python3 of the PATH that has Jinja2. Where the template, the special
 * tokens and other variables come from stands there; nothing else of this program needs Python. */
#ifndef PR_CHAT_CHAT_H
#define PR_CHAT_CHAT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_chat_options {
    const char *dir; // the model's
    bool add_generation_prompt, continue_final_message;
    const char *variables; // JSON of an object; NULL: none
    const char *template;  // which of several; NULL: as the model says
    const char *system;    // a message of role system that comes first where there is none; NULL: none
    const char *now;       // what strftime_now() tells, 2026-03-14T09:26:53; NULL: the clock, or an error with no_clock
    bool no_clock;
    const char *prefix; // of options in messages: "--", or "chat." of a configuration
} pr_chat_options_t;

enum { PR_CHAT_SECONDS = 5 }; // of processor time that a conversation may take

/* A conversation: JSON of an array of messages, or of an object that has it as "messages". */
typedef struct pr_chat {
    const char *where; // for messages: the file, or file:line
    const char *text;
    size_t len;
} pr_chat_t;

/* Renders conversations [n]; text [n] and len [n] are filled on success, and the caller frees each text, which may hold
 * NUL and has one behind it. Errors: PR_ERR_ENV (no Python with Jinja2; the message names the package), PR_ERR_USAGE (an
 * option), PR_ERR_NOT_FOUND, PR_ERR_FORMAT (the messages, the template, what it says itself, or its limits). */
pr_status_t pr_chat_render(const pr_chat_options_t *o, const pr_chat_t *chats, size_t n, char **text, size_t *len,
                           pr_error_t *err);

#endif
