// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "reward/data.h"
#include "store/layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

pr_job_env_t *pr_job_env_new(const pr_content_t *content, const pr_team_t *team)
{
    pr_job_env_t *env = pr_alloc(1, sizeof *env);
    env->content = content;
    env->team = team;
    return env;
}

/* Before the model goes, some of whose texts they borrow. */
static void stops_clear(pr_job_env_t *env)
{
    pr_stops_clear(&env->stops);
    free(env->stop_text);
    env->stop_text = NULL;
}

static void prompts_clear(pr_job_env_t *env)
{
    for (int i = 0; i < env->n_prompts; i++) {
        free(env->prompts[i].text);
        free(env->prompts[i].start);
        free(env->prompts[i].ids);
    }
    free(env->prompts);
    env->prompts = NULL;
    env->n_prompts = 0;
}

/* Models are cut for the team's columns, Gram matrices spread over its ranks. */
static void close_models(pr_job_env_t *env)
{
    for (int i = 0; i < env->n_objective; i++)
        pr_objective_close(&env->objective[i].o);
    free(env->objective);
    free(env->range);
    env->objective = NULL;
    env->range = NULL;
    env->n_objective = 0;
    for (int i = 0; i < env->n_adapter; i++)
        pr_grams_free(&env->adapter[i].grams);
    stops_clear(env);
    pr_model_free(&env->model);
    env->la = NULL;
    env->loaded = false;
}

void pr_job_env_set_team(pr_job_env_t *env, const pr_team_t *team)
{
    close_models(env); // objectives have runs on the old team's provider
    env->team = team;
}

static void adapter_clear(pr_cached_adapter_t *a)
{
    pr_grams_free(&a->grams);
    pr_adapter_free(&a->adapter);
    pr_family_free(&a->family);
}

void pr_job_env_free(pr_job_env_t **e)
{
    pr_job_env_t *env = *e;
    if (!env)
        return;
    close_models(env);
    for (int i = 0; i < env->n_adapter; i++)
        adapter_clear(&env->adapter[i]);
    free(env->adapter);
    prompts_clear(env);
    pr_segment_writer_close(&env->writer);
    pr_tokenizer_free(&env->tokenizer);
    free(env);
    *e = NULL;
}

/* ---- prompts ---- */

/* Appends one prompt's tokens. */
static pr_status_t add_prompt(pr_prompt_set_t *s, int i, pr_error_t *err)
{
    int32_t *ids;
    size_t n, at = (size_t)s->start[i];
    PR_TRY(pr_prompt_tokens(&s->reader, i, NULL, s->text[i], &ids, &n, err));
    s->ids = pr_realloc(s->ids, at + n, sizeof *s->ids);
    memcpy(s->ids + at, ids, n * sizeof *ids);
    s->start[i + 1] = (int)(at + n);
    free(ids);
    return PR_OK;
}

static pr_status_t load_prompts(pr_job_env_t *env, const char *hash, const json_t *entry, pr_error_t *err)
{
    const json_t *texts = json_object_get(entry, "texts");
    env->prompts = pr_realloc(env->prompts, (size_t)env->n_prompts + 1, sizeof *env->prompts);
    pr_prompt_set_t *s = &env->prompts[env->n_prompts++];
    *s = (pr_prompt_set_t){.n = (int)json_array_size(texts),
                           .reader = {.tokenizer = env->tokenizer,
                                      .model = &env->model->config,
                                      .file = json_string_value(json_object_get(entry, "file")),
                                      .new_tokens = (int)json_integer_value(json_object_get(entry, "new_tokens")),
                                      .chat = json_is_true(json_object_get(entry, "chat"))}};
    snprintf(s->hash, sizeof s->hash, "%s", hash);
    s->text = pr_alloc((size_t)s->n, sizeof *s->text);
    s->start = pr_alloc((size_t)s->n + 1, sizeof *s->start);
    for (int i = 0; i < s->n; i++)
        s->text[i] = json_string_value(json_array_get(texts, (size_t)i));
    s->reader.n = s->n;
    s->reader.text = s->text;
    for (int i = 0; i < s->n; i++)
        PR_TRY(add_prompt(s, i, err));
    return PR_OK;
}

pr_status_t pr_env_prompts(const pr_job_env_t *env, const char *hash, const pr_prompt_set_t **out, pr_error_t *err)
{
    for (int i = 0; i < env->n_prompts; i++)
        if (strcmp(env->prompts[i].hash, hash) == 0) {
            *out = &env->prompts[i];
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_CONFIG, "the job names prompts of hash %.40s, which this run does not have", hash);
}

/* ---- objectives ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* What a head will be fitted on is read before the first job, so that nothing wrong with it is found hours later. */
static pr_status_t check_data(const pr_job_env_t *env, const json_t *entry, pr_error_t *err)
{
    const json_t *options = json_object_get(entry, "options");
    pr_reward_data_t *data = NULL;
    char *path = pr_path_join(text_of(entry, "dir"), text_of(options, "data"));
    pr_status_t status = pr_reward_data_load(path, &data, err);
    if (status == PR_OK)
        status = pr_objective_check_fit(text_of(entry, "name"), text_of(entry, "type"), options, data->pairs, err);
    if (status == PR_OK)
        status = pr_reward_data_check_tokens(data, path, options, env->tokenizer, &env->model->config, err);
    pr_reward_data_free(&data);
    free(path);
    return status;
}

/* Can an objective's own model read the prompts? */
static pr_status_t check_prompts(const pr_job_env_t *env, const json_t *entry, pr_error_t *err)
{
    for (int i = 0; i < env->n_prompts; i++)
        PR_TRY(pr_objective_check_prompts(
            text_of(entry, "name"), text_of(entry, "type"), json_object_get(entry, "options"), text_of(entry, "dir"),
            env->prompts[i].reader.file, env->prompts[i].n, (char *const *)(uintptr_t)env->prompts[i].text, err));
    return PR_OK;
}

static pr_status_t open_objective(pr_job_env_t *env, pr_open_objective_t *o, pr_objective_range_t *range,
                                  const json_t *entry, pr_error_t *err)
{
    const char *type = text_of(entry, "type");
    const json_t *options = json_object_get(entry, "options");
    const pr_objective_type_t *t = pr_objective_type(type);
    pr_objective_env_t oe = {text_of(entry, "dir"), env->model, env->tokenizer, env->la};
    bool leader = pr_team_is_leader(env->team);
    if (!leader && !(t && t->collective)) // it has no part in its scores
        return PR_OK;
    PR_TRY(pr_objective_open(o->name, type, options, &oe, &o->o, err));
    if (!leader)
        return PR_OK;
    range->lo = o->o->lo;
    range->hi = o->o->hi;
    PR_TRY(check_prompts(env, entry, err));
    return pr_objective_needs_fit(type, options) ? check_data(env, entry, err) : PR_OK;
}

/* One after the other, as opening one may be collective. In the order of their hashes, as all ranks have them. */
static pr_status_t load_objectives(pr_job_env_t *env, pr_error_t *err)
{
    const json_t *all = pr_content_all_objectives(env->content);
    const pr_team_t *team = env->team;
    pr_status_t status = PR_OK;
    const char *hash;
    json_t *entry;
    env->objective = pr_alloc(json_object_size(all), sizeof *env->objective);
    env->range = pr_alloc(json_object_size(all), sizeof *env->range);
    json_object_foreach((json_t *)(uintptr_t)all, hash, entry)
    {
        pr_objective_range_t *range = &env->range[env->n_objective];
        pr_open_objective_t *o = &env->objective[env->n_objective++];
        snprintf(o->hash, sizeof o->hash, "%s", hash);
        snprintf(range->objective, sizeof range->objective, "%s", hash);
        o->name = text_of(entry, "name");
        PR_GO(team->agree(team, open_objective(env, o, range, entry, err), err));
        team->broadcast(team, range, sizeof *range);
    }
done:
    return status;
}

static int find_objective(const pr_job_env_t *env, const char *hash)
{
    for (int i = 0; i < env->n_objective; i++)
        if (strcmp(env->objective[i].hash, hash) == 0)
            return i;
    return -1;
}

int pr_job_env_ranges(const pr_job_env_t *env, const pr_objective_range_t **out)
{
    *out = env->range;
    return env->n_objective;
}

/* The worst values that jobs will ask for. */
static pr_status_t check_worst(const pr_job_env_t *env, pr_error_t *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(pr_content_worst(env->content), i, one)
    {
        int index = find_objective(env, json_string_value(json_array_get(one, 0)));
        if (index < 0)
            continue;
        const pr_objective_range_t *range = &env->range[index];
        if (!isfinite(json_is_true(json_array_get(one, 1)) ? range->hi : range->lo))
            return pr_fail(err, PR_ERR_CONFIG,
                           "truncated: found worst, but objective '%s' has no worst value: its range is not limited",
                           env->objective[index].name);
    }
    return PR_OK;
}

/* ---- loading ---- */

static pr_status_t load_texts(pr_job_env_t *env, pr_error_t *err)
{
    const json_t *all = pr_content_all_prompts(env->content), *stop = pr_content_stop(env->content);
    int n_stop = (int)json_array_size(stop), total;
    const char **own = pr_alloc((size_t)n_stop, sizeof *own), *hash;
    json_t *entry;
    for (int i = 0; i < n_stop; i++)
        own[i] = json_string_value(json_array_get(stop, (size_t)i));
    stops_clear(env);
    env->stop_text = pr_stop_texts(&env->model->config, n_stop, own, &total);
    free(own);
    PR_TRY(pr_stops_init(&env->stops, env->tokenizer, total, env->stop_text, err));
    prompts_clear(env);
    json_object_foreach((json_t *)(uintptr_t)all, hash, entry) PR_TRY(load_prompts(env, hash, entry, err));
    return PR_OK;
}

/* The adapters that are given, which jobs will use: what cannot be read ends the run before the first of them. */
static pr_status_t load_adapters(pr_job_env_t *env, pr_error_t *err)
{
    json_t *all = (json_t *)(uintptr_t)pr_content_all_adapters(env->content), *path;
    const char *hash;
    json_object_foreach(all, hash, path)
    {
        pr_cached_adapter_t *a;
        PR_TRY(pr_env_adapter(env, NULL, false, hash, (int)json_object_size(all), NULL, &a, err));
    }
    return PR_OK;
}

static pr_status_t load_files(pr_job_env_t *env, pr_error_t *err)
{
    const char *hash, *dir = pr_content_model(env->content, &hash);
    char *path = pr_path_join(dir, "tokenizer.json");
    pr_status_t status = PR_OK;
    if (!env->model)
        PR_GO(pr_model_load_part(dir, env->la->cols, env->la->col, &env->model, err));
    snprintf(env->model_hash, sizeof env->model_hash, "%s", hash);
    if (!env->tokenizer)
        PR_GO(pr_tokenizer_load(path, &env->tokenizer, err));
    PR_GO(load_texts(env, err));
    PR_GO(load_adapters(env, err));
done:
    free(path);
    return status;
}

pr_status_t pr_env_load_files(pr_job_env_t *env, pr_error_t *err)
{
    pr_status_t status = pr_linalg_start(pr_content_threads(env->content), err);
    env->la = env->team->la;
    return env->team->agree(env->team, status == PR_OK ? load_files(env, err) : status, err);
}

pr_status_t pr_job_env_load(pr_job_env_t *env, pr_error_t *err)
{
    if (env->loaded)
        return PR_OK;
    pr_status_t status = pr_env_load_files(env, err);
    if (status == PR_OK)
        status = load_objectives(env, err);
    if (status == PR_OK)
        status = check_worst(env, err);
    if (status != PR_OK) {
        close_models(env); // on ranks where it went well, too, so that all begin again together
        return status;
    }
    env->loaded = true;
    return PR_OK;
}

void pr_job_env_tell(const pr_job_env_t *env)
{
    for (int i = 0; i < env->n_prompts; i++)
        pr_prompt_tell(&env->prompts[i].reader);
    const char *hash;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)pr_content_all_objectives(env->content), hash, entry)
        pr_objective_tell(text_of(entry, "name"), text_of(entry, "type"), json_object_get(entry, "options"));
}

pr_status_t pr_env_check_model(const pr_job_env_t *env, const char *hash, pr_error_t *err)
{
    return strcmp(env->model_hash, hash) == 0
               ? PR_OK
               : pr_fail(err, PR_ERR_CONFIG, "the job is of a model of hash %.40s, this run has one of hash %s", hash,
                         env->model_hash);
}

pr_status_t pr_env_check_stop(const pr_job_env_t *env, const json_t *stop, pr_error_t *err)
{
    return json_equal(stop, pr_content_stop(env->content))
               ? PR_OK
               : pr_fail(err, PR_ERR_CONFIG, "the job's `stop` texts are not those that this run was loaded with");
}

/* ---- what other jobs left ---- */

/* A rank that waited in vain a few times is told at once: what it misses does not come. */
pr_status_t pr_env_await(pr_job_env_t *env, const char *path, pr_status_t (*hash)(const char *, char *, pr_error_t *),
                         const char *expected, const pr_job_hooks_t *hooks, pr_error_t *err)
{
    const struct timespec pause = {0, 250000000};
    char found[PR_HASH_HEX];
    pr_status_t status = PR_OK;
    for (int i = 0, looks = env->waited < PR_ENV_WAITS ? 20 : 1; i < looks; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        status = hash(path, found, err);
        if (status == PR_OK && strcmp(found, expected) == 0)
            return PR_OK;
        if (hooks && hooks->cancel && hooks->cancel(hooks->self))
            return pr_fail(err, PR_ERR_INTERRUPTED, "stopped while %s was waited for", path);
    }
    env->waited++;
    if (status != PR_OK)
        return status;
    return pr_fail(err, PR_ERR_FORMAT, "%s: content has hash %s, expected %s: changed since the sweep made or read it",
                   path, found, expected);
}

/* The hash of what a job left, as the message says. */
static pr_status_t made_hash(const pr_job_t *job, const char *source, const char **hash, pr_error_t *err)
{
    *hash = text_of(job->made, source);
    return *hash ? PR_OK : pr_fail(err, PR_ERR_CONFIG, "the message does not say what job %.40s left", source);
}

/* The place of an adapter of that hash: its own, a free one, or that of the one that was used longest ago. */
static pr_cached_adapter_t *place_of(pr_job_env_t *env, const char *hash, int keep)
{
    pr_cached_adapter_t *oldest = NULL;
    for (int i = 0; i < env->n_adapter; i++) {
        pr_cached_adapter_t *a = &env->adapter[i];
        if (strcmp(a->hash, hash) == 0)
            return a;
        oldest = !oldest || a->used < oldest->used ? a : oldest;
    }
    return env->n_adapter < keep ? NULL : oldest;
}

pr_status_t pr_env_adapter(pr_job_env_t *env, const pr_job_t *job, bool made, const char *source, int keep,
                           const pr_job_hooks_t *hooks, pr_cached_adapter_t **out, pr_error_t *err)
{
    const char *hash = source, *given = NULL;
    char *dir = NULL;
    pr_adapter_t *adapter = NULL;
    pr_family_t *family = NULL;
    pr_status_t status = PR_OK;
    if (env->cap_adapter < keep) { // once a job at most, so that places do not move while it holds them
        env->adapter = pr_realloc(env->adapter, (size_t)keep, sizeof *env->adapter);
        env->cap_adapter = keep;
    }
    if (made)
        PR_GO(made_hash(job, source, &hash, err));
    pr_cached_adapter_t *a = place_of(env, hash, keep);
    if (!a || strcmp(a->hash, hash) != 0) {
        if (!made)
            PR_GO(pr_content_path(env->content, PR_CONTENT_ADAPTER, hash, &given, err));
        dir = made ? pr_artifact_path(pr_content_results(env->content), PR_ARTIFACT_ADAPTER, source) : pr_strdup(given);
        PR_GO(pr_env_await(env, dir, pr_adapter_hash, hash, hooks, err));
        if (pr_family_there(dir))
            PR_GO(pr_family_read(dir, &env->model->config, &family, err));
        PR_GO(pr_adapter_read(dir, &env->model->config, &adapter, err));
        if (!a) {
            a = &env->adapter[env->n_adapter++];
            *a = (pr_cached_adapter_t){0};
        }
        adapter_clear(a);
        a->adapter = adapter;
        a->family = family;
        family = NULL;
        snprintf(a->hash, sizeof a->hash, "%s", hash);
    }
    a->used = ++env->uses;
    *out = a;
done:
    pr_family_free(&family);
    free(dir);
    return status;
}

pr_status_t pr_env_route(pr_job_env_t *env, const pr_job_t *job, const char *source, const pr_job_hooks_t *hooks,
                         pr_route_t **out, pr_error_t *err)
{
    const char *hash;
    PR_TRY(made_hash(job, source, &hash, err));
    char *path = pr_artifact_path(pr_content_results(env->content), PR_ARTIFACT_ROUTE, source);
    pr_status_t status = pr_env_await(env, path, pr_hash_file, hash, hooks, err);
    if (status == PR_OK)
        status = pr_route_read(path, out, err);
    free(path);
    return status;
}

/* One rank's part: the head of an objective that needs one, when it is not the one it has. */
static pr_status_t give_head(pr_job_env_t *env, const pr_job_t *job, pr_open_objective_t *o, const char *source,
                             const pr_job_hooks_t *hooks, pr_error_t *err)
{
    const json_t *entry = pr_content_objective(env->content, o->hash);
    const char *hash;
    if (!pr_objective_needs_fit(text_of(entry, "type"), json_object_get(entry, "options")))
        return PR_OK;
    if (!source)
        return pr_fail(err, PR_ERR_CONFIG, "the job names no head for objective '%s'", o->name);
    PR_TRY(made_hash(job, source, &hash, err));
    if (strcmp(hash, o->head) == 0)
        return PR_OK;
    char *path = pr_artifact_path(pr_content_results(env->content), PR_ARTIFACT_HEAD, source);
    pr_status_t status = pr_env_await(env, path, pr_hash_file, hash, hooks, err);
    if (status == PR_OK && o->o)
        status = pr_objective_attach(o->o, path, err);
    if (status == PR_OK)
        snprintf(o->head, sizeof o->head, "%s", hash);
    free(path);
    return status;
}

pr_status_t pr_env_scoring(pr_job_env_t *env, const pr_job_t *job, const json_t *hashes, const json_t *heads,
                           const pr_job_hooks_t *hooks, pr_scoring_t *out, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    *out = (pr_scoring_t){.truncated = "score"};
    if (json_array_size(hashes) > PR_MAX_OBJECTIVES)
        return pr_fail(err, PR_ERR_CONFIG, "the job names %zu objectives, expected at most %d", json_array_size(hashes),
                       PR_MAX_OBJECTIVES);
    for (size_t i = 0; i < json_array_size(hashes) && status == PR_OK; i++) {
        const char *hash = json_string_value(json_array_get(hashes, i));
        int index = hash ? find_objective(env, hash) : -1;
        if (index < 0)
            return pr_fail(err, PR_ERR_CONFIG, "the job names an objective of hash %.40s, which this run does not have",
                           hash ? hash : "(none)");
        out->index[out->n++] = index;
        status = give_head(env, job, &env->objective[index], text_of(heads, hash), hooks, err);
    }
    return env->team->agree(env->team, status, err);
}

/* The text and tokens of one generated sequence, without what ended it. */
static pr_status_t read_response(const pr_job_env_t *env, const pr_decoded_t *d, int seq, bool continues,
                                 pr_response_t *out, pr_error_t *err)
{
    int n = (int)(d->start[seq + 1] - d->start[seq]) - (d->finish[seq] == PR_FINISH_EOS);
    return pr_response_read(&env->stops, continues, d->ids + d->start[seq], n, out, err);
}

pr_status_t pr_responses_make(pr_job_env_t *env, const pr_prompt_set_t *set, const int *prompt_of,
                              const pr_decoded_t *d, pr_responses_t *out, pr_error_t *err)
{
    pr_responses_t r = {.n = d->n_seq};
    pr_status_t status = PR_OK;
    r.said = pr_alloc((size_t)r.n, sizeof *r.said);
    r.sample = pr_alloc((size_t)r.n, sizeof *r.sample);
    r.cut = pr_alloc((size_t)r.n, sizeof *r.cut);
    for (int i = 0; i < r.n; i++) {
        int p = prompt_of[i], n_prompt = set->start[p + 1] - set->start[p];
        const int32_t *prompt = set->ids + set->start[p];
        bool continues = pr_response_continues(env->tokenizer, prompt, n_prompt);
        PR_GO(read_response(env, d, i, continues, &r.said[i], err));
        r.cut[i] = d->finish[i] == PR_FINISH_LENGTH;
        r.sample[i] = (pr_sample_t){.prompt = set->text[p],
                                    .response = r.said[i].text,
                                    .response_len = r.said[i].len,
                                    .prompt_id = prompt,
                                    .response_id = d->ids + d->start[i],
                                    .n_prompt = n_prompt,
                                    .n_response = r.said[i].n};
    }
    *out = r;
    return PR_OK;
done:
    pr_responses_clear(&r);
    return status;
}

void pr_responses_clear(pr_responses_t *r)
{
    for (int i = 0; i < r->n && r->said; i++)
        pr_response_clear(&r->said[i]);
    free(r->said);
    free(r->sample);
    free(r->cut);
    *r = (pr_responses_t){0};
}

double pr_responses_cut(const pr_responses_t *r)
{
    int n = 0;
    for (int i = 0; i < r->n; i++)
        n += r->cut[i];
    return r->n > 0 ? (double)n / r->n : 0;
}

bool pr_responses_dropped(const pr_scoring_t *how, const pr_responses_t *r, int i)
{
    return r->cut[i] && strcmp(how->truncated, "drop") == 0;
}

/* column [n]: an objective's scores, the same on every rank. Models: each row scores its share of the samples. */
static pr_status_t score_column(pr_job_env_t *env, pr_objective_t *o, const pr_responses_t *r, double *column,
                                pr_error_t *err)
{
    const pr_team_t *t = env->team;
    bool shared = o && o->type->collective;
    int first = 0, count = o ? r->n : 0;
    if (shared)
        pr_share(r->n, t->rows, t->row, &first, &count);
    memset(column, 0, (size_t)r->n * sizeof *column);
    pr_status_t status =
        count > 0 ? pr_objective_score(o, r->sample + first, (size_t)count, column + first, err) : PR_OK;
    PR_TRY(t->agree(t, status, err));
    if (shared)
        t->sum_rows(t, column, (size_t)r->n);
    else
        t->broadcast(t, column, (size_t)r->n * sizeof *column);
    return PR_OK;
}

pr_status_t pr_responses_score(pr_job_env_t *env, const pr_scoring_t *how, const pr_responses_t *r, double *scores,
                               pr_error_t *err)
{
    double *column = pr_alloc((size_t)r->n, sizeof *column);
    bool worst = strcmp(how->truncated, "worst") == 0;
    pr_status_t status = PR_OK;
    for (int k = 0; k < how->n && status == PR_OK; k++) {
        const pr_objective_range_t *range = &env->range[how->index[k]];
        status = score_column(env, env->objective[how->index[k]].o, r, column, err);
        for (int i = 0; i < r->n; i++)
            scores[(size_t)i * (size_t)how->n + (size_t)k] =
                worst && r->cut[i] ? (how->minimize[k] ? range->hi : range->lo) : column[i];
    }
    free(column);
    return status;
}

bool pr_watch_stop(void *self, int seq, const int32_t *ids, int n)
{
    (void)seq;
    return pr_stops_hit(((pr_decode_watch_t *)self)->stops, ids, n);
}

bool pr_watch_cancel(void *self)
{
    const pr_job_hooks_t *h = ((pr_decode_watch_t *)self)->hooks;
    return h->cancel && h->cancel(h->self);
}
