// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "objective/type.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static pr_status_t unknown_type(const char *name, const char *type, pr_error_t *err)
{
    size_t n;
    const pr_objective_type_t *const *types = pr_objective_types(&n);
    const char **names = pr_alloc(n, sizeof *names);
    for (size_t i = 0; i < n; i++)
        names[i] = types[i]->name;
    pr_unknown("type", "", type, names, n, NULL, err);
    free(names);
    pr_fail_in(err, "objective '%s'", name);
    return PR_ERR_CONFIG;
}

pr_status_t pr_objective_resolve(const char *name, const char *type_name, const json_t *options, const char *dir,
                                 json_t **resolved, pr_error_t *err)
{
    const pr_objective_type_t *type = pr_objective_type(type_name);
    if (!type)
        return unknown_type(name, type_name, err);
    json_t *out = NULL;
    pr_status_t status = pr_options_resolve(type->options, options, dir, &out, err);
    if (status == PR_OK && type->check)
        status = type->check(out, dir ? dir : "", err);
    if (status != PR_OK) {
        json_decref(out);
        pr_fail_in(err, "objective '%s' (%s)", name, type_name);
        return status;
    }
    *resolved = out;
    return PR_OK;
}

/* ---- identity ---- */
static pr_status_t hash_into(json_t *out, const char *key, const char *path, pr_error_t *err)
{
    char hex[PR_HASH_HEX];
    PR_TRY(pr_hash_file(path, hex, err));
    json_object_set_new(out, key, json_string(hex));
    return PR_OK;
}

static bool is_model_file(const char *name)
{
    size_t n = strlen(name);
    return *name != '.' &&
           ((n > 5 && strcmp(name + n - 5, ".json") == 0) || (n > 12 && strcmp(name + n - 12, ".safetensors") == 0));
}

static pr_status_t hash_dir(json_t *out, const char *dir, pr_error_t *err)
{
    DIR *d = opendir(dir);
    if (!d)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: cannot read the directory", dir);
    pr_status_t status = PR_OK;
    for (struct dirent *e; status == PR_OK && (e = readdir(d));) {
        char *path = pr_path_join(dir, e->d_name);
        if (is_model_file(e->d_name) && pr_file_exists(path))
            status = hash_into(out, e->d_name, path, err);
        free(path);
    }
    closedir(d);
    return status;
}

static bool is_system_path(const char *path)
{
    return strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/bin/", 5) == 0;
}

// A command's text with the hash of the content in place of every word that names a file, so that the same program is
// the same wherever it lies.
static pr_status_t hash_words(json_t *out, const char *text, const char *dir, pr_error_t *err)
{
    pr_buf_t b = {0};
    pr_status_t status = PR_OK;
    pr_buf_puts(&b, "");
    for (const char *p = text; *p && status == PR_OK;) {
        size_t gap = strspn(p, PR_COMMAND_GAPS), n = strcspn(p + gap, PR_COMMAND_GAPS);
        char hex[PR_HASH_HEX], *word = pr_strndup(p + gap, n), *path = pr_path_join(dir, word);
        bool file = *word && !is_system_path(word) && pr_file_exists(path);
        pr_buf_add(&b, p, gap);
        if (file)
            status = pr_hash_file(path, hex, err);
        pr_buf_printf(&b, "%s%s", file ? "content:" : "", file && status == PR_OK ? hex : word);
        free(word);
        free(path);
        p += gap + n;
    }
    if (status == PR_OK)
        json_array_append_new(out, json_string(b.data));
    pr_buf_free(&b);
    return status;
}

static pr_status_t hash_option(const pr_option_t *o, const json_t *v, const char *dir, json_t *out, pr_error_t *err)
{
    bool command = o->kind == PR_OPT_COMMAND;
    json_t *content = command ? json_array() : json_object();
    pr_status_t status = PR_OK;
    char *path = json_is_string(v) ? pr_path_join(dir, json_string_value(v)) : NULL;
    if (o->kind == PR_OPT_FILE)
        status = hash_into(content, "content", path, err);
    else if (o->kind == PR_OPT_DIR)
        status = hash_dir(content, path, err);
    else
        for (size_t i = 0; status == PR_OK && i < json_array_size(v); i++)
            status = hash_words(content, json_string_value(json_array_get(v, i)), dir, err);
    json_object_set_new(out, command ? "words" : "files", content);
    free(path);
    return status;
}

pr_status_t pr_objective_identity(const char *type_name, const json_t *resolved, const char *dir, json_t **identity,
                                  pr_error_t *err)
{
    json_t *full = NULL;
    PR_TRY(pr_objective_resolve(type_name, type_name, resolved, dir, &full, err));
    json_t *values = json_object();
    pr_status_t status = PR_OK;
    for (const pr_option_t *o = pr_objective_type(type_name)->options; o->key && status == PR_OK; o++) {
        json_t *v = json_object_get(full, o->key);
        if (!v || o->incidental)
            continue;
        if (o->kind != PR_OPT_FILE && o->kind != PR_OPT_DIR && o->kind != PR_OPT_COMMAND) {
            json_object_set(values, o->key, v);
            continue;
        }
        json_t *content = json_object();
        status = hash_option(o, v, dir ? dir : "", content, err);
        json_object_set_new(values, o->key, content);
    }
    json_decref(full);
    if (status != PR_OK) {
        json_decref(values);
        return status;
    }
    *identity = json_pack("{s:s, s:o}", "type", type_name, "options", values);
    return PR_OK;
}
