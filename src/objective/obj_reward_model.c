// SPDX-License-Identifier: BSD-3-Clause
/* A Hugging Face sequence classifier as an objective: its own model and tokenizer, score head at the last token. */
#include "base/file.h"
#include "base/mem.h"
#include "objective/packed.h"
#include "objective/templated.h"
#include "objective/type.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reward {
    pr_model_t *model;
    pr_tokenizer_t *tokenizer;
    const pr_linalg_t *la;
    pr_run_t *run;
    pr_templated_t text;
    char transform; // 'n'one, 's'igmoid or soft'm'ax
    int label;
    size_t batch_tokens;
} reward_t;

static const pr_option_t options[] = {
    {.key = "model",
     .kind = PR_OPT_DIR,
     .help = "directory with config.json (a ...ForSequenceClassification), model.safetensors and tokenizer.json"},
    {.key = "label",
     .kind = PR_OPT_INT,
     .dflt = "0",
     .min = 0,
     .max = 1e6,
     .help = "which of the model's labels scores"},
    {.key = "template",
     .kind = PR_OPT_STRING,
     .dflt = "\"{prompt}{response}\"",
     .help = "the text that is scored; {prompt} and {response} stand for the sample's, and another "
             "word in braces is refused"},
    {.key = "transform",
     .kind = PR_OPT_STRING,
     .dflt = "\"none\"",
     .choices = "none|sigmoid|softmax",
     .help = "what is done to the label's logit; softmax is over all labels"},
    {.key = "max_tokens",
     .kind = PR_OPT_INT,
     .dflt = "0",
     .min = 0,
     .max = 1 << 24,
     .help = "longer texts are cut; 0: the model's longest sequence"},
    {.key = "truncate",
     .kind = PR_OPT_STRING,
     .dflt = "\"start\"",
     .choices = "start|end",
     .help = "which end of a too long text is cut off"},
    {.key = "special_tokens",
     .kind = PR_OPT_BOOL,
     .dflt = "true",
     .help = "whether the tokenizer adds what its template says, such as a begin-of-text token"},
    {.key = "trim",
     .kind = PR_OPT_BOOL,
     .dflt = "false",
     .help = "whether white space at both ends of the response is left out"},
    {.key = "batch_tokens",
     .kind = PR_OPT_INT,
     .dflt = "2048",
     .min = 1,
     .max = 1 << 20,
     .help = "tokens that go through the model together"},
    {0}};

/* ---- checks before a run ---- */
static pr_status_t check_labels(const char *dir, const pr_model_config_t *c, int label, pr_error_t *err)
{
    if (c->n_label <= 0)
        return pr_fail(err, PR_ERR_CONFIG, "%s: is a %s, expected a sequence classification model", dir,
                       *c->arch_name ? c->arch_name : "language model");
    if (label >= c->n_label)
        return pr_fail(err, PR_ERR_CONFIG, "label: found %d, but %s has %d label%s (counted from 0)", label, dir,
                       c->n_label, c->n_label == 1 ? "" : "s");
    return PR_OK;
}

static pr_status_t check_dir(const char *model_dir, int label, pr_error_t *err)
{
    pr_model_config_t c = {0};
    char *tokenizer = pr_path_join(model_dir, "tokenizer.json");
    pr_status_t status = pr_tokenizer_check_present(tokenizer, err);
    free(tokenizer);
    PR_TRY(status);
    PR_TRY(pr_model_config_read(model_dir, &c, err));
    status = check_labels(model_dir, &c, label, err);
    pr_model_config_clear(&c);
    return status;
}

static pr_status_t reward_check(const json_t *opt, const char *dir, pr_error_t *err)
{
    PR_TRY(pr_templated_check_template(pr_option_string(opt, "template"), err));
    char *model_dir = pr_option_path(opt, "model", dir);
    pr_status_t status = check_dir(model_dir, pr_option_int(opt, "label"), err);
    free(model_dir);
    return status;
}

static pr_status_t check_texts(const json_t *opt, const char *model_dir, const pr_model_config_t *c, int n,
                               char *const *prompt, pr_error_t *err)
{
    pr_tokenizer_t *t = NULL;
    pr_templated_t text = {0};
    char *path = pr_path_join(model_dir, "tokenizer.json");
    pr_status_t status;
    PR_GO(pr_templated_read(opt, NULL, model_dir, &text, err));
    PR_GO(pr_tokenizer_load(path, &t, err));
    for (int i = 0; i < n && status == PR_OK; i++)
        if ((status = pr_templated_check(&text, t, c, prompt[i], "", 0, err)) != PR_OK)
            pr_fail_in(err, "prompt %d, as %s reads it", i + 1, path);
done:
    pr_templated_clear(&text);
    pr_tokenizer_free(&t);
    free(path);
    return status;
}

static pr_status_t reward_check_prompts(const json_t *opt, const char *dir, int n, char *const *prompt, pr_error_t *err)
{
    pr_model_config_t c = {0};
    char *model_dir = pr_option_path(opt, "model", dir);
    pr_status_t status = pr_model_config_read(model_dir, &c, err);
    if (status == PR_OK)
        status = check_texts(opt, model_dir, &c, n, prompt, err);
    pr_model_config_clear(&c);
    free(model_dir);
    return status;
}

static pr_status_t reward_bounds(const json_t *opt, const char *dir, double *lo, double *hi, pr_error_t *err)
{
    bool any = strcmp(pr_option_string(opt, "transform"), "none") == 0;
    (void)dir, (void)err;
    *lo = any ? -INFINITY : 0;
    *hi = any ? INFINITY : 1;
    return PR_OK;
}

/* ---- life ---- */
static void reward_close(pr_objective_t *o)
{
    reward_t *self = o->self;
    pr_run_free(&self->run);
    pr_tokenizer_free(&self->tokenizer);
    pr_model_free(&self->model);
    pr_templated_clear(&self->text);
    free(self);
}

static pr_status_t load_files(reward_t *self, const char *model_dir, pr_error_t *err)
{
    char *tokenizer = pr_path_join(model_dir, "tokenizer.json");
    pr_status_t status = pr_tokenizer_load(tokenizer, &self->tokenizer, err);
    free(tokenizer);
    PR_TRY(status);
    PR_TRY(pr_model_load_part(model_dir, self->la->cols, self->la->col, &self->model, err));
    return check_labels(model_dir, &self->model->config, self->label, err);
}

static pr_status_t load(reward_t *self, const char *model_dir, pr_error_t *err)
{
    PR_TRY(self->la->agree(self->la, load_files(self, model_dir, err), err));
    return pr_run_new(self->model, self->la, false, &self->run, err);
}

static pr_status_t reward_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    reward_t *self = o->self = pr_alloc(1, sizeof *self);
    const char *transform = pr_option_string(opt, "transform");
    self->la = env->la ? env->la : pr_linalg_local();
    self->transform = strcmp(transform, "softmax") == 0 ? 'm' : *transform;
    self->label = pr_option_int(opt, "label");
    self->batch_tokens = (size_t)pr_option_int(opt, "batch_tokens");
    char *model_dir = pr_option_path(opt, "model", env->dir);
    pr_status_t status = pr_templated_read(opt, NULL, model_dir, &self->text, err);
    if (status == PR_OK)
        status = load(self, model_dir, err);
    free(model_dir);
    if (status != PR_OK) {
        reward_close(o);
        return status;
    }
    pr_templated_fit(&self->text, &self->model->config);
    return PR_OK;
}

/* ---- scores ---- */
typedef struct scoring {
    const reward_t *self;
    double *scores;
} scoring_t;

static double transformed(const reward_t *self, const float *logit, int n)
{
    double x = logit[self->label], sum = 0;
    if (self->transform == 'n')
        return x;
    if (self->transform == 's')
        return 1 / (1 + exp(-x));
    for (int i = 0; i < n; i++)
        sum += exp(logit[i] - x);
    return 1 / sum;
}

static pr_status_t score_batch(void *arg, size_t first, const pr_batch_t *b, const float *h, pr_error_t *err)
{
    const scoring_t *sc = arg;
    const pr_model_config_t *c = &sc->self->model->config;
    size_t d = (size_t)sc->self->model->part.d.n, n = (size_t)b->n_seq, labels = (size_t)c->n_label;
    float *last = pr_alloc_matrix(n * d, sizeof *last), *logit = pr_alloc_matrix(n * labels, sizeof *logit);
    pr_status_t status = last && logit ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory for %zu scores", n * labels);
    status = sc->self->la->agree(sc->self->la, status, err);
    if (status == PR_OK && last && logit) {
        for (size_t s = 0; s < n; s++)
            memcpy(last + s * d, h + ((size_t)b->seq_start[s + 1] - 1) * d, d * sizeof *h);
        pr_head_scores(sc->self->model, sc->self->la, b->n_seq, last, logit);
        for (size_t s = 0; s < n; s++)
            sc->scores[first + s] = transformed(sc->self, logit + s * labels, c->n_label);
    }
    free(last);
    free(logit);
    return status;
}

static pr_status_t reward_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                pr_error_t *err)
{
    const reward_t *self = o->self;
    pr_packed_t packed = {0};
    scoring_t sc = {self, scores};
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < n && status == PR_OK; i++)
        status = pr_templated_add(&self->text, self->tokenizer, &self->model->config, samples[i].prompt,
                                  samples[i].response, samples[i].response_len, &packed, err);
    status = self->la->agree(self->la, status, err);
    if (status == PR_OK)
        status = pr_packed_run(&packed, self->model, self->la, self->run, self->batch_tokens, score_batch, &sc, err);
    pr_packed_free(&packed);
    return status;
}

const pr_objective_type_t pr_objective_reward_model = {
    .name = "reward_model",
    .formula = "the label's logit at the last token of the text; sigmoid or softmax of it",
    .range = "all numbers; [0, 1] with sigmoid or softmax",
    .help =
        "A Hugging Face sequence classification model with its own tokenizer, such as a reward model or a sentiment "
        "classifier. Padding tokens at the end of the text do not count. A text without any token is scored as a "
        "single end-of-text token.",
    .options = options,
    .collective = true,
    .check = reward_check,
    .bounds = reward_bounds,
    .model_option = "model",
    .check_prompts = reward_check_prompts,
    .open = reward_open,
    .score = reward_score,
    .close = reward_close,
};
