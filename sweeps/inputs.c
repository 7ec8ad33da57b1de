// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "base/mem.h"
#include "config/columns.h"
#include "jobs/artifact.h"
#include "jobs/evaluate.h"
#include "learn/rules.h"
#include "model/prompts.h"
#include "objective/objective.h"
#include "sweeps/inputs_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- policies ---- */

/* The options that a mix has, of the keys that speak of mixes. */
static json_t *mix_options_of(const pr_config_t *c, const pr_search_spec_t *s, const pr_mix_t *mix)
{
    json_t *all = json_pack("{s:i, s:s, s:i, s:o, s:o}", "layer", s->layer, "norm", s->norm_before ? "before" : "after",
                            "prompts", c->regmean.prompts, "off_diagonal", pr_json_real(c->regmean.off_diagonal),
                            "ridge", pr_json_real(c->regmean.ridge)),
           *own = json_object();
    for (const pr_option_t *o = mix->options; o->key; o++)
        json_object_set(own, o->key, json_object_get(all, o->key)); // a missing key is not set
    json_decref(all);
    return own;
}

/* Of the trainings of a search's policy. */
static const pr_finetune_config_t *settings_of_search(const pr_config_t *c, const pr_search_spec_t *s)
{
    return s->policy >= 0 ? &c->policy[s->policy].train : &c->finetune;
}

/* A searched parameter has a column of its own in cells.csv. */
static pr_status_t check_column(const pr_config_t *c, const pr_axis_t *a, pr_error_t *err)
{
    static const char *const taken[] = {PR_COLUMNS_FIRST, PR_COLUMNS_LAST};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(a->name, taken[i]) == 0)
            return pr_fail(err, PR_ERR_CONFIG, "%s: found a range or list, but cells.csv has a column of that name",
                           a->name);
    for (int k = 0; k < c->n_objectives; k++)
        if (strcmp(a->name, c->objective[k].name) == 0)
            return pr_fail(err, PR_ERR_CONFIG, "%s: found a range or list, but an objective has that name", a->name);
    return PR_OK;
}

/* The mix's options, and what of them is searched. */
static pr_status_t make_domain(const pr_config_t *c, const pr_search_spec_t *s, const json_t *given,
                               pr_sweep_policy_t *out, pr_error_t *err)
{
    pr_domain_t *d = &out->domain;
    json_t *constants = NULL, *params = NULL;
    pr_point_t middle = {.den = 1};
    double w[PR_MAX_COORDINATES];
    PR_TRY(pr_domain_split(out->mix->options, given, c->dir, d, &constants, err));
    pr_status_t status = pr_options_resolve(out->mix->options, constants, c->dir, &out->mix_options, err);
    json_decref(constants);
    PR_TRY(status);
    d->k = c->n_objectives;
    d->cube = s->domain && strcmp(s->domain, "cube") == 0;
    d->rows = pr_mix_blocks(out->mix, out->mix_options);
    if (pr_domain_size(d) > PR_MAX_COORDINATES)
        return pr_fail(err, PR_ERR_CONFIG,
                       "found points of %d numbers (%d rows of %d weights, %d parameters), expected at most %d",
                       pr_domain_size(d), d->rows, d->k, d->n_axes, PR_MAX_COORDINATES);
    for (int i = 0; i < d->n_axes; i++)
        PR_TRY(check_column(c, &d->axis[i], err));
    pr_domain_middle(d, &middle);
    pr_domain_choice(d, &middle, w, &params);
    if (params)
        json_object_update(out->mix_options, params);
    json_decref(params);
    return PR_OK;
}

static pr_status_t make_policy(const pr_config_t *c, const pr_search_spec_t *s, pr_sweep_policy_t *out, pr_error_t *err)
{
    const pr_policy_config_t *p = s->policy >= 0 ? &c->policy[s->policy] : NULL;
    *out = (pr_sweep_policy_t){.set = settings_of_search(c, s), .prefix = p && p->own_train ? p->name : NULL};
    PR_TRY(pr_method_find(p ? p->method : pr_method_experts.name, &out->method, err));
    PR_TRY(pr_mix_find(p ? p->mix : s->aggregate, &out->mix, err));
    PR_TRY(pr_rules_weigher(out->set->weigh, &out->weigher, err));
    PR_TRY(pr_rules_combiner(out->set->combine, &out->combiner, err));
    out->per_point = out->method->per_point && !out->weigher->own;
    json_t *given = p ? json_incref(p->mix_options) : mix_options_of(c, s, out->mix);
    pr_status_t status = make_domain(c, s, given, out, err);
    json_decref(given);
    if (status != PR_OK)
        return pr_fail_in(err, "mix '%s'", out->mix->name);
    return pr_options_resolve(out->method->options, p ? p->options : NULL, c->dir, &out->options, err);
}

pr_status_t pr_sweep_policies(const pr_config_t *c, pr_sweep_policy_t *out, pr_error_t *err)
{
    for (int i = 0; i < c->n_searches; i++)
        if (make_policy(c, &c->search[i], &out[i], err) != PR_OK) {
            for (int j = 0; j <= i; j++)
                pr_sweep_policy_clear(&out[j]);
            return pr_fail_in(err, "%s: search '%s'", c->path, c->search[i].name);
        }
    return PR_OK;
}

pr_status_t pr_sweep_mix_options(const pr_config_t *c, const pr_mix_t *mix, json_t **options, pr_error_t *err)
{
    const pr_search_spec_t plain = {.policy = -1, .layer = -1, .aggregate = (char *)(uintptr_t)mix->name};
    pr_sweep_policy_t p = {0};
    pr_status_t status = PR_OK;
    for (int i = 0; i < c->n_searches && status == PR_OK; i++) {
        status = make_policy(c, &c->search[i], &p, err);
        if (status == PR_OK && p.mix == mix) {
            *options = json_incref(p.mix_options);
            pr_sweep_policy_clear(&p);
            return PR_OK;
        }
        pr_sweep_policy_clear(&p);
    }
    if (status == PR_OK)
        status = make_policy(c, &plain, &p, err);
    if (status == PR_OK)
        *options = json_incref(p.mix_options);
    pr_sweep_policy_clear(&p);
    return status;
}

void pr_sweep_policy_clear(pr_sweep_policy_t *p)
{
    json_decref(p->mix_options);
    json_decref(p->options);
    pr_domain_clear(&p->domain);
    *p = (pr_sweep_policy_t){0};
}

pr_status_t pr_sweep_policy_at(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_choice_t *at,
                               pr_status_t (*train)(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX],
                                                    pr_error_t *err),
                               void *self, pr_policy_spec_t *out, pr_error_t *err)
{
    pr_method_env_t env = {.k = in->config->n_objectives,
                           .given = in->given,
                           .mix = p->mix,
                           .mix_options = p->mix_options,
                           .options = p->options,
                           .weigher = p->weigher,
                           .combiner = p->combiner,
                           .train = train,
                           .self = self};
    *out = (pr_policy_spec_t){0};
    return p->method->policy_at(&env, at, out, err);
}

bool pr_sweep_trains(const pr_config_t *c)
{
    const char *given[PR_MAX_OBJECTIVES];
    bool trains = false;
    for (int k = 0; k < c->n_objectives; k++)
        given[k] = c->objective[k].adapter;
    for (int i = 0; i < c->n_searches; i++) {
        const pr_method_t *m = &pr_method_experts;
        if (c->search[i].policy >= 0 && pr_method_find(c->policy[c->search[i].policy].method, &m, NULL) != PR_OK)
            continue; // told where policies are made
        trains = trains || m->trains(c->n_objectives, given);
    }
    return trains;
}

int pr_sweep_training_tokens(const pr_config_t *c)
{
    int most = 0;
    for (int i = 0; i < c->n_searches; i++) {
        int n = settings_of_search(c, &c->search[i])->max_new_tokens;
        most = n > most ? n : most;
    }
    return most;
}

/* ---- what the model must have ---- */

pr_adapter_options_t pr_sweep_lora(const pr_finetune_config_t *f)
{
    return (pr_adapter_options_t){f->lora_r, f->lora_alpha, f->lora_rslora,
                                  f->lora_targets.n ? (const char *const *)f->lora_targets.item : NULL,
                                  f->lora_targets.n};
}

static pr_status_t check_lora(const pr_config_t *c, const pr_finetune_config_t *f, const pr_model_config_t *m,
                              pr_error_t *err)
{
    pr_adapter_options_t o = pr_sweep_lora(f);
    pr_adapter_t *shape = NULL, *init = NULL;
    if (o.targets && pr_adapter_check_options(m, &o, err) != PR_OK)
        return pr_fail_in(err, "%s: finetune.lora", c->path);
    if (!f->init)
        return PR_OK;
    pr_status_t status = pr_adapter_shape(m, &o, &shape, err);
    if (status == PR_OK)
        status = pr_adapter_read(f->init, m, &init, err);
    if (status == PR_OK && pr_adapter_check_alike(shape, init, m, err) != PR_OK)
        status = pr_fail_in(err, "%s: init: %s is not as lora says", c->path, f->init);
    pr_adapter_free(&shape);
    pr_adapter_free(&init);
    return status;
}

pr_status_t pr_sweep_check_rules(const pr_inputs_t *in, const double *lo, const double *hi, pr_error_t *err)
{
    const pr_config_t *c = in->config;
    double low[PR_MAX_OBJECTIVES], high[PR_MAX_OBJECTIVES]; // turned so that larger is better
    for (int k = 0; k < c->n_objectives; k++) {
        low[k] = c->objective[k].minimize ? -hi[k] : lo[k];
        high[k] = c->objective[k].minimize ? -lo[k] : hi[k];
    }
    for (int i = 0; i < c->n_searches && c->n_objectives > 1; i++) {
        const pr_sweep_policy_t *p = &in->policy[i];
        pr_rules_t rules;
        if (!p->method->per_point && !p->method->core)
            continue;
        pr_status_t status = pr_rules_resolve(p->set->algorithm, p->set->combine, p->set->weigh, &rules, err);
        if (status == PR_OK)
            status = pr_rules_fit(&rules, c->n_objectives, low, high, err);
        pr_rules_clear(&rules);
        if (status != PR_OK)
            return pr_fail_in(err, "%s: search '%s'", c->path, c->search[i].name);
    }
    return PR_OK;
}

/* Does the model take the mix at every value of a searched parameter, at both ends of a range? */
static pr_status_t check_mix(const pr_sweep_policy_t *p, const pr_model_config_t *m, pr_error_t *err)
{
    pr_mix_plan_t plan;
    for (int i = 0; i < p->domain.n_axes; i++) {
        const pr_axis_t *a = &p->domain.axis[i];
        json_t *ends = a->real ? pr_json_reals((const double[]){a->lo, a->hi}, 2) : json_incref(a->values), *value;
        pr_status_t status = PR_OK;
        size_t at;
        json_array_foreach(ends, at, value)
        {
            json_t *options = json_copy(p->mix_options);
            json_object_set(options, a->name, value);
            if (status == PR_OK)
                status = pr_mix_plan(p->mix, options, m, &plan, err);
            json_decref(options);
        }
        json_decref(ends);
        PR_TRY(status);
    }
    return pr_mix_plan(p->mix, p->mix_options, m, &plan, err);
}

pr_status_t pr_sweep_check_model(const pr_config_t *c, const pr_model_config_t *m, pr_error_t *err)
{
    pr_sweep_policy_t policy[PR_MAX_SEARCHES] = {{0}};
    pr_status_t status = PR_OK;
    PR_TRY(pr_sweep_policies(c, policy, err));
    for (int i = 0; i < c->n_searches && status == PR_OK; i++) {
        if (pr_sweep_trains(c))
            status = check_lora(c, policy[i].set, m, err);
        if (status == PR_OK && check_mix(&policy[i], m, err) != PR_OK)
            status = pr_fail_in(err, "%s: search '%s'", c->path, c->search[i].name);
    }
    for (int i = 0; i < c->n_searches; i++)
        pr_sweep_policy_clear(&policy[i]);
    return status;
}

/* ---- what is read ---- */

typedef pr_status_t (*pr_hash_fn)(const char *path, char out[PR_HASH_HEX], pr_error_t *err);

static pr_status_t hash_of(const pr_inputs_t *in, pr_hash_fn content, const char *path, char out[PR_HASH_HEX],
                           pr_error_t *err)
{
    if (!in->sketched)
        return content(path, out, err);
    pr_hash_hex(path, strlen(path), out);
    return PR_OK;
}

/* Heads, as experts, of other results directories are to be what those sweeps made. */
static pr_status_t check_head(const pr_config_t *c, const pr_objective_config_t *o, pr_error_t *err)
{
    bool known;
    const char *head = pr_objective_head_file(o->type, o->options);
    if (!head)
        return PR_OK;
    char *path = pr_path_join(c->dir, head);
    pr_status_t status = pr_artifact_check(path, &known, err);
    free(path);
    return status;
}

static pr_status_t read_objective(pr_inputs_t *in, int k, pr_error_t *err)
{
    const pr_config_t *c = in->config;
    const pr_objective_config_t *o = &c->objective[k];
    json_t *resolved = NULL;
    if (o->adapter) {
        PR_TRY(hash_of(in, pr_artifact_adapter_hash, o->adapter, in->adapter[k], err));
        in->given[k] = in->adapter[k];
        pr_content_add_path(in->content, PR_CONTENT_ADAPTER, in->adapter[k], o->adapter);
    }
    if (!in->sketched)
        PR_TRY(check_head(c, o, err));
    PR_TRY(pr_objective_resolve(o->name, o->type, o->options, c->dir, &resolved, err));
    pr_status_t status = PR_OK;
    if (in->sketched)
        in->objective[k] = json_pack("{s:s, s:O}", "type", o->type, "options", resolved);
    else
        status = pr_objective_identity(o->type, resolved, c->dir, &in->objective[k], err);
    if (status == PR_OK) {
        pr_content_add_objective(in->content, o->name, o->type, resolved, c->dir, in->objective[k],
                                 in->objective_hash[k]);
        if (strcmp(c->truncated, "worst") == 0)
            pr_content_add_worst(in->content, in->objective_hash[k], o->minimize);
    }
    json_decref(resolved);
    if (status == PR_OK && pr_objective_needs_fit(o->type, o->options)) {
        json_t *fit = pr_inputs_fit(in, k);
        pr_json_hash(fit, in->head[k]);
        json_decref(fit);
    }
    return status;
}

/* The adapters that trainings begin as. */
static pr_status_t read_init(pr_inputs_t *in, pr_error_t *err)
{
    const pr_config_t *c = in->config;
    in->init = json_object();
    for (int i = 0; i < c->n_searches && pr_sweep_trains(c); i++) {
        const char *path = in->policy[i].set->init;
        char hash[PR_HASH_HEX];
        if (!path || json_object_get(in->init, path))
            continue;
        if (hash_of(in, pr_artifact_adapter_hash, path, hash, err) != PR_OK)
            return pr_fail_in(err, "%s: init", c->path);
        json_object_set_new_nocheck(in->init, path, json_string(hash)); // a path may be no UTF-8
        pr_content_add_path(in->content, PR_CONTENT_ADAPTER, hash, path);
    }
    return PR_OK;
}

pr_prompt_chat_t pr_sweep_chat(const pr_config_t *c)
{
    return (pr_prompt_chat_t){.dir = c->model,
                              .add_generation_prompt = c->chat.add_generation_prompt,
                              .variables = c->chat.variables,
                              .template = c->chat.template,
                              .system = c->chat.system,
                              .now = c->chat.now,
                              .no_clock = true,
                              .prefix = "chat."};
}

const json_t *pr_inputs_eval_texts(const pr_inputs_t *in)
{
    return json_object_get(json_object_get(pr_content_all_prompts(in->content), in->eval), "texts");
}

static pr_status_t read_prompts(pr_inputs_t *in, const char *file, int new_tokens, int *n, char hash[PR_HASH_HEX],
                                pr_error_t *err)
{
    pr_prompts_t *p = NULL;
    if (in->sketched)
        return hash_of(in, NULL, file, hash, err);
    pr_prompt_chat_t chat = pr_sweep_chat(in->config);
    PR_TRY(pr_prompts_load_chat(file, &chat, &p, err));
    pr_content_add_prompts(in->content, file, new_tokens, p->n, p->text, p->chat, hash);
    if (n)
        *n = p->n;
    pr_prompts_free(&p);
    return PR_OK;
}

static void add_task(pr_inputs_t *in)
{
    const pr_config_t *c = in->config;
    const pr_evaluate_config_t *e = &c->evaluate;
    json_t *objectives = json_array(), *heads = json_object(), *minimize = json_array(), *stop = pr_inputs_stop(c);
    for (int k = 0; k < c->n_scored; k++) {
        json_array_append_new(objectives, json_string(in->objective_hash[k]));
        json_array_append_new(minimize, json_boolean(c->objective[k].minimize));
        if (in->head[k][0])
            json_object_set_new(heads, in->objective_hash[k], json_string(in->head[k]));
    }
    pr_evaluation_task_t t = {.objectives = objectives,
                              .heads = heads,
                              .minimize = strcmp(c->truncated, "worst") == 0 ? minimize : NULL,
                              .truncated = c->truncated,
                              .stop = stop,
                              .greedy = e->greedy,
                              .temperature = e->greedy ? 1 : e->temperature,
                              .top_p = e->greedy ? 1 : e->top_p,
                              .samples = e->greedy ? 1 : e->samples,
                              .sweep_seed = e->greedy ? 0 : c->seed,
                              .max_new_tokens = e->max_new_tokens};
    memcpy(t.model, in->model, sizeof t.model);
    memcpy(t.prompts, in->eval, sizeof t.prompts);
    json_t *v = pr_evaluation_task_pack(&t);
    pr_content_add_value(in->content, v, in->task);
    json_decref(v);
    if (in->train[0]) {
        memcpy(t.prompts, in->train, sizeof t.prompts);
        v = pr_evaluation_task_pack(&t);
        pr_content_add_value(in->content, v, in->train_task);
        json_decref(v);
    }
    json_decref(objectives);
    json_decref(heads);
    json_decref(minimize);
    json_decref(stop);
}

static pr_status_t make_inputs(const pr_config_t *c, bool sketched, pr_inputs_t *in, pr_error_t *err)
{
    *in = (pr_inputs_t){.config = c, .sketched = sketched, .content = pr_content_new(c->results, c->threads)};
    json_t *stop = pr_inputs_stop(c);
    pr_content_set_stop(in->content, stop);
    json_decref(stop);
    pr_content_set_model_name(in->content, c->model_name);
    PR_TRY(pr_sweep_policies(c, in->policy, err));
    PR_TRY(hash_of(in, pr_model_dir_hash, c->model, in->model, err));
    pr_content_add_path(in->content, PR_CONTENT_MODEL, in->model, c->model);
    if (c->train_prompts) // not needed when every objective brings its expert
        PR_TRY(read_prompts(in, c->train_prompts, pr_sweep_training_tokens(c), NULL, in->train, err));
    if (c->validation_prompts)
        PR_TRY(read_prompts(in, c->validation_prompts, pr_sweep_training_tokens(c), NULL, in->validation, err));
    PR_TRY(read_prompts(in, c->eval_prompts, c->evaluate.max_new_tokens, &in->n_eval, in->eval, err));
    for (int k = 0; k < c->n_scored; k++)
        PR_TRY(read_objective(in, k, err));
    PR_TRY(read_init(in, err));
    add_task(in);
    return PR_OK;
}

pr_status_t pr_inputs_read(const pr_config_t *c, pr_inputs_t *out, pr_error_t *err)
{
    return make_inputs(c, false, out, err);
}

pr_status_t pr_inputs_sketch(const pr_config_t *c, pr_inputs_t *out, pr_error_t *err)
{
    return make_inputs(c, true, out, err);
}

void pr_inputs_clear(pr_inputs_t *in)
{
    for (int k = 0; k < PR_MAX_OBJECTIVES; k++)
        json_decref(in->objective[k]);
    json_decref(in->init);
    for (int i = 0; i < PR_MAX_SEARCHES; i++)
        pr_sweep_policy_clear(&in->policy[i]);
    pr_content_free(&in->content);
    *in = (pr_inputs_t){0};
}
