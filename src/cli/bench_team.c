// SPDX-License-Identifier: BSD-3-Clause
/* paretorank bench team: one fine-tuning step of a model on teams of several shapes, beside a team of one rank, in one
 * run. The model has random weights, the same for every team. */
#include "base/duration.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "learn/trainer.h"
#include "mpi/linalg_grid.h"
#include "mpi/team.h"
#include "mpi/traffic.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_GRIDS = 32, MAX_ROUNDS = 100, SQUARE = 1024 };

typedef struct options {
    pr_texts_t grids;
    const char *shape;
    int tokens, length, rounds, lora_r, micro_tokens, block;
    double kl;
    bool json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG("--grid", STRINGS, offsetof(options_t, grids), "ROWSxCOLS",
           "A team to measure; may be repeated. Default: 1xN and, if there are several ranks, Nx1."),
    PR_ARG("--shape", STRING, offsetof(options_t, shape), "KEY=N,...",
           "The model's shape: hidden, layers, heads, kv_heads, mlp, vocab. What is not named is that of a model of "
           "135 million parameters: hidden=576,layers=30,heads=9,kv_heads=3,mlp=1536,vocab=49152."),
    PR_ARG_DEFAULT("--tokens", INT, offsetof(options_t, tokens), "N", "2048", "Tokens of a step, of all ranks.",
                   .min = 1, .max = 1 << 24),
    PR_ARG_DEFAULT("--length", INT, offsetof(options_t, length), "N", "64",
                   "Tokens of a sequence; half of them are the response that is learned from.", .min = 4,
                   .max = 1 << 20),
    PR_ARG_DEFAULT("--micro-tokens", INT, offsetof(options_t, micro_tokens), "N", "2048", "As finetune.micro_tokens.",
                   .min = 1, .max = 1 << 24),
    PR_ARG_DEFAULT("--kl", REAL, offsetof(options_t, kl), "BETA", "0.02",
                   "As finetune.kl; above 0 the reference is run too.", .min = 0, .max = 1e9),
    PR_ARG_DEFAULT("--lora-r", INT, offsetof(options_t, lora_r), "R", "8", "Rank of the adapter.", .min = 1,
                   .max = 4096),
    PR_ARG_DEFAULT("--rounds", INT, offsetof(options_t, rounds), "N", "3",
                   "Rounds; in each every team takes a step that counts, one after the other.", .min = 1,
                   .max = MAX_ROUNDS),
    PR_ARG_DEFAULT("--block", INT, offsetof(options_t, block), "N", "256", "PBLAS's largest logical block.", .min = 1,
                   .max = 1 << 20),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print JSON."),
    {0},
};

const pr_command_t pr_command_bench_team = {
    .name = "bench team",
    .synopsis = "[--grid ROWSxCOLS]... [--shape KEY=N,...] [options]",
    .summary = "Measure a fine-tuning step on teams of several ranks, against one rank in the same run.",
    .help =
        "Start it with mpirun -n N. A step is the forward and backward pass of a LoRA adapter, the reference's forward "
        "pass, and AdamW. Gflop/s count the products with the model's weights only: 2 operations per parameter and "
        "token forward, 2 backward; the head's on the response's tokens. Times are medians over the rounds, speed-ups "
        "medians of the rounds' ratios. Memory is the process's largest resident set while it had the team's model, "
        "that of the rank with the most; bytes are what the rank with the most sends in a step. They are counted by a "
        "library that is loaded before MPI, for which the program starts itself again (null where it cannot be).",
    .args = args,
};

/* ---- what is measured ---- */

typedef struct grid {
    int rows, cols;
    double seconds[MAX_ROUNDS]; // of a step
    double gemm;                // rate of all its ranks together, flop/s, the best round
    double memory, sent;        // bytes, of the rank with the most
    double loss;                // of the first step: a check that teams compute the same
} grid_t;

typedef struct bench {
    const options_t *o;
    pr_world_t *w;
    pr_model_config_t config;
    int n_grid;
    grid_t grid[MAX_GRIDS];
    // the step's sequences
    int n_seq, *start, *n_prompt;
    int32_t *ids;
    double *advantage;
} bench_t;

/* ---- options ---- */

static pr_status_t read_shape(const char *text, pr_model_config_t *c, pr_error_t *err)
{
    struct {
        const char *key;
        int *value;
    } const keys[] = {{"hidden", &c->d_model},     {"layers", &c->n_layer}, {"heads", &c->n_head},
                      {"kv_heads", &c->n_kv_head}, {"mlp", &c->d_ff},       {"vocab", &c->vocab}};
    enum { N = sizeof keys / sizeof *keys };
    while (text && *text) {
        size_t i, len = strcspn(text, "=");
        for (i = 0; i < N; i++)
            if (strlen(keys[i].key) == len && strncmp(text, keys[i].key, len) == 0)
                break;
        char *end = NULL;
        long v = i < N && text[len] == '=' ? strtol(text + len + 1, &end, 10) : 0;
        if (v < 1 || v > 1 << 24 || (*end && *end != ','))
            return pr_fail(err, PR_ERR_USAGE,
                           "--shape: found \"%s\", expected KEY=N,... with KEY one of hidden, layers, heads, kv_heads, "
                           "mlp, vocab",
                           text);
        *keys[i].value = (int)v;
        text = *end ? end + 1 : end;
    }
    c->head_dim = c->d_model / c->n_head;
    if (c->d_model % c->n_head != 0 || c->head_dim % 2 != 0 || c->n_head % c->n_kv_head != 0)
        return pr_fail(
            err, PR_ERR_USAGE,
            "--shape: %d features, %d heads, %d key/value heads: expected heads of even size that divide the "
            "features, and key/value heads that divide the heads",
            c->d_model, c->n_head, c->n_kv_head);
    return PR_OK;
}

static pr_status_t add_grid(bench_t *b, int rows, int cols, pr_error_t *err)
{
    int size = pr_world_size(b->w);
    if (rows < 1 || cols < 1 || (long)rows * cols > size)
        return pr_fail(err, PR_ERR_USAGE,
                       "--grid: found %dx%d, expected a grid of at most %d ranks, as many as there are", rows, cols,
                       size);
    PR_TRY(pr_part_check(&b->config, cols, err));
    if (b->n_grid == MAX_GRIDS)
        return pr_fail(err, PR_ERR_USAGE, "--grid: found more than %d", MAX_GRIDS);
    b->grid[b->n_grid++] = (grid_t){.rows = rows, .cols = cols};
    return PR_OK;
}

static pr_status_t read_options(bench_t *b, pr_error_t *err)
{
    const options_t *o = b->o;
    int size = pr_world_size(b->w);
    b->config = (pr_model_config_t){.arch = PR_ARCH_LLAMA,
                                    .vocab = 49152,
                                    .d_model = 576,
                                    .n_layer = 30,
                                    .n_head = 9,
                                    .n_kv_head = 3,
                                    .d_ff = 1536,
                                    .max_pos = 1 << 20,
                                    .act = PR_ACT_SILU,
                                    .norm_eps = 1e-5,
                                    .tied_head = true,
                                    .rope = PR_ROPE_DEFAULT,
                                    .rope_theta = 10000,
                                    .bos = -1,
                                    .pad = -1,
                                    .arch_name = "LlamaForCausalLM"};
    PR_TRY(read_shape(o->shape, &b->config, err));
    PR_TRY(add_grid(b, 1, 1, err));
    for (int i = 0; i < o->grids.n; i++) {
        int rows = 0, cols = 0, used = 0;
        if (sscanf(o->grids.item[i], "%dx%d%n", &rows, &cols, &used) != 2 || o->grids.item[i][used])
            return pr_fail(err, PR_ERR_USAGE, "--grid: found \"%s\", expected ROWSxCOLS, such as 1x2",
                           o->grids.item[i]);
        if (rows * (long)cols != 1)
            PR_TRY(add_grid(b, rows, cols, err));
    }
    if (o->grids.n == 0 && size > 1) {
        PR_TRY(add_grid(b, size, 1, err));
        if (size <= b->config.n_head)
            PR_TRY(add_grid(b, 1, size, err));
    }
    return PR_OK;
}

/* ---- the step ---- */

static void make_sequences(bench_t *b)
{
    const options_t *o = b->o;
    pr_rng_key_t key = pr_rng_key(1, "bench", "");
    b->n_seq = o->tokens > o->length ? o->tokens / o->length : 1;
    b->start = pr_alloc((size_t)b->n_seq + 1, sizeof *b->start);
    b->n_prompt = pr_alloc((size_t)b->n_seq, sizeof *b->n_prompt);
    b->advantage = pr_alloc((size_t)b->n_seq, sizeof *b->advantage);
    b->ids = pr_alloc((size_t)b->n_seq * (size_t)o->length, sizeof *b->ids);
    for (int i = 0; i < b->n_seq; i++) {
        b->start[i + 1] = (i + 1) * o->length;
        b->n_prompt[i] = o->length / 2;
        b->advantage[i] = i % 2 ? 1 : -1;
    }
    for (int i = 0; i < b->n_seq * o->length; i++)
        b->ids[i] = (int32_t)pr_rng_below(&key, (uint64_t)b->config.vocab, (uint64_t)i, 0, 0, 0);
}

static double weight_params(const pr_model_config_t *c)
{
    double n = 0;
    for (int slot = 0; slot < PR_N_SLOT; slot++) {
        int out, in;
        if (pr_slot_shape(c, (pr_slot_t)slot, &out, &in))
            n += (double)out * in;
    }
    return n * c->n_layer;
}

// Operations of a step: the last token of a sequence is not run, as nothing follows it.
static double step_flops(const bench_t *b)
{
    const pr_model_config_t *c = &b->config;
    double passes = b->o->kl > 0 ? 6 : 4, rows = b->n_seq * (b->o->length - 1.0);
    int response = b->o->length - b->o->length / 2;
    double picked = (double)b->n_seq * response;
    return passes * (weight_params(c) * rows + (double)c->vocab * c->d_model * picked);
}

/* ---- memory and rates ---- */

// Sets the largest resident set to what it is now; where the kernel does not let us, it stays what it was.
static void reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f)
        return;
    fputs("5", f);
    fclose(f);
}

static double peak_memory(void)
{
    char line[256];
    double kib = NAN;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %lf kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return 1024 * kib;
}

static double gemm_rate(void)
{
    size_t n = (size_t)SQUARE * SQUARE;
    float *a = pr_alloc(n, sizeof *a), *x = pr_alloc(n, sizeof *x), *y = pr_alloc(n, sizeof *y);
    pr_weight_t w = {.data = a, .out = SQUARE, .in = SQUARE, .ld = SQUARE};
    double best = INFINITY;
    for (size_t i = 0; i < n; i++)
        a[i] = x[i] = (float)(i % 7);
    for (int i = 0; i < 6; i++) {
        double t = pr_time_monotonic();
        pr_linalg_local()->forward(pr_linalg_local(), &w, SQUARE, x, SQUARE, y, SQUARE, false);
        t = pr_time_monotonic() - t;
        best = i > 0 && t < best ? t : best;
    }
    free(a);
    free(x);
    free(y);
    return 2.0 * SQUARE * SQUARE * SQUARE / best;
}

// The largest v, or the sum of all v, of a team.
static double team_join(const pr_team_t *t, double v, bool sum)
{
    float f = (float)v;
    double *all, result = 0;
    size_t *offset = pr_alloc((size_t)t->rows + 1, sizeof *offset);
    void *bytes;
    if (sum)
        t->la->sum(t->la, &f, 1);
    else
        t->la->max(t->la, &f, 1);
    v = (double)f;
    t->gather_rows(t, &v, sizeof v, &bytes, offset);
    all = bytes;
    for (int r = 0; r < t->rows; r++)
        result = sum ? result + all[r] : fmax(result, all[r]);
    free(bytes);
    free(offset);
    return result;
}

/* ---- one team, one round ---- */

// What a fine-tune job does after its roll-out.
static pr_status_t bench_step(const bench_t *b, pr_trainer_t *trainer, pr_step_stats_t *stats, pr_error_t *err)
{
    pr_rollout_t r = {b->n_seq, b->start, b->n_prompt, b->ids, b->advantage, NULL, NULL, NULL};
    double *ref = pr_alloc(pr_rollout_tokens(&r), sizeof *ref);
    pr_status_t status = PR_OK;
    if (b->o->kl > 0) {
        PR_GO(pr_trainer_reference(trainer, &r, ref, err));
        r.ref = ref;
    }
    PR_GO(pr_trainer_step(trainer, &r, 1e-4, stats, err));
done:
    free(ref);
    return status;
}

static pr_status_t timed_step(const bench_t *b, const pr_team_t *t, pr_trainer_t *trainer, grid_t *g, int round,
                              pr_error_t *err)
{
    pr_step_stats_t stats;
    PR_TRY(bench_step(b, trainer, &stats, err)); // grows scratch memory
    g->loss = stats.loss;
    PR_TRY(t->agree(t, PR_OK, err)); // begin together
    double begin = pr_time_monotonic(), sent = pr_traffic_bytes();
    PR_TRY(bench_step(b, trainer, &stats, err));
    PR_TRY(t->agree(t, PR_OK, err));
    g->seconds[round] = pr_time_monotonic() - begin;
    sent = pr_traffic_bytes() - sent;
    bool counted = team_join(t, isnan(sent), false) == 0; // on every rank
    sent = team_join(t, counted ? sent : 0, false);
    g->sent = counted ? sent : NAN;
    return PR_OK;
}

static pr_status_t on_team(const bench_t *b, const pr_team_t *t, grid_t *g, int round, pr_error_t *err)
{
    const options_t *o = b->o;
    pr_model_t *m = NULL;
    pr_adapter_t *adapter = NULL;
    pr_trainer_t *trainer = NULL;
    pr_adapter_options_t lora = {.r = o->lora_r, .alpha = o->lora_r};
    pr_trainer_options_t to = {.kl = o->kl,
                               .kl_estimator = PR_KL_K2,
                               .sampling = {.temperature = 1, .top_p = 1},
                               .clip_norm = 1,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .eps = 1e-8,
                               .micro_tokens = o->micro_tokens};
    pr_rng_key_t key = pr_rng_key(1, "bench-lora", "");
    double rate = team_join(t, gemm_rate(), true);
    g->gemm = rate > g->gemm ? rate : g->gemm;
    malloc_trim(0); // what the team before this one had
    reset_peak();
    pr_status_t status = pr_model_random(&b->config, t->cols, t->col, 1, &m, err);
    if (status == PR_OK)
        status = pr_adapter_new(&b->config, &lora, &key, &adapter, err);
    PR_GO(t->agree(t, status, err));
    PR_GO(pr_trainer_new(m, t, adapter, &to, &trainer, err));
    PR_GO(timed_step(b, t, trainer, g, round, err));
    g->memory = team_join(t, peak_memory(), false);
done:
    pr_trainer_free(&trainer);
    pr_adapter_free(&adapter);
    pr_model_free(&m);
    return status;
}

static pr_status_t one_round(bench_t *b, int round, pr_error_t *err)
{
    for (int i = 0; i < b->n_grid; i++) {
        grid_t *g = &b->grid[i];
        pr_team_t *team;
        pr_status_t status = PR_OK;
        pr_world_barrier(b->w); // those that have no part in it sleep until the others come
        pr_teams_open(b->w, 0, g->rows, g->cols, &team);
        if (pr_world_rank(b->w) < g->rows * g->cols)
            status = on_team(b, team, g, round, err);
        pr_teams_close(&team);
        PR_TRY(pr_world_agree(b->w, status, err));
    }
    return PR_OK;
}

/* ---- figures ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *v, int n)
{
    double copy[MAX_ROUNDS];
    memcpy(copy, v, (size_t)n * sizeof *v);
    qsort(copy, (size_t)n, sizeof *copy, by_value);
    return n % 2 ? copy[n / 2] : (copy[n / 2 - 1] + copy[n / 2]) / 2;
}

static json_t *grid_json(const bench_t *b, const grid_t *g)
{
    const grid_t *one = &b->grid[0];
    int n = b->o->rounds;
    double speedup[MAX_ROUNDS], t = median(g->seconds, n), flops = step_flops(b);
    for (int i = 0; i < n; i++)
        speedup[i] = one->seconds[i] / g->seconds[i];
    return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rows", g->rows, "cols", g->cols,
                     "step_seconds", pr_json_real(t), "tokens_per_second", pr_json_real(b->n_seq * b->o->length / t),
                     "gflops", pr_json_real(flops / t * 1e-9), "gemm_gflops", pr_json_real(g->gemm * 1e-9),
                     "gemm_share", pr_json_real(flops / t / g->gemm), "bytes_sent", pr_json_real(g->sent),
                     "memory_bytes", pr_json_real(g->memory), "speedup", pr_json_real(median(speedup, n)), "loss",
                     pr_json_real(g->loss));
}

static double number(const json_t *v, const char *key)
{
    return json_number_value(json_object_get(v, key));
}

static void print_text(const bench_t *b, const json_t *list)
{
    const pr_model_config_t *c = &b->config;
    const json_t *one = json_array_get(list, 0), *v;
    size_t i;
    printf(
        "model: %.1f million parameters (hidden %d, %d layers, %d heads, %d key/value heads, MLP %d, vocabulary %d)\n"
        "step: %d sequences of %d tokens, adapter of rank %d; PBLAS block %d; medians of %d round%s\n\n",
        (double)pr_model_config_params(c) * 1e-6, c->d_model, c->n_layer, c->n_head, c->n_kv_head, c->d_ff, c->vocab,
        b->n_seq, b->o->length, b->o->lora_r, b->o->block, b->o->rounds, b->o->rounds == 1 ? "" : "s");
    printf("team   step s  tokens/s  Gflop/s  of gemm  sent MiB  memory MiB  speed-up  memory    loss\n");
    json_array_foreach((json_t *)(uintptr_t)list, i, v)
    {
        char name[16];
        snprintf(name, sizeof name, "%dx%d", (int)number(v, "rows"), (int)number(v, "cols"));
        printf("%-6s%7.3f%10.0f%9.1f%7.1f %%%10.1f%12.1f%9.2fx%7.2fx%10.6f\n", name, number(v, "step_seconds"),
               number(v, "tokens_per_second"), number(v, "gflops"), 100 * number(v, "gemm_share"),
               number(v, "bytes_sent") / 1048576, number(v, "memory_bytes") / 1048576, number(v, "speedup"),
               number(v, "memory_bytes") / number(one, "memory_bytes"), number(v, "loss"));
    }
}

static void print_result(const bench_t *b)
{
    json_t *list = json_array();
    for (int i = 0; i < b->n_grid; i++)
        json_array_append_new(list, grid_json(b, &b->grid[i]));
    if (b->o->json) {
        json_t *v =
            json_pack("{s:I, s:i, s:i, s:i, s:O}", "parameters", (json_int_t)pr_model_config_params(&b->config),
                      "tokens", b->n_seq * b->o->length, "rounds", b->o->rounds, "block", b->o->block, "teams", list);
        pr_cli_print_json(v);
        json_decref(v);
    } else {
        print_text(b, list);
    }
    json_decref(list);
}

static pr_status_t bench(bench_t *b, pr_error_t *err)
{
    PR_TRY(pr_world_agree(b->w, read_options(b, err), err));
    pr_pblas_set_block(b->o->block);
    make_sequences(b);
    for (int round = 0; round < b->o->rounds; round++)
        PR_TRY(one_round(b, round, err));
    if (pr_world_rank(b->w) == 0)
        print_result(b);
    return PR_OK;
}

static int run(const options_t *o, int *argc, char ***argv)
{
    pr_error_t err = {0};
    bench_t b = {.o = o};
    bool other = pr_world_is_other();
    pr_traffic_count();
    if (pr_world_open(argc, argv, &b.w, &err) != PR_OK)
        return other ? pr_status_exit_code(err.status) : pr_cli_fail("bench", &err);
    int code = 0;
    if (bench(&b, &err) != PR_OK && !other)
        code = pr_cli_fail("bench team", &err);
    free(b.start);
    free(b.n_prompt);
    free(b.advantage);
    free(b.ids);
    pr_world_close(&b.w);
    return code;
}

int pr_bench_team(int argc, char **argv)
{
    options_t o = {0};
    int code;
    if (pr_cli_parse(&pr_command_bench_team, argc, argv, &o, &code))
        code = run(&o, &argc, &argv);
    pr_cli_free(&pr_command_bench_team, &o);
    return code;
}
