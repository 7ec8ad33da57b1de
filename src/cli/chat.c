// SPDX-License-Identifier: BSD-3-Clause
#include "cli/chat.h"
#include "base/file.h"
#include "chat/chat.h"
#include "model/config.h"
#include "sweeps/inputs.h"

#include <stdlib.h>

enum { MAX_MESSAGES = 64 << 20 };

pr_prompt_chat_t pr_cli_chat(const char *dir, const pr_cli_chat_options_t *o, const pr_config_t *sweep)
{
    pr_prompt_chat_t c = {.dir = dir,
                          .add_generation_prompt = !o->continue_final_message,
                          .continue_final_message = o->continue_final_message,
                          .variables = o->variables,
                          .template = o->template,
                          .system = o->system,
                          .now = o->now,
                          .prefix = "--"};
    if (!sweep)
        return c;
    pr_prompt_chat_t own = pr_sweep_chat(sweep);
    c.dir = own.dir;
    c.add_generation_prompt = c.add_generation_prompt && own.add_generation_prompt;
    c.variables = c.variables ? c.variables : own.variables;
    c.template = c.template ? c.template : own.template;
    c.system = c.system ? c.system : own.system;
    c.now = c.now ? c.now : own.now;
    return c;
}

const char *pr_cli_chat_given(const pr_cli_chat_options_t *o)
{
    return o->continue_final_message ? "--continue-final-message"
           : o->variables            ? "--variables"
           : o->template             ? "--template"
           : o->system               ? "--system"
           : o->now                  ? "--now"
                                     : NULL;
}

pr_status_t pr_cli_chat_text(const pr_prompt_chat_t *chat, const char *messages, char **text, size_t *len,
                             pr_error_t *err)
{
    char *json;
    size_t n;
    PR_TRY(pr_model_dir_check(chat->dir, err));
    PR_TRY(pr_file_read_text(messages, MAX_MESSAGES, &json, &n, err));
    pr_chat_t one = {.where = messages, .text = json, .len = n};
    pr_status_t status = pr_chat_render(chat, &one, 1, text, len, err);
    free(json);
    return status;
}
