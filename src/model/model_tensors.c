// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "model/model_parts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    pr_model_t *m;
    pr_model_spec_t *spec;
    size_t n, cap;
    const char *prefix; // of every name but the head's
} list_t;

__attribute__((format(printf, 6, 7))) static void add(list_t *l, pr_spec_kind_t kind, const float **at, int rows,
                                                      int cols, const char *format, ...)
{
    assert(l->n < l->cap);
    pr_model_spec_t *s = &l->spec[l->n++];
    *s = (pr_model_spec_t){.kind = kind, .at = at, .n_dim = cols ? 2 : 1, .shape = {rows, cols ? cols : 1}};
    s->prefix = strlen(l->prefix);
    memcpy(s->name, l->prefix, s->prefix);
    va_list args;
    va_start(args, format);
    vsnprintf(s->name + s->prefix, sizeof s->name - s->prefix, format, args);
    va_end(args);
}

// Says which slot the last spec belongs to.
static void of_slot(list_t *l, int layer, pr_slot_t slot)
{
    l->spec[l->n - 1].layer = layer;
    l->spec[l->n - 1].slot = slot;
}

// The weight of a slot and, where the architecture has one, its bias.
static void add_slot(list_t *l, int layer, pr_slot_t slot, bool bias)
{
    const pr_model_config_t *c = &l->m->config;
    pr_weight_t *w = &l->m->layer[layer].w[slot];
    char module[96];
    bool conv = c->arch == PR_ARCH_GPT2;
    if (!pr_slot_shape(c, slot, &w->out, &w->in))
        return;
    w->transposed = conv;
    w->ld = conv ? w->out : w->in;
    pr_slot_module(c, layer, slot, module, sizeof module);
    const char *name = module + strlen(l->prefix);
    add(l, PR_SPEC_WEIGHT, &w->data, conv ? w->in : w->out, conv ? w->out : w->in, "%s.weight", name);
    of_slot(l, layer, slot);
    if (bias) {
        add(l, PR_SPEC_BIAS, &l->m->layer[layer].bias[slot], w->out, 0, "%s.bias", name);
        of_slot(l, layer, slot);
    }
}

static void add_norm(list_t *l, const float **w, const float **b, int layer, const char *name)
{
    int d = l->m->config.d_model;
    const char *stem = l->m->config.arch == PR_ARCH_GPT2 ? "h" : "layers";
    add(l, PR_SPEC_NORM, w, d, 0, "%s.%d.%s.weight", stem, layer, name);
    if (l->m->config.arch == PR_ARCH_GPT2)
        add(l, PR_SPEC_NORM, b, d, 0, "%s.%d.%s.bias", stem, layer, name);
}

static bool has_bias(const pr_model_config_t *c, pr_slot_t slot)
{
    if (slot >= PR_SLOT_GATE)
        return c->mlp_bias;
    return slot == PR_SLOT_O ? c->o_bias : c->qkv_bias;
}

static void add_layer(list_t *l, int i)
{
    const pr_model_config_t *c = &l->m->config;
    pr_layer_t *layer = &l->m->layer[i];
    bool gpt2 = c->arch == PR_ARCH_GPT2;
    add_norm(l, &layer->norm1_w, &layer->norm1_b, i, gpt2 ? "ln_1" : "input_layernorm");
    for (int slot = 0; slot < PR_SLOT_GATE; slot++)
        add_slot(l, i, (pr_slot_t)slot, has_bias(c, (pr_slot_t)slot));
    if (c->qk_norm) {
        add(l, PR_SPEC_HEAD_NORM, &layer->q_norm, c->head_dim, 0, "layers.%d.self_attn.q_norm.weight", i);
        add(l, PR_SPEC_HEAD_NORM, &layer->k_norm, c->head_dim, 0, "layers.%d.self_attn.k_norm.weight", i);
    }
    add_norm(l, &layer->norm2_w, &layer->norm2_b, i, gpt2 ? "ln_2" : "post_attention_layernorm");
    for (int slot = PR_SLOT_GATE; slot < PR_N_SLOT; slot++)
        add_slot(l, i, (pr_slot_t)slot, has_bias(c, (pr_slot_t)slot));
}

static void shape_head(pr_weight_t *w, int out, int in)
{
    w->out = out;
    w->in = w->ld = in;
    w->transposed = false;
}

static void add_heads(list_t *l)
{
    pr_model_t *m = l->m;
    const pr_model_config_t *c = &m->config;
    l->prefix = "";
    if (c->n_label) {
        shape_head(&m->score, c->n_label, c->d_model);
        add(l, PR_SPEC_SCORE, &m->score.data, c->n_label, c->d_model, "score.weight");
    } else {
        shape_head(&m->head, c->vocab, c->d_model);
        if (!c->tied_head)
            add(l, PR_SPEC_HEAD, &m->head.data, c->vocab, c->d_model, "lm_head.weight");
    }
}

pr_model_spec_t *pr_model_specs(pr_model_t *m, size_t *n)
{
    enum { PER_LAYER = 6 + 2 * PR_N_SLOT, REST = 5 };
    const pr_model_config_t *c = &m->config;
    bool gpt2 = c->arch == PR_ARCH_GPT2;
    list_t l = {.m = m, .cap = (size_t)c->n_layer * PER_LAYER + REST, .prefix = gpt2 ? "transformer." : "model."};
    l.spec = pr_alloc(l.cap, sizeof *l.spec);
    add(&l, PR_SPEC_EMBED, &m->embed, c->vocab, c->d_model, gpt2 ? "wte.weight" : "embed_tokens.weight");
    if (gpt2)
        add(&l, PR_SPEC_POS, &m->pos, c->max_pos, c->d_model, "wpe.weight");
    for (int i = 0; i < c->n_layer; i++)
        add_layer(&l, i);
    add(&l, PR_SPEC_NORM, &m->norm_w, c->d_model, 0, gpt2 ? "ln_f.weight" : "norm.weight");
    if (gpt2)
        add(&l, PR_SPEC_NORM, &m->norm_b, c->d_model, 0, "ln_f.bias");
    add_heads(&l);
    *n = l.n;
    return l.spec;
}

void pr_model_tie(pr_model_t *m)
{
    if (!m->config.n_label && m->config.tied_head)
        m->head.data = m->embed;
}

static size_t spec_size(const pr_model_spec_t *s)
{
    return (size_t)s->shape[0] * (size_t)s->shape[1];
}

int64_t pr_model_config_params(const pr_model_config_t *c)
{
    size_t n, total = 0;
    pr_model_t m = {.config = *c, .layer = pr_alloc((size_t)c->n_layer, sizeof *m.layer)};
    pr_model_spec_t *spec = pr_model_specs(&m, &n);
    for (size_t i = 0; i < n; i++)
        total += spec_size(&spec[i]);
    free(spec);
    free(m.layer);
    return (int64_t)total;
}

pr_model_tensor_t *pr_model_tensors(const pr_model_t *m, size_t *n)
{
    if (m->part.cols > 1)
        return pr_model_part_tensors(m, n);
    // A copy to list from, so that the model itself stays untouched.
    pr_model_t copy = *m;
    copy.layer = pr_alloc((size_t)m->config.n_layer, sizeof *copy.layer);
    memcpy(copy.layer, m->layer, (size_t)m->config.n_layer * sizeof *copy.layer);
    pr_model_spec_t *spec = pr_model_specs(&copy, n);
    pr_model_tensor_t *out = pr_alloc(*n, sizeof *out);
    for (size_t i = 0; i < *n; i++) {
        out[i] = (pr_model_tensor_t){.data = (float *)(uintptr_t)*spec[i].at,
                                     .n_dim = spec[i].n_dim,
                                     .shape = {spec[i].shape[0], spec[i].shape[1]},
                                     .n = spec_size(&spec[i])};
        memcpy(out[i].name, spec[i].name, sizeof out[i].name);
    }
    free(spec);
    free(copy.layer);
    return out;
}

/* ---- storage ---- */

float *pr_model_block(pr_model_t *m, size_t n)
{
    pr_model_storage_t *s = m->storage;
    float *block = pr_alloc_matrix(n, sizeof *block);
    if (!block)
        return NULL;
    if (s->n_block == s->cap_block) {
        s->cap_block = 2 * s->cap_block + 64;
        s->block = pr_realloc(s->block, s->cap_block, sizeof *s->block);
    }
    s->block[s->n_block++] = block;
    m->bytes += n * sizeof *block;
    return block;
}

static bool is_owned(const pr_model_storage_t *s, size_t n_block, const float *p)
{
    for (size_t i = 0; i < n_block; i++)
        if (s->block[i] == p)
            return true;
    return false;
}

pr_status_t pr_model_make_writable(pr_model_t *m, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    size_t n, n_owned = m->storage->n_block;
    if (!m->storage->files && !m->storage->shared)
        return PR_OK;
    pr_model_spec_t *spec = pr_model_specs(m, &n);
    for (size_t i = 0; i < n; i++) {
        size_t size = spec_size(&spec[i]);
        if (is_owned(m->storage, n_owned, *spec[i].at))
            continue;
        float *copy = pr_model_block(m, size);
        if (!copy)
            PR_GO(pr_fail(err, PR_ERR_MEMORY, "no memory for a writable copy of tensor '%s' (%zu floats)", spec[i].name,
                          size));
        memcpy(copy, *spec[i].at, size * sizeof *copy);
        m->bytes -= size * sizeof *copy; // the mapped or shared one is given up below
        m->shared_bytes -= size * sizeof *copy;
        *spec[i].at = copy;
    }
    pr_safetensors_close(&m->storage->files);
    pr_shared_block_close(&m->storage->shared);
done:
    pr_model_tie(m);
    free(spec);
    return status;
}
