// SPDX-License-Identifier: BSD-3-Clause
/* A linear head on the base model's last hidden state as an objective: given as a file, or fitted by the sweep. */
#include "base/file.h"
#include "base/mem.h"
#include "model/linear_head.h"
#include "objective/last_state.h"
#include "objective/templated.h"
#include "objective/type.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct linear {
    const pr_model_t *model;
    const pr_tokenizer_t *tokenizer;
    const pr_linalg_t *la;
    pr_run_t *run;
    pr_linear_head_t *head; // NULL until it is fitted
    pr_templated_t text;
    json_t *options;
    char transform; // 'n'one, 's'igmoid or 'c'lip
    size_t batch_tokens;
} linear_t;

static const pr_option_t options[] = {
    {.key = "head", .kind = PR_OPT_FILE, .dflt = "", .help = "a fitted head, as `paretorank fit-reward` writes it"},
    {.key = "data",
     .kind = PR_OPT_FILE,
     .dflt = "",
     .help = "instead of a head: JSON lines to fit one on, {\"prompt\", \"chosen\", \"rejected\"} or {\"prompt\", "
             "\"response\", \"label\"} or {\"text\", \"label\"}; a pair may have a \"margin\""},
    {.key = "ridge",
     .kind = PR_OPT_REAL,
     .dflt = "0.001",
     .min = 0,
     .max = 1e12,
     .help = "data: weight of |w|^2/2 beside the mean loss; 0: none"},
    {.key = "holdout",
     .kind = PR_OPT_REAL,
     .dflt = "0.1",
     .min = 0,
     .max = 0.9,
     .help = "data: share of the prompts kept from the fit, to measure it by"},
    {.key = "transform",
     .kind = PR_OPT_STRING,
     .dflt = "\"none\"",
     .choices = "none|sigmoid|clip",
     .help =
         "what is done to w.h + b: sigmoid for a head of pairs, whose differences are log-odds; clip, which cuts to "
         "0..1, for one of labels, which predicts the label itself"},
    {.key = "template",
     .kind = PR_OPT_STRING,
     .dflt = "",
     .help = "the text that is scored; {prompt} and {response} stand for the sample's, and another "
             "word in braces is refused. Default: what the head was "
             "fitted with; for data \"{prompt}{response}\""},
    {.key = "max_tokens",
     .kind = PR_OPT_INT,
     .dflt = "",
     .min = 0,
     .max = 1 << 24,
     .help = "longer texts are cut; 0: the model's longest sequence. Default: as the head, for data 0"},
    {.key = "truncate",
     .kind = PR_OPT_STRING,
     .dflt = "",
     .choices = "start|end",
     .help = "which end of a too long text is cut off. Default: as the head, for data \"start\""},
    {.key = "special_tokens",
     .kind = PR_OPT_BOOL,
     .dflt = "",
     .help = "whether the tokenizer adds what its template says, such as a begin-of-text token. Default: as the head, "
             "for data true"},
    {.key = "trim",
     .kind = PR_OPT_BOOL,
     .dflt = "",
     .help = "whether white space at both ends of a response is left out. Default: as the head, for data false"},
    {.key = "batch_tokens",
     .kind = PR_OPT_INT,
     .dflt = "2048",
     .min = 1,
     .max = 1 << 20,
     .help = "tokens that go through the model together"},
    {0}};

static bool linear_needs_fit(const json_t *opt)
{
    return pr_option_given(opt, "data");
}

/* ---- checks before a run ---- */
static pr_status_t linear_check_fit(const json_t *opt, bool pairs, pr_error_t *err)
{
    const char *transform = json_string_value(json_object_get(opt, "transform")), *wrong = pairs ? "clip" : "sigmoid";
    if (!transform || strcmp(transform, wrong) != 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_CONFIG, "transform: found %s, expected none or %s, as the head is fitted on %s", wrong,
                   pairs ? "sigmoid" : "clip",
                   pairs ? "pairs and gives log-odds" : "labels and predicts the label itself");
}

/* What a head was fitted on, where its file says so: "labels", "pairs" or NULL. */
static pr_status_t check_kind(const json_t *opt, const pr_linear_head_t *head, pr_error_t *err)
{
    const char *kind = json_string_value(json_object_get(head->metadata, "kind")),
               *about = json_string_value(json_object_get(head->metadata, "about"));
    json_t *old = NULL; // files of earlier versions say it there only
    if (!kind && about && pr_json_parse(about, strlen(about), "about", &old, NULL) == PR_OK)
        kind = json_string_value(json_object_get(old, "kind"));
    pr_status_t status = kind ? linear_check_fit(opt, strcmp(kind, "pairs") == 0, err) : PR_OK;
    json_decref(old);
    return status;
}

static pr_status_t check_head(const json_t *opt, const char *path, pr_error_t *err)
{
    pr_linear_head_t *head = NULL;
    pr_templated_t text = {0};
    PR_TRY(pr_linear_head_read(path, &head, err));
    pr_status_t status = pr_templated_read(opt, head->metadata, path, &text, err);
    if (status == PR_OK)
        status = check_kind(opt, head, err);
    pr_templated_clear(&text);
    pr_linear_head_free(&head);
    return status;
}

static pr_status_t linear_check(const json_t *opt, const char *dir, pr_error_t *err)
{
    pr_templated_t text = {0};
    if (pr_option_given(opt, "head") == pr_option_given(opt, "data"))
        return pr_fail(err, PR_ERR_CONFIG, "found %s of the options 'head' and 'data', expected one of them",
                       pr_option_given(opt, "head") ? "both" : "neither");
    char *path = pr_option_path(opt, linear_needs_fit(opt) ? "data" : "head", dir);
    pr_status_t status =
        linear_needs_fit(opt) ? pr_templated_read(opt, NULL, path, &text, err) : check_head(opt, path, err);
    pr_templated_clear(&text);
    free(path);
    return status;
}

static pr_status_t linear_bounds(const json_t *opt, const char *dir, double *lo, double *hi, pr_error_t *err)
{
    bool any = strcmp(pr_option_string(opt, "transform"), "none") == 0;
    (void)dir, (void)err;
    *lo = any ? -INFINITY : 0;
    *hi = any ? INFINITY : 1;
    return PR_OK;
}

/* ---- life ---- */
static void linear_close(pr_objective_t *o)
{
    linear_t *self = o->self;
    pr_run_free(&self->run);
    pr_linear_head_free(&self->head);
    pr_templated_clear(&self->text);
    json_decref(self->options);
    free(self);
}

static pr_status_t linear_attach(pr_objective_t *o, const char *file, pr_error_t *err)
{
    linear_t *self = o->self;
    pr_linear_head_t *head = NULL;
    pr_templated_t text;
    PR_TRY(pr_linear_head_read(file, &head, err));
    pr_status_t status = PR_OK;
    if (head->d != self->model->config.d_model)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found %d weights, the model's hidden states have %d numbers", file,
                         head->d, self->model->config.d_model);
    if (status == PR_OK)
        status = check_kind(self->options, head, err);
    if (status == PR_OK)
        status = pr_templated_read(self->options, head->metadata, file, &text, err);
    if (status != PR_OK) {
        pr_linear_head_free(&head);
        return status;
    }
    pr_templated_fit(&text, &self->model->config);
    pr_linear_head_free(&self->head);
    pr_templated_clear(&self->text);
    self->head = head;
    self->text = text;
    return PR_OK;
}

static pr_status_t linear_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    linear_t *self = o->self = pr_alloc(1, sizeof *self);
    *self = (linear_t){.model = env->model, .tokenizer = env->tokenizer, .la = env->la};
    self->options = json_incref((json_t *)(uintptr_t)opt);
    self->transform = *pr_option_string(opt, "transform");
    self->batch_tokens = (size_t)pr_option_int(opt, "batch_tokens");
    pr_status_t status = pr_run_new(self->model, self->la, false, &self->run, err);
    if (status == PR_OK && !linear_needs_fit(opt)) {
        char *path = pr_option_path(opt, "head", env->dir);
        status = linear_attach(o, path, err);
        free(path);
    }
    if (status != PR_OK)
        linear_close(o);
    return status;
}

/* ---- scores ---- */
static double transformed(const linear_t *self, double x)
{
    return self->transform == 's' ? 1 / (1 + exp(-x)) : self->transform == 'c' ? fmin(1, fmax(0, x)) : x;
}

static pr_status_t score_batch(const linear_t *self, const pr_packed_t *p, size_t first, size_t end, float *h,
                               double *scores, pr_error_t *err)
{
    size_t d = (size_t)self->model->config.d_model;
    PR_TRY(pr_last_states(self->model, self->la, self->run, p, first, end, h, err));
    for (size_t i = first; i < end; i++) {
        scores[i] = transformed(self, pr_linear_head_score(self->head, h + (i - first) * d));
    }
    return PR_OK;
}

static pr_status_t linear_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                pr_error_t *err)
{
    const linear_t *self = o->self;
    pr_packed_t p = {0};
    float *h = NULL;
    pr_status_t status = PR_OK;
    if (!self->head)
        return pr_fail(err, PR_ERR_NOT_FOUND, "its head has not been fitted yet");
    for (size_t i = 0; i < n && status == PR_OK; i++)
        status = pr_templated_add(&self->text, self->tokenizer, &self->model->config, samples[i].prompt,
                                  samples[i].response, samples[i].response_len, &p, err);
    size_t most = n < self->batch_tokens ? n : self->batch_tokens; // a sequence has at least one token
    if (status == PR_OK && !(h = pr_alloc_matrix(most * (size_t)self->model->config.d_model, sizeof *h)))
        status = pr_fail(err, PR_ERR_MEMORY, "no memory for %zu hidden states", most);
    PR_GO(self->la->agree(self->la, status, err));
    for (size_t first = 0, end; first < p.n; first = end) {
        end = pr_packed_batch_end(&p, first, self->batch_tokens);
        PR_GO(score_batch(self, &p, first, end, h, scores, err));
    }
done:
    free(h);
    pr_packed_free(&p);
    return status;
}

const pr_objective_type_t pr_objective_linear_head = {
    .name = "linear_head",
    .formula = "w.h + b with h the base model's hidden state, after the final norm, at the last token of the text; "
               "sigmoid of it, or cut to 0..1",
    .range = "all numbers; [0, 1] with sigmoid or clip",
    .help =
        "A linear reward head on the base model, without adapters: a small file that `paretorank fit-reward` makes, "
        "or fitted by the sweep itself, before anything else, on preference pairs (Bradley-Terry model) or on "
        "labels (ridge regression). A text without any token is scored as a single end-of-text token.",
    .options = options,
    .head_option = "head",
    .needs_model = true,
    .collective = true,
    .check = linear_check,
    .bounds = linear_bounds,
    .open = linear_open,
    .score = linear_score,
    .close = linear_close,
    .needs_fit = linear_needs_fit,
    .check_fit = linear_check_fit,
    .attach = linear_attach,
};
