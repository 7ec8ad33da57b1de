// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/decoding.h"
#include "base/mem.h"
#include "objective/last_state.h"

#include <stdlib.h>

pr_status_t pr_evaluation_task_find(const pr_content_t *content, const char *hash, pr_evaluation_task_t *out,
                                    pr_error_t *err)
{
    const json_t *task = pr_content_value(content, hash);
    if (!task)
        return pr_fail(err, PR_ERR_CONFIG, "the job names a task of hash %s, which this run does not have", hash);
    return pr_evaluation_task_parse(task, out, err);
}

pr_status_t pr_evaluation_decode(pr_job_env_t *env, const pr_evaluation_task_t *v, const pr_policy_t *policy,
                                 const double *w, bool paired, const pr_prompt_set_t *set, int first, int count,
                                 int streams, const pr_job_hooks_t *hooks, pr_decoded_t *out, pr_error_t *err)
{
    pr_decode_watch_t watch = {&env->stops, hooks};
    int *start = pr_alloc((size_t)count + 1, sizeof *start);
    uint64_t *who = pr_alloc((size_t)count, sizeof *who);
    for (int i = 0; i <= count; i++)
        start[i] = set->start[first + i] - set->start[first];
    for (int i = 0; i < count; i++)
        who[i] = (uint64_t)(first + i);
    pr_decode_options_t o = {.sampling = {v->greedy, v->temperature, v->top_p},
                             .paired = paired,
                             .samples = v->greedy ? 1 : v->samples,
                             .max_new_tokens = v->max_new_tokens,
                             .streams = streams,
                             .key = pr_rng_key((uint64_t)v->sweep_seed, "evaluate", ""),
                             .prompt_id = who,
                             .stop = pr_watch_stop,
                             .cancel = pr_watch_cancel,
                             .self = &watch};
    pr_status_t status = pr_decode_team(env->team, policy, policy->n_expert ? w : NULL, count, start,
                                        set->ids + set->start[first], &o, out, err);
    free(start);
    free(who);
    return status;
}

pr_status_t pr_env_prompt_states(pr_job_env_t *env, const pr_prompt_set_t *set, int first, int count, double *state,
                                 pr_error_t *err)
{
    enum { BATCH_TOKENS = 2048 };
    pr_packed_t p = {0};
    pr_run_t *run = NULL;
    size_t d = (size_t)env->model->config.d_model;
    float *h = NULL;
    pr_status_t status = PR_OK;
    for (int i = first; i < first + count; i++)
        pr_packed_add(&p, set->ids + set->start[i], (size_t)(set->start[i + 1] - set->start[i]));
    PR_GO(env->team->agree(env->team, pr_run_new(env->model, env->la, false, &run, err), err));
    for (size_t at = 0, end; at < p.n; at = end) {
        end = pr_packed_batch_end(&p, at, BATCH_TOKENS);
        h = pr_realloc(h, (end - at) * d, sizeof *h);
        status = pr_last_states(env->model, env->la, run, &p, at, end, h, err);
        PR_GO(env->team->agree(env->team, status, err));
        for (size_t i = 0; i < (end - at) * d; i++)
            state[at * d + i] = (double)h[i];
    }
done:
    free(h);
    pr_run_free(&run);
    pr_packed_free(&p);
    return status;
}
