// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/place.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "objective/objective.h"
#include "report/text.h"
#include "store/journal.h"
#include "store/results.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- the inputs of a sweep, whatever they are ---- */

typedef enum { INPUT_FILE, INPUT_MODEL, INPUT_ADAPTER, INPUT_OPTION } pr_input_kind_t;

typedef struct pr_input {
    char key[128]; // as --set takes it: "objectives.[1].words"
    pr_input_kind_t kind;
    char **path;               // in the configuration; NULL for an option
    int objective;             // INPUT_ADAPTER, INPUT_OPTION; -1: an adapter that trainings begin as
    const pr_option_t *option; // INPUT_OPTION
} pr_input_t;

typedef pr_status_t (*pr_input_fn)(void *self, pr_config_t *c, const pr_input_t *in, pr_error_t *err);

static pr_status_t each_objective(pr_config_t *c, int k, pr_input_fn fn, void *self, pr_error_t *err)
{
    pr_objective_config_t *o = &c->objective[k];
    const pr_objective_type_t *type = pr_objective_type(o->type);
    pr_input_t in = {.kind = INPUT_ADAPTER, .path = &o->adapter, .objective = k};
    snprintf(in.key, sizeof in.key, "objectives.[%d].adapter", o->place);
    if (o->adapter)
        PR_TRY(fn(self, c, &in, err));
    for (const pr_option_t *opt = type ? type->options : NULL; opt && opt->key; opt++) {
        in = (pr_input_t){.kind = INPUT_OPTION, .objective = k, .option = opt};
        snprintf(in.key, sizeof in.key, "objectives.[%d].%s", o->place, opt->key);
        bool named = opt->kind == PR_OPT_FILE || opt->kind == PR_OPT_DIR || opt->kind == PR_OPT_COMMAND;
        if (named && json_object_get(o->options, opt->key))
            PR_TRY(fn(self, c, &in, err));
    }
    return PR_OK;
}

static pr_status_t each_input(pr_config_t *c, pr_input_fn fn, void *self, pr_error_t *err)
{
    pr_input_t plain[] = {{"model", INPUT_MODEL, &c->model, 0, NULL},
                          {"prompts.train", INPUT_FILE, &c->train_prompts, 0, NULL},
                          {"prompts.validation", INPUT_FILE, &c->validation_prompts, 0, NULL},
                          {"prompts.eval", INPUT_FILE, &c->eval_prompts, 0, NULL}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (*plain[i].path)
            PR_TRY(fn(self, c, &plain[i], err));
    for (int k = 0; k < c->n_scored; k++)
        PR_TRY(each_objective(c, k, fn, self, err));
    pr_input_t init = {"finetune.init", INPUT_ADAPTER, &c->finetune.init, -1, NULL};
    if (c->finetune.init)
        PR_TRY(fn(self, c, &init, err));
    for (int i = 0; i < c->n_policies; i++) {
        init.path = &c->policy[i].train.init;
        if (c->policy[i].own_train) // else it is finetune's, and has its own copy of it
            snprintf(init.key, sizeof init.key, "policies.[%d].train.init", i);
        else
            snprintf(init.key, sizeof init.key, "finetune.init");
        if (c->policy[i].train.init)
            PR_TRY(fn(self, c, &init, err));
    }
    for (int i = 0; i < c->n_searches; i++) {
        pr_input_t in = {.kind = INPUT_FILE, .path = &c->search[i].file};
        snprintf(in.key, sizeof in.key, "search.[%d].file", i);
        if (c->search[i].file)
            PR_TRY(fn(self, c, &in, err));
    }
    return PR_OK;
}

/* ---- content ---- */

/* What an option of an objective is by content. */
static pr_status_t option_hash(const pr_config_t *c, int objective, const char *key, const json_t *options,
                               char out[PR_HASH_HEX], pr_error_t *err)
{
    const pr_objective_config_t *o = &c->objective[objective];
    json_t *resolved = NULL, *identity = NULL;
    PR_TRY(pr_objective_resolve(o->name, o->type, options, c->dir, &resolved, err));
    pr_status_t status = pr_objective_identity(o->type, resolved, c->dir, &identity, err);
    json_decref(resolved);
    PR_TRY(status);
    const json_t *content = json_object_get(json_object_get(identity, "options"), key);
    if (content)
        pr_json_hash(content, out);
    else // what does not change the scores is no part of it
        status = pr_fail(err, PR_ERR_UNSUPPORTED, "%s: not known by content", key);
    json_decref(identity);
    return status;
}

/* With the input's path, or an option's value, in place of the configuration's own. */
static pr_status_t hash_at(const pr_config_t *c, const pr_input_t *in, const char *path, const json_t *value,
                           char out[PR_HASH_HEX], pr_error_t *err)
{
    if (in->kind == INPUT_MODEL)
        return pr_model_dir_hash(path, out, err);
    if (in->kind == INPUT_ADAPTER)
        return pr_adapter_hash(path, out, err);
    if (in->kind == INPUT_FILE)
        return pr_hash_file(path, out, err);
    json_t *options = json_copy(c->objective[in->objective].options);
    if (value)
        json_object_set(options, in->option->key, (json_t *)(uintptr_t)value);
    else
        json_object_set_new(options, in->option->key, json_string(path));
    pr_status_t status = option_hash(c, in->objective, in->option->key, options, out, err);
    json_decref(options);
    return status;
}

static const char *option_text(const pr_config_t *c, const pr_input_t *in)
{
    return json_string_value(json_object_get(c->objective[in->objective].options, in->option->key));
}

/* The input's absolute path; NULL for a command. Caller frees. */
static char *path_of(const pr_config_t *c, const pr_input_t *in)
{
    if (in->path)
        return pr_strdup(*in->path);
    const char *text = in->option->kind == PR_OPT_COMMAND ? NULL : option_text(c, in);
    return text ? pr_path_join(c->dir, text) : NULL;
}

/* Appends the words of a command that name files. */
static void add_command_files(const char *dir, const json_t *value, json_t *out)
{
    const char *text = json_string_value(value);
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)value, i, item) add_command_files(dir, item, out);
    for (const char *p = text ? text : ""; *p;) {
        size_t gap = strspn(p, PR_COMMAND_GAPS), n = strcspn(p + gap, PR_COMMAND_GAPS);
        char *word = pr_strndup(p + gap, n), *path = pr_path_join(dir, word);
        if (*word && pr_file_exists(path))
            json_array_append_new(out, json_string(word));
        free(word);
        free(path);
        p += gap + n;
    }
}

typedef struct pr_recorder {
    const pr_inputs_t *in;
    json_t *out;
} pr_recorder_t;

/* The hash that pr_inputs_read has found already, where it has. */
static bool known_hash(const pr_inputs_t *in, const pr_input_t *i, char out[PR_HASH_HEX])
{
    const char *hash = i->kind == INPUT_MODEL ? in->model : "";
    if (i->kind == INPUT_ADAPTER && i->objective >= 0)
        hash = in->adapter[i->objective];
    else if (i->kind == INPUT_ADAPTER)
        hash = json_string_value(json_object_get(in->init, *i->path));
    hash = hash ? hash : "";
    const json_t *content =
        i->kind == INPUT_OPTION
            ? json_object_get(json_object_get(in->objective[i->objective], "options"), i->option->key)
            : NULL;
    if (content)
        pr_json_hash(content, out);
    else
        snprintf(out, PR_HASH_HEX, "%s", hash);
    return out[0] != 0;
}

static pr_status_t record(void *self, pr_config_t *c, const pr_input_t *in, pr_error_t *err)
{
    pr_recorder_t *r = self;
    char hash[PR_HASH_HEX], *path = path_of(c, in);
    pr_status_t status = PR_OK;
    if (!known_hash(r->in, in, hash))
        status = hash_at(c, in, path ? path : "", NULL, hash, err);
    if (status == PR_OK) // what cannot be read is told of by who needs it
        json_object_set_new(r->out, in->key,
                            json_pack("{s:o, s:s}", "path",
                                      path ? pr_text_json_string(path, strlen(path)) : json_null(), "hash", hash));
    pr_file_id_t id;
    if (status == PR_OK && in->kind == INPUT_FILE && pr_file_id(path, &id, NULL) == PR_OK) // so that lines may be added
        json_object_set_new(json_object_get(r->out, in->key), "bytes", json_integer((json_int_t)id.size));
    json_t *entry = json_object_get(r->out, in->key);
    if (entry && in->kind == INPUT_OPTION && in->option->kind == PR_OPT_COMMAND) {
        json_t *files = json_array();
        add_command_files(c->dir, json_object_get(c->objective[in->objective].options, in->option->key), files);
        json_object_set_new(entry, "files", files);
    }
    free(path);
    return PR_OK;
}

json_t *pr_sweep_inputs_json(const pr_config_t *c, const pr_inputs_t *in)
{
    pr_recorder_t r = {in, json_object()};
    each_input((pr_config_t *)(uintptr_t)c, record, &r, NULL); // changes nothing
    return r.out;
}

/* ---- where it could be ---- */

/* "/a/./b/../c" -> "/a/c", of absolute paths. Caller frees. */
static char *normal(const char *path)
{
    pr_buf_t b = {0};
    pr_buf_puts(&b, "");
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        if (n == 2 && memcmp(p, "..", 2) == 0) {
            char *slash = strrchr(b.data, '/');
            b.len = slash ? (size_t)(slash - b.data) : 0;
            b.data[b.len] = 0;
        } else if (n > 0 && !(n == 1 && *p == '.')) {
            pr_buf_puts(&b, "/");
            pr_buf_add(&b, p, n);
        }
        p += n;
    }
    if (b.len == 0)
        pr_buf_puts(&b, "/");
    return b.data;
}

/* Where the results directory was and is, and what its journal says of the inputs. */
typedef struct pr_move {
    const char *label; // the directory as the user named it
    char *from, *to;   // normal
    const json_t *inputs;
    const pr_config_t *before; // the configuration without overrides
    pr_place_t need;
} pr_move_t;

/* As far from `to` as path is from `from`. Caller frees. */
static char *moved_along(const pr_move_t *m, const char *path)
{
    size_t same = 0;
    for (size_t i = 0;; i++) {
        bool end_a = !m->from[i] || m->from[i] == '/', end_b = !path[i] || path[i] == '/';
        if (end_a && end_b)
            same = i;
        if (!m->from[i] || !path[i] || m->from[i] != path[i])
            break;
    }
    pr_buf_t b = {0};
    pr_buf_puts(&b, m->to);
    for (const char *p = m->from + same; *p; p++)
        if (*p == '/' && p[1])
            pr_buf_puts(&b, "/..");
    pr_buf_puts(&b, path + same);
    char *out = normal(b.data);
    pr_buf_free(&b);
    return out;
}

/* Is it acceptable: there, and of the content expected ("" : any)? */
typedef bool (*pr_accept_fn)(void *self, const char *path);

/* The first acceptable of: as far from the directory as it was; the same name, with as many of its folders as may be,
 * in the directory or one above it (only where content tells it from another). Caller frees; NULL when none is. */
static char *search_places(const pr_move_t *m, const char *path, bool by_content, pr_accept_fn accept, void *self)
{
    char *from = normal(path), *found = moved_along(m, from), *above = pr_strdup(m->to);
    bool ok = strcmp(found, from) != 0 && accept(self, found);
    for (bool more = by_content; more && !ok;) {
        for (const char *tail = from; *tail && !ok; tail += 1 + strcspn(tail + 1, "/")) {
            pr_buf_t b = {0};
            pr_buf_printf(&b, "%s%s", strcmp(above, "/") == 0 ? "" : above, tail);
            free(found);
            found = b.data;
            ok = strcmp(found, from) != 0 && accept(self, found);
        }
        more = strcmp(above, "/") != 0;
        char *parent = pr_path_dir(above);
        free(above);
        above = parent;
    }
    free(from);
    free(above);
    if (!ok) {
        free(found);
        found = NULL;
    }
    return found;
}

static bool is_directory(const pr_input_t *in)
{
    return in->kind == INPUT_MODEL || in->kind == INPUT_ADAPTER ||
           (in->kind == INPUT_OPTION && in->option->kind == PR_OPT_DIR);
}

typedef struct pr_looking {
    const pr_config_t *c;
    const pr_input_t *in;
    const char *hash; // expected, or NULL
} pr_looking_t;

static bool there(const pr_input_t *in, const char *path)
{
    return is_directory(in) ? pr_dir_exists(path) : pr_file_exists(path);
}

static bool accept_input(void *self, const char *path)
{
    const pr_looking_t *l = self;
    char hash[PR_HASH_HEX];
    if (!there(l->in, path))
        return false;
    return !l->hash || (hash_at(l->c, l->in, path, NULL, hash, NULL) == PR_OK && strcmp(hash, l->hash) == 0);
}

static bool accept_dir(void *self, const char *path)
{
    (void)self;
    return pr_dir_exists(path);
}

static bool accept_file(void *self, const char *path)
{
    (void)self;
    return pr_file_exists(path);
}

/* ---- taking it ---- */

static void set_input(pr_config_t *c, const pr_input_t *in, const char *path)
{
    if (in->path) {
        free(*in->path);
        *in->path = pr_strdup(path);
    } else {
        json_object_set_new(c->objective[in->objective].options, in->option->key, json_string(path));
    }
}

static const char *recorded(const pr_move_t *m, const pr_input_t *in)
{
    return json_string_value(json_object_get(json_object_get(m->inputs, in->key), "hash"));
}

static pr_status_t missing(const pr_move_t *m, const pr_input_t *in, const char *path, pr_error_t *err)
{
    const char *hash = recorded(m, in);
    return pr_fail(err, PR_ERR_NOT_FOUND,
                   "%s: %s: %s is not there any more%s%s%s; name it where it is now: --set '%s=\"%s\"'", m->label,
                   in->key, path, hash ? ", and nothing near the directory has its content (hash " : "",
                   hash ? hash : "", hash ? ")" : "", in->key, is_directory(in) ? "/DIRECTORY" : "/FILE");
}

/* Does a word of a command name a file, by an absolute path or by what the journal says, that is not there? */
static bool file_is_gone(const pr_move_t *m, const pr_config_t *c, const pr_input_t *in, const char *word)
{
    const json_t *files = json_object_get(json_object_get(m->inputs, in->key), "files"), *file;
    char *path = pr_path_join(c->dir, word);
    bool gone = !pr_file_exists(path) && !pr_dir_exists(path), named = word[0] == '/';
    size_t i;
    json_array_foreach(files, i, file) named =
        named || strcmp(json_string_value(file) ? json_string_value(file) : "", word) == 0;
    free(path);
    return named && gone;
}

/* Words of a command that name files which are not there, where such a file has moved along. */
static json_t *repoint_words(const pr_move_t *m, const pr_config_t *c, const pr_input_t *in, const json_t *value)
{
    pr_buf_t b = {0};
    const char *text = json_string_value(value);
    size_t i;
    json_t *item;
    if (json_is_array(value)) {
        json_t *list = json_array();
        json_array_foreach((json_t *)(uintptr_t)value, i, item)
            json_array_append_new(list, repoint_words(m, c, in, item));
        return list;
    }
    pr_buf_puts(&b, "");
    for (const char *p = text ? text : ""; *p;) {
        size_t gap = strspn(p, PR_COMMAND_GAPS), n = strcspn(p + gap, PR_COMMAND_GAPS);
        char *word = pr_strndup(p + gap, n), *path = pr_path_join(c->dir, word);
        char *found = file_is_gone(m, c, in, word) ? search_places(m, path, true, accept_file, NULL) : NULL;
        pr_buf_add(&b, p, gap);
        pr_buf_puts(&b, found ? found : word);
        free(found);
        free(word);
        free(path);
        p += gap + n;
    }
    json_t *out = text ? json_string(b.data) : json_deep_copy(value);
    pr_buf_free(&b);
    return out;
}

static bool needed(const pr_move_t *m, const pr_input_t *in)
{
    return m->need == PR_PLACE_ALL || in->kind == INPUT_MODEL || (in->kind == INPUT_ADAPTER && in->objective >= 0);
}

/* What a command's words named as files is not to be taken for mere words, which would be another command. */
static pr_status_t check_command_files(const pr_move_t *m, const pr_config_t *c, const pr_input_t *in, pr_error_t *err)
{
    const json_t *files = json_object_get(json_object_get(m->inputs, in->key), "files"), *file;
    size_t i;
    json_array_foreach(files, i, file)
    {
        const char *word = json_string_value(file);
        if (word && needed(m, in) && file_is_gone(m, c, in, word))
            return pr_fail(err, PR_ERR_NOT_FOUND,
                           "%s: %s: %s is not there any more, and nothing near the directory has its name; name it "
                           "where it is now: --set '%s=...'",
                           m->label, in->key, word, in->key);
    }
    return PR_OK;
}

static pr_status_t place_command(const pr_move_t *m, pr_config_t *c, const pr_input_t *in, pr_error_t *err)
{
    json_t *options = c->objective[in->objective].options, *now = json_object_get(options, in->option->key);
    const char *hash = recorded(m, in);
    char found[PR_HASH_HEX];
    json_t *value = repoint_words(m, c, in, now);
    bool changed = !json_equal(value, now);
    bool same = hash && hash_at(c, in, "", value, found, NULL) == PR_OK && strcmp(found, hash) == 0;
    if (changed && (same || !hash))
        json_object_set(options, in->option->key, value);
    json_decref(value);
    if (!changed)
        return check_command_files(m, c, in, err);
    if (same || !hash)
        return PR_OK;
    return pr_fail(err, PR_ERR_NOT_FOUND,
                   "%s: %s: its files are not there as they were; name them where they are now: --set '%s=...'",
                   m->label, in->key, in->key);
}

/* Was this input named by the user of this command? */
static bool overridden(const pr_move_t *m, pr_config_t *c, const pr_input_t *in)
{
    if (in->kind == INPUT_OPTION)
        return in->objective >= m->before->n_scored ||
               !json_equal(json_object_get(c->objective[in->objective].options, in->option->key),
                           json_object_get(m->before->objective[in->objective].options, in->option->key));
    // The same field of the other configuration.
    const char *other = *(char *const *)(const void *)((const char *)m->before + ((const char *)in->path - (char *)c));
    return !other || strcmp(other, *in->path) != 0;
}

static pr_status_t place(void *self, pr_config_t *c, const pr_input_t *in, pr_error_t *err)
{
    const pr_move_t *m = self;
    if (overridden(m, c, in))
        return PR_OK;
    if (in->kind == INPUT_OPTION && in->option->kind == PR_OPT_COMMAND)
        return place_command(m, c, in, err);
    char *path = path_of(c, in), own[PR_HASH_HEX];
    pr_looking_t l = {c, in, recorded(m, in)};
    pr_status_t status = PR_OK;
    if (!path)
        return PR_OK; // of another type than it should be: told later
    bool is_there = there(in, path);
    // What is there as it was is taken, unless it has become another and the old one has moved along.
    char *found = is_there && !l.hash ? NULL : search_places(m, path, l.hash != NULL, accept_input, &l);
    // Only to warn, a model, whose hash takes long, is not read.
    bool asked = is_there && l.hash && (found || (m->need == PR_PLACE_ALL && in->kind != INPUT_MODEL));
    bool known = asked && hash_at(c, in, path, NULL, own, NULL) == PR_OK, same = known && strcmp(own, l.hash) == 0;
    if (found && !same) {
        pr_log(PR_LOG_INFO, "%s: %s is %s; taken from %s", in->key, path,
               is_there ? "not what it was" : "not there any more", found);
        set_input(c, in, found);
    } else if (!is_there && needed(m, in)) {
        status = missing(m, in, path, err);
    } else if (known && !same) {
        pr_log(PR_LOG_WARN, "%s: %s is not what it was", in->key, path);
    }
    free(found);
    free(path);
    return status;
}

/* Does anything of the objectives depend on the configuration's directory? */
static pr_status_t uses_dir(void *self, pr_config_t *c, const pr_input_t *in, pr_error_t *err)
{
    (void)err;
    if (in->kind == INPUT_OPTION) {
        const char *text = in->option->kind == PR_OPT_COMMAND ? NULL : option_text(c, in);
        *(bool *)self = *(bool *)self || !text || text[0] != '/';
    }
    return PR_OK;
}

static pr_status_t place_dir(const pr_move_t *m, pr_config_t *c, pr_error_t *err)
{
    bool used = false;
    if (pr_dir_exists(c->dir) || strcmp(c->dir, m->before->dir) != 0)
        return PR_OK;
    char *found = search_places(m, c->dir, true, accept_dir, NULL);
    if (found) {
        free(c->dir);
        c->dir = found;
        return PR_OK;
    }
    each_input(c, uses_dir, &used, NULL);
    if (used && m->need == PR_PLACE_ALL)
        return pr_fail(
            err, PR_ERR_NOT_FOUND,
            "%s: dir: %s is not there any more, and objectives' files are relative to it; name it where it is "
            "now: --set 'dir=\"/DIRECTORY\"'",
            m->label, c->dir);
    return PR_OK;
}

/* ---- a results directory ---- */

static pr_status_t last_inputs(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    const json_t *inputs = json_object_get(line, "inputs");
    (void)err;
    if (strcmp(event, "sweep_start") == 0 && json_is_object(inputs))
        pr_journal_keep(self, inputs);
    return PR_OK;
}

static bool sets(const char *const *overrides, int n, const char *key)
{
    for (int i = 0; i < n; i++) {
        const char *p = overrides[i];
        p += strspn(p, " \t");
        size_t len = strlen(key);
        if (strncmp(p, key, len) == 0 && p[len + strspn(p + len, " \t")] == '=')
            return true;
    }
    return false;
}

/* "results" of the file is for people: the directory is where it is. */
static void set_results(pr_config_t *c, const char *dir, const char *real, bool given)
{
    char *other = given ? normal(c->results) : NULL, *resolved = other ? realpath(other, NULL) : NULL;
    const char *at = resolved ? resolved : other;
    if (at && strcmp(at, real) != 0) {
        pr_log(PR_LOG_INFO, "%s: read for its configuration only; the results are those of %s", dir, c->results);
    } else {
        free(c->results);
        c->results = pr_strdup(real);
    }
    free(resolved);
    free(other);
}

static pr_status_t read_dir(const char *dir, const char *const *overrides, int n, pr_place_t need, pr_config_t **out,
                            pr_error_t *err)
{
    char *file = pr_results_path(dir, PR_FILE_CONFIG), *journal = pr_results_path(dir, PR_FILE_JOURNAL),
         *real = realpath(dir, NULL);
    pr_config_t *before = NULL, *c = NULL;
    json_t *inputs = NULL;
    pr_move_t m = {.label = dir, .need = need};
    pr_status_t status = PR_OK;
    if (!pr_file_exists(file))
        PR_GO(pr_fail(err, PR_ERR_NOT_FOUND, "%s: no " PR_FILE_CONFIG " here: not a results directory", dir));
    PR_GO(pr_config_read(file, overrides, n, &c, err));
    PR_GO(pr_config_read(file, NULL, 0, &before, err));
    PR_GO(pr_journal_read(journal, last_inputs, &inputs, NULL, err));
    m.from = normal(before->results);
    m.to = normal(real ? real : dir);
    m.inputs = inputs;
    m.before = before;
    set_results(c, dir, m.to, sets(overrides, n, "results"));
    if (strcmp(c->results, m.to) == 0) // else it is read for its configuration only
        PR_GO(pr_results_check_layout(dir, err));
    PR_GO(place_dir(&m, c, err));
    PR_GO(each_input(c, place, &m, err));
    *out = c;
    c = NULL;
done:
    pr_config_free(&before);
    pr_config_free(&c);
    json_decref(inputs);
    free(m.from);
    free(m.to);
    free(real);
    free(journal);
    free(file);
    return status;
}

pr_status_t pr_sweep_config_read(const char *path, const char *const *overrides, int n, pr_place_t need,
                                 pr_config_t **out, pr_error_t *err)
{
    if (!pr_dir_exists(path))
        return pr_config_read(path, overrides, n, out, err);
    char *file = pr_results_path(path, PR_FILE_CONFIG), *journal = pr_results_path(path, PR_FILE_JOURNAL);
    bool results = pr_file_exists(journal) || pr_results_has_work(path, NULL, 0);
    // A folder that holds a sweep's file and nothing that a run leaves stands for that file.
    pr_status_t status = results || !pr_file_exists(file) ? read_dir(path, overrides, n, need, out, err)
                                                          : pr_config_read(file, overrides, n, out, err);
    free(file);
    free(journal);
    return status;
}
