// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "objective/packed.h"
#include "objective/type.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct fluency {
    const pr_model_t *model;
    const pr_linalg_t *la;
    pr_run_t *run;
    size_t batch_tokens;
} fluency_t;

static const pr_option_t options[] = {{.key = "batch_tokens",
                                       .kind = PR_OPT_INT,
                                       .dflt = "2048",
                                       .min = 1,
                                       .max = 1 << 20,
                                       .help = "tokens that go through the model together"},
                                      {0}};

static pr_status_t fluency_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    fluency_t *self = o->self = pr_alloc(1, sizeof *self);
    self->model = env->model;
    self->la = env->la;
    self->batch_tokens = (size_t)pr_option_int(opt, "batch_tokens");
    pr_status_t status = pr_run_new(self->model, self->la, false, &self->run, err);
    if (status != PR_OK)
        free(self);
    return status;
}

static void fluency_close(pr_objective_t *o)
{
    fluency_t *self = o->self;
    pr_run_free(&self->run);
    free(self);
}

/* ---- sequences ---- */
typedef struct piece {
    size_t sample;
    int first, n; // rows of its sequence whose next token is the response's
} piece_t;

typedef struct scoring {
    const fluency_t *self;
    double *scores;
    piece_t *piece; // [sequences]
} scoring_t;

// The prompt (begin-of-text for an empty one) and the response, without the prompt's oldest tokens and then the
// response's last where they do not fit.
static void add_sample(const pr_model_config_t *c, const pr_sample_t *s, size_t sample, pr_packed_t *packed,
                       piece_t *piece)
{
    int32_t begin = c->bos;
    const int32_t *context = s->n_prompt ? s->prompt_id : &begin;
    int n_context = s->n_prompt ? s->n_prompt : c->bos >= 0;
    int most = c->max_pos - (n_context > 0), n = s->n_response < most ? s->n_response : most;
    int keep = n_context < c->max_pos - n ? n_context : c->max_pos - n;
    int scored = keep ? n : n - 1; // with nothing before it, the first token is not predicted
    if (scored <= 0)
        return;
    int32_t *token = pr_alloc((size_t)(keep + n), sizeof *token);
    memcpy(token, context + (n_context - keep), (size_t)keep * sizeof *token);
    memcpy(token + keep, s->response_id, (size_t)n * sizeof *token);
    *piece = (piece_t){sample, keep ? keep - 1 : 0, scored};
    pr_packed_add(packed, token, (size_t)(keep + n));
    free(token);
}

// The mean log-probability of each response of the batch, from one pass of the head over the rows that predict it.
static pr_status_t score_batch(void *arg, size_t first, const pr_batch_t *b, const float *h, pr_error_t *err)
{
    const scoring_t *sc = arg;
    size_t d = (size_t)sc->self->model->part.d.n;
    size_t rows = (size_t)b->seq_start[b->n_seq], n = 0;
    float *picked = pr_alloc_matrix(rows * d, sizeof *picked);
    float *logp = pr_alloc(rows, sizeof *logp);
    int32_t *target = pr_alloc(rows, sizeof *target);
    pr_status_t status = picked ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory for %zu hidden states", rows);
    status = sc->self->la->agree(sc->self->la, status, err);
    for (int s = 0; s < b->n_seq && picked; s++) {
        const piece_t *p = &sc->piece[first + (size_t)s];
        size_t row = (size_t)(b->seq_start[s] + p->first);
        memcpy(picked + n * d, h + row * d, (size_t)p->n * d * sizeof *h);
        memcpy(target + n, b->token + row + 1, (size_t)p->n * sizeof *target);
        n += (size_t)p->n;
    }
    if (status == PR_OK)
        status = pr_head_logp(sc->self->model, sc->self->la, (int)n, picked, target, 1.0, logp, NULL, err);
    n = 0;
    for (int s = 0; s < b->n_seq && status == PR_OK; s++) {
        const piece_t *p = &sc->piece[first + (size_t)s];
        double sum = 0;
        for (int i = 0; i < p->n; i++)
            sum += logp[n++];
        double mean = exp(sum / p->n);
        sc->scores[p->sample] = mean > 1 ? 1 : mean; // not fmin: it would hide a NaN
    }
    free(picked);
    free(logp);
    free(target);
    return status;
}

static pr_status_t fluency_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                 pr_error_t *err)
{
    const fluency_t *self = o->self;
    pr_packed_t packed = {0};
    piece_t *piece = pr_alloc(n, sizeof *piece);
    scoring_t sc = {self, scores, piece};
    for (size_t i = 0; i < n; i++) {
        scores[i] = 0; // of an empty response
        add_sample(&self->model->config, &samples[i], i, &packed, &piece[packed.n]);
    }
    pr_status_t status =
        pr_packed_run(&packed, self->model, self->la, self->run, self->batch_tokens, score_batch, &sc, err);
    pr_packed_free(&packed);
    free(piece);
    return status;
}

const pr_objective_type_t pr_objective_fluency = {
    .name = "fluency",
    .formula = "exp(mean over the response's tokens of log p(token | prompt and the tokens before it))",
    .range = "[0, 1]",
    .help = "Geometric mean of the probabilities that the base model, without adapters, gives to the response's tokens "
            "after the prompt. What is longer than the model's longest sequence loses first the prompt's oldest tokens "
            "(down to one), then the response's last. An empty response scores 0.",
    .empty_is_lowest = true,
    .options = options,
    .needs_model = true,
    .collective = true,
    .open = fluency_open,
    .score = fluency_score,
    .close = fluency_close,
};
