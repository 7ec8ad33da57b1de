// SPDX-License-Identifier: BSD-3-Clause
/* The rules are those of PEFT's check_target_module_exists and get_pattern_key. */
#include "model/adapter_targets.h"
#include "base/mem.h"
#include "model/adapter_parts.h"
#include "model/adapter_pattern.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A choice of modules: a list of names and ends of names, one regular expression, or every linear map. */
typedef struct {
    const json_t *list;
    pr_pattern_t *regex;
    bool all;
} choice_t;

/* rank_pattern or alpha_pattern: the first key that matches decides. */
typedef struct {
    pr_pattern_t **regex;
    const json_t **value;
    size_t n;
} override_t;

typedef struct {
    const json_t *root;
    const char *path;
    choice_t targets, excluded;
    override_t ranks, alphas;
    int64_t r;
    double alpha;
    bool rslora;
} reader_t;

static void where_key(const reader_t *k, const char *key, char *out, size_t size)
{
    snprintf(out, size, "%s: key '%s'", k->path, key);
}

static pr_status_t check_list(const reader_t *k, const char *key, const json_t *list, pr_error_t *err)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i)))
            return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s in the list, expected strings", k->path, key,
                           pr_json_type_name(json_array_get(list, i)));
    return PR_OK;
}

static pr_status_t read_choice(const reader_t *k, const char *key, choice_t *out, pr_error_t *err)
{
    char where[1024];
    const json_t *v = json_object_get(k->root, key);
    if (pr_json_is_none(v))
        return PR_OK;
    if (json_is_array(v)) {
        out->list = v;
        return check_list(k, key, v, err);
    }
    if (!json_is_string(v))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected a list of names or a regular expression",
                       k->path, key, pr_json_type_name(v));
    if (strcasecmp(json_string_value(v), "all-linear") == 0) {
        out->all = true;
        return PR_OK;
    }
    where_key(k, key, where, sizeof where);
    return pr_pattern_new(json_string_value(v), false, where, &out->regex, err);
}

static pr_status_t in_choice(const choice_t *c, const char *module, bool *in, pr_error_t *err)
{
    *in = c->all;
    if (c->regex)
        return pr_pattern_match(c->regex, module, in, err);
    for (size_t i = 0; i < json_array_size(c->list) && !*in; i++)
        *in = pr_slot_suffix(module, json_string_value(json_array_get(c->list, i)));
    return PR_OK;
}

static pr_status_t read_override(const reader_t *k, const char *key, override_t *out, pr_error_t *err)
{
    char where[1024];
    const char *name;
    json_t *value, *v = json_object_get(k->root, key);
    if (pr_json_is_none(v))
        return PR_OK;
    if (!json_is_object(v))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected an object", k->path, key,
                       pr_json_type_name(v));
    where_key(k, key, where, sizeof where);
    out->regex = pr_alloc(json_object_size(v), sizeof *out->regex);
    out->value = pr_alloc(json_object_size(v), sizeof *out->value);
    json_object_foreach(v, name, value)
    {
        if (!json_is_number(value))
            return pr_fail(err, PR_ERR_FORMAT, "%s: '%.200s': found %s, expected a number", where, name,
                           pr_json_type_name(value));
        PR_TRY(pr_pattern_new(name, true, where, &out->regex[out->n], err));
        out->value[out->n++] = value;
    }
    return PR_OK;
}

static pr_status_t overridden(const override_t *o, const char *module, const json_t **value, pr_error_t *err)
{
    bool matches = false;
    *value = NULL;
    for (size_t i = 0; i < o->n && !matches; i++) {
        PR_TRY(pr_pattern_match(o->regex[i], module, &matches, err));
        *value = matches ? o->value[i] : NULL;
    }
    return PR_OK;
}

static void free_override(override_t *o)
{
    for (size_t i = 0; i < o->n; i++)
        pr_pattern_free(&o->regex[i]);
    free(o->regex);
    free(o->value);
}

/* ---- layers_to_transform, layers_pattern ---- */

// Only the name that this model's list of layers has can be meant by layers_pattern.
static pr_status_t check_layers_pattern(const reader_t *k, const pr_model_config_t *c, pr_error_t *err)
{
    const char *own = c->arch == PR_ARCH_GPT2 ? "h" : "layers";
    const json_t *v = json_object_get(k->root, "layers_pattern");
    if (json_is_array(v) && json_array_size(v) == 1)
        v = json_array_get(v, 0);
    if (pr_json_is_none(v) || (json_is_array(v) && json_array_size(v) == 0))
        return PR_OK;
    const char *name = json_string_value(v);
    if (!name || (*name && strcmp(name, own) != 0))
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: key 'layers_pattern': found %s '%.100s', expected null or '%s'",
                       k->path, pr_json_type_name(v), name ? name : "", own);
    return PR_OK;
}

// NULL: all layers.
static pr_status_t read_layers(const reader_t *k, const pr_model_config_t *c, const json_t **out, pr_error_t *err)
{
    const json_t *v = json_object_get(k->root, "layers_to_transform");
    *out = NULL;
    if (pr_json_is_none(v) || (json_is_array(v) && json_array_size(v) == 0))
        return PR_OK;
    if (!k->targets.list)
        return pr_fail(err, PR_ERR_UNSUPPORTED,
                       "%s: key 'layers_to_transform': found it beside target_modules that is not a list", k->path);
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_integer(json_array_get(v, i)))
            return pr_fail(err, PR_ERR_FORMAT, "%s: key 'layers_to_transform': found %s in the list, expected integers",
                           k->path, pr_json_type_name(json_array_get(v, i)));
    if (!json_is_array(v) && !json_is_integer(v))
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'layers_to_transform': found %s, expected an integer or a list of them", k->path,
                       pr_json_type_name(v));
    *out = v;
    return check_layers_pattern(k, c, err);
}

// A target that is given by its full name is adapted whatever layers_to_transform says.
static bool in_layers(const reader_t *k, const json_t *layers, int layer, const char *module)
{
    for (size_t i = 0; i < json_array_size(k->targets.list); i++)
        if (strcmp(json_string_value(json_array_get(k->targets.list, i)), module) == 0)
            return true;
    if (json_is_integer(layers))
        return json_integer_value(layers) == layer;
    for (size_t i = 0; i < json_array_size(layers); i++)
        if (json_integer_value(json_array_get(layers, i)) == layer)
            return true;
    return !layers;
}

/* ---- slots ---- */

static pr_status_t set_slot(const reader_t *k, const char *module, pr_lora_t *l, pr_error_t *err)
{
    const json_t *rank, *alpha;
    PR_TRY(overridden(&k->ranks, module, &rank, err));
    PR_TRY(overridden(&k->alphas, module, &alpha, err));
    int64_t r = rank ? json_integer_value(rank) : k->r;
    double a = alpha ? json_number_value(alpha) : k->alpha;
    if (r < 1 || r > PR_MAX_LORA_RANK || (rank && !json_is_integer(rank)))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %lld for '%s', expected an integer in 1..%d", k->path,
                       rank ? "rank_pattern" : "r", (long long)r, module, PR_MAX_LORA_RANK);
    pr_lora_set(l, (int)r, a, k->rslora);
    if (!isfinite(l->scale))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %g for '%s', expected a number that fits a float",
                       k->path, alpha ? "alpha_pattern" : "lora_alpha", a, module);
    return PR_OK;
}

static pr_status_t is_adapted(const reader_t *k, const json_t *layers, int layer, const char *module, bool *yes,
                              pr_error_t *err)
{
    bool excluded = false;
    PR_TRY(in_choice(&k->targets, module, yes, err));
    if (*yes)
        PR_TRY(in_choice(&k->excluded, module, &excluded, err));
    *yes = *yes && !excluded && in_layers(k, layers, layer, module);
    return PR_OK;
}

// Embeddings and heads can be adapted by PEFT, not here.
static pr_status_t check_outside(const reader_t *k, const pr_model_config_t *c, pr_error_t *err)
{
    static const char *const gpt2[] = {"transformer.wte", "transformer.wpe", "lm_head", "score"};
    static const char *const llama[] = {"model.embed_tokens", "lm_head", "score"};
    bool is_gpt2 = c->arch == PR_ARCH_GPT2;
    size_t n = is_gpt2 ? sizeof gpt2 / sizeof *gpt2 : sizeof llama / sizeof *llama;
    for (size_t i = 0; i < n && !k->targets.all; i++) {
        bool yes;
        const char *module = is_gpt2 ? gpt2[i] : llama[i];
        bool absent = strcmp(module, c->n_label ? "lm_head" : "score") == 0;
        PR_TRY(is_adapted(k, NULL, -1, module, &yes, err));
        if (yes && !absent)
            return pr_fail(err, PR_ERR_UNSUPPORTED,
                           "%s: key 'target_modules': found '%s', expected linear maps of the layers only", k->path,
                           module);
    }
    return PR_OK;
}

static pr_status_t set_slots(const reader_t *k, const pr_model_config_t *c, pr_adapter_t *a, pr_error_t *err)
{
    const json_t *layers;
    size_t n = 0;
    PR_TRY(read_layers(k, c, &layers, err));
    for (int i = 0; i < a->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            char module[128];
            bool yes;
            if (!pr_slot_path(c, (pr_slot_t)s))
                continue;
            pr_slot_module(c, i, (pr_slot_t)s, module, sizeof module);
            PR_TRY(is_adapted(k, layers, i, module, &yes, err));
            if (yes)
                PR_TRY(set_slot(k, module, pr_adapter_at(a, i, (pr_slot_t)s), err));
            n += yes;
        }
    if (n == 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'target_modules': found no linear map of this %s model in it",
                       k->path, pr_arch_name(c->arch));
    return PR_OK;
}

static pr_status_t read_keys(reader_t *k, pr_error_t *err)
{
    PR_TRY(pr_json_get_int(k->root, "r", 8, &k->r, k->path, err));
    PR_TRY(pr_json_get_real(k->root, "lora_alpha", 8, &k->alpha, k->path, err));
    PR_TRY(pr_json_get_bool(k->root, "use_rslora", false, &k->rslora, k->path, err));
    PR_TRY(read_choice(k, "target_modules", &k->targets, err));
    PR_TRY(read_choice(k, "exclude_modules", &k->excluded, err));
    if (!k->targets.list && !k->targets.regex && !k->targets.all)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'target_modules': found nothing, expected a list of names or a regular expression",
                       k->path);
    if (k->excluded.all)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: key 'exclude_modules': found 'all-linear', expected names",
                       k->path);
    PR_TRY(read_override(k, "rank_pattern", &k->ranks, err));
    return read_override(k, "alpha_pattern", &k->alphas, err);
}

pr_status_t pr_adapter_read_targets(const json_t *root, const char *path, const pr_model_config_t *c, pr_adapter_t *a,
                                    pr_error_t *err)
{
    reader_t k = {.root = root, .path = path};
    pr_status_t status;
    PR_GO(read_keys(&k, err));
    a->rslora = k.rslora;
    PR_GO(check_outside(&k, c, err));
    PR_GO(set_slots(&k, c, a, err));
done:
    pr_pattern_free(&k.targets.regex);
    pr_pattern_free(&k.excluded.regex);
    free_override(&k.ranks);
    free_override(&k.alphas);
    return status;
}
