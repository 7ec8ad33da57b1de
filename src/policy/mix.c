// SPDX-License-Identifier: BSD-3-Clause
#include "policy/mix.h"

#include "base/mem.h"
#include "base/nearest.h"
#include "model/kernels.h"

#include <assert.h>
#include <string.h>

/* ---- the registry ---- */

enum { MOST = 64 };
#define MIX(name) &pr_mix_##name,
#define ONE(name) +1
static const pr_mix_t *mixes[MOST] = {PR_MIX_LIST(MIX)};
static size_t n_mixes = 0 PR_MIX_LIST(ONE);

const pr_mix_t *const *pr_mix_all(size_t *n)
{
    *n = n_mixes;
    return mixes;
}

pr_status_t pr_mix_find(const char *name, const pr_mix_t **out, pr_error_t *err)
{
    const char *names[MOST];
    size_t index;
    for (size_t i = 0; i < n_mixes; i++)
        names[i] = mixes[i]->name;
    PR_TRY(pr_find_name("mix", name, names, n_mixes, &index, err));
    *out = mixes[index];
    return PR_OK;
}

pr_status_t pr_mix_add(const pr_mix_t *mix, pr_error_t *err)
{
    const pr_mix_t *other;
    assert(mix->name && mix->formula && mix->help && mix->options);
    if (pr_mix_find(mix->name, &other, NULL) == PR_OK)
        return pr_fail(err, PR_ERR_CONFIG, "there already is a mix '%s'", mix->name);
    if (n_mixes == MOST)
        return pr_fail(err, PR_ERR_CONFIG, "mix '%s': found %d mixes already, which is the most", mix->name, MOST);
    mixes[n_mixes++] = mix;
    return PR_OK;
}

/* ---- as text ---- */

// [first,first+n) without the blanks around it, as a string. The caller frees.
static char *trimmed(const char *first, size_t n)
{
    while (n > 0 && (*first == ' ' || *first == '\t'))
        first++, n--;
    while (n > 0 && (first[n - 1] == ' ' || first[n - 1] == '\t'))
        n--;
    char *text = pr_alloc(n + 1, 1);
    memcpy(text, first, n);
    return text;
}

// One "KEY=VALUE" into options.
static pr_status_t parse_option(const char *text, json_t *options, pr_error_t *err)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        return pr_fail(err, PR_ERR_CONFIG, "found \"%s\", expected KEY=VALUE", text);
    char *key = trimmed(text, (size_t)(equals - text)), *value = trimmed(equals + 1, strlen(equals + 1));
    json_t *v = json_loads(value, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    pr_status_t status = PR_OK;
    if (!v)
        v = json_string(value);
    if (!v)
        status = pr_fail(err, PR_ERR_CONFIG, "option '%s': the value is not UTF-8", key);
    else if (json_object_get(options, key))
        status = pr_fail(err, PR_ERR_CONFIG, "option '%s': found twice", key);
    else if (json_object_set(options, key, v) != 0)
        status = pr_fail(err, PR_ERR_CONFIG, "found \"%s\", expected KEY=VALUE in UTF-8", text);
    json_decref(v);
    free(key);
    free(value);
    return status;
}

pr_status_t pr_mix_parse(const char *text, const pr_mix_t **mix, json_t **options, pr_error_t *err)
{
    size_t len = strcspn(text, ";");
    char *name = trimmed(text, len);
    const pr_mix_t *found = NULL;
    json_t *given = json_object();
    pr_status_t status = pr_mix_find(name, &found, err);
    for (const char *p = text + len; *p && status == PR_OK; p += len) {
        p++;
        len = strcspn(p, ";");
        char *one = trimmed(p, len);
        status = parse_option(one, given, err);
        free(one);
    }
    if (found && status == PR_OK)
        status = pr_options_resolve(found->options, given, NULL, options, err);
    if (found && status == PR_OK && pr_mix_blocks(found, *options) > 1) {
        status = pr_fail(err, PR_ERR_CONFIG, "blocks: found %d, expected 1: there is one row of weights here",
                         pr_mix_blocks(found, *options));
        json_decref(*options);
    }
    if (status == PR_OK)
        *mix = found;
    else if (found)
        pr_fail_in(err, "mix '%s'", name);
    json_decref(given);
    free(name);
    return status;
}

/* ---- plans ---- */

int pr_mix_blocks(const pr_mix_t *mix, const json_t *options)
{
    return mix->blocks ? mix->blocks(options) : 1;
}

pr_status_t pr_mix_plan(const pr_mix_t *mix, const json_t *options, const pr_model_config_t *model, pr_mix_plan_t *out,
                        pr_error_t *err)
{
    json_t *resolved = NULL;
    pr_mix_plan_t plan = {0};
    PR_TRY(pr_options_resolve(mix->options, options, NULL, &resolved, err));
    pr_status_t status = mix->plan ? mix->plan(resolved, model, &plan, err) : PR_OK;
    json_decref(resolved);
    if (status != PR_OK)
        return status;
    assert(plan.split >= 0 && plan.split <= model->n_layer);
    assert(plan.split < model->n_layer || mix->combine);
    *out = plan;
    return PR_OK;
}

pr_status_t pr_mix_memory(const pr_mix_t *mix, const json_t *options, const pr_model_config_t *model, int parts,
                          pr_mix_memory_t *out, pr_error_t *err)
{
    json_t *resolved = NULL;
    pr_mix_plan_t plan;
    PR_TRY(pr_mix_plan(mix, options, model, &plan, err));
    PR_TRY(pr_options_resolve(mix->options, options, NULL, &resolved, err));
    double l = model->n_layer, split = plan.split, k = parts;
    *out = (pr_mix_memory_t){.streams = (split * k + l - split) / l,
                             .stacked = plan.split < model->n_layer ? parts : 1,
                             .logits = plan.of_logits ? 1 + parts : 1};
    if (mix->memory)
        mix->memory(resolved, parts, out);
    json_decref(resolved);
    return PR_OK;
}

void pr_mix_sum(const pr_mix_plan_t *plan, const pr_mix_rows_t *r, float *out)
{
    (void)plan;
    memset(out, 0, (size_t)r->width * sizeof *out);
    for (int j = 0; j < r->n; j++)
        pr_k_axpy(r->width, (float)r->w[j], r->x + (size_t)j * (size_t)r->width, out);
}

const char *pr_mix_sum_python(const pr_mix_plan_t *plan, const pr_model_config_t *model)
{
    return plan->split == model->n_layer && !plan->norm_behind ? "(w[:, None, None] * p).sum(0)" : NULL;
}
