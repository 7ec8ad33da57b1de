// SPDX-License-Identifier: BSD-3-Clause
#include "reward/head.h"
#include "base/mem.h"
#include "reward/features.h"

#include <math.h>
#include <stdlib.h>

/* One fit on its way. */
typedef struct fitting {
    const pr_fit_input_t *in;
    pr_reward_data_t *data;
    pr_reward_set_t fit, measure;
    double *w; // [d]
    double b;
    pr_fit_stats_t stats;
    pr_fit_figures_t figures; // of the samples held out
} fitting_t;

/* Data that leave nothing to fit on. */
static pr_status_t check_counts(const fitting_t *f, pr_error_t *err)
{
    int held_out = 0;
    for (int i = 0; i < f->data->n; i++)
        held_out += pr_reward_data_held_out(f->data, i, f->in->holdout);
    if (held_out == f->data->n)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %d samples, all of them held out; expected more, or holdout = 0",
                       f->in->data, f->data->n);
    return PR_OK;
}

static pr_status_t fit_load(fitting_t *f, pr_error_t *err)
{
    const pr_team_t *team = f->in->team;
    pr_status_t status = pr_reward_data_load(f->in->data, &f->data, err);
    if (status == PR_OK)
        status = check_counts(f, err);
    PR_TRY(team->agree(team, status, err));
    PR_TRY(pr_reward_set_open(f->in, f->data, false, true, &f->fit, err));
    return pr_reward_set_open(f->in, f->data, true, false, &f->measure, err);
}

/* The weights as the file will hold them: what is measured is what will score. */
static pr_status_t round_weights(fitting_t *f, pr_linear_head_t *head, pr_error_t *err)
{
    head->bias = (float)f->b;
    bool finite = isfinite(head->bias);
    for (int j = 0; j < head->d; j++) {
        head->weight[j] = (float)f->w[j];
        finite = finite && isfinite(head->weight[j]);
        f->w[j] = (double)head->weight[j];
    }
    f->b = (double)head->bias;
    return finite ? PR_OK : pr_fail(err, PR_ERR_NUMERIC, "a weight of the head is not finite; set a larger ridge");
}

static pr_status_t solve(fitting_t *f, pr_linear_head_t *head, pr_error_t *err)
{
    const pr_team_t *team = f->in->team;
    bool pairs = f->data->pairs;
    PR_TRY(pairs ? pr_fit_pairs(team, &f->fit.features, f->fit.y, f->in->ridge, f->w, &f->stats, err)
                 : pr_fit_labels(team, &f->fit.features, f->fit.y, f->in->ridge, f->w, &f->b, &f->stats, err));
    PR_TRY(round_weights(f, head, err));
    return pairs ? pr_check_pairs(team, &f->measure.features, f->measure.y, f->w, &f->figures, err)
                 : pr_check_labels(team, &f->measure.features, f->measure.y, f->data->binary, f->w, f->b, &f->figures,
                                   err);
}

static json_t *figures_of(const fitting_t *f)
{
    bool pairs = f->data->pairs;
    json_t *v =
        json_pack("{s:s, s:i, s:I, s:I, s:o, s:o, s:o, s:i, s:o}", "kind", pairs ? "pairs" : "labels", "samples",
                  f->data->n, "fitted", (json_int_t)f->stats.n, "held_out", (json_int_t)f->figures.n, "holdout",
                  pr_json_real(f->in->holdout), "ridge", pr_json_real(f->in->ridge), "rcond",
                  pr_json_real(f->stats.rcond), "steps", f->stats.steps, "train_loss", pr_json_real(f->stats.loss));
    if (pairs) {
        json_object_set_new(v, "held_out_loss", pr_json_real(f->figures.loss));
    } else {
        json_object_set_new(v, "held_out_rmse", pr_json_real(f->figures.rmse));
        json_object_set_new(v, "held_out_r2", pr_json_real(f->figures.r2));
    }
    if (pairs || f->data->binary) {
        json_object_set_new(v, "held_out_accuracy", pr_json_real(f->figures.accuracy));
        json_object_set_new(v, "held_out_base_rate", pr_json_real(f->figures.base_rate));
    }
    return v;
}

/* How the head's texts are made, and what it was fitted on: a function of the inputs alone, as the file is identified
 * by its content. */
static pr_status_t describe(const fitting_t *f, const json_t *figures, pr_linear_head_t *head, pr_error_t *err)
{
    char data[PR_HASH_HEX];
    PR_TRY(pr_hash_file(f->in->data, data, err));
    json_t *about = json_deep_copy(figures);
    json_object_set_new(about, "data", json_string(data));
    if (f->in->model_hash)
        json_object_set_new(about, "model", json_string(f->in->model_hash));
    char *text = pr_json_canonical(about);
    head->metadata = pr_templated_metadata(&f->in->text);
    json_object_set_new(head->metadata, "kind", json_string(f->data->pairs ? "pairs" : "labels"));
    json_object_set_new(head->metadata, "about", json_string(text));
    free(text);
    json_decref(about);
    return PR_OK;
}

static int64_t tokens_of(const fitting_t *f)
{
    double tokens = (double)(f->fit.tokens + f->measure.tokens);
    f->in->team->sum_rows(f->in->team, &tokens, 1);
    return (int64_t)tokens;
}

pr_status_t pr_fit_reward(const pr_fit_input_t *in, pr_fit_output_t *out, pr_error_t *err)
{
    fitting_t f = {.in = in};
    size_t d = (size_t)in->model->config.d_model;
    pr_status_t status;
    *out = (pr_fit_output_t){.head = pr_alloc(1, sizeof *out->head)};
    out->head->d = (int)d;
    out->head->weight = pr_alloc(d, sizeof *out->head->weight);
    f.w = pr_alloc(d, sizeof *f.w);
    PR_GO(fit_load(&f, err));
    PR_GO(solve(&f, out->head, err));
    out->tokens = tokens_of(&f);
    out->figures = figures_of(&f);
    status = describe(&f, out->figures, out->head, err);
    PR_GO(in->team->agree(in->team, status, err));
done:
    pr_reward_set_clear(&f.fit);
    pr_reward_set_clear(&f.measure);
    pr_reward_data_free(&f.data);
    free(f.w);
    if (status != PR_OK)
        pr_fit_output_clear(out);
    return status;
}

void pr_fit_output_clear(pr_fit_output_t *out)
{
    pr_linear_head_free(&out->head);
    json_decref(out->figures);
    *out = (pr_fit_output_t){0};
}
