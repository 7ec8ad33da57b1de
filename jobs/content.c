// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/content.h"
#include "base/file.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "objective/objective.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct pr_content {
    json_t *value; // {"results", "threads", "stop", "models", "adapters", "prompts", "objectives", "values"}
};

static const char *const parts[] = {"models", "adapters", "prompts", "objectives", "values"};
enum { PARTS = sizeof parts / sizeof *parts };

pr_content_t *pr_content_new(const char *results, int threads)
{
    pr_content_t *c = pr_alloc(1, sizeof *c);
    c->value = json_pack("{s:s, s:i, s:[], s:[]}", "results", results, "threads", threads, "stop", "worst");
    for (int i = 0; i < PARTS; i++)
        json_object_set_new(c->value, parts[i], json_object());
    return c;
}

void pr_content_free(pr_content_t **c)
{
    if (*c)
        json_decref((*c)->value);
    free(*c);
    *c = NULL;
}

const json_t *pr_content_json(const pr_content_t *c)
{
    return c->value;
}

pr_status_t pr_content_from_json(const json_t *value, pr_content_t **out, pr_error_t *err)
{
    bool good = json_is_string(json_object_get(value, "results")) &&
                json_is_integer(json_object_get(value, "threads")) && json_is_array(json_object_get(value, "stop"));
    for (int i = 0; i < PARTS; i++)
        good = good && json_is_object(json_object_get(value, parts[i]));
    if (!good)
        return pr_fail(err, PR_ERR_FORMAT, "what jobs share: found something else, expected rank 0's content");
    *out = pr_alloc(1, sizeof **out);
    (*out)->value = json_deep_copy(value);
    return PR_OK;
}

const char *pr_content_results(const pr_content_t *c)
{
    return json_string_value(json_object_get(c->value, "results"));
}

int pr_content_threads(const pr_content_t *c)
{
    return (int)json_integer_value(json_object_get(c->value, "threads"));
}

void pr_content_set_model_name(pr_content_t *c, const char *name)
{
    json_object_set_new(c->value, "model_name", json_string(name));
}

const char *pr_content_model_name(const pr_content_t *c)
{
    const char *name = json_string_value(json_object_get(c->value, "model_name"));
    return name ? name : "";
}

void pr_content_set_stop(pr_content_t *c, const json_t *texts)
{
    json_object_set_new(c->value, "stop", json_deep_copy(texts));
}

const json_t *pr_content_stop(const pr_content_t *c)
{
    return json_object_get(c->value, "stop");
}

void pr_content_add_worst(pr_content_t *c, const char *objective, bool minimize)
{
    json_array_append_new(json_object_get(c->value, "worst"), json_pack("[s, b]", objective, minimize));
}

const json_t *pr_content_worst(const pr_content_t *c)
{
    return json_object_get(c->value, "worst");
}

/* ---- paths ---- */

static json_t *paths_of(const pr_content_t *c, pr_content_kind_t kind)
{
    return json_object_get(c->value, kind == PR_CONTENT_MODEL ? "models" : "adapters");
}

void pr_content_add_path(pr_content_t *c, pr_content_kind_t kind, const char *hash, const char *path)
{
    json_object_set_new(paths_of(c, kind), hash, json_string(path));
}

pr_status_t pr_content_path(const pr_content_t *c, pr_content_kind_t kind, const char *hash, const char **path,
                            pr_error_t *err)
{
    *path = json_string_value(json_object_get(paths_of(c, kind), hash));
    return *path ? PR_OK
                 : pr_fail(err, PR_ERR_CONFIG, "the job names %s of hash %.40s, which this run does not have",
                           kind == PR_CONTENT_MODEL ? "a model" : "an adapter", hash);
}

const json_t *pr_content_all_adapters(const pr_content_t *c)
{
    return json_object_get(c->value, "adapters");
}

const char *pr_content_model(const pr_content_t *c, const char **hash)
{
    void *first = json_object_iter(paths_of(c, PR_CONTENT_MODEL));
    if (hash)
        *hash = first ? json_object_iter_key(first) : NULL;
    return first ? json_string_value(json_object_iter_value(first)) : NULL;
}

/* ---- prompts ---- */

void pr_content_add_prompts(pr_content_t *c, const char *file, int new_tokens, int n, char *const *text, bool chat,
                            char hash[PR_HASH_HEX])
{
    json_t *texts = json_array(), *all = json_object_get(c->value, "prompts");
    for (int i = 0; i < n; i++)
        json_array_append_new(texts, json_string(text[i]));
    json_t *rendered = chat ? json_pack("{s:O}", "chat", texts) : json_incref(texts);
    pr_json_hash(rendered, hash);
    json_decref(rendered);
    json_t *known = json_object_get(all, hash);
    if (known && json_integer_value(json_object_get(known, "new_tokens")) >= new_tokens)
        json_decref(texts);
    else
        json_object_set_new(
            all, hash,
            json_pack("{s:s, s:i, s:b, s:o}", "file", file, "new_tokens", new_tokens, "chat", chat, "texts", texts));
}

const json_t *pr_content_all_prompts(const pr_content_t *c)
{
    return json_object_get(c->value, "prompts");
}

/* ---- objectives, values ---- */

void pr_content_add_objective(pr_content_t *c, const char *name, const char *type, const json_t *options,
                              const char *dir, const json_t *identity, char hash[PR_HASH_HEX])
{
    json_t *all = json_object_get(c->value, "objectives");
    pr_json_hash(identity, hash);
    if (!json_object_get(all, hash))
        json_object_set_new(all, hash,
                            json_pack("{s:s, s:s, s:O, s:s, s:O}", "name", name, "type", type, "options", options,
                                      "dir", dir, "identity", identity));
}

const json_t *pr_content_objective(const pr_content_t *c, const char *hash)
{
    return json_object_get(json_object_get(c->value, "objectives"), hash);
}

const json_t *pr_content_all_objectives(const pr_content_t *c)
{
    return json_object_get(c->value, "objectives");
}

void pr_content_add_value(pr_content_t *c, const json_t *value, char hash[PR_HASH_HEX])
{
    pr_json_hash(value, hash);
    json_object_set_new(json_object_get(c->value, "values"), hash, json_deep_copy(value));
}

const json_t *pr_content_value(const pr_content_t *c, const char *hash)
{
    return json_object_get(json_object_get(c->value, "values"), hash);
}

/* ---- the same on every host ---- */

static pr_status_t check_dir(const char *what, pr_status_t (*hash)(const char *, char *, pr_error_t *),
                             const char *path, const char *host, const char *expected, pr_error_t *err)
{
    char found[PR_HASH_HEX];
    if (hash(path, found, err) != PR_OK)
        return pr_fail_in(err, "%s on %s", what, host);
    return strcmp(found, expected) == 0
               ? PR_OK
               : pr_fail(err, PR_ERR_FORMAT, "%s: %s on %s has hash %s, expected %s, which rank 0 found", path, what,
                         host, found, expected);
}

static pr_status_t check_objective(const json_t *o, const char *hash, const char *host, pr_error_t *err)
{
    const char *name = json_string_value(json_object_get(o, "name")),
               *dir = json_string_value(json_object_get(o, "dir"));
    json_t *identity = NULL;
    char found[PR_HASH_HEX];
    if (pr_objective_identity(json_string_value(json_object_get(o, "type")), json_object_get(o, "options"), dir,
                              &identity, err) != PR_OK)
        return pr_fail_in(err, "objective '%s' on %s", name, host);
    pr_json_hash(identity, found);
    json_decref(identity);
    if (strcmp(found, hash) == 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT,
                   "objective '%s': its files (options relative to %s) on %s have hash %s, expected %s, which rank 0 "
                   "found",
                   name, dir, host, found, hash);
}

pr_status_t pr_content_check(const pr_content_t *c, const char *host, pr_error_t *err)
{
    const char *hash;
    json_t *v;
    json_object_foreach(paths_of(c, PR_CONTENT_MODEL), hash, v)
        PR_TRY(check_dir("the model", pr_model_dir_hash, json_string_value(v), host, hash, err));
    json_object_foreach(paths_of(c, PR_CONTENT_ADAPTER), hash, v)
        PR_TRY(check_dir("the adapter", pr_adapter_hash, json_string_value(v), host, hash, err));
    json_object_foreach(json_object_get(c->value, "objectives"), hash, v) PR_TRY(check_objective(v, hash, host, err));
    return PR_OK;
}

static void add_state(pr_buf_t *b, const char *path)
{
    struct stat st;
    pr_buf_puts(b, path);
    if (stat(path, &st) == 0)
        pr_buf_printf(b, " %llu %llu %lld %lld.%09ld", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
                      (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    pr_buf_puts(b, "\n");
}

static void add_dir_state(pr_buf_t *b, const char *path)
{
    char **name;
    size_t n;
    add_state(b, path);
    pr_dir_names(path, &name, &n, NULL); // what cannot be listed has none; opening it tells
    for (size_t i = 0; i < n; i++) {
        char *file = pr_path_join(path, name[i]);
        add_state(b, file);
        free(file);
        free(name[i]);
    }
    free(name);
}

static void add_named_state(pr_buf_t *b, const char *dir, const char *text, size_t n)
{
    char *name = pr_strndup(text, n), *path = pr_path_join(dir, name);
    if (pr_dir_exists(path))
        add_dir_state(b, path);
    else
        add_state(b, path);
    free(name);
    free(path);
}

/* What an option names as a file or directory, a command's words included. */
static void add_option_state(pr_buf_t *b, const char *dir, const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)value, i, item) add_option_state(b, dir, item);
    const char *text = json_string_value(value);
    if (text && *text)
        add_named_state(b, dir, text, strlen(text)); // a name may hold blanks
    for (const char *p = text ? text : ""; *p;) {
        size_t gap = strspn(p, PR_COMMAND_GAPS), n = strcspn(p + gap, PR_COMMAND_GAPS);
        if (n > 0)
            add_named_state(b, dir, p + gap, n);
        p += gap + n;
    }
}

void pr_content_state(const pr_content_t *c, char hash[PR_HASH_HEX])
{
    const char *key, *option;
    json_t *v, *value;
    pr_buf_t b = {0};
    pr_buf_puts(&b, "");
    json_object_foreach(paths_of(c, PR_CONTENT_MODEL), key, v) add_dir_state(&b, json_string_value(v));
    json_object_foreach(paths_of(c, PR_CONTENT_ADAPTER), key, v) add_dir_state(&b, json_string_value(v));
    json_object_foreach(json_object_get(c->value, "objectives"), key, v)
    {
        const char *dir = json_string_value(json_object_get(v, "dir"));
        json_object_foreach(json_object_get(v, "options"), option, value) add_option_state(&b, dir, value);
    }
    pr_hash_hex(b.data, b.len, hash);
    pr_buf_free(&b);
}
