// SPDX-License-Identifier: BSD-3-Clause
/* Byte-pair encoding of a piece (Sennrich, Haddow and Birch 2016): the merge of lowest rank first, the leftmost of
 * those. Short pieces search all pairs each time; long ones keep a queue, so that the time is O(n log n). */
#include "base/hash.h"
#include "tokenizer/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    SHORT = 24,     // symbols up to which searching all pairs is faster than a queue
    CACHE_KEY = 48, // bytes of the longest piece that is kept
    CACHE_PROBES = 4,
    CACHE_BYTES = 8 << 20, // texts kept before the cache starts afresh
};

typedef struct pr_tok_cache {
    struct entry {
        uint64_t hash;
        uint32_t key, ids; // where they start in keys and in ids
        uint8_t key_len, n_ids;
    } * entries;
    size_t mask;
    pr_buf_t keys, ids;
} pr_tok_cache_t;

pr_tok_cache_t *pr_tok_cache_new(size_t text_len)
{
    if (text_len < 1024)
        return NULL; // clearing a table would cost more than it saves
    size_t slots = 256;
    while (slots < text_len / 32 && slots < 1 << 16)
        slots *= 2;
    pr_tok_cache_t *cache = pr_alloc(1, sizeof *cache);
    cache->entries = pr_alloc(slots, sizeof *cache->entries);
    cache->mask = slots - 1;
    return cache;
}

void pr_tok_cache_free(pr_tok_cache_t *cache)
{
    if (!cache)
        return;
    free(cache->entries);
    pr_buf_free(&cache->keys);
    pr_buf_free(&cache->ids);
    free(cache);
}

/* The entry of a piece (key_len > 0), or the one that it may take. */
static struct entry *cache_find(const pr_tok_cache_t *cache, uint64_t hash, const char *s, size_t n)
{
    struct entry *e = NULL;
    for (size_t k = 0; k < CACHE_PROBES; k++) {
        e = &cache->entries[(hash + k) & cache->mask];
        if (!e->key_len || (e->hash == hash && e->key_len == n && memcmp(cache->keys.data + e->key, s, n) == 0))
            return e;
    }
    e = &cache->entries[hash & cache->mask];
    e->key_len = 0;
    return e;
}

static void cache_put(pr_tok_cache_t *cache, struct entry *e, uint64_t hash, const char *s, size_t n,
                      const int32_t *ids, size_t n_ids)
{
    if (n_ids > UINT8_MAX)
        return;
    if (cache->keys.len + cache->ids.len > CACHE_BYTES) {
        memset(cache->entries, 0, (cache->mask + 1) * sizeof *cache->entries);
        cache->keys.len = cache->ids.len = 0;
    }
    *e = (struct entry){.hash = hash,
                        .key = (uint32_t)cache->keys.len,
                        .ids = (uint32_t)cache->ids.len,
                        .key_len = (uint8_t)n,
                        .n_ids = (uint8_t)n_ids};
    pr_buf_add(&cache->keys, s, n);
    pr_buf_add(&cache->ids, ids, n_ids * sizeof *ids);
}

static void reserve_ids(pr_tok_ctx_t *ctx, size_t more)
{
    if (ctx->n + more > ctx->cap) {
        ctx->cap = 2 * (ctx->n + more) + 16;
        ctx->ids = pr_realloc(ctx->ids, ctx->cap, sizeof *ctx->ids);
    }
}

void pr_tok_ctx_add(pr_tok_ctx_t *ctx, uint32_t id)
{
    reserve_ids(ctx, 1);
    ctx->ids[ctx->n++] = (int32_t)id;
}

/* ---- a piece's first symbols: its characters ---- */

/* One character, s [n]; the unknown token waits until it is known whether the next one is unknown as well. */
static pr_status_t add_char(pr_tok_ctx_t *ctx, uint32_t id, const char *s, size_t n, bool *unknown)
{
    const pr_tokenizer_t *t = ctx->t;
    if (id != PR_TOK_NONE) {
        if (*unknown)
            ctx->sym[ctx->n_sym++] = t->unk_id;
        *unknown = false;
        ctx->sym[ctx->n_sym++] = id;
        return PR_OK;
    }
    bool all = t->byte_fallback;
    for (size_t i = 0; all && i < n; i++)
        all = t->fallback_id[(unsigned char)s[i]] != PR_TOK_NONE;
    if (all) {
        for (size_t i = 0; i < n; i++)
            ctx->sym[ctx->n_sym++] = t->fallback_id[(unsigned char)s[i]];
        return PR_OK; // an unknown token that waits keeps waiting, as in the Rust library
    }
    if (!t->has_unk)
        return PR_OK; // characters without any token vanish
    if (t->unk_id == PR_TOK_NONE)
        return pr_fail(ctx->err, PR_ERR_FORMAT, "tokenizer: the unknown token is not in the vocabulary");
    if (*unknown && !t->fuse_unk)
        ctx->sym[ctx->n_sym++] = t->unk_id;
    *unknown = true;
    return PR_OK;
}

static pr_status_t add_byte_chars(pr_tok_ctx_t *ctx, const char *s, size_t n, bool *unknown)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)s[i];
        uint32_t id = ctx->t->byte_id[byte];
        if (id != PR_TOK_NONE && !*unknown) {
            ctx->sym[ctx->n_sym++] = id;
            continue;
        }
        ctx->piece.len = 0;
        pr_tok_add_byte_level(&ctx->piece, s + i, 1);
        PR_TRY(add_char(ctx, id, ctx->piece.data, ctx->piece.len, unknown));
    }
    return PR_OK;
}

static pr_status_t add_chars(pr_tok_ctx_t *ctx, const char *s, size_t n, bool *unknown)
{
    for (size_t i = 0; i < n;) {
        size_t len = pr_tok_char_len(s[i]);
        uint32_t id =
            len == 1 ? ctx->t->ascii_id[(unsigned char)s[i]] : pr_tok_vocab_find_model(&ctx->t->vocab, s + i, len);
        PR_TRY(add_char(ctx, id, s + i, len, unknown));
        i += len;
    }
    return PR_OK;
}

static pr_status_t symbols(pr_tok_ctx_t *ctx, const char *s, size_t n)
{
    // a byte's printable character has up to two bytes, each of which may need a symbol
    if (2 * n + 2 > ctx->sym_cap) {
        ctx->sym_cap = 4 * n + 64;
        ctx->sym = pr_realloc(ctx->sym, ctx->sym_cap, sizeof *ctx->sym);
        ctx->rank = pr_realloc(ctx->rank, ctx->sym_cap, sizeof *ctx->rank);
    }
    ctx->n_sym = 0;
    bool unknown = false;
    PR_TRY(ctx->t->byte_level ? add_byte_chars(ctx, s, n, &unknown) : add_chars(ctx, s, n, &unknown));
    if (unknown)
        ctx->sym[ctx->n_sym++] = ctx->t->unk_id;
    return PR_OK;
}

/* ---- merging ---- */

static void merge_short(pr_tok_ctx_t *ctx)
{
    const pr_tok_merges_t *m = &ctx->t->merges;
    uint32_t *sym = ctx->sym, *rank = ctx->rank;
    size_t n = ctx->n_sym;
    for (size_t i = 0; i + 1 < n; i++)
        rank[i] = pr_tok_merge_rank(m, sym[i], sym[i + 1]);
    for (;;) {
        uint32_t best = PR_TOK_NONE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++)
            if (rank[i] < best)
                best = rank[at = i];
        if (best == PR_TOK_NONE)
            break;
        sym[at] = m->result[best];
        n--;
        memmove(sym + at + 1, sym + at + 2, (n - at - 1) * sizeof *sym);
        memmove(rank + at, rank + at + 1, (n - at) * sizeof *rank);
        if (at + 1 < n)
            rank[at] = pr_tok_merge_rank(m, sym[at], sym[at + 1]);
        if (at > 0)
            rank[at - 1] = pr_tok_merge_rank(m, sym[at - 1], sym[at]);
    }
    ctx->n_sym = n;
}

static void sift_down(uint64_t *heap, size_t n, size_t i)
{
    uint64_t x = heap[i];
    for (size_t k; (k = 2 * i + 1) < n; i = k) {
        if (k + 1 < n && heap[k + 1] < heap[k])
            k++;
        if (heap[k] >= x)
            break;
        heap[i] = heap[k];
    }
    heap[i] = x;
}

static uint64_t heap_pop(pr_tok_ctx_t *ctx)
{
    uint64_t top = ctx->heap[0];
    ctx->heap[0] = ctx->heap[--ctx->heap_n];
    if (ctx->heap_n)
        sift_down(ctx->heap, ctx->heap_n, 0);
    return top;
}

static void heap_push(pr_tok_ctx_t *ctx, uint64_t x)
{
    if (ctx->heap_n == ctx->heap_cap) {
        ctx->heap_cap = 2 * ctx->heap_cap + 64;
        ctx->heap = pr_realloc(ctx->heap, ctx->heap_cap, sizeof *ctx->heap);
    }
    size_t i = ctx->heap_n++;
    for (; i > 0 && ctx->heap[(i - 1) / 2] > x; i = (i - 1) / 2)
        ctx->heap[i] = ctx->heap[(i - 1) / 2];
    ctx->heap[i] = x;
}

/* Looks up the merge of the symbol at i with the next one and puts it into the queue. */
static void queue_pair(pr_tok_ctx_t *ctx, size_t i)
{
    uint32_t next = ctx->next[i];
    ctx->rank[i] = next < ctx->n_sym ? pr_tok_merge_rank(&ctx->t->merges, ctx->sym[i], ctx->sym[next]) : PR_TOK_NONE;
    if (ctx->rank[i] != PR_TOK_NONE)
        heap_push(ctx, (uint64_t)ctx->rank[i] << 32 | i);
}

static void link_symbols(pr_tok_ctx_t *ctx)
{
    if (ctx->n_sym > ctx->link_cap) {
        ctx->link_cap = 2 * ctx->n_sym;
        ctx->next = pr_realloc(ctx->next, ctx->link_cap, sizeof *ctx->next);
        ctx->prev = pr_realloc(ctx->prev, ctx->link_cap, sizeof *ctx->prev);
    }
    ctx->heap_n = 0;
    for (size_t i = 0; i < ctx->n_sym; i++) {
        ctx->next[i] = (uint32_t)i + 1;
        ctx->prev[i] = (uint32_t)i - 1; // PR_TOK_NONE for the first
    }
    for (size_t i = 0; i < ctx->n_sym; i++)
        queue_pair(ctx, i);
}

static void merge_long(pr_tok_ctx_t *ctx)
{
    link_symbols(ctx);
    while (ctx->heap_n) {
        uint64_t top = heap_pop(ctx);
        uint32_t i = (uint32_t)top, rank = (uint32_t)(top >> 32);
        if (ctx->rank[i] != rank)
            continue; // the pair is gone
        uint32_t gone = ctx->next[i], next = ctx->next[gone];
        ctx->sym[i] = ctx->t->merges.result[rank];
        ctx->next[i] = next;
        ctx->rank[gone] = PR_TOK_NONE;
        if (next < ctx->n_sym)
            ctx->prev[next] = i;
        if (ctx->prev[i] != PR_TOK_NONE)
            queue_pair(ctx, ctx->prev[i]);
        queue_pair(ctx, i);
    }
    size_t n = 0;
    for (size_t i = 0; i < ctx->n_sym; i = ctx->next[i])
        ctx->sym[n++] = ctx->sym[i];
    ctx->n_sym = n;
}

/* ---- pieces ---- */

/* The id of the whole piece as one of the model's tokens. */
static uint32_t whole(pr_tok_ctx_t *ctx, const char *s, size_t n)
{
    if (!ctx->t->byte_level)
        return pr_tok_vocab_find_model(&ctx->t->vocab, s, n);
    if (n > ctx->t->vocab.longest)
        return PR_TOK_NONE;
    ctx->piece.len = 0;
    pr_tok_add_byte_level(&ctx->piece, s, n);
    return pr_tok_vocab_find_model(&ctx->t->vocab, ctx->piece.data, ctx->piece.len);
}

static pr_status_t encode_piece(pr_tok_ctx_t *ctx, const char *s, size_t n)
{
    uint32_t id = ctx->t->ignore_merges ? whole(ctx, s, n) : PR_TOK_NONE;
    if (id != PR_TOK_NONE) {
        pr_tok_ctx_add(ctx, id);
        return PR_OK;
    }
    PR_TRY(symbols(ctx, s, n));
    if (ctx->n_sym > SHORT)
        merge_long(ctx);
    else
        merge_short(ctx);
    reserve_ids(ctx, ctx->n_sym);
    for (size_t i = 0; i < ctx->n_sym; i++)
        ctx->ids[ctx->n++] = (int32_t)ctx->sym[i];
    return PR_OK;
}

static pr_status_t cached_piece(pr_tok_ctx_t *ctx, const char *s, size_t n)
{
    pr_tok_cache_t *cache = ctx->cache;
    if (!cache || n > CACHE_KEY)
        return encode_piece(ctx, s, n);
    uint64_t hash = pr_hash64(s, n);
    struct entry *e = cache_find(cache, hash, s, n);
    if (e->key_len) {
        reserve_ids(ctx, e->n_ids);
        if (e->n_ids)
            memcpy(ctx->ids + ctx->n, cache->ids.data + e->ids, e->n_ids * sizeof *ctx->ids);
        ctx->n += e->n_ids;
        return PR_OK;
    }
    size_t first = ctx->n;
    PR_TRY(encode_piece(ctx, s, n));
    cache_put(cache, e, hash, s, n, ctx->ids + first, ctx->n - first);
    return PR_OK;
}

/* The next ▁ behind i that does not follow another one; n when there is none. */
static size_t next_cut(const char *s, size_t n, size_t i)
{
    const size_t len = sizeof PR_TOK_MARK - 1;
    for (;;) {
        while (n - i >= len && memcmp(s + i, PR_TOK_MARK, len) == 0)
            i += len;
        const char *p = memmem(s + i, n - i, PR_TOK_MARK, len);
        if (!p)
            return n;
        if (p > s + i)
            return (size_t)(p - s);
    }
}

pr_status_t pr_tok_bpe(pr_tok_ctx_t *ctx, const char *s, size_t n)
{
    if (!ctx->t->cut_at_mark)
        return cached_piece(ctx, s, n);
    for (size_t i = 0; i < n;) {
        size_t end = next_cut(s, n, i);
        PR_TRY(cached_piece(ctx, s + i, end - i));
        i = end;
    }
    return PR_OK;
}
