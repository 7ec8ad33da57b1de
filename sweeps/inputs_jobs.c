// SPDX-License-Identifier: BSD-3-Clause
/* What each job of a sweep is asked to do, of what was read. */
#include "base/mem.h"
#include "jobs/evaluate.h"
#include "jobs/fit_reward.h"
#include "jobs/fit_route.h"
#include "jobs/train.h"
#include "learn/rules.h"
#include "store/layout.h"
#include "sweeps/inputs_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings ---- */

/* Texts are the configuration's; targets is a new reference that settings borrow. */
static pr_train_settings_t settings_of(const pr_finetune_config_t *f, json_t **targets)
{
    *targets = json_array();
    for (int i = 0; i < f->lora_targets.n; i++)
        json_array_append_new(*targets, json_string(f->lora_targets.item[i]));
    return (pr_train_settings_t){.algorithm = f->algorithm,
                                 .combine = f->combine,
                                 .weigh = f->weigh,
                                 .core = f->core,
                                 .sample = f->sample,
                                 .steps = f->steps,
                                 .prompts_per_step = f->prompts_per_step,
                                 .samples = f->samples,
                                 .max_new_tokens = f->max_new_tokens,
                                 .temperature = f->temperature,
                                 .top_p = f->top_p,
                                 .lr = f->lr,
                                 .beta1 = f->beta1,
                                 .beta2 = f->beta2,
                                 .eps = f->eps,
                                 .weight_decay = f->weight_decay,
                                 .warmup = f->warmup,
                                 .schedule = f->schedule,
                                 .kl = f->kl,
                                 .kl_estimator = f->kl_estimator,
                                 .entropy = f->entropy,
                                 .clip_norm = f->clip_norm,
                                 .loss_norm = f->loss_norm,
                                 .lora_r = f->lora_r,
                                 .lora_alpha = f->lora_alpha,
                                 .lora_rslora = f->lora_rslora,
                                 .lora_targets = *targets};
}

json_t *pr_inputs_stop(const pr_config_t *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->stop.n; i++)
        json_array_append_new(list, json_string(c->stop.item[i]));
    return list;
}

/* ---- inputs of jobs ---- */

json_t *pr_inputs_fit(const pr_inputs_t *in, int objective)
{
    json_t *fit = pr_fit_part(in->objective[objective]);
    pr_fit_inputs_t inputs = {.type = in->config->objective[objective].type, .fit = fit};
    memcpy(inputs.model, in->model, sizeof inputs.model);
    json_t *v = pr_fit_inputs_pack(&inputs);
    json_decref(fit);
    return v;
}

json_t *pr_inputs_how_fit(const pr_inputs_t *in, int objective)
{
    return json_pack("{s:s}", "objective", in->objective_hash[objective]);
}

static pr_reward_term_t term_of(const pr_inputs_t *in, int k, double weight)
{
    pr_reward_term_t t = {.weight = weight, .minimize = in->config->objective[k].minimize};
    memcpy(t.objective, in->objective_hash[k], sizeof t.objective);
    memcpy(t.head, in->head[k], sizeof t.head);
    return t;
}

/* A rule's options for the objectives that take part: of its lists that have a number per objective, theirs. New
 * reference; NULL of NULL. */
static json_t *rule_for(const json_t *rule, int k, const double *w)
{
    json_t *out = json_is_object(rule) ? json_copy((json_t *)(uintptr_t)rule) : json_incref((json_t *)(uintptr_t)rule),
           *value;
    const char *key;
    void *next;
    json_object_foreach_safe(out, next, key, value)
    {
        if ((int)json_array_size(value) != k)
            continue;
        json_t *list = json_array();
        for (int i = 0; i < k; i++)
            if (w[i] != 0)
                json_array_append(list, json_array_get(value, (size_t)i));
        json_object_set_new(out, key, list);
    }
    return out;
}

/* The experts of these settings, as a policy's parts: those that are given, or trainings. */
static void add_experts(const pr_inputs_t *in, const pr_finetune_config_t *set, int64_t seed, pr_policy_spec_t *out)
{
    const pr_sweep_policy_t of = {.set = set};
    for (int k = 0; k < in->config->n_objectives; k++) {
        pr_training_wish_t wish = pr_wish_expert(k);
        char id[PR_HASH_HEX];
        if (!in->given[k])
            pr_inputs_wished_id(in, &of, &wish, seed, id);
        pr_policy_add(out, !in->given[k], in->given[k] ? in->given[k] : id, 1);
    }
}

/* The experts that a family is made of. New reference. */
static json_t *experts_of(const pr_inputs_t *in, int64_t seed)
{
    pr_policy_spec_t experts = {.mix = &pr_mix_params};
    json_t *list = json_array();
    add_experts(in, &in->config->finetune, seed, &experts);
    for (int k = 0; k < experts.n; k++)
        json_array_append_new(list,
                              json_pack("[s, s]", experts.part[k].job ? "job" : "adapter", experts.part[k].source));
    return list;
}

/* Which mix of a policy's experts suits a prompt. */
static json_t *route_inputs(const pr_inputs_t *in, const pr_sweep_policy_t *p, int64_t seed)
{
    pr_policy_spec_t experts = {.mix = p->mix, .options = p->mix_options}; // borrowed
    json_t *minimize = json_array();
    add_experts(in, p->set, seed, &experts);
    json_t *policy = pr_policy_pack(&experts);
    for (int k = 0; k < in->config->n_scored; k++)
        json_array_append_new(minimize, json_boolean(in->config->objective[k].minimize));
    pr_fit_route_inputs_t r = {.policy = policy,
                               .minimize = minimize,
                               .divisions = pr_option_int(p->options, "divisions"),
                               .prompts = pr_option_int(p->options, "prompts"),
                               .ridge = pr_option_real(p->options, "ridge"),
                               .anyway = pr_option_bool(p->options, "anyway"),
                               .components = pr_option_int(p->options, "components"),
                               .learner = pr_option_string(p->options, "learner"),
                               .passes = pr_option_int(p->options, "passes"),
                               .confidence = pr_option_real(p->options, "confidence")};
    memcpy(r.task, in->train_task, sizeof r.task);
    json_t *v = pr_fit_route_pack(&r);
    json_decref(policy);
    json_decref(minimize);
    return v;
}

json_t *pr_inputs_wished(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_training_wish_t *wish,
                         int64_t seed)
{
    return wish->makes == PR_FITS_ROUTE ? route_inputs(in, p, seed) : pr_inputs_train(in, p->set, wish, seed);
}

void pr_inputs_wished_id(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_training_wish_t *wish,
                         int64_t seed, char id[PR_HASH_HEX])
{
    json_t *inputs = pr_inputs_wished(in, p, wish, seed);
    pr_json_hash(inputs, id);
    json_decref(inputs);
}

json_t *pr_inputs_how_wished(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_training_wish_t *wish)
{
    return wish->makes == PR_FITS_ROUTE ? pr_evaluate_how_pack(in->config->evaluate.streams)
                                        : pr_inputs_how_train(in, p->set);
}

int pr_wish_experts(const pr_inputs_t *in, const pr_sweep_policy_t *p, const pr_training_wish_t *wish,
                    pr_sweep_policy_t *of, pr_training_wish_t *expert)
{
    int n = 0;
    *of = *p;
    if (wish->makes == PR_TRAINS_MADE) { // of the experts of the whole sweep
        of->set = &in->config->finetune;
        of->prefix = of->set == p->set ? p->prefix : NULL;
    } else if (wish->makes != PR_FITS_ROUTE) {
        return 0;
    }
    for (int k = 0; k < in->config->n_objectives; k++)
        if (!in->given[k])
            expert[n++] = pr_wish_expert(k);
    return n;
}

json_t *pr_inputs_train(const pr_inputs_t *in, const pr_finetune_config_t *set, const pr_training_wish_t *wish,
                        int64_t seed)
{
    const pr_config_t *c = in->config;
    json_t *targets, *stop = pr_inputs_stop(c);
    pr_train_inputs_t t = {.set = settings_of(set, &targets),
                           .stop = stop,
                           .truncated = c->truncated,
                           .sweep_seed = c->seed,
                           .seed = seed};
    memcpy(t.model, in->model, sizeof t.model);
    memcpy(t.prompts, in->train, sizeof t.prompts);
    for (int k = 0; k < c->n_objectives; k++)
        if (wish->w[k] != 0)
            t.term[t.n_term++] = term_of(in, k, wish->w[k]);
    json_t *weigh =
               t.n_term > 1 ? rule_for(set->weigh, c->n_objectives, wish->w) : NULL, // of one alone the weight is 1
        *combine = rule_for(set->combine, c->n_objectives, wish->w);
    json_t *early = set->stop_patience > 0 ? json_pack("{s:i, s:i, s:o, s:s}", "patience", set->stop_patience, "every",
                                                       set->stop_every, "min_gain", pr_json_real(set->stop_gain),
                                                       "metric", set->stop_worst ? "worst" : "reward")
                                           : NULL;
    json_t *experts = wish->makes == PR_TRAINS_MADE ? experts_of(in, seed) : NULL;
    t.experts = experts;
    t.set.weigh = weigh;
    t.set.stop = early;
    t.set.combine = combine;
    const pr_weigher_t *rule = &pr_weigher_fixed;
    pr_rules_weigher(weigh, &rule, NULL);
    t.set.measure = set->measure && t.n_term > 1 && !rule->gram;
    if (early || rule->validation)
        memcpy(t.validation, in->validation, sizeof t.validation);
    if (set->init)
        snprintf(t.init, sizeof t.init, "%s", json_string_value(json_object_get(in->init, set->init)));
    json_t *v = pr_train_pack(&t);
    json_decref(weigh);
    json_decref(experts);
    json_decref(early);
    json_decref(combine);
    json_decref(targets);
    json_decref(stop);
    return v;
}

json_t *pr_inputs_how_train(const pr_inputs_t *in, const pr_finetune_config_t *set)
{
    const pr_config_t *c = in->config;
    pr_train_how_t how = {.streams = c->evaluate.streams,
                          .micro_tokens = set->micro_tokens,
                          .checkpoint_every = set->checkpoint_every,
                          .n_report = c->n_objectives};
    for (int k = 0; k < c->n_objectives; k++)
        how.report[k] = term_of(in, k, 1);
    return pr_train_how_pack(&how);
}

json_t *pr_inputs_evaluate(const pr_inputs_t *in, const pr_policy_spec_t *policy, int first, int count)
{
    json_t *packed = pr_policy_pack(policy);
    pr_evaluate_inputs_t e = {.policy = packed, .first = first, .count = count};
    memcpy(e.task, in->task, sizeof e.task);
    if (policy->mix->grams && policy->n > 1) // one part alone is itself
        memcpy(e.corpus, in->train, sizeof e.corpus);
    json_t *v = pr_evaluate_pack(&e);
    json_decref(packed);
    return v;
}

json_t *pr_inputs_how_evaluate(const pr_inputs_t *in)
{
    const pr_config_t *c = in->config;
    json_t *how = pr_evaluate_how_pack(c->evaluate.streams), *minimize = json_array();
    bool whole = true; // every job is a whole point
    for (int i = 0; i < c->n_searches; i++)
        whole = whole && c->search[i].n_fidelity == 0;
    for (int k = 0; whole && k < c->n_objectives; k++)
        json_array_append_new(minimize, json_boolean(c->objective[k].minimize));
    json_object_set_new(how, "minimize", minimize);
    return how;
}

/* ---- what things cost ---- */

int64_t pr_training_prompts(const pr_config_t *c, const pr_finetune_config_t *f)
{
    enum { LEARNED = 2 };
    double tokens = (double)f->steps * f->prompts_per_step * f->samples * f->max_new_tokens;
    return llround(fmin(ceil(LEARNED * tokens / ((double)c->evaluate.samples * c->evaluate.max_new_tokens)), 1e9));
}

/* ---- names ---- */

char *pr_training_label(const pr_config_t *c, const char *prefix, const pr_training_wish_t *wish, int64_t seed)
{
    enum { LONGEST = 160 }; // of a file's name
    pr_buf_t b = {0}, whole = {0};
    int terms = 0;
    for (int k = 0; k < c->n_objectives; k++)
        terms += wish->w[k] != 0;
    if (wish->makes != PR_TRAINS_ADAPTER)
        pr_buf_puts(&b, wish->makes == PR_FITS_ROUTE ? "route" : "family");
    for (int k = 0; k < c->n_objectives && wish->makes == PR_TRAINS_ADAPTER; k++) {
        if (wish->w[k] == 0)
            continue;
        pr_buf_printf(&b, "%s%s", b.len ? "-" : "", c->objective[k].name);
        if (!wish->equal && (terms > 1 || wish->w[k] != 1))
            pr_buf_printf(&b, "-%.6g", wish->w[k]);
    }
    if (b.len > LONGEST) {
        char hash[PR_HASH_HEX];
        pr_hash_hex(wish->w, (size_t)c->n_objectives * sizeof *wish->w, hash);
        b.len = 0;
        pr_buf_printf(&b, "weights-%s", hash);
    }
    pr_buf_printf(&whole, "%s%s%s-s%lld", prefix ? prefix : "", prefix ? "-" : "", b.data, (long long)seed);
    pr_buf_free(&b);
    return whole.data;
}

char *pr_sweep_expert_dir(const pr_config_t *c, const char *results, int objective, int64_t seed)
{
    pr_training_wish_t wish = pr_wish_expert(objective);
    if (c->objective[objective].adapter)
        return pr_strdup(c->objective[objective].adapter);
    char *label = pr_training_label(c, NULL, &wish, seed),
         *path = pr_artifact_link_path(results, PR_ARTIFACT_ADAPTER, label);
    free(label);
    return path;
}
