// SPDX-License-Identifier: BSD-3-Clause
/* paretorank score: log-probabilities of a text's tokens, or what a sequence classifier says of it. */
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    pr_cli_engine_options_t engine;
    pr_ints_t ids;
    const char *text;
    bool json;
} options_t;

static const pr_option_t args[] = {
    PR_CLI_ENGINE_PLACE(options_t, engine),
    PR_ARG("--text", STRING, offsetof(options_t, text), "TEXT", "What is scored, as text."),
    PR_ARG("--ids", INTS, offsetof(options_t, ids), "1,2,3", "What is scored, as token ids."),
    PR_CLI_ENGINE_ARGS(options_t, engine),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print JSON."),
    {0},
};

const pr_command_t pr_command_score = {
    .name = "score",
    .synopsis = "DIR (--text TEXT | --ids 1,2,3) [--adapter DIR --weights A,B,...] [--json]",
    .summary = "Print log-probabilities of a text's tokens, or the scores of a classification model.",
    .help =
        "JSON of a language model: ids; logprobs, one for every token but the first, given those before it; their sum, "
        "mean and perplexity. JSON of a classification model: scores, one per label, read without the padding tokens "
        "at the "
        "text's end, as by the objective reward_model. A number that is not finite is null in its place, with a "
        "warning.",
    .args = args,
};

static pr_status_t hidden(const pr_cli_engine_t *e, int n, const int32_t *ids, float *h, pr_error_t *err)
{
    int start[2] = {0, n};
    pr_batch_t batch = {.n_seq = 1, .seq_start = start, .token = ids};
    pr_run_t *run = NULL;
    PR_TRY(pr_run_new(e->model, e->policy.la, false, &run, err));
    pr_status_t status = pr_forward(run, &batch, h, err);
    pr_run_free(&run);
    return status;
}

// A number that JSON does not have is null there, in its own place; it is told here.
static void tell_odd(const char *what, double x)
{
    if (!isfinite(x))
        pr_log(PR_LOG_WARN, "%s is not finite (%s)", what, isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity");
}

static void print_scores(int labels, const float *scores, const int32_t *ids, size_t n, bool json)
{
    json_t *list = json_array();
    char what[48];
    for (int i = 0; i < labels; i++) {
        snprintf(what, sizeof what, "the score of label %d", i);
        tell_odd(what, (double)scores[i]);
        json_array_append_new(list, pr_json_real((double)scores[i]));
        if (!json)
            printf("%.9g\n", isnan(scores[i]) ? NAN : (double)scores[i]);
    }
    json_t *v = json_pack("{s:o, s:o}", "scores", list, "ids", pr_cli_ids_json(ids, n));
    if (json)
        pr_cli_print_json(v);
    json_decref(v);
}

// The scores stand where the objective reward_model has them.
static pr_status_t classify(const pr_cli_engine_t *e, const int32_t *ids, size_t n, bool json, pr_error_t *err)
{
    int32_t nothing;
    size_t d = (size_t)e->model->config.d_model, read = n;
    int labels = e->model->config.n_label;
    const int32_t *scored = pr_head_scored(&e->model->config, ids, &read, &nothing);
    float *h = pr_alloc_matrix(read * d, sizeof *h), *scores = pr_alloc((size_t)labels, sizeof *scores);
    pr_status_t status = h ? hidden(e, (int)read, scored, h, err)
                           : pr_fail(err, PR_ERR_MEMORY, "not enough memory for %zu tokens", read);
    if (status == PR_OK) {
        pr_head_scores(e->model, e->policy.la, 1, h + (read - 1) * d, scores);
        print_scores(labels, scores, n > 0 ? ids : scored, n > 0 ? n : read,
                     json); // of an empty text what stands for it
    }
    free(h);
    free(scores);
    return status;
}

// logp [n-1] of ids[1..] under a policy of experts.
static pr_status_t policy_logp(const pr_cli_engine_t *e, int n, const int32_t *ids, float *logp, pr_error_t *err)
{
    int start[2] = {0, n}, v = e->model->config.vocab;
    float *logits = pr_alloc_matrix((size_t)n * (size_t)v, sizeof *logits);
    if (!logits)
        return pr_fail(err, PR_ERR_MEMORY, "not enough memory for %d x %d logits", n, v);
    pr_status_t status = pr_policy_logits(&e->policy, 1, start, ids, e->w, true, logits, err);
    if (status == PR_OK)
        pr_log_softmax(n - 1, v, logits);
    for (int i = 0; i < n - 1 && status == PR_OK; i++)
        logp[i] = logits[(size_t)i * (size_t)v + (size_t)ids[i + 1]];
    free(logits);
    return status;
}

static void print_logp(int n, const int32_t *ids, const float *logp, bool json)
{
    double sum = 0;
    int odd = 0;
    json_t *list = json_array();
    for (int i = 0; i < n - 1; i++) {
        sum += (double)logp[i];
        odd += !isfinite(logp[i]);
        json_array_append_new(list, pr_json_real((double)logp[i]));
    }
    double mean = n > 1 ? sum / (n - 1) : NAN, perplexity = exp(-mean); // of one token there are none
    if (odd)
        pr_log(PR_LOG_WARN, "%d of %d log-probabilities are not finite", odd, n - 1);
    else if (n > 1)
        tell_odd("the perplexity", perplexity);
    json_t *v = json_pack("{s:o, s:o, s:o, s:o, s:o}", "ids", pr_cli_ids_json(ids, (size_t)n), "logprobs", list, "sum",
                          pr_json_real(sum), "mean", pr_json_real(mean), "perplexity", pr_json_real(perplexity));
    if (json)
        pr_cli_print_json(v);
    else if (n <= 1)
        printf("%d token, which nothing comes before: no log-probability\n", n);
    else
        printf("%d tokens, log-probability %.6g, %.6g per token, perplexity %.6g\n", n, sum, mean, perplexity);
    json_decref(v);
}

static pr_status_t log_probabilities(const pr_cli_engine_t *e, const int32_t *ids, int n, bool json, pr_error_t *err)
{
    float *logp = pr_alloc((size_t)n, sizeof *logp), *h = NULL;
    pr_status_t status = PR_OK;
    if (e->n_adapter > 0) {
        PR_GO(policy_logp(e, n, ids, logp, err));
    } else if (n > 1) {
        h = pr_alloc_matrix((size_t)n * (size_t)e->model->config.d_model, sizeof *h);
        PR_GO(h ? hidden(e, n, ids, h, err) : pr_fail(err, PR_ERR_MEMORY, "not enough memory for %d tokens", n));
        PR_GO(pr_head_logp(e->model, e->policy.la, n - 1, h, ids + 1, 1.0, logp, NULL, err));
    }
    print_logp(n, ids, logp, json);
done:
    free(h);
    free(logp);
    return status;
}

static pr_status_t run(const options_t *o, pr_cli_engine_t *e, pr_error_t *err)
{
    int32_t *ids = NULL;
    size_t n;
    PR_TRY(pr_cli_engine_open(&o->engine, o->text != NULL, e, err));
    if (pr_cli_engine_ids(e, &o->ids, o->text, &ids, &n, err) != PR_OK)
        return pr_fail_in(err, "%s", o->text ? "--text" : "--ids");
    pr_status_t status = e->model->config.n_label > 0 ? classify(e, ids, n, o->json, err)
                                                      : log_probabilities(e, ids, (int)n, o->json, err);
    free(ids);
    return status;
}

int pr_cmd_score(int argc, char **argv)
{
    options_t o = {.engine = PR_CLI_ENGINE_DEFAULTS};
    pr_cli_engine_t e = {0};
    pr_error_t err;
    int code;
    o.engine.sweeps = true;
    if (pr_cli_parse(&pr_command_score, argc, argv, &o, &code)) {
        if ((o.ids.n > 0) == (o.text != NULL))
            code = pr_cli_usage(&pr_command_score, "expected --text or --ids");
        else if (run(&o, &e, &err) != PR_OK)
            code = pr_cli_fail(argv[0], &err);
    }
    pr_cli_engine_close(&e);
    pr_cli_free(&pr_command_score, &o);
    return code;
}
