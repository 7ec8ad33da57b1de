// SPDX-License-Identifier: BSD-3-Clause
#define PCRE2_CODE_UNIT_WIDTH 8

#include "base/mem.h"
#include "objective/type.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATTERN = 1 << 16, HEAP_KIB = 64 << 10 };

typedef struct match {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    char unit; // 'r'esponse, 's'entence or 'w'ord
    bool negate, trim;
} match_t;

static const pr_option_t options[] = {
    {.key = "pattern", .kind = PR_OPT_STRING, .help = "a regular expression (PCRE2, UTF-8, Unicode classes)"},
    {.key = "unit",
     .kind = PR_OPT_STRING,
     .dflt = "\"sentence\"",
     .choices = "response|sentence|word",
     .help = "what the matches are a share of"},
    {.key = "ignore_case", .kind = PR_OPT_BOOL, .dflt = "true", .help = "whether upper and lower case are alike"},
    {.key = "trim",
     .kind = PR_OPT_BOOL,
     .dflt = "true",
     .help = "whether white space at both ends of the response is left out first, so that ^ stands at its first word"},
    {.key = "negate", .kind = PR_OPT_BOOL, .dflt = "false", .help = "score 1 minus the rate, to wish the pattern away"},
    {.key = "step_limit",
     .kind = PR_OPT_INT,
     .dflt = "100000",
     .min = 100,
     .max = 1e9,
     .help = "steps that the matcher may take from one starting place; more is an error, so that a pattern that "
             "backtracks without end stops the job and not the machine"},
    {0}};

static pr_status_t compile(const json_t *opt, pcre2_code **out, pr_error_t *err)
{
    const char *pattern = pr_option_string(opt, "pattern");
    uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_INVALID_UTF |
                     (pr_option_bool(opt, "ignore_case") ? PCRE2_CASELESS : 0);
    int code;
    size_t offset;
    if (!*pattern || strlen(pattern) > MAX_PATTERN)
        return pr_fail(err, PR_ERR_CONFIG, "pattern: found %zu bytes, expected 1 to %d", strlen(pattern), MAX_PATTERN);
    *out = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, flags, &code, &offset, NULL);
    if (!*out) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(code, text, sizeof text);
        return pr_fail(err, PR_ERR_CONFIG, "pattern: at byte %zu of '%.80s': %s", offset, pattern, (char *)text);
    }
    return PR_OK;
}

static pr_status_t match_check(const json_t *opt, const char *dir, pr_error_t *err)
{
    pcre2_code *code;
    (void)dir;
    PR_TRY(compile(opt, &code, err));
    pcre2_code_free(code);
    return PR_OK;
}

static pr_status_t match_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    pcre2_code *code;
    (void)env;
    PR_TRY(compile(opt, &code, err));
    match_t *self = o->self = pr_alloc(1, sizeof *self);
    self->code = code;
    self->data = pcre2_match_data_create_from_pattern(code, NULL);
    self->context = pcre2_match_context_create(NULL);
    self->unit = *pr_option_string(opt, "unit");
    self->negate = pr_option_bool(opt, "negate");
    self->trim = pr_option_bool(opt, "trim");
    uint32_t limit = (uint32_t)pr_option_int(opt, "step_limit");
    pcre2_set_match_limit(self->context, limit);
    pcre2_set_depth_limit(self->context, limit);
    pcre2_set_heap_limit(self->context, HEAP_KIB);
    return PR_OK;
}

static void match_close(pr_objective_t *o)
{
    match_t *self = o->self;
    pcre2_match_data_free(self->data);
    pcre2_match_context_free(self->context);
    pcre2_code_free(self->code);
    free(self);
}

static pr_status_t match_failed(int code, pr_error_t *err)
{
    PCRE2_UCHAR text[160];
    if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT || code == PCRE2_ERROR_HEAPLIMIT)
        return pr_fail(err, PR_ERR_SCORER,
                       "the pattern took more steps than step_limit; write it so that it backtracks less, as with "
                       "possessive quantifiers or atomic groups");
    pcre2_get_error_message(code, text, sizeof text);
    return pr_fail(err, PR_ERR_SCORER, "the pattern could not be matched: %s", (char *)text);
}

// How often the pattern matches in s without overlap, at most `most` times. An empty match is stepped over.
static pr_status_t count_matches(const match_t *self, pr_span_t s, size_t most, size_t *count, pr_error_t *err)
{
    size_t at = 0;
    for (*count = 0; at <= s.len && *count < most; ++*count) {
        int rc = pcre2_match(self->code, (PCRE2_SPTR)s.s, s.len, at, 0, self->data, self->context);
        if (rc == PCRE2_ERROR_NOMATCH)
            return PR_OK;
        if (rc < 0)
            return match_failed(rc, err);
        const size_t *range = pcre2_get_ovector_pointer(self->data);
        int32_t cp;
        size_t step = range[1] < s.len ? pr_utf8_next(s.s + range[1], s.len - range[1], &cp) : 1;
        at = range[1] > range[0] && range[1] > at ? range[1] : range[1] + step;
    }
    return PR_OK;
}

static pr_status_t count_sentences(const match_t *self, const pr_spans_t *sentences, size_t *count, pr_error_t *err)
{
    *count = 0;
    for (size_t i = 0; i < sentences->n; i++) {
        size_t found;
        PR_TRY(count_matches(self, sentences->at[i], 1, &found, err));
        *count += found;
    }
    return PR_OK;
}

static pr_status_t score_one(const match_t *self, const pr_sample_t *s, double *score, pr_error_t *err)
{
    pr_spans_t pieces = {0};
    pr_span_t whole = pr_text_trimmed(s->response, s->response_len, self->trim);
    pr_status_t status;
    size_t found = 0, of = whole.len > 0;
    if (self->unit == 's') {
        pr_text_sentences(whole.s, whole.len, &pieces);
        of = pieces.n;
        status = count_sentences(self, &pieces, &found, err);
    } else if (self->unit == 'w') {
        pr_text_words(whole.s, whole.len, &pieces);
        of = pieces.n;
        status = count_matches(self, whole, of, &found, err);
    } else {
        status = count_matches(self, whole, of, &found, err);
    }
    pr_spans_free(&pieces);
    double rate = of ? (double)found / (double)of : 0;
    *score = self->negate && of ? 1 - rate : rate;
    return status;
}

static pr_status_t match_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores, pr_error_t *err)
{
    for (size_t i = 0; i < n; i++) {
        pr_status_t status = score_one(o->self, &samples[i], &scores[i], err);
        if (status != PR_OK) {
            pr_fail_in(err, "sample %zu", i);
            return status;
        }
    }
    return PR_OK;
}

const pr_objective_type_t pr_objective_match = {
    .name = "match",
    .formula = "unit = sentence: sentences that match / sentences; word: min(1, matches / words); response: 1 if it "
               "matches, else 0",
    .range = "[0, 1]",
    .help = "How often a pattern occurs. ^ and $ match at lines of the response (of the sentence). " PR_SENTENCES_HELP
            " An empty response, or one without a unit, scores 0, negated or not.",
    .empty_is_lowest = true,
    .options = options,
    .check = match_check,
    .open = match_open,
    .score = match_score,
    .close = match_close,
};
