#include "jobs/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/prompts.h"
#include "config/reward_data.h"
#include "jobs/identity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

pr_job_env_t *pr_job_env_new(const pr_config_t *config, const pr_team_t *team)
{
    pr_job_env_t *env = pr_alloc(1, sizeof *env);
    env->config = config;
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

/* Models are cut for the team's columns, Gram matrices spread over its ranks. */
static void close_models(pr_job_env_t *env)
{
    for (int k = 0; k < PR_MAX_OBJECTIVES; k++) {
        pr_objective_close(&env->objective[k]);
        pr_grams_free(&env->expert[k].grams);
    }
    memset(env->head, 0, sizeof env->head); // they went with the objectives
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

static void prompt_set_clear(pr_prompt_set_t *s)
{
    for (int i = 0; i < s->n; i++)
        free(s->text[i]);
    free(s->text);
    free(s->start);
    free(s->ids);
    *s = (pr_prompt_set_t){0};
}

void pr_job_env_free(pr_job_env_t **e)
{
    pr_job_env_t *env = *e;
    if (!env)
        return;
    close_models(env);
    for (int k = 0; k < PR_MAX_OBJECTIVES; k++) {
        pr_adapter_free(&env->expert[k].adapter);
        free(env->expert[k].dir);
    }
    prompt_set_clear(&env->train);
    prompt_set_clear(&env->eval);
    pr_tokenizer_free(&env->tokenizer);
    free(env);
    *e = NULL;
}

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

static pr_status_t load_prompts(pr_job_env_t *env, const char *file, int room, pr_prompt_set_t *s, pr_error_t *err)
{
    pr_prompts_t *p = NULL;
    pr_status_t status = PR_OK;
    PR_TRY(pr_prompts_load(file, &p, err));
    s->reader = (pr_prompt_reader_t){env->tokenizer, &env->model->config, file, room, 0, 0};
    s->n = p->n;
    s->text = pr_alloc((size_t)p->n, sizeof *s->text);
    s->start = pr_alloc((size_t)p->n + 1, sizeof *s->start);
    for (int i = 0; i < s->n; i++)
        s->text[i] = pr_strdup(p->text[i]);
    pr_prompts_free(&p);
    for (int i = 0; i < s->n; i++)
        PR_GO(add_prompt(s, i, err));
done:
    return status;
}

/* What a head will be fitted on is read before the first job, so that nothing wrong with it is found hours later. */
static pr_status_t check_data(const pr_job_env_t *env, const pr_objective_config_t *o, pr_error_t *err)
{
    pr_reward_data_t *data = NULL;
    char *path = pr_path_join(env->config->dir, json_string_value(json_object_get(o->options, "data")));
    pr_status_t status = pr_reward_data_load(path, &data, err);
    if (status == PR_OK)
        status = pr_objective_check_fit(o->name, o->type, o->options, data->pairs, err);
    if (status == PR_OK)
        status = pr_reward_data_check_tokens(data, path, o->options, env->tokenizer, &env->model->config, err);
    pr_reward_data_free(&data);
    free(path);
    return status;
}

/* Can an objective's own model read the prompts? */
static pr_status_t check_prompts(const pr_job_env_t *env, const pr_objective_config_t *o, pr_error_t *err)
{
    const pr_config_t *c = env->config;
    const pr_prompt_set_t *const sets[] = {&env->train, &env->eval};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (sets[i]->n > 0)
            PR_TRY(pr_objective_check_prompts(o->name, o->type, o->options, c->dir, sets[i]->reader.file, sets[i]->n,
                                              sets[i]->text, err));
    return PR_OK;
}

// Does this rank take part in an objective's scores?
static bool scores_here(const pr_job_env_t *env, int objective)
{
    const pr_objective_type_t *type = pr_objective_type(env->config->objective[objective].type);
    return pr_team_is_leader(env->team) || (type && type->collective);
}

static pr_status_t open_objective(pr_job_env_t *env, int k, pr_error_t *err)
{
    const pr_config_t *c = env->config;
    const pr_objective_config_t *o = &c->objective[k];
    pr_objective_env_t oe = {c->dir, env->model, env->tokenizer, env->la};
    if (env->objective[k] || !scores_here(env, k))
        return PR_OK; // open since an earlier attempt, or none of ours
    PR_TRY(pr_objective_open(o->name, o->type, o->options, &oe, &env->objective[k], err));
    if (!pr_team_is_leader(env->team))
        return PR_OK;
    PR_TRY(check_prompts(env, o, err));
    return pr_objective_needs_fit(o->type, o->options) ? check_data(env, o, err) : PR_OK;
}

// One after the other, as opening one may be collective.
static pr_status_t load_objectives(pr_job_env_t *env, pr_error_t *err)
{
    for (int k = 0; k < env->config->n_objectives; k++) {
        pr_status_t status = env->team->agree(env->team, open_objective(env, k, err), err);
        if (status != PR_OK) {
            pr_objective_close(&env->objective[k]); // on ranks where it did open, so that all begin again together
            return status;
        }
    }
    return PR_OK;
}

static void keep_expert(pr_cached_expert_t *e, const char *dir, const char *hash, pr_adapter_t *adapter)
{
    pr_grams_free(&e->grams); // were the last expert's
    pr_adapter_free(&e->adapter);
    free(e->dir);
    e->adapter = adapter;
    e->dir = pr_strdup(dir);
    snprintf(e->hash, sizeof e->hash, "%s", hash);
}

/* Adapters that objectives bring. */
static pr_status_t load_adapters(pr_job_env_t *env, pr_error_t *err)
{
    for (int k = 0; k < env->config->n_objectives; k++) {
        const char *dir = env->config->objective[k].adapter;
        char hash[PR_HASH_HEX];
        pr_adapter_t *adapter;
        if (!dir)
            continue;
        PR_TRY(pr_adapter_hash(dir, hash, err));
        PR_TRY(pr_adapter_read(dir, &env->model->config, &adapter, err));
        keep_expert(&env->expert[k], dir, hash, adapter);
    }
    return PR_OK;
}

static pr_status_t load_texts(pr_job_env_t *env, pr_error_t *err)
{
    const pr_config_t *c = env->config;
    int n_stop;
    stops_clear(env);
    env->stop_text = pr_stop_texts(&env->model->config, c->stop.n, (const char *const *)c->stop.item, &n_stop);
    PR_TRY(pr_stops_init(&env->stops, env->tokenizer, n_stop, env->stop_text, err));
    prompt_set_clear(&env->train);
    prompt_set_clear(&env->eval);
    if (c->train_prompts)
        PR_TRY(load_prompts(env, c->train_prompts, c->finetune.max_new_tokens, &env->train, err));
    return load_prompts(env, c->eval_prompts, c->evaluate.max_new_tokens, &env->eval, err);
}

pr_adapter_options_t pr_job_lora(const pr_config_t *c)
{
    const pr_finetune_config_t *f = &c->finetune;
    return (pr_adapter_options_t){f->lora_r, f->lora_alpha, f->lora_rslora,
                                  f->lora_targets.n ? (const char *const *)f->lora_targets.item : NULL,
                                  f->lora_targets.n};
}

pr_status_t pr_job_check_model(const pr_config_t *c, const pr_model_config_t *m, pr_error_t *err)
{
    bool tunes = false;
    for (int k = 0; k < c->n_objectives; k++)
        tunes = tunes || !c->objective[k].adapter;
    pr_adapter_options_t o = pr_job_lora(c);
    if (tunes && o.targets && pr_adapter_check_options(m, &o, err) != PR_OK)
        return pr_fail_in(err, "%s: finetune.lora", c->path);
    for (int i = 0; i < c->n_searches; i++)
        if (c->search[i].layer > m->n_layer)
            return pr_fail(err, PR_ERR_CONFIG, "%s: search '%s': layer: found %d, the model has %d layers", c->path,
                           c->search[i].name, c->search[i].layer, m->n_layer);
    return PR_OK;
}

static pr_status_t load_files(pr_job_env_t *env, pr_error_t *err)
{
    const pr_config_t *c = env->config;
    char *path = pr_path_join(c->model, "tokenizer.json");
    pr_status_t status = PR_OK;
    if (!env->model)
        PR_GO(pr_model_load_part(c->model, env->la->cols, env->la->col, &env->model, err));
    PR_GO(pr_job_check_model(c, &env->model->config, err));
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
    pr_status_t status = pr_linalg_start(env->config->threads, err);
    env->la = env->team->la;
    return env->team->agree(env->team, status == PR_OK ? load_files(env, err) : status, err);
}

/* The worst value of every objective, as the leader, who has all of them open, knows it. */
static pr_status_t find_worst(pr_job_env_t *env, pr_error_t *err)
{
    const pr_config_t *c = env->config;
    const pr_team_t *team = env->team;
    pr_status_t status = PR_OK;
    if (strcmp(c->truncated, "worst") != 0)
        return PR_OK;
    for (int k = 0; k < c->n_objectives && pr_team_is_leader(team) && status == PR_OK; k++) {
        env->worst[k] = c->objective[k].minimize ? env->objective[k]->hi : env->objective[k]->lo;
        if (!isfinite(env->worst[k]))
            status = pr_fail(err, PR_ERR_CONFIG,
                             "%s: truncated: found worst, but objective '%s' has no worst value: its range is not "
                             "limited",
                             c->path, c->objective[k].name);
    }
    PR_TRY(team->agree(team, status, err));
    team->broadcast(team, env->worst, sizeof env->worst);
    return PR_OK;
}

pr_status_t pr_job_env_load(pr_job_env_t *env, pr_error_t *err)
{
    if (env->loaded)
        return PR_OK;
    PR_TRY(pr_env_load_files(env, err));
    PR_TRY(load_objectives(env, err));
    PR_TRY(find_worst(env, err));
    env->loaded = true;
    return PR_OK;
}

void pr_job_env_tell(const pr_job_env_t *env)
{
    pr_prompt_tell(&env->train.reader);
    pr_prompt_tell(&env->eval.reader);
}

void pr_job_env_ranges(const pr_job_env_t *env, double *lo, double *hi)
{
    for (int k = 0; k < env->config->n_objectives; k++) {
        if (env->objective[k]) {
            lo[k] = env->objective[k]->lo;
            hi[k] = env->objective[k]->hi;
        }
    }
}

/* Files that another node has just renamed into place may take a moment to be seen through a network file system. A
 * rank that waited in vain a few times is told at once: what it misses does not come. */
static pr_status_t hash_when_seen(pr_job_env_t *env, const char *dir,
                                  pr_status_t (*hash)(const char *, char *, pr_error_t *), const char *expected,
                                  pr_error_t *err)
{
    const struct timespec pause = {0, 250000000};
    char found[PR_HASH_HEX];
    pr_status_t status = PR_OK;
    for (int i = 0, looks = env->waited < PR_ENV_WAITS ? 20 : 1; i < looks; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        status = hash(dir, found, err);
        if (status == PR_OK && strcmp(found, expected) == 0)
            return PR_OK;
    }
    env->waited++;
    if (status != PR_OK)
        return status;
    return pr_fail(err, PR_ERR_FORMAT, "%s: content has hash %s, expected %s: changed since the sweep made or read it",
                   dir, found, expected);
}

pr_status_t pr_env_expert(pr_job_env_t *env, int objective, int64_t seed, const char *hash, const pr_adapter_t **out,
                          pr_error_t *err)
{
    pr_cached_expert_t *e = &env->expert[objective];
    char *dir = pr_expert_dir(env->config, env->config->results, objective, seed);
    pr_status_t status = PR_OK;
    if (!e->adapter || strcmp(e->dir, dir) != 0 || strcmp(e->hash, hash) != 0) {
        pr_adapter_t *adapter;
        PR_GO(hash_when_seen(env, dir, pr_adapter_hash, hash, err));
        PR_GO(pr_adapter_read(dir, &env->model->config, &adapter, err));
        keep_expert(e, dir, hash, adapter);
    }
    *out = e->adapter;
done:
    free(dir);
    return status;
}

/* One rank's part: the head of an objective that needs one, when it is not the one it has. */
static pr_status_t give_head(pr_job_env_t *env, int objective, const char *hash, pr_error_t *err)
{
    if (!hash)
        return pr_fail(err, PR_ERR_CONFIG, "the job names no head for objective '%s'",
                       env->config->objective[objective].name);
    if (strcmp(hash, env->head[objective]) == 0)
        return PR_OK;
    char *path = pr_head_path(env->config, env->config->results, objective);
    pr_status_t status = hash_when_seen(env, path, pr_hash_file, hash, err);
    if (status == PR_OK)
        status = pr_objective_attach(env->objective[objective], path, err);
    if (status == PR_OK)
        snprintf(env->head[objective], PR_HASH_HEX, "%s", hash);
    free(path);
    return status;
}

pr_status_t pr_env_heads(pr_job_env_t *env, const json_t *spec, pr_error_t *err)
{
    const pr_config_t *c = env->config;
    const json_t *hash = json_object_get(spec, "heads");
    pr_status_t status = PR_OK;
    for (int k = 0; k < c->n_objectives && status == PR_OK; k++)
        if (pr_objective_needs_fit(c->objective[k].type, c->objective[k].options))
            status = give_head(env, k, json_string_value(json_array_get(hash, (size_t)k)), err);
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

bool pr_responses_dropped(const pr_job_env_t *env, const pr_responses_t *r, int i)
{
    return r->cut[i] && strcmp(env->config->truncated, "drop") == 0;
}

/* column [n]: an objective's scores, the same on every rank. Models: each row scores its share of the samples. */
static pr_status_t score_column(pr_job_env_t *env, int k, const pr_responses_t *r, double *column, pr_error_t *err)
{
    const pr_team_t *t = env->team;
    pr_objective_t *o = env->objective[k];
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

pr_status_t pr_responses_score(pr_job_env_t *env, const pr_responses_t *r, double *scores, pr_error_t *err)
{
    int k_n = env->config->n_objectives;
    double *column = pr_alloc((size_t)r->n, sizeof *column);
    bool worst = strcmp(env->config->truncated, "worst") == 0;
    pr_status_t status = PR_OK;
    for (int k = 0; k < k_n && status == PR_OK; k++) {
        status = score_column(env, k, r, column, err);
        for (int i = 0; i < r->n; i++)
            scores[(size_t)i * (size_t)k_n + (size_t)k] = worst && r->cut[i] ? env->worst[k] : column[i];
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

pr_status_t pr_job_run(pr_job_env_t *env, const json_t *spec, const pr_job_hooks_t *hooks, json_t **result,
                       pr_error_t *err)
{
    static const struct {
        const char *kind;
        pr_status_t (*run)(pr_job_env_t *, const json_t *, const pr_job_hooks_t *, json_t **, pr_error_t *);
        bool scores; // by every objective, and so needs their heads
    } kinds[] = {{"fit_reward", pr_job_fit_reward, false},
                 {"finetune", pr_job_finetune, true},
                 {"evaluate", pr_job_evaluate, true}};
    const char *kind = json_string_value(json_object_get(spec, "kind"));
    PR_TRY(pr_job_env_load(env, err));
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kind, kinds[i].kind) != 0)
            continue;
        if (kinds[i].scores)
            PR_TRY(pr_env_heads(env, spec, err));
        return env->team->agree(env->team, kinds[i].run(env, spec, hooks, result, err), err);
    }
    return pr_fail(err, PR_ERR_UNSUPPORTED, "job kind \"%s\": expected fit_reward, finetune or evaluate",
                   kind ? kind : "");
}
