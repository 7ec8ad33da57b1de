// SPDX-License-Identifier: BSD-3-Clause
/* Added tokens: found in the text before anything else, the leftmost first and the longest of those. */
#include "tokenizer/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

void pr_tok_trie_init(pr_tok_trie_t *t)
{
    *t = (pr_tok_trie_t){0};
    memset(t->root, 0xFF, sizeof t->root);
}

void pr_tok_trie_free(pr_tok_trie_t *t)
{
    free(t->nodes);
    *t = (pr_tok_trie_t){0};
}

static uint32_t new_node(pr_tok_trie_t *t, unsigned char byte, uint32_t sibling)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 256;
        t->nodes = pr_realloc(t->nodes, t->cap, sizeof *t->nodes);
    }
    t->nodes[t->n] = (struct pr_tok_node){.child = PR_TOK_NONE, .sibling = sibling, .token = PR_TOK_NONE, .byte = byte};
    return (uint32_t)t->n++;
}

static uint32_t find_child(const pr_tok_trie_t *t, uint32_t node, unsigned char byte)
{
    uint32_t k = t->nodes[node].child;
    while (k != PR_TOK_NONE && t->nodes[k].byte != byte)
        k = t->nodes[k].sibling;
    return k;
}

void pr_tok_trie_add(pr_tok_trie_t *t, const char *s, size_t n, uint32_t token)
{
    unsigned char first = (unsigned char)s[0];
    if (t->root[first] == PR_TOK_NONE)
        t->root[first] = new_node(t, first, PR_TOK_NONE);
    uint32_t node = t->root[first];
    for (size_t i = 1; i < n; i++) {
        uint32_t next = find_child(t, node, (unsigned char)s[i]);
        if (next == PR_TOK_NONE) {
            next = new_node(t, (unsigned char)s[i], t->nodes[node].child);
            t->nodes[node].child = next;
        }
        node = next;
    }
    if (t->nodes[node].token == PR_TOK_NONE)
        t->nodes[node].token = token;
}

/* The longest token that starts at s[i]; *end is behind it. */
static uint32_t longest_at(const pr_tok_trie_t *t, const char *s, size_t n, size_t i, size_t *end)
{
    uint32_t node = t->root[(unsigned char)s[i]], best = PR_TOK_NONE;
    while (node != PR_TOK_NONE) {
        i++;
        if (t->nodes[node].token != PR_TOK_NONE) {
            best = t->nodes[node].token;
            *end = i;
        }
        node = i < n ? find_child(t, node, (unsigned char)s[i]) : PR_TOK_NONE;
    }
    return best;
}

/* The first token at or behind from. */
static uint32_t find_token(const pr_tok_trie_t *t, const char *s, size_t n, size_t from, size_t *start, size_t *end)
{
    for (size_t i = from; i < n; i++) {
        if (t->root[(unsigned char)s[i]] == PR_TOK_NONE)
            continue;
        uint32_t token = longest_at(t, s, n, i, end);
        if (token != PR_TOK_NONE) {
            *start = i;
            return token;
        }
    }
    return PR_TOK_NONE;
}

/* The start of the last character before s[i], i > 0. */
static size_t char_before(const char *s, size_t i)
{
    do
        i--;
    while (i > 0 && ((unsigned char)s[i] & 0xC0) == 0x80);
    return i;
}

static unsigned class_before(const char *s, size_t i)
{
    size_t at = char_before(s, i);
    return pr_tok_class(pr_tok_next(s, &at));
}

static bool is_single_word(const char *s, size_t n, size_t start, size_t end)
{
    if (start > 0 && class_before(s, start) & PR_TOK_W)
        return false;
    return end == n || !(pr_tok_class(pr_tok_next(s, &(size_t){end})) & PR_TOK_W);
}

static size_t without_spaces_before(const char *s, size_t start)
{
    while (start > 0 && class_before(s, start) & PR_TOK_S)
        start = char_before(s, start);
    return start;
}

static size_t spaces_behind(const char *s, size_t n, size_t end)
{
    for (size_t i = end; i < n; end = i)
        if (!(pr_tok_class(pr_tok_next(s, &i)) & PR_TOK_S))
            break;
    return end;
}

pr_status_t pr_tok_split_added(pr_tok_ctx_t *ctx, const pr_tok_trie_t *trie, const char *s, size_t n, bool at_start,
                               pr_tok_section_fn section)
{
    size_t done = 0, from = 0, start, end;
    for (;;) {
        uint32_t k = trie->n ? find_token(trie, s, n, from, &start, &end) : PR_TOK_NONE;
        if (k == PR_TOK_NONE)
            break;
        const pr_tok_added_t *token = &ctx->t->added[k];
        from = end;
        if (token->single_word && !is_single_word(s, n, start, end))
            continue;
        if (token->lstrip) {
            start = without_spaces_before(s, start);
            start = start > done ? start : done; // the token before may have taken them
        }
        if (token->rstrip)
            end = spaces_behind(s, n, end);
        if (done < start)
            PR_TRY(section(ctx, s + done, start - done, at_start && done == 0));
        pr_tok_ctx_add(ctx, token->id);
        done = end;
    }
    return done < n ? section(ctx, s + done, n - done, at_start && done == 0) : PR_OK;
}
