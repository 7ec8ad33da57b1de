// SPDX-License-Identifier: BSD-3-Clause
#include "objective/templated.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "model/tokens.h"
#include "objective/text.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

// The template with the sample's texts put in, once: what they hold themselves is left as it is.
static void fill_template(const char *template, const char *prompt, pr_span_t response, pr_buf_t *out)
{
    static const char prompt_mark[] = "{prompt}", response_mark[] = "{response}";
    for (const char *p = template; *p;) {
        if (strncmp(p, prompt_mark, sizeof prompt_mark - 1) == 0) {
            pr_buf_puts(out, prompt);
            p += sizeof prompt_mark - 1;
        } else if (strncmp(p, response_mark, sizeof response_mark - 1) == 0) {
            pr_buf_add(out, response.s, response.len);
            p += sizeof response_mark - 1;
        } else {
            pr_buf_add(out, p++, 1);
        }
    }
}

static void add_sequence(const pr_templated_t *t, const pr_model_config_t *c, const int32_t *id, size_t n,
                         pr_packed_t *packed)
{
    int32_t nothing;
    size_t cut = n > t->max_tokens ? n - t->max_tokens : 0, left = n - cut;
    const int32_t *scored = pr_head_scored(c, t->keep_end && id ? id + cut : id, &left, &nothing);
    pr_packed_add(packed, scored, left);
}

void pr_templated_fit(pr_templated_t *t, const pr_model_config_t *c)
{
    size_t longest = (size_t)c->max_pos;
    t->max_tokens = t->max_tokens && t->max_tokens < longest ? t->max_tokens : longest;
}

pr_status_t pr_templated_add(const pr_templated_t *t, const pr_tokenizer_t *tokenizer, const pr_model_config_t *c,
                             const char *prompt, const char *response, size_t response_len, pr_packed_t *out,
                             pr_error_t *err)
{
    pr_span_t said = pr_text_trimmed(response, response_len, t->trim);
    pr_buf_t text = {0};
    int32_t *id = NULL;
    size_t n = 0;
    assert(t->max_tokens > 0);
    pr_buf_add(&text, "", 0);
    if (prompt)
        fill_template(t->template, prompt, said, &text);
    else
        pr_buf_add(&text, said.s, said.len);
    pr_status_t status = pr_tokenizer_encode(tokenizer, text.data, text.len, t->special, &id, &n, err);
    pr_buf_free(&text);
    if (status == PR_OK)
        add_sequence(t, c, id, n, out);
    free(id);
    return status;
}

pr_status_t pr_templated_check(const pr_templated_t *t, const pr_tokenizer_t *tokenizer, const pr_model_config_t *c,
                               const char *prompt, const char *response, size_t response_len, pr_error_t *err)
{
    pr_packed_t one = {0};
    pr_templated_t how = *t;
    if (pr_tokenizer_size(tokenizer) <= c->vocab)
        return PR_OK;
    pr_templated_fit(&how, c);
    pr_status_t status = pr_templated_add(&how, tokenizer, c, prompt, response, response_len, &one, err);
    if (status == PR_OK)
        status = pr_tokens_check(tokenizer, c, one.token, one.start[1], err);
    pr_packed_free(&one);
    return status;
}

/* ---- settings ---- */

static const struct {
    const char *key, *dflt;
} settings[] = {{"template", "{prompt}{response}"},
                {"max_tokens", "0"},
                {"truncate", "start"},
                {"special_tokens", "true"},
                {"trim", "false"}};

enum { TEMPLATE, MAX_TOKENS, TRUNCATE, SPECIAL_TOKENS, TRIM, N_SETTINGS };

// An option's value as the text that a file would hold. Caller frees.
static char *as_text(const json_t *v)
{
    char number[24];
    if (json_is_string(v))
        return pr_strdup(json_string_value(v));
    if (json_is_boolean(v))
        return pr_strdup(json_is_true(v) ? "true" : "false");
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
    return pr_strdup(number);
}

static pr_status_t one_setting(const char *key, const char *dflt, const json_t *options, const json_t *metadata,
                               const char *where, char **out, pr_error_t *err)
{
    const json_t *v = json_object_get(options, key);
    const char *said = json_string_value(json_object_get(metadata, key));
    char *given = !pr_json_is_none(v) ? as_text(v) : NULL;
    if (given && said && strcmp(given, said) != 0) {
        pr_fail(err, PR_ERR_CONFIG, "%s: found \"%.200s\", but %s was fitted with \"%.200s\"", key, given, where, said);
        free(given);
        return PR_ERR_CONFIG;
    }
    *out = given ? given : pr_strdup(said ? said : dflt);
    return PR_OK;
}

static pr_status_t parse_bool(char **text, int setting, const char *where, bool *out, pr_error_t *err)
{
    *out = strcmp(text[setting], "true") == 0;
    if (!*out && strcmp(text[setting], "false") != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %s: found \"%.40s\", expected true or false", where,
                       settings[setting].key, text[setting]);
    return PR_OK;
}

// What stands in braces as a placeholder does: a word, blanks around it left aside. 0: nothing of the kind begins here.
static size_t placeholder(const char *p, pr_span_t *word)
{
    static const char blanks[] = " \t";
    size_t before = 1 + strspn(p + 1, blanks), n = 0, after;
    while (isalnum((unsigned char)p[before + n]) || p[before + n] == '_')
        n++;
    after = strspn(p + before + n, blanks);
    *word = (pr_span_t){p + before, n};
    return n > 0 && p[before + n + after] == '}' ? before + n + after + 1 : 0;
}

pr_status_t pr_templated_check_template(const char *template, pr_error_t *err)
{
    static const char *const names[] = {"{prompt}", "{response}"};
    pr_span_t word;
    size_t len;
    for (const char *p = template; (p = strchr(p, '{')); p += len ? len : 1) {
        len = placeholder(p, &word);
        if (len == 0 ||
            (len == word.len + 2 && (strncmp(p, "{prompt}", len) == 0 || strncmp(p, "{response}", len) == 0)))
            continue;
        char *found = pr_strndup(p, len < 60 ? len : 60);
        (void)pr_unknown("placeholder", "", found, names, 2, NULL, err);
        free(found);
        return pr_fail_in(err, "template");
    }
    if (!strstr(template, "{response}"))
        return pr_fail(err, PR_ERR_CONFIG, "template: found no {response} in it");
    return PR_OK;
}

static pr_status_t parse_settings(char **text, const char *where, pr_templated_t *out, pr_error_t *err)
{
    char *end;
    long n = strtol(text[MAX_TOKENS], &end, 10);
    if (!*text[MAX_TOKENS] || *end || n < 0 || n > INT_MAX)
        return pr_fail(err, PR_ERR_FORMAT, "%s: max_tokens: found \"%.40s\", expected an integer from 0 on", where,
                       text[MAX_TOKENS]);
    out->max_tokens = (size_t)n;
    out->keep_end = strcmp(text[TRUNCATE], "start") == 0;
    if (!out->keep_end && strcmp(text[TRUNCATE], "end") != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: truncate: found \"%.40s\", expected start or end", where,
                       text[TRUNCATE]);
    PR_TRY(parse_bool(text, SPECIAL_TOKENS, where, &out->special, err));
    PR_TRY(parse_bool(text, TRIM, where, &out->trim, err));
    return pr_templated_check_template(text[TEMPLATE], err);
}

pr_status_t pr_templated_read(const json_t *options, const json_t *metadata, const char *where, pr_templated_t *out,
                              pr_error_t *err)
{
    char *text[N_SETTINGS] = {0};
    pr_status_t status;
    pr_templated_t t = {0};
    for (int i = 0; i < N_SETTINGS; i++)
        PR_GO(one_setting(settings[i].key, settings[i].dflt, options, metadata, where, &text[i], err));
    PR_GO(parse_settings(text, where, &t, err));
    t.template = text[TEMPLATE];
    text[TEMPLATE] = NULL;
    *out = t;
done:
    for (int i = 0; i < N_SETTINGS; i++)
        free(text[i]);
    return status;
}

json_t *pr_templated_metadata(const pr_templated_t *t)
{
    char number[24];
    snprintf(number, sizeof number, "%zu", t->max_tokens);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "template", t->template, "max_tokens", number, "truncate",
                     t->keep_end ? "start" : "end", "special_tokens", t->special ? "true" : "false", "trim",
                     t->trim ? "true" : "false");
}

void pr_templated_clear(pr_templated_t *t)
{
    free(t->template);
    *t = (pr_templated_t){0};
}
