// SPDX-License-Identifier: BSD-3-Clause
#include "policy/mix.h"

#include "base/mem.h"
#include "base/nearest.h"
#include "model/kernels.h"

#include <assert.h>
#include <stdlib.h>
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

/* What other programs have, and why it is not here. */
static const struct {
    const char *name, *reason;
} left_out[] = {
    {"model_stock", "it takes experts for noisy copies of one optimum; those trained for different objectives have "
                    "cosines near 0, at which it gives the base model back"},
    {"nearswap", "it is of one expert, by a threshold that no size of a change sets"},
    {"arcee_fusion", "it is of one expert, by a threshold over a random sample of elements"},
    {"passthrough", "it stacks layers, which makes another model than the one that experts were trained from"},
    {"slerp", "between whole weights it is nearly linear; nuslerp is the same between what two experts change"},
};

static pr_status_t refuse_left_out(const char *name, pr_error_t *err)
{
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (strcmp(name, left_out[i].name) == 0)
            return pr_fail(err, PR_ERR_UNSUPPORTED, "mix '%s' is left out: %s", name, left_out[i].reason);
    return PR_OK;
}

pr_status_t pr_mix_find(const char *name, const pr_mix_t **out, pr_error_t *err)
{
    const char *names[MOST];
    size_t index;
    PR_TRY(refuse_left_out(name, err));
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
    if (found && status == PR_OK && found->check) {
        status = found->check(*options, 0, NULL, err);
        if (status != PR_OK)
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

pr_mix_kind_t pr_mix_kind(const pr_mix_t *mix, const json_t *options)
{
    if (mix->kind)
        return mix->kind(options);
    return mix->merge ? PR_MIX_ADAPTER : PR_MIX_RUN;
}

static void row_of(int n, int blocks, int block, const double *w, double *row)
{
    for (int k = 0; k < n; k++)
        row[k] = w[k * blocks + block];
}

pr_status_t pr_mix_check(const pr_mix_t *mix, const json_t *options, int n, int blocks, const double *w,
                         pr_error_t *err)
{
    json_t *resolved = NULL;
    PR_TRY(pr_options_resolve(mix->options, options, NULL, &resolved, err));
    double *row = pr_alloc((size_t)n, sizeof *row);
    pr_status_t status = PR_OK;
    for (int b = 0; b < blocks && mix->check && status == PR_OK; b++) {
        if (w)
            row_of(n, blocks, b, w, row);
        status = mix->check(resolved, n, w ? row : NULL, err);
    }
    free(row);
    json_decref(resolved);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "mix '%s'", mix->name);
}

void pr_mix_coefficients(const pr_mix_t *mix, const json_t *options, int n, int blocks, double *w)
{
    double *row = pr_alloc((size_t)n, sizeof *row);
    for (int b = 0; b < blocks && mix->coefficients; b++) {
        row_of(n, blocks, b, w, row);
        mix->coefficients(options, n, row);
        for (int k = 0; k < n; k++)
            w[k * blocks + b] = row[k];
    }
    free(row);
}

pr_status_t pr_mix_refuse_negative(int n, const double *w, pr_error_t *err)
{
    for (int k = 0; k < n; k++)
        if (w[k] < 0)
            return pr_fail(err, PR_ERR_CONFIG,
                           "normalize: found the weight %g, expected weights >= 0, as a negative one divided by itself "
                           "would turn round; normalize = false takes it",
                           w[k]);
    return PR_OK;
}

pr_status_t pr_mix_plan(const pr_mix_t *mix, const json_t *options, const pr_model_config_t *model, pr_mix_plan_t *out,
                        pr_error_t *err)
{
    json_t *resolved = NULL;
    pr_mix_plan_t plan = {0};
    PR_TRY(pr_options_resolve(mix->options, options, NULL, &resolved, err));
    pr_status_t status = mix->check ? mix->check(resolved, 0, NULL, err) : PR_OK;
    int blocks = pr_mix_blocks(mix, resolved);
    if (status == PR_OK && blocks > 1 && blocks > model->n_layer)
        status = pr_fail(err, PR_ERR_CONFIG, "blocks: found %d, expected at most the model's %d layers", blocks,
                         model->n_layer);
    if (status == PR_OK && mix->plan)
        status = mix->plan(resolved, model, &plan, err);
    plan.kind = pr_mix_kind(mix, resolved);
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
    pr_mix_kind_t kind = pr_mix_kind(mix, resolved);
    out->merged = kind == PR_MIX_ADAPTER && mix->factors ? 1 : 0; // ranks side by side
    out->dense = kind == PR_MIX_DENSE;
    out->stacked = out->dense ? 0 : out->stacked;
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
