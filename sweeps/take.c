// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/take.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "jobs/kind.h"
#include "report/csv.h"
#include "store/journal.h"
#include "store/layout.h"
#include "sweeps/inputs.h"
#include "sweeps/sweep.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 8, NAMED = 4 }; // of an id in messages; points that one names

/* ---- what the journal says ---- */

typedef struct journal {
    const char *const *wanted; // [n_wanted] ids of points, or what they begin with
    size_t n_wanted;
    json_t *found; // id -> {"search", "seed", "count", "policy", "mean", "se", "version", "model"}
    json_t *made;  // job -> {"label", "kind", "artifact": hash}, of jobs that leave something
    json_t *start; // the last run's
} journal_t;

static void journal_clear(journal_t *j)
{
    json_decref(j->found);
    json_decref(j->made);
    json_decref(j->start);
    *j = (journal_t){0};
}

static bool is_wanted(const journal_t *j, const char *id)
{
    for (size_t i = 0; i < j->n_wanted; i++)
        if (strncmp(id, j->wanted[i], strlen(j->wanted[i])) == 0)
            return true;
    return false;
}

/* A point is known by the job of its first prompts. */
static void note_evaluation(journal_t *j, const char *id, const json_t *line)
{
    const json_t *result = json_object_get(line, "result"),
                 *model = json_object_get(json_object_get(j->start, "inputs"), "model");
    if (json_integer_value(json_object_get(line, "first")) != 0 || !is_wanted(j, id))
        return;
    json_t *kept = json_object();
    static const char *const of_line[] = {"search", "seed", "count"}, *const of_result[] = {"policy", "mean", "se"};
    for (size_t i = 0; i < 3; i++) {
        json_object_set(kept, of_line[i], json_object_get(line, of_line[i])); // a missing key is not set
        json_object_set(kept, of_result[i], json_object_get(result, of_result[i]));
    }
    json_object_set(kept, "version", json_object_get(j->start, "version"));
    json_object_set(kept, "model", json_object_get(model, "hash"));
    json_object_set_new(j->found, id, kept);
}

static pr_status_t note_line(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    journal_t *j = self;
    const char *id = json_string_value(json_object_get(line, "job")),
               *kind = json_string_value(json_object_get(line, "kind"));
    (void)err;
    if (strcmp(event, "sweep_start") == 0)
        pr_journal_keep(&j->start, line);
    if (strcmp(event, "job_done") != 0 || !id || !pr_job_kind(kind))
        return PR_OK;
    if (pr_job_kind(kind)->evaluates)
        note_evaluation(j, id, line);
    else
        json_object_set_new(j->made, id,
                            json_pack("{s:O*, s:O*, s:O*}", "label", json_object_get(line, "label"), "kind",
                                      json_object_get(line, "kind"), "artifact",
                                      json_object_get(json_object_get(line, "result"), "artifact")));
    return PR_OK;
}

static pr_status_t read_journal(const pr_config_t *c, const char *const *wanted, size_t n, journal_t *out,
                                pr_error_t *err)
{
    char *path = pr_results_path(c->results, PR_FILE_JOURNAL);
    *out = (journal_t){.wanted = wanted, .n_wanted = n, .found = json_object(), .made = json_object()};
    pr_status_t status = pr_journal_read(path, note_line, out, NULL, err);
    free(path);
    return status;
}

/* The one point that an id or the beginning of one means. */
static pr_status_t find_id(const pr_config_t *c, const char *wanted, const journal_t *j, char id[PR_HASH_HEX],
                           pr_error_t *err)
{
    size_t n = 0;
    pr_buf_t names = {0};
    const char *key;
    json_t *value;
    json_object_foreach(j->found, key, value)
    {
        if (strncmp(key, wanted, strlen(wanted)) != 0)
            continue;
        if (n++ < NAMED)
            pr_buf_printf(&names, "%s%s", n > 1 ? ", " : "", key);
        snprintf(id, PR_HASH_HEX, "%s", key);
    }
    pr_status_t status = PR_OK;
    if (n == 0)
        status = pr_fail(err, PR_ERR_NOT_FOUND,
                         "--point: found \"%s\", expected an id of a point that %s has evaluated, or what one begins "
                         "with (the column point of " PR_FILE_CELLS " and of `paretorank front`)",
                         wanted, c->results);
    if (n > 1)
        status = pr_fail(err, PR_ERR_USAGE,
                         "--point: found \"%s\", which %zu points begin with (%s%s); expected more digits", wanted, n,
                         names.data, n > NAMED ? ", ..." : "");
    pr_buf_free(&names);
    return status;
}

/* ---- what the tables say ---- */

/* A row's numbers under one prefix: {objective: number}, without those that there are none of. New reference. */
static json_t *numbers_of(const pr_config_t *c, const pr_csv_line_t *line, const char *prefix)
{
    json_t *v = json_object();
    for (int k = 0; k < c->n_objectives; k++) {
        double x;
        if (pr_csv_number(line, prefix, c->objective[k].name, &x))
            json_object_set_new(v, c->objective[k].name, pr_json_real(x));
    }
    return v;
}

/* Rows of the points that were found. */
typedef struct rows {
    const pr_config_t *c;
    const json_t *found; // ids are its keys
    json_t *row;         // id -> {"weights", "mean", "se", "prompts"}
} rows_t;

static pr_status_t note_row(void *self, const pr_csv_line_t *line, pr_error_t *err)
{
    rows_t *r = self;
    const char *id = pr_csv_field(line, "point"), *prompts = pr_csv_field(line, "prompts");
    (void)err;
    if (!id || !json_object_get(r->found, id) || json_object_get(r->row, id))
        return PR_OK;
    json_object_set_new(r->row, id,
                        json_pack("{s:o, s:o, s:o, s:i}", "weights", numbers_of(r->c, line, "w_"), "mean",
                                  numbers_of(r->c, line, ""), "se", numbers_of(r->c, line, "se_"), "prompts",
                                  prompts ? atoi(prompts) : 0));
    return PR_OK;
}

/* cells.csv is there once a run has ended. fn is not called where it is not. */
static pr_status_t read_cells(const pr_config_t *c, pr_csv_fn fn, void *self, pr_error_t *err)
{
    char *path = pr_results_path(c->results, PR_FILE_CELLS);
    bool known;
    pr_status_t status = PR_OK;
    if (pr_file_exists(path))
        status = pr_sweep_check_table(c->results, PR_FILE_CELLS, &known, err);
    if (status == PR_OK && pr_file_exists(path))
        status = pr_csv_read(path, fn, self, err);
    free(path);
    return status;
}

/* ---- its parts ---- */

/* What a training left, if it is what its job wrote, in the place of the job. */
static pr_status_t find_trained(const pr_config_t *c, const journal_t *j, pr_policy_part_t *part, pr_taken_part_t *out,
                                pr_error_t *err)
{
    const json_t *made = json_object_get(j->made, part->source);
    const char *label = json_string_value(json_object_get(made, "label")),
               *kind = json_string_value(json_object_get(made, "kind")),
               *written = json_string_value(json_object_get(made, "artifact"));
    char hash[PR_HASH_HEX];
    out->dir = pr_artifact_path(c->results, PR_ARTIFACT_ADAPTER, part->source);
    out->name = label ? pr_strdup(label) : pr_strndup(part->source, DIGITS);
    if (!pr_dir_exists(out->dir))
        return pr_fail(
            err, PR_ERR_NOT_FOUND,
            "%s: missing; the sweep has trained nothing for these weights (it has for the points in " PR_FILE_CELLS
            "), or it is lost: `paretorank run` on the results directory makes it again",
            out->dir);
    PR_TRY(pr_adapter_hash(out->dir, hash, err));
    if (!written)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: the journal has no job that wrote it, so that nothing tells whether it is whole", out->dir);
    if (strcmp(hash, written) != 0)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: not what its %s job wrote (its hash is %s, the journal says %s); `paretorank run` on the "
                       "results directory makes it again",
                       out->dir, kind, hash, written);
    memcpy(part->source, hash, sizeof hash);
    part->job = false;
    return PR_OK;
}

static pr_status_t find_given(const pr_config_t *c, const pr_policy_part_t *part, pr_taken_part_t *out, pr_error_t *err)
{
    char hash[PR_HASH_HEX];
    for (int k = 0; k < c->n_objectives; k++) {
        if (!c->objective[k].adapter)
            continue;
        PR_TRY(pr_artifact_adapter_hash(c->objective[k].adapter, hash, err));
        if (strcmp(hash, part->source) != 0)
            continue;
        out->dir = pr_strdup(c->objective[k].adapter);
        out->name = pr_strdup(c->objective[k].name);
        return PR_OK;
    }
    return pr_fail(err, PR_ERR_NOT_FOUND,
                   "the adapter of hash %s, a part of this policy, is none of those that the objectives bring",
                   part->source);
}

/* A coefficient, or one per block of layers. */
static json_t *part_json(const pr_policy_spec_t *s, const pr_policy_part_t *p)
{
    int blocks = pr_policy_blocks(s);
    return json_pack("{s:s, s:o, s:s}", "name", "", "coefficient",
                     blocks > 1 ? pr_json_reals(p->coefficient, (size_t)blocks) : pr_json_real(p->coefficient[0]),
                     p->job ? "job" : "adapter", p->source);
}

/* parts: {"name", "coefficient", "job"} of each, as they were before their contents took the jobs' place. */
static pr_status_t find_parts(const pr_config_t *c, const journal_t *j, pr_taken_t *t, json_t *parts, pr_error_t *err)
{
    if (t->spec.route[0])
        return pr_fail(
            err, PR_ERR_UNSUPPORTED,
            "%s: the policy's weights are each prompt's own (method \"bandit\"), which its sweep's evaluations "
            "alone know; expected a point of another method",
            t->point[0] ? t->point : "--weights");
    for (int i = 0; i < t->spec.n; i++) {
        pr_policy_part_t *p = &t->spec.part[i];
        json_t *told = part_json(&t->spec, p);
        json_array_append_new(parts, told);
        if (!t->part[i].dir)
            PR_TRY(p->job ? find_trained(c, j, p, &t->part[i], err) : find_given(c, p, &t->part[i], err));
        json_object_set_new(told, "name", json_string(t->part[i].name));
    }
    return PR_OK;
}

/* ---- policies by their searches ---- */

/* Who asks which job makes an adapter. */
typedef struct trainer {
    const pr_inputs_t *in;
    const pr_sweep_policy_t *policy;
    int64_t seed;
} trainer_t;

static pr_status_t name_training(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX], pr_error_t *err)
{
    const trainer_t *t = self;
    (void)err;
    pr_inputs_wished_id(t->in, t->policy, wish, t->seed, id);
    return PR_OK;
}

static pr_status_t policy_of(const pr_inputs_t *in, int search, int64_t seed, const double *w, pr_policy_spec_t *out,
                             pr_error_t *err)
{
    const pr_sweep_policy_t *p = &in->policy[search];
    trainer_t trainer = {in, p, seed};
    if (pr_domain_is_product(&p->domain))
        return pr_fail(
            err, PR_ERR_USAGE,
            "search \"%s\": found weights, but a point of it has %d rows of them and %d parameters; take one of "
            "its points (--point)",
            in->config->search[search].name, p->domain.rows, p->domain.n_axes);
    pr_choice_t at = {.k = p->domain.k, .rows = 1, .w = w};
    return pr_sweep_policy_at(in, p, &at, name_training, &trainer, out, err);
}

/* The policy of a point whose journal, as an earlier version wrote it, does not say what it is: by whose search its
 * evaluation has this very identity. */
static pr_status_t policy_by_identity(const pr_config_t *c, const json_t *found, const json_t *weights, pr_taken_t *t,
                                      pr_error_t *err)
{
    pr_inputs_t in;
    double w[PR_MAX_OBJECTIVES] = {0};
    bool same = false;
    pr_status_t status = pr_inputs_read(c, &in, err);
    for (int k = 0; k < c->n_objectives; k++)
        w[k] = json_number_value(json_object_get(weights, c->objective[k].name));
    for (int i = 0; i < c->n_searches && status == PR_OK && weights && !same; i++) {
        char id[PR_HASH_HEX];
        pr_policy_spec_clear(&t->spec);
        status = policy_of(&in, i, t->seed, w, &t->spec, err);
        if (status != PR_OK)
            break;
        json_t *inputs = pr_inputs_evaluate(&in, &t->spec, 0, (int)json_integer_value(json_object_get(found, "count")));
        pr_json_hash(inputs, id);
        json_decref(inputs);
        same = strcmp(id, t->point) == 0;
    }
    pr_inputs_clear(&in);
    if (status == PR_OK && !same)
        status = pr_fail(err, PR_ERR_NOT_FOUND,
                         "%s: the journal does not say what the policy of point %s is, and the configuration makes "
                         "another one of its weights",
                         c->results, t->point);
    return status;
}

/* The method of a search by its name; NULL: not known. */
static const char *method_of(const pr_config_t *c, const char *search)
{
    pr_sweep_policy_t policy[PR_MAX_SEARCHES] = {{0}};
    const char *method = NULL;
    if (strncmp(search, PR_TAKE_BASE, strlen(PR_TAKE_BASE)) == 0)
        method = pr_method_experts.name;
    if (pr_sweep_policies(c, policy, NULL) != PR_OK)
        return method;
    for (int i = 0; i < c->n_searches; i++) {
        if (strcmp(c->search[i].name, search) == 0)
            method = policy[i].method->name;
        pr_sweep_policy_clear(&policy[i]);
    }
    return method;
}

/* ---- what is told of it ---- */

static json_t *by_objective(const pr_config_t *c, const json_t *list)
{
    json_t *v = json_object();
    for (int k = 0; k < c->n_objectives && json_is_array(list); k++)
        json_object_set(v, c->objective[k].name, json_array_get(list, (size_t)k));
    return v;
}

/* parts is taken over. */
static void tell(const pr_config_t *c, pr_taken_t *t, json_t *parts, const json_t *found, const json_t *row,
                 const journal_t *j)
{
    json_t *a = t->about = json_object();
    json_object_set_new(a, "sweep", json_string(c->name));
    if (t->point[0])
        json_object_set_new(a, "point", json_string(t->point));
    if (t->search[0])
        json_object_set_new(a, "search", json_string(t->search));
    json_object_set_new(a, "seed", json_integer(t->seed));
    if (t->method)
        json_object_set_new(a, "method", json_string(t->method));
    json_object_set_new(a, "mix", json_string(t->spec.mix->name));
    if (json_object_size(t->spec.options) > 0)
        json_object_set(a, "mix_options", t->spec.options);
    json_object_set_new(a, "parts", parts);
    json_object_set(a, "weights", json_object_get(row, "weights")); // a missing value is not set
    if (found && !row) {                                            // before the tables are written
        json_object_set_new(a, "mean", by_objective(c, json_object_get(found, "mean")));
        json_object_set_new(a, "se", by_objective(c, json_object_get(found, "se")));
        json_object_set(a, "prompts", json_object_get(found, "count"));
    }
    json_object_set(a, "mean", json_object_get(row, "mean"));
    json_object_set(a, "se", json_object_get(row, "se"));
    json_object_set(a, "prompts", json_object_get(row, "prompts"));
    json_object_set_new(a, "base_model", json_string(c->model_name));
    const json_t *hash = json_object_get(json_object_get(json_object_get(j->start, "inputs"), "model"), "hash"),
                 *version = json_object_get(j->start, "version");
    json_object_set(a, "base_model_hash", found ? json_object_get(found, "model") : (json_t *)(uintptr_t)hash);
    json_object_set(a, "evaluated_by", found ? json_object_get(found, "version") : (json_t *)(uintptr_t)version);
    json_object_set_new(a, "taken_by", json_string(PR_VERSION));
}

/* ---- points ---- */

static pr_status_t take_found(const pr_config_t *c, const journal_t *j, const json_t *row, pr_taken_t *t,
                              pr_error_t *err)
{
    const json_t *found = json_object_get(j->found, t->point);
    const char *search = json_string_value(json_object_get(found, "search"));
    json_t *parts = json_array();
    pr_status_t status;
    t->search = pr_strdup(search ? search : "");
    t->seed = json_integer_value(json_object_get(found, "seed"));
    t->method = method_of(c, t->search);
    if (json_object_get(found, "policy"))
        PR_GO(pr_policy_parse(json_object_get(found, "policy"), &t->spec, err));
    else
        PR_GO(policy_by_identity(c, found, json_object_get(row, "weights"), t, err));
    PR_GO(find_parts(c, j, t, parts, err));
    tell(c, t, json_incref(parts), found, row, j);
done:
    json_decref(parts);
    return status;
}

pr_status_t pr_take_points(const pr_config_t *c, size_t n, const char *const *wanted, pr_taken_t *out, pr_error_t *err)
{
    journal_t j;
    rows_t rows = {.c = c, .row = json_object()};
    pr_status_t status;
    for (size_t i = 0; i < n; i++)
        out[i] = (pr_taken_t){.seed = 0};
    PR_GO(read_journal(c, wanted, n, &j, err));
    for (size_t i = 0; i < n; i++)
        PR_GO(find_id(c, wanted[i], &j, out[i].point, err));
    rows.found = j.found;
    PR_GO(read_cells(c, note_row, &rows, err));
    for (size_t i = 0; i < n; i++)
        PR_GO(take_found(c, &j, json_object_get(rows.row, out[i].point), &out[i], err));
done:
    json_decref(rows.row);
    journal_clear(&j);
    return status;
}

/* ---- weights ---- */

/* The points that are at some weights, and the nearest of those that are elsewhere. */
typedef struct near {
    const pr_config_t *c;
    const pr_take_wish_t *wish;
    int64_t seed;
    json_t *at; // id -> search, of those that are there
    char nearest[PR_HASH_HEX], text[256];
    double distance; // to the nearest
} near_t;

static pr_status_t look_near(void *self, const pr_csv_line_t *line, pr_error_t *err)
{
    near_t *n = self;
    const char *search = pr_csv_field(line, "search"), *seed = pr_csv_field(line, "seed"),
               *id = pr_csv_field(line, "point");
    double sum = 0, w;
    pr_buf_t text = {0};
    (void)err;
    if (!search || !seed || !id || strtoll(seed, NULL, 10) != n->seed ||
        strncmp(search, PR_TAKE_BASE, strlen(PR_TAKE_BASE)) == 0 ||
        (n->wish->search && strcmp(search, n->wish->search) != 0))
        return PR_OK;
    for (int k = 0; k < n->c->n_objectives; k++) {
        if (!pr_csv_number(line, "w_", n->c->objective[k].name, &w)) {
            pr_buf_free(&text);
            return PR_OK;
        }
        pr_buf_printf(&text, "%s%.6g", k ? "," : "", w);
        sum += pow(w - n->wish->weights[k], 2);
    }
    if (sum == 0)
        json_object_set_new(n->at, id, json_string(search));
    if (sum < n->distance) {
        n->distance = sum;
        snprintf(n->nearest, sizeof n->nearest, "%s", id);
        snprintf(n->text, sizeof n->text, "%.*s (search \"%s\", weights %s)", DIGITS, id, search, text.data);
    }
    pr_buf_free(&text);
    return PR_OK;
}

static bool same_policy(const pr_sweep_policy_t *a, const pr_sweep_policy_t *b)
{
    return a->method == b->method && a->mix == b->mix && json_equal(a->mix_options, b->mix_options) &&
           json_equal(a->options, b->options) && (a->set == b->set || (!a->prefix && !b->prefix));
}

/* The search whose policy is meant: the named one, or any where all make the same of weights. */
static pr_status_t find_search(const pr_inputs_t *in, const near_t *near, int *search, pr_error_t *err)
{
    const pr_config_t *c = in->config;
    pr_buf_t names = {0};
    bool same = true;
    *search = near->wish->search ? -1 : 0;
    for (int i = 0; i < c->n_searches; i++) {
        pr_buf_printf(&names, "%s%s", i ? ", " : "", c->search[i].name);
        same = same && same_policy(&in->policy[0], &in->policy[i]);
        if (near->wish->search && strcmp(c->search[i].name, near->wish->search) == 0)
            *search = i;
    }
    pr_status_t status = PR_OK;
    if (*search < 0)
        status = pr_fail(err, PR_ERR_USAGE, "--search: found \"%s\", expected one of: %s", near->wish->search,
                         (const char *)names.data);
    else if (!near->wish->search && !same)
        status =
            pr_fail(err, PR_ERR_USAGE,
                    "--weights: the sweep's searches (%s) make different policies of them, and no point is "
                    "exactly there%s%s; --point names a point, --search a search, --aggregate a mix of the experts",
                    (const char *)names.data, near->nearest[0] ? "; the nearest is " : "", near->text);
    pr_buf_free(&names);
    return status;
}

static int rows_of(const pr_take_wish_t *wish)
{
    return wish->n_rows > 0 ? wish->n_rows : 1;
}

/* Does the mix take these weights? */
static pr_status_t check_rows(const pr_config_t *c, const pr_take_wish_t *wish, const pr_policy_spec_t *s,
                              pr_error_t *err)
{
    int rows = rows_of(wish), n = c->n_objectives;
    double *w = pr_alloc((size_t)rows * (size_t)n, sizeof *w);
    for (int k = 0; k < n; k++)
        for (int r = 0; r < rows; r++)
            w[k * rows + r] = wish->weights[r * n + k];
    pr_status_t status = pr_mix_check(s->mix, s->options, n, rows, w, err);
    free(w);
    return status;
}

/* The experts by the links for people, or as objectives bring them. Without a journal nobody knows what one should be,
 * which is said. */
static pr_status_t take_experts(const pr_config_t *c, const pr_take_wish_t *wish, pr_taken_t *t, pr_error_t *err)
{
    t->spec.mix = wish->mix;
    if (wish->mix_options)
        t->spec.options = json_incref((json_t *)(uintptr_t)wish->mix_options);
    else
        PR_TRY(pr_sweep_mix_options(c, wish->mix, &t->spec.options, err));
    t->method = pr_method_experts.name;
    int rows = rows_of(wish), blocks = pr_mix_blocks(t->spec.mix, t->spec.options);
    if (rows != blocks)
        return pr_fail(err, PR_ERR_USAGE, "--weights: found %d row%s, expected %d, one per block (blocks = %d)", rows,
                       rows == 1 ? "" : "s", blocks, blocks);
    PR_TRY(check_rows(c, wish, &t->spec, err));
    for (int k = 0; k < c->n_objectives; k++) {
        char hash[PR_HASH_HEX];
        bool known, any = false;
        double w[PR_MAX_BLOCKS];
        for (int r = 0; r < rows; r++) {
            w[r] = wish->weights[r * c->n_objectives + k];
            any = any || w[r] != 0;
        }
        if (!any)
            continue;
        pr_taken_part_t *part = &t->part[t->spec.n];
        part->dir = pr_sweep_expert_dir(c, c->results, k, t->seed);
        part->name = pr_strdup(c->objective[k].name);
        PR_TRY(pr_artifact_check(part->dir, &known, err));
        if (!known && !c->objective[k].adapter)
            pr_log(PR_LOG_WARN, "%s: no journal in %s, so that nothing tells whether the expert is whole", part->dir,
                   c->results);
        PR_TRY(pr_adapter_hash(part->dir, hash, err));
        pr_policy_add_blocks(&t->spec, false, hash, rows, w);
    }
    return PR_OK;
}

/* By a search's policy; of a method that trains every point, what it has trained. */
static pr_status_t take_searched(const pr_config_t *c, const near_t *near, pr_taken_t *t, pr_error_t *err)
{
    pr_inputs_t in;
    int search;
    pr_status_t status = pr_inputs_read(c, &in, err);
    if (status != PR_OK)
        goto done;
    PR_GO(find_search(&in, near, &search, err));
    t->search = pr_strdup(c->search[search].name);
    t->method = in.policy[search].method->name;
    PR_GO(policy_of(&in, search, t->seed, near->wish->weights, &t->spec, err));
    if (near->nearest[0])
        pr_log(PR_LOG_WARN,
               "--weights: no point of the sweep is exactly there, so nothing is known of its scores; the "
               "nearest is %s",
               near->text);
done:
    pr_inputs_clear(&in);
    return status;
}

static pr_status_t check_weights(const pr_config_t *c, const pr_take_wish_t *wish, pr_error_t *err)
{
    bool any = false;
    int rows = rows_of(wish);
    if (wish->n_weights != c->n_objectives)
        return pr_fail(err, PR_ERR_USAGE, "--weights: found %d numbers, expected %d, one per objective",
                       wish->n_weights, c->n_objectives);
    if (!wish->mix && rows > 1)
        return pr_fail(err, PR_ERR_USAGE, "--weights: found %d rows, expected one; several are of a mix of one's own",
                       rows);
    for (int k = 0; k < rows * wish->n_weights; k++) {
        assert(wish->mix || wish->weights[k] >= 0);
        any = any || wish->weights[k] != 0;
    }
    return any ? PR_OK : pr_fail(err, PR_ERR_USAGE, "--weights: expected at least one that is not 0");
}

static pr_status_t pick_seed(const pr_config_t *c, int64_t wanted, int64_t *seed, pr_error_t *err)
{
    *seed = wanted < 0 ? c->seeds[0] : wanted;
    for (int i = 0; i < c->n_seeds; i++)
        if (c->seeds[i] == *seed)
            return PR_OK;
    return pr_fail(err, PR_ERR_USAGE, "--seed: found %lld, which is not one of the sweep's seeds", (long long)wanted);
}

static pr_status_t several(const near_t *near, pr_error_t *err)
{
    pr_buf_t names = {0};
    const char *id;
    json_t *search;
    json_object_foreach(near->at, id, search)
    {
        pr_buf_printf(&names, "%s%.*s (%s)", names.len ? ", " : "", DIGITS, id, json_string_value(search));
    }
    pr_fail(err, PR_ERR_USAGE, "--weights: %zu points are there: %s; --point names one of them, --search a search",
            json_object_size(near->at), names.data);
    pr_buf_free(&names);
    return PR_ERR_USAGE;
}

static pr_status_t take_weights(const pr_config_t *c, const pr_take_wish_t *wish, pr_taken_t *t, pr_error_t *err)
{
    near_t near = {.c = c, .wish = wish, .at = json_object(), .distance = INFINITY};
    journal_t j = {0};
    json_t *parts = json_array(), *weights = json_object(), *row = json_pack("{s:o}", "weights", weights);
    pr_status_t status;
    PR_GO(check_weights(c, wish, err));
    PR_GO(pick_seed(c, wish->seed, &t->seed, err));
    near.seed = t->seed;
    if (!wish->mix)
        PR_GO(read_cells(c, look_near, &near, err));
    if (json_object_size(near.at) > 1)
        PR_GO(several(&near, err));
    if (json_object_size(near.at) == 1) {
        const char *id = json_object_iter_key(json_object_iter(near.at));
        status = pr_take_points(c, 1, &id, t, err);
        goto done;
    }
    PR_GO(read_journal(c, NULL, 0, &j, err));
    PR_GO(wish->mix ? take_experts(c, wish, t, err) : take_searched(c, &near, t, err));
    if (!t->search)
        t->search = pr_strdup("");
    PR_GO(find_parts(c, &j, t, parts, err));
    for (int k = 0; k < c->n_objectives && rows_of(wish) == 1; k++)
        json_object_set_new(weights, c->objective[k].name, pr_json_real(wish->weights[k]));
    tell(c, t, json_incref(parts), NULL, row, &j);
done:
    json_decref(row);
    json_decref(parts);
    json_decref(near.at);
    journal_clear(&j);
    return status;
}

pr_status_t pr_take(const pr_config_t *c, const pr_take_wish_t *wish, pr_taken_t *out, pr_error_t *err)
{
    *out = (pr_taken_t){.seed = 0};
    return wish->point ? pr_take_points(c, 1, &wish->point, out, err) : take_weights(c, wish, out, err);
}

void pr_taken_clear(pr_taken_t *t)
{
    for (int i = 0; i < PR_MAX_PARTS; i++) {
        free(t->part[i].dir);
        free(t->part[i].name);
    }
    pr_policy_spec_clear(&t->spec);
    json_decref(t->about);
    free(t->search);
    *t = (pr_taken_t){.seed = 0};
}

const json_t *pr_taken_about(const pr_taken_t *t)
{
    return t->about;
}
