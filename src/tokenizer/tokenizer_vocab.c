// SPDX-License-Identifier: BSD-3-Clause
#include "base/hash.h"
#include "tokenizer/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

/* A power of two that leaves at least half of the slots free. */
static uint32_t slots_for(size_t n)
{
    uint32_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

void pr_tok_vocab_init(pr_tok_vocab_t *v, size_t tokens, uint32_t size)
{
    *v = (pr_tok_vocab_t){.size = size};
    v->offset = pr_alloc(size, sizeof *v->offset);
    v->length = pr_alloc(size, sizeof *v->length);
    v->in_model = pr_alloc(size, 1);
    memset(v->offset, 0xFF, size * sizeof *v->offset);
    uint32_t slots = slots_for(tokens);
    v->slots = pr_alloc(slots, sizeof *v->slots);
    v->slot_mask = slots - 1;
}

void pr_tok_vocab_free(pr_tok_vocab_t *v)
{
    pr_buf_free(&v->bytes);
    free(v->offset);
    free(v->length);
    free(v->in_model);
    free(v->slots);
    *v = (pr_tok_vocab_t){0};
}

/* The slot of a text, or the free one where it would go. */
static uint32_t *slot_of(const pr_tok_vocab_t *v, const char *s, size_t n)
{
    for (uint32_t i = (uint32_t)pr_hash64(s, n) & v->slot_mask;; i = (i + 1) & v->slot_mask) {
        uint32_t id = v->slots[i] - 1;
        if (!v->slots[i] || (v->length[id] == n && memcmp(v->bytes.data + v->offset[id], s, n) == 0))
            return &v->slots[i];
    }
}

void pr_tok_vocab_add(pr_tok_vocab_t *v, const char *s, size_t n, uint32_t id, bool in_model)
{
    uint32_t *slot = slot_of(v, s, n);
    v->offset[id] = (uint32_t)v->bytes.len;
    v->length[id] = (uint32_t)n;
    v->in_model[id] = in_model;
    pr_buf_add(&v->bytes, s, n);
    *slot = id + 1;
    v->count++;
    if (n > v->longest)
        v->longest = (uint32_t)n;
}

uint32_t pr_tok_vocab_find(const pr_tok_vocab_t *v, const char *s, size_t n)
{
    return n > v->longest || !v->count ? PR_TOK_NONE : *slot_of(v, s, n) - 1;
}

uint32_t pr_tok_vocab_find_model(const pr_tok_vocab_t *v, const char *s, size_t n)
{
    uint32_t id = pr_tok_vocab_find(v, s, n);
    return id != PR_TOK_NONE && v->in_model[id] ? id : PR_TOK_NONE;
}

void pr_tok_vocab_trim(pr_tok_vocab_t *v)
{
    while (v->size && v->offset[v->size - 1] == PR_TOK_NONE)
        v->size--;
}

bool pr_tok_vocab_has(const pr_tok_vocab_t *v, uint32_t id)
{
    return id < v->size && v->offset[id] != PR_TOK_NONE;
}

void pr_tok_merges_init(pr_tok_merges_t *m, size_t n)
{
    uint32_t slots = slots_for(n);
    *m = (pr_tok_merges_t){.slot_mask = slots - 1, .n = (uint32_t)n};
    m->slots = pr_alloc(slots, sizeof *m->slots);
    memset(m->slots, 0xFF, slots * sizeof *m->slots);
    m->result = pr_alloc(n, sizeof *m->result);
}

void pr_tok_merges_free(pr_tok_merges_t *m)
{
    free(m->slots);
    free(m->result);
    *m = (pr_tok_merges_t){0};
}

void pr_tok_merges_add(pr_tok_merges_t *m, uint32_t a, uint32_t b, uint32_t rank, uint32_t result)
{
    uint64_t h = ((uint64_t)a << 32 | b) * UINT64_C(0x9E3779B97F4A7C15);
    uint32_t i = (uint32_t)(h >> 32) & m->slot_mask;
    while (m->slots[i].rank != PR_TOK_NONE && (m->slots[i].a != a || m->slots[i].b != b))
        i = (i + 1) & m->slot_mask;
    m->slots[i] = (struct pr_tok_merge){a, b, rank};
    m->result[rank] = result;
}
