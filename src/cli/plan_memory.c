// SPDX-License-Identifier: BSD-3-Clause
/* What a rank will need, counted from what it allocates (the resident set, at its peak). Whatever columns split is
 * counted with the widest share; whatever depends on how long responses get, with the longest. */
#include "base/file.h"
#include "cli/plan.h"
#include "model/adapter.h"
#include "policy/gram.h"
#include "policy/policy.h"
#include "sweeps/inputs.h"

#include <assert.h>
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

typedef struct shape {
    const pr_model_config_t *m;
    double cols, block;
} shape_t;

static shape_t shape_of(const pr_model_config_t *m, const pr_team_config_t *t)
{
    int block = pr_linalg_local()->row_block; // teams take twice as many
    return (shape_t){m, t->cols, t->cols > 1 ? 2 * block : block};
}

static double file_size(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 ? (double)st.st_size : 0;
}

static double inner(const pr_model_config_t *m)
{
    return m->arch == PR_ARCH_GPT2 ? m->d_ff : 2.0 * m->d_ff; // gate and up
}

/* pr_run_t of so many rows without gradients (transformer_run.c): one layer's, over and over. ranks: of all adapters
 * that it stacks. */
static double run_bytes(const shape_t *s, double rows, double ranks)
{
    const pr_model_config_t *m = s->m;
    double q = (double)m->n_head * m->head_dim, kv = (double)m->n_kv_head * m->head_dim;
    double n = rows * (2 * q + 2 * kv + m->d_model) + s->block * (inner(m) + m->d_model);
    return 4 * (n / s->cols + s->block * ranks / m->n_layer + (s->cols > 1 ? s->block * m->d_model : 0));
}

/* The same with all that the backward pass reads, and its own work space. */
static double train_bytes(const shape_t *s, double rows, double ranks)
{
    const pr_model_config_t *m = s->m;
    double q = (double)m->n_head * m->head_dim, kv = (double)m->n_kv_head * m->head_dim, d = m->d_model;
    double layer = 2 * d + (m->qk_norm ? q + kv : 0) + 2 * q + 2 * kv + m->n_head + inner(m);
    double n = rows * (m->n_layer * layer + d) + rows * (2 * q + 2 * kv) + s->block * (2 * d + 3.0 * m->d_ff);
    n += rows * 2 * d + rows * 2 * d; // the residual stream and its gradient; the rows that predict, and theirs
    return 4 * (n / s->cols + rows * ranks + (s->cols > 1 ? s->block * d : 0));
}

/* A block of logits: 4 MB, or as few rows as are worked on together. */
static double logit_bytes(const shape_t *s, double least, double most, double copies)
{
    double v = s->m->vocab, rows = fmin(fmin(fmax(least, 1048576 / v), s->block), most);
    return 4 * rows * v * copies;
}

static double cache_bytes(const shape_t *s, double streams, double tokens)
{
    const pr_model_config_t *m = s->m;
    double values = ceil(m->head_dim / 16.0) * 16;
    return 4 * streams * m->n_layer * ceil(m->n_kv_head / s->cols) * ceil(tokens / 16) * 16 * (m->head_dim + values);
}

/* ---- of a sweep ---- */

// What the mix of a search takes of so many parts. That its options fit the model has been checked before.
static pr_mix_memory_t mix_memory(const pr_plan_t *p, int search)
{
    pr_sweep_policy_t policy[PR_MAX_SEARCHES] = {{0}};
    pr_mix_memory_t m;
    pr_error_t err;
    pr_status_t status = pr_sweep_policies(p->config, policy, &err);
    if (status == PR_OK)
        status =
            pr_mix_memory(policy[search].mix, policy[search].mix_options, &p->model, p->config->n_objectives, &m, &err);
    assert(status == PR_OK);
    for (int i = 0; i < p->config->n_searches; i++)
        pr_sweep_policy_clear(&policy[i]);
    return m;
}

// The experts' Gram matrices and the sum of one layer's, of a rank that merges by them.
static double gram_bytes(const pr_plan_t *p)
{
    bool one[PR_N_GROUP] = {true, true, true, true}, any = false;
    pr_model_config_t layer = p->model;
    layer.n_layer = 1;
    for (int i = 0; i < p->config->n_searches; i++)
        any = any || mix_memory(p, i).grams;
    return any ? (double)p->config->n_objectives * (double)pr_gram_bytes(&p->model, p->adapted) +
                     (double)pr_gram_bytes(&layer, one)
               : 0;
}

// What the largest fit of a head holds: the differences of its pairs in float, a matrix of d x d in double, a batch.
static double fit_bytes(const pr_plan_t *p)
{
    double d = p->model.d_model, most = 0;
    for (int i = 0; i < p->fit_jobs; i++) {
        double pairs = p->fit[i].pairs ? p->fit[i].samples - p->fit[i].held_out : 0;
        most = fmax(most, 4 * pairs * d + 8 * d * d + 2048 * 12 * d);
    }
    return most;
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
    for (int k = 0; k < c->n_objectives; k++) {
        shape_t s = shape_of(p->have_own[k] ? &p->own[k] : &p->model, t);
        if (p->have_own[k])
            n += 4.0 * (double)pr_model_config_params(&p->own[k]) / t->cols;
        if (p->batch_tokens[k] > 0)
            n += run_bytes(&s, fmin((double)p->batch_tokens[k], s.m->max_pos * (double)p->prompts), 0);
    }
    free(tokenizer);
    return n;
}

/* Fine-tuning: the adapter, its gradient and moments, its maps side by side for the run that learns and, while it
 * samples, for the one that decodes; all that is kept of a micro-batch; the caches of what is sampled together. */
static double training_bytes(const pr_plan_t *p, const pr_finetune_config_t *f, const pr_team_config_t *t)
{
    shape_t s = shape_of(&p->model, t);
    double sequences = ceil((double)f->prompts_per_step * f->samples / t->rows);
    double longest = fmin(p->longest_train + f->max_new_tokens, p->model.max_pos);
    double all = sequences * fmin(p->mean_train + f->max_new_tokens, longest),
           rows = fmin(fmax(f->micro_tokens, longest), all);
    double streams = fmin(sequences, p->config->evaluate.streams);
    double adapter = 4 * (double)p->adapter_params, ranks = (double)p->ranks;
    double learn = train_bytes(&s, rows, ranks) + (f->kl > 0 ? run_bytes(&s, rows, 0) : 0);
    double sample = cache_bytes(&s, streams, longest) + cache_bytes(&s, streams / f->samples, p->longest_train) +
                    run_bytes(&s, fmin(PR_GROUP_ROWS, streams / f->samples * p->longest_train), ranks) +
                    adapter / t->cols;
    return adapter * (4 + 1.0 / t->cols) + learn + fmax(sample, logit_bytes(&s, 64, rows, 1)) +
           logit_bytes(&s, 16, streams, 1);
}

static double tune_bytes(const pr_plan_t *p, const pr_team_config_t *t)
{
    double most = 0;
    for (int i = 0; i < p->n_training; i++)
        most = fmax(most, training_bytes(p, p->training[i].set, t));
    return most;
}

/* Evaluation: the experts whole, and their maps side by side (of a mix that merges: the merged adapter, and its own);
 * the caches, once per expert that runs on its own. */
static double evaluate_bytes(const pr_plan_t *p, const pr_team_config_t *t)
{
    const pr_config_t *c = p->config;
    shape_t s = shape_of(&p->model, t);
    double streams = ceil((double)p->prompts * c->evaluate.samples / t->rows), most = 0;
    double asked = fmin(streams, c->evaluate.streams);
    double made_params = (double)p->adapter_params * (double)p->made_parts;
    double experts = 4 * (made_params + (double)p->given_params);
    double longest = fmin(p->longest_eval + c->evaluate.max_new_tokens, p->model.max_pos);
    for (int i = 0; i < c->n_searches; i++) {
        pr_mix_memory_t m = mix_memory(p, i);
        double prompts = ceil(asked / c->evaluate.samples);
        double n = cache_bytes(&s, asked * m.streams, longest) + cache_bytes(&s, prompts * m.streams, p->longest_eval);
        n += run_bytes(&s, fmin(PR_GROUP_ROWS, prompts * p->longest_eval * m.streams), (double)p->ranks * m.stacked);
        n += logit_bytes(&s, 16, asked, m.logits);
        n += experts * (1.0 / t->cols + m.merged);
        most = fmax(most, n);
    }
    return 4 * made_params + most + gram_bytes(p) / (t->rows * t->cols);
}

static double working_bytes(const pr_plan_t *p)
{
    double most = 0;
    for (int i = 0; i < p->n_phase; i++) {
        const pr_team_config_t *t = &p->phase[i].team;
        double work = 0;
        if (p->phase[i].phase != PR_PHASE_EVALUATE)
            work = fmax(fit_bytes(p), tune_bytes(p, t));
        if (p->phase[i].phase != PR_PHASE_TUNE)
            work = fmax(work, evaluate_bytes(p, t));
        most = fmax(most, resident_bytes(p, t) + work);
    }
    return most;
}

/* Whole weights are one for all ranks of a node. */
static double shared_bytes(const pr_plan_t *p)
{
    double n = 4 * (double)p->params;
    for (int i = 0; i < p->n_phase; i++)
        if (p->phase[i].team.cols > 1)
            return 0;
    for (int k = 0; k < p->config->n_objectives; k++)
        if (p->have_own[k])
            n += 4 * (double)pr_model_config_params(&p->own[k]);
    return n;
}

static double point_bytes(const pr_plan_t *p)
{
    bool race = false;
    for (int i = 0; i < p->config->n_searches; i++)
        race = race || p->config->search[i].n_fidelity > 0;
    double k = p->config->n_objectives;
    return (double)p->evaluate_points * (POINT + 16 * k + (race ? 8 * k * p->prompts : 0));
}

void pr_plan_memory(pr_plan_t *p)
{
    p->memory = (size_t)working_bytes(p);
    p->shared = (size_t)shared_bytes(p);
    p->first = (size_t)point_bytes(p);
}
