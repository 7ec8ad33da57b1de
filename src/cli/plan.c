#include "cli/plan.h"
#include "aggregate/gram.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/prompts.h"
#include "model/adapter.h"
#include "model/safetensors.h"
#include "model/tokenizer.h"
#include "objective/objective.h"
#include "sweeps/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the model ---- */

static pr_status_t check_model(pr_plan_t *p, pr_error_t *err)
{
    const char *dir = p->config->model;
    pr_safetensors_t *files = NULL;
    PR_TRY(pr_model_config_read(dir, &p->model, err));
    p->have_model = 1;
    p->adapted = pr_alloc((size_t)p->model.n_layer * PR_N_GROUP, sizeof *p->adapted);
    if (p->model.n_label > 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: found a classification model (%s), expected a language model", dir,
                       p->model.arch_name);
    PR_TRY(pr_safetensors_open_model(dir, &files, err));
    p->file_bytes = pr_safetensors_bytes(files);
    p->params = pr_model_config_params(&p->model);
    pr_safetensors_close(&files);
    return PR_OK;
}

// The adapter that fine-tuning would make: its targets must be there.
static pr_status_t check_lora(pr_plan_t *p, pr_error_t *err)
{
    const pr_finetune_config_t *f = &p->config->finetune;
    pr_rng_key_t key = pr_rng_key(0, "plan", "");
    pr_adapter_options_t o = {f->lora_r, f->lora_alpha, f->lora_rslora,
                              f->lora_targets.n ? (const char *const *)f->lora_targets.item : NULL, f->lora_targets.n};
    pr_adapter_t *a = NULL;
    if (pr_adapter_new(&p->model, &o, &key, &a, err) != PR_OK)
        return pr_fail_in(err, "%s: finetune.lora", p->config->path);
    p->adapter_params = (int64_t)a->n_data;
    pr_gram_groups(a, p->adapted);
    pr_adapter_free(&a);
    return PR_OK;
}

static pr_status_t check_adapters(pr_plan_t *p, pr_error_t *err)
{
    for (int k = 0; k < p->config->n_objectives; k++) {
        const char *dir = p->config->objective[k].adapter;
        pr_adapter_t *a = NULL;
        if (!dir) {
            p->finetune_jobs += p->config->n_seeds;
            continue;
        }
        if (pr_adapter_read(dir, &p->model, &a, err) != PR_OK)
            return pr_fail_in(err, "objective '%s'", p->config->objective[k].name);
        pr_gram_groups(a, p->adapted);
        pr_adapter_free(&a);
    }
    return p->finetune_jobs > 0 ? check_lora(p, err) : PR_OK;
}

/* ---- prompts ---- */

static pr_status_t measure_prompts(const pr_plan_t *p, const pr_tokenizer_t *t, const char *path, int new_tokens,
                                   int *count, int *longest, double *mean, pr_error_t *err)
{
    pr_prompts_t *prompts = NULL;
    PR_TRY(pr_prompts_load(path, &prompts, err));
    int room = p->model.max_pos - new_tokens;
    double total = 0;
    pr_status_t status = PR_OK;
    for (int i = 0; i < prompts->n; i++) {
        int32_t *ids;
        size_t n;
        PR_GO(pr_tokenizer_encode(t, prompts->text[i], strlen(prompts->text[i]), true, &ids, &n, err));
        free(ids);
        if (n == 0 || (long)n > room)
            PR_GO(
                pr_fail(err, PR_ERR_FORMAT,
                        "%s: prompt %d ('%.40s'): found %zu tokens, expected 1 to %d (the model's %d less %d new ones)",
                        path, i + 1, prompts->id[i], n, room, p->model.max_pos, new_tokens));
        *longest = (int)n > *longest ? (int)n : *longest;
        total += (double)n;
    }
    *count = prompts->n;
    *mean = total / prompts->n;
done:
    pr_prompts_free(&prompts);
    return status;
}

static pr_status_t check_prompts(pr_plan_t *p, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    pr_tokenizer_t *t = NULL;
    char *path = pr_path_join(c->model, "tokenizer.json");
    pr_status_t status;
    PR_GO(pr_tokenizer_load(path, &t, err));
    if (c->train_prompts)
        PR_GO(measure_prompts(p, t, c->train_prompts, c->finetune.max_new_tokens, &p->n_train, &p->longest_train,
                              &p->mean_train, err));
    PR_GO(measure_prompts(p, t, c->eval_prompts, c->evaluate.max_new_tokens, &p->n_eval, &p->longest_eval,
                          &p->mean_eval, err));
    if (c->evaluate.prompts > p->n_eval)
        PR_GO(pr_fail(err, PR_ERR_CONFIG, "%s: evaluate.prompts: found %d, but %s has %d", c->path, c->evaluate.prompts,
                      c->eval_prompts, p->n_eval));
    p->prompts = c->evaluate.prompts ? c->evaluate.prompts : p->n_eval;
done:
    free(path);
    if (t)
        pr_tokenizer_free(&t);
    return status;
}

/* ---- objectives ---- */

static pr_status_t check_objectives(const pr_config_t *c, pr_error_t *err)
{
    for (int k = 0; k < c->n_objectives; k++) {
        const pr_objective_config_t *o = &c->objective[k];
        json_t *resolved;
        PR_TRY(pr_objective_resolve(o->name, o->type, o->options, c->dir, &resolved, err));
        json_decref(resolved);
    }
    return PR_OK;
}

/* ---- searches ---- */

static pr_status_t check_search(pr_plan_t *p, int i, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    const pr_search_spec_t *spec = &c->search[i];
    pr_plan_search_t *out = &p->search[i];
    // Ranges are not known before objectives are opened; the first points do not depend on them.
    double lo[PR_MAX_OBJECTIVES], hi[PR_MAX_OBJECTIVES];
    for (int k = 0; k < c->n_objectives; k++) {
        lo[k] = -INFINITY;
        hi[k] = INFINITY;
    }
    if (spec->layer > p->model.n_layer)
        return pr_fail(err, PR_ERR_CONFIG, "%s: search '%s': layer: found %d, the model has %d layers", c->path,
                       spec->name, spec->layer, p->model.n_layer);
    pr_search_t s = {spec, c->n_objectives, p->prompts, c->seed, lo, hi, lo};
    pr_requests_t first = {0};
    if (pr_search_next(&s, NULL, 0, &first, err) != PR_OK)
        return pr_fail_in(err, "%s", c->path);
    free(first.item);
    out->levels = pr_search_forecast(&s, out->points, PR_PLAN_LEVELS);
    for (int level = 0; level < out->levels; level++)
        out->total += out->points[level];
    p->evaluate_points += out->total * c->n_seeds;
    return PR_OK;
}

/* ---- memory ---- */

static size_t cache_bytes(const pr_model_config_t *m, double streams, double tokens)
{
    return (size_t)(streams * tokens * 2 * m->n_layer * m->n_kv_head * m->head_dim * 4);
}

// The experts' Gram matrices and the sum of one layer's, of a rank that merges by them.
static double gram_bytes(const pr_plan_t *p)
{
    const pr_config_t *c = p->config;
    bool one[PR_N_GROUP] = {true, true, true, true}, regmean = false;
    pr_model_config_t layer = p->model;
    layer.n_layer = 1;
    for (int i = 0; i < c->n_searches; i++)
        regmean = regmean || strcmp(c->search[i].aggregate, "regmean") == 0;
    return regmean ? (double)c->n_objectives * (double)pr_gram_bytes(&p->model, p->adapted) +
                         (double)pr_gram_bytes(&layer, one)
                   : 0;
}

// About: weights in float, what forward keeps for backward, a block of logits, the adapter with its gradient and
// moments; or the caches of the sequences decoded together, once an expert that runs, and what merging needs, which
// stays while a rank fine-tunes.
static size_t memory_needed(const pr_plan_t *p)
{
    const pr_config_t *c = p->config;
    const pr_model_config_t *m = &p->model;
    double weights = 4.0 * (double)p->params, vocab_block = 256.0 * m->vocab * 4;
    double widths = 8.0 * m->d_model + 3.0 * (m->n_head + 2 * m->n_kv_head) * m->head_dim + 4.0 * m->d_ff;
    double tune = 0, per_step = (double)c->finetune.prompts_per_step * c->finetune.samples;
    if (p->finetune_jobs > 0)
        tune = 4.0 * widths * m->n_layer * c->finetune.micro_tokens + 16.0 * (double)p->adapter_params +
               (double)cache_bytes(m, per_step, p->longest_train + c->finetune.max_new_tokens);
    double streams = (double)p->prompts * c->evaluate.samples;
    streams = streams < c->evaluate.streams ? streams : c->evaluate.streams;
    double evaluate = 4.0 * (double)p->adapter_params * c->n_objectives +
                      (double)cache_bytes(m, streams * c->n_objectives, p->longest_eval + c->evaluate.max_new_tokens);
    return (size_t)(weights + vocab_block + (tune > evaluate ? tune : evaluate) + gram_bytes(p));
}

static void count_tokens(pr_plan_t *p)
{
    const pr_finetune_config_t *f = &p->config->finetune;
    const pr_evaluate_config_t *e = &p->config->evaluate;
    p->finetune_tokens = (int64_t)p->finetune_jobs * f->steps * f->prompts_per_step * f->samples * f->max_new_tokens;
    p->evaluate_tokens = p->evaluate_points * p->prompts * e->samples * e->max_new_tokens;
}

pr_status_t pr_plan_make(const pr_config_t *c, pr_plan_t *out, pr_error_t *err)
{
    *out = (pr_plan_t){.config = c};
    PR_TRY(check_model(out, err));
    PR_TRY(check_prompts(out, err));
    PR_TRY(check_objectives(c, err));
    PR_TRY(check_adapters(out, err));
    for (int i = 0; i < c->n_searches; i++)
        PR_TRY(check_search(out, i, err));
    count_tokens(out);
    out->memory = memory_needed(out);
    return PR_OK;
}

void pr_plan_clear(pr_plan_t *p)
{
    if (p->have_model)
        pr_model_config_clear(&p->model);
    p->have_model = 0;
    free(p->adapted);
    p->adapted = NULL;
}
