// SPDX-License-Identifier: BSD-3-Clause
#include "model/prompts.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(pr_prompts_t *p, const char *text, const json_t *id)
{
    char number[24];
    if ((p->n & (p->n - 1)) == 0) { // room doubles at powers of two
        size_t room = p->n ? 2 * (size_t)p->n : 1;
        p->text = pr_realloc(p->text, room, sizeof *p->text);
        p->id = pr_realloc(p->id, room, sizeof *p->id);
        p->numbered = pr_realloc(p->numbered, room, sizeof *p->numbered);
    }
    snprintf(number, sizeof number, "%lld", json_is_integer(id) ? (long long)json_integer_value(id) : p->n);
    p->text[p->n] = pr_strdup(text);
    p->id[p->n] = pr_strdup(json_is_string(id) ? json_string_value(id) : number);
    p->numbered[p->n] = !json_is_string(id);
    p->n++;
}

/* A file that is being read: of conversations the lines, until they are rendered, and where they stand. */
typedef struct loader {
    pr_prompts_t *p;
    const pr_prompt_chat_t *chat; // NULL: no conversations
    char **line, **where;         // [p->n]
    size_t *len;                  // [p->n]
} loader_t;

// Keeps NUL characters, which JSON may hold, out of texts that end at one.
static bool plain_string(const json_t *v)
{
    return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v);
}

static pr_status_t check_prompt(const char *text, size_t len, const char *where, const char *key, pr_error_t *err)
{
    if (len <= PR_MAX_PROMPT_BYTES)
        return len > 0 && strlen(text) == len
                   ? PR_OK
                   : pr_fail(err, PR_ERR_FORMAT,
                             "%s: key '%s': found one that is empty or holds NUL, expected a text "
                             "that is not empty",
                             where, key);
    return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %zu bytes, expected at most %d", where, key, len,
                   PR_MAX_PROMPT_BYTES);
}

static void keep_line(loader_t *l, const char *text, size_t len, const char *where)
{
    size_t i = (size_t)l->p->n;
    if ((i & (i - 1)) == 0) {
        size_t room = i ? 2 * i : 1;
        l->line = pr_realloc(l->line, room, sizeof *l->line);
        l->where = pr_realloc(l->where, room, sizeof *l->where);
        l->len = pr_realloc(l->len, room, sizeof *l->len);
    }
    l->line[i] = pr_strndup(text, len);
    l->len[i] = len;
    l->where[i] = pr_strdup(where);
}

static pr_status_t add_object(void *self, const json_t *object, const char *text, size_t len, const char *where,
                              pr_error_t *err)
{
    loader_t *l = self;
    pr_prompts_t *p = l->p;
    const json_t *prompt = json_object_get(object, "prompt"), *id = json_object_get(object, "id");
    bool chat = l->chat && pr_json_is_none(prompt) && json_object_get(object, "messages");
    if (!json_is_object(object))
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object with a \"prompt\"", where,
                       pr_json_type_name(object));
    if (!chat && !json_is_string(prompt))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'prompt': found %s, expected a text that is not empty", where,
                       pr_json_type_name(prompt));
    if (!chat)
        PR_TRY(check_prompt(json_string_value(prompt), json_string_length(prompt), where, "prompt", err));
    if (p->n > 0 && chat != p->chat)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected %s, as in the lines before", where,
                       chat ? "messages" : "a prompt", chat ? "a prompt" : "messages");
    if (!pr_json_is_none(id) && !plain_string(id) && !json_is_integer(id))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'id': found %s, expected a string or an integer", where,
                       pr_json_type_name(id));
    if (p->n == PR_MAX_PROMPTS)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found more than %d prompts", where, PR_MAX_PROMPTS);
    p->chat = chat;
    if (chat)
        keep_line(l, text, len, where);
    add(p, chat ? "" : json_string_value(prompt), id);
    return PR_OK;
}

/* Conversations [from, to) in one process of Python. */
static pr_status_t render_some(loader_t *l, int from, int to, pr_error_t *err)
{
    size_t n = (size_t)(to - from);
    pr_chat_t *chats = pr_alloc(n, sizeof *chats);
    char **text = pr_alloc(n, sizeof *text);
    size_t *len = pr_alloc(n, sizeof *len);
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)from + i;
        chats[i] = (pr_chat_t){.where = l->where[at], .text = l->line[at], .len = l->len[at]};
    }
    pr_status_t status = pr_chat_render(l->chat, chats, n, text, len, err);
    bool rendered = status == PR_OK;
    for (size_t i = 0; i < n && rendered; i++) {
        if (status == PR_OK)
            status = check_prompt(text[i], len[i], chats[i].where, "messages", err);
        free(l->p->text[(size_t)from + i]);
        l->p->text[(size_t)from + i] = text[i];
    }
    free(chats);
    free(text);
    free(len);
    return status;
}

/* In processes that hold so much each. */
static pr_status_t render(loader_t *l, pr_error_t *err)
{
    enum { MOST = 5000 };
    const size_t most_bytes = (size_t)32 << 20;
    for (int from = 0, to = 0; from < l->p->n; from = to) {
        for (size_t bytes = 0; to < l->p->n && to - from < MOST && (to == from || bytes + l->len[to] < most_bytes);
             to++)
            bytes += l->len[to];
        PR_TRY(render_some(l, from, to, err));
    }
    return PR_OK;
}

pr_status_t pr_prompts_load_chat(const char *path, const pr_prompt_chat_t *chat, pr_prompts_t **out, pr_error_t *err)
{
    loader_t l = {.p = pr_alloc(1, sizeof *l.p), .chat = chat};
    pr_status_t status = pr_json_raw_lines(path, (size_t)1 << 31, add_object, &l, err);
    if (status == PR_OK && l.p->n == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found no prompt", path);
    int lines = l.p->chat ? l.p->n : 0;
    if (status == PR_OK && lines > 0)
        status = render(&l, err);
    for (int i = 0; i < lines; i++) {
        free(l.line[i]);
        free(l.where[i]);
    }
    free(l.line);
    free(l.where);
    free(l.len);
    if (status == PR_OK)
        *out = l.p;
    else
        pr_prompts_free(&l.p);
    return status;
}

pr_status_t pr_prompts_load(const char *path, pr_prompts_t **out, pr_error_t *err)
{
    return pr_prompts_load_chat(path, NULL, out, err);
}

void pr_prompts_free(pr_prompts_t **prompts)
{
    pr_prompts_t *p = *prompts;
    if (!p)
        return;
    for (int i = 0; i < p->n; i++) {
        free(p->text[i]);
        free(p->id[i]);
    }
    free(p->text);
    free(p->id);
    free(p->numbered);
    free(p);
    *prompts = NULL;
}
