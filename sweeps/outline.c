// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/outline.h"

/* Whose trainings are told. */
typedef struct pr_outliner {
    const pr_inputs_t *in;
    const pr_sweep_policy_t *policy;
    pr_outline_fn each;
    void *self;
} pr_outliner_t;

/* inputs and how are taken over. */
static pr_status_t tell(const pr_outliner_t *o, json_t *inputs, json_t *how, pr_error_t *err)
{
    pr_status_t status = o->each(o->self, inputs, how, err);
    json_decref(inputs);
    json_decref(how);
    return status;
}

static pr_status_t tell_wish(const pr_outliner_t *o, const pr_sweep_policy_t *p, const pr_training_wish_t *wish,
                             pr_error_t *err)
{
    return tell(o, pr_inputs_wished(o->in, p, wish, o->in->config->seeds[0]), pr_inputs_how_wished(o->in, p, wish),
                err);
}

/* What a wish needs first. */
static pr_status_t tell_experts(const pr_outliner_t *o, const pr_training_wish_t *of, pr_error_t *err)
{
    pr_sweep_policy_t policy;
    pr_training_wish_t expert[PR_MAX_OBJECTIVES];
    int n = pr_wish_experts(o->in, o->policy, of, &policy, expert);
    for (int i = 0; i < n; i++)
        PR_TRY(tell_wish(o, &policy, &expert[i], err));
    return PR_OK;
}

static pr_status_t tell_training(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX], pr_error_t *err)
{
    const pr_outliner_t *o = self;
    pr_inputs_wished_id(o->in, o->policy, wish, o->in->config->seeds[0], id);
    PR_TRY(tell_experts(o, wish, err));
    return tell_wish(o, o->policy, wish, err);
}

static pr_status_t outline_search(pr_outliner_t *o, int prompts, pr_error_t *err)
{
    double w[PR_MAX_COORDINATES];
    int k_n = o->in->config->n_objectives;
    pr_policy_spec_t policy;
    pr_choice_t at = {.k = k_n, .rows = o->policy->domain.rows, .w = w};
    for (int i = 0; i < at.rows * k_n; i++)
        w[i] = 1.0 / k_n;
    pr_status_t status = pr_sweep_policy_at(o->in, o->policy, &at, tell_training, o, &policy, err);
    if (status == PR_OK)
        status = tell(o, pr_inputs_evaluate(o->in, &policy, 0, prompts), pr_inputs_how_evaluate(o->in), err);
    pr_policy_spec_clear(&policy);
    return status;
}

pr_status_t pr_sweep_outline(const pr_inputs_t *in, int prompts, pr_outline_fn each, void *self, pr_error_t *err)
{
    pr_outliner_t o = {.in = in, .each = each, .self = self};
    for (int k = 0; k < in->config->n_scored; k++)
        if (in->head[k][0])
            PR_TRY(tell(&o, pr_inputs_fit(in, k), pr_inputs_how_fit(in, k), err));
    for (int i = 0; i < in->config->n_searches; i++) {
        o.policy = &in->policy[i];
        PR_TRY(outline_search(&o, prompts, err));
    }
    return PR_OK;
}
