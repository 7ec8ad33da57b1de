// SPDX-License-Identifier: BSD-3-Clause
/* Small random models of any architecture, written as a Hugging Face directory and loaded from it; needs scratch_make()
 * of model_files.h before. */
#ifndef TESTS_TINY_MODEL_H
#define TESTS_TINY_MODEL_H

#include "model/head.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "model/transformer.h"
#include "unit/model/model_files.h"

#include <math.h>
#include <stdarg.h>

#define TINY_OK(expr)                                                                                                  \
    do {                                                                                                               \
        pr_error_t tiny_err_ = {0};                                                                                    \
        pr_error_t *const err = &tiny_err_;                                                                            \
        pr_status_t tiny_status_ = (expr);                                                                             \
        ck_assert_msg(tiny_status_ == PR_OK, "%s: %s", #expr, err->text);                                              \
    } while (0)

#define TINY_GPT2                                                                                                      \
    "{\"model_type\":\"gpt2\",\"architectures\":[\"GPT2LMHeadModel\"],\"vocab_size\":61,\"n_positions\":600,"          \
    "\"n_embd\":24,\"n_layer\":2,\"n_head\":3,\"n_inner\":40,\"activation_function\":\"gelu_new\","                    \
    "\"layer_norm_epsilon\":1e-5,\"bos_token_id\":0,\"eos_token_id\":0}"
#define TINY_FAMILY(type, arch, more)                                                                                  \
    "{\"model_type\":\"" type "\",\"architectures\":[\"" arch "\"],\"vocab_size\":61,\"hidden_size\":24,"              \
    "\"intermediate_size\":40,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"            \
    "\"max_position_embeddings\":600,\"rms_norm_eps\":1e-5,\"hidden_act\":\"silu\",\"bos_token_id\":0,"                \
    "\"eos_token_id\":0" more "}"
#define TINY_LLAMA                                                                                                     \
    TINY_FAMILY("llama", "LlamaForCausalLM", ",\"tie_word_embeddings\":false,\"attention_bias\":true,\"mlp_bias\":true")
#define TINY_QWEN2 TINY_FAMILY("qwen2", "Qwen2ForCausalLM", ",\"tie_word_embeddings\":true")
#define TINY_QWEN3 TINY_FAMILY("qwen3", "Qwen3ForCausalLM", ",\"tie_word_embeddings\":true,\"head_dim\":10")
#define TINY_MISTRAL TINY_FAMILY("mistral", "MistralForCausalLM", ",\"tie_word_embeddings\":false,\"sliding_window\":5")

static const pr_rng_key_t tiny_key = {{1, 2, 3, 4}};

typedef struct tiny_list {
    pr_tensor_t tensor[256];
    size_t n;
    uint64_t seed;
} tiny_list_t;

__attribute__((format(printf, 5, 6))) static inline void tiny_add(tiny_list_t *l, double mean, int rows, int cols,
                                                                  const char *format, ...)
{
    char name[128];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    ck_assert(l->n < 256);
    size_t n = (size_t)rows * (size_t)(cols ? cols : 1);
    float *data = pr_alloc(n, sizeof *data);
    double scale = cols ? 0.9 / sqrt((double)cols) : 0.2;
    for (size_t i = 0; i < n; i++)
        data[i] = (float)(mean + scale * pr_rng_normal(&tiny_key, l->seed, l->n, i, 0));
    l->tensor[l->n++] = (pr_tensor_t){.name = pr_strdup(name),
                                      .dtype = PR_DTYPE_F32,
                                      .n_dim = cols ? 2 : 1,
                                      .shape = {rows, cols},
                                      .n = (int64_t)n,
                                      .data = (const unsigned char *)data,
                                      .bytes = 4 * n};
}

static inline bool tiny_has_bias(const pr_model_config_t *c, int slot)
{
    if (slot >= PR_SLOT_GATE)
        return c->mlp_bias;
    return slot == PR_SLOT_O ? c->o_bias : c->qkv_bias;
}

static inline void tiny_layer(tiny_list_t *l, const pr_model_config_t *c, int layer)
{
    bool gpt2 = c->arch == PR_ARCH_GPT2;
    char module[128];
    int out, in;
    for (int s = 0; s < PR_N_SLOT; s++)
        if (pr_slot_shape(c, (pr_slot_t)s, &out, &in)) {
            pr_slot_module(c, layer, (pr_slot_t)s, module, sizeof module);
            tiny_add(l, 0, gpt2 ? in : out, gpt2 ? out : in, "%s.weight", module);
            if (tiny_has_bias(c, s))
                tiny_add(l, 0, out, 0, "%s.bias", module);
        }
    for (int i = 0; i < 2; i++) {
        if (gpt2) {
            tiny_add(l, 1, c->d_model, 0, "transformer.h.%d.ln_%d.weight", layer, i + 1);
            tiny_add(l, 0, c->d_model, 0, "transformer.h.%d.ln_%d.bias", layer, i + 1);
        } else {
            tiny_add(l, 1, c->d_model, 0, "model.layers.%d.%s_layernorm.weight", layer, i ? "post_attention" : "input");
        }
        if (c->qk_norm)
            tiny_add(l, 1, c->head_dim, 0, "model.layers.%d.self_attn.%c_norm.weight", layer, i ? 'k' : 'q');
    }
}

/* A model of this config.json. The same text and seed give the same weights. */
static inline pr_model_t *tiny_model(const char *config, uint64_t seed)
{
    pr_model_config_t c = {0};
    pr_model_t *m = NULL;
    tiny_list_t l = {.seed = seed};
    char path[512];
    scratch_text("config.json", config);
    TINY_OK(pr_model_config_read(scratch, &c, err));
    if (c.arch == PR_ARCH_GPT2) {
        tiny_add(&l, 0, c.vocab, c.d_model, "transformer.wte.weight");
        tiny_add(&l, 0, c.max_pos, c.d_model, "transformer.wpe.weight");
        tiny_add(&l, 1, c.d_model, 0, "transformer.ln_f.weight");
        tiny_add(&l, 0, c.d_model, 0, "transformer.ln_f.bias");
    } else {
        tiny_add(&l, 0, c.vocab, c.d_model, "model.embed_tokens.weight");
        tiny_add(&l, 1, c.d_model, 0, "model.norm.weight");
    }
    if (!c.tied_head)
        tiny_add(&l, 0, c.vocab, c.d_model, "lm_head.weight");
    for (int i = 0; i < c.n_layer; i++)
        tiny_layer(&l, &c, i);
    scratch_path(path, "model.safetensors");
    TINY_OK(pr_safetensors_write(path, l.tensor, l.n, err));
    TINY_OK(pr_model_load(scratch, &m, err));
    for (size_t i = 0; i < l.n; i++) {
        free((char *)(uintptr_t)l.tensor[i].name);
        free((void *)(uintptr_t)l.tensor[i].data);
    }
    pr_model_config_clear(&c);
    return m;
}

/* An adapter of all linear maps with A and B both random. */
static inline pr_adapter_t *tiny_adapter(const pr_model_t *m, int r, uint64_t seed)
{
    pr_adapter_t *a = NULL;
    pr_adapter_options_t o = {.r = r, .alpha = 2.0 * r};
    TINY_OK(pr_adapter_new(&m->config, &o, &tiny_key, &a, err));
    for (size_t i = 0; i < a->n_data; i++)
        a->data[i] = (float)(0.25 * pr_rng_normal(&tiny_key, seed, 77, i, 0));
    return a;
}

/* n sequences of these lengths with arbitrary tokens; the caller frees token. */
typedef struct tiny_batch {
    int start[33];
    int32_t *token;
    pr_batch_t b;
} tiny_batch_t;

static inline void tiny_sequences(tiny_batch_t *t, const pr_model_t *m, int n, const int *len)
{
    *t = (tiny_batch_t){0};
    for (int i = 0; i < n; i++)
        t->start[i + 1] = t->start[i] + len[i];
    t->token = pr_alloc((size_t)t->start[n], sizeof *t->token);
    for (int i = 0; i < t->start[n]; i++)
        t->token[i] = (int32_t)((i * 37 + i / 7 + 5) % m->config.vocab);
    t->b = (pr_batch_t){.n_seq = n, .seq_start = t->start, .token = t->token};
}

/* h [T,d] of the batch; the caller frees it. */
static inline float *tiny_forward(const pr_model_t *m, const pr_batch_t *b, bool save)
{
    pr_run_t *run = NULL;
    float *h = pr_alloc((size_t)b->seq_start[b->n_seq] * (size_t)m->config.d_model, sizeof *h);
    TINY_OK(pr_run_new(m, pr_linalg_local(), save, &run, err));
    TINY_OK(pr_forward(run, b, h, err));
    pr_run_free(&run);
    return h;
}

static inline void tiny_close(const char *what, size_t n, const float *found, const float *expected, double tolerance)
{
    double scale = 0;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)expected[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)found[i] - (double)expected[i]) <= tolerance * scale,
                      "%s: at %zu found %g, expected %g", what, i, found[i], expected[i]);
}

#endif
