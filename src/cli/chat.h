// SPDX-License-Identifier: BSD-3-Clause
/* What chat and generate share: options of a conversation, and its text. */
#ifndef PR_CLI_CHAT_H
#define PR_CLI_CHAT_H

#include "cli/cli.h"
#include "config/config.h"
#include "model/prompts.h"

typedef struct pr_cli_chat_options {
    const char *messages; // file; NULL: not given
    bool continue_final_message;
    const char *variables, *template, *system, *now; // NULL: not given
} pr_cli_chat_options_t;

#define PR_CLI_CHAT_ARGS(type, member)                                                                                 \
    PR_ARG("--continue-final-message", BOOL, offsetof(type, member.continue_final_message), NULL,                      \
           "End within the last message, which the model goes on with."),                                              \
        PR_ARG("--variables", STRING, offsetof(type, member.variables), "JSON",                                        \
               "What else the template sees: a JSON object, such as {\"tools\": [...], \"enable_thinking\": false}."), \
        PR_ARG("--template", STRING, offsetof(type, member.template), "NAME",                                          \
               "Which of several templates. Default: tool_use where there is one and tools are given, else default."), \
        PR_ARG("--system", STRING, offsetof(type, member.system), "TEXT",                                              \
               "A message of role system that comes first, where the conversation has none."),                         \
        PR_ARG("--now", STRING, offsetof(type, member.now), "TIME",                                                    \
               "The time that the template is told, such as 2026-03-14T09:26:53. Default: the clock.")

/* What they say of conversations of a model: of a sweep, what is not given is as its configuration says. Borrows from
 * all. */
pr_prompt_chat_t pr_cli_chat(const char *dir, const pr_cli_chat_options_t *o, const pr_config_t *sweep);
/* Was any of them given that say how conversations are rendered? The first one's name, or NULL. */
const char *pr_cli_chat_given(const pr_cli_chat_options_t *o);
/* The conversation as text, which the caller frees. Errors: those of pr_chat_render, PR_ERR_NOT_FOUND. */
pr_status_t pr_cli_chat_text(const pr_prompt_chat_t *chat, const char *messages, char **text, size_t *len,
                             pr_error_t *err);

#endif
