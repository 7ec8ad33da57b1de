/* Mixes that merge, within jobs: the experts' Gram matrices, made when first needed and kept with the expert, and the
 * point's adapter. Memory: an expert's matrices are the sum over the layers of (2 d^2 + q^2 + ff^2) doubles, of the
 * maps that are adapted; the team's ranks share them. */
#include "base/mem.h"
#include "jobs/artifact.h"
#include "jobs/env.h"
#include "jobs/identity.h"
#include "jobs/mix_keys.h"

#include <assert.h>
#include <stdlib.h>

static bool same_wish(const pr_mix_grams_t *a, const pr_mix_grams_t *b)
{
    return a->prompts == b->prompts && a->off_diagonal == b->off_diagonal && a->ridge == b->ridge;
}

/* A function of the expert, the mix's options and the configuration, not of the point. */
static pr_status_t make_grams(pr_job_env_t *env, const pr_mix_t *mix, const pr_mix_grams_t *wish, pr_cached_expert_t *e,
                              const bool *need, const pr_job_hooks_t *hooks, pr_error_t *err)
{
    const pr_config_t *c = env->config;
    pr_decode_watch_t watch = {&env->stops, hooks};
    pr_gram_options_t o = {.n_prompt = wish->prompts < env->train.n ? wish->prompts : env->train.n,
                           .prompt_start = env->train.start,
                           .prompt_ids = env->train.ids,
                           .max_new_tokens = c->evaluate.max_new_tokens,
                           .streams = c->evaluate.streams,
                           .stop = pr_watch_stop,
                           .cancel = pr_watch_cancel,
                           .self = &watch,
                           .off_diagonal = wish->off_diagonal,
                           .ridge = wish->ridge};
    if (e->grams && same_wish(&e->wish, wish) && pr_grams_have(e->grams, need))
        return PR_OK;
    if (o.n_prompt < 1)
        return pr_fail(err, PR_ERR_CONFIG, "%s: prompts.train: missing; %s merges by what maps read on them", c->path,
                       mix->name);
    pr_grams_free(&e->grams);
    e->wish = *wish;
    return pr_grams_new(env->model, env->team, e->adapter, need, &o, &e->grams, err);
}

pr_status_t pr_env_merge(pr_job_env_t *env, const pr_mix_t *mix, const json_t *options, int n, const int *objective,
                         const double *w, const pr_job_hooks_t *hooks, pr_adapter_t **out, pr_error_t *err)
{
    const pr_adapter_t *expert[PR_MAX_OBJECTIVES];
    const pr_grams_t *grams[PR_MAX_OBJECTIVES] = {NULL};
    bool *need = pr_alloc((size_t)env->model->config.n_layer * PR_N_GROUP, sizeof *need);
    pr_mix_grams_t wish;
    pr_status_t status = PR_OK;
    assert(mix->merge);
    // Matrices of one process alone would differ between the rows, and so would what they say.
    if (mix->grams && env->team->rows > 1 && env->team->dense == pr_dense_local())
        PR_GO(pr_fail(err, PR_ERR_UNSUPPORTED, "%s: a team of %d rows has no matrices that they share", mix->name,
                      env->team->rows));
    for (int k = 0; k < n; k++) {
        expert[k] = env->expert[objective[k]].adapter;
        pr_gram_groups(expert[k], need);
    }
    if (mix->grams)
        mix->grams(options, &wish);
    for (int k = 0; mix->grams && k < n && n > 1; k++) { // one alone is itself
        PR_GO(make_grams(env, mix, &wish, &env->expert[objective[k]], need, hooks, err));
        grams[k] = env->expert[objective[k]].grams;
    }
    pr_mix_parts_t parts = {env->team, &env->model->config, n, expert, w, grams};
    status = mix->merge(options, &parts, out, err);
done:
    free(need);
    return status;
}

// Keeps an objective's expert as it is now.
static pr_status_t read_expert(pr_job_env_t *env, int objective, int64_t seed, pr_error_t *err)
{
    char hash[PR_HASH_HEX], *dir = pr_expert_dir(env->config, env->config->results, objective, seed);
    const pr_adapter_t *expert;
    pr_status_t status = pr_artifact_adapter_hash(dir, hash, err);
    free(dir);
    return status == PR_OK ? pr_env_expert(env, objective, seed, hash, &expert, err) : status;
}

pr_status_t pr_job_merge(pr_job_env_t *env, const char *mix, int64_t seed, const double *w, pr_adapter_t **out,
                         pr_error_t *err)
{
    static const pr_job_hooks_t none = {NULL, NULL, NULL};
    int n = 0, objective[PR_MAX_OBJECTIVES];
    double active[PR_MAX_OBJECTIVES];
    const pr_mix_t *found;
    json_t *options = NULL;
    PR_TRY(pr_env_load_files(env, err));
    for (int k = 0; k < env->config->n_objectives; k++) {
        if (w[k] == 0)
            continue;
        PR_TRY(env->team->agree(env->team, read_expert(env, k, seed, err), err));
        objective[n] = k;
        active[n++] = w[k];
    }
    if (n == 0)
        return pr_fail(err, PR_ERR_CONFIG, "weights: found only 0, expected at least one above it");
    PR_TRY(pr_mix_of_config(env->config, mix, -1, false, &found, &options, err));
    pr_status_t status = pr_env_merge(env, found, options, n, objective, active, &none, out, err);
    json_decref(options);
    return status;
}
