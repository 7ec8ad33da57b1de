// SPDX-License-Identifier: BSD-3-Clause
#include "gguf/gguf_tokenizer.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define KEY "tokenizer.ggml."
#define TEMPLATE "tokenizer.chat_template"

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE };

/* What is read before anything is made. */
typedef struct parts {
    const pr_gguf_t *g;
    pr_gguf_text_t *token, *merge; // [n_token], [n_merge]
    int64_t *type;                 // [n_type]
    size_t n_token, n_merge, n_type;
    json_t *text; // the tokens as JSON texts, by id
    int64_t bos, eos, eot, eom, unk, pad;
    bool add_bos, add_eos;
} parts_t;

/* ---- kinds of tokenizers ---- */

typedef struct pre {
    const char *name;
    const char *regex;  // NULL: GPT-2's, which is ByteLevel's own
    bool digits;        // each digit alone, before that
    bool nfc;           // texts are normalised
    bool ignore_merges; // a whole word that is a token is one
} pre_t;

#define LETTERS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
static const pre_t pres[] = {{"gpt-2", NULL, false, false, false},
                             {"smollm", NULL, true, false, false},
                             {"qwen2", LETTERS "\\p{N}" REST, false, true, false},
                             {"deepseek-r1-qwen", LETTERS "\\p{N}" REST, false, true, false},
                             {"llama-bpe", LETTERS "\\p{N}{1,3}" REST, false, false, true},
                             {"llama3", LETTERS "\\p{N}{1,3}" REST, false, false, true},
                             {"llama-v3", LETTERS "\\p{N}{1,3}" REST, false, false, true}};

static pr_status_t find_pre(const pr_gguf_t *g, const pre_t **out, pr_error_t *err)
{
    const char *name = NULL;
    PR_TRY(pr_gguf_require(g, KEY "pre", err));
    PR_TRY(pr_gguf_string(g, KEY "pre", &name, err));
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
        if (strcmp(name, pres[i].name) == 0) {
            *out = &pres[i];
            return PR_OK;
        }
    return pr_gguf_unsupported(g, KEY "pre", name, "gpt-2, llama-bpe, qwen2 or smollm", err);
}

static pr_status_t check_model(const pr_gguf_t *g, pr_error_t *err)
{
    const char *name = NULL;
    PR_TRY(pr_gguf_require(g, KEY "model", err));
    PR_TRY(pr_gguf_string(g, KEY "model", &name, err));
    if (strcmp(name, "gpt2") == 0)
        return PR_OK;
    char found[256];
    snprintf(found, sizeof found, "%.200s%s", name, strcmp(name, "llama") == 0 ? " (SentencePiece)" : "");
    return pr_gguf_unsupported(g, KEY "model", found, "gpt2 (byte-level BPE)", err);
}

/* ---- reading ---- */

static pr_status_t no_text(const parts_t *p, const char *key, size_t i, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s'[%zu]: found bytes that are no text, expected UTF-8",
                   pr_gguf_path(p->g), key, i);
}

static json_t *plain(const pr_gguf_text_t *t)
{
    return memchr(t->data, 0, t->len) ? NULL : json_stringn(t->data, t->len);
}

static pr_status_t read_tokens(parts_t *p, int vocab, pr_error_t *err)
{
    PR_TRY(pr_gguf_require(p->g, KEY "tokens", err));
    PR_TRY(pr_gguf_texts(p->g, KEY "tokens", &p->token, &p->n_token, err));
    PR_TRY(pr_gguf_ints(p->g, KEY "token_type", NORMAL, BYTE, &p->type, &p->n_type, err));
    if (p->n_token != (size_t)vocab)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key '" KEY "tokens': found %zu, but tensor 'token_embd.weight' has %d "
                       "rows",
                       pr_gguf_path(p->g), p->n_token, vocab);
    if (p->type && p->n_type != p->n_token)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key '" KEY "token_type': found %zu, expected one for each of %zu tokens",
                       pr_gguf_path(p->g), p->n_type, p->n_token);
    for (size_t i = 0; i < p->n_token; i++) {
        json_t *text = plain(&p->token[i]);
        if (!text)
            return no_text(p, KEY "tokens", i, err);
        json_array_append_new(p->text, text);
    }
    return PR_OK;
}

static pr_status_t read_ids(parts_t *p, int vocab, pr_error_t *err)
{
    struct {
        const char *key;
        int64_t *id;
    } ids[] = {{KEY "bos_token_id", &p->bos}, {KEY "eos_token_id", &p->eos},     {KEY "eot_token_id", &p->eot},
               {KEY "eom_token_id", &p->eom}, {KEY "unknown_token_id", &p->unk}, {KEY "padding_token_id", &p->pad}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        *ids[i].id = -1;
        PR_TRY(pr_gguf_int(p->g, ids[i].key, 0, vocab - 1, ids[i].id, err));
    }
    return PR_OK;
}

/* Settings of tokenizers of other kinds, which tokenizer.json could not say so. */
static pr_status_t read_flags(parts_t *p, pr_error_t *err)
{
    static const char *const off[] = {KEY "add_space_prefix", KEY "add_sep_token", KEY "remove_extra_whitespaces"};
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        bool on = false;
        PR_TRY(pr_gguf_bool(p->g, off[i], &on, err));
        if (on)
            return pr_gguf_unsupported(p->g, off[i], "true", "false, as with other tokenizers of this kind", err);
    }
    PR_TRY(pr_gguf_bool(p->g, KEY "add_bos_token", &p->add_bos, err));
    PR_TRY(pr_gguf_bool(p->g, KEY "add_eos_token", &p->add_eos, err));
    if (p->add_bos && p->bos < 0)
        PR_TRY(pr_gguf_require(p->g, KEY "bos_token_id", err));
    return p->add_eos && p->eos < 0 ? pr_gguf_require(p->g, KEY "eos_token_id", err) : PR_OK;
}

/* ---- tokenizer.json ---- */

static json_t *token_text(const parts_t *p, int64_t id)
{
    return json_incref(json_array_get(p->text, (size_t)id));
}

static pr_status_t make_vocab(const parts_t *p, json_t *vocab, pr_error_t *err)
{
    for (size_t i = 0; i < p->n_token; i++) {
        const json_t *before = json_object_getn(vocab, p->token[i].data, p->token[i].len);
        if (before)
            return pr_fail(err, PR_ERR_FORMAT,
                           "%s: key '" KEY "tokens'[%zu]: found '%.*s', which is the token %lld too",
                           pr_gguf_path(p->g), i, p->token[i].len < 100 ? (int)p->token[i].len : 100, p->token[i].data,
                           (long long)json_integer_value(before));
        json_object_setn_new(vocab, p->token[i].data, p->token[i].len, json_integer((json_int_t)i));
    }
    return PR_OK;
}

/* "a b" -> ["a", "b"]; both and what they make are tokens. */
static pr_status_t make_merges(const parts_t *p, const json_t *vocab, json_t *merges, pr_error_t *err)
{
    for (size_t i = 0; i < p->n_merge; i++) {
        const char *text = p->merge[i].data;
        size_t len = p->merge[i].len;
        const char *blank = len > 1 ? memchr(text + 1, ' ', len - 1) : NULL;
        size_t first = blank ? (size_t)(blank - text) : 0;
        if (!blank || first + 1 == len || memchr(blank + 1, ' ', len - first - 1))
            return pr_fail(err, PR_ERR_FORMAT,
                           "%s: key '" KEY "merges'[%zu]: found '%.*s', expected two tokens with a "
                           "blank between",
                           pr_gguf_path(p->g), i, len < 100 ? (int)len : 100, text);
        pr_gguf_text_t a = {text, first}, b = {blank + 1, len - first - 1};
        pr_buf_t joined = {0};
        pr_buf_add(&joined, a.data, a.len);
        pr_buf_add(&joined, b.data, b.len);
        bool known = json_object_getn(vocab, a.data, a.len) && json_object_getn(vocab, b.data, b.len) &&
                     json_object_getn(vocab, joined.data, joined.len);
        pr_buf_free(&joined);
        if (!known)
            return pr_fail(err, PR_ERR_FORMAT,
                           "%s: key '" KEY "merges'[%zu]: found '%.*s', of which one, or what they "
                           "make, is no token",
                           pr_gguf_path(p->g), i, len < 100 ? (int)len : 100, text);
        json_array_append_new(merges, json_pack("[o, o]", plain(&a), plain(&b)));
    }
    return PR_OK;
}

static json_t *added_tokens(const parts_t *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->n_type; i++) {
        bool special = p->type[i] == CONTROL || p->type[i] == UNKNOWN;
        if ((special || p->type[i] == USER_DEFINED) && p->token[i].len > 0)
            json_array_append_new(list, json_pack("{s:I, s:o, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)i, "content",
                                                  token_text(p, (int64_t)i), "single_word", 0, "lstrip", 0, "rstrip", 0,
                                                  "normalized", 0, "special", special));
    }
    return list;
}

static json_t *byte_level(bool regex)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex",
                     regex);
}

static json_t *pre_tokenizer(const pre_t *pre)
{
    if (pre->digits)
        return json_pack("{s:s, s:[{s:s, s:b}, o]}", "type", "Sequence", "pretokenizers", "type", "Digits",
                         "individual_digits", 1, byte_level(true));
    if (!pre->regex)
        return byte_level(true);
    return json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, o]}", "type", "Sequence", "pretokenizers", "type", "Split",
                     "pattern", "Regex", pre->regex, "behavior", "Isolated", "invert", 0, byte_level(false));
}

static void add_special(const parts_t *p, json_t *list, json_t *names, int64_t id, int type)
{
    json_t *text = json_array_get(p->text, (size_t)id);
    json_array_append_new(list, json_pack("{s:{s:O, s:i}}", "SpecialToken", "id", text, "type_id", type));
    json_object_setn_new(names, json_string_value(text), json_string_length(text),
                         json_pack("{s:O, s:[I], s:[O]}", "id", text, "ids", (json_int_t)id, "tokens", text));
}

/* What a text, or two, get around them. */
static json_t *post_processor(const parts_t *p)
{
    json_t *single = json_array(), *pair = json_array(), *names = json_object();
    for (int type = 0; type < 2; type++) {
        json_t *lists[] = {pair, type == 0 ? single : NULL};
        for (int i = 0; i < 2 && lists[i]; i++) {
            if (p->add_bos)
                add_special(p, lists[i], names, p->bos, type);
            json_array_append_new(lists[i],
                                  json_pack("{s:{s:s, s:i}}", "Sequence", "id", type ? "B" : "A", "type_id", type));
            if (p->add_eos)
                add_special(p, lists[i], names, p->eos, type);
        }
    }
    json_t *template = json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair,
                                 "special_tokens", names);
    if (p->add_bos || p->add_eos)
        return template;
    json_decref(template);
    return byte_level(false);
}

static pr_status_t make_json(const parts_t *p, const pre_t *pre, json_t **out, pr_error_t *err)
{
    json_t *vocab = json_object(), *merges = json_array();
    pr_status_t status = make_vocab(p, vocab, err);
    if (status == PR_OK)
        status = make_merges(p, vocab, merges, err);
    if (status != PR_OK) {
        json_decref(vocab);
        json_decref(merges);
        return status;
    }
    json_t *model =
        json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout", "unk_token",
                  "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0, "ignore_merges",
                  pre->ignore_merges, "vocab", vocab, "merges", merges);
    json_t *normalizer = pre->nfc ? json_pack("{s:s}", "type", "NFC") : json_null();
    *out = json_pack("{s:s, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:o}", "version", "1.0", "truncation", "padding",
                     "added_tokens", added_tokens(p), "normalizer", normalizer, "pre_tokenizer", pre_tokenizer(pre),
                     "post_processor", post_processor(p), "decoder", byte_level(true), "model", model);
    return PR_OK;
}

/* ---- tokenizer_config.json ---- */

/* The templates: tokenizer.chat_template, and those with a name behind it. null, a text, or a list of several. */
static pr_status_t read_templates(const pr_gguf_t *g, json_t **out, pr_error_t *err)
{
    json_t *list = json_array();
    const char *key, *text = NULL;
    size_t prefix = strlen(TEMPLATE);
    pr_status_t status = PR_OK;
    for (size_t i = 0; (key = pr_gguf_key(g, i)) != NULL && status == PR_OK; i++) {
        if (strncmp(key, TEMPLATE, prefix) != 0 || (key[prefix] && key[prefix] != '.'))
            continue;
        status = pr_gguf_string(g, key, &text, err);
        if (status == PR_OK)
            json_array_append_new(
                list, json_pack("{s:s, s:s}", "name", key[prefix] ? key + prefix + 1 : "default", "template", text));
    }
    *out = list;
    if (status == PR_OK && json_array_size(list) == 1 && pr_gguf_has(g, TEMPLATE)) {
        *out = json_incref(json_object_get(json_array_get(list, 0), "template"));
        json_decref(list);
    }
    return status;
}

static pr_status_t make_config(const parts_t *p, int context, json_t **out, pr_error_t *err)
{
    const struct {
        const char *name;
        int64_t id;
    } tokens[] = {{"bos_token", p->bos}, {"eos_token", p->eos}, {"unk_token", p->unk}, {"pad_token", p->pad}};
    json_t *templates = NULL;
    *out = json_pack("{s:s, s:i, s:b}", "tokenizer_class", "PreTrainedTokenizerFast", "model_max_length", context,
                     "clean_up_tokenization_spaces", 0);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (tokens[i].id >= 0)
            json_object_set_new(*out, tokens[i].name, token_text(p, tokens[i].id));
    pr_status_t status = read_templates(p->g, &templates, err);
    if (status == PR_OK && (json_is_string(templates) || json_array_size(templates) > 0))
        json_object_set(*out, "chat_template", templates);
    json_decref(templates);
    return status;
}

/* The end of the text, of a turn and of a message: each ends a response. */
static json_t *ends(const parts_t *p)
{
    const int64_t ids[] = {p->eos, p->eot, p->eom};
    json_t *list = json_array();
    for (int i = 0; i < 3; i++)
        if (ids[i] >= 0 && (i < 1 || ids[i] != ids[0]) && (i < 2 || ids[i] != ids[1]))
            json_array_append_new(list, json_integer(ids[i]));
    if (json_array_size(list) > 1)
        return list;
    json_t *one = json_array_size(list) == 1 ? json_incref(json_array_get(list, 0)) : json_null();
    json_decref(list);
    return one;
}

pr_status_t pr_gguf_tokenizer_read(const pr_gguf_t *g, int vocab, int context, pr_gguf_tokenizer_t *out,
                                   pr_error_t *err)
{
    parts_t p = {.g = g, .text = json_array()};
    const pre_t *pre = NULL;
    pr_status_t status;
    *out = (pr_gguf_tokenizer_t){.bos = -1, .pad = -1};
    PR_GO(check_model(g, err));
    PR_GO(find_pre(g, &pre, err));
    PR_GO(read_tokens(&p, vocab, err));
    PR_GO(read_ids(&p, vocab, err));
    PR_GO(read_flags(&p, err));
    PR_GO(pr_gguf_require(g, KEY "merges", err));
    PR_GO(pr_gguf_texts(g, KEY "merges", &p.merge, &p.n_merge, err));
    PR_GO(make_json(&p, pre, &out->json, err));
    PR_GO(make_config(&p, context, &out->config, err));
    out->bos = p.bos;
    out->pad = p.pad;
    out->eos = ends(&p);
done:
    json_decref(p.text);
    free(p.token);
    free(p.merge);
    free(p.type);
    return status;
}

void pr_gguf_tokenizer_clear(pr_gguf_tokenizer_t *t)
{
    json_decref(t->json);
    json_decref(t->config);
    json_decref(t->eos);
    *t = (pr_gguf_tokenizer_t){.bos = -1, .pad = -1};
}
