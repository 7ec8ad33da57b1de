// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/merge.h"
#include "base/file.h"
#include "jobs/artifact.h"
#include "jobs/merge.h"
#include "store/layout.h"
#include "sweeps/inputs.h"

#include <stdlib.h>
#include <string.h>

/* The parts at w: the adapters that the links for people lead to, or that objectives bring. */
static pr_status_t find_parts(const pr_inputs_t *in, int64_t seed, const double *w, pr_policy_spec_t *spec,
                              pr_error_t *err)
{
    const pr_config_t *c = in->config;
    for (int k = 0; k < c->n_objectives; k++) {
        char hash[PR_HASH_HEX], *dir;
        if (w[k] == 0)
            continue;
        dir = pr_sweep_expert_dir(c, c->results, k, seed);
        pr_status_t status = pr_artifact_adapter_hash(dir, hash, err);
        if (status == PR_OK) {
            pr_content_add_path(in->content, PR_CONTENT_ADAPTER, hash, dir);
            pr_policy_add(spec, false, hash, w[k]);
        }
        free(dir);
        PR_TRY(status);
    }
    return spec->n > 0 ? PR_OK : pr_fail(err, PR_ERR_CONFIG, "weights: found only 0, expected at least one above it");
}

/* The adapter of a policy whose parts are all given: in their own right, or by find_parts and find_trained. */
static pr_status_t merge_parts(const pr_inputs_t *in, const pr_policy_spec_t *spec, pr_adapter_t **out, pr_error_t *err)
{
    static const pr_job_hooks_t none = {NULL, NULL, NULL};
    pr_cached_adapter_t *part[PR_MAX_PARTS];
    pr_job_env_t *env = pr_job_env_new(in->content, pr_team_local());
    pr_merge_inputs_t m = {in->train, in->config->evaluate.max_new_tokens, in->config->evaluate.streams};
    pr_status_t status;
    PR_GO(pr_env_load_files(env, err));
    for (int i = 0; i < spec->n; i++)
        PR_GO(pr_env_adapter(env, NULL, spec->part[i].job, spec->part[i].source, spec->n, &none, &part[i], err));
    status = pr_env_merge(env, spec, part, &m, &none, out, err);
done:
    pr_job_env_free(&env);
    return status;
}

pr_status_t pr_sweep_merge(const pr_config_t *c, const pr_mix_t *mix, int64_t seed, const double *w, pr_adapter_t **out,
                           pr_error_t *err)
{
    pr_inputs_t in;
    pr_policy_spec_t spec = {.mix = mix};
    pr_status_t status = pr_inputs_read(c, &in, err);
    if (status != PR_OK)
        goto done;
    PR_GO(pr_sweep_mix_options(c, mix, &spec.options, err));
    PR_GO(find_parts(&in, seed, w, &spec, err));
    status = merge_parts(&in, &spec, out, err);
done:
    pr_policy_spec_clear(&spec);
    pr_inputs_clear(&in);
    return status;
}

/* ---- what a search evaluates ---- */

/* Who asks which job makes an adapter. */
typedef struct trainer {
    const pr_inputs_t *in;
    const pr_finetune_config_t *set;
    int64_t seed;
} trainer_t;

static pr_status_t name_training(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX], pr_error_t *err)
{
    const trainer_t *t = self;
    json_t *inputs = pr_inputs_train(t->in, t->set, wish, t->seed);
    (void)err;
    pr_json_hash(inputs, id);
    json_decref(inputs);
    return PR_OK;
}

/* What a training left, if it is what its job wrote, in the place of the job. */
static pr_status_t find_trained(const pr_inputs_t *in, pr_policy_part_t *part, pr_error_t *err)
{
    char *dir = pr_artifact_path(in->config->results, PR_ARTIFACT_ADAPTER, part->source);
    pr_status_t status = pr_dir_exists(dir)
                             ? pr_artifact_adapter_hash(dir, part->source, err)
                             : pr_fail(err, PR_ERR_NOT_FOUND,
                                       "%s: missing; the sweep has trained nothing for these weights (it has for the "
                                       "points in cells.csv)",
                                       dir);
    if (status == PR_OK) {
        pr_content_add_path(in->content, PR_CONTENT_ADAPTER, part->source, dir);
        part->job = false;
    }
    free(dir);
    return status;
}

/* By concatenating their ranks: the mix is a weighted sum, or there is but one part. */
static pr_status_t sum_parts(const pr_inputs_t *in, const pr_policy_spec_t *spec, pr_adapter_t **out, pr_error_t *err)
{
    pr_model_config_t model;
    pr_adapter_t *adapter[PR_MAX_PARTS] = {NULL}, *by_blocks[PR_MAX_PARTS] = {NULL};
    const pr_adapter_t *used[PR_MAX_PARTS];
    double w[PR_MAX_PARTS];
    const char *dir;
    PR_TRY(pr_model_config_read(in->config->model, &model, err));
    pr_status_t status = PR_OK;
    for (int i = 0; i < spec->n; i++) {
        PR_GO(pr_content_path(in->content, PR_CONTENT_ADAPTER, spec->part[i].source, &dir, err));
        PR_GO(pr_adapter_read(dir, &model, &adapter[i], err));
        used[i] = adapter[i];
        w[i] = spec->part[i].coefficient[0];
        if (pr_policy_blocks(spec) > 1) {
            used[i] = by_blocks[i] = pr_adapter_by_blocks(adapter[i], spec->blocks, spec->part[i].coefficient);
            w[i] = 1;
        }
    }
    status = pr_adapter_concat(used, w, spec->n, &model, out, err);
done:
    for (int i = 0; i < spec->n; i++) {
        pr_adapter_free(&adapter[i]);
        pr_adapter_free(&by_blocks[i]);
    }
    pr_model_config_clear(&model);
    return status;
}

static pr_status_t search_policy(const pr_inputs_t *in, int search, int64_t seed, const double *w,
                                 pr_policy_spec_t *out, pr_error_t *err)
{
    const pr_sweep_policy_t *p = &in->policy[search];
    trainer_t trainer = {in, p->set, seed};
    if (pr_domain_is_product(&p->domain))
        return pr_fail(err, PR_ERR_USAGE,
                       "search \"%s\": found weights, but a point of it has %d rows of them and %d "
                       "parameters",
                       in->config->search[search].name, p->domain.rows, p->domain.n_axes);
    pr_choice_t at = {.k = p->domain.k, .rows = 1, .w = w};
    PR_TRY(pr_sweep_policy_at(in, p, &at, name_training, &trainer, out, err));
    if (out->n == 0)
        return pr_fail(err, PR_ERR_CONFIG, "weights: found those of the base model, which is no adapter");
    if (!out->mix->one_adapter)
        return pr_fail(err, PR_ERR_USAGE, "search \"%s\": a policy of %s is not one adapter; see paretorank help mixes",
                       in->config->search[search].name, out->mix->name);
    for (int i = 0; i < out->n; i++)
        if (out->part[i].job)
            PR_TRY(find_trained(in, &out->part[i], err));
    return PR_OK;
}

pr_status_t pr_sweep_search_adapter(const pr_config_t *c, int search, int64_t seed, const double *w, pr_adapter_t **out,
                                    int *n_parts, pr_error_t *err)
{
    pr_inputs_t in;
    pr_policy_spec_t spec = {0};
    pr_status_t status = pr_inputs_read(c, &in, err);
    if (status != PR_OK)
        goto done;
    PR_GO(search_policy(&in, search, seed, w, &spec, err));
    *n_parts = spec.n;
    status = spec.mix->merge ? merge_parts(&in, &spec, out, err) : sum_parts(&in, &spec, out, err);
done:
    pr_policy_spec_clear(&spec);
    pr_inputs_clear(&in);
    return status;
}
