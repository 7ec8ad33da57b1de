// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/merge.h"
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

pr_status_t pr_sweep_merge(const pr_config_t *c, const pr_mix_t *mix, int64_t seed, const double *w, pr_adapter_t **out,
                           pr_error_t *err)
{
    static const pr_job_hooks_t none = {NULL, NULL, NULL};
    pr_inputs_t in;
    pr_policy_spec_t spec = {.mix = mix};
    pr_cached_adapter_t *part[PR_MAX_PARTS];
    pr_job_env_t *env = NULL;
    pr_status_t status = pr_inputs_read(c, &in, err);
    if (status != PR_OK)
        goto done;
    PR_GO(pr_sweep_mix_options(c, mix, &spec.options, err));
    PR_GO(find_parts(&in, seed, w, &spec, err));
    env = pr_job_env_new(in.content, pr_team_local());
    PR_GO(pr_env_load_files(env, err));
    for (int i = 0; i < spec.n; i++)
        PR_GO(pr_env_adapter(env, NULL, spec.part[i].job, spec.part[i].source, spec.n, &none, &part[i], err));
    pr_merge_inputs_t m = {in.train, c->evaluate.max_new_tokens, c->evaluate.streams};
    status = pr_env_merge(env, &spec, part, &m, &none, out, err);
done:
    pr_job_env_free(&env);
    pr_policy_spec_clear(&spec);
    pr_inputs_clear(&in);
    return status;
}
