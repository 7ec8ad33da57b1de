/* The fit of a linear reward head, as a function and as a job. */
#include "jobs/fit_reward.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/mem.h"
#include "jobs/env.h"
#include "jobs/fields.h"
#include "jobs/kind.h"
#include "jobs/reward_features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the fit ---- */

/* One fit on its way. */
typedef struct fitting {
    const pr_fit_input_t *in;
    pr_reward_data_t *data;
    pr_reward_set_t fit, measure;
    double *w; // [d]
    double b;
    pr_fit_stats_t stats;
    pr_fit_figures_t figures; // of the samples held out
} fitting_t;

/* Data that leave nothing to fit on. */
static pr_status_t check_counts(const fitting_t *f, pr_error_t *err)
{
    int held_out = 0;
    for (int i = 0; i < f->data->n; i++)
        held_out += pr_reward_data_held_out(f->data, i, f->in->holdout);
    if (held_out == f->data->n)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %d samples, all of them held out; expected more, or holdout = 0",
                       f->in->data, f->data->n);
    return PR_OK;
}

static pr_status_t fit_load(fitting_t *f, pr_error_t *err)
{
    const pr_team_t *team = f->in->team;
    pr_status_t status = pr_reward_data_load(f->in->data, &f->data, err);
    if (status == PR_OK)
        status = check_counts(f, err);
    PR_TRY(team->agree(team, status, err));
    PR_TRY(pr_reward_set_open(f->in, f->data, false, true, &f->fit, err));
    return pr_reward_set_open(f->in, f->data, true, false, &f->measure, err);
}

/* The weights as the file will hold them: what is measured is what will score. */
static pr_status_t round_weights(fitting_t *f, pr_linear_head_t *head, pr_error_t *err)
{
    head->bias = (float)f->b;
    bool finite = isfinite(head->bias);
    for (int j = 0; j < head->d; j++) {
        head->weight[j] = (float)f->w[j];
        finite = finite && isfinite(head->weight[j]);
        f->w[j] = (double)head->weight[j];
    }
    f->b = (double)head->bias;
    return finite ? PR_OK : pr_fail(err, PR_ERR_NUMERIC, "a weight of the head is not finite; set a larger ridge");
}

static pr_status_t solve(fitting_t *f, pr_linear_head_t *head, pr_error_t *err)
{
    const pr_team_t *team = f->in->team;
    bool pairs = f->data->pairs;
    PR_TRY(pairs ? pr_fit_pairs(team, &f->fit.features, f->fit.y, f->in->ridge, f->w, &f->stats, err)
                 : pr_fit_labels(team, &f->fit.features, f->fit.y, f->in->ridge, f->w, &f->b, &f->stats, err));
    PR_TRY(round_weights(f, head, err));
    return pairs ? pr_check_pairs(team, &f->measure.features, f->measure.y, f->w, &f->figures, err)
                 : pr_check_labels(team, &f->measure.features, f->measure.y, f->data->binary, f->w, f->b, &f->figures,
                                   err);
}

static json_t *figures_of(const fitting_t *f)
{
    bool pairs = f->data->pairs;
    json_t *v =
        json_pack("{s:s, s:i, s:I, s:I, s:o, s:o, s:o, s:i, s:o}", "kind", pairs ? "pairs" : "labels", "samples",
                  f->data->n, "fitted", (json_int_t)f->stats.n, "held_out", (json_int_t)f->figures.n, "holdout",
                  pr_json_real(f->in->holdout), "ridge", pr_json_real(f->in->ridge), "rcond",
                  pr_json_real(f->stats.rcond), "steps", f->stats.steps, "train_loss", pr_json_real(f->stats.loss));
    if (pairs) {
        json_object_set_new(v, "held_out_loss", pr_json_real(f->figures.loss));
    } else {
        json_object_set_new(v, "held_out_rmse", pr_json_real(f->figures.rmse));
        json_object_set_new(v, "held_out_r2", pr_json_real(f->figures.r2));
    }
    if (pairs || f->data->binary) {
        json_object_set_new(v, "held_out_accuracy", pr_json_real(f->figures.accuracy));
        json_object_set_new(v, "held_out_base_rate", pr_json_real(f->figures.base_rate));
    }
    return v;
}

/* How the head's texts are made, and what it was fitted on: a function of the inputs alone, as the file is identified
 * by its content. */
static pr_status_t describe(const fitting_t *f, const json_t *figures, pr_linear_head_t *head, pr_error_t *err)
{
    char data[PR_HASH_HEX];
    PR_TRY(pr_hash_file(f->in->data, data, err));
    json_t *about = json_deep_copy(figures);
    json_object_set_new(about, "data", json_string(data));
    if (f->in->model_hash)
        json_object_set_new(about, "model", json_string(f->in->model_hash));
    char *text = pr_json_canonical(about);
    head->metadata = pr_templated_metadata(&f->in->text);
    json_object_set_new(head->metadata, "kind", json_string(f->data->pairs ? "pairs" : "labels"));
    json_object_set_new(head->metadata, "about", json_string(text));
    free(text);
    json_decref(about);
    return PR_OK;
}

static int64_t tokens_of(const fitting_t *f)
{
    double tokens = (double)(f->fit.tokens + f->measure.tokens);
    f->in->team->sum_rows(f->in->team, &tokens, 1);
    return (int64_t)tokens;
}

pr_status_t pr_fit_reward(const pr_fit_input_t *in, pr_fit_output_t *out, pr_error_t *err)
{
    fitting_t f = {.in = in};
    size_t d = (size_t)in->model->config.d_model;
    pr_status_t status;
    *out = (pr_fit_output_t){.head = pr_alloc(1, sizeof *out->head)};
    out->head->d = (int)d;
    out->head->weight = pr_alloc(d, sizeof *out->head->weight);
    f.w = pr_alloc(d, sizeof *f.w);
    PR_GO(fit_load(&f, err));
    PR_GO(solve(&f, out->head, err));
    out->tokens = tokens_of(&f);
    out->figures = figures_of(&f);
    status = describe(&f, out->figures, out->head, err);
    PR_GO(in->team->agree(in->team, status, err));
done:
    pr_reward_set_clear(&f.fit);
    pr_reward_set_clear(&f.measure);
    pr_reward_data_free(&f.data);
    free(f.w);
    if (status != PR_OK)
        pr_fit_output_clear(out);
    return status;
}

void pr_fit_output_clear(pr_fit_output_t *out)
{
    pr_linear_head_free(&out->head);
    json_decref(out->figures);
    *out = (pr_fit_output_t){0};
}

/* ---- the job ---- */

#define I(key, kind)                                                                                                   \
    {                                                                                                                  \
#key, PR_FIELD_##kind, offsetof(pr_fit_inputs_t, key)                                                          \
    }
static const pr_field_t input_fields[] = {I(model, HASH), I(type, TEXT), I(fit, JSON), {NULL, PR_FIELD_INT, 0}};

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

static bool is_result(const json_t *result)
{
    return json_is_object(json_object_get(result, "fit"));
}

const pr_job_kind_t pr_job_fit_reward = {.name = "fit_reward",
                                         .doing = "fitting heads",
                                         .artifact = PR_ARTIFACT_HEAD,
                                         .run = fit_run,
                                         .is_result = is_result};
