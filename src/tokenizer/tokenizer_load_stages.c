// SPDX-License-Identifier: BSD-3-Clause
/* The normalizer, pre-tokenizer and decoder of tokenizer.json. */
#include "tokenizer/tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHERE 768

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static pr_status_t unsupported(const char *type, const char *where, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: type '%.40s' is not supported", where, type);
}

static pr_status_t check_count(size_t n, const char *where, pr_error_t *err)
{
    return n < PR_TOK_MAX_STAGES ? PR_OK
                                 : pr_fail(err, PR_ERR_FORMAT, "%s: more than %d steps", where, PR_TOK_MAX_STAGES);
}

static pr_status_t load_part(pr_tokenizer_t *t, const json_t *root, const char *file, const char *key,
                             const char *members, pr_tok_component_fn one, pr_error_t *err)
{
    char where[WHERE];
    const json_t *value = json_object_get(root, key);
    snprintf(where, sizeof where, "%.700s: %s", file, key);
    return pr_json_is_none(value) ? PR_OK : pr_tok_load_sequence(t, value, members, where, one, err);
}

/* ---- normalizer ---- */

static pr_status_t load_norm(pr_tokenizer_t *t, const json_t *v, const char *type, const char *where, pr_error_t *err)
{
    static const char *const names[] = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Prepend", "Replace", "Strip"};
    PR_TRY(check_count(t->n_norms, where, err));
    unsigned kind = 0;
    while (kind < sizeof names / sizeof *names && !is(type, names[kind]))
        kind++;
    if (kind == sizeof names / sizeof *names)
        return unsupported(type, where, err);
    t->norms = pr_realloc(t->norms, t->n_norms + 1, sizeof *t->norms);
    pr_tok_norm_t *norm = &t->norms[t->n_norms++];
    *norm = (pr_tok_norm_t){.kind = kind};
    if (norm->kind == PR_TOK_PREPEND)
        return pr_tok_load_text(v, "prepend", where, &norm->text, &norm->len, err);
    if (norm->kind == PR_TOK_REPLACE) {
        PR_TRY(pr_tok_load_text(v, "content", where, &norm->text, &norm->len, err));
        return pr_tok_load_pattern(v, where, &norm->pattern, NULL, err);
    }
    if (norm->kind == PR_TOK_STRIP) {
        PR_TRY(pr_json_get_bool(v, "strip_left", true, &norm->left, where, err));
        return pr_json_get_bool(v, "strip_right", true, &norm->right, where, err);
    }
    return PR_OK;
}

pr_status_t pr_tok_load_norms(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err)
{
    return load_part(t, root, file, "normalizer", "normalizers", load_norm, err);
}

/* ---- pre-tokenizer ---- */

static pr_tok_stage_t *new_stage(pr_tokenizer_t *t, pr_tok_stage_t stage)
{
    t->stages = pr_realloc(t->stages, t->n_stages + 1, sizeof *t->stages);
    t->stages[t->n_stages] = stage;
    return &t->stages[t->n_stages++];
}

static pr_status_t load_behavior(const json_t *v, const char *dflt, const char *where, pr_tok_behavior_t *out,
                                 pr_error_t *err)
{
    static const char *const names[] = {"Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"};
    const char *name;
    PR_TRY(pr_json_get_string(v, "behavior", dflt, &name, where, err));
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (is(name, names[i])) {
            *out = (pr_tok_behavior_t)i;
            return PR_OK;
        }
    return pr_fail(err, PR_ERR_FORMAT, "%s: key 'behavior': found '%.40s', expected Isolated, Removed, ...", where,
                   name ? name : "");
}

static pr_status_t load_split(pr_tokenizer_t *t, const json_t *v, const char *where, pr_error_t *err)
{
    const char *regex;
    pr_tok_stage_t *st = new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_SPLIT});
    PR_TRY(load_behavior(v, NULL, where, &st->behavior, err));
    PR_TRY(pr_json_get_bool(v, "invert", false, &st->invert, where, err));
    PR_TRY(pr_tok_load_pattern(v, where, &st->pattern, &regex, err));
    if (!regex)
        return PR_OK;
    st->scan = pr_tok_scan_of(regex, strlen(regex));
    // these patterns match all of a text, so that only matches are left in both of these cases
    bool all = st->behavior == PR_TOK_ISOLATED || (st->behavior == PR_TOK_REMOVED && st->invert);
    if (st->scan != PR_TOK_SCAN_NONE && all)
        st->kind = PR_TOK_SCAN;
    return PR_OK;
}

static void split_chars(pr_tokenizer_t *t, unsigned classes, pr_tok_behavior_t behavior)
{
    new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_SPLIT,
                                  .pattern = {.kind = PR_TOK_CHARS, .classes = classes},
                                  .behavior = behavior});
}

static pr_status_t load_digits(pr_tokenizer_t *t, const json_t *v, const char *where, pr_error_t *err)
{
    bool individual;
    PR_TRY(pr_json_get_bool(v, "individual_digits", false, &individual, where, err));
    split_chars(t, PR_TOK_N, individual ? PR_TOK_ISOLATED : PR_TOK_CONTIGUOUS);
    return PR_OK;
}

static pr_status_t load_byte_level(pr_tokenizer_t *t, const json_t *v, const char *where, pr_error_t *err)
{
    bool prefix_space, use_regex;
    PR_TRY(pr_json_get_bool(v, "add_prefix_space", true, &prefix_space, where, err));
    PR_TRY(pr_json_get_bool(v, "use_regex", true, &use_regex, where, err));
    if (prefix_space)
        new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_PREFIX_SPACE});
    if (use_regex)
        new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_SCAN, .scan = PR_TOK_SCAN_GPT2});
    new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_BYTE_LEVEL});
    return PR_OK;
}

/* "prepend_scheme", or "add_prefix_space" as older files say it. */
static pr_status_t load_scheme(const json_t *v, const char *where, int *scheme, pr_error_t *err)
{
    static const char *const names[] = {"never", "first", "always"};
    bool prefix_space;
    const char *name;
    PR_TRY(pr_json_get_bool(v, "add_prefix_space", true, &prefix_space, where, err));
    PR_TRY(pr_json_get_string(v, "prepend_scheme", prefix_space ? "always" : "never", &name, where, err));
    for (*scheme = PR_TOK_NEVER; *scheme <= PR_TOK_ALWAYS; ++*scheme)
        if (is(name, names[*scheme]))
            return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT, "%s: key 'prepend_scheme': found '%.40s', expected never, first or always",
                   where, name);
}

static pr_status_t load_metaspace(pr_tokenizer_t *t, const json_t *v, const char *where, pr_error_t *err)
{
    int scheme;
    bool split;
    PR_TRY(load_scheme(v, where, &scheme, err));
    PR_TRY(pr_json_get_bool(v, "split", true, &split, where, err));
    pr_tok_stage_t *st = new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_METASPACE, .prepend = (unsigned)scheme});
    PR_TRY(pr_tok_load_char(v, "replacement", where, &st->text, &st->len, err));
    if (!split)
        return PR_OK;
    st = new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_SPLIT, .behavior = PR_TOK_MERGED_WITH_NEXT});
    st->pattern.kind = PR_TOK_STRING;
    return pr_tok_load_char(v, "replacement", where, &st->pattern.text, &st->pattern.len, err);
}

static pr_status_t load_delimiter(pr_tokenizer_t *t, const json_t *v, const char *where, pr_error_t *err)
{
    pr_tok_stage_t *st = new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_SPLIT, .behavior = PR_TOK_REMOVED});
    st->pattern.kind = PR_TOK_STRING;
    return pr_tok_load_char(v, "delimiter", where, &st->pattern.text, &st->pattern.len, err);
}

static pr_status_t load_stage(pr_tokenizer_t *t, const json_t *v, const char *type, const char *where, pr_error_t *err)
{
    PR_TRY(check_count(t->n_stages, where, err));
    if (is(type, "ByteLevel"))
        return load_byte_level(t, v, where, err);
    if (is(type, "Split"))
        return load_split(t, v, where, err);
    if (is(type, "Digits"))
        return load_digits(t, v, where, err);
    if (is(type, "Metaspace"))
        return load_metaspace(t, v, where, err);
    if (is(type, "CharDelimiterSplit"))
        return load_delimiter(t, v, where, err);
    if (is(type, "Punctuation")) {
        pr_tok_behavior_t behavior = PR_TOK_ISOLATED;
        PR_TRY(load_behavior(v, "Isolated", where, &behavior, err));
        split_chars(t, PR_TOK_PUNCT, behavior);
    } else if (is(type, "Whitespace")) {
        new_stage(t, (pr_tok_stage_t){.kind = PR_TOK_WORDS});
    } else if (is(type, "WhitespaceSplit") || is(type, "BertPreTokenizer")) {
        split_chars(t, PR_TOK_S, PR_TOK_REMOVED);
        if (is(type, "BertPreTokenizer"))
            split_chars(t, PR_TOK_PUNCT, PR_TOK_ISOLATED);
    } else {
        return unsupported(type, where, err);
    }
    return PR_OK;
}

pr_status_t pr_tok_load_stages(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err)
{
    PR_TRY(load_part(t, root, file, "pre_tokenizer", "pretokenizers", load_stage, err));
    // as the last stage, the bytes' printable characters need not be written out
    if (t->n_stages && t->stages[t->n_stages - 1].kind == PR_TOK_BYTE_LEVEL) {
        t->n_stages--;
        t->byte_level = true;
        t->cut_at_mark = false;
    }
    return PR_OK;
}

/* ---- decoder ---- */

static pr_status_t load_decoder(pr_tokenizer_t *t, const json_t *v, const char *type, const char *where,
                                pr_error_t *err)
{
    static const char *const names[] = {"ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"};
    PR_TRY(check_count(t->n_decoders, where, err));
    unsigned kind = 0;
    while (kind < sizeof names / sizeof *names && !is(type, names[kind]))
        kind++;
    if (kind == sizeof names / sizeof *names)
        return unsupported(type, where, err);
    t->decoders = pr_realloc(t->decoders, t->n_decoders + 1, sizeof *t->decoders);
    pr_tok_decoder_t *d = &t->decoders[t->n_decoders++];
    *d = (pr_tok_decoder_t){.kind = kind};
    if (d->kind == PR_TOK_DEC_REPLACE) {
        PR_TRY(pr_tok_load_text(v, "content", where, &d->text, &d->len, err));
        return pr_tok_load_pattern(v, where, &d->pattern, NULL, err);
    }
    if (d->kind == PR_TOK_DEC_STRIP) {
        PR_TRY(pr_json_get_int(v, "start", 0, &d->start, where, err));
        PR_TRY(pr_json_get_int(v, "stop", 0, &d->stop, where, err));
        return pr_tok_load_char(v, "content", where, &d->text, &d->len, err);
    }
    if (d->kind == PR_TOK_DEC_METASPACE) {
        int scheme;
        PR_TRY(load_scheme(v, where, &scheme, err));
        d->drop_first = scheme != PR_TOK_NEVER;
        return pr_tok_load_char(v, "replacement", where, &d->text, &d->len, err);
    }
    return PR_OK;
}

pr_status_t pr_tok_load_decoders(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err)
{
    const json_t *value = json_object_get(root, "decoder");
    t->has_decoder = !pr_json_is_none(value);
    return load_part(t, root, file, "decoder", "decoders", load_decoder, err);
}
