// SPDX-License-Identifier: BSD-3-Clause
/* The pre-tokenizer: stages, each handing its pieces to the next one, the last handing them to the model. An empty
 * piece is never handed on. */
#include "tokenizer/tokenizer_internal.h"

#include <string.h>

/* A walk through the parts of a piece that a pattern makes. */
typedef struct split {
    pr_tok_ctx_t *ctx;
    size_t stage;
    const char *s;
    bool at_start;
    bool pending; // a part that may still grow
    size_t start, end;
    bool previous; // was the part before a match?
} split_t;

static pr_status_t emit(const split_t *x, size_t start, size_t end)
{
    return pr_tok_pretokenize(x->ctx, x->stage + 1, x->s + start, end - start, x->at_start && start == 0);
}

static pr_status_t flush(split_t *x)
{
    if (!x->pending)
        return PR_OK;
    x->pending = false;
    return emit(x, x->start, x->end);
}

/* The part [start, end) joins the pending one, or takes its place. */
static pr_status_t join(split_t *x, bool joins, size_t start, size_t end)
{
    if (!joins || !x->pending) {
        PR_TRY(flush(x));
        x->start = start;
    }
    x->pending = true;
    x->end = end;
    return PR_OK;
}

static pr_status_t part(split_t *x, pr_tok_behavior_t behavior, size_t start, size_t end, bool match)
{
    bool previous = x->previous;
    x->previous = match;
    switch (behavior) {
    case PR_TOK_ISOLATED:
        return emit(x, start, end);
    case PR_TOK_REMOVED:
        return match ? PR_OK : emit(x, start, end);
    case PR_TOK_CONTIGUOUS:
        return join(x, match == previous, start, end);
    case PR_TOK_MERGED_WITH_PREVIOUS:
        return join(x, match && !previous, start, end);
    case PR_TOK_MERGED_WITH_NEXT:
    default:
        return join(x, !match && previous, start, end);
    }
}

static pr_status_t run_split(const pr_tok_stage_t *st, split_t *x, size_t n)
{
    pr_tok_iter_t it = {.pattern = &st->pattern, .s = x->s, .n = n};
    size_t done = 0, start, end;
    bool found;
    for (;;) {
        PR_TRY(pr_tok_iter_next(&it, &x->ctx->match, &found, &start, &end, x->ctx->err));
        if (!found)
            break;
        if (done < start)
            PR_TRY(part(x, st->behavior, done, start, st->invert));
        PR_TRY(part(x, st->behavior, start, end, !st->invert));
        done = end;
    }
    if (done < n)
        PR_TRY(part(x, st->behavior, done, n, st->invert));
    return flush(x);
}

static pr_status_t run_scan(const pr_tok_stage_t *st, const split_t *x, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = pr_tok_scan_next(st->scan, x->s, n, i);
        PR_TRY(emit(x, i, end));
        i = end;
    }
    return PR_OK;
}

static pr_status_t run_words(const split_t *x, size_t n)
{
    const unsigned kinds = PR_TOK_W | PR_TOK_S;
    for (size_t i = 0; i < n;) {
        size_t start = i, end;
        unsigned kind = pr_tok_class(pr_tok_next(x->s, &i)) & kinds;
        for (end = i; i < n && (pr_tok_class(pr_tok_next(x->s, &i)) & kinds) == kind;)
            end = i;
        i = end;
        if (kind != PR_TOK_S)
            PR_TRY(emit(x, start, end));
    }
    return PR_OK;
}

/* Hands on a piece that was written anew. */
static pr_status_t emit_new(const split_t *x, pr_buf_t *piece)
{
    pr_status_t status = pr_tok_pretokenize(x->ctx, x->stage + 1, piece->data, piece->len, x->at_start);
    pr_buf_free(piece);
    return status;
}

static pr_status_t run_prefix_space(const split_t *x, size_t n)
{
    if (x->s[0] == ' ')
        return emit(x, 0, n);
    pr_buf_t piece = {0};
    pr_buf_add(&piece, " ", 1);
    pr_buf_add(&piece, x->s, n);
    return emit_new(x, &piece);
}

static pr_status_t run_byte_level(const split_t *x, size_t n)
{
    pr_buf_t piece = {0};
    pr_tok_add_byte_level(&piece, x->s, n);
    return emit_new(x, &piece);
}

static pr_status_t run_metaspace(const pr_tok_stage_t *st, const split_t *x, size_t n)
{
    pr_buf_t piece = {0};
    bool marked = x->s[0] == ' ' || (n >= st->len && memcmp(x->s, st->text, st->len) == 0);
    if (!marked && (st->prepend == PR_TOK_ALWAYS || (st->prepend == PR_TOK_FIRST && x->at_start)))
        pr_buf_add(&piece, st->text, st->len);
    for (size_t i = 0; i < n;) {
        const char *space = memchr(x->s + i, ' ', n - i);
        size_t end = space ? (size_t)(space - x->s) : n;
        pr_buf_add(&piece, x->s + i, end - i);
        if (space)
            pr_buf_add(&piece, st->text, st->len);
        i = end + 1;
    }
    return emit_new(x, &piece);
}

pr_status_t pr_tok_pretokenize(pr_tok_ctx_t *ctx, size_t stage, const char *s, size_t n, bool at_start)
{
    if (n == 0)
        return PR_OK;
    if (stage == ctx->t->n_stages)
        return pr_tok_bpe(ctx, s, n);
    const pr_tok_stage_t *st = &ctx->t->stages[stage];
    split_t x = {.ctx = ctx, .stage = stage, .s = s, .at_start = at_start};
    switch (st->kind) {
    case PR_TOK_SCAN:
        return run_scan(st, &x, n);
    case PR_TOK_WORDS:
        return run_words(&x, n);
    case PR_TOK_PREFIX_SPACE:
        return run_prefix_space(&x, n);
    case PR_TOK_BYTE_LEVEL:
        return run_byte_level(&x, n);
    case PR_TOK_METASPACE:
        return run_metaspace(st, &x, n);
    case PR_TOK_SPLIT:
    default:
        return run_split(st, &x, n);
    }
}
