// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "objective/type.h"

#include <math.h>
#include <string.h>

typedef struct length_target {
    double target, width;
    char unit; // 'w'ords, 't'okens or 'c'haracters
    bool trim;
} length_target_t;

static const pr_option_t options[] = {
    {.key = "words", .kind = PR_OPT_INT, .min = 1, .max = 1e6, .help = "the length that scores 1, in units"},
    {.key = "width",
     .kind = PR_OPT_REAL,
     .dflt = "",
     .min = 1e-3,
     .max = 1e6,
     .help = "the distance from it that scores 0; as large as the target when not given"},
    {.key = "unit",
     .kind = PR_OPT_STRING,
     .dflt = "\"words\"",
     .choices = "words|tokens|characters",
     .help = "what is counted"},
    {.key = "trim",
     .kind = PR_OPT_BOOL,
     .dflt = "false",
     .help = "characters: whether white space at both ends of the response is left out"},
    {0}};

static pr_status_t length_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    (void)env;
    (void)err;
    length_target_t *self = o->self = pr_alloc(1, sizeof *self);
    self->target = pr_option_int(opt, "words");
    self->width = pr_option_given(opt, "width") ? pr_option_real(opt, "width") : self->target;
    self->unit = *pr_option_string(opt, "unit");
    self->trim = pr_option_bool(opt, "trim");
    return PR_OK;
}

static char *length_odd(const json_t *opt)
{
    double target = pr_option_int(opt, "words"),
           width = pr_option_given(opt, "width") ? pr_option_real(opt, "width") : 0;
    const char *unit = pr_option_string(opt, "unit");
    pr_buf_t b = {0};
    if (!(width > target))
        return NULL;
    pr_buf_printf(
        &b,
        "width = %g is more than words = %g, so that a response without any %.*s scores %.3g (an empty one, or "
        "for words one of nothing but symbols): a width of at most %g scores it 0",
        width, target, (int)strlen(unit) - 1, unit, 1 - target / width, target);
    return b.data;
}

static double length_of(const length_target_t *self, const pr_sample_t *s)
{
    if (self->unit == 't')
        return s->n_response;
    if (self->unit == 'c') {
        pr_span_t text = pr_text_trimmed(s->response, s->response_len, self->trim);
        return (double)pr_utf8_count(text.s, text.len);
    }
    pr_spans_t words;
    pr_text_words(s->response, s->response_len, &words);
    double n = (double)words.n;
    pr_spans_free(&words);
    return n;
}

static pr_status_t length_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                pr_error_t *err)
{
    const length_target_t *self = o->self;
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = fmax(0, 1 - fabs(length_of(self, &samples[i]) - self->target) / self->width);
    return PR_OK;
}

const pr_objective_type_t pr_objective_length_target = {
    .name = "length_target",
    .formula = "max(0, 1 - |n - words|/width), n the length of the response in units",
    .range = "[0, 1]",
    .help = "Responses of a wanted length. Words are runs of letters, digits, marks and apostrophes of any script. An "
            "empty response has length 0, which scores 0 unless width is larger than the target.",
    .empty_is_lowest = true,
    .options = options,
    .odd = length_odd,
    .open = length_open,
    .score = length_score,
    .close = pr_objective_free_self,
};
