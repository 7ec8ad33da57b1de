// SPDX-License-Identifier: BSD-3-Clause
/* How long a sweep would take, from a short measurement of the model on this machine: what a worker decodes, and what it
 * passes forward and back, per second. Objectives that take time of their own are not counted. */
#include "base/duration.h"
#include "base/mem.h"
#include "cli/engine.h"
#include "cli/plan.h"
#include "method/method.h"

#include <math.h>
#include <stdlib.h>

/* Seconds that a measurement may take before no larger one is tried, and the most that is measured. */
static const double ENOUGH = 0.15;
enum { MOST_TOKENS = 2048, MOST_STREAMS = 64, NEW_TOKENS = 8 };

typedef struct pr_measure {
    pr_cli_engine_t engine;
    pr_adapter_t *adapter;
    int length; // of a prompt
    int32_t *ids;
    double decode, learn; // tokens per second
} pr_measure_t;

/* Seconds of decoding NEW_TOKENS after each of n prompts. */
static pr_status_t time_decode(pr_measure_t *m, int n, double *seconds, double *tokens, pr_error_t *err)
{
    int *start = pr_alloc((size_t)n + 1, sizeof *start);
    int32_t *ids = pr_alloc((size_t)n * (size_t)m->length, sizeof *ids);
    pr_decoded_t decoded = {0};
    for (int i = 0; i < n; i++) {
        start[i + 1] = (i + 1) * m->length;
        for (int j = 0; j < m->length; j++)
            ids[i * m->length + j] = m->ids[j];
    }
    pr_decode_options_t o = {
        .sampling = {.greedy = true}, .samples = 1, .max_new_tokens = NEW_TOKENS, .streams = n, .ignore_eos = true};
    double begin = pr_time_monotonic();
    pr_status_t status = pr_decode(&m->engine.policy, 1, NULL, n, start, ids, &o, &decoded, err);
    *seconds = pr_time_monotonic() - begin;
    *tokens = (double)decoded.generated;
    pr_decoded_clear(&decoded);
    free(start);
    free(ids);
    return status;
}

static void gradient(void *self, int first, int n, const float *logp, const float *entropy, float *g, float *g_entropy)
{
    (void)self, (void)first, (void)logp, (void)entropy, (void)g_entropy;
    for (int i = 0; i < n; i++)
        g[i] = -1;
}

/* Seconds of passing n sequences forward and back. */
static pr_status_t time_learn(pr_measure_t *m, int n, double *seconds, double *tokens, pr_error_t *err)
{
    const pr_model_config_t *c = &m->engine.model->config;
    size_t t = (size_t)n * (size_t)m->length, d = (size_t)c->d_model;
    int *start = pr_alloc((size_t)n + 1, sizeof *start);
    int32_t *ids = pr_alloc(t, sizeof *ids);
    float *mix = pr_alloc((size_t)n, sizeof *mix), *h = pr_alloc(t * d, sizeof *h), *dh = pr_alloc(t * d, sizeof *dh),
          *grad = pr_alloc(m->adapter->n_data, sizeof *grad);
    const pr_adapter_t *adapter[1] = {m->adapter};
    pr_run_t *run = NULL;
    const pr_sampling_t plain = {.temperature = 1, .top_p = 1};
    for (int i = 0; i < n; i++) {
        start[i + 1] = (i + 1) * m->length;
        mix[i] = 1;
        for (int j = 0; j < m->length; j++)
            ids[i * m->length + j] = m->ids[j];
    }
    pr_batch_t batch = {.n_seq = n, .seq_start = start, .token = ids, .n_adapter = 1, .adapter = adapter, .mix = mix};
    pr_grads_t grads = {.adapter = 0, .adapter_grad = grad};
    double begin = pr_time_monotonic();
    pr_status_t status;
    PR_GO(pr_run_new(m->engine.model, m->engine.policy.la, true, &run, err));
    PR_GO(pr_forward(run, &batch, h, err));
    PR_GO(
        pr_head_backward(m->engine.model, m->engine.policy.la, (int)t, h, ids, &plain, gradient, NULL, dh, NULL, err));
    PR_GO(pr_backward(run, &batch, dh, &grads, err));
    *seconds = pr_time_monotonic() - begin;
    *tokens = (double)t;
done:
    if (run)
        pr_run_free(&run);
    free(start);
    free(ids);
    free(mix);
    free(h);
    free(dh);
    free(grad);
    return status;
}

typedef pr_status_t (*pr_time_fn)(pr_measure_t *m, int n, double *seconds, double *tokens, pr_error_t *err);

/* Tokens per second of a batch as large as there is time to measure, the first of them to warm up. */
static pr_status_t rate_of(pr_measure_t *m, pr_time_fn time, int most, double *rate, pr_error_t *err)
{
    double seconds = 0, tokens = 0;
    PR_TRY(time(m, 1, &seconds, &tokens, err));
    for (int n = 1;; n = 4 * n < most ? 4 * n : most) {
        PR_TRY(time(m, n, &seconds, &tokens, err));
        if (n == most || seconds > ENOUGH)
            break;
    }
    *rate = tokens / seconds;
    return PR_OK;
}

static pr_status_t measure(const pr_plan_t *p, pr_measure_t *m, pr_error_t *err)
{
    const pr_config_t *c = p->config;
    const pr_model_config_t *model = &p->model;
    pr_cli_engine_options_t e = PR_CLI_ENGINE_DEFAULTS;
    e.model = c->model;
    e.threads = c->threads;
    PR_TRY(pr_cli_engine_open(&e, false, &m->engine, err));
    double mean = p->n_train > 0 ? p->mean_train : p->mean_eval;
    m->length = mean < 1 ? 1 : (int)lround(mean);
    if (m->length + NEW_TOKENS > model->max_pos)
        m->length = model->max_pos > NEW_TOKENS ? model->max_pos - NEW_TOKENS : 1;
    pr_rng_key_t key = pr_rng_key(1, "plan", "");
    m->ids = pr_alloc((size_t)m->length, sizeof *m->ids);
    for (int i = 0; i < m->length; i++)
        m->ids[i] = (int32_t)pr_rng_below(&key, (uint64_t)model->vocab, (uint64_t)i, 0, 0, 0);
    pr_adapter_options_t lora = {.r = c->finetune.lora_r, .alpha = c->finetune.lora_alpha};
    PR_TRY(pr_adapter_new(model, &lora, &key, &m->adapter, err));
    int streams = c->evaluate.streams < MOST_STREAMS ? c->evaluate.streams : MOST_STREAMS;
    PR_TRY(rate_of(m, time_decode, streams, &m->decode, err));
    int sequences = MOST_TOKENS / m->length;
    return rate_of(m, time_learn, sequences > 1 ? sequences : 1, &m->learn, err);
}

/* ---- from rates to seconds ---- */

/* Responses end before they are as long as they may be: at the least at this share. */
static const double SHORT = 0.25;

/* Seconds of one worker: a training, with responses of this share of the most. */
static double training(const pr_plan_t *p, const pr_measure_t *m, const pr_finetune_config_t *f, double share)
{
    double responses = (double)f->steps * f->prompts_per_step * f->samples, tokens = share * f->max_new_tokens;
    double base = f->kl > 0 ? 1.0 / 3 : 0; // the base model's pass forward, of the three of one forward and back
    return responses * (tokens / m->decode + (p->mean_train + tokens) * (1 + base) / m->learn);
}

/* Of one adapter on all prompts. */
static double response_time(const pr_plan_t *p, const pr_measure_t *m, double share)
{
    const pr_evaluate_config_t *e = &p->config->evaluate;
    return (double)p->prompts * e->samples * share * e->max_new_tokens / m->decode;
}

static pr_status_t evaluation(const pr_plan_t *p, const pr_measure_t *m, int search, double share, double *seconds,
                              pr_error_t *err)
{
    const pr_sweep_policy_t *policy = &p->inputs.policy[search];
    pr_mix_memory_t takes = {.streams = 1};
    int parts = policy->method->mixes ? p->config->n_objectives : 1;
    PR_TRY(pr_mix_memory(policy->mix, policy->mix_options, &p->model, parts, &takes, err));
    *seconds = response_time(p, m, share) * fmax(1, takes.streams);
    return PR_OK;
}

static int team_size(const pr_team_config_t *t)
{
    return t->rows * t->cols;
}

/* Teams of a phase as workers that do a job in the time of one rank, divided. */
static void workers_of(const pr_phase_spec_t *phase, int ranks, int *teams, int *size)
{
    *teams = pr_team_count(&phase->team, ranks, NULL);
    *size = team_size(&phase->team);
}

/* Whole sweep: low: all workers are busy to the end, else in rounds, one kind after the other. */
static pr_status_t whole(const pr_plan_t *p, const pr_measure_t *m, int ranks, bool low, double *seconds,
                         pr_error_t *err)
{
    double share = low ? SHORT : 1, train = 0, evaluate = 0, rounds = 0, one = 0;
    int teams, size, teams_then, size_then;
    workers_of(&p->phase[0], ranks, &teams, &size);
    workers_of(&p->phase[p->n_phase - 1], ranks, &teams_then, &size_then);
    for (int i = 0; i < p->n_training; i++) {
        double t = training(p, m, p->training[i].set, share) / size;
        if (p->training[i].makes == PR_FITS_ROUTE) { // evaluations of the lattice's points
            PR_TRY(evaluation(p, m, p->training[i].search, share, &one, err));
            t = one / size * pr_plan_route_evaluations(p, &p->training[i]) / p->prompts;
        }
        train += t * (double)p->training[i].jobs;
        rounds += t * ceil((double)p->training[i].jobs / teams);
    }
    for (int i = 0; i < p->config->n_searches; i++) {
        PR_TRY(evaluation(p, m, i, share, &one, err));
        evaluate += one / size_then * (double)p->search[i].total * p->config->n_seeds;
    }
    evaluate += response_time(p, m, share) / size_then * (double)p->base_points; // of one part at most
    *seconds = (low ? train / teams : rounds) + evaluate / teams_then;
    return PR_OK;
}

pr_status_t pr_plan_time(pr_plan_t *p, int ranks, pr_error_t *err)
{
    pr_measure_t m = {0};
    pr_status_t status;
    PR_GO(measure(p, &m, err));
    PR_GO(whole(p, &m, ranks, true, &p->seconds_least, err));
    PR_GO(whole(p, &m, ranks, false, &p->seconds_most, err));
    p->decode_rate = m.decode;
    p->learn_rate = m.learn;
done:
    if (m.adapter)
        pr_adapter_free(&m.adapter);
    pr_cli_engine_close(&m.engine);
    free(m.ids);
    return status;
}
