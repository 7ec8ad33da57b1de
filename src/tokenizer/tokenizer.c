// SPDX-License-Identifier: BSD-3-Clause
#include "tokenizer/tokenizer.h"
#include "base/file.h"
#include "tokenizer/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)512 << 20)
#define MAX_TEXT ((size_t)1 << 30) // positions in a piece are 32 bits wide

static void free_stages(pr_tokenizer_t *t)
{
    for (size_t i = 0; i < t->n_norms; i++) {
        pr_tok_pattern_free(&t->norms[i].pattern);
        free(t->norms[i].text);
    }
    for (size_t i = 0; i < t->n_stages; i++) {
        pr_tok_pattern_free(&t->stages[i].pattern);
        free(t->stages[i].text);
    }
    for (size_t i = 0; i < t->n_decoders; i++) {
        pr_tok_pattern_free(&t->decoders[i].pattern);
        free(t->decoders[i].text);
    }
    free(t->norms);
    free(t->stages);
    free(t->decoders);
}

void pr_tokenizer_free(pr_tokenizer_t **tokenizer)
{
    pr_tokenizer_t *t = *tokenizer;
    *tokenizer = NULL;
    if (!t)
        return;
    pr_tok_vocab_free(&t->vocab);
    pr_tok_merges_free(&t->merges);
    for (size_t i = 0; i < t->n_added; i++)
        free(t->added[i].text);
    free(t->added);
    free(t->special);
    pr_tok_trie_free(&t->raw);
    pr_tok_trie_free(&t->normalized);
    free_stages(t);
    free(t->prefix);
    free(t->suffix);
    free(t);
}

static pr_status_t load(pr_tokenizer_t *t, const json_t *root, const char *path, pr_error_t *err)
{
    if (!json_is_object(root))
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object", path, pr_json_type_name(root));
    PR_TRY(pr_tok_load_model(t, root, path, err));
    PR_TRY(pr_tok_load_norms(t, root, path, err));
    PR_TRY(pr_tok_load_stages(t, root, path, err));
    PR_TRY(pr_tok_load_decoders(t, root, path, err));
    PR_TRY(pr_tok_load_added(t, root, path, err));
    return pr_tok_load_template(t, root, path, err);
}

pr_status_t pr_tokenizer_check_present(const char *path, pr_error_t *err)
{
    static const char *const others[] = {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
                                         "tekken.json",     "vocab.json",   "vocab.txt"};
    if (pr_file_exists(path))
        return PR_OK;
    char *dir = pr_path_dir(path);
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < sizeof others / sizeof *others && status == PR_OK; i++) {
        char *other = pr_path_join(dir, others[i]);
        if (pr_file_exists(other))
            status = pr_fail(err, PR_ERR_UNSUPPORTED,
                             "%s: no such file; found %s, which is not read (convert it: in Python, "
                             "AutoTokenizer.from_pretrained(dir).save_pretrained(dir) of transformers)",
                             path, others[i]);
        free(other);
    }
    free(dir);
    return status != PR_OK ? status : pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such file", path);
}

pr_status_t pr_tokenizer_load(const char *path, pr_tokenizer_t **out, pr_error_t *err)
{
    json_t *root;
    PR_TRY(pr_tokenizer_check_present(path, err));
    PR_TRY(pr_json_load_with(path, MAX_FILE, PR_JSON_NUL_KEYS, &root, err));
    pr_tokenizer_t *t = pr_alloc(1, sizeof *t);
    pr_tok_trie_init(&t->raw);
    pr_tok_trie_init(&t->normalized);
    pr_status_t status = load(t, root, path, err);
    json_decref(root);
    if (status == PR_OK)
        *out = t;
    else
        pr_tokenizer_free(&t);
    return status;
}

int pr_tokenizer_size(const pr_tokenizer_t *t)
{
    return (int)t->vocab.size;
}

int pr_tokenizer_id(const pr_tokenizer_t *t, const char *token)
{
    uint32_t id = pr_tok_vocab_find(&t->vocab, token, strlen(token));
    return id == PR_TOK_NONE ? -1 : (int)id;
}

bool pr_tokenizer_is_special(const pr_tokenizer_t *t, int id)
{
    return id >= 0 && pr_tok_vocab_has(&t->vocab, (uint32_t)id) && t->special[id];
}

bool pr_tokenizer_start_doubled(const pr_tokenizer_t *t, const int32_t *ids, size_t n)
{
    size_t k = t->n_prefix;
    return k > 0 && n > k && ids[k] == ids[k - 1] && (uint32_t)ids[k - 1] == t->prefix[k - 1];
}

const char *pr_tokenizer_token(const pr_tokenizer_t *t, int id, size_t *len)
{
    if (id < 0 || !pr_tok_vocab_has(&t->vocab, (uint32_t)id))
        return NULL;
    *len = t->vocab.length[id];
    return t->vocab.bytes.data + t->vocab.offset[id];
}

/* The text between added tokens of the normalized text. */
static pr_status_t normalized_section(pr_tok_ctx_t *ctx, const char *s, size_t n, bool at_start)
{
    return pr_tok_pretokenize(ctx, 0, s, n, at_start);
}

/* The text between added tokens of the raw text. */
static pr_status_t raw_section(pr_tok_ctx_t *ctx, const char *s, size_t n, bool at_start)
{
    const pr_tokenizer_t *t = ctx->t;
    if (!t->n_norms)
        return pr_tok_split_added(ctx, &t->normalized, s, n, at_start, normalized_section);
    pr_buf_t text = {0};
    pr_status_t status = pr_tok_normalize(t, s, n, &ctx->match, &text, ctx->err);
    if (status == PR_OK && text.len > MAX_TEXT)
        status = pr_fail(ctx->err, PR_ERR_UNSUPPORTED, "tokenizer: a text of %zu bytes, at most %zu can be encoded",
                         text.len, MAX_TEXT);
    if (status == PR_OK && text.len)
        status = pr_tok_split_added(ctx, &t->normalized, text.data, text.len, at_start, normalized_section);
    pr_buf_free(&text);
    return status;
}

static void ctx_free(pr_tok_ctx_t *ctx)
{
    pr_tok_match_free(&ctx->match);
    pr_tok_cache_free(ctx->cache);
    pr_buf_free(&ctx->piece);
    free(ctx->ids);
    free(ctx->sym);
    free(ctx->rank);
    free(ctx->next);
    free(ctx->prev);
    free(ctx->heap);
}

static pr_status_t encode(pr_tok_ctx_t *ctx, const char *text, size_t len, bool add_special)
{
    const pr_tokenizer_t *t = ctx->t;
    for (size_t i = 0; add_special && i < t->n_prefix; i++)
        pr_tok_ctx_add(ctx, t->prefix[i]);
    PR_TRY(pr_tok_split_added(ctx, &t->raw, text, len, true, raw_section));
    for (size_t i = 0; add_special && i < t->n_suffix; i++)
        pr_tok_ctx_add(ctx, t->suffix[i]);
    return PR_OK;
}

pr_status_t pr_tokenizer_encode(const pr_tokenizer_t *t, const char *text, size_t len, bool add_special, int32_t **ids,
                                size_t *n, pr_error_t *err)
{
    if (len > MAX_TEXT)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "tokenizer: a text of %zu bytes, at most %zu can be encoded", len,
                       MAX_TEXT);
    pr_buf_t valid = {0};
    if (pr_tok_utf8_valid(text, len) < len) {
        pr_tok_add_lossy(&valid, text, len);
        text = valid.data;
        len = valid.len;
    }
    pr_tok_ctx_t ctx = {.t = t, .err = err, .cache = pr_tok_cache_new(len)};
    pr_status_t status = encode(&ctx, text, len, add_special);
    if (status == PR_OK) {
        *ids = ctx.ids ? ctx.ids : pr_alloc(1, sizeof *ctx.ids);
        *n = ctx.n;
        ctx.ids = NULL;
    }
    ctx_free(&ctx);
    pr_buf_free(&valid);
    return status;
}
