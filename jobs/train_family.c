// SPDX-License-Identifier: BSD-3-Clause
/* The train job of a policy that is told the preference: a family of adapters (family/family.h). Each prompt of a step has
 * a preference of its own (learn/preference.h), and all responses to it are sampled from the family's adapter there, so that
 * they are compared with their like. */
#include "base/mem.h"
#include "jobs/train_internal.h"
#include "learn/preference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The experts that it is made of, in the terms' order. */
static pr_status_t load_experts(pr_training_t *t, const pr_job_t *job, const pr_adapter_t **expert, pr_error_t *err)
{
    for (int k = 0; k < t->in.n_term; k++) {
        const json_t *part = json_array_get(t->in.experts, (size_t)k);
        const char *kind = json_string_value(json_array_get(part, 0)),
                   *hash = json_string_value(json_array_get(part, 1));
        pr_cached_adapter_t *from;
        if (!kind || !hash)
            return pr_fail(err, PR_ERR_FORMAT, "train job: experts: found no [kind, hash]");
        PR_TRY(pr_env_adapter(t->env, job, strcmp(kind, "job") == 0, hash, t->in.n_term, t->hooks, &from, err));
        expert[k] = from->adapter;
    }
    return PR_OK;
}

pr_status_t pr_train_family(pr_training_t *t, const pr_job_t *job, const pr_adapter_options_t *o,
                            const pr_rng_key_t *key, pr_error_t *err)
{
    const pr_model_config_t *c = &t->env->model->config;
    const pr_adapter_t *expert[PR_MAX_OBJECTIVES];
    if (t->in.experts) {
        PR_TRY(load_experts(t, job, expert, err));
        PR_TRY(pr_family_of(c, t->f->core, expert, t->in.n_term, key, &t->family, err));
    } else {
        PR_TRY(pr_family_new(c, t->in.n_term, t->f->core, o, key, &t->family, err));
    }
    t->at = pr_alloc((size_t)t->f->prompts_per_step, sizeof(pr_adapter_t *));
    for (int i = 0; i < t->f->prompts_per_step; i++)
        PR_TRY(pr_family_instance(t->family, c, &t->at[i], err));
    return pr_family_instance(t->family, c, &t->adapter, err);
}

void pr_train_family_clear(pr_training_t *t)
{
    for (int i = 0; t->at && i < t->f->prompts_per_step; i++)
        pr_adapter_free(&t->at[i]);
    free(t->at);
    pr_family_free(&t->family);
}

void pr_train_centre(pr_training_t *t)
{
    double w[PR_MAX_OBJECTIVES];
    for (int k = 0; k < t->in.n_term; k++)
        w[k] = 1.0 / t->in.n_term;
    pr_family_set(t->family, &t->env->model->config, w, t->adapter);
}

void pr_train_preferences(pr_training_t *t, pr_step_batch_t *b)
{
    int n = t->f->prompts_per_step, k = t->in.n_term;
    b->preference = pr_alloc((size_t)n * (size_t)k, sizeof *b->preference);
    b->lambda = pr_alloc((size_t)n * (size_t)k, sizeof *b->lambda);
    for (int i = 0; i < n; i++)
        pr_preference_draw(t->f->sample, k, &t->preference_key, t->step, i, n, b->preference + i * k);
}

/* The preferences of a step that differ, each with its adapter; prompt i has place[i] among them. Returns how many. */
static int distinct(pr_training_t *t, const pr_step_batch_t *b, int *place)
{
    int n = 0, k = t->in.n_term;
    for (int i = 0; i < t->f->prompts_per_step; i++) {
        place[i] = -1;
        for (int j = 0; j < i && place[i] < 0; j++)
            if (memcmp(b->preference + i * k, b->preference + j * k, (size_t)k * sizeof *b->preference) == 0)
                place[i] = place[j];
        if (place[i] >= 0)
            continue;
        place[i] = n;
        pr_family_set(t->family, &t->env->model->config, b->preference + i * k, t->at[n++]);
    }
    return n;
}

int pr_train_family_weights(pr_training_t *t, const pr_step_batch_t *b, double **w)
{
    int n = t->f->prompts_per_step, *place = pr_alloc((size_t)n, sizeof *place), many = distinct(t, b, place);
    *w = pr_alloc((size_t)n * (size_t)many, sizeof **w);
    for (int i = 0; i < n; i++)
        (*w)[i * many + place[i]] = 1;
    free(place);
    return many;
}

double *pr_train_sequence_preferences(const pr_training_t *t, const pr_step_batch_t *b)
{
    int k = t->in.n_term;
    double *of = pr_alloc((size_t)b->n_seq * (size_t)k, sizeof *of);
    for (int g = 0; g < t->f->prompts_per_step; g++)
        for (int i = b->group[g]; i < b->group[g + 1]; i++)
            memcpy(of + i * k, b->preference + g * k, (size_t)k * sizeof *of);
    return of;
}

/* What the prompts of this step scored, each at its preference. */
static void note_scores(pr_training_t *t, const pr_step_batch_t *b)
{
    int k = t->in.n_term;
    pr_surface_age(k, pr_option_real(t->f->sample, "half_life"), t->weigh_state);
    for (int g = 0; g < t->f->prompts_per_step; g++) {
        double mean[PR_MAX_OBJECTIVES] = {0};
        int first = b->group[g], count = b->group[g + 1] - first;
        for (int j = 0; j < k; j++) {
            for (int i = first; i < first + count; i++)
                mean[j] += b->turned[i * k + j];
            mean[j] /= count; // none: no number
        }
        pr_surface_add(k, b->preference + g * k, mean, t->weigh_state);
    }
}

pr_status_t pr_train_weigh_each(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err)
{
    int k = t->in.n_term, n = t->f->prompts_per_step;
    size_t own = t->weigher->state ? t->weigher->state(k, t->rules.weigh_options) : 0;
    double mean[PR_MAX_OBJECTIVES] = {0}, *state = pr_alloc(own, sizeof *state);
    pr_status_t status = PR_OK;
    if (t->n_weigh > 0)
        note_scores(t, b);
    memset(t->lambda, 0, sizeof t->lambda);
    for (int g = 0; g < n; g++) {
        double *lambda = b->lambda + g * k;
        pr_weigh_in_t in = {.k = k,
                            .step = t->step,
                            .w = b->preference + g * k,
                            .lo = t->lo,
                            .hi = t->hi,
                            .key = &t->weigh_key,
                            .options = t->rules.weigh_options};
        memset(state, 0, own * sizeof *state); // of this preference nothing else is known
        if (t->weigher->begin)
            t->weigher->begin(&in, state);
        if (t->n_weigh > 0)
            pr_surface_at(k, t->weigh_state, in.w, mean);
        in.mean = mean;
        t->weigher->weigh(&in, state, lambda);
        for (int j = 0; j < k; j++) {
            if (!isfinite(lambda[j]))
                PR_GO(pr_fail(err, PR_ERR_NUMERIC, "weigh = \"%s\": weight %d is %g", t->weigher->name, j + 1,
                              lambda[j]));
            t->lambda[j] += lambda[j] / n;
        }
    }
done:
    free(state);
    return status;
}
