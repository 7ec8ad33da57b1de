// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "objective/type.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 8 }; // of one entry

static const double MAX_WEIGHT = 1e100; // so that no sum overflows

typedef struct lexicon {
    pr_dict_t weight; // by the entry's words, one space between them
    size_t longest;   // words of the longest entry
    double lo, hi;    // the smallest and the largest weight, and 0
} lexicon_t;

static const pr_option_t options[] = {
    {.key = "words",
     .kind = PR_OPT_FILE,
     .help = "file with a word (or up to eight words), a tab or space and a weight per line; '#' starts a comment"},
    {0}};

// Splits "word<blank>weight"; the weight is what stands after the last blank.
static pr_status_t split_weight(pr_span_t line, const char *where, pr_span_t *entry, double *weight, pr_error_t *err)
{
    size_t at = line.len;
    while (at > 0 && line.s[at - 1] != ' ' && line.s[at - 1] != '\t')
        at--;
    char *text = pr_strndup(line.s + at, line.len - at), *end;
    *weight = strtod(text, &end);
    bool bad = at == 0 || end == text || *end || !(fabs(*weight) <= MAX_WEIGHT);
    if (bad)
        pr_fail(err, PR_ERR_FORMAT, "%s: found '%.60s', expected a word, a tab or space and a number", where, text);
    free(text);
    *entry = pr_text_strip(line.s, at);
    return bad ? PR_ERR_FORMAT : PR_OK;
}

static void join(const pr_span_t *words, size_t n, pr_buf_t *key)
{
    key->len = 0;
    for (size_t i = 0; i < n; i++) {
        pr_buf_add(key, " ", i > 0);
        pr_buf_add(key, words[i].s, words[i].len);
    }
}

static pr_status_t add_entry(lexicon_t *self, const char *where, pr_span_t entry, double weight, pr_error_t *err)
{
    pr_spans_t words;
    pr_buf_t key = {0};
    bool added;
    pr_status_t status = PR_OK;
    pr_text_words(entry.s, entry.len, &words);
    join(words.at, words.n, &key);
    if (words.n == 0 || words.n > MAX_WORDS) {
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found %zu words in '%.*s', expected 1 to %d", where, words.n,
                         (int)(entry.len < 60 ? entry.len : 60), entry.s, MAX_WORDS);
    } else {
        *pr_dict_put(&self->weight, key.data, key.len, &added) = weight;
        if (!added)
            status = pr_fail(err, PR_ERR_FORMAT, "%s: '%s' has a weight already", where, key.data);
        self->longest = words.n > self->longest ? words.n : self->longest;
        self->lo = fmin(self->lo, weight);
        self->hi = fmax(self->hi, weight);
    }
    pr_buf_free(&key);
    pr_spans_free(&words);
    return status;
}

static pr_status_t add_line(void *self, const char *path, size_t number, pr_span_t line, pr_error_t *err)
{
    pr_buf_t where = {0};
    pr_span_t entry;
    double weight;
    pr_buf_printf(&where, "%s: line %zu", path, number);
    pr_status_t status = split_weight(line, where.data, &entry, &weight, err);
    if (status == PR_OK)
        status = add_entry(self, where.data, entry, weight, err);
    pr_buf_free(&where);
    return status;
}

static pr_status_t read_lexicon(const json_t *opt, const char *dir, lexicon_t *self, pr_error_t *err)
{
    char *path = pr_option_path(opt, "words", dir);
    pr_status_t status = pr_read_lines(path, add_line, self, err);
    if (status == PR_OK && self->weight.n == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: no word in the file, expected one and its weight per line", path);
    free(path);
    return status;
}

static pr_status_t lexicon_bounds(const json_t *opt, const char *dir, double *lo, double *hi, pr_error_t *err)
{
    lexicon_t self = {0};
    pr_status_t status = read_lexicon(opt, dir, &self, err);
    *lo = self.lo;
    *hi = self.hi;
    pr_dict_free(&self.weight);
    return status;
}

static pr_status_t lexicon_check(const json_t *opt, const char *dir, pr_error_t *err)
{
    double lo, hi;
    return lexicon_bounds(opt, dir, &lo, &hi, err);
}

static void lexicon_close(pr_objective_t *o)
{
    lexicon_t *self = o->self;
    pr_dict_free(&self->weight);
    free(self);
}

static pr_status_t lexicon_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    lexicon_t *self = o->self = pr_alloc(1, sizeof *self);
    pr_status_t status = read_lexicon(opt, env->dir, self, err);
    if (status != PR_OK)
        lexicon_close(o);
    return status;
}

// The longest entry that starts at word i: its weight, and in *used how many words it has.
static double weight_at(const lexicon_t *self, const pr_spans_t *words, size_t i, pr_buf_t *key, size_t *used)
{
    size_t most = words->n - i < self->longest ? words->n - i : self->longest;
    for (*used = most; *used > 0; --*used) {
        join(words->at + i, *used, key);
        const double *w = pr_dict_get(&self->weight, key->data, key->len);
        if (w)
            return *w;
    }
    *used = 1;
    return 0;
}

static double score_one(const lexicon_t *self, const pr_sample_t *s)
{
    pr_spans_t words;
    pr_buf_t key = {0};
    double sum = 0;
    pr_text_words(s->response, s->response_len, &words);
    for (size_t i = 0, used; i < words.n; i += used)
        sum += weight_at(self, &words, i, &key, &used);
    double score = words.n ? sum / (double)words.n : 0;
    pr_buf_free(&key);
    pr_spans_free(&words);
    return fmin(fmax(score, self->lo), self->hi); // rounding of the sum may pass an end by one bit
}

static pr_status_t lexicon_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                 pr_error_t *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = score_one(o->self, &samples[i]);
    return PR_OK;
}

const pr_objective_type_t pr_objective_lexicon = {
    .name = "lexicon",
    .formula = "sum of the weights of the entries found / words",
    .range = "[min(0, smallest weight), max(0, largest weight)]",
    .help =
        "Mean weight per word by a weighted word list, as for sentiment or politeness. Upper and lower case are alike; "
        "at each word the longest entry that starts there counts, and its words are used up. An empty response "
        "scores 0.",
    .options = options,
    .check = lexicon_check,
    .bounds = lexicon_bounds,
    .open = lexicon_open,
    .score = lexicon_score,
    .close = lexicon_close,
};
