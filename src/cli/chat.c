// SPDX-License-Identifier: BSD-3-Clause
#include "cli/chat.h"
#include "base/file.h"
#include "chat/chat.h"
#include "model/config.h"

#include <stdlib.h>

enum { MAX_MESSAGES = 64 << 20 };

pr_status_t pr_cli_chat_text(const char *dir, const pr_cli_chat_options_t *o, bool add_generation_prompt, char **text,
                             size_t *len, pr_error_t *err)
{
    char *messages;
    size_t n;
    PR_TRY(pr_model_dir_check(dir, err));
    PR_TRY(pr_file_read_text(o->messages, MAX_MESSAGES, &messages, &n, err));
    pr_chat_options_t options = {.dir = dir,
                                 .add_generation_prompt = add_generation_prompt,
                                 .continue_final_message = o->continue_final_message,
                                 .variables = o->variables,
                                 .template = o->template,
                                 .now = o->now};
    pr_status_t status =
        pr_chat_render(&options, &(pr_chat_t){.where = o->messages, .text = messages, .len = n}, 1, text, len, err);
    free(messages);
    return status;
}
