// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/merge.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A function of the adapter and the inputs, not of the point. */
static pr_status_t make_grams(pr_job_env_t *env, const pr_policy_spec_t *spec, pr_cached_adapter_t *a,
                              const pr_merge_inputs_t *in, const bool *need, const pr_job_hooks_t *hooks,
                              pr_error_t *err)
{
    pr_mix_grams_t how;
    const pr_prompt_set_t *set;
    pr_decode_watch_t watch = {&env->stops, hooks};
    char by[PR_HASH_HEX];
    spec->mix->grams(spec->options, &how);
    json_t *wish =
        json_pack("{s:s, s:i, s:i, s:o, s:o}", "corpus", in->corpus, "tokens", in->max_new_tokens, "prompts",
                  how.prompts, "off_diagonal", pr_json_real(how.off_diagonal), "ridge", pr_json_real(how.ridge));
    pr_json_hash(wish, by);
    json_decref(wish);
    if (a->grams && strcmp(a->grams_of, by) == 0 && pr_grams_have(a->grams, need))
        return PR_OK;
    if (!in->corpus[0])
        return pr_fail(err, PR_ERR_CONFIG, "prompts.train: missing; %s merges by what maps read on them",
                       spec->mix->name);
    PR_TRY(pr_env_prompts(env, in->corpus, &set, err));
    pr_gram_options_t o = {.n_prompt = how.prompts < set->n ? how.prompts : set->n,
                           .prompt_start = set->start,
                           .prompt_ids = set->ids,
                           .max_new_tokens = in->max_new_tokens,
                           .streams = in->streams,
                           .stop = pr_watch_stop,
                           .cancel = pr_watch_cancel,
                           .self = &watch,
                           .off_diagonal = how.off_diagonal,
                           .ridge = how.ridge};
    pr_grams_free(&a->grams);
    memcpy(a->grams_of, by, sizeof by);
    return pr_grams_new(env->model, env->team, a->adapter, need, &o, &a->grams, err);
}

pr_status_t pr_env_parts(pr_job_env_t *env, const pr_policy_spec_t *spec, pr_cached_adapter_t *const *part,
                         const pr_merge_inputs_t *in, const pr_job_hooks_t *hooks, pr_merge_parts_t *out,
                         pr_error_t *err)
{
    int blocks = pr_policy_blocks(spec);
    bool *need = pr_alloc((size_t)env->model->config.n_layer * PR_N_GROUP, sizeof *need);
    pr_status_t status = PR_OK;
    *out = (pr_merge_parts_t){.parts = {.team = env->team, .model = &env->model->config, .n = spec->n}};
    out->parts.adapter = out->adapter;
    out->parts.grams = out->grams;
    out->parts.w = out->w;
    out->parts.blocks = blocks;
    // Matrices of one process alone would differ between the rows, and so would what they say.
    if (spec->mix->grams && env->team->rows > 1 && env->team->dense == pr_dense_local())
        PR_GO(pr_fail(err, PR_ERR_UNSUPPORTED, "%s: a team of %d rows has no matrices that they share", spec->mix->name,
                      env->team->rows));
    for (int k = 0; k < spec->n; k++) {
        out->adapter[k] = part[k]->adapter;
        memcpy(out->w + k * blocks, spec->part[k].coefficient, (size_t)blocks * sizeof *out->w);
        pr_gram_groups(out->adapter[k], need);
    }
    for (int k = 0; k < spec->n && spec->n > 1 && spec->mix->grams; k++) { // one alone is itself
        PR_GO(make_grams(env, spec, part[k], in, need, hooks, err));
        out->grams[k] = part[k]->grams;
    }
done:
    free(need);
    return status;
}
