// SPDX-License-Identifier: BSD-3-Clause
/* What the readers of tokenizer.json share, and its vocabulary, merges, added tokens and template. */
#include "tokenizer/tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHERE 768 // a place in the file for messages; longer ones are cut

pr_status_t pr_tok_component(const json_t *value, const char *where, const char **type, pr_error_t *err)
{
    if (!json_is_object(value))
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object", where, pr_json_type_name(value));
    *type = NULL;
    PR_TRY(pr_json_get_string(value, "type", NULL, type, where, err));
    return *type ? PR_OK : pr_fail(err, PR_ERR_FORMAT, "%s: key 'type': found nothing, expected a string", where);
}

pr_status_t pr_tok_load_text(const json_t *obj, const char *key, const char *where, char **text, size_t *len,
                             pr_error_t *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!json_is_string(v))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected a string", where, key,
                       pr_json_type_name(v));
    *len = json_string_length(v);
    *text = pr_alloc(*len + 1, 1);
    memcpy(*text, json_string_value(v), *len);
    return PR_OK;
}

pr_status_t pr_tok_load_char(const json_t *obj, const char *key, const char *where, char **text, size_t *len,
                             pr_error_t *err)
{
    PR_TRY(pr_tok_load_text(obj, key, where, text, len, err));
    if (*len && pr_tok_char_len(**text) == *len)
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found \"%.40s\", expected one character", where, key, *text);
}

pr_status_t pr_tok_load_pattern(const json_t *obj, const char *where, pr_tok_pattern_t *out, const char **regex,
                                pr_error_t *err)
{
    const json_t *pattern = json_object_get(obj, "pattern");
    const json_t *text = json_object_get(pattern, "String"), *re = json_object_get(pattern, "Regex");
    if (regex)
        *regex = NULL;
    if (json_is_string(re)) {
        out->kind = PR_TOK_REGEX;
        if (regex && strlen(json_string_value(re)) == json_string_length(re))
            *regex = json_string_value(re); // none of the known ones otherwise
        return pr_tok_regex_compile(json_string_value(re), json_string_length(re), where, &out->re, err);
    }
    if (!json_is_string(text) || !json_string_length(text))
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'pattern': expected {\"String\": text} or {\"Regex\": expression}, not empty", where);
    out->kind = PR_TOK_STRING;
    return pr_tok_load_text(pattern, "String", where, &out->text, &out->len, err);
}

static pr_status_t load_nested(pr_tokenizer_t *t, const json_t *value, const char *key, const char *where,
                               pr_tok_component_fn one, int depth, pr_error_t *err)
{
    const char *type;
    PR_TRY(pr_tok_component(value, where, &type, err));
    if (strcmp(type, "Sequence") != 0)
        return one(t, value, type, where, err);
    if (depth == PR_TOK_MAX_NESTING)
        return pr_fail(err, PR_ERR_FORMAT, "%s: more than %d sequences within each other", where, PR_TOK_MAX_NESTING);
    const json_t *list = json_object_get(value, key);
    if (!json_is_array(list))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected an array", where, key,
                       pr_json_type_name(list));
    size_t i;
    json_t *member;
    json_array_foreach(list, i, member)
    {
        char place[WHERE];
        snprintf(place, sizeof place, "%.700s[%zu]", where, i);
        PR_TRY(load_nested(t, member, key, place, one, depth + 1, err));
    }
    return PR_OK;
}

pr_status_t pr_tok_load_sequence(pr_tokenizer_t *t, const json_t *value, const char *key, const char *where,
                                 pr_tok_component_fn one, pr_error_t *err)
{
    return load_nested(t, value, key, where, one, 0, err);
}

/* ---- model ---- */

static pr_status_t check_id(const json_t *v, const char *token, const char *where, uint32_t *id, pr_error_t *err)
{
    if (!json_is_integer(v))
        return pr_fail(err, PR_ERR_FORMAT, "%s: id of \"%.100s\": found %s, expected an integer", where, token,
                       pr_json_type_name(v));
    json_int_t x = json_integer_value(v);
    if (x < 0 || x >= PR_TOK_MAX_ID)
        return pr_fail(err, PR_ERR_FORMAT, "%s: id of \"%.100s\": found %lld, expected 0 to %d", where, token,
                       (long long)x, PR_TOK_MAX_ID - 1);
    *id = (uint32_t)x;
    return PR_OK;
}

/* The content of an added token, which must be an object with one. */
static pr_status_t added_content(const json_t *token, const char *where, const json_t **content, pr_error_t *err)
{
    *content = json_object_get(token, "content");
    if (!json_is_string(*content))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'content': found %s, expected a string", where,
                       pr_json_type_name(*content));
    return PR_OK;
}

/* The largest id of the model's and the added tokens, and how many bytes all texts have. */
static pr_status_t measure(const json_t *vocab, const json_t *added, const char *file, uint32_t *largest, size_t *bytes,
                           pr_error_t *err)
{
    const char *token;
    json_t *v;
    size_t len;
    uint32_t id = 0;
    char where[WHERE];
    snprintf(where, sizeof where, "%.700s: vocab", file);
    json_object_keylen_foreach((json_t *)(uintptr_t)vocab, token, len, v)
    {
        PR_TRY(check_id(v, token, where, &id, err));
        *largest = id > *largest ? id : *largest;
        *bytes += len;
    }
    size_t i;
    json_array_foreach(added, i, v)
    {
        const json_t *content;
        snprintf(where, sizeof where, "%.700s: added_tokens[%zu]", file, i);
        PR_TRY(added_content(v, where, &content, err));
        PR_TRY(check_id(json_object_get(v, "id"), json_string_value(content), where, &id, err));
        *largest = id > *largest ? id : *largest;
        *bytes += json_string_length(content);
    }
    return PR_OK;
}

static pr_status_t load_vocab(pr_tokenizer_t *t, const json_t *vocab, const json_t *added, const char *file,
                              pr_error_t *err)
{
    uint32_t largest = 0, id = 0;
    size_t bytes = 0;
    PR_TRY(measure(vocab, added, file, &largest, &bytes, err));
    if (bytes > INT32_MAX)
        return pr_fail(err, PR_ERR_FORMAT, "%s: vocab: %zu bytes of tokens", file, bytes);
    // an added token may get an id behind the one that the file says
    size_t tokens = json_object_size(vocab) + json_array_size(added), size = largest + 1 + json_array_size(added);
    if (size > 2 * (size_t)PR_TOK_MAX_ID)
        return pr_fail(err, PR_ERR_FORMAT, "%s: more than %d added tokens", file, PR_TOK_MAX_ID);
    pr_tok_vocab_init(&t->vocab, tokens, (uint32_t)size);
    const char *token;
    json_t *v;
    size_t len;
    json_object_keylen_foreach((json_t *)(uintptr_t)vocab, token, len, v)
    {
        PR_TRY(check_id(v, token, file, &id, err));
        if (pr_tok_vocab_has(&t->vocab, id))
            return pr_fail(err, PR_ERR_FORMAT, "%s: vocab: \"%.100s\" and \"%.*s\" have the same id %u", file, token,
                           (int)(t->vocab.length[id] < 100 ? t->vocab.length[id] : 100),
                           t->vocab.bytes.data + t->vocab.offset[id], id);
        pr_tok_vocab_add(&t->vocab, token, len, id, true);
    }
    return PR_OK;
}

/* The two texts of a merge: "a b" or ["a", "b"]. */
static bool merge_pair(const json_t *v, const char *part[2], size_t len[2])
{
    if (json_is_array(v) && json_array_size(v) == 2) {
        for (size_t k = 0; k < 2; k++) {
            const json_t *s = json_array_get(v, k);
            part[k] = json_string_value(s);
            len[k] = json_string_length(s);
        }
        return part[0] && part[1];
    }
    if (!json_is_string(v))
        return false;
    size_t n = json_string_length(v);
    part[0] = json_string_value(v);
    const char *space = memchr(part[0], ' ', n);
    if (!space)
        return false;
    len[0] = (size_t)(space - part[0]);
    part[1] = space + 1;
    len[1] = n - len[0] - 1;
    return !memchr(part[1], ' ', len[1]);
}

static pr_status_t load_merge(pr_tokenizer_t *t, const json_t *v, size_t i, uint32_t rank, pr_buf_t *joined,
                              const char *file, pr_error_t *err)
{
    const char *part[2];
    size_t len[2];
    uint32_t id[3];
    if (!merge_pair(v, part, len))
        return pr_fail(err, PR_ERR_FORMAT, "%s: merges[%zu]: found %s, expected \"a b\" or [\"a\", \"b\"]", file, i,
                       pr_json_type_name(v));
    joined->len = 0;
    pr_buf_add(joined, part[0], len[0]);
    pr_buf_add(joined, part[1], len[1]);
    for (int k = 0; k < 3; k++) {
        const char *s = k < 2 ? part[k] : joined->data;
        size_t n = k < 2 ? len[k] : joined->len;
        id[k] = pr_tok_vocab_find_model(&t->vocab, s, n);
        if (id[k] == PR_TOK_NONE)
            return pr_fail(err, PR_ERR_FORMAT, "%s: merges[%zu]: \"%.*s\" is not in the vocabulary", file, i,
                           (int)(n < 100 ? n : 100), s);
    }
    pr_tok_merges_add(&t->merges, id[0], id[1], rank, id[2]);
    return PR_OK;
}

static pr_status_t load_merges(pr_tokenizer_t *t, const json_t *merges, const char *file, pr_error_t *err)
{
    pr_buf_t joined = {0};
    pr_status_t status = PR_OK;
    size_t n = json_array_size(merges), rank = 0;
    pr_tok_merges_init(&t->merges, n);
    for (size_t i = 0; i < n && status == PR_OK; i++) {
        const json_t *v = json_array_get(merges, i);
        if (json_is_string(v) && strncmp(json_string_value(v), "#version", 8) == 0)
            continue; // a first line of merges.txt that came along
        status = load_merge(t, v, i, (uint32_t)rank++, &joined, file, err);
    }
    pr_buf_free(&joined);
    return status;
}

/* The ids of single characters and bytes, so that encoding need not look them up. */
static void index_chars(pr_tokenizer_t *t)
{
    pr_buf_t text = {0};
    for (int b = 0; b < 256; b++) {
        char byte = (char)b;
        if (b < 128)
            t->ascii_id[b] = pr_tok_vocab_find_model(&t->vocab, &byte, 1);
        text.len = 0;
        pr_tok_add_byte_level(&text, &byte, 1);
        t->byte_id[b] = pr_tok_vocab_find_model(&t->vocab, text.data, text.len);
        text.len = 0;
        pr_buf_printf(&text, "<0x%02X>", b);
        t->fallback_id[b] = pr_tok_vocab_find_model(&t->vocab, text.data, text.len);
    }
    pr_buf_free(&text);
}

/* Does a ▁ stand behind something else than a ▁ in this token? */
static bool has_inner_mark(const pr_tok_vocab_t *v, uint32_t id)
{
    const size_t len = sizeof PR_TOK_MARK - 1;
    const char *s = v->bytes.data + v->offset[id];
    size_t n = v->length[id], i = 0;
    while (n - i >= len && memcmp(s + i, PR_TOK_MARK, len) == 0)
        i += len;
    return i < n && memmem(s + i, n - i, PR_TOK_MARK, len);
}

/* In the Llama-2 form a whole text is one piece. If ▁ is a token, and no merge makes a token with a ▁ behind something
 * else, then no merge crosses the place before such a ▁, and the text may be cut there without any change. */
static bool can_cut(const pr_tokenizer_t *t, const char *unk)
{
    if (t->ignore_merges || (unk && strstr(unk, PR_TOK_MARK)) ||
        pr_tok_vocab_find_model(&t->vocab, PR_TOK_MARK, sizeof PR_TOK_MARK - 1) == PR_TOK_NONE)
        return false;
    for (uint32_t i = 0; i <= t->merges.slot_mask; i++)
        if (t->merges.slots[i].rank != PR_TOK_NONE &&
            has_inner_mark(&t->vocab, t->merges.result[t->merges.slots[i].rank]))
            return false;
    return true;
}

static pr_status_t check_settings(const json_t *model, const char *where, pr_error_t *err)
{
    double dropout;
    PR_TRY(pr_json_get_real(model, "dropout", 0, &dropout, where, err));
    if (dropout != 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: key 'dropout': found %g, only 0 is supported", where, dropout);
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < 2; i++) {
        const char *affix;
        PR_TRY(pr_json_get_string(model, affixes[i], "", &affix, where, err));
        if (*affix)
            return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: key '%s': found \"%.40s\", only an empty one is supported",
                           where, affixes[i], affix);
    }
    return PR_OK;
}

static pr_status_t load_settings(pr_tokenizer_t *t, const json_t *model, const char *where, pr_error_t *err)
{
    const char *unk;
    const json_t *unk_text = json_object_get(model, "unk_token");
    PR_TRY(check_settings(model, where, err));
    PR_TRY(pr_json_get_bool(model, "fuse_unk", false, &t->fuse_unk, where, err));
    PR_TRY(pr_json_get_bool(model, "byte_fallback", false, &t->byte_fallback, where, err));
    PR_TRY(pr_json_get_bool(model, "ignore_merges", false, &t->ignore_merges, where, err));
    PR_TRY(pr_json_get_string(model, "unk_token", NULL, &unk, where, err));
    t->has_unk = unk != NULL;
    t->unk_id = unk ? pr_tok_vocab_find_model(&t->vocab, unk, json_string_length(unk_text)) : PR_TOK_NONE;
    index_chars(t);
    t->cut_at_mark = can_cut(t, unk);
    return PR_OK;
}

pr_status_t pr_tok_load_model(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err)
{
    char where[WHERE];
    const char *type;
    snprintf(where, sizeof where, "%.700s: model", file);
    const json_t *model = json_object_get(root, "model"), *added = json_object_get(root, "added_tokens");
    if (!json_is_object(model))
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object", where, pr_json_type_name(model));
    PR_TRY(pr_json_get_string(model, "type", "BPE", &type, where, err));
    if (strcmp(type, "BPE") != 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: type '%.40s' is not supported, only BPE", where, type);
    const json_t *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges");
    if (!json_is_object(vocab))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'vocab': found %s, expected an object", where,
                       pr_json_type_name(vocab));
    if (!json_is_array(merges))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'merges': found %s, expected an array", where,
                       pr_json_type_name(merges));
    if (!pr_json_is_none(added) && !json_is_array(added))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'added_tokens': found %s, expected an array", file,
                       pr_json_type_name(added));
    PR_TRY(load_vocab(t, vocab, added, where, err));
    PR_TRY(load_merges(t, merges, where, err));
    return load_settings(t, model, where, err);
}
