// SPDX-License-Identifier: BSD-3-Clause
/* paretorank chat: messages as the text, and the tokens, that a model's chat template makes of them. */
#include "base/mem.h"
#include "cli/chat.h"
#include "cli/engine.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *dir;
    pr_cli_chat_options_t chat;
    bool add_generation_prompt, json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("MODEL_DIR", STRING, offsetof(options_t, dir), "DIR",
                    "A model directory with a chat template: chat_template.jinja, additional_chat_templates, or the "
                    "key chat_template of tokenizer_config.json."),
    PR_ARG_REQUIRED("--messages", STRING, offsetof(options_t, chat.messages), "FILE.json",
                    "The conversation: a JSON array of messages, each with \"role\", \"content\" and what else the "
                    "template reads; or an object with it as \"messages\"."),
    PR_ARG("--add-generation-prompt", BOOL, offsetof(options_t, add_generation_prompt), NULL,
           "End with what begins the model's answer."),
    PR_CLI_CHAT_ARGS(options_t, chat),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL,
           "Print one object: text, and ids, the text's tokens without those that the tokenizer adds to texts."),
    {0},
};

const pr_command_t pr_command_chat = {
    .name = "chat",
    .synopsis = "DIR --messages FILE.json [options]",
    .summary = "Print messages as the model's chat template renders them, byte for byte.",
    .help = "As the transformers library does, in the same sandbox: by Python's Jinja2 (Debian: python3-jinja2), which "
            "nothing else needs. A template that takes more than 5 s of processor time or 1 GiB of memory is refused, "
            "and what one refuses itself (raise_exception) is told.",
    .args = args,
};

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    pr_tokenizer_t *t = NULL;
    char *text = NULL;
    int32_t *ids = NULL;
    size_t len, n;
    pr_status_t status;
    pr_prompt_chat_t chat = pr_cli_chat(o->dir, &o->chat, NULL);
    chat.add_generation_prompt = o->add_generation_prompt; // and beside the other it is refused
    PR_GO(pr_cli_chat_text(&chat, o->chat.messages, &text, &len, err));
    if (!o->json) {
        fwrite(text, 1, len, stdout);
        goto done;
    }
    PR_GO(pr_cli_engine_tokenizer(o->dir, &t, err));
    PR_GO(pr_tokenizer_encode(t, text, len, false, &ids, &n, err));
    json_t *v = json_pack("{s:o, s:o}", "text", pr_cli_text_json(text, len), "ids", pr_cli_ids_json(ids, n));
    pr_cli_print_json(v);
    json_decref(v);
done:
    free(ids);
    free(text);
    if (t)
        pr_tokenizer_free(&t);
    return status;
}

int pr_cmd_chat(int argc, char **argv)
{
    options_t o = {0};
    pr_error_t err;
    int code;
    if (!pr_cli_parse(&pr_command_chat, argc, argv, &o, &code))
        return code;
    return run(&o, &err) == PR_OK ? 0 : pr_cli_fail(argv[0], &err);
}
