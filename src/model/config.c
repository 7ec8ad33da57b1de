// SPDX-License-Identifier: BSD-3-Clause
#include "model/config.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/config_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_CONFIG_BYTES = 16 << 20,
    MAX_WIDTH = 1 << 20, // of the model, of all heads together
    MAX_INNER = 1 << 24,
    MAX_VOCAB = 1 << 27,
    MAX_POSITIONS = 1 << 30,
    MAX_LAYERS = 10000,
    MAX_LABELS = 1 << 20
};

/* What transformers' configuration classes assume where a key is missing. */
typedef struct {
    const char *name;
    const char *class_prefix;
    pr_arch_t arch;
    double norm_eps;
    bool tied;
    int kv_heads; // 0: as many as heads
    int head_dim; // 0: d / heads
} family_t;

static const family_t families[] = {{"gpt2", "GPT2", PR_ARCH_GPT2, 1e-5, true, 0, 0},
                                    {"llama", "Llama", PR_ARCH_LLAMA, 1e-6, false, 0, 0},
                                    {"mistral", "Mistral", PR_ARCH_MISTRAL, 1e-6, false, 8, 0},
                                    {"qwen2", "Qwen2", PR_ARCH_QWEN2, 1e-6, false, 32, 0},
                                    {"qwen3", "Qwen3", PR_ARCH_QWEN3, 1e-6, false, 32, 128}};

const char *pr_arch_name(pr_arch_t arch)
{
    return families[arch].name;
}

pr_status_t pr_config_unsupported(const pr_config_source_t *s, const char *key, const json_t *value,
                                  const char *expected, pr_error_t *err)
{
    return pr_json_unsupported(value, key, expected, s->path, err);
}

pr_status_t pr_config_size(const pr_config_source_t *s, const char *key, int dflt, int max, int *out, pr_error_t *err)
{
    const json_t *v = json_object_get(s->root, key);
    int64_t value;
    if (dflt == 0 && pr_json_is_none(v))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected an integer in 1..%d", s->path, key,
                       pr_json_type_name(v), max);
    PR_TRY(pr_json_get_int(s->root, key, dflt, &value, s->path, err));
    if (value < 1 || value > max)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %lld, expected an integer in 1..%d", s->path, key,
                       (long long)value, max);
    *out = (int)value;
    return PR_OK;
}

// The key must hold this truth value where it is present.
static pr_status_t require_bool(const pr_config_source_t *s, const char *key, bool wanted, pr_error_t *err)
{
    bool value;
    PR_TRY(pr_json_get_bool(s->root, key, wanted, &value, s->path, err));
    if (value != wanted)
        return pr_config_unsupported(s, key, json_object_get(s->root, key), wanted ? "true" : "false", err);
    return PR_OK;
}

static pr_status_t read_family(const pr_config_source_t *s, const family_t **out, pr_error_t *err)
{
    const char *type;
    PR_TRY(pr_json_get_string(s->root, "model_type", NULL, &type, s->path, err));
    if (!type)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'model_type': found nothing, expected a string", s->path);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].name, type) == 0) {
            *out = &families[i];
            return PR_OK;
        }
    return pr_config_unsupported(s, "model_type", json_object_get(s->root, "model_type"),
                                 "gpt2, llama, mistral, qwen2 or qwen3", err);
}

static pr_status_t read_activation(const pr_config_source_t *s, const char *key, const char *dflt, pr_act_t *out,
                                   pr_error_t *err)
{
    static const struct {
        const char *name;
        pr_act_t act;
    } names[] = {{"silu", PR_ACT_SILU},          {"swish", PR_ACT_SILU},        {"gelu", PR_ACT_GELU},
                 {"gelu_python", PR_ACT_GELU},   {"gelu_new", PR_ACT_GELU_NEW}, {"gelu_pytorch_tanh", PR_ACT_GELU_NEW},
                 {"gelu_fast", PR_ACT_GELU_NEW}, {"relu", PR_ACT_RELU}};
    const char *name;
    PR_TRY(pr_json_get_string(s->root, key, dflt, &name, s->path, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0) {
            *out = names[i].act;
            return PR_OK;
        }
    return pr_config_unsupported(s, key, json_object_get(s->root, key),
                                 "silu, gelu, gelu_new, gelu_pytorch_tanh or relu", err);
}

static pr_status_t read_eps(const pr_config_source_t *s, const char *key, double dflt, double *out, pr_error_t *err)
{
    PR_TRY(pr_json_get_real(s->root, key, dflt, out, s->path, err));
    if (!(*out >= 0 && *out < 1))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %g, expected a number in [0,1)", s->path, key, *out);
    return PR_OK;
}

static pr_status_t read_gpt2(const pr_config_source_t *s, const family_t *f, pr_model_config_t *c, pr_error_t *err)
{
    PR_TRY(pr_config_size(s, "n_embd", 0, MAX_WIDTH, &c->d_model, err));
    PR_TRY(pr_config_size(s, "n_layer", 0, MAX_LAYERS, &c->n_layer, err));
    PR_TRY(pr_config_size(s, "n_head", 0, MAX_WIDTH, &c->n_head, err));
    PR_TRY(pr_config_size(s, "n_positions", 0, MAX_POSITIONS, &c->max_pos, err));
    PR_TRY(pr_config_size(s, "n_inner", 4 * c->d_model, MAX_INNER, &c->d_ff, err));
    PR_TRY(read_activation(s, "activation_function", "gelu_new", &c->act, err));
    PR_TRY(read_eps(s, "layer_norm_epsilon", f->norm_eps, &c->norm_eps, err));
    PR_TRY(require_bool(s, "scale_attn_weights", true, err));
    PR_TRY(require_bool(s, "scale_attn_by_inverse_layer_idx", false, err));
    PR_TRY(require_bool(s, "reorder_and_upcast_attn", false, err));
    PR_TRY(require_bool(s, "add_cross_attention", false, err));
    if (c->d_model % c->n_head)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'n_head': found %d, expected a divisor of n_embd %d", s->path,
                       c->n_head, c->d_model);
    c->n_kv_head = c->n_head;
    c->head_dim = c->d_model / c->n_head;
    c->qkv_bias = c->o_bias = c->mlp_bias = true;
    c->rope = PR_ROPE_NONE;
    return PR_OK;
}

// A key that is null stands for the number of heads; one that is missing for the family's default.
static pr_status_t read_kv_heads(const pr_config_source_t *s, const family_t *f, pr_model_config_t *c, pr_error_t *err)
{
    int dflt = f->kv_heads && !json_object_get(s->root, "num_key_value_heads") ? f->kv_heads : c->n_head;
    PR_TRY(pr_config_size(s, "num_key_value_heads", dflt, MAX_WIDTH, &c->n_kv_head, err));
    if (c->n_head % c->n_kv_head)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'num_key_value_heads': found %d, expected a divisor of num_attention_heads %d", s->path,
                       c->n_kv_head, c->n_head);
    return PR_OK;
}

static pr_status_t read_head_dim(const pr_config_source_t *s, const family_t *f, pr_model_config_t *c, pr_error_t *err)
{
    const json_t *given = json_object_get(s->root, "head_dim");
    int dflt = f->head_dim && !given ? f->head_dim : c->d_model / c->n_head;
    if (pr_json_is_none(given) && (c->d_model % c->n_head) && !(f->head_dim && !given))
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'num_attention_heads': found %d, expected a divisor of hidden_size %d", s->path,
                       c->n_head, c->d_model);
    PR_TRY(pr_config_size(s, "head_dim", dflt, MAX_WIDTH, &c->head_dim, err));
    if (c->head_dim % 2)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'head_dim': found %d, expected an even number", s->path,
                       c->head_dim);
    if ((int64_t)c->n_head * c->head_dim > MAX_WIDTH)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'head_dim': found %d x %d heads, expected at most %d together",
                       s->path, c->head_dim, c->n_head, MAX_WIDTH);
    return PR_OK;
}

static pr_status_t read_biases(const pr_config_source_t *s, pr_model_config_t *c, pr_error_t *err)
{
    c->qkv_bias = c->arch == PR_ARCH_QWEN2;
    if (c->arch == PR_ARCH_LLAMA || c->arch == PR_ARCH_QWEN3) {
        PR_TRY(pr_json_get_bool(s->root, "attention_bias", false, &c->qkv_bias, s->path, err));
        c->o_bias = c->qkv_bias;
    }
    if (c->arch == PR_ARCH_LLAMA)
        PR_TRY(pr_json_get_bool(s->root, "mlp_bias", false, &c->mlp_bias, s->path, err));
    c->qk_norm = c->arch == PR_ARCH_QWEN3;
    return PR_OK;
}

/* Settings of other families, which would change what is computed: files of the llama family that have them were made
 * for another program. What says that there is no such thing (null, false, 0, a multiplier of 1) is passed over. */
static pr_status_t refuse_foreign(const pr_config_source_t *s, pr_error_t *err)
{
    static const struct {
        const char *key;
        int off; // the number that says that there is no such thing
    } foreign[] = {{"alibi", 0},
                   {"attention_multiplier", 0},
                   {"attention_out_bias", 0},
                   {"attn_logit_softcapping", 0},
                   {"clip_qkv", 0},
                   {"embedding_multiplier", 1},
                   {"final_logit_softcapping", 0},
                   {"global_rope_theta", 0},
                   {"local_rope_theta", 0},
                   {"logit_scale", 1},
                   {"logits_scaling", 1},
                   {"no_rope_layers", 0},
                   {"num_experts", 0},
                   {"num_local_experts", 0},
                   {"qk_layernorm", 0},
                   {"query_pre_attn_scalar", 0},
                   {"residual_multiplier", 1},
                   {"rope_interleaved", 0},
                   {"rope_local_base_freq", 0},
                   {"rope_ratio", 1},
                   {"rope_scaling_factor", 1},
                   {"rope_scaling_type", 0},
                   {"rotary_dim", 0},
                   {"rotary_emb_base", 0},
                   {"rotary_emb_fraction", 1},
                   {"rotary_pct", 1},
                   {"use_alibi", 0},
                   {"use_parallel_residual", 0},
                   {"use_qk_norm", 0}};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        const json_t *v = json_object_get(s->root, foreign[i].key);
        if (!pr_json_is_none(v) && !json_is_false(v) && !(json_is_number(v) && json_number_value(v) == foreign[i].off))
            return pr_config_unsupported(s, foreign[i].key, v, "no such key in a model of this family", err);
    }
    const json_t *rope = json_object_get(s->root, "use_rope");
    if (!pr_json_is_none(rope) && !json_is_true(rope))
        return pr_config_unsupported(s, "use_rope", rope, "true", err);
    return PR_OK;
}

static pr_status_t read_llama(const pr_config_source_t *s, const family_t *f, pr_model_config_t *c, pr_error_t *err)
{
    PR_TRY(pr_config_size(s, "hidden_size", 0, MAX_WIDTH, &c->d_model, err));
    PR_TRY(pr_config_size(s, "num_hidden_layers", 0, MAX_LAYERS, &c->n_layer, err));
    PR_TRY(pr_config_size(s, "num_attention_heads", 0, MAX_WIDTH, &c->n_head, err));
    PR_TRY(pr_config_size(s, "intermediate_size", 0, MAX_INNER, &c->d_ff, err));
    PR_TRY(pr_config_size(s, "max_position_embeddings", 0, MAX_POSITIONS, &c->max_pos, err));
    PR_TRY(read_kv_heads(s, f, c, err));
    PR_TRY(read_head_dim(s, f, c, err));
    PR_TRY(read_activation(s, "hidden_act", "silu", &c->act, err));
    PR_TRY(read_eps(s, "rms_norm_eps", f->norm_eps, &c->norm_eps, err));
    PR_TRY(read_biases(s, c, err));
    PR_TRY(refuse_foreign(s, err));
    PR_TRY(pr_config_read_rope(s, c, err));
    return pr_config_read_window(s, c, err);
}

// num_labels, or the size of id2label, or 2, as transformers has it.
static pr_status_t read_labels(const pr_config_source_t *s, pr_model_config_t *c, pr_error_t *err)
{
    const json_t *names = json_object_get(s->root, "id2label");
    int dflt = 2;
    if (!pr_json_is_none(names)) {
        if (!json_is_object(names) || json_object_size(names) == 0 || json_object_size(names) > MAX_LABELS)
            return pr_fail(err, PR_ERR_FORMAT, "%s: key 'id2label': found %s of %zu, expected an object of 1..%d names",
                           s->path, pr_json_type_name(names), json_object_size(names), MAX_LABELS);
        dflt = (int)json_object_size(names);
    }
    return pr_config_size(s, "num_labels", dflt, MAX_LABELS, &c->n_label, err);
}

static pr_status_t read_architecture(const pr_config_source_t *s, const family_t *f, pr_model_config_t *c,
                                     pr_error_t *err)
{
    static const char *const language[] = {"ForCausalLM", "LMHeadModel", "Model", ""};
    const json_t *list = json_object_get(s->root, "architectures");
    if (pr_json_is_none(list))
        return PR_OK;
    const char *name = json_string_value(json_array_get(list, 0));
    if (!json_is_array(list) || (json_array_size(list) > 0 && !name))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'architectures': found %s, expected an array of strings", s->path,
                       pr_json_type_name(list));
    if (!name)
        return PR_OK;
    size_t prefix = strlen(f->class_prefix);
    const char *kind = strncmp(name, f->class_prefix, prefix) == 0 ? name + prefix : NULL;
    snprintf(c->arch_name, sizeof c->arch_name, "%s", name);
    if (kind && strcmp(kind, "ForSequenceClassification") == 0)
        return read_labels(s, c, err);
    for (size_t i = 0; kind && *language[i]; i++)
        if (strcmp(kind, language[i]) == 0)
            return PR_OK;
    return pr_config_unsupported(s, "architectures", list,
                                 f->arch == PR_ARCH_GPT2 ? "GPT2LMHeadModel or GPT2ForSequenceClassification"
                                                         : "...ForCausalLM or ...ForSequenceClassification of the "
                                                           "model_type",
                                 err);
}

static pr_status_t read_common(const pr_config_source_t *s, const family_t *f, pr_model_config_t *c, pr_error_t *err)
{
    static const char *const quantized[] = {"quantization_config", "compression_config"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *v = json_object_get(s->root, quantized[i]);
        if (!pr_json_is_none(v))
            return pr_config_unsupported(s, quantized[i], v, "weights in F32, F16 or BF16", err);
    }
    PR_TRY(pr_config_size(s, "vocab_size", 0, MAX_VOCAB, &c->vocab, err));
    PR_TRY(pr_json_get_bool(s->root, "tie_word_embeddings", f->tied, &c->tied_head, s->path, err));
    PR_TRY(read_architecture(s, f, c, err));
    return f->arch == PR_ARCH_GPT2 ? read_gpt2(s, f, c, err) : read_llama(s, f, c, err);
}

static pr_status_t load_object(const char *path, json_t **out, pr_error_t *err)
{
    PR_TRY(pr_json_load(path, MAX_CONFIG_BYTES, out, err));
    if (json_is_object(*out))
        return PR_OK;
    pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object", path, pr_json_type_name(*out));
    json_decref(*out);
    *out = NULL;
    return PR_ERR_FORMAT;
}

pr_status_t pr_model_dir_check(const char *dir, pr_error_t *err)
{
    if (pr_dir_exists(dir))
        return PR_OK;
    return pr_fail(
        err, PR_ERR_NOT_FOUND,
        "%s: %s; a model is a local directory with config.json, tokenizer.json and model.safetensors, such as "
        "`hf download NAME --local-dir DIR` makes",
        dir, pr_file_exists(dir) ? "not a directory" : "no such directory");
}

pr_status_t pr_model_config_read(const char *dir, pr_model_config_t *out, pr_error_t *err)
{
    pr_status_t status;
    pr_model_config_t c = {.bos = -1, .pad = -1};
    json_t *root = NULL, *generation = NULL;
    const family_t *family = NULL;
    char *path = pr_path_join(dir, "config.json"), *generation_path = pr_path_join(dir, "generation_config.json");
    PR_GO(pr_model_dir_check(dir, err));
    PR_GO(load_object(path, &root, err));
    if (pr_file_exists(generation_path))
        PR_GO(load_object(generation_path, &generation, err));
    pr_config_source_t s = {root, path}, g = {generation, generation_path};
    PR_GO(read_family(&s, &family, err));
    c.arch = family->arch;
    PR_GO(read_common(&s, family, &c, err));
    PR_GO(pr_config_read_tokens(&s, generation ? &g : NULL, &c, err));
    *out = c;
    c.window = NULL;
    c.stop = NULL;
    c.n_stop = 0;
done:
    pr_model_config_clear(&c);
    json_decref(root);
    json_decref(generation);
    free(path);
    free(generation_path);
    return status;
}

void pr_model_config_clear(pr_model_config_t *c)
{
    free(c->window);
    c->window = NULL;
    for (int i = 0; i < c->n_stop; i++)
        free(c->stop[i]);
    free(c->stop);
    c->stop = NULL;
    c->n_stop = 0;
}
