// SPDX-License-Identifier: BSD-3-Clause
/* Which tensor is which weight. */
#include "base/mem.h"
#include "gguf/gguf_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sizes of a weight's dimensions. */
typedef enum { NONE, VOCAB, WIDTH, INNER, QUERY, KEY, HEAD } extent_t;

/* Which models have it. */
typedef enum { ALL, UNTIED, QWEN3, ATTENTION_BIAS, QKV_BIAS, MLP_BIAS } when_t;

typedef struct row {
    const char *gguf, *name; // "attn_q.weight", "self_attn.q_proj.weight"
    extent_t out, in;        // in: NONE for vectors
    when_t when;
} row_t;

static const row_t outer[] = {{"token_embd.weight", "model.embed_tokens.weight", VOCAB, WIDTH, ALL},
                              {"output_norm.weight", "model.norm.weight", WIDTH, NONE, ALL},
                              {"output.weight", "lm_head.weight", VOCAB, WIDTH, UNTIED}};

static const row_t block[] = {{"attn_norm.weight", "input_layernorm.weight", WIDTH, NONE, ALL},
                              {"attn_q.weight", "self_attn.q_proj.weight", QUERY, WIDTH, ALL},
                              {"attn_k.weight", "self_attn.k_proj.weight", KEY, WIDTH, ALL},
                              {"attn_v.weight", "self_attn.v_proj.weight", KEY, WIDTH, ALL},
                              {"attn_output.weight", "self_attn.o_proj.weight", WIDTH, QUERY, ALL},
                              {"attn_q.bias", "self_attn.q_proj.bias", QUERY, NONE, QKV_BIAS},
                              {"attn_k.bias", "self_attn.k_proj.bias", KEY, NONE, QKV_BIAS},
                              {"attn_v.bias", "self_attn.v_proj.bias", KEY, NONE, QKV_BIAS},
                              {"attn_output.bias", "self_attn.o_proj.bias", WIDTH, NONE, ATTENTION_BIAS},
                              {"attn_q_norm.weight", "self_attn.q_norm.weight", HEAD, NONE, QWEN3},
                              {"attn_k_norm.weight", "self_attn.k_norm.weight", HEAD, NONE, QWEN3},
                              {"ffn_norm.weight", "post_attention_layernorm.weight", WIDTH, NONE, ALL},
                              {"ffn_gate.weight", "mlp.gate_proj.weight", INNER, WIDTH, ALL},
                              {"ffn_up.weight", "mlp.up_proj.weight", INNER, WIDTH, ALL},
                              {"ffn_down.weight", "mlp.down_proj.weight", WIDTH, INNER, ALL},
                              {"ffn_gate.bias", "mlp.gate_proj.bias", INNER, NONE, MLP_BIAS},
                              {"ffn_up.bias", "mlp.up_proj.bias", INNER, NONE, MLP_BIAS},
                              {"ffn_down.bias", "mlp.down_proj.bias", WIDTH, NONE, MLP_BIAS}};
enum { OUTER = sizeof outer / sizeof *outer, BLOCK = sizeof block / sizeof *block };

static bool has(const pr_gguf_model_t *m, when_t when)
{
    bool qwen2 = strcmp(m->arch, "qwen2") == 0;
    switch (when) {
    case ALL:
        return true;
    case UNTIED:
        return !m->tied;
    case QWEN3:
        return strcmp(m->arch, "qwen3") == 0;
    case ATTENTION_BIAS:
        return m->attention_bias;
    case QKV_BIAS:
        return qwen2 || m->attention_bias;
    case MLP_BIAS:
        return m->mlp_bias;
    }
    return false;
}

static int64_t extent(const pr_gguf_model_t *m, extent_t e)
{
    switch (e) {
    case VOCAB:
        return m->vocab;
    case WIDTH:
        return m->width;
    case INNER:
        return m->inner;
    case QUERY:
        return (int64_t)m->heads * m->head_dim;
    case KEY:
        return (int64_t)m->kv_heads * m->head_dim;
    case HEAD:
        return m->head_dim;
    default:
        return 0;
    }
}

static pr_status_t check_shape(const pr_gguf_t *g, const pr_gguf_model_t *m, const row_t *r, const char *name,
                               const pr_gguf_tensor_t *t, pr_error_t *err)
{
    int64_t out = extent(m, r->out), in = extent(m, r->in);
    int n_dim = r->in == NONE ? 1 : 2;
    if (!t)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%s': not there", pr_gguf_path(g), name);
    if (n_dim == 1 && t->type->block != 1)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: tensor '%s': type: found %s, expected F32, as of every vector",
                       pr_gguf_path(g), name, t->type->name);
    if (t->n_dim == n_dim && t->shape[0] == out && (n_dim == 1 || t->shape[1] == in))
        return PR_OK;
    char found[96] = "", expected[48];
    for (int i = 0; i < t->n_dim; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%lld", i ? "," : "", (long long)t->shape[i]);
    snprintf(expected, sizeof expected, n_dim == 1 ? "%lld" : "%lld,%lld", (long long)out, (long long)in);
    return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '%s': found the shape [%s], its keys say [%s]", pr_gguf_path(g),
                   name, found, expected);
}

/* llama.cpp turns the pairs (i, i + 1), transformers (i, i + half): it permutes rows of q and k for that in llama alone. */
static int permuted_heads(const pr_gguf_model_t *m, const row_t *r)
{
    if (strcmp(m->arch, "llama") != 0 || (r->out != QUERY && r->out != KEY) || strncmp(r->gguf, "attn_v", 6) == 0)
        return 0;
    return r->out == QUERY ? m->heads : m->kv_heads;
}

static pr_status_t add(const pr_gguf_t *g, const pr_gguf_model_t *m, const row_t *r, int layer, pr_gguf_weight_t *w,
                       pr_error_t *err)
{
    char name[96];
    if (layer < 0) {
        snprintf(name, sizeof name, "%s", r->gguf);
        snprintf(w->name, sizeof w->name, "%s", r->name);
    } else {
        snprintf(name, sizeof name, "blk.%d.%s", layer, r->gguf);
        snprintf(w->name, sizeof w->name, "model.layers.%d.%s", layer, r->name);
    }
    w->tensor = pr_gguf_find(g, name);
    w->heads = permuted_heads(m, r);
    return check_shape(g, m, r, name, w->tensor, err);
}

/* Every tensor is a weight, but for the factors of rotary frequencies, which config.json says. */
static pr_status_t check_all_used(const pr_gguf_t *g, const pr_gguf_weight_t *w, size_t n, pr_error_t *err)
{
    size_t count = pr_gguf_count(g);
    bool *used = pr_alloc(count, sizeof *used);
    const char *other = NULL;
    for (size_t i = 0; i < n; i++)
        used[w[i].tensor - pr_gguf_at(g, 0)] = true;
    for (size_t i = 0; i < count && !other; i++)
        if (!used[i] && strcmp(pr_gguf_at(g, i)->name, "rope_freqs.weight") != 0)
            other = pr_gguf_at(g, i)->name;
    free(used);
    return other ? pr_fail(err, PR_ERR_UNSUPPORTED, "%s: tensor '%.200s': a model of this family has no such weight",
                           pr_gguf_path(g), other)
                 : PR_OK;
}

pr_status_t pr_gguf_model_weights(const pr_gguf_t *g, const pr_gguf_model_t *m, pr_gguf_weight_t **out, size_t *n,
                                  pr_error_t *err)
{
    pr_gguf_weight_t *w = pr_alloc(OUTER + (size_t)m->layers * BLOCK, sizeof *w);
    pr_status_t status = PR_OK;
    *n = 0;
    for (int i = 0; i < OUTER && status == PR_OK; i++)
        if (has(m, outer[i].when))
            status = add(g, m, &outer[i], -1, &w[(*n)++], err);
    for (int l = 0; l < m->layers && status == PR_OK; l++)
        for (int i = 0; i < BLOCK && status == PR_OK; i++)
            if (has(m, block[i].when))
                status = add(g, m, &block[i], l, &w[(*n)++], err);
    if (status == PR_OK)
        status = check_all_used(g, w, *n, err);
    if (status != PR_OK) {
        free(w);
        return status;
    }
    *out = w;
    return PR_OK;
}

int64_t pr_gguf_weight_row(const pr_gguf_weight_t *w, int64_t r)
{
    if (w->heads == 0)
        return r;
    int64_t size = w->tensor->shape[0] / w->heads, half = size / 2, head = r / size, i = r % size;
    return head * size + (i < half ? 2 * i : 2 * (i - half) + 1);
}
