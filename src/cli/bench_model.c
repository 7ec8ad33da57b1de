// SPDX-License-Identifier: BSD-3-Clause
/* paretorank bench model: tokens per second of forward, backward (LoRA) and decoding, beside the rate that the same BLAS
 * reaches on a large square product in the same process. */
#include "base/duration.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *model;
    int tokens, length, streams, new_tokens, threads, lora_r;
    double seconds;
    bool json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("MODEL_DIR", STRING, offsetof(options_t, model), "DIR", "A Hugging Face model directory."),
    PR_ARG_DEFAULT("--tokens", INT, offsetof(options_t, tokens), "N", "2048", "Tokens of a forward or backward pass.",
                   .min = 1, .max = 1 << 24),
    PR_ARG_DEFAULT("--length", INT, offsetof(options_t, length), "N", "64", "Tokens of a sequence and of a prompt.",
                   .min = 1, .max = 1 << 20),
    PR_ARG_DEFAULT("--streams", INT, offsetof(options_t, streams), "N", "64", "Sequences decoded together.", .min = 1,
                   .max = 1 << 16),
    PR_ARG_DEFAULT("--new", INT, offsetof(options_t, new_tokens), "N", "40", "New tokens per sequence when decoding.",
                   .min = 1, .max = 1 << 20),
    PR_ARG_DEFAULT("--lora-r", INT, offsetof(options_t, lora_r), "R", "8", "Rank of the adapter that is trained.",
                   .min = 1, .max = 4096),
    PR_ARG_DEFAULT("--threads", INT, offsetof(options_t, threads), "N", "1", "BLAS threads.", .min = 1, .max = 1024),
    PR_ARG_DEFAULT("--seconds", REAL, offsetof(options_t, seconds), "S", "1", "Time for each measurement.", .min = 0.01,
                   .max = 3600),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print JSON."),
    {0},
};

const pr_command_t pr_command_bench_model = {
    .name = "bench model",
    .synopsis = "MODEL_DIR [options]",
    .summary =
        "Measure tokens per second of forward, backward and decoding, and their share of this machine's GEMM rate.",
    .help = "Rates are those of the fastest repetition. The share counts the products with the weights and the head "
            "only: 2 operations per parameter and token forward, 4 there and back for an adapter.",
    .args = args,
};

typedef struct bench {
    const options_t *o;
    pr_cli_engine_t engine;
    pr_adapter_t *adapter;
    pr_run_t *run;
    int n_seq, length, *start;
    int32_t *ids;
    float *h, *dh, *logp, *grad;
    pr_decoded_t decoded;
    float *a, *b, *c; // of the square product
} bench_t;

enum { SQUARE = 1024 };

typedef pr_status_t (*step_fn)(bench_t *b, pr_error_t *err);

static pr_status_t square(bench_t *b, pr_error_t *err)
{
    (void)err;
    pr_weight_t w = {.data = b->a, .out = SQUARE, .in = SQUARE, .ld = SQUARE};
    const pr_linalg_t *la = b->engine.policy.la;
    la->forward(la, &w, SQUARE, b->b, SQUARE, b->c, SQUARE, false);
    return PR_OK;
}

static pr_batch_t batch_of(const bench_t *b, const pr_adapter_t *const *adapter, const float *mix)
{
    return (pr_batch_t){.n_seq = b->n_seq,
                        .seq_start = b->start,
                        .token = b->ids,
                        .n_adapter = adapter ? 1 : 0,
                        .adapter = adapter,
                        .mix = mix};
}

static int rows(const bench_t *b)
{
    return b->n_seq * b->length;
}

static pr_status_t forward(bench_t *b, pr_error_t *err)
{
    pr_batch_t batch = batch_of(b, NULL, NULL);
    PR_TRY(pr_forward(b->run, &batch, b->h, err));
    return pr_head_logp(b->engine.model, b->engine.policy.la, rows(b), b->h, b->ids, 1.0, b->logp, NULL, err);
}

static void likelihood_grad(void *self, int first, int n, const float *logp, const float *entropy, float *g,
                            float *g_entropy)
{
    (void)self, (void)first, (void)logp, (void)entropy, (void)g_entropy;
    for (int i = 0; i < n; i++)
        g[i] = -1;
}

static pr_status_t forward_backward(bench_t *b, pr_error_t *err)
{
    const pr_adapter_t *adapter[1] = {b->adapter};
    float *mix = pr_alloc((size_t)b->n_seq, sizeof *mix);
    for (int i = 0; i < b->n_seq; i++)
        mix[i] = 1;
    pr_batch_t batch = batch_of(b, adapter, mix);
    pr_grads_t grads = {.adapter = 0, .adapter_grad = b->grad};
    const pr_sampling_t plain = {.temperature = 1, .top_p = 1};
    pr_status_t status;
    PR_GO(pr_forward(b->run, &batch, b->h, err));
    PR_GO(pr_head_backward(b->engine.model, b->engine.policy.la, rows(b), b->h, b->ids, &plain, likelihood_grad, NULL,
                           b->dh, NULL, err));
    PR_GO(pr_backward(b->run, &batch, b->dh, &grads, err));
done:
    free(mix);
    return status;
}

static pr_status_t decode(bench_t *b, pr_error_t *err)
{
    int *start = pr_alloc((size_t)b->o->streams + 1, sizeof *start);
    int32_t *ids = pr_alloc((size_t)b->o->streams * (size_t)b->length, sizeof *ids);
    for (int i = 0; i < b->o->streams; i++) {
        start[i + 1] = (i + 1) * b->length;
        for (int j = 0; j < b->length; j++)
            ids[i * b->length + j] = b->ids[j];
    }
    pr_decode_options_t d = {.sampling = {.greedy = true},
                             .samples = 1,
                             .max_new_tokens = b->o->new_tokens,
                             .streams = b->o->streams,
                             .ignore_eos = true};
    pr_decoded_clear(&b->decoded);
    pr_status_t status = pr_decode(&b->engine.policy, 1, NULL, b->o->streams, start, ids, &d, &b->decoded, err);
    free(start);
    free(ids);
    return status;
}

// Seconds of the fastest of as many repetitions as fit into the time, one at least.
static pr_status_t fastest(bench_t *b, step_fn step, double *seconds, pr_error_t *err)
{
    double begin = pr_time_monotonic(), now;
    *seconds = INFINITY;
    PR_TRY(step(b, err)); // grows scratch memory, wakes threads
    do {
        double then = pr_time_monotonic();
        PR_TRY(step(b, err));
        now = pr_time_monotonic();
        *seconds = now - then < *seconds ? now - then : *seconds;
    } while (now - begin < b->o->seconds);
    return PR_OK;
}

static pr_status_t setup(bench_t *b, pr_error_t *err)
{
    const options_t *o = b->o;
    pr_cli_engine_options_t e = PR_CLI_ENGINE_DEFAULTS;
    e.model = o->model;
    e.threads = o->threads;
    PR_TRY(pr_cli_engine_open(&e, false, &b->engine, err));
    const pr_model_config_t *m = &b->engine.model->config;
    if (m->n_label > 0)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "%s: found a classification model, expected a language model",
                       o->model);
    if (o->length + o->new_tokens > m->max_pos)
        return pr_fail(err, PR_ERR_USAGE, "--length and --new: found %d and %d, the model has %d positions", o->length,
                       o->new_tokens, m->max_pos);
    pr_adapter_options_t lora = {.r = o->lora_r, .alpha = o->lora_r};
    pr_rng_key_t key = pr_rng_key(1, "bench", "");
    PR_TRY(pr_adapter_new(m, &lora, &key, &b->adapter, err));
    PR_TRY(pr_run_new(b->engine.model, b->engine.policy.la, true, &b->run, err));
    b->length = o->length;
    b->n_seq = o->tokens > o->length ? o->tokens / o->length : 1;
    size_t t = (size_t)rows(b), d = (size_t)m->d_model;
    b->start = pr_alloc((size_t)b->n_seq + 1, sizeof *b->start);
    for (int i = 0; i <= b->n_seq; i++)
        b->start[i] = i * b->length;
    b->ids = pr_alloc(t, sizeof *b->ids);
    for (size_t i = 0; i < t; i++)
        b->ids[i] = (int32_t)pr_rng_below(&key, (uint64_t)m->vocab, i, 0, 0, 0);
    b->h = pr_alloc(t * d, sizeof *b->h);
    b->dh = pr_alloc(t * d, sizeof *b->dh);
    b->logp = pr_alloc(t, sizeof *b->logp);
    b->grad = pr_alloc(b->adapter->n_data, sizeof *b->grad);
    b->a = pr_alloc((size_t)SQUARE * SQUARE, sizeof *b->a);
    b->b = pr_alloc((size_t)SQUARE * SQUARE, sizeof *b->b);
    b->c = pr_alloc((size_t)SQUARE * SQUARE, sizeof *b->c);
    return PR_OK;
}

static void teardown(bench_t *b)
{
    if (b->run)
        pr_run_free(&b->run);
    if (b->adapter)
        pr_adapter_free(&b->adapter);
    pr_decoded_clear(&b->decoded);
    pr_cli_engine_close(&b->engine);
    float *blocks[] = {b->h, b->dh, b->logp, b->grad, b->a, b->b, b->c};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
    free(b->start);
    free(b->ids);
}

// Parameters of the linear maps and the head: those that a token is multiplied with.
static double matmul_params(const pr_model_t *m)
{
    double n = (double)m->head.out * m->head.in;
    for (int layer = 0; layer < m->config.n_layer; layer++)
        for (int slot = 0; slot < PR_N_SLOT; slot++)
            n += (double)m->layer[layer].w[slot].out * m->layer[layer].w[slot].in;
    return n;
}

static void print_result(const bench_t *b, const double seconds[4])
{
    double gemm = 2.0 * SQUARE * SQUARE * SQUARE / seconds[0], n = matmul_params(b->engine.model), t = rows(b);
    double rate[3] = {t / seconds[1], t / seconds[2], (double)b->decoded.generated / seconds[3]};
    // Forward, with the head run forward only; forward and backward, with the head run forward, and backward by its
    // input; decoding, with the prompts' tokens run too but without their heads.
    double work[3] = {2 * n * t, 4 * n * t, 2 * n * (double)(b->decoded.generated + b->decoded.prefilled)};
    static const char *const names[] = {"forward", "forward_backward", "decode"};
    json_t *v = json_pack("{s:o, s:i}", "gemm_gflops", pr_json_real(gemm * 1e-9), "threads", b->o->threads);
    if (!b->o->json)
        printf("%-20s%10.1f Gflop/s (%d x %d x %d, %d thread%s)\n", "gemm", gemm * 1e-9, SQUARE, SQUARE, SQUARE,
               b->o->threads, b->o->threads == 1 ? "" : "s");
    for (int i = 0; i < 3; i++) {
        double share = work[i] / seconds[i + 1] / gemm;
        json_object_set_new(
            v, names[i],
            json_pack("{s:o, s:o}", "tokens_per_second", pr_json_real(rate[i]), "gemm_share", pr_json_real(share)));
        if (!b->o->json)
            printf("%-20s%10.0f tokens/s, %5.1f %% of the gemm rate\n", names[i], rate[i], 100 * share);
    }
    if (b->o->json)
        pr_cli_print_json(v);
    json_decref(v);
}

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    static const step_fn steps[] = {square, forward, forward_backward, decode};
    bench_t b = {.o = o};
    double seconds[4];
    pr_status_t status;
    PR_GO(setup(&b, err));
    for (int i = 0; i < 4; i++)
        PR_GO(fastest(&b, steps[i], &seconds[i], err));
    print_result(&b, seconds);
done:
    teardown(&b);
    return status;
}

int pr_bench_model(int argc, char **argv)
{
    options_t o = {0};
    pr_error_t err;
    int code;
    if (pr_cli_parse(&pr_command_bench_model, argc, argv, &o, &code) && run(&o, &err) != PR_OK)
        code = pr_cli_fail("bench model", &err);
    return code;
}
