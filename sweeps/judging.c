// SPDX-License-Identifier: BSD-3-Clause
/* What a judging is made of: points, prompts, objectives. */
#include "sweeps/judging.h"
#include "base/file.h"
#include "base/mem.h"
#include "report/csv.h"
#include "store/layout.h"
#include "sweeps/judging_internal.h"
#include "sweeps/phases.h"
#include "sweeps/place.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- its name ---- */

/* "test" of "data/test.jsonl". */
static void add_stem(pr_buf_t *b, const char *path)
{
    const char *slash = strrchr(path, '/'), *from = slash ? slash + 1 : path, *dot = strrchr(from, '.');
    size_t n = dot && dot > from ? (size_t)(dot - from) : strlen(from);
    for (size_t i = 0; i < n; i++)
        pr_buf_printf(b, "%c", isalnum((unsigned char)from[i]) || strchr("._-", from[i]) ? from[i] : '_');
}

static pr_status_t make_name(const pr_judging_wish_t *w, char **out, pr_error_t *err)
{
    enum { LONGEST = 64 };
    pr_buf_t b = {0};
    if (w->name) {
        pr_buf_puts(&b, w->name);
    } else {
        add_stem(&b, w->prompts);
        if (w->objectives)
            pr_buf_puts(&b, "-");
        if (w->objectives)
            add_stem(&b, w->objectives);
    }
    size_t good = 0;
    while (good < b.len && (isalnum((unsigned char)b.data[good]) || strchr("._-", b.data[good])))
        good++;
    *out = b.data ? b.data : pr_strdup("");
    if (good == 0 || good < b.len || good > LONGEST || (*out)[0] == '.' || (*out)[0] == '-' ||
        (b.len >= strlen(PR_END_SEGMENT) && strcmp(*out + b.len - strlen(PR_END_SEGMENT), PR_END_SEGMENT) == 0))
        return pr_fail(err, PR_ERR_USAGE,
                       "--name: found \"%s\", expected 1 to %d letters, digits, '.', '_' and '-', a letter, digit or "
                       "'_' first, and no " PR_END_SEGMENT " last",
                       *out, LONGEST);
    return PR_OK;
}

/* ---- its objectives and prompts ---- */

/* The objectives of a file that says nothing else, as far as this goes. */
static pr_status_t read_judges(pr_judging_t *j, const char *path, const char *prompts, pr_error_t *err)
{
    pr_config_t *judges = NULL, *c = j->c;
    pr_buf_t model = {0}, both = {0};
    json_t *file = json_string(prompts), *dir = json_string(c->model);
    char *text = pr_json_text(file, 0), *model_text = pr_json_text(dir, 0);
    pr_buf_printf(&both, "prompts={train=%s;eval=%s;}", text, text);
    pr_buf_printf(&model, "model=%s", model_text);
    const char *const set[] = {model.data, both.data, "name=\"judges\""};
    pr_status_t status = pr_config_read(path, set, 3, &judges, err);
    for (int k = 0; k < c->n_scored && status == PR_OK; k++) {
        pr_objective_config_t *o = &c->objective[k], *own = &judges->objective[k];
        pr_objective_config_t keep = *o;
        *o = *own;
        *own = keep;
    }
    for (int k = c->n_scored; status == PR_OK && k < judges->n_scored; k++) {
        c->objective[k] = judges->objective[k];
        judges->objective[k] = (pr_objective_config_t){0};
    }
    if (status == PR_OK) {
        int n = c->n_scored;
        c->n_scored = judges->n_scored;
        judges->n_scored = judges->n_objectives = n;
        char *base = c->dir;
        c->dir = judges->dir;
        judges->dir = base;
    }
    pr_config_free(&judges);
    pr_buf_free(&model);
    pr_buf_free(&both);
    free(text);
    free(model_text);
    json_decref(file);
    json_decref(dir);
    return status;
}

/* Two columns of one name would be read wrongly. */
static pr_status_t check_columns(const pr_judging_t *j, pr_error_t *err)
{
    for (int k = 0; k < j->c->n_objectives; k++)
        for (size_t i = 0; i < json_array_size(j->weights); i++) {
            const char *name = j->c->objective[k].name, *weight = json_string_value(json_array_get(j->weights, i));
            if (strncmp(name, "w_", 2) == 0 && strcmp(name + 2, weight) == 0)
                return pr_fail(err, PR_ERR_CONFIG,
                               "%s: objectives[%d].name: found \"%s\", the column of the sweep's weights; expected "
                               "another name",
                               j->c->path, k, name);
        }
    return PR_OK;
}

/* The sweep's configuration becomes this one's. */
static pr_status_t make_config(pr_judging_t *j, const pr_judging_wish_t *w, pr_error_t *err)
{
    pr_config_t *c = j->c;
    char *prompts = realpath(w->prompts, NULL);
    if (!prompts)
        return pr_fail(err, PR_ERR_NOT_FOUND, "--prompts: %s: no such file", w->prompts);
    free(c->eval_prompts);
    c->eval_prompts = prompts;
    c->evaluate.prompts = 0;
    if (c->train_prompts && !pr_file_exists(c->train_prompts)) { // needed by mixes that measure their parts on them
        free(c->train_prompts);
        c->train_prompts = NULL;
    }
    free(c->results);
    c->results = pr_strdup(j->dir);
    if (w->objectives)
        PR_TRY(read_judges(j, w->objectives, prompts, err));
    c->n_objectives = c->n_scored; // here nothing is aimed at: all judge alike
    return check_columns(j, err);
}

/* ---- its points ---- */

/* Ids in the order of the sweep's table, and those of its front. */
typedef struct pr_table_ids {
    json_t *order; // id -> row
    json_t *front; // list
} pr_table_ids_t;

static pr_status_t note_id(void *self, const pr_csv_line_t *line, pr_error_t *err)
{
    pr_table_ids_t *t = self;
    const char *id = pr_csv_field(line, "point"), *front = pr_csv_field(line, "front");
    if (!id || !front)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found no column point or front", line->where);
    if (strcmp(front, "1") == 0)
        json_array_append_new(t->front, json_string(id));
    if (!json_object_get(t->order, id))
        json_object_set_new(t->order, id, json_integer((json_int_t)json_object_size(t->order)));
    return PR_OK;
}

/* Ids that a judging in that directory was asked for, if there is one. */
static pr_status_t note_asked(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    (void)err;
    if (strcmp(event, "points") == 0)
        json_array_extend(self, json_object_get(line, "ids"));
    return PR_OK;
}

static pr_status_t given_ids(const pr_judging_wish_t *w, const pr_table_ids_t *t, const char *cells, json_t *out,
                             pr_error_t *err)
{
    if (strcmp(w->points, "front") == 0) {
        json_array_extend(out, t->front);
        return json_array_size(out) > 0
                   ? PR_OK
                   : pr_fail(err, PR_ERR_NOT_FOUND, "--points front: no front in %s; a sweep writes it when it ends",
                             cells);
    }
    for (const char *at = w->points, *end; at; at = *end ? end + 1 : NULL) {
        end = at + strcspn(at, ",");
        if (end == at)
            return pr_fail(err, PR_ERR_USAGE, "--points: found \"%s\", expected front, or ids between commas",
                           w->points);
        json_array_append_new(out, json_stringn(at, (size_t)(end - at)));
    }
    return PR_OK;
}

static int64_t row_of(const json_t *order, const pr_taken_t *t)
{
    const json_t *row = json_object_get(order, t->point);
    return row ? json_integer_value(row) : INT64_MAX;
}

static int compare_taken(const void *a, const void *b, void *order)
{
    const pr_taken_t *x = a, *y = b;
    int64_t i = row_of(order, x), k = row_of(order, y);
    return i != k ? (i > k) - (i < k) : strcmp(x->point, y->point);
}

/* The policies of all points, each once, in order. */
static pr_status_t take_all(pr_judging_t *j, const json_t *ids, json_t *order, pr_error_t *err)
{
    size_t n = json_array_size(ids), kept = 0;
    const char **wanted = pr_alloc(n, sizeof *wanted);
    for (size_t i = 0; i < n; i++)
        wanted[i] = json_string_value(json_array_get(ids, i));
    j->taken = pr_alloc(n, sizeof *j->taken);
    j->n = n;
    pr_status_t status = pr_take_points(j->c, n, wanted, j->taken, err);
    free(wanted);
    if (status != PR_OK)
        return status;
    qsort_r(j->taken, n, sizeof *j->taken, compare_taken, order);
    for (size_t i = 0; i < n; i++)
        if (kept > 0 && strcmp(j->taken[kept - 1].point, j->taken[i].point) == 0)
            pr_taken_clear(&j->taken[i]);
        else
            j->taken[kept++] = j->taken[i];
    j->n = kept;
    return PR_OK;
}

static pr_status_t read_points(pr_judging_t *j, const pr_judging_wish_t *w, pr_error_t *err)
{
    pr_table_ids_t t = {json_object(), json_array()};
    json_t *ids = json_array();
    char *cells = pr_results_path(j->sweep_dir, PR_FILE_CELLS), *journal = pr_results_path(j->dir, PR_FILE_JOURNAL);
    bool known;
    pr_status_t status = PR_OK;
    if (pr_file_exists(cells)) {
        PR_GO(pr_sweep_check_table(j->sweep_dir, PR_FILE_CELLS, &known, err));
        PR_GO(pr_csv_read(cells, note_id, &t, err));
    }
    PR_GO(given_ids(w, &t, cells, ids, err));
    PR_GO(pr_journal_read(journal, note_asked, ids, NULL, err));
    status = take_all(j, ids, t.order, err);
done:
    json_decref(t.order);
    json_decref(t.front);
    json_decref(ids);
    free(cells);
    free(journal);
    return status;
}

/* ---- its jobs ---- */

static void add_job(pr_judging_t *j, size_t i, json_t *inputs, json_t *how, char *label, bool fits)
{
    j->job[i] = (pr_judged_t){.inputs = inputs, .how = how, .label = label, .fits = fits};
    pr_json_hash(inputs, j->job[i].id);
}

static void make_jobs(pr_judging_t *j)
{
    int k_n = j->c->n_objectives;
    j->job = pr_alloc(j->n + (size_t)k_n, sizeof *j->job);
    for (int k = 0; k < k_n; k++) {
        bool known = !j->in.head[k][0];
        for (size_t i = 0; i < j->n_fit && !known; i++)
            known = strcmp(j->job[i].id, j->in.head[k]) == 0;
        if (known)
            continue;
        pr_buf_t label = {0};
        pr_buf_printf(&label, "%s-head", j->c->objective[k].name);
        add_job(j, j->n_fit++, pr_inputs_fit(&j->in, k), pr_inputs_how_fit(&j->in, k), label.data, true);
    }
    for (size_t i = 0; i < j->n; i++) {
        const pr_taken_t *t = &j->taken[i];
        pr_buf_t label = {0};
        json_t *how = pr_inputs_how_evaluate(&j->in);
        json_object_set_new(how, "minimize", json_array()); // no rank's archive has it
        pr_buf_printf(&label, "%s (%.8s)", t->spec.mix->name, t->point);
        add_job(j, j->n_fit + i, pr_inputs_evaluate(&j->in, &t->spec, 0, j->in.n_eval), how, label.data, false);
    }
}

pr_status_t pr_judging_read(const pr_judging_wish_t *w, pr_judging_t **out, pr_error_t *err)
{
    pr_judging_t *j = pr_alloc(1, sizeof *j);
    pr_status_t status;
    *j = (pr_judging_t){.weights = json_array(), .pending = json_array()};
    PR_GO(make_name(w, &j->name, err));
    if (!pr_dir_exists(w->dir))
        PR_GO(pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such directory", w->dir));
    PR_GO(pr_sweep_config_read(w->dir, w->set, w->n_set, PR_PLACE_POLICY, &j->c, err));
    j->sweep_dir = pr_strdup(j->c->results);
    char *folder = pr_results_path(j->sweep_dir, PR_FOLDER_EVALUATIONS);
    j->dir = pr_path_join(folder, j->name);
    free(folder);
    for (int k = 0; k < j->c->n_objectives; k++)
        json_array_append_new(j->weights, json_string(j->c->objective[k].name));
    PR_GO(read_points(j, w, err));
    PR_GO(make_config(j, w, err));
    PR_GO(pr_inputs_read(j->c, &j->in, err));
    for (size_t i = 0; i < j->n; i++)
        for (int p = 0; p < j->taken[i].spec.n; p++)
            pr_content_add_path(j->in.content, PR_CONTENT_ADAPTER, j->taken[i].spec.part[p].source,
                                j->taken[i].part[p].dir);
    make_jobs(j);
    *out = j;
    return PR_OK;
done:
    pr_judging_free(&j);
    return status;
}

void pr_judging_free(pr_judging_t **p)
{
    pr_judging_t *j = *p;
    if (!j)
        return;
    for (size_t i = 0; j->job && i < j->n_fit + j->n; i++) {
        json_decref(j->job[i].inputs);
        json_decref(j->job[i].how);
        free(j->job[i].label);
    }
    for (size_t i = 0; i < j->n; i++)
        pr_taken_clear(&j->taken[i]);
    free(j->job);
    free(j->taken);
    pr_fold_free(&j->fold);
    pr_journal_close(&j->journal);
    pr_results_close(&j->results);
    pr_inputs_clear(&j->in);
    pr_config_free(&j->c);
    json_decref(j->weights);
    json_decref(j->pending);
    free(j->name);
    free(j->sweep_dir);
    free(j->dir);
    free(j);
    *p = NULL;
}

const pr_content_t *pr_judging_content(const pr_judging_t *j)
{
    return j->in.content;
}

const pr_team_config_t *pr_judging_team(const pr_judging_t *j)
{
    return &j->c->evaluate.team;
}

pr_status_t pr_judging_check_ranks(const pr_judging_t *j, int ranks, pr_error_t *err)
{
    const pr_team_config_t *t = &j->c->evaluate.team;
    if (pr_team_count(t, ranks, NULL) > 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_CONFIG, "%s: evaluate.team: found %d ranks, expected %d or more", j->c->path, ranks,
                   1 + t->rows * t->cols);
}

const char *pr_judging_dir(const pr_judging_t *j)
{
    return j->dir;
}
