// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/changes.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/key_class.h"
#include "config/keys.h"
#include "objective/objective.h"
#include "report/text.h"
#include "store/journal.h"
#include "store/layout.h"
#include "sweeps/fold.h"
#include "sweeps/search/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows by which the keys of a group are read. */
typedef struct pr_rows_of {
    const pr_option_t *own, *more;
} pr_rows_of_t;

typedef struct pr_comparing {
    const pr_changes_side_t *before, *after;
    const pr_config_t *was, *is; // the same as structures; was: NULL, where this version does not read it
    pr_changes_t *out;
} pr_comparing_t;

/* ---- what is told ---- */

static void put_value(pr_buf_t *b, const json_t *v)
{
    pr_buf_t text = {0};
    if (v && !json_is_null(v))
        pr_text_json(&text, v, 0);
    pr_text_cut(b, text.data ? text.data : "not set", 60);
    pr_buf_free(&text);
}

static void tell(pr_comparing_t *c, pr_key_class_t class, const char *key, const json_t *from, const json_t *to)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s: ", key);
    put_value(&b, from);
    pr_buf_puts(&b, " → ");
    put_value(&b, to);
    json_array_append_new(c->out->text, json_string(b.data));
    bool steps = class == PR_KEY_STEPS && json_number_value(to) > json_number_value(from);
    *(steps ? &c->out->more_steps : &c->out->other) = true;
    pr_buf_free(&b);
}

/* In words; to: NULL when `from` says all. */
static void tell_text(pr_comparing_t *c, const char *key, const char *from, const char *to)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s: %s%s%s", key, from, to ? " → " : "", to ? to : "");
    json_array_append_new(c->out->text, pr_text_json_string(b.data, b.len));
    c->out->other = true;
    pr_buf_free(&b);
}

/* ---- values ---- */

static bool same_value(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static bool holds_all(const json_t *more, const json_t *less)
{
    size_t i, j;
    json_t *x, *y;
    json_array_foreach((json_t *)(uintptr_t)less, i, x)
    {
        bool found = false;
        json_array_foreach((json_t *)(uintptr_t)more, j, y) found = found || same_value(x, y);
        if (!found)
            return false;
    }
    return json_is_array(more) && json_is_array(less);
}

static double amount(const json_t *v, bool zero_is_all)
{
    if (json_is_boolean(v))
        return json_is_true(v);
    double x = json_number_value(v);
    return zero_is_all && x == 0 ? INFINITY : x;
}

/* Does another value leave the results as they are, or only add to them? */
static bool only_adds(pr_key_class_t class, const json_t *from, const json_t *to)
{
    switch (class) {
    case PR_KEY_HOW:
        return true;
    case PR_KEY_MORE:
        return amount(to, false) >= amount(from, false);
    case PR_KEY_MORE_0:
        return amount(to, true) >= amount(from, true);
    case PR_KEY_MULTIPLE:
        return json_integer_value(from) > 0 && json_integer_value(to) % json_integer_value(from) == 0;
    case PR_KEY_SET:
        return holds_all(to, from);
    case PR_KEY_RESULT:
    case PR_KEY_STEPS:
    case PR_KEY_LINES:
        break;
    }
    return false;
}

/* ---- groups ---- */

static bool names_file(const pr_option_t *row)
{
    return row && (row->kind == PR_OPT_FILE || row->kind == PR_OPT_DIR || row->kind == PR_OPT_COMMAND);
}

static const pr_option_t *row_of(const pr_rows_of_t *rows, const char *key)
{
    const pr_option_t *row = rows->own ? pr_option_find(rows->own, key) : NULL;
    return row || !rows->more ? row : pr_option_find(rows->more, key);
}

/* from, to: NULL where it is not given, which means the row's default. */
static void compare_value(pr_comparing_t *c, const pr_option_t *row, const char *class_key, const char *shown,
                          const json_t *from, const json_t *to)
{
    if (names_file(row) || (row && row->incidental))
        return; // compare_inputs() does, or it says nothing of results
    json_t *dflt = row && row->dflt ? pr_option_default(row) : NULL;
    from = from ? from : dflt;
    to = to ? to : dflt;
    pr_key_class_t class = pr_key_class(class_key);
    if (!same_value(from, to) && !only_adds(class, from, to))
        tell(c, class, shown, from, to);
    json_decref(dflt);
}

/* at: the key within its table so far; class_key and shown: before it, with their dots. */
static void compare_groups(pr_comparing_t *c, const pr_rows_of_t *rows, const char *at, const char *class_key,
                           const char *shown, const json_t *before, const json_t *after, const char *const *skip)
{
    json_t *all = json_object(), *unused;
    const char *key;
    json_object_update(all, (json_t *)(uintptr_t)before);
    json_object_update(all, (json_t *)(uintptr_t)after);
    json_object_foreach(all, key, unused)
    {
        const json_t *from = json_object_get(before, key), *to = json_object_get(after, key);
        bool skipped = false;
        for (const char *const *s = skip; s && *s && !at[0]; s++)
            skipped = skipped || strcmp(*s, key) == 0;
        if (skipped)
            continue;
        pr_buf_t row_key = {0}, class_at = {0}, shown_at = {0};
        pr_buf_printf(&row_key, "%s%s", at, key);
        pr_buf_printf(&class_at, "%s%s", class_key, row_key.data);
        pr_buf_printf(&shown_at, "%s%s", shown, row_key.data);
        if (json_is_object(from) || json_is_object(to)) {
            pr_buf_puts(&row_key, ".");
            compare_groups(c, rows, row_key.data, class_key, shown, from, to, NULL);
        } else {
            compare_value(c, row_of(rows, row_key.data), class_at.data, shown_at.data, from, to);
        }
        pr_buf_free(&row_key);
        pr_buf_free(&class_at);
        pr_buf_free(&shown_at);
    }
    json_decref(all);
}

static const char *text_of(const json_t *group, const char *key)
{
    const char *text = json_string_value(json_object_get(group, key));
    return text ? text : "";
}

/* The group of a list that has this name; *index: where. NULL: none has. */
static const json_t *named(const json_t *list, const char *name, size_t *index)
{
    json_t *one;
    for (*index = 0; (one = json_array_get(list, *index)); ++*index)
        if (strcmp(text_of(one, "name"), name) == 0)
            return one;
    return NULL;
}

/* ---- objectives, policies, searches ---- */

static bool is_reported(const json_t *objective)
{
    return strcmp(text_of(objective, "role"), "report") == 0;
}

static char *names_of(const json_t *list)
{
    pr_buf_t b = {0};
    size_t i;
    json_t *one;
    pr_buf_puts(&b, "");
    json_array_foreach((json_t *)(uintptr_t)list, i, one) if (!is_reported(one))
        pr_buf_printf(&b, "%s%s", b.len ? ", " : "", text_of(one, "name"));
    return b.data;
}

static const json_t *objective_named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(text_of(json_array_get(list, i), "name"), name) == 0)
            return json_array_get(list, i);
    return NULL;
}

static void compare_objective(pr_comparing_t *c, const json_t *a, const json_t *b)
{
    const pr_objective_type_t *type = pr_objective_type(text_of(b, "type"));
    bool typed = type && strcmp(text_of(a, "type"), text_of(b, "type")) == 0;
    pr_rows_of_t rows = {pr_objective_keys, typed ? type->options : NULL};
    pr_buf_t shown = {0};
    pr_buf_printf(&shown, "objectives.%s.", text_of(b, "name"));
    compare_groups(c, &rows, "", "objectives[].", shown.data, a, b, NULL);
    pr_buf_free(&shown);
}

/* Points are vectors of the objectives, in their order. One that is only reported is a column: a further one adds work. */
static void compare_objectives(pr_comparing_t *c)
{
    const json_t *before = json_object_get(c->before->config, "objectives"),
                 *after = json_object_get(c->after->config, "objectives"), *a;
    char *from = names_of(before), *to = names_of(after);
    bool same = strcmp(from, to) == 0;
    if (!same)
        tell_text(c, "objectives", from, to);
    free(from);
    free(to);
    for (size_t i = 0; same && i < json_array_size(after); i++)
        if ((a = objective_named(before, text_of(json_array_get(after, i), "name"))))
            compare_objective(c, a, json_array_get(after, i));
    for (size_t i = 0; i < json_array_size(before); i++) {
        const char *name = text_of(json_array_get(before, i), "name");
        if (is_reported(json_array_get(before, i)) && !objective_named(after, name)) {
            pr_buf_t key = {0};
            pr_buf_printf(&key, "objectives.%s", name);
            tell_text(c, key.data, "reported", "left out");
            pr_buf_free(&key);
        }
    }
}

/* A budget that is not given is what the search proposes; 0: no limit. */
static int64_t budget_of(const pr_config_t *config, const char *name)
{
    for (int i = 0; config && i < config->n_searches; i++) {
        pr_search_t s = {.spec = &config->search[i], .k = config->n_objectives};
        if (strcmp(config->search[i].name, name) == 0)
            return config->search[i].budget > 0 ? config->search[i].budget : pr_search_proposal(&s);
    }
    return 0;
}

/* A smaller budget that is not smaller than what was asked for takes nothing away. */
static void set_budgets(const pr_comparing_t *c, const char *name, json_t *from, json_t *to)
{
    int64_t was = budget_of(c->was, name), is = budget_of(c->is, name);
    const json_t *asked = json_object_get(c->before->asked, name);
    bool enough = is > 0 && asked && is >= json_integer_value(asked);
    if (c->was && json_object_get(from, "budget"))
        json_object_set_new(from, "budget", json_integer(enough ? is : was));
    if (json_object_get(to, "budget"))
        json_object_set_new(to, "budget", json_integer(is));
}

/* The settings of a policy's trainings; where it has none of its own, finetune's. New reference. */
static json_t *train_of(const pr_config_t *config, const json_t *policy)
{
    for (int i = 0; config && i < config->n_policies; i++)
        if (strcmp(config->policy[i].name, text_of(policy, "name")) == 0 && config->policy[i].own_train)
            return pr_options_json(pr_train_keys, &config->policy[i].train);
    return config ? pr_options_json(pr_train_keys, &config->finetune) : json_incref(json_object_get(policy, "train"));
}

typedef void (*pr_compare_fn)(pr_comparing_t *c, const char *shown, json_t *from, json_t *to);

static void compare_search(pr_comparing_t *c, const char *shown, json_t *from, json_t *to)
{
    pr_rows_of_t rows = {pr_search_keys, NULL};
    set_budgets(c, text_of(to, "name"), from, to);
    compare_groups(c, &rows, "", "search[].", shown, from, to, NULL);
}

static void compare_policy(pr_comparing_t *c, const char *shown, json_t *from, json_t *to)
{
    static const char *const apart[] = {"mix", "train", NULL};
    const json_t *mix_from = json_object_get(from, "mix"), *mix_to = json_object_get(to, "mix");
    const pr_method_t *method = NULL;
    const pr_mix_t *mix = NULL;
    pr_buf_t mix_shown = {0}, train_shown = {0};
    pr_buf_printf(&mix_shown, "%smix.", shown);
    pr_buf_printf(&train_shown, "%strain.", shown);
    pr_method_find(text_of(to, "method"), &method, NULL);
    pr_mix_find(text_of(mix_to, "type"), &mix, NULL);
    pr_rows_of_t rows = {pr_policy_keys, method ? method->options : NULL}, of_mix = {mix ? mix->options : NULL, NULL},
                 of_train = {pr_train_keys, NULL};
    compare_groups(c, &rows, "", "policies[].", shown, from, to, apart);
    compare_groups(c, &of_mix, "", "policies[].mix.", mix_shown.data, mix_from, mix_to, NULL);
    if (json_object_get(from, "train") || json_object_get(to, "train")) { // else finetune's are compared
        json_t *a = train_of(c->was, from), *b = train_of(c->is, to);
        compare_groups(c, &of_train, "", "policies[].train.", train_shown.data, a, b, NULL);
        json_decref(a);
        json_decref(b);
    }
    pr_buf_free(&mix_shown);
    pr_buf_free(&train_shown);
}

/* The groups of the list `key`, by their names; a new one only adds. */
static void compare_named(pr_comparing_t *c, const char *key, pr_compare_fn compare)
{
    const json_t *before = json_object_get(c->before->config, key), *after = json_object_get(c->after->config, key);
    size_t i, j;
    json_t *from;
    json_array_foreach((json_t *)(uintptr_t)before, i, from)
    {
        const json_t *to = named(after, text_of(from, "name"), &j);
        pr_buf_t shown = {0};
        pr_buf_printf(&shown, "%s.%s", key, text_of(from, "name"));
        if (to) {
            json_t *a = json_copy(from), *b = json_copy((json_t *)(uintptr_t)to);
            pr_buf_puts(&shown, ".");
            compare(c, shown.data, a, b);
            json_decref(a);
            json_decref(b);
        } else {
            tell_text(c, shown.data, "left out", NULL);
        }
        pr_buf_free(&shown);
    }
}

/* Everything but the lists of groups. */
static void compare_keys(pr_comparing_t *c)
{
    static const char *const apart[] = {"objectives", "policies", "search", NULL};
    json_t *from = json_deep_copy(c->before->config), *to = json_deep_copy(c->after->config);
    if (c->before->prompts > 0 && c->after->prompts > 0) { // what 0 stands for
        json_object_set_new(json_object_get(from, "evaluate"), "prompts", json_integer(c->before->prompts));
        json_object_set_new(json_object_get(to, "evaluate"), "prompts", json_integer(c->after->prompts));
    }
    json_t *was = json_object_get(from, "evaluate"), *is = json_object_get(to, "evaluate");
    static const char *const drawn[] = {"temperature", "top_p"};
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn && strcmp(text_of(was, "decoding"), "greedy") == 0; i++)
        if (strcmp(text_of(is, "decoding"), "greedy") == 0) { // then they say nothing
            json_object_del(was, drawn[i]);
            json_object_del(is, drawn[i]);
        }
    pr_rows_of_t rows = {pr_config_keys, NULL};
    compare_groups(c, &rows, "", "", "", from, to, apart);
    json_decref(from);
    json_decref(to);
}

/* ---- files, by content ---- */

/* Of an input file, such as "search.[1].file". */
typedef struct pr_input_keys {
    char class[160];  // "search[].file"
    char before[160]; // its key before, which may have stood at another place
    char shown[160];  // "search.NAME.file"
} pr_input_keys_t;

static void keys_of_input(const pr_comparing_t *c, const char *key, pr_input_keys_t *out)
{
    unsigned number;
    int used = 0;
    size_t at = 0;
    enum { size = sizeof out->class };
    snprintf(out->class, size, "%s", key);
    snprintf(out->before, size, "%s", key);
    snprintf(out->shown, size, "%s", key);
    const char *open = strstr(key, ".["), *list = "objectives";
    if (!open || sscanf(open, ".[%u]%n", &number, &used) != 1 || used == 0)
        return;
    snprintf(out->class, size, "%.*s[]%s", (int)(open - key), key, open + used);
    if (strncmp(key, "search", 6) == 0)
        list = "search";
    if (strncmp(key, "policies", 8) == 0)
        list = "policies";
    const char *name = text_of(json_array_get(json_object_get(c->after->config, list), number), "name");
    snprintf(out->shown, size, "%s.%s%s", list, name, open + used);
    if (named(json_object_get(c->before->config, list), name, &at))
        snprintf(out->before, size, "%.*s.[%zu]%s", (int)(open - key), key, at, open + used);
    else
        out->before[0] = 0; // it is new
}

/* Does the file begin with the bytes that it once was? */
static bool begins_with(const char *path, const json_t *record)
{
    json_int_t bytes = json_integer_value(json_object_get(record, "bytes"));
    char *data = NULL, hash[PR_HASH_HEX];
    size_t len;
    if (bytes <= 0 || !path || pr_file_read(path, 0, &data, &len, NULL) != PR_OK)
        return false;
    bool same = len >= (size_t)bytes;
    if (same)
        pr_hash_hex(data, (size_t)bytes, hash);
    free(data);
    return same && strcmp(hash, text_of(record, "hash")) == 0;
}

/* Is it an input of an objective that is only reported, and new? */
static bool is_new_report(const pr_comparing_t *c, const char *key)
{
    const char *open = strstr(key, ".[");
    if (!open || strncmp(key, "objectives", 10) != 0)
        return false;
    const json_t *o = json_array_get(json_object_get(c->after->config, "objectives"), strtoul(open + 2, NULL, 10));
    return is_reported(o) && !objective_named(json_object_get(c->before->config, "objectives"), text_of(o, "name"));
}

static void compare_input(pr_comparing_t *c, const char *key, const json_t *to)
{
    pr_input_keys_t k;
    keys_of_input(c, key, &k);
    const json_t *from = json_object_get(c->before->inputs, k.before);
    const char *path = json_string_value(json_object_get(to, "path")),
               *old = json_string_value(json_object_get(from, "path"));
    if (from && strcmp(text_of(from, "hash"), text_of(to, "hash")) == 0)
        return;
    if (from && pr_key_class(k.class) == PR_KEY_LINES && begins_with(path, from))
        return;
    if (!from && (strncmp(key, "search", 6) == 0 || is_new_report(c, key)))
        return; // of a search, or a reported objective, that is new
    if (!from && strcmp(key, "prompts.validation") == 0)
        return; // whatever asks for them is new
    if (!k.before[0] && strncmp(key, "policies", 8) == 0)
        return; // a policy that is new
    if (path && old && strcmp(path, old) != 0)
        tell_text(c, k.shown, old, path);
    else
        tell_text(c, k.shown, from ? "its content" : "not set", from ? "another" : path ? path : "set");
}

/* A policy that is still there, and whose trainings do not begin as an adapter any more. */
static void compare_init(pr_comparing_t *c, const char *key, const json_t *from)
{
    unsigned number;
    size_t at = 0;
    char now[64];
    if (sscanf(key, "policies.[%u].train.init", &number) != 1)
        return;
    const char *name = text_of(json_array_get(json_object_get(c->before->config, "policies"), number), "name");
    if (!named(json_object_get(c->after->config, "policies"), name, &at))
        return;
    snprintf(now, sizeof now, "policies.[%zu].train.init", at);
    pr_buf_t shown = {0};
    pr_buf_printf(&shown, "policies.%s.train.init", name);
    if (!json_object_get(c->after->inputs, now))
        tell_text(c, shown.data, text_of(from, "path"), "not set");
    pr_buf_free(&shown);
}

/* What objectives and searches lost with their files they lost with their keys. */
static void compare_inputs(pr_comparing_t *c)
{
    static const char *const plain[] = {"prompts.train", "prompts.eval", "finetune.init"};
    const char *key;
    json_t *to;
    json_object_foreach((json_t *)(uintptr_t)c->after->inputs, key, to) compare_input(c, key, to);
    json_object_foreach((json_t *)(uintptr_t)c->before->inputs, key, to) compare_init(c, key, to);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (json_object_get(c->before->inputs, plain[i]) && !json_object_get(c->after->inputs, plain[i]))
            tell_text(c, plain[i], text_of(json_object_get(c->before->inputs, plain[i]), "path"), "not set");
}

/* ---- all together ---- */

void pr_changes_find(const pr_changes_side_t *before, const pr_changes_side_t *after, pr_changes_t *out)
{
    pr_changes_side_t from = *before;
    pr_config_t *was = NULL, *is = NULL;
    json_t *whole = NULL;
    *out = (pr_changes_t){.text = json_array()};
    if (pr_config_from_json(before->config, &was, NULL) == PR_OK) // with the keys that an earlier version did not have
        from.config = whole = pr_config_json(was);
    pr_config_from_json(after->config, &is, NULL);
    pr_comparing_t c = {&from, after, was, is, out};
    compare_objectives(&c);
    compare_keys(&c);
    compare_named(&c, "policies", compare_policy);
    compare_named(&c, "search", compare_search);
    if (from.inputs && after->inputs)
        compare_inputs(&c);
    json_decref(whole);
    pr_config_free(&was);
    pr_config_free(&is);
}

void pr_changes_clear(pr_changes_t *c)
{
    json_decref(c->text);
    *c = (pr_changes_t){0};
}

char *pr_changes_line(const pr_changes_t *c)
{
    enum { ROOM = 500 }; // of an error's text, with the rest of it
    pr_buf_t b = {0};
    size_t n = json_array_size(c->text), i = 0;
    pr_buf_puts(&b, "");
    for (; i < n && (i == 0 || b.len < ROOM); i++)
        pr_buf_printf(&b, "%s%s", i ? "; " : "", json_string_value(json_array_get(c->text, i)));
    if (i < n)
        pr_buf_printf(&b, "; and %zu more", n - i);
    return b.data;
}

pr_status_t pr_changes_refuse(const char *dir, const pr_changes_t *c, pr_error_t *err)
{
    if (json_array_size(c->text) == 0)
        return PR_OK;
    char *line = pr_changes_line(c);
    const char *then = c->more_steps && !c->other ? "continues the experts from their last step" : "goes on with these";
    pr_fail(err, PR_ERR_CONFIG,
            "%s holds results of another configuration: %s. Name another directory (--set 'results=\"...\"'), or give "
            "--replace, which moves the tables aside and %s",
            dir, line, then);
    free(line);
    return PR_ERR_CONFIG;
}

/* ---- of a directory that is only looked at ---- */

pr_status_t pr_changes_of_dir(const pr_config_t *config, pr_changes_t *out, pr_error_t *err)
{
    pr_fold_t *f = pr_fold_new(0);
    char *path = pr_results_path(config->results, PR_FILE_JOURNAL);
    json_t *now = pr_config_json(config);
    *out = (pr_changes_t){.text = json_array()};
    pr_status_t status = pr_journal_read(path, pr_fold_line, f, NULL, err);
    if (status == PR_OK && f->results > 0 && f->config) {
        json_decref(out->text);
        pr_changes_find(&(pr_changes_side_t){.config = f->config, .asked = f->asked},
                        &(pr_changes_side_t){.config = now}, out);
    }
    json_decref(now);
    free(path);
    pr_fold_free(&f);
    return status;
}
