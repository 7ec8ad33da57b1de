// SPDX-License-Identifier: BSD-3-Clause
/* A trial of the objectives before anything is spent on them (job.h): as an evaluation of the base model begins. */
#include "base/mem.h"
#include "jobs/decoding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sampled as the evaluation of the base model does it, the same random numbers included; one response each. */
static pr_status_t decode(pr_job_env_t *env, const pr_evaluation_task_t *task, const pr_prompt_set_t *set, int n,
                          pr_decoded_t *out, pr_error_t *err)
{
    pr_evaluation_task_t once = *task;
    pr_policy_t base = {.model = env->model, .la = env->la};
    once.samples = 1;
    return pr_evaluation_decode(env, &once, &base, NULL, false, set, 0, n, 0, &(pr_job_hooks_t){0}, out, err);
}

/* Every objective that is not to be fitted first. columns [n_objective,n] */
static pr_status_t score(pr_job_env_t *env, const pr_responses_t *r, double *columns, pr_error_t *err)
{
    for (int k = 0; k < env->n_objective; k++) {
        const json_t *entry = pr_content_objective(env->content, env->objective[k].hash);
        pr_scoring_t how = {.n = 1, .index = {k}, .truncated = "score"};
        if (!pr_objective_needs_fit(json_string_value(json_object_get(entry, "type")),
                                    json_object_get(entry, "options")))
            PR_TRY(pr_responses_score(env, &how, r, columns + k * r->n, err));
    }
    return PR_OK;
}

static json_t *sample_json(const pr_job_env_t *env, const pr_responses_t *r, const double *columns, int i)
{
    json_t *scores = json_object();
    for (int k = 0; k < env->n_objective; k++)
        json_object_set_new(scores, env->objective[k].hash, pr_json_real(columns[k * r->n + i]));
    return json_pack("{s:s, s:o, s:b, s:o}", "prompt", r->sample[i].prompt, "response",
                     json_stringn(r->said[i].text, r->said[i].len), "cut", r->cut[i], "scores", scores);
}

pr_status_t pr_job_env_try(pr_job_env_t *env, const char *task_hash, int n, json_t **out, pr_error_t *err)
{
    pr_evaluation_task_t task;
    const pr_prompt_set_t *set;
    pr_decoded_t decoded = {0};
    pr_responses_t r = {0};
    double *columns = NULL;
    pr_status_t status = PR_OK;
    PR_TRY(pr_job_env_load(env, err));
    PR_TRY(pr_evaluation_task_find(env->content, task_hash, &task, err));
    PR_TRY(pr_env_prompts(env, task.prompts, &set, err));
    n = n < set->n ? n : set->n;
    int *prompt_of = pr_alloc((size_t)n, sizeof *prompt_of);
    for (int i = 0; i < n; i++)
        prompt_of[i] = i;
    PR_GO(decode(env, &task, set, n, &decoded, err));
    PR_GO(pr_responses_make(env, set, prompt_of, &decoded, &r, err));
    columns = pr_alloc((size_t)env->n_objective * (size_t)n, sizeof *columns);
    for (int i = 0; i < env->n_objective * n; i++)
        columns[i] = NAN;
    PR_GO(score(env, &r, columns, err));
    *out = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(*out, sample_json(env, &r, columns, i));
done:
    pr_responses_clear(&r);
    pr_decoded_clear(&decoded);
    free(columns);
    free(prompt_of);
    return status;
}
