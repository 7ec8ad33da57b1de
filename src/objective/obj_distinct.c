// SPDX-License-Identifier: BSD-3-Clause
/* Distinct-n: Li et al. 2016, "A diversity-promoting objective function for neural conversation models". */
#include "base/mem.h"
#include "objective/type.h"

#include <stdlib.h>
#include <string.h>

typedef struct distinct {
    size_t n;
} distinct_t;

static const pr_option_t options[] = {
    {.key = "n", .kind = PR_OPT_INT, .dflt = "2", .min = 1, .max = 16, .help = "words in an n-gram"}, {0}};

static pr_status_t distinct_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    (void)env;
    (void)err;
    distinct_t *self = o->self = pr_alloc(1, sizeof *self);
    self->n = (size_t)pr_option_int(opt, "n");
    return PR_OK;
}

static double score_one(size_t n, const pr_sample_t *s)
{
    pr_spans_t words;
    pr_dict_t seen = {0};
    pr_buf_t key = {0};
    pr_text_words(s->response, s->response_len, &words);
    size_t total = words.n >= n ? words.n - n + 1 : 0;
    for (size_t i = 0; i < total; i++) {
        key.len = 0;
        for (size_t j = i; j < i + n; j++) {
            pr_buf_add(&key, words.at[j].s, words.at[j].len);
            pr_buf_puts(&key, " ");
        }
        pr_dict_put(&seen, key.data, key.len, NULL);
    }
    double score = total ? (double)seen.n / (double)total : 0;
    pr_buf_free(&key);
    pr_dict_free(&seen);
    pr_spans_free(&words);
    return score;
}

static pr_status_t distinct_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                  pr_error_t *err)
{
    const distinct_t *self = o->self;
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = score_one(self->n, &samples[i]);
    return PR_OK;
}

const pr_objective_type_t pr_objective_distinct = {
    .name = "distinct",
    .formula = "different n-grams of words / n-grams of words",
    .range = "[0, 1]",
    .help =
        "Distinct-n within the response, upper and lower case alike. A response of fewer than n words, an empty one "
        "too, scores 0.",
    .empty_is_lowest = true,
    .options = options,
    .open = distinct_open,
    .score = distinct_score,
    .close = pr_objective_free_self,
};
