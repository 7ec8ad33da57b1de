// SPDX-License-Identifier: BSD-3-Clause
/* What a train job is given, to JSON and back. */
#include "base/json_fields.h"
#include "base/mem.h"
#include "jobs/train.h"

#include <stdlib.h>

#define S(key, kind) PR_FIELD(pr_train_settings_t, #key, kind, key)
static const pr_field_t settings_fields[] = {S(algorithm, JSON),    S(combine, JSON),
                                             S(weigh, JSON),        S(stop, JSON),
                                             S(steps, INT),         S(prompts_per_step, INT),
                                             S(samples, INT),       S(max_new_tokens, INT),
                                             S(temperature, REAL),  S(top_p, REAL),
                                             S(lr, REAL),           S(beta1, REAL),
                                             S(beta2, REAL),        S(eps, REAL),
                                             S(weight_decay, REAL), S(warmup, INT),
                                             S(schedule, TEXT),     S(kl, REAL),
                                             S(kl_estimator, TEXT), S(entropy, REAL),
                                             S(clip_norm, REAL),    S(loss_norm, TEXT),
                                             S(lora_r, INT),        S(lora_alpha, REAL),
                                             S(lora_rslora, BOOL),  S(lora_targets, JSON),
                                             PR_FIELDS_END};
static const pr_field_t term_fields[] = {PR_FIELD(pr_reward_term_t, "objective", HASH, objective),
                                         PR_FIELD(pr_reward_term_t, "head", HASH, head),
                                         PR_FIELD(pr_reward_term_t, "weight", REAL, weight),
                                         PR_FIELD(pr_reward_term_t, "minimize", BOOL, minimize), PR_FIELDS_END};
static const pr_field_t input_fields[] = {PR_FIELD(pr_train_inputs_t, "model", HASH, model),
                                          PR_FIELD(pr_train_inputs_t, "prompts", HASH, prompts),
                                          PR_FIELD(pr_train_inputs_t, "validation", HASH, validation),
                                          PR_FIELD(pr_train_inputs_t, "init", HASH, init),
                                          PR_FIELD(pr_train_inputs_t, "stop", JSON, stop),
                                          PR_FIELD(pr_train_inputs_t, "truncated", TEXT, truncated),
                                          PR_FIELD(pr_train_inputs_t, "sweep_seed", INT64, sweep_seed),
                                          PR_FIELD(pr_train_inputs_t, "seed", INT64, seed),
                                          PR_FIELDS_END};
static const pr_field_t how_fields[] = {
    PR_FIELD(pr_train_how_t, "streams", INT, streams), PR_FIELD(pr_train_how_t, "micro_tokens", INT, micro_tokens),
    PR_FIELD(pr_train_how_t, "checkpoint_every", INT, checkpoint_every), PR_FIELDS_END};

enum { FORMAT = 4 }; // another number when the same inputs would give another adapter

static json_t *terms_pack(const pr_reward_term_t *term, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, pr_fields_pack(term_fields, &term[i]));
    return list;
}

static pr_status_t terms_parse(const json_t *list, const char *where, pr_reward_term_t *term, int *n, pr_error_t *err)
{
    if (!json_is_array(list) || json_array_size(list) > PR_MAX_OBJECTIVES)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found no list of at most %d objectives", where, PR_MAX_OBJECTIVES);
    for (*n = 0; *n < (int)json_array_size(list); (*n)++)
        PR_TRY(pr_fields_parse(term_fields, json_array_get(list, (size_t)*n), &term[*n], where, err));
    return PR_OK;
}

json_t *pr_train_pack(const pr_train_inputs_t *in)
{
    json_t *v = pr_fields_pack(input_fields, in);
    json_object_set_new(v, "kind", json_string("train"));
    json_object_set_new(v, "format", json_integer(FORMAT));
    json_t *train = pr_fields_pack(settings_fields, &in->set);
    if (in->set.measure) // where it is not there it is no input
        json_object_set_new(train, "measure", json_true());
    if (in->set.core) {
        json_object_set(train, "core", (json_t *)(uintptr_t)in->set.core);
        json_object_set(train, "sample", (json_t *)(uintptr_t)in->set.sample);
    }
    if (in->experts)
        json_object_set(v, "experts", (json_t *)(uintptr_t)in->experts);
    json_object_set_new(v, "train", train);
    json_object_set_new(v, "reward", terms_pack(in->term, in->n_term));
    return v;
}

pr_status_t pr_train_parse(const json_t *value, pr_train_inputs_t *out, pr_error_t *err)
{
    PR_TRY(pr_fields_parse(input_fields, value, out, "train job", err));
    PR_TRY(pr_fields_parse(settings_fields, json_object_get(value, "train"), &out->set, "train job", err));
    const json_t *train = json_object_get(value, "train");
    out->set.measure = json_is_true(json_object_get(train, "measure"));
    out->set.core = json_object_get(train, "core");
    out->set.sample = json_object_get(train, "sample");
    out->experts = json_object_get(value, "experts");
    PR_TRY(terms_parse(json_object_get(value, "reward"), "train job: reward", out->term, &out->n_term, err));
    if (out->experts && json_array_size(out->experts) != (size_t)out->n_term)
        return pr_fail(err, PR_ERR_FORMAT, "train job: experts: found %zu, expected one per objective",
                       json_array_size(out->experts));
    return out->n_term > 0 ? PR_OK : pr_fail(err, PR_ERR_FORMAT, "train job: reward: found no objective");
}

json_t *pr_train_how_pack(const pr_train_how_t *how)
{
    json_t *v = pr_fields_pack(how_fields, how);
    json_object_set_new(v, "report", terms_pack(how->report, how->n_report));
    return v;
}

pr_status_t pr_train_how_parse(const json_t *value, pr_train_how_t *out, pr_error_t *err)
{
    PR_TRY(pr_fields_parse(how_fields, value, out, "how to train", err));
    return terms_parse(json_object_get(value, "report"), "how to train: report", out->report, &out->n_report, err);
}

pr_adapter_options_t pr_train_lora(const pr_train_settings_t *s, const char ***targets)
{
    int n = (int)json_array_size(s->lora_targets);
    *targets = n ? pr_alloc((size_t)n, sizeof **targets) : NULL;
    for (int i = 0; i < n; i++)
        (*targets)[i] = json_string_value(json_array_get(s->lora_targets, (size_t)i));
    return (pr_adapter_options_t){s->lora_r, s->lora_alpha, s->lora_rslora, *targets, n};
}
