// SPDX-License-Identifier: BSD-3-Clause
/* The one adapter that a taken policy is. */
#include "family/family.h"
#include "jobs/merge.h"
#include "sweeps/inputs.h"
#include "sweeps/take.h"

bool pr_taken_is_one_adapter(const pr_taken_t *t)
{
    return t->spec.mix->one_adapter ||
           (t->spec.n == 1 && pr_policy_blocks(&t->spec) == 1 && t->spec.part[0].coefficient[0] == 1);
}

/* As evaluations make it. */
static pr_status_t merge_parts(const pr_config_t *c, const pr_taken_t *t, pr_adapter_t **out, pr_error_t *err)
{
    static const pr_job_hooks_t none = {NULL, NULL, NULL};
    pr_cached_adapter_t *part[PR_MAX_PARTS];
    pr_inputs_t in;
    pr_job_env_t *env = NULL;
    pr_status_t status = pr_inputs_read(c, &in, err);
    if (status != PR_OK)
        goto done;
    for (int i = 0; i < t->spec.n; i++)
        pr_content_add_path(in.content, PR_CONTENT_ADAPTER, t->spec.part[i].source, t->part[i].dir);
    env = pr_job_env_new(in.content, pr_team_local());
    pr_merge_inputs_t m = {in.train, c->evaluate.max_new_tokens, c->evaluate.streams};
    PR_GO(pr_env_load_files(env, err));
    for (int i = 0; i < t->spec.n; i++)
        PR_GO(pr_env_adapter(env, NULL, false, t->spec.part[i].source, t->spec.n, &none, &part[i], err));
    status = pr_env_merge(env, &t->spec, part, &m, &none, out, err);
done:
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    return status;
}

/* By concatenating their ranks: the mix is a weighted sum, or there is but one part. */
static pr_status_t sum_parts(const pr_taken_t *t, const pr_model_config_t *model, pr_adapter_t **out, pr_error_t *err)
{
    pr_adapter_t *adapter[PR_MAX_PARTS] = {NULL}, *by_blocks[PR_MAX_PARTS] = {NULL};
    const pr_adapter_t *used[PR_MAX_PARTS];
    double w[PR_MAX_PARTS];
    pr_status_t status = PR_OK;
    for (int i = 0; i < t->spec.n; i++) {
        PR_GO(pr_adapter_read(t->part[i].dir, model, &adapter[i], err));
        used[i] = adapter[i];
        w[i] = t->spec.part[i].coefficient[0];
        if (pr_policy_blocks(&t->spec) > 1) {
            used[i] = by_blocks[i] = pr_adapter_by_blocks(adapter[i], t->spec.blocks, t->spec.part[i].coefficient);
            w[i] = 1;
        }
    }
    status = pr_adapter_concat(used, w, t->spec.n, model, out, err);
done:
    for (int i = 0; i < t->spec.n; i++) {
        pr_adapter_free(&adapter[i]);
        pr_adapter_free(&by_blocks[i]);
    }
    return status;
}

/* Of a policy that is told the preference: its family's adapter there. */
static pr_status_t family_adapter(const pr_taken_t *t, const pr_model_config_t *model, pr_adapter_t **out,
                                  pr_error_t *err)
{
    pr_family_t *f = NULL;
    pr_adapter_t *part[PR_MAX_OBJECTIVES + 1] = {NULL};
    double w[PR_MAX_OBJECTIVES], coefficient[PR_MAX_OBJECTIVES + 1];
    int n = 0;
    pr_status_t status = PR_OK;
    PR_GO(pr_family_read(t->part[0].dir, model, &f, err));
    PR_GO(pr_family_told(t->spec.condition, f->k, w, err));
    PR_GO(pr_family_parts(f, model, w, part, coefficient, &n, err));
    if (n == 0)
        PR_GO(pr_fail(err, PR_ERR_UNSUPPORTED, "%s: at these weights the policy is the base model, which is no adapter",
                      t->part[0].dir));
    status = pr_adapter_concat((const pr_adapter_t *const *)part, coefficient, n, model, out, err);
done:
    for (int i = 0; i < n; i++)
        pr_adapter_free(&part[i]);
    pr_family_free(&f);
    return status;
}

pr_status_t pr_taken_adapter(const pr_config_t *c, const pr_taken_t *t, const pr_model_config_t *model,
                             pr_adapter_t **out, pr_error_t *err)
{
    if (t->spec.condition)
        return family_adapter(t, model, out, err);
    return t->spec.mix->merge ? merge_parts(c, t, out, err) : sum_parts(t, model, out, err);
}
