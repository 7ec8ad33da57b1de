// SPDX-License-Identifier: BSD-3-Clause
#include "chat/chat.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "chat/helper.h"

#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT "chat_template.py"
enum { PATIENCE = 60 };               // seconds; its own limit of processor time comes long before
#define MOST_ANSWER ((size_t)4 << 30) // of all conversations

/* ---- where things are ---- */

/* The script beside the program, or where both are installed. NULL: nowhere. Caller frees. */
static char *find_script(void)
{
    static const char *const places[] = {SCRIPT, "../" PR_DATADIR "/paretorank/" SCRIPT};
    char exe[PATH_MAX], *found = NULL;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *dir = pr_path_dir(exe);
    for (size_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
        found = pr_path_join(dir, places[i]);
        if (!pr_file_exists(found)) {
            free(found);
            found = NULL;
        }
    }
    free(dir);
    return found;
}

/* The next python3 of the PATH, of which *at is what has not been looked through; NULL: there is none. Caller frees. */
static char *next_python(const char **at)
{
    while (*at) {
        size_t len = strcspn(*at, ":");
        char *dir = pr_strndup(*at, len), *path = pr_path_join(len ? dir : ".", "python3");
        *at = (*at)[len] ? *at + len + 1 : NULL;
        free(dir);
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

/* ---- the request ---- */

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static pr_status_t make_request(const pr_chat_options_t *o, const pr_chat_t *chats, size_t n, char **out,
                                pr_error_t *err)
{
    json_t *list = json_array();
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < n && status == PR_OK; i++) {
        json_t *text = json_stringn(chats[i].text, chats[i].len);
        if (!text)
            status = pr_fail(err, PR_ERR_FORMAT, "%s: found bytes that are no text, expected UTF-8", chats[i].where);
        else
            json_array_append_new(list, json_pack("{s:o}", "text", text));
    }
    json_t *dir = json_string(o->dir), *variables = text_or_null(o->variables), *name = text_or_null(o->template),
           *now = text_or_null(o->now), *system = text_or_null(o->system);
    if (status == PR_OK && (!dir || !variables || !name || !now || !system))
        status = pr_fail(err, PR_ERR_USAGE, "%s%s: found bytes that are no text, expected UTF-8", dir ? o->prefix : "",
                         !dir         ? o->dir
                         : !variables ? "variables"
                         : !name      ? "template"
                         : !now       ? "now"
                                      : "system");
    if (status == PR_OK) {
        json_t *request = json_pack("{s:O, s:O, s:O, s:O, s:O, s:b, s:i, s:b, s:b, s:O}", "dir", dir, "variables",
                                    variables, "template", name, "system", system, "now", now, "clock", !o->no_clock,
                                    "seconds", PR_CHAT_SECONDS, "add_generation_prompt", o->add_generation_prompt,
                                    "continue_final_message", o->continue_final_message, "conversations", list);
        *out = pr_json_text(request, JSON_COMPACT);
        json_decref(request);
    }
    json_decref(dir);
    json_decref(variables);
    json_decref(name);
    json_decref(now);
    json_decref(system);
    json_decref(list);
    return status;
}

/* ---- the answer ---- */

typedef struct frame {
    char kind[16];
    const char *text;
    size_t len;
} frame_t;

/* The next "KIND LENGTH", line's end, bytes, line's end. false: there is none that is whole. */
static bool next_frame(const pr_buf_t *b, size_t *at, frame_t *f)
{
    unsigned long long len;
    int head = 0;
    if (*at >= b->len || sscanf(b->data + *at, "%15s %llu%n", f->kind, &len, &head) != 2)
        return false;
    size_t from = *at + (size_t)head + 1;
    if (from > b->len || len >= b->len - from)
        return false;
    f->text = b->data + from;
    f->len = (size_t)len;
    *at = from + f->len + 1;
    return true;
}

static pr_status_t refused(const pr_chat_options_t *o, const frame_t *f, const char *where, pr_error_t *err)
{
    bool usage = strcmp(f->kind, "usage") == 0;
    int len = f->len < 900 ? (int)f->len : 900;
    return pr_fail(err, usage ? PR_ERR_USAGE : PR_ERR_FORMAT, "%s%s%.*s", usage ? o->prefix : where, usage ? "" : ": ",
                   len, f->text);
}

/* It ended before it had answered. */
static pr_status_t broken(const pr_chat_options_t *o, const pr_helped_t *h, const char *python, const char *where,
                          pr_error_t *err)
{
    if (h->signal == SIGXCPU || h->late)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %s: its chat template takes more than %d s%s", where, o->dir,
                       h->late ? PATIENCE : PR_CHAT_SECONDS, h->late ? "" : " of processor time");
    if (h->out.len > MOST_ANSWER)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %s: its chat template makes more than 4 GiB of text", where, o->dir);
    if (h->signal)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %s: its chat template ended Python by signal %d (%s)", where, o->dir,
                       h->signal, strsignal(h->signal));
    return pr_fail(err, PR_ERR_ENV, "%s: exited with status %d while it rendered chat templates: %s", python,
                   h->exit_code, h->said);
}

static pr_status_t take_answer(const pr_chat_options_t *o, const pr_chat_t *chats, size_t n, const pr_helped_t *h,
                               const char *python, char **text, size_t *len, pr_error_t *err)
{
    size_t at = 0, done = 0;
    pr_status_t status = PR_OK;
    for (; done < n && status == PR_OK; done++) {
        frame_t f = {.text = ""};
        if (!next_frame(&h->out, &at, &f))
            status = broken(o, h, python, chats[done].where, err);
        else if (strcmp(f.kind, "ok") != 0)
            status = refused(o, &f, chats[done].where, err);
        if (status != PR_OK)
            break;
        text[done] = pr_alloc(f.len + 1, 1);
        memcpy(text[done], f.text, f.len);
        len[done] = f.len;
    }
    while (status != PR_OK && done > 0)
        free(text[--done]);
    return status;
}

pr_status_t pr_chat_render(const pr_chat_options_t *o, const pr_chat_t *chats, size_t n, char **text, size_t *len,
                           pr_error_t *err)
{
    const char *path = getenv("PATH");
    char *script = find_script(), *request = NULL, *python = NULL;
    bool missing = true;
    pr_status_t status;
    if (!script)
        PR_GO(pr_fail(err, PR_ERR_ENV, "%s: not found where the program is installed", SCRIPT));
    PR_GO(make_request(o, chats, n, &request, err));
    while (missing && status == PR_OK && (python = next_python(&path)) != NULL) {
        char *argv[] = {python, (char *)(uintptr_t) "-I", (char *)(uintptr_t) "-B", script, NULL};
        pr_helped_t h;
        size_t at = 0;
        frame_t f = {.text = ""};
        status = pr_helper_run(argv, request, strlen(request), PATIENCE, MOST_ANSWER, &h, err);
        missing = status == PR_OK && next_frame(&h.out, &at, &f) && strcmp(f.kind, "missing") == 0;
        if (status == PR_OK && !missing)
            status = take_answer(o, chats, n, &h, python, text, len, err);
        pr_buf_free(&h.out);
        free(python);
    }
    if (status == PR_OK && missing)
        status = pr_fail(err, PR_ERR_ENV,
                         "%s: chat templates are rendered by Python with Jinja2 3.1 or later, which no python3 of the "
                         "PATH has: install the package python3-jinja2",
                         o->dir);
done:
    free(script);
    free(request);
    return status;
}
