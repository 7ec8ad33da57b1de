// SPDX-License-Identifier: BSD-3-Clause
#include "cli/plan.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/fit_route.h"
#include "learn/response.h"
#include "model/adapter.h"
#include "model/linear_head.h"
#include "model/part.h"
#include "model/prompt_tokens.h"
#include "model/prompts.h"
#include "model/safetensors.h"
#include "objective/objective.h"
#include "reward/data.h"
#include "store/results.h"
#include "sweeps/inputs.h"
#include "sweeps/outline.h"
#include "sweeps/search/search.h"
#include "tokenizer/tokenizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the model ---- */

static pr_status_t check_model(pr_plan_t *p, pr_error_t *err)
{
    const char *dir = p->config->model;
    pr_safetensors_t *files = NULL;
    PR_TRY(pr_model_config_read(dir, &p->model, err));
    p->have_model = 1;
    if (p->model.n_label > 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: found a classification model (%s), expected a language model", dir,
                       p->model.arch_name);
    PR_TRY(pr_safetensors_open_model(dir, &files, err));
    p->file_bytes = pr_safetensors_bytes(files);
    p->params = pr_model_config_params(&p->model);
    pr_safetensors_close(&files);
    return PR_OK;
}

// The adapter that trainings of these settings would make: its targets must be there.
static pr_status_t check_lora(const pr_plan_t *p, const pr_finetune_config_t *set, pr_error_t *err)
{
    pr_adapter_options_t o = pr_sweep_lora(set);
    if (pr_adapter_check_options(&p->model, &o, err) != PR_OK)
        return pr_fail_in(err, "%s: finetune.lora", p->config->path);
    return PR_OK;
}

static pr_status_t check_adapters(pr_plan_t *p, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    PR_TRY(pr_inputs_sketch(c, &p->inputs, err));
    for (int k = 0; k < c->n_objectives; k++) {
        const char *dir = c->objective[k].adapter;
        pr_adapter_t *a = NULL;
        if (!dir)
            continue;
        if (pr_adapter_read(dir, &p->model, &a, err) != PR_OK)
            return pr_fail_in(err, "objective '%s'", c->objective[k].name);
        p->given_params += (int64_t)a->n_data;
        pr_sizes_add_adapter(&p->sizes, p->inputs.adapter[k], a);
        pr_adapter_free(&a);
    }
    const char *init;
    json_t *hash;
    json_object_foreach(p->inputs.init, init, hash)
    {
        pr_adapter_t *a = NULL;
        PR_TRY(pr_adapter_read(init, &p->model, &a, err));
        p->given_params += (int64_t)a->n_data;
        pr_sizes_add_adapter(&p->sizes, json_string_value(hash), a);
        pr_adapter_free(&a);
    }
    for (int i = 0; i < c->n_searches && pr_sweep_trains(c); i++)
        PR_TRY(check_lora(p, p->inputs.policy[i].set, err));
    return PR_OK;
}

/* ---- prompts ---- */

static pr_status_t load_tokenizer(pr_plan_t *p, pr_error_t *err)
{
    char *path = pr_path_join(p->config->model, "tokenizer.json");
    pr_status_t status = pr_tokenizer_load(path, &p->tokenizer, err);
    free(path);
    return status;
}

static pr_status_t measure_prompts(const pr_plan_t *p, const char *path, int new_tokens, int *count, int *longest,
                                   double *mean, pr_error_t *err)
{
    pr_prompts_t *prompts = NULL;
    pr_prompt_chat_t chat = pr_sweep_chat(p->config);
    PR_TRY(pr_prompts_load_chat(path, &chat, &prompts, err));
    pr_prompt_reader_t reader = {.tokenizer = p->tokenizer,
                                 .model = &p->model,
                                 .file = path,
                                 .new_tokens = new_tokens,
                                 .chat = prompts->chat,
                                 .n = prompts->n,
                                 .text = (const char *const *)prompts->text};
    double total = 0;
    pr_status_t status = PR_OK;
    for (int i = 0; i < prompts->n; i++) {
        int32_t *ids;
        size_t n;
        PR_GO(pr_prompt_tokens(&reader, i, prompts->id[i], prompts->text[i], &ids, &n, err));
        free(ids);
        *longest = (int)n > *longest ? (int)n : *longest;
        total += (double)n;
    }
    pr_prompt_tell(&reader);
    *count = prompts->n;
    *mean = total / prompts->n;
done:
    pr_prompts_free(&prompts);
    return status;
}

static pr_status_t check_stops(const pr_plan_t *p, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    pr_stops_t stops;
    int n;
    const char **text = pr_stop_texts(&p->model, c->stop.n, (const char *const *)c->stop.item, &n);
    pr_status_t status = pr_stops_init(&stops, p->tokenizer, n, text, err);
    if (status == PR_OK)
        pr_stops_clear(&stops);
    else
        pr_fail_in(err, "%s", c->path);
    free(text);
    return status;
}

static pr_status_t check_prompts(pr_plan_t *p, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    PR_TRY(load_tokenizer(p, err));
    PR_TRY(check_stops(p, err));
    if (c->train_prompts)
        PR_TRY(measure_prompts(p, c->train_prompts, pr_sweep_training_tokens(c), &p->n_train, &p->longest_train,
                               &p->mean_train, err));
    if (c->validation_prompts)
        PR_TRY(measure_prompts(p, c->validation_prompts, pr_sweep_training_tokens(c), &p->n_validation,
                               &p->longest_validation, &p->mean_validation, err));
    PR_TRY(measure_prompts(p, c->eval_prompts, c->evaluate.max_new_tokens, &p->n_eval, &p->longest_eval, &p->mean_eval,
                           err));
    if (c->evaluate.prompts > p->n_eval)
        return pr_fail(err, PR_ERR_CONFIG, "%s: evaluate.prompts: found %d, but %s has %d", c->path,
                       c->evaluate.prompts, c->eval_prompts, p->n_eval);
    p->prompts = c->evaluate.prompts ? c->evaluate.prompts : p->n_eval;
    return PR_OK;
}

/* ---- objectives ---- */

static pr_status_t load_data(const pr_plan_t *p, const json_t *options, pr_reward_data_t **out, pr_error_t *err)
{
    char *path = pr_path_join(p->config->dir, json_string_value(json_object_get(options, "data")));
    pr_status_t status = pr_reward_data_load(path, out, err);
    if (status == PR_OK)
        status = pr_reward_data_check_tokens(*out, path, options, p->tokenizer, &p->model, err);
    free(path);
    return status;
}

// What a head will be fitted on, read to its end.
static pr_status_t check_fit(pr_plan_t *p, int objective, const json_t *options, pr_error_t *err)
{
    pr_reward_data_t *data = NULL;
    double holdout = json_number_value(json_object_get(options, "holdout"));
    pr_plan_fit_t *fit = &p->fit[p->fit_jobs++];
    if (load_data(p, options, &data, err) != PR_OK) {
        pr_reward_data_free(&data);
        return pr_fail_in(err, "objective '%s'", p->config->objective[objective].name);
    }
    const pr_objective_config_t *o = &p->config->objective[objective];
    pr_status_t status = pr_objective_check_fit(o->name, o->type, options, data->pairs, err);
    *fit = (pr_plan_fit_t){.objective = objective, .pairs = data->pairs, .samples = data->n};
    for (int i = 0; i < data->n; i++)
        fit->held_out += pr_reward_data_held_out(data, i, holdout);
    pr_reward_data_free(&data);
    return status;
}

// The head's width, as far as it can be told without the model's weights.
static pr_status_t check_head(const pr_plan_t *p, const char *file, pr_error_t *err)
{
    pr_linear_head_t *head = NULL;
    char *path = pr_path_join(p->config->dir, file);
    pr_status_t status = pr_linear_head_read(path, &head, err);
    if (status == PR_OK && head->d != p->model.d_model)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found %d weights, the model's hidden states have %d numbers", path,
                         head->d, p->model.d_model);
    pr_linear_head_free(&head);
    free(path);
    return status;
}

// Can an objective's own model read the prompts?
static pr_status_t try_prompts(const pr_plan_t *p, int objective, const json_t *options, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    const pr_objective_config_t *o = &c->objective[objective];
    const char *const files[] = {c->train_prompts, c->validation_prompts, c->eval_prompts};
    if (!pr_objective_type(o->type)->check_prompts)
        return PR_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        pr_prompts_t *prompts = NULL;
        if (!files[i])
            continue;
        pr_prompt_chat_t chat = pr_sweep_chat(c);
        PR_TRY(pr_prompts_load_chat(files[i], &chat, &prompts, err));
        pr_status_t status =
            pr_objective_check_prompts(o->name, o->type, options, c->dir, files[i], prompts->n, prompts->text, err);
        pr_prompts_free(&prompts);
        PR_TRY(status);
    }
    return PR_OK;
}

// The size of a model that an objective brings.
static pr_status_t measure_model(pr_plan_t *p, const json_t *options, const char *key, int k, pr_error_t *err)
{
    char *dir = pr_path_join(p->config->dir, json_string_value(json_object_get(options, key)));
    pr_status_t status = pr_model_config_read(dir, &p->own[k], err);
    p->have_own[k] = status == PR_OK;
    free(dir);
    return status;
}

static pr_status_t check_objectives(pr_plan_t *p, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    pr_status_t status = PR_OK;
    for (int k = 0; k < c->n_scored && status == PR_OK; k++) {
        const pr_objective_config_t *o = &c->objective[k];
        json_t *resolved;
        PR_TRY(pr_objective_resolve(o->name, o->type, o->options, c->dir, &resolved, err));
        const char *head = pr_objective_head_file(o->type, resolved);
        pr_objective_tell(o->name, o->type, resolved);
        status = pr_objective_bounds(o->name, o->type, resolved, c->dir, &p->lo[k], &p->hi[k], err);
        if (status != PR_OK) {
            json_decref(resolved);
            return status;
        }
        if (pr_objective_needs_fit(o->type, resolved))
            status = check_fit(p, k, resolved, err);
        else if (head)
            status = check_head(p, head, err);
        if (status == PR_OK)
            status = try_prompts(p, k, resolved, err);
        const char *model = pr_objective_type(o->type)->model_option;
        if (status == PR_OK && model)
            status = measure_model(p, resolved, model, k, err);
        p->batch_tokens[k] = json_integer_value(json_object_get(resolved, "batch_tokens"));
        json_decref(resolved);
    }
    return status;
}

/* ---- searches ---- */

/* A search that chooses points by others takes a jump of the policy for a slope. */
static void note_jumps(const pr_plan_t *p, int i)
{
    const pr_sweep_policy_t *policy = &p->inputs.policy[i];
    pr_search_spec_t plain = p->config->search[i];
    json_t *options = NULL;
    plain.n_fidelity = 0;
    plain.budget_core_hours = 0;
    if (!policy->mix->jumps || pr_search_asks_once(&plain) ||
        pr_options_resolve(policy->mix->options, policy->mix_options, NULL, &options, NULL) != PR_OK)
        return;
    if (policy->mix->jumps(options))
        pr_log(
            PR_LOG_WARN,
            "search \"%s\" refines between points, but mix %s jumps where a weight becomes 0; normalize = false does "
            "not",
            plain.name, policy->mix->name);
    json_decref(options);
}

static pr_status_t check_search(pr_plan_t *p, int i, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    const pr_search_spec_t *spec = &c->search[i];
    pr_plan_search_t *out = &p->search[i];
    pr_search_t s = {.spec = spec,
                     .k = c->n_objectives,
                     .domain = &p->inputs.policy[i].domain,
                     .n_prompts = p->prompts,
                     .seed = c->seed,
                     .lo = p->lo,
                     .hi = p->hi,
                     .reference = p->lo};
    const pr_sweep_policy_t *policy = &p->inputs.policy[i];
    note_jumps(p, i);
    if (policy->per_point)
        s.making = pr_training_prompts(c, policy->set);
    if (pr_search_check(&s, err) != PR_OK)
        return pr_fail_in(err, "%s", c->path);
    out->levels = pr_search_forecast(&s, out->points, PR_PLAN_LEVELS);
    out->proposed = pr_search_proposal(&s) > 0;
    for (int level = 0; level < out->levels; level++)
        out->total += out->points[level];
    out->prompts = pr_search_prompts(&s, out->total);
    p->evaluate_points += out->total * c->n_seeds;
    p->evaluate_prompts += out->prompts * c->n_seeds;
    return PR_OK;
}

static pr_status_t check_teams(pr_plan_t *p, pr_error_t *err)
{
    p->n_phase = pr_sweep_phases(p->config, p->phase);
    for (int i = 0; i < p->n_phase; i++)
        if (pr_part_check(&p->model, p->phase[i].team.cols, err) != PR_OK)
            return pr_fail_in(err, "%s: %s.team.cols", p->config->path, p->phase[i].key);
    return PR_OK;
}

/* Whose trainings are counted, and which have been. */
typedef struct counter {
    pr_plan_t *p;
    const pr_sweep_policy_t *policy;
    const char *name;
    int search;
    json_t *seen; // identity -> true
} counter_t;

static void count_wished(const counter_t *c, const char *name, const pr_sweep_policy_t *policy,
                         const pr_training_wish_t *wish, char id[PR_HASH_HEX])
{
    pr_plan_t *p = c->p;
    const pr_config_t *config = p->config;
    int i = 0;
    pr_inputs_wished_id(&p->inputs, policy, wish, config->seeds[0], id);
    if (json_object_get(c->seen, id))
        return;
    json_object_set_new(c->seen, id, json_true());
    while (i < p->n_training && (p->training[i].set != policy->set || p->training[i].makes != wish->makes ||
                                 p->training[i].per_point || wish->makes == PR_FITS_ROUTE))
        i++;
    if (i == p->n_training)
        p->training[p->n_training++] = (pr_plan_training_t){
            .policy = name, .set = policy->set, .of = c->policy, .search = c->search, .makes = wish->makes};
    p->training[i].jobs += config->n_seeds;
}

static pr_status_t count_wish(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX], pr_error_t *err)
{
    const counter_t *c = self;
    pr_sweep_policy_t of;
    pr_training_wish_t expert[PR_MAX_OBJECTIVES];
    int n = pr_wish_experts(&c->p->inputs, c->policy, wish, &of, expert);
    (void)err;
    for (int i = 0; i < n; i++)
        count_wished(c, of.set == c->policy->set ? c->name : NULL, &of, &expert[i], id);
    count_wished(c, c->name, c->policy, wish, id);
    return PR_OK;
}

double pr_plan_route_evaluations(const pr_plan_t *p, const pr_plan_training_t *t)
{
    int most = pr_option_int(t->of->options, "prompts"), n = most > 0 && most < p->n_train ? most : p->n_train;
    if (strcmp(pr_option_string(t->of->options, "learner"), "linucb") == 0)
        return (double)pr_option_int(t->of->options, "passes") * n;
    return (double)pr_fit_route_points(p->config->n_objectives, pr_option_int(t->of->options, "divisions")) * n;
}

/* Tokens of each job, at most: a route's are its lattice's evaluations on the training prompts. */
static int64_t tokens_of(const pr_plan_t *p, const pr_plan_training_t *t)
{
    const pr_finetune_config_t *f = t->set;
    const pr_evaluate_config_t *e = &p->config->evaluate;
    if (t->makes != PR_FITS_ROUTE)
        return (int64_t)f->steps * f->prompts_per_step * f->samples * f->max_new_tokens;
    return llround(fmin(pr_plan_route_evaluations(p, t) * e->samples * e->max_new_tokens, 1e15));
}

/* Of a search whose points share trainings: those that its corners ask for. */
static pr_status_t count_shared(counter_t *c, pr_error_t *err)
{
    int k_n = c->p->config->n_objectives, rows = c->policy->domain.rows;
    double w[PR_MAX_COORDINATES];
    pr_status_t status = PR_OK;
    for (int k = 0; k < k_n && status == PR_OK; k++) {
        pr_policy_spec_t spec;
        pr_choice_t at = {.k = k_n, .rows = rows, .w = w};
        for (int i = 0; i < rows * k_n; i++)
            w[i] = i % k_n == k;
        status = pr_sweep_policy_at(&c->p->inputs, c->policy, &at, count_wish, c, &spec, err);
        pr_policy_spec_clear(&spec);
    }
    return status;
}

static pr_status_t count_trainings(pr_plan_t *p, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    counter_t counter = {.p = p, .seen = json_object()};
    pr_status_t status = PR_OK;
    for (int i = 0; i < c->n_searches && status == PR_OK; i++) {
        int which = c->search[i].policy;
        counter.policy = &p->inputs.policy[i];
        counter.search = i;
        counter.name = which >= 0 ? c->policy[which].name : NULL;
        if (counter.policy->per_point)
            p->training[p->n_training++] = (pr_plan_training_t){.policy = counter.name,
                                                                .set = counter.policy->set,
                                                                .of = counter.policy,
                                                                .per_point = true,
                                                                .jobs = p->search[i].total * c->n_seeds};
        else
            status = count_shared(&counter, err);
    }
    json_decref(counter.seen);
    for (int i = 0; i < p->n_training; i++) {
        pr_plan_training_t *t = &p->training[i];
        t->tokens = t->jobs * tokens_of(p, t);
        if (t->makes == PR_FITS_ROUTE)
            continue;
        p->finetune_jobs += t->jobs;
        p->finetune_tokens += t->tokens;
    }
    p->base_points = pr_sweep_base_rows(&p->inputs);
    p->evaluate_tokens =
        (p->evaluate_prompts + p->base_points * p->prompts) * c->evaluate.samples * c->evaluate.max_new_tokens;
    return status;
}

pr_status_t pr_plan_make(const pr_config_t *c, pr_plan_t *out, pr_error_t *err)
{
    *out = (pr_plan_t){.config = c};
    PR_TRY(pr_results_check_layout(c->results, err));
    PR_TRY(pr_changes_of_dir(c, &out->changes, err));
    PR_TRY(check_model(out, err));
    PR_TRY(check_prompts(out, err));
    PR_TRY(check_objectives(out, err));
    PR_TRY(check_adapters(out, err));
    PR_TRY(pr_sweep_check_model(c, &out->model, err));
    for (int i = 0; i < c->n_searches; i++)
        PR_TRY(check_search(out, i, err));
    PR_TRY(pr_sweep_check_rules(&out->inputs, out->lo, out->hi, err));
    PR_TRY(check_teams(out, err));
    PR_TRY(count_trainings(out, err));
    return pr_plan_memory(out, err);
}

void pr_plan_clear(pr_plan_t *p)
{
    if (p->have_model)
        pr_model_config_clear(&p->model);
    p->have_model = 0;
    for (int k = 0; k < PR_MAX_OBJECTIVES; k++) {
        if (p->have_own[k])
            pr_model_config_clear(&p->own[k]);
        p->have_own[k] = false;
    }
    pr_tokenizer_free(&p->tokenizer);
    pr_inputs_clear(&p->inputs);
    pr_sizes_clear(&p->sizes);
    pr_changes_clear(&p->changes);
}
