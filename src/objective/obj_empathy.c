// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "objective/type.h"

#include <stdlib.h>
#include <string.h>

typedef struct phrases {
    size_t n, cap;
    char **phrase; // lower case
} phrases_t;

static const char *const built_in[] = {"sorry",      "hard for you",          "i can hear",       "what i hear",
                                       "understand", "makes sense",           "not alone",        "here for you",
                                       "painful",    "thank you for telling", "anyone would feel"};

static const pr_option_t options[] = {
    {.key = "phrases",
     .kind = PR_OPT_FILE,
     .dflt = "",
     .help =
         "file of empathic phrases, one per line, '#' starts a comment; when not given, the built-in list of eleven"},
    {0}};

static void add_phrase(phrases_t *list, const char *s, size_t len)
{
    size_t n;
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 16;
        list->phrase = pr_realloc(list->phrase, list->cap, sizeof *list->phrase);
    }
    list->phrase[list->n++] = pr_text_lower(s, len, &n);
}

static pr_status_t add_line(void *self, const char *path, size_t number, pr_span_t line, pr_error_t *err)
{
    (void)path;
    (void)number;
    (void)err;
    add_phrase(self, line.s, line.len);
    return PR_OK;
}

static pr_status_t read_phrases(const json_t *opt, const char *dir, phrases_t *list, pr_error_t *err)
{
    char *path = pr_option_path(opt, "phrases", dir);
    if (!path) {
        for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++)
            add_phrase(list, built_in[i], strlen(built_in[i]));
        return PR_OK;
    }
    pr_status_t status = pr_read_lines(path, add_line, list, err);
    if (status == PR_OK && list->n == 0)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: no phrase in the file, expected one per line", path);
    free(path);
    return status;
}

static void free_phrases(phrases_t *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->phrase[i]);
    free(list->phrase);
}

static pr_status_t empathy_check(const json_t *opt, const char *dir, pr_error_t *err)
{
    phrases_t list = {0};
    pr_status_t status = read_phrases(opt, dir, &list, err);
    free_phrases(&list);
    return status;
}

static void empathy_close(pr_objective_t *o)
{
    free_phrases(o->self);
    pr_objective_free_self(o);
}

static pr_status_t empathy_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    o->self = pr_alloc(1, sizeof(phrases_t));
    pr_status_t status = read_phrases(opt, env->dir, o->self, err);
    if (status != PR_OK)
        empathy_close(o);
    return status;
}

static bool holds_phrase(const phrases_t *list, pr_span_t sentence)
{
    size_t n;
    bool found = false;
    char *lower = pr_text_lower(sentence.s, sentence.len, &n);
    for (size_t i = 0; i < list->n && !found; i++)
        found = memmem(lower, n, list->phrase[i], strlen(list->phrase[i])) != NULL;
    free(lower);
    return found;
}

static double score_one(const phrases_t *list, const pr_sample_t *s)
{
    size_t with = 0;
    pr_spans_t sentences;
    pr_text_sentences(s->response, s->response_len, &sentences);
    for (size_t i = 0; i < sentences.n; i++)
        with += holds_phrase(list, sentences.at[i]);
    double score = sentences.n ? (double)with / (double)sentences.n : 0;
    pr_spans_free(&sentences);
    return score;
}

static pr_status_t empathy_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                 pr_error_t *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = score_one(o->self, &samples[i]);
    return PR_OK;
}

const pr_objective_type_t pr_objective_empathy = {
    .name = "empathy",
    .formula = "sentences that hold one of the phrases / sentences",
    .range = "[0, 1]",
    .help = "Share of sentences with an empathic phrase, upper and lower case alike. " PR_SENTENCES_HELP
            " An empty response scores 0.",
    .empty_is_lowest = true,
    .options = options,
    .check = empathy_check,
    .open = empathy_open,
    .score = empathy_score,
    .close = empathy_close,
};
