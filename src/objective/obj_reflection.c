// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "objective/type.h"

#include <stdlib.h>
#include <string.h>

typedef struct reflection {
    char *from, *to;
    size_t min_letters, prefix;
    pr_dict_t stop;
} reflection_t;

static const char stop_words[] =
    "the a an and or but so if then than that this these those is am are was were be been being do does did have has "
    "had i me my mine you your yours he she it its we they them his her our their to of in on at for with from by as "
    "not no now just very what when how who it's i'm because about since ever keep feel feeling makes feels all day "
    "night time again lately these days weeks months last year every";

static const pr_option_t options[] = {
    {.key = "from",
     .kind = PR_OPT_STRING,
     .dflt = "\"Client:\"",
     .help = "the part of the prompt that counts starts after the last of these; without one in the prompt, or when "
             "\"\", at its start"},
    {.key = "to",
     .kind = PR_OPT_STRING,
     .dflt = "\"\\nCounselor:\"",
     .help = "and ends before the first of these; without one, or when \"\", at its end"},
    {.key = "min_letters",
     .kind = PR_OPT_INT,
     .dflt = "4",
     .min = 1,
     .max = 100,
     .help = "shorter words of the prompt do not count"},
    {.key = "prefix",
     .kind = PR_OPT_INT,
     .dflt = "6",
     .min = 1,
     .max = 100,
     .help = "words are compared by this many first letters"},
    {.key = "stopwords",
     .kind = PR_OPT_FILE,
     .dflt = "",
     .help = "file of words of the prompt that do not count, one per line; when not given, a built-in English list"},
    {0}};

static void add_stop_words(pr_dict_t *stop, const char *text, size_t len)
{
    pr_spans_t words;
    pr_text_ascii_words(text, len, &words);
    for (size_t i = 0; i < words.n; i++)
        pr_dict_put(stop, words.at[i].s, words.at[i].len, NULL);
    pr_spans_free(&words);
}

static pr_status_t add_line(void *self, const char *path, size_t number, pr_span_t line, pr_error_t *err)
{
    (void)path;
    (void)number;
    (void)err;
    add_stop_words(self, line.s, line.len);
    return PR_OK;
}

static void reflection_close(pr_objective_t *o)
{
    reflection_t *self = o->self;
    free(self->from);
    free(self->to);
    pr_dict_free(&self->stop);
    free(self);
}

static pr_status_t reflection_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    reflection_t *self = o->self = pr_alloc(1, sizeof *self);
    self->from = pr_strdup(pr_option_string(opt, "from"));
    self->to = pr_strdup(pr_option_string(opt, "to"));
    self->min_letters = (size_t)pr_option_int(opt, "min_letters");
    self->prefix = (size_t)pr_option_int(opt, "prefix");
    char *path = pr_option_path(opt, "stopwords", env->dir);
    if (path)
        status = pr_read_lines(path, add_line, &self->stop, err);
    else
        add_stop_words(&self->stop, stop_words, sizeof stop_words - 1);
    free(path);
    if (status != PR_OK)
        reflection_close(o);
    return status;
}

static size_t prefix_len(const reflection_t *self, pr_span_t word)
{
    return word.len < self->prefix ? word.len : self->prefix;
}

// The part of the prompt between the last `from` and the first `to` after it.
static pr_span_t part_of(const reflection_t *self, const char *prompt)
{
    size_t skip = strlen(self->from);
    for (const char *p; skip && (p = strstr(prompt, self->from));)
        prompt = p + skip;
    const char *end = *self->to ? strstr(prompt, self->to) : NULL;
    return (pr_span_t){prompt, end ? (size_t)(end - prompt) : strlen(prompt)};
}

// The set of prefixes of the prompt's content words, each with value 0.
static void wanted_words(const reflection_t *self, const char *prompt, pr_dict_t *wanted)
{
    pr_spans_t words;
    pr_span_t part = part_of(self, prompt);
    pr_text_ascii_words(part.s, part.len, &words);
    for (size_t i = 0; i < words.n; i++) {
        pr_span_t w = words.at[i];
        if (w.len >= self->min_letters && !pr_dict_get(&self->stop, w.s, w.len))
            pr_dict_put(wanted, w.s, prefix_len(self, w), NULL);
    }
    pr_spans_free(&words);
}

static double score_one(const reflection_t *self, const pr_sample_t *s)
{
    pr_dict_t wanted = {0}, taken = {0};
    pr_spans_t words;
    wanted_words(self, s->prompt, &wanted);
    pr_text_ascii_words(s->response, s->response_len, &words);
    for (size_t i = 0; i < words.n; i++) {
        size_t len = prefix_len(self, words.at[i]);
        if (pr_dict_get(&wanted, words.at[i].s, len))
            pr_dict_put(&taken, words.at[i].s, len, NULL);
    }
    double score = wanted.n ? (double)taken.n / (double)wanted.n : 0;
    pr_spans_free(&words);
    pr_dict_free(&wanted);
    pr_dict_free(&taken);
    return score;
}

static pr_status_t reflection_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                    pr_error_t *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = score_one(o->self, &samples[i]);
    return PR_OK;
}

const pr_objective_type_t pr_objective_reflection = {
    .name = "reflection",
    .formula =
        "|C and R| / max(1, |C|), C the content words of the client's part of the prompt, R the response's words",
    .range = "[0, 1]",
    .help =
        "Share of the prompt's content words that the response takes up. Words are runs of a-z and ' in the "
        "lower-cased text, cut to `prefix` letters; content words are no stop words and have at least `min_letters` "
        "letters. An empty response scores 0.",
    .empty_is_lowest = true,
    .options = options,
    .open = reflection_open,
    .score = reflection_score,
    .close = reflection_close,
};
