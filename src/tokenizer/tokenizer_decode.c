// SPDX-License-Identifier: BSD-3-Clause
/* Decoding: the texts of the tokens go through the decoder's steps, each turning a list of texts into another. */
#include "tokenizer/tokenizer_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct texts {
    pr_buf_t bytes;
    size_t *end; // [n] where each text ends in bytes
    size_t n, cap;
    bool whole;     // one text of all that came before, no longer one per token
    bool continues; // another text stands before the first
} texts_t;

static void texts_free(texts_t *x)
{
    pr_buf_free(&x->bytes);
    free(x->end);
    *x = (texts_t){0};
}

/* The text that was put into bytes since the last call becomes one of the list. */
static void texts_close(texts_t *x)
{
    if (x->n == x->cap) {
        x->cap = 2 * x->cap + 64;
        x->end = pr_realloc(x->end, x->cap, sizeof *x->end);
    }
    x->end[x->n++] = x->bytes.len;
}

static void texts_add(texts_t *x, const char *s, size_t n)
{
    pr_buf_add(&x->bytes, s, n);
    texts_close(x);
}

static const char *texts_get(const texts_t *x, size_t i, size_t *n)
{
    size_t start = i ? x->end[i - 1] : 0;
    *n = x->end[i] - start;
    return x->bytes.data + start;
}

/* Appends the bytes that a token's printable characters stand for, or the token itself if it has others. */
static void add_bytes(pr_buf_t *out, const char *s, size_t n)
{
    size_t before = out->len;
    for (size_t i = 0; i < n;) {
        int byte = pr_tok_byte_of_char(pr_tok_next(s, &i));
        if (byte < 0) {
            out->len = before;
            pr_buf_add(out, s, n);
            return;
        }
        pr_buf_add(out, &(char){(char)byte}, 1);
    }
}

static void decode_byte_level(const texts_t *in, texts_t *out)
{
    pr_buf_t bytes = {0};
    for (size_t i = 0; i < in->n; i++) {
        size_t n;
        const char *s = texts_get(in, i, &n);
        add_bytes(&bytes, s, n);
    }
    pr_tok_add_lossy(&out->bytes, bytes.data ? bytes.data : "", bytes.len);
    texts_close(out);
    out->whole = true;
    pr_buf_free(&bytes);
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* The byte of a token <0xNN>, or -1. Rust's number parser takes "+N", too. */
static int fallback_byte(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>')
        return -1;
    int high = s[3] == '+' ? 0 : hex_digit(s[3]), low = hex_digit(s[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* A run of bytes is one text if it is UTF-8, and one U+FFFD a byte if not. */
static void flush_bytes(pr_buf_t *bytes, texts_t *out)
{
    if (!bytes->len)
        return;
    if (pr_tok_utf8_valid(bytes->data, bytes->len) == bytes->len)
        texts_add(out, bytes->data, bytes->len);
    else
        for (size_t i = 0; i < bytes->len; i++)
            texts_add(out, "\xEF\xBF\xBD", 3);
    bytes->len = 0;
}

static void decode_byte_fallback(const texts_t *in, texts_t *out)
{
    pr_buf_t bytes = {0};
    for (size_t i = 0; i < in->n; i++) {
        size_t n;
        const char *s = texts_get(in, i, &n);
        int byte = fallback_byte(s, n);
        if (byte >= 0) {
            pr_buf_add(&bytes, &(char){(char)byte}, 1);
            continue;
        }
        flush_bytes(&bytes, out);
        texts_add(out, s, n);
    }
    flush_bytes(&bytes, out);
    pr_buf_free(&bytes);
}

static bool is_at(const pr_tok_decoder_t *d, const char *s, size_t n, size_t i)
{
    return n - i >= d->len && memcmp(s + i, d->text, d->len) == 0;
}

static void decode_strip(const pr_tok_decoder_t *d, const texts_t *in, texts_t *out)
{
    for (size_t i = 0; i < in->n; i++) {
        size_t n;
        const char *s = texts_get(in, i, &n);
        bool inside = in->whole && in->continues; // then this is not the beginning that is to be stripped
        for (int64_t k = 0; !inside && k < d->start && is_at(d, s, n, 0); k++) {
            s += d->len;
            n -= d->len;
        }
        for (int64_t k = 0; k < d->stop && n >= d->len && is_at(d, s, n, n - d->len); k++)
            n -= d->len;
        texts_add(out, s, n);
    }
}

static void decode_metaspace(const pr_tok_decoder_t *d, const texts_t *in, texts_t *out)
{
    for (size_t i = 0; i < in->n; i++) {
        size_t n;
        const char *s = texts_get(in, i, &n);
        for (size_t k = 0; k < n;) {
            bool mark = is_at(d, s, n, k);
            if (!mark)
                pr_buf_add(&out->bytes, s + k, 1);
            else if (i > 0 || in->continues || !d->drop_first)
                pr_buf_add(&out->bytes, " ", 1);
            k += mark ? d->len : 1;
        }
        texts_close(out);
    }
}

static pr_status_t decode_replace(const pr_tok_decoder_t *d, const texts_t *in, texts_t *out, pr_error_t *err)
{
    pr_tok_match_t match = {0};
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < in->n && status == PR_OK; i++) {
        size_t n;
        const char *s = texts_get(in, i, &n);
        if (n)
            status = pr_tok_replace(&d->pattern, d->text, d->len, s, n, &match, &out->bytes, err);
        texts_close(out);
    }
    pr_tok_match_free(&match);
    return status;
}

static pr_status_t decode_step(const pr_tok_decoder_t *d, const texts_t *in, texts_t *out, pr_error_t *err)
{
    switch (d->kind) {
    case PR_TOK_DEC_REPLACE:
        return decode_replace(d, in, out, err);
    case PR_TOK_DEC_BYTE_LEVEL:
        decode_byte_level(in, out);
        return PR_OK;
    case PR_TOK_DEC_BYTE_FALLBACK:
        decode_byte_fallback(in, out);
        return PR_OK;
    case PR_TOK_DEC_STRIP:
        decode_strip(d, in, out);
        return PR_OK;
    case PR_TOK_DEC_METASPACE:
        decode_metaspace(d, in, out);
        return PR_OK;
    case PR_TOK_DEC_FUSE:
    default:
        texts_add(out, in->bytes.data, in->bytes.len);
        out->whole = true;
        return PR_OK;
    }
}

static void token_texts(const pr_tokenizer_t *t, const int32_t *ids, size_t n, bool skip_special, texts_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t id = (uint32_t)ids[i];
        if (ids[i] < 0 || !pr_tok_vocab_has(&t->vocab, id) || (skip_special && t->special[id]))
            continue;
        if (!t->has_decoder && (out->n || out->continues))
            pr_buf_add(&out->bytes, " ", 1);
        texts_add(out, t->vocab.bytes.data + t->vocab.offset[id], t->vocab.length[id]);
    }
}

static pr_status_t decode(const pr_tokenizer_t *t, bool continues, const int32_t *ids, size_t n, bool skip_special,
                          char **text, size_t *len, pr_error_t *err)
{
    texts_t now = {.continues = continues}, next = {0};
    pr_status_t status = PR_OK;
    token_texts(t, ids, n, skip_special, &now);
    for (size_t k = 0; k < t->n_decoders; k++) {
        next = (texts_t){.whole = now.whole, .continues = continues};
        PR_GO(decode_step(&t->decoders[k], &now, &next, err));
        texts_free(&now);
        now = next;
        next = (texts_t){0};
    }
    pr_buf_add(&now.bytes, "", 0);
    *text = now.bytes.data;
    *len = now.bytes.len;
    now.bytes = (pr_buf_t){0};
done:
    texts_free(&now);
    texts_free(&next);
    return status;
}

pr_status_t pr_tokenizer_decode(const pr_tokenizer_t *t, const int32_t *ids, size_t n, bool skip_special, char **text,
                                size_t *len, pr_error_t *err)
{
    return decode(t, false, ids, n, skip_special, text, len, err);
}

pr_status_t pr_tokenizer_decode_more(const pr_tokenizer_t *t, const int32_t *ids, size_t n, bool skip_special,
                                     char **text, size_t *len, pr_error_t *err)
{
    return decode(t, true, ids, n, skip_special, text, len, err);
}
