// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/fit_reward.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "jobs/env.h"
#include "jobs/kind.h"
#include "reward/head.h"

#include <stdlib.h>
#include <string.h>

#define I(key, kind) PR_FIELD(pr_fit_inputs_t, #key, kind, key)
static const pr_field_t input_fields[] = {I(model, HASH), I(type, TEXT), I(fit, JSON), PR_FIELDS_END};

enum { FORMAT = 3 }; // another number when the same inputs would give another head

json_t *pr_fit_inputs_pack(const pr_fit_inputs_t *in)
{
    json_t *v = pr_fields_pack(input_fields, in);
    json_object_set_new(v, "kind", json_string("fit_reward"));
    json_object_set_new(v, "format", json_integer(FORMAT));
    return v;
}

pr_status_t pr_fit_inputs_parse(const json_t *value, pr_fit_inputs_t *out, pr_error_t *err)
{
    return pr_fields_parse(input_fields, value, out, "fit_reward job", err);
}

json_t *pr_fit_part(const json_t *identity)
{
    json_t *fit = json_deep_copy(json_object_get(identity, "options"));
    json_object_del(fit, "transform");
    return fit;
}

/* The leader writes; all learn the file's hash. */
static pr_status_t fit_save(pr_job_env_t *env, const char *id, const pr_linear_head_t *head, char hash[PR_HASH_HEX],
                            pr_error_t *err)
{
    const pr_team_t *team = env->team;
    char *path = pr_artifact_path(pr_content_results(env->content), pr_job_fit_reward.artifact, id),
         *dir = pr_path_dir(path);
    pr_status_t status = PR_OK;
    if (pr_team_is_leader(team)) {
        status = pr_mkdirs(dir, err);
        if (status == PR_OK)
            status = pr_linear_head_write(path, head, err);
        if (status == PR_OK)
            status = pr_hash_file(path, hash, err);
    }
    free(path);
    free(dir);
    PR_TRY(team->agree(team, status, err));
    team->broadcast(team, hash, PR_HASH_HEX);
    return PR_OK;
}

/* How the objective is opened that the head is for: of several, whichever rank 0 named, as they would have the same. */
static pr_status_t objective_of(const pr_job_env_t *env, const pr_job_t *job, const pr_fit_inputs_t *in,
                                const json_t **out, pr_error_t *err)
{
    const char *hash = json_string_value(json_object_get(job->how, "objective"));
    *out = hash ? pr_content_objective(env->content, hash) : NULL;
    json_t *fit = pr_fit_part(json_object_get(*out, "identity"));
    bool same = *out && json_equal(fit, in->fit);
    json_decref(fit);
    return same ? PR_OK
                : pr_fail(err, PR_ERR_CONFIG, "%s: the objective that the job names is not the one of its inputs",
                          job->label);
}

static pr_status_t fit_run(pr_job_env_t *env, const pr_job_t *job, const pr_job_hooks_t *hooks, json_t **result,
                           pr_error_t *err)
{
    double begin = pr_time_monotonic();
    char hash[PR_HASH_HEX] = "", *data = NULL;
    const json_t *objective, *options;
    pr_fit_inputs_t inputs;
    pr_fit_input_t in = {.team = env->team,
                         .model = env->model,
                         .tokenizer = env->tokenizer,
                         .cancel = hooks->cancel,
                         .self = hooks->self};
    pr_fit_output_t out = {0};
    PR_TRY(pr_fit_inputs_parse(job->inputs, &inputs, err)); // the same on every rank
    PR_TRY(pr_env_check_model(env, inputs.model, err));
    PR_TRY(objective_of(env, job, &inputs, &objective, err));
    options = json_object_get(objective, "options");
    in.ridge = json_number_value(json_object_get(options, "ridge"));
    in.holdout = json_number_value(json_object_get(options, "holdout"));
    in.batch_tokens = (size_t)json_integer_value(json_object_get(options, "batch_tokens"));
    in.model_hash = inputs.model;
    pr_status_t status =
        pr_templated_read(options, NULL, json_string_value(json_object_get(objective, "name")), &in.text, err);
    PR_GO(env->team->agree(env->team, status, err));
    data = pr_path_join(json_string_value(json_object_get(objective, "dir")),
                        json_string_value(json_object_get(options, "data")));
    in.data = data;
    PR_GO(pr_fit_reward(&in, &out, err));
    PR_GO(fit_save(env, job->id, out.head, hash, err));
    *result = json_pack("{s:s, s:O, s:I, s:o}", "artifact", hash, "fit", out.figures, "tokens", (json_int_t)out.tokens,
                        "seconds", pr_json_real(pr_time_monotonic() - begin));
done:
    pr_fit_output_clear(&out);
    pr_templated_clear(&in.text);
    free(data);
    return status;
}

/* The differences of its pairs in float, a matrix of d x d in double, a batch. */
static pr_status_t fit_memory(const json_t *inputs, const json_t *how, const pr_job_sizes_t *sizes,
                              pr_job_memory_t *out, pr_error_t *err)
{
    const char *objective = json_string_value(json_object_get(how, "objective"));
    const pr_samples_size_t *samples;
    pr_fit_inputs_t in;
    PR_TRY(pr_fit_inputs_parse(inputs, &in, err));
    PR_TRY(pr_sizes_samples(sizes, objective ? objective : "", &samples, err));
    double d = sizes->model->d_model, pairs = samples->pairs ? samples->n - samples->held_out : 0;
    out->work = 4 * pairs * d + 8 * d * d + 2048 * 12 * d;
    return PR_OK;
}

static bool is_result(const json_t *result)
{
    return json_is_object(json_object_get(result, "fit"));
}

const pr_job_kind_t pr_job_fit_reward = {.name = "fit_reward",
                                         .doing = "fitting heads",
                                         .artifact = PR_ARTIFACT_HEAD,
                                         .run = fit_run,
                                         .memory = fit_memory,
                                         .is_result = is_result};
