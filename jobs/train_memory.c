// SPDX-License-Identifier: BSD-3-Clause
/* What a train job takes of memory. */
#include "base/mem.h"
#include "family/family.h"
#include "jobs/memory.h"
#include "jobs/train.h"
#include "learn/rules.h"
#include "policy/policy.h"

#include <math.h>
#include <stdlib.h>

/* A run with all that the backward pass reads, and its own work space. */
static double learning_bytes(const pr_memory_shape_t *s, double rows, double ranks)
{
    const pr_model_config_t *m = s->model;
    double q = (double)m->n_head * m->head_dim, kv = (double)m->n_kv_head * m->head_dim, d = m->d_model;
    double inner = m->arch == PR_ARCH_GPT2 ? m->d_ff : 2.0 * m->d_ff; // gate and up
    double layer = 2 * d + (m->qk_norm ? q + kv : 0) + 2 * q + 2 * kv + m->n_head + inner;
    double n = rows * (m->n_layer * layer + d) + rows * (2 * q + 2 * kv) + s->block * (2 * d + 3.0 * m->d_ff);
    n += rows * 2 * d + rows * 2 * d; // the residual stream and its gradient; the rows that predict, and theirs
    return 4 * (n / s->cols + rows * ranks + (s->cols > 1 ? s->block * d : 0));
}

/* The adapter, its gradient and moments, its maps side by side for the run that learns and, while it samples, for the
 * one that decodes; all that is kept of a micro-batch; the caches of what is sampled together. */
static double working_bytes(const pr_train_settings_t *f, const pr_train_how_t *how, const pr_prompts_size_t *prompts,
                            const pr_job_sizes_t *sizes, const pr_adapter_t *a)
{
    pr_memory_shape_t s = pr_memory_shape(sizes->model, sizes->cols);
    double sequences = ceil((double)f->prompts_per_step * f->samples / sizes->rows);
    double longest = fmin(prompts->longest + f->max_new_tokens, sizes->model->max_pos);
    double all = sequences * fmin(prompts->mean + f->max_new_tokens, longest),
           rows = fmin(fmax(how->micro_tokens, longest), all);
    double streams = fmin(sequences, how->streams), adapter = 4 * (double)a->n_data, ranks = 0;
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        ranks += a->lora[i].r;
    double learn = learning_bytes(&s, rows, ranks) + (f->kl > 0 ? pr_memory_run(&s, rows, 0) : 0);
    double sample =
        pr_memory_cache(&s, streams, longest) + pr_memory_cache(&s, streams / f->samples, prompts->longest) +
        pr_memory_run(&s, fmin(PR_GROUP_ROWS, streams / f->samples * prompts->longest), ranks) + adapter / s.cols;
    return adapter * (4 + 1.0 / s.cols) + learn + fmax(sample, pr_memory_logits(&s, 64, rows, 1)) +
           pr_memory_logits(&s, 16, streams, 1);
}

/* Each objective's own gradient, and what stands beside them, where the rule asks for them; the best step's adapter, where
 * a training may end before its steps. */
static double channel_bytes(const pr_train_inputs_t *in, size_t numbers)
{
    const pr_weigher_t *w;
    bool any = in->set.measure || (pr_rules_weigher(in->set.weigh, &w, NULL) == PR_OK && w->gram);
    return 4.0 * (double)numbers * ((any ? in->n_term + 2 : 0) + (in->set.stop != NULL));
}

pr_status_t pr_train_memory(const json_t *inputs, const json_t *how, const pr_job_sizes_t *sizes, pr_job_memory_t *out,
                            pr_error_t *err)
{
    pr_train_inputs_t in = {.n_term = 0};
    pr_train_how_t h = {.n_report = 0};
    const pr_prompts_size_t *prompts;
    const char **targets;
    PR_TRY(pr_train_parse(inputs, &in, err));
    PR_TRY(pr_train_how_parse(how, &h, err));
    PR_TRY(pr_sizes_prompts(sizes, in.prompts, &prompts, err));
    pr_adapter_options_t lora = pr_train_lora(&in.set, &targets);
    size_t n = 0;
    pr_status_t status = in.set.core ? pr_family_shape(sizes->model, in.n_term, in.set.core, &lora, in.experts != NULL,
                                                       &out->left, &n, err)
                                     : pr_adapter_shape(sizes->model, &lora, &out->left, err);
    free(targets);
    PR_TRY(status);
    out->work =
        working_bytes(&in.set, &h, prompts, sizes, out->left) + channel_bytes(&in, in.set.core ? n : out->left->n_data);
    if (in.set.core) // an instance for each prompt of a step, the one that learns, its gradient
        out->work += 4.0 * (double)out->left->n_data * (in.set.prompts_per_step + 2);
    return PR_OK;
}
