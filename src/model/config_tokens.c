// SPDX-License-Identifier: BSD-3-Clause
/* config.json: special tokens and the attention window of each layer. */
#include "base/mem.h"
#include "model/config_parts.h"

#include <limits.h>
#include <string.h>

typedef pr_status_t (*add_fn)(const pr_config_source_t *s, const json_t *v, pr_model_config_t *c, pr_error_t *err);

// One value or a list of them.
static pr_status_t read_each(const pr_config_source_t *s, const char *key, add_fn add, pr_model_config_t *c,
                             pr_error_t *err)
{
    const json_t *v = json_object_get(s->root, key);
    if (pr_json_is_none(v))
        return PR_OK;
    if (!json_is_array(v))
        return add(s, v, c, err);
    for (size_t i = 0; i < json_array_size(v); i++)
        PR_TRY(add(s, json_array_get(v, i), c, err));
    return PR_OK;
}

static pr_status_t add_eos(const pr_config_source_t *s, const json_t *v, pr_model_config_t *c, pr_error_t *err)
{
    if (!json_is_integer(v) || json_integer_value(v) > INT_MAX)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'eos_token_id': found %s, expected a token's id", s->path,
                       json_is_integer(v) ? "one past 2^31" : pr_json_type_name(v));
    if (json_integer_value(v) < 0)
        return PR_OK;
    if (c->n_eos == PR_MAX_EOS)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: key 'eos_token_id': more than %d tokens", s->path, PR_MAX_EOS);
    c->eos[c->n_eos++] = (int)json_integer_value(v);
    return PR_OK;
}

static pr_status_t add_stop(const pr_config_source_t *s, const json_t *v, pr_model_config_t *c, pr_error_t *err)
{
    const char *text = json_string_value(v);
    if (!text || !*text || strlen(text) != json_string_length(v))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'stop_strings': found %s, expected a text that is not empty",
                       s->path, text ? "one that is empty or holds NUL" : pr_json_type_name(v));
    c->stop = pr_realloc(c->stop, (size_t)c->n_stop + 1, sizeof *c->stop);
    c->stop[c->n_stop++] = pr_strdup(text);
    return PR_OK;
}

// A negative id is an old way to say that there is none.
static pr_status_t read_token(const pr_config_source_t *s, const char *key, int *out, pr_error_t *err)
{
    int64_t id;
    PR_TRY(pr_json_get_int(s->root, key, *out, &id, s->path, err));
    if (id > INT_MAX)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %lld, expected a token's id", s->path, key,
                       (long long)id);
    *out = id < 0 ? -1 : (int)id;
    return PR_OK;
}

// What transformers assumes where the keys are missing altogether (null says that there is none).
static void default_tokens(const pr_config_source_t *s, pr_model_config_t *c)
{
    bool gpt2 = c->arch == PR_ARCH_GPT2, llama = c->arch == PR_ARCH_LLAMA || c->arch == PR_ARCH_MISTRAL;
    if (c->bos < 0 && !json_object_get(s->root, "bos_token_id"))
        c->bos = gpt2 ? 50256 : llama ? 1 : -1;
    if (c->n_eos == 0 && !json_object_get(s->root, "eos_token_id") && (gpt2 || llama))
        c->eos[c->n_eos++] = gpt2 ? 50256 : 2;
}

pr_status_t pr_config_read_tokens(const pr_config_source_t *s, const pr_config_source_t *generation,
                                  pr_model_config_t *c, pr_error_t *err)
{
    if (generation) {
        PR_TRY(read_each(generation, "eos_token_id", add_eos, c, err));
        PR_TRY(read_each(generation, "stop_strings", add_stop, c, err));
        PR_TRY(read_token(generation, "bos_token_id", &c->bos, err));
        if (!c->n_label) // a classifier generates nothing: its scores stand before config.json's padding
            PR_TRY(read_token(generation, "pad_token_id", &c->pad, err));
    }
    if (c->n_eos == 0)
        PR_TRY(read_each(s, "eos_token_id", add_eos, c, err));
    default_tokens(s, c);
    PR_TRY(read_token(s, "bos_token_id", &c->bos, err));
    return read_token(s, "pad_token_id", &c->pad, err);
}

/* ---- windows ---- */

// Gives the layers from first on the window.
static void set_windows(pr_model_config_t *c, int first, int window)
{
    if (first >= c->n_layer)
        return;
    c->window = pr_alloc((size_t)c->n_layer, sizeof *c->window);
    for (int i = first; i < c->n_layer; i++)
        c->window[i] = window;
}

// The window of sliding layers, 0: there are none.
static pr_status_t read_window_size(const pr_config_source_t *s, const pr_model_config_t *c, int *window,
                                    pr_error_t *err)
{
    bool use = c->arch == PR_ARCH_MISTRAL;
    const json_t *given = json_object_get(s->root, "sliding_window");
    *window = 0;
    if (c->arch == PR_ARCH_QWEN2 || c->arch == PR_ARCH_QWEN3)
        PR_TRY(pr_json_get_bool(s->root, "use_sliding_window", false, &use, s->path, err));
    if (!use || (given && pr_json_is_none(given)))
        return PR_OK;
    return pr_config_size(s, "sliding_window", 4096, INT_MAX, window, err);
}

// layer_types names each layer's kind of attention.
static pr_status_t read_layer_types(const pr_config_source_t *s, const json_t *types, int window, pr_model_config_t *c,
                                    pr_error_t *err)
{
    if (!json_is_array(types) || json_array_size(types) != (size_t)c->n_layer)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'layer_types': found %s of %zu, expected an array of %d", s->path,
                       pr_json_type_name(types), json_array_size(types), c->n_layer);
    for (int i = 0; i < c->n_layer; i++) {
        const json_t *type = json_array_get(types, (size_t)i);
        const char *name = json_string_value(type);
        bool sliding = name && strcmp(name, "sliding_attention") == 0;
        if (!sliding && !(name && strcmp(name, "full_attention") == 0))
            return pr_config_unsupported(s, "layer_types", type, "full_attention or sliding_attention", err);
        if (sliding && !window)
            return pr_fail(err, PR_ERR_FORMAT,
                           "%s: key 'layer_types': found sliding_attention, expected full_attention as there is no "
                           "sliding_window in use",
                           s->path);
        if (sliding && !c->window)
            c->window = pr_alloc((size_t)c->n_layer, sizeof *c->window);
        if (sliding)
            c->window[i] = window;
    }
    return PR_OK;
}

pr_status_t pr_config_read_window(const pr_config_source_t *s, pr_model_config_t *c, pr_error_t *err)
{
    int window, first = 0;
    const json_t *types = json_object_get(s->root, "layer_types");
    PR_TRY(read_window_size(s, c, &window, err));
    if (!pr_json_is_none(types) && c->arch != PR_ARCH_MISTRAL)
        return read_layer_types(s, types, window, c, err);
    if (!window)
        return PR_OK;
    if (c->arch != PR_ARCH_MISTRAL) {
        int64_t full;
        PR_TRY(pr_json_get_int(s->root, "max_window_layers", 28, &full, s->path, err));
        first = full < 0 ? 0 : full > c->n_layer ? c->n_layer : (int)full;
    }
    set_windows(c, first, window);
    return PR_OK;
}
