// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "objective/type.h"

#include <string.h>

typedef struct brevity {
    int words, min_words;
} brevity_t;

static const pr_option_t options[] = {
    {.key = "words", .kind = PR_OPT_INT, .dflt = "30", .min = 1, .max = 1e6, .help = "number of words that scores 0"},
    {.key = "min_words",
     .kind = PR_OPT_INT,
     .dflt = "2",
     .min = 0,
     .max = 1e6,
     .help = "fewer words than this score 0"},
    {0}};

static pr_status_t brevity_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    (void)env;
    (void)err;
    brevity_t *self = o->self = pr_alloc(1, sizeof *self);
    *self = (brevity_t){pr_option_int(opt, "words"), pr_option_int(opt, "min_words")};
    return PR_OK;
}

static double score_one(const brevity_t *self, const pr_sample_t *s)
{
    pr_spans_t words;
    pr_text_ascii_words(s->response, s->response_len, &words);
    double n = (double)words.n, score = n >= self->min_words ? 1 - n / self->words : 0;
    pr_spans_free(&words);
    return score > 0 ? score : 0;
}

static pr_status_t brevity_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                 pr_error_t *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = score_one(o->self, &samples[i]);
    return PR_OK;
}

const pr_objective_type_t pr_objective_brevity = {
    .name = "brevity",
    .formula = "max(0, 1 - n/words), n the number of words (runs of a-z and ' in the lower-cased response)",
    .range = "[0, 1]",
    .help = "Short responses. A response of fewer than min_words words, an empty one too, scores 0.",
    .empty_is_lowest = true,
    .options = options,
    .open = brevity_open,
    .score = brevity_score,
    .close = pr_objective_free_self,
};
