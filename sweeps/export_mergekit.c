// SPDX-License-Identifier: BSD-3-Clause
/* mergekit.yml: how mergekit makes the same model, where its method of that name is the same. An adapter merged into the base
 * model is BASE+ADAPTER to it; blocks of layers are slices. */
#include "base/file.h"
#include "report/text.h"
#include "sweeps/export_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct recipe {
    pr_buf_t b;
    char *base;                   // path
    char *model[PR_MAX_PARTS];    // "BASE+ADAPTER"
    const pr_policy_spec_t *spec; //
    const json_t *how;            // of the mix's mergekit
} recipe_t;

/* JSON, which YAML 1.1 reads but for numbers such as 1e-05, which it takes for text. */
static void put_value(pr_buf_t *b, int indent, const char *key, const json_t *value)
{
    pr_buf_t text = {0};
    pr_text_json(&text, value, 0);
    const char *exponent = json_is_real(value) && !strchr(text.data, '.') ? strchr(text.data, 'e') : NULL;
    int plain = exponent ? (int)(exponent - text.data) : (int)text.len;
    pr_buf_printf(b, "%*s%s: %.*s%s%s\n", indent, "", key, plain, text.data, exponent ? ".0" : "",
                  exponent ? exponent : "");
    pr_buf_free(&text);
}

static void put_text(pr_buf_t *b, int indent, const char *key, const char *text)
{
    json_t *s = pr_text_json_string(text, strlen(text));
    put_value(b, indent, key, s);
    json_decref(s);
}

/* The part's weight in a block, and what every model has. */
static void put_each(recipe_t *r, int indent, int part, int block)
{
    const char *key;
    json_t *value, *each = json_object_get(r->how, "each");
    bool weight = json_is_true(json_object_get(r->how, "weight"));
    if (!weight && json_object_size(each) == 0)
        return;
    pr_buf_printf(&r->b, "%*sparameters:\n", indent, "");
    if (weight) {
        json_t *w = pr_json_real(r->spec->part[part].coefficient[block]);
        put_value(&r->b, indent + 2, "weight", w);
        json_decref(w);
    }
    json_object_foreach(each, key, value) put_value(&r->b, indent + 2, key, value);
}

static void put_models(recipe_t *r)
{
    pr_buf_puts(&r->b, "models:\n");
    for (int k = 0; k < r->spec->n; k++) {
        put_text(&r->b, 2, "- model", r->model[k]);
        put_each(r, 4, k, 0);
    }
}

static void put_source(recipe_t *r, const char *model, int part, int block, int n_layer)
{
    int blocks = pr_policy_blocks(r->spec);
    put_text(&r->b, 6, "- model", model);
    pr_buf_printf(&r->b, "        layer_range: [%d, %d]\n", block * n_layer / blocks, (block + 1) * n_layer / blocks);
    if (part >= 0)
        put_each(r, 8, part, block);
}

static void put_slices(recipe_t *r, int n_layer)
{
    pr_buf_puts(&r->b, "slices:\n");
    for (int b = 0; b < pr_policy_blocks(r->spec); b++) {
        pr_buf_puts(&r->b, "  - sources:\n");
        if (json_is_true(json_object_get(r->how, "base")))
            put_source(r, r->base, -1, b, n_layer);
        for (int k = 0; k < r->spec->n; k++)
            if (r->spec->part[k].coefficient[b] != 0)
                put_source(r, r->model[k], k, b, n_layer);
    }
}

static void put_recipe(recipe_t *r, int n_layer)
{
    const char *key;
    json_t *value, *parameters = json_object_get(r->how, "parameters");
    pr_buf_puts(&r->b,
                "# mergekit makes the same model of it, up to its own rounding: mergekit-yaml mergekit.yml OUT\n");
    put_text(&r->b, 0, "merge_method", json_string_value(json_object_get(r->how, "method")));
    if (json_is_true(json_object_get(r->how, "base")))
        put_text(&r->b, 0, "base_model", r->base);
    put_text(&r->b, 0, "dtype", "float32");
    if (json_object_size(parameters) > 0)
        pr_buf_puts(&r->b, "parameters:\n");
    json_object_foreach(parameters, key, value) put_value(&r->b, 2, key, value);
    if (pr_policy_blocks(r->spec) > 1)
        put_slices(r, n_layer);
    else
        put_models(r);
}

/* A path from wherever mergekit is started; caller frees. */
static char *whole_path(const char *path)
{
    char *whole = realpath(path, NULL);
    return whole ? whole : pr_strdup(path);
}

char *pr_export_mergekit(const pr_config_t *c, const pr_taken_t *t, const pr_model_config_t *model)
{
    const pr_policy_spec_t *s = &t->spec;
    json_t *options = NULL, *how = NULL;
    int blocks = pr_policy_blocks(s);
    double w[PR_MAX_PARTS * PR_MAX_BLOCKS];
    for (int k = 0; k < s->n; k++)
        memcpy(w + k * blocks, s->part[k].coefficient, (size_t)blocks * sizeof *w);
    if (s->n > 0 && !s->condition && s->mix->mergekit &&
        pr_options_resolve(s->mix->options, s->options, NULL, &options, NULL) == PR_OK)
        how = s->mix->mergekit(options, s->n, blocks, w);
    json_decref(options);
    if (!how)
        return NULL;
    recipe_t r = {.base = whole_path(c->model), .spec = s, .how = how};
    for (int k = 0; k < s->n; k++) {
        pr_buf_t name = {0};
        char *adapter = whole_path(t->part[k].dir);
        pr_buf_printf(&name, "%s+%s", r.base, adapter);
        r.model[k] = name.data;
        free(adapter);
    }
    put_recipe(&r, model->n_layer);
    for (int k = 0; k < s->n; k++)
        free(r.model[k]);
    free(r.base);
    json_decref(how);
    return r.b.data;
}
