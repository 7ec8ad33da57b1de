// SPDX-License-Identifier: BSD-3-Clause
/* Added tokens and the post-processor's template. */
#include "base/log.h"
#include "tokenizer/tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHERE 768

static pr_status_t load_flags(pr_tok_added_t *a, const json_t *v, const char *where, pr_error_t *err)
{
    PR_TRY(pr_json_get_bool(v, "special", false, &a->special, where, err));
    PR_TRY(pr_json_get_bool(v, "single_word", false, &a->single_word, where, err));
    PR_TRY(pr_json_get_bool(v, "lstrip", false, &a->lstrip, where, err));
    PR_TRY(pr_json_get_bool(v, "rstrip", false, &a->rstrip, where, err));
    return pr_json_get_bool(v, "normalized", !a->special, &a->normalized, where, err);
}

/* Gives the token its id (one that the model does not have gets the next free one, whatever the file says, as in the
 * Rust library) and makes the two known, or checks that they are known together. */
static pr_status_t register_token(pr_tokenizer_t *t, pr_tok_added_t *a, uint32_t *next, const char *where,
                                  pr_error_t *err)
{
    uint32_t known = pr_tok_vocab_find(&t->vocab, a->text, a->len);
    if (known != PR_TOK_NONE && known != a->id && t->vocab.in_model[known])
        return pr_fail(err, PR_ERR_FORMAT, "%s: \"%.100s\" has id %u here and %u in the vocabulary", where, a->text,
                       a->id, known);
    if (known == PR_TOK_NONE && pr_tok_vocab_has(&t->vocab, a->id))
        return pr_fail(err, PR_ERR_FORMAT, "%s: \"%.100s\" has id %u, which is another token's", where, a->text, a->id);
    uint32_t id = known == PR_TOK_NONE ? *next : known;
    if (id != a->id)
        pr_log(PR_LOG_WARN, "%s: the token has id %u in the file and gets %u, the next one", where, a->id, id);
    if (known == PR_TOK_NONE && (id >= t->vocab.size || pr_tok_vocab_has(&t->vocab, id)))
        return pr_fail(err, PR_ERR_FORMAT, "%s: \"%.100s\" would get id %u, which is another token's", where, a->text,
                       id);
    a->id = id;
    if (id >= *next)
        *next = id + 1;
    if (known == PR_TOK_NONE)
        pr_tok_vocab_add(&t->vocab, a->text, a->len, a->id, false);
    return PR_OK;
}

/* The text of a token that is looked for in normalized text is normalized itself. */
static pr_status_t normalize_token(const pr_tokenizer_t *t, pr_tok_added_t *a, const char *where, pr_error_t *err)
{
    if (!a->normalized || !t->n_norms)
        return PR_OK;
    pr_buf_t text = {0};
    pr_tok_match_t match = {0};
    pr_status_t status = pr_tok_normalize(t, a->text, a->len, &match, &text, err);
    pr_tok_match_free(&match);
    if (status == PR_OK && !text.len)
        status = pr_fail(err, PR_ERR_UNSUPPORTED, "%s: \"%.100s\" is empty when normalized", where, a->text);
    if (status != PR_OK) {
        pr_buf_free(&text);
        return status;
    }
    free(a->text);
    a->text = text.data;
    a->len = text.len;
    return PR_OK;
}

static pr_status_t load_one(pr_tokenizer_t *t, const json_t *v, pr_tok_added_t *a, uint32_t *next, const char *where,
                            pr_error_t *err)
{
    PR_TRY(pr_tok_load_text(v, "content", where, &a->text, &a->len, err));
    if (!a->len)
        return PR_OK; // never found in a text
    a->id = (uint32_t)json_integer_value(json_object_get(v, "id"));
    PR_TRY(load_flags(a, v, where, err));
    PR_TRY(register_token(t, a, next, where, err));
    t->special[a->id] |= a->special;
    return normalize_token(t, a, where, err);
}

/* Among tokens that are written alike the special ones come first, as in the Rust library. */
static void index_added(pr_tokenizer_t *t)
{
    for (int special = 1; special >= 0; special--)
        for (size_t i = 0; i < t->n_added; i++) {
            const pr_tok_added_t *a = &t->added[i];
            if (a->len && a->special == (special == 1))
                pr_tok_trie_add(a->normalized ? &t->normalized : &t->raw, a->text, a->len, (uint32_t)i);
        }
}

pr_status_t pr_tok_load_added(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err)
{
    const json_t *list = json_object_get(root, "added_tokens");
    t->special = pr_alloc(t->vocab.size, 1);
    t->added = pr_alloc(json_array_size(list), sizeof *t->added);
    uint32_t next = t->vocab.count;
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        char where[WHERE];
        snprintf(where, sizeof where, "%.700s: added_tokens[%zu]", file, i);
        PR_TRY(load_one(t, v, &t->added[t->n_added++], &next, where, err));
    }
    pr_tok_vocab_trim(&t->vocab);
    index_added(t);
    return PR_OK;
}

/* ---- template ---- */

typedef struct ids {
    uint32_t *id;
    size_t n;
} ids_t;

static void add_id(ids_t *x, uint32_t id)
{
    x->id = pr_realloc(x->id, x->n + 1, sizeof *x->id);
    x->id[x->n++] = id;
}

static pr_status_t add_checked(const pr_tokenizer_t *t, ids_t *x, const json_t *v, const char *where, pr_error_t *err)
{
    json_int_t id = json_integer_value(v);
    if (!json_is_integer(v) || id < 0 || id >= (json_int_t)t->vocab.size)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s %lld, expected an id below %u", where, pr_json_type_name(v),
                       (long long)id, t->vocab.size);
    add_id(x, (uint32_t)id);
    return PR_OK;
}

/* The ids that a name of the template stands for. */
static pr_status_t add_named(const pr_tokenizer_t *t, ids_t *x, const json_t *names, const json_t *name,
                             const char *where, pr_error_t *err)
{
    const json_t *entry = json_object_getn(names, json_string_value(name), json_string_length(name));
    const json_t *list = json_object_get(entry, "ids");
    if (!json_is_array(list))
        return pr_fail(err, PR_ERR_FORMAT, "%s: special token \"%.100s\" has no list of ids", where,
                       json_string_value(name));
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        PR_TRY(add_checked(t, x, v, where, err));
    }
    return PR_OK;
}

/* Puts what one template adds around what those before it have added. */
static void wrap(pr_tokenizer_t *t, const ids_t *before, const ids_t *behind)
{
    ids_t prefix = {0};
    for (size_t i = 0; i < before->n; i++)
        add_id(&prefix, before->id[i]);
    for (size_t i = 0; i < t->n_prefix; i++)
        add_id(&prefix, t->prefix[i]);
    free(t->prefix);
    t->prefix = prefix.id;
    t->n_prefix = prefix.n;
    ids_t suffix = {t->suffix, t->n_suffix};
    for (size_t i = 0; i < behind->n; i++)
        add_id(&suffix, behind->id[i]);
    t->suffix = suffix.id;
    t->n_suffix = suffix.n;
}

static pr_status_t read_template(const pr_tokenizer_t *t, const json_t *value, const char *where, ids_t around[2],
                                 pr_error_t *err)
{
    const json_t *single = json_object_get(value, "single"), *names = json_object_get(value, "special_tokens");
    size_t i, texts = 0;
    json_t *item;
    json_array_foreach(single, i, item)
    {
        const char *sequence = json_string_value(json_object_get(json_object_get(item, "Sequence"), "id"));
        const json_t *special = json_object_get(json_object_get(item, "SpecialToken"), "id");
        if (sequence && strcmp(sequence, "A") == 0)
            texts++;
        else if (json_is_string(special) && texts < 2)
            PR_TRY(add_named(t, &around[texts], names, special, where, err));
        else
            return pr_fail(err, PR_ERR_FORMAT, "%s: single[%zu]: expected a SpecialToken or the Sequence A", where, i);
    }
    if (texts != 1)
        return pr_fail(err, PR_ERR_FORMAT, "%s: single: the Sequence A stands %zu times in it, expected once", where,
                       texts);
    return PR_OK;
}

/* BertProcessing and RobertaProcessing: ["token", id] on either side. */
static pr_status_t read_cls_sep(const pr_tokenizer_t *t, const json_t *value, const char *where, ids_t around[2],
                                pr_error_t *err)
{
    PR_TRY(add_checked(t, &around[0], json_array_get(json_object_get(value, "cls"), 1), where, err));
    return add_checked(t, &around[1], json_array_get(json_object_get(value, "sep"), 1), where, err);
}

static pr_status_t load_processor(pr_tokenizer_t *t, const json_t *value, const char *type, const char *where,
                                  pr_error_t *err)
{
    ids_t around[2] = {{0}};
    pr_status_t status = PR_OK;
    if (strcmp(type, "ByteLevel") == 0)
        return PR_OK; // only changes offsets
    if (strcmp(type, "TemplateProcessing") == 0)
        status = read_template(t, value, where, around, err);
    else if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0)
        status = read_cls_sep(t, value, where, around, err);
    else
        status = pr_fail(err, PR_ERR_UNSUPPORTED, "%s: type '%.40s' is not supported", where, type);
    if (status == PR_OK)
        wrap(t, &around[0], &around[1]);
    free(around[0].id);
    free(around[1].id);
    return status;
}

pr_status_t pr_tok_load_template(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err)
{
    char where[WHERE];
    const json_t *value = json_object_get(root, "post_processor");
    snprintf(where, sizeof where, "%.700s: post_processor", file);
    return pr_json_is_none(value) ? PR_OK : pr_tok_load_sequence(t, value, "processors", where, load_processor, err);
}
