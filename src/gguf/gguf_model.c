// SPDX-License-Identifier: BSD-3-Clause
#include "gguf/gguf_model.h"
#include "gguf/gguf_rope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEY = 96, MAX_WIDTH = 1 << 20, MAX_INNER = 1 << 24, MAX_VOCAB = 1 << 27, MAX_LAYERS = 10000 };

static const char *const families[] = {"llama", "qwen2", "qwen3"};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static pr_status_t read_family(const pr_gguf_t *g, pr_gguf_model_t *m, pr_error_t *err)
{
    const char *key = "general.architecture", *name = NULL, *type = "model";
    PR_TRY(pr_gguf_require(g, key, err));
    PR_TRY(pr_gguf_string(g, key, &name, err));
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (is(name, families[i]))
            m->arch = families[i];
    if (!m->arch)
        return pr_gguf_unsupported(g, key, name, "llama, qwen2 or qwen3", err);
    PR_TRY(pr_gguf_string(g, "general.type", &type, err));
    return is(type, "model") ? PR_OK : pr_gguf_unsupported(g, "general.type", type, "model", err);
}

/* ---- keys of the family: "llama.block_count" ---- */

static const char *key_of(const pr_gguf_model_t *m, const char *name, char key[MAX_KEY])
{
    snprintf(key, MAX_KEY, "%s.%s", m->arch, name);
    return key;
}

/* 1 to max; dflt where it is missing, 0: it must be there. */
static pr_status_t size(const pr_gguf_t *g, const pr_gguf_model_t *m, const char *name, int dflt, int max, int *out,
                        pr_error_t *err)
{
    char key[MAX_KEY];
    int64_t value = dflt;
    key_of(m, name, key);
    if (dflt == 0)
        PR_TRY(pr_gguf_require(g, key, err));
    PR_TRY(pr_gguf_int(g, key, 1, max, &value, err));
    *out = (int)value;
    return PR_OK;
}

static pr_status_t wrong(const pr_gguf_t *g, const pr_gguf_model_t *m, const char *name, double found,
                         const char *expected, pr_error_t *err)
{
    char key[MAX_KEY], text[32];
    snprintf(text, sizeof text, "%.9g", found);
    return pr_gguf_unsupported(g, key_of(m, name, key), text, expected, err);
}

/* A key that says what the family does anyway. */
static pr_status_t expect(const pr_gguf_t *g, const pr_gguf_model_t *m, const char *name, double value, pr_error_t *err)
{
    char key[MAX_KEY], expected[48];
    double found = value;
    PR_TRY(pr_gguf_real(g, key_of(m, name, key), &found, err));
    snprintf(expected, sizeof expected, "%.9g in a model of this family", value);
    return found == value ? PR_OK : wrong(g, m, name, found, expected, err);
}

static pr_status_t read_sizes(const pr_gguf_t *g, pr_gguf_model_t *m, pr_error_t *err)
{
    char expected[64];
    PR_TRY(size(g, m, "block_count", 0, MAX_LAYERS, &m->layers, err));
    PR_TRY(size(g, m, "embedding_length", 0, MAX_WIDTH, &m->width, err));
    PR_TRY(size(g, m, "feed_forward_length", 0, MAX_INNER, &m->inner, err));
    PR_TRY(size(g, m, "context_length", 0, 1 << 30, &m->context, err));
    PR_TRY(size(g, m, "attention.head_count", 0, MAX_WIDTH, &m->heads, err));
    PR_TRY(size(g, m, "attention.head_count_kv", m->heads, MAX_WIDTH, &m->kv_heads, err));
    snprintf(expected, sizeof expected, "a divisor of attention.head_count %d", m->heads);
    if (m->heads % m->kv_heads)
        return wrong(g, m, "attention.head_count_kv", m->kv_heads, expected, err);
    char key[MAX_KEY];
    bool given = pr_gguf_has(g, key_of(m, "attention.key_length", key));
    snprintf(expected, sizeof expected, "a divisor of embedding_length %d", m->width);
    if (!given && m->width % m->heads)
        return wrong(g, m, "attention.head_count", m->heads, expected, err);
    PR_TRY(size(g, m, "attention.key_length", given ? 0 : m->width / m->heads, MAX_WIDTH, &m->head_dim, err));
    if (m->head_dim % 2 || (int64_t)m->head_dim * m->heads > MAX_WIDTH)
        return wrong(g, m, "attention.key_length", m->head_dim, "an even number, and at most 1048576 in all heads",
                     err);
    PR_TRY(expect(g, m, "attention.value_length", m->head_dim, err));
    return expect(g, m, "rope.dimension_count", m->head_dim, err);
}

/* The embedding's rows are the vocabulary. */
static pr_status_t read_vocab(const pr_gguf_t *g, pr_gguf_model_t *m, pr_error_t *err)
{
    const pr_gguf_tensor_t *t = pr_gguf_find(g, "token_embd.weight");
    if (!t)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor 'token_embd.weight': not there", pr_gguf_path(g));
    if (t->n_dim != 2 || t->shape[0] > MAX_VOCAB)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: tensor 'token_embd.weight': found %d dimensions and %lld rows, "
                       "expected 2 and at most %d",
                       pr_gguf_path(g), t->n_dim, (long long)t->shape[0], MAX_VOCAB);
    m->vocab = (int)t->shape[0];
    return expect(g, m, "vocab_size", m->vocab, err);
}

static pr_status_t read_eps(const pr_gguf_t *g, pr_gguf_model_t *m, pr_error_t *err)
{
    char key[MAX_KEY];
    PR_TRY(pr_gguf_require(g, key_of(m, "attention.layer_norm_rms_epsilon", key), err));
    PR_TRY(pr_gguf_real(g, key, &m->eps, err));
    if (!(m->eps >= 0 && m->eps < 1))
        return wrong(g, m, "attention.layer_norm_rms_epsilon", m->eps, "a number in [0,1)", err);
    m->eps = pr_gguf_decimal(m->eps);
    return PR_OK;
}

/* ---- keys that nobody has asked for would change what is computed ---- */

static pr_status_t check_keys(const pr_gguf_t *g, const pr_gguf_model_t *m, pr_error_t *err)
{
    static const char *const known[] = {"block_count",
                                        "embedding_length",
                                        "feed_forward_length",
                                        "context_length",
                                        "attention.head_count",
                                        "attention.head_count_kv",
                                        "attention.key_length",
                                        "attention.value_length",
                                        "attention.layer_norm_rms_epsilon",
                                        "vocab_size",
                                        "rope.dimension_count",
                                        "rope.freq_base",
                                        "rope.scale_linear",
                                        "rope.scaling.type",
                                        "rope.scaling.factor",
                                        "rope.scaling.finetuned",
                                        "rope.scaling.original_context_length",
                                        "rope.scaling.attn_factor",
                                        "expert_count",
                                        "expert_used_count",
                                        "attention.causal",
                                        "tensor_data_layout",
                                        "use_parallel_residual"};
    size_t prefix = strlen(m->arch);
    const char *key;
    for (size_t i = 0; (key = pr_gguf_key(g, i)) != NULL; i++) {
        if (strncmp(key, m->arch, prefix) != 0 || key[prefix] != '.')
            continue;
        size_t k = 0, n = sizeof known / sizeof *known;
        while (k < n && !is(key + prefix + 1, known[k]))
            k++;
        if (k == n)
            return pr_gguf_unsupported(g, key, "a value", "no such key in a model of this family", err);
    }
    PR_TRY(expect(g, m, "expert_count", 0, err));
    PR_TRY(expect(g, m, "expert_used_count", 0, err));
    PR_TRY(expect(g, m, "rope.scaling.attn_factor", 1, err));
    int64_t files = 1;
    PR_TRY(pr_gguf_int(g, "split.count", 0, INT64_MAX, &files, err));
    if (files > 1)
        return pr_gguf_unsupported(g, "split.count", "a part of a model", "a whole one (join them by gguf-split)", err);
    static const struct {
        const char *name;
        bool value;
    } bools[] = {{"attention.causal", true}, {"use_parallel_residual", false}};
    for (size_t i = 0; i < 2; i++) {
        char name[MAX_KEY];
        bool found = bools[i].value;
        PR_TRY(pr_gguf_bool(g, key_of(m, bools[i].name, name), &found, err));
        if (found != bools[i].value)
            return pr_gguf_unsupported(g, name, found ? "true" : "false", found ? "false" : "true", err);
    }
    return PR_OK;
}

/* ---- biases ---- */

static bool in_first_block(const pr_gguf_t *g, const char *name)
{
    char whole[MAX_KEY];
    snprintf(whole, sizeof whole, "blk.0.%s", name);
    return pr_gguf_find(g, whole) != NULL;
}

static void find_optional(const pr_gguf_t *g, pr_gguf_model_t *m)
{
    m->tied = !pr_gguf_find(g, "output.weight");
    m->attention_bias = !is(m->arch, "qwen2") && in_first_block(g, "attn_q.bias");
    m->mlp_bias = is(m->arch, "llama") && in_first_block(g, "ffn_up.bias");
}

pr_status_t pr_gguf_model_read(const pr_gguf_t *g, pr_gguf_model_t *out, pr_error_t *err)
{
    pr_gguf_model_t m = {.arch = NULL};
    PR_TRY(read_family(g, &m, err));
    PR_TRY(read_sizes(g, &m, err));
    PR_TRY(read_vocab(g, &m, err));
    PR_TRY(read_eps(g, &m, err));
    PR_TRY(check_keys(g, &m, err));
    PR_TRY(pr_gguf_rope_read(g, &m, err));
    find_optional(g, &m);
    *out = m;
    return PR_OK;
}

json_t *pr_gguf_model_config(const pr_gguf_model_t *m)
{
    static const char *const classes[] = {"LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"};
    const char *class = classes[0];
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (is(m->arch, families[i]))
            class = classes[i];
    json_t *c =
        json_pack("{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s}", "architectures", class, "model_type",
                  m->arch, "vocab_size", m->vocab, "hidden_size", m->width, "intermediate_size", m->inner,
                  "num_hidden_layers", m->layers, "num_attention_heads", m->heads, "num_key_value_heads", m->kv_heads,
                  "head_dim", m->head_dim, "max_position_embeddings", m->context, "hidden_act", "silu");
    json_object_set_new(c, "rms_norm_eps", pr_json_real(m->eps));
    json_object_set_new(c, "rope_theta", pr_json_real(m->theta));
    json_object_set_new(c, "rope_scaling", pr_gguf_rope_config(m));
    json_object_set_new(c, "tie_word_embeddings", json_boolean(m->tied));
    json_object_set_new(c, "attention_dropout", pr_json_real(0));
    json_object_set_new(c, "use_cache", json_true());
    if (is(m->arch, "qwen2") || is(m->arch, "qwen3"))
        json_object_set_new(c, "use_sliding_window", json_false());
    if (!is(m->arch, "qwen2"))
        json_object_set_new(c, "attention_bias", json_boolean(m->attention_bias));
    if (is(m->arch, "llama"))
        json_object_set_new(c, "mlp_bias", json_boolean(m->mlp_bias));
    return c;
}
