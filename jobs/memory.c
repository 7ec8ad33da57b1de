// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/memory.h"
#include "base/mem.h"
#include "jobs/kind.h"
#include "parallel/linalg.h"
#include "policy/gram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- sizes ---- */

void pr_sizes_add_adapter(pr_job_sizes_t *s, const char *source, const pr_adapter_t *a)
{
    const pr_adapter_size_t *known;
    if (pr_sizes_adapter(s, source, &known, NULL) == PR_OK)
        return;
    s->adapter = pr_realloc(s->adapter, (size_t)s->n_adapter + 1, sizeof *s->adapter);
    pr_adapter_size_t *size = &s->adapter[s->n_adapter++];
    *size = (pr_adapter_size_t){.params = (int64_t)a->n_data,
                                .groups = pr_alloc((size_t)a->n_layer * PR_N_GROUP, sizeof *size->groups),
                                .slots = pr_alloc((size_t)a->n_layer * PR_N_SLOT, sizeof *size->slots)};
    snprintf(size->source, sizeof size->source, "%s", source);
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        size->ranks += a->lora[i].r;
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        size->slots[i] = a->lora[i].r > 0;
    pr_gram_groups(a, size->groups);
}

void pr_sizes_clear(pr_job_sizes_t *s)
{
    for (int i = 0; i < s->n_adapter; i++) {
        free(s->adapter[i].groups);
        free(s->adapter[i].slots);
    }
    free(s->adapter);
    s->adapter = NULL;
    s->n_adapter = 0;
}

pr_status_t pr_sizes_prompts(const pr_job_sizes_t *s, const char *hash, const pr_prompts_size_t **out, pr_error_t *err)
{
    for (int i = 0; i < s->n_prompts; i++)
        if (strcmp(s->prompts[i].hash, hash) == 0) {
            *out = &s->prompts[i];
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_CONFIG, "prompts of hash %s: found no size of theirs", hash);
}

pr_status_t pr_sizes_samples(const pr_job_sizes_t *s, const char *objective, const pr_samples_size_t **out,
                             pr_error_t *err)
{
    for (int i = 0; i < s->n_samples; i++)
        if (strcmp(s->samples[i].objective, objective) == 0) {
            *out = &s->samples[i];
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_CONFIG, "samples of the objective of hash %s: found no size of theirs", objective);
}

pr_status_t pr_sizes_adapter(const pr_job_sizes_t *s, const char *source, const pr_adapter_size_t **out,
                             pr_error_t *err)
{
    for (int i = 0; i < s->n_adapter; i++)
        if (strcmp(s->adapter[i].source, source) == 0) {
            *out = &s->adapter[i];
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_CONFIG, "adapter %s: found no size of it", source);
}

/* ---- for kinds ---- */

pr_memory_shape_t pr_memory_shape(const pr_model_config_t *model, int cols)
{
    int block = pr_linalg_local()->row_block; // teams take twice as many
    return (pr_memory_shape_t){model, cols, cols > 1 ? 2 * block : block};
}

double pr_memory_run(const pr_memory_shape_t *s, double rows, double ranks)
{
    const pr_model_config_t *m = s->model;
    double q = (double)m->n_head * m->head_dim, kv = (double)m->n_kv_head * m->head_dim;
    double inner = m->arch == PR_ARCH_GPT2 ? m->d_ff : 2.0 * m->d_ff; // gate and up
    double n = rows * (2 * q + 2 * kv + m->d_model) + s->block * (inner + m->d_model);
    return 4 * (n / s->cols + s->block * ranks / m->n_layer + (s->cols > 1 ? s->block * m->d_model : 0));
}

double pr_memory_logits(const pr_memory_shape_t *s, double least, double most, double copies)
{
    double v = s->model->vocab, rows = fmin(fmin(fmax(least, 1048576 / v), s->block), most);
    return 4 * rows * v * copies;
}

double pr_memory_cache(const pr_memory_shape_t *s, double streams, double tokens)
{
    const pr_model_config_t *m = s->model;
    double values = ceil(m->head_dim / 16.0) * 16;
    return 4 * streams * m->n_layer * ceil(m->n_kv_head / s->cols) * ceil(tokens / 16) * 16 * (m->head_dim + values);
}

/* ---- the sum ---- */

pr_status_t pr_memory_add(pr_memory_t *m, const json_t *inputs, const json_t *how, pr_job_sizes_t *sizes,
                          pr_error_t *err)
{
    const char *name = json_string_value(json_object_get(inputs, "kind"));
    int number = pr_job_kind_number(name);
    pr_job_memory_t one = {0};
    if (number < 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "job kind \"%s\": found no such kind", name ? name : "");
    const pr_job_kind_t *kind = pr_job_kind(name);
    if (kind->memory)
        PR_TRY(kind->memory(inputs, how, sizes, &one, err));
    m->kept[number] = fmax(m->kept[number], one.kept);
    m->work[number] = fmax(m->work[number], one.work);
    if (one.left) {
        char id[PR_HASH_HEX];
        pr_json_hash(inputs, id);
        pr_sizes_add_adapter(sizes, id, one.left);
        pr_adapter_free(&one.left);
    }
    return PR_OK;
}

double pr_memory_most(const pr_memory_t *m, bool makes, bool evaluates)
{
    size_t n;
    const pr_job_kind_t *const *kinds = pr_job_kinds(&n);
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (kinds[i]->evaluates ? evaluates : makes)
            most = fmax(most, m->kept[i] + m->work[i]);
    return most;
}
