#include "sweeps/merge.h"
#include "jobs/artifact.h"
#include "jobs/merge.h"
#include "store/layout.h"
#include "sweeps/inputs.h"

#include <stdlib.h>
#include <string.h>

/* The parts at w, and what the jobs that made them left: job -> hash. */
static pr_status_t find_parts(const pr_inputs_t *in, int64_t seed, const double *w, pr_policy_spec_t *spec,
                              json_t *made, pr_error_t *err)
{
    const pr_config_t *c = in->config;
    for (int k = 0; k < c->n_objectives; k++) {
        pr_training_wish_t wish = {.w = {0}};
        char id[PR_HASH_HEX], hash[PR_HASH_HEX];
        if (w[k] == 0)
            continue;
        if (in->given[k]) {
            pr_policy_add(spec, false, in->given[k], w[k]);
            continue;
        }
        wish.w[k] = 1;
        json_t *inputs = pr_inputs_train(in, &c->finetune, &wish, seed);
        pr_json_hash(inputs, id);
        json_decref(inputs);
        char *dir = pr_artifact_path(c->results, PR_ARTIFACT_ADAPTER, id);
        pr_status_t status = pr_artifact_adapter_hash(dir, hash, err);
        free(dir);
        PR_TRY(status);
        json_object_set_new(made, id, json_string(hash));
        pr_policy_add(spec, true, id, w[k]);
    }
    return spec->n > 0 ? PR_OK : pr_fail(err, PR_ERR_CONFIG, "weights: found only 0, expected at least one above it");
}

pr_status_t pr_sweep_merge(const pr_config_t *c, const pr_mix_t *mix, int64_t seed, const double *w, pr_adapter_t **out,
                           pr_error_t *err)
{
    static const pr_job_hooks_t none = {NULL, NULL, NULL};
    pr_inputs_t in;
    pr_policy_spec_t spec = {.mix = mix};
    pr_cached_adapter_t *part[PR_MAX_PARTS];
    json_t *made = json_object();
    pr_job_env_t *env = NULL;
    pr_status_t status = pr_inputs_read(c, &in, err);
    if (status != PR_OK)
        goto done;
    PR_GO(pr_sweep_mix_options(c, mix, &spec.options, err));
    PR_GO(find_parts(&in, seed, w, &spec, made, err));
    env = pr_job_env_new(in.content, pr_team_local());
    PR_GO(pr_env_load_files(env, err));
    pr_job_t job = {.made = made};
    for (int i = 0; i < spec.n; i++)
        PR_GO(pr_env_adapter(env, &job, spec.part[i].job, spec.part[i].source, spec.n, &none, &part[i], err));
    pr_merge_inputs_t m = {in.train, c->evaluate.max_new_tokens, c->evaluate.streams};
    status = pr_env_merge(env, &spec, part, &m, &none, out, err);
done:
    pr_job_env_free(&env);
    pr_policy_spec_clear(&spec);
    json_decref(made);
    pr_inputs_clear(&in);
    return status;
}
