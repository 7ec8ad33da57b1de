// SPDX-License-Identifier: BSD-3-Clause
/* What a rank will need, counted from what it allocates (the resident set, at its peak): what stays loaded while it lives,
 * and what the kind of job that takes most says of itself (jobs/memory.h). */
#include "base/file.h"
#include "cli/plan.h"
#include "sweeps/outline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    KERNEL = 6 << 20, // what BLAS packs blocks into, per thread that multiplies
    TOKENIZER = 10,   // bytes read of a tokenizer.json, mostly while it is parsed, per byte of it
    TEXTS = 4,        // and of prompts
    POINT = 360,      // bytes of a point and its evaluation on rank 0, without values (bench schedule --points)
};

static double file_size(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 ? (double)st.st_size : 0;
}

/* Whatever stays while a rank lives: the program, texts, weights, the adapters that objectives bring, the models that
 * they run. */
static double resident_bytes(const pr_plan_t *p, const pr_team_config_t *t)
{
    const pr_config_t *c = p->config;
    char *tokenizer = pr_path_join(c->model, "tokenizer.json");
    double n = (double)PR_PLAN_RANK + fmin(KERNEL, 4.0 * (double)p->params) * (c->threads > 1 ? c->threads : 1);
    n += TOKENIZER * file_size(tokenizer) + TEXTS * (file_size(c->train_prompts) + file_size(c->eval_prompts));
    n += 4.0 * (double)p->params / t->cols + 4.0 * (double)p->given_params;
    for (int k = 0; k < c->n_scored; k++) {
        pr_memory_shape_t s = pr_memory_shape(p->have_own[k] ? &p->own[k] : &p->model, t->cols);
        if (p->have_own[k])
            n += 4.0 * (double)pr_model_config_params(&p->own[k]) / t->cols;
        if (p->batch_tokens[k] > 0)
            n += pr_memory_run(&s, fmin((double)p->batch_tokens[k], s.model->max_pos * (double)p->prompts), 0);
    }
    free(tokenizer);
    return n;
}

/* What has been measured, by what jobs call it. */
static void name_sizes(pr_plan_t *p)
{
    p->texts[0] = (pr_prompts_size_t){.longest = p->longest_eval, .mean = p->mean_eval};
    p->texts[1] = (pr_prompts_size_t){.longest = p->longest_train, .mean = p->mean_train};
    if (p->longest_validation > p->longest_train) // which a training answers, too
        p->texts[1].longest = p->longest_validation;
    memcpy(p->texts[0].hash, p->inputs.eval, PR_HASH_HEX);
    memcpy(p->texts[1].hash, p->inputs.train, PR_HASH_HEX);
    for (int i = 0; i < p->fit_jobs; i++) {
        const pr_plan_fit_t *f = &p->fit[i];
        p->samples[i] = (pr_samples_size_t){.pairs = f->pairs, .n = f->samples, .held_out = f->held_out};
        memcpy(p->samples[i].objective, p->inputs.objective_hash[f->objective], PR_HASH_HEX);
    }
    p->sizes.model = &p->model;
    p->sizes.content = p->inputs.content;
    p->sizes.prompts = p->texts;
    p->sizes.n_prompts = p->config->train_prompts ? 2 : 1;
    p->sizes.samples = p->samples;
    p->sizes.n_samples = p->fit_jobs;
}

/* Jobs, added up for one phase. */
typedef struct pr_plan_sum {
    pr_memory_t memory;
    pr_job_sizes_t *sizes;
} pr_plan_sum_t;

static pr_status_t add_job(void *self, const json_t *inputs, const json_t *how, pr_error_t *err)
{
    pr_plan_sum_t *s = self;
    return pr_memory_add(&s->memory, inputs, how, s->sizes, err);
}

/* The most that a rank of any phase holds at a time. */
static pr_status_t working_bytes(pr_plan_t *p, double *out, pr_error_t *err)
{
    *out = 0;
    for (int i = 0; i < p->n_phase; i++) {
        const pr_team_config_t *t = &p->phase[i].team;
        pr_plan_sum_t s = {.sizes = &p->sizes};
        p->sizes.rows = t->rows;
        p->sizes.cols = t->cols;
        PR_TRY(pr_sweep_outline(&p->inputs, p->prompts, add_job, &s, err));
        double work =
            pr_memory_most(&s.memory, p->phase[i].phase != PR_PHASE_EVALUATE, p->phase[i].phase != PR_PHASE_TUNE);
        *out = fmax(*out, resident_bytes(p, t) + work);
    }
    return PR_OK;
}

/* Whole weights are one for all ranks of a node. */
static double shared_bytes(const pr_plan_t *p)
{
    double n = 4 * (double)p->params;
    for (int i = 0; i < p->n_phase; i++)
        if (p->phase[i].team.cols > 1)
            return 0;
    for (int k = 0; k < p->config->n_scored; k++)
        if (p->have_own[k])
            n += 4 * (double)pr_model_config_params(&p->own[k]);
    return n;
}

static double point_bytes(const pr_plan_t *p)
{
    bool race = false;
    for (int i = 0; i < p->config->n_searches; i++)
        race = race || p->config->search[i].n_fidelity > 0;
    double k = p->config->n_scored;
    return (double)(p->evaluate_points + p->base_points) * (POINT + 16 * k + (race ? 8 * k * p->prompts : 0));
}

pr_status_t pr_plan_memory(pr_plan_t *p, pr_error_t *err)
{
    double work;
    name_sizes(p);
    PR_TRY(working_bytes(p, &work, err));
    p->memory = (size_t)work;
    p->shared = (size_t)shared_bytes(p);
    p->first = (size_t)point_bytes(p);
    return PR_OK;
}
