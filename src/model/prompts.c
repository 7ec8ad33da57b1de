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

// Keeps NUL characters, which JSON may hold, out of texts that end at one.
static bool plain_string(const json_t *v)
{
    return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v);
}

static pr_status_t add_object(void *self, const json_t *object, const char *where, pr_error_t *err)
{
    pr_prompts_t *p = self;
    const json_t *prompt = json_object_get(object, "prompt"), *id = json_object_get(object, "id");
    if (!json_is_object(object))
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object with a \"prompt\"", where,
                       pr_json_type_name(object));
    if (!plain_string(prompt) || json_string_length(prompt) == 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'prompt': found %s, expected a text that is not empty", where,
                       json_is_string(prompt) ? "one that is empty or holds NUL" : pr_json_type_name(prompt));
    if (json_string_length(prompt) > PR_MAX_PROMPT_BYTES)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'prompt': found %zu bytes, expected at most %d", where,
                       json_string_length(prompt), PR_MAX_PROMPT_BYTES);
    if (!pr_json_is_none(id) && !plain_string(id) && !json_is_integer(id))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'id': found %s, expected a string or an integer", where,
                       pr_json_type_name(id));
    if (p->n == PR_MAX_PROMPTS)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found more than %d prompts", where, PR_MAX_PROMPTS);
    add(p, json_string_value(prompt), id);
    return PR_OK;
}

pr_status_t pr_prompts_load(const char *path, pr_prompts_t **out, pr_error_t *err)
{
    pr_prompts_t *p = pr_alloc(1, sizeof *p);
    pr_status_t status = pr_json_lines(path, (size_t)1 << 31, add_object, p, err);
    if (status == PR_OK && p->n == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found no prompt", path);
    if (status == PR_OK)
        *out = p;
    else
        pr_prompts_free(&p);
    return status;
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
