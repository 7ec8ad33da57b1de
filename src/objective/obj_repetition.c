// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "objective/type.h"

#include <stdlib.h>
#include <string.h>

typedef struct repetition {
    size_t n;
    bool prompt;
} repetition_t;

static const pr_option_t options[] = {{.key = "n",
                                       .kind = PR_OPT_INT,
                                       .dflt = "3",
                                       .min = 1,
                                       .max = 16,
                                       .help = "words that must come again in the same order to count as repeated"},
                                      {.key = "prompt",
                                       .kind = PR_OPT_BOOL,
                                       .dflt = "false",
                                       .help = "whether n-grams copied from the prompt count as repeated too"},
                                      {0}};

static pr_status_t repetition_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    (void)env;
    (void)err;
    repetition_t *self = o->self = pr_alloc(1, sizeof *self);
    *self = (repetition_t){(size_t)pr_option_int(opt, "n"), pr_option_bool(opt, "prompt")};
    return PR_OK;
}

// Calls seen[] in order for each n-gram; repeated [words] (NULL: not wanted) marks the words of those seen before.
static void walk(const pr_spans_t *words, size_t n, pr_dict_t *seen, bool *repeated)
{
    pr_buf_t key = {0};
    for (size_t i = 0; i + n <= words->n; i++) {
        bool added;
        key.len = 0;
        for (size_t j = i; j < i + n; j++) {
            pr_buf_add(&key, words->at[j].s, words->at[j].len);
            pr_buf_puts(&key, " ");
        }
        pr_dict_put(seen, key.data, key.len, &added);
        if (!added && repeated)
            memset(repeated + i, true, n);
    }
    pr_buf_free(&key);
}

static double score_one(const repetition_t *self, const pr_sample_t *s)
{
    pr_dict_t seen = {0};
    pr_spans_t words;
    if (self->prompt) {
        pr_text_words(s->prompt, strlen(s->prompt), &words);
        walk(&words, self->n, &seen, NULL);
        pr_spans_free(&words);
    }
    pr_text_words(s->response, s->response_len, &words);
    bool *repeated = pr_alloc(words.n, sizeof *repeated);
    walk(&words, self->n, &seen, repeated);
    size_t again = 0;
    for (size_t i = 0; i < words.n; i++)
        again += repeated[i];
    double score = words.n ? 1 - (double)again / (double)words.n : 0;
    free(repeated);
    pr_dict_free(&seen);
    pr_spans_free(&words);
    return score;
}

static pr_status_t repetition_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                    pr_error_t *err)
{
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = score_one(o->self, &samples[i]);
    return PR_OK;
}

const pr_objective_type_t pr_objective_repetition = {
    .name = "repetition",
    .formula = "1 - words inside an n-gram that occurred before / words",
    .range = "[0, 1]",
    .help = "Freedom from repetition: 1 when nothing is said twice. Upper and lower case are alike. An empty response "
            "scores 0, as saying nothing should not pay.",
    .empty_is_lowest = true,
    .options = options,
    .open = repetition_open,
    .score = repetition_score,
    .close = pr_objective_free_self,
};
