// SPDX-License-Identifier: BSD-3-Clause
/* The one adapter that a taken policy is, or what else its parts are merged into. */
#include "base/mem.h"
#include "family/family.h"
#include "jobs/merge.h"
#include "sweeps/inputs.h"
#include "sweeps/take.h"

#include <stdlib.h>
#include <string.h>

static json_t *options_of(const pr_taken_t *t)
{
    json_t *options = NULL;
    pr_options_resolve(t->spec.mix->options, t->spec.options, NULL, &options, NULL); // they were resolved once
    return options;
}

pr_mix_kind_t pr_taken_kind(const pr_taken_t *t)
{
    const pr_policy_spec_t *s = &t->spec;
    json_t *options = options_of(t);
    pr_mix_kind_t kind = pr_mix_kind(s->mix, options);
    double scale = 1;
    if (kind == PR_MIX_RUN &&
        (s->mix->one_adapter || (s->n == 1 && pr_policy_blocks(s) == 1 && s->part[0].coefficient[0] == 1)))
        kind = PR_MIX_ADAPTER;
    if (kind == PR_MIX_DENSE && s->n == 1 && pr_policy_blocks(s) == 1 && s->mix->alone &&
        s->mix->alone(options, s->part[0].coefficient[0], &scale))
        kind = PR_MIX_ADAPTER;
    json_decref(options);
    return kind;
}

bool pr_taken_is_one_adapter(const pr_taken_t *t)
{
    return pr_taken_kind(t) == PR_MIX_ADAPTER;
}

/* By what the parts read, as evaluations do it. */
static pr_status_t merge_measured(const pr_config_t *c, const pr_taken_t *t, pr_merged_t **out, pr_error_t *err)
{
    static const pr_job_hooks_t none = {NULL, NULL, NULL};
    pr_cached_adapter_t *part[PR_MAX_PARTS];
    pr_merge_parts_t parts;
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
    PR_GO(pr_env_parts(env, &t->spec, part, &m, &none, &parts, err));
    status = pr_merge(t->spec.mix, t->spec.options, &parts.parts, out, err);
done:
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    return status;
}

static pr_status_t read_parts(const pr_taken_t *t, const pr_model_config_t *model, pr_adapter_t **adapter,
                              pr_error_t *err)
{
    for (int i = 0; i < t->spec.n; i++)
        PR_TRY(pr_adapter_read(t->part[i].dir, model, &adapter[i], err));
    return PR_OK;
}

/* w [parts,blocks]; the caller frees. */
static double *coefficients_of(const pr_policy_spec_t *s)
{
    size_t blocks = (size_t)pr_policy_blocks(s);
    double *w = pr_alloc((size_t)s->n * blocks, sizeof *w);
    for (int i = 0; i < s->n; i++)
        memcpy(w + (size_t)i * blocks, s->part[i].coefficient, blocks * sizeof *w);
    return w;
}

pr_status_t pr_taken_merged(const pr_config_t *c, const pr_taken_t *t, const pr_model_config_t *model,
                            pr_merged_t **out, pr_error_t *err)
{
    if (t->spec.mix->grams)
        return merge_measured(c, t, out, err);
    pr_adapter_t *adapter[PR_MAX_PARTS] = {NULL};
    double *w = coefficients_of(&t->spec);
    json_t *options = options_of(t);
    pr_mix_parts_t parts = {.team = pr_team_local(),
                            .model = model,
                            .n = t->spec.n,
                            .adapter = (const pr_adapter_t *const *)adapter,
                            .w = w,
                            .blocks = pr_policy_blocks(&t->spec)};
    pr_status_t status = read_parts(t, model, adapter, err);
    if (status == PR_OK)
        status = pr_merge(t->spec.mix, options, &parts, out, err);
    if (status == PR_OK)
        pr_merged_own(*out, adapter, t->spec.n);
    for (int i = 0; i < t->spec.n && status != PR_OK; i++)
        pr_adapter_free(&adapter[i]);
    json_decref(options);
    free(w);
    return status;
}

/* By concatenating their ranks: the mix is a weighted sum, or there is but one part. */
static pr_status_t sum_parts(const pr_taken_t *t, const pr_model_config_t *model, pr_adapter_t **out, pr_error_t *err)
{
    pr_adapter_t *adapter[PR_MAX_PARTS] = {NULL}, *by_blocks[PR_MAX_PARTS] = {NULL};
    const pr_adapter_t *used[PR_MAX_PARTS];
    double each[PR_MAX_PARTS], *w = coefficients_of(&t->spec);
    int blocks = pr_policy_blocks(&t->spec);
    json_t *options = options_of(t);
    pr_status_t status;
    pr_mix_coefficients(t->spec.mix, options, t->spec.n, blocks, w);
    PR_GO(read_parts(t, model, adapter, err));
    for (int i = 0; i < t->spec.n; i++) {
        used[i] = adapter[i];
        each[i] = w[i * blocks];
        if (blocks > 1) {
            used[i] = by_blocks[i] = pr_adapter_by_blocks(adapter[i], blocks, w + i * blocks);
            each[i] = 1;
        }
    }
    status = pr_adapter_concat(used, each, t->spec.n, model, out, err);
done:
    for (int i = 0; i < t->spec.n; i++) {
        pr_adapter_free(&adapter[i]);
        pr_adapter_free(&by_blocks[i]);
    }
    json_decref(options);
    free(w);
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
    json_t *options = options_of(t);
    bool run = pr_mix_kind(t->spec.mix, options) == PR_MIX_RUN;
    pr_merged_t *merged = NULL;
    json_decref(options);
    if (run)
        return sum_parts(t, model, out, err);
    PR_TRY(pr_taken_merged(c, t, model, &merged, err));
    *out = pr_merged_take_adapter(merged);
    pr_merged_free(&merged);
    return PR_OK;
}
