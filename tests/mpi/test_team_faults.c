// SPDX-License-Identifier: BSD-3-Clause
/* A rank that fails takes its team's job down with a reason, and nothing else: the same status and text on every rank,
 * nobody waits for ever, and the next job on the same team finds what it would have found. On every grid of all ranks
 * there are. */
#include "mpi/team_jobs.h"

#include "learn/trainer.h"

enum { TRAIN, STATES, PROBS, N_JOB };

typedef struct grid {
    pr_team_t *team;
    int victim; // the rank that fails
    long calls; // of pr_alloc_matrix in the last job that went well
    pr_config_t *config;
    pr_inputs_t inputs;
    pr_job_env_t *env;
    json_t *message[N_JOB];
    tj_expert_t expert; // what comes out when nothing fails; on rank 0
    tj_said_t said[N_JOB];
} grid_t;

static bool fails_here(const grid_t *g)
{
    return pr_world_rank(test_world) == g->victim;
}

static json_t *job_of(const pr_inputs_t *in, int job)
{
    return job == TRAIN    ? tj_train_job(in)
           : job == STATES ? tj_evaluate_job(in, "states", 3, 0, TJ_PROMPTS)
                           : tj_evaluate_job(in, "probs", -1, 0, TJ_PROMPTS);
}

/* Runs a job of which nothing fails; first: keeps what it finds, else checks that it is the same. */
static void run_well(grid_t *g, int job, bool first)
{
    tj_job_t j = {0};
    tj_expert_t expert = {{0}, 0, NULL, {0}};
    tj_said_t said = {0};
    tj_forget(g->env);
    pr_alloc_matrix_fail_at(0);
    json_t *result = tj_run_ok(g->env, g->message[job], &j);
    g->calls = pr_alloc_matrix_fail_at(0);
    if (tj_first() && job == TRAIN)
        tj_read_expert(g->env, g->message[job], result, first ? &g->expert : &expert);
    else if (tj_first())
        tj_read_said(g->env, g->message[job], result, first ? &g->said[job] : &said);
    if (tj_first() && !first)
        CHECK(job == TRAIN ? strcmp(expert.hash, g->expert.hash) == 0 : tj_same_said(&said, &g->said[job]));
    tj_expert_clear(&expert);
    free(said.responses);
    json_decref(result);
}

static void check_fails(grid_t *g, const json_t *message, pr_status_t want)
{
    json_t *result;
    pr_error_t err;
    tj_job_t j = {0};
    tj_forget(g->env);
    pr_status_t status = tj_run(g->env, message, &j, &result, &err);
    if (status != want)
        fprintf(stderr, "rank %d: %s: found %s ('%s'), expected %s\n", pr_world_rank(test_world), tj_where,
                pr_status_reason(status), err.text, pr_status_reason(want));
    CHECK(status == want);
}

/* ---- memory ---- */

// Of n calls about `tries`, with a seed, the first and the last among them.
static long which_call(int i, int tries, long n)
{
    pr_rng_key_t key = pr_rng_key(7, "faults", "");
    if (i == 0 || i == tries - 1 || n <= tries)
        return i == 0 ? 1 : n <= tries ? (i < n ? i + 1 : n) : n;
    return 1 + (long)pr_rng_below(&key, (uint64_t)n, (uint64_t)i, 0, 0, 0);
}

// What the victim counted.
static long victims(const grid_t *g, long n)
{
    float v = fails_here(g) ? (float)n : 0;
    g->team->sum(g->team, &v, 1);
    return (long)v;
}

static void short_of_memory(grid_t *g, int job, int tries)
{
    run_well(g, job, true);
    run_well(g, job, false);
    long n = victims(g, g->calls);
    CHECK(n > 10);
    for (int i = 0; i < tries; i++) {
        long call = which_call(i, tries, n);
        pr_alloc_matrix_fail_at(fails_here(g) ? call : 0);
        check_fails(g, g->message[job], PR_ERR_MEMORY);
        pr_alloc_matrix_fail_at(0);
    }
    run_well(g, job, false);
}

static void short_of_memory_at_start(grid_t *g)
{
    pr_job_env_free(&g->env);
    for (long call = 1;; call += 1 + call / 2) {
        pr_error_t why = {0};
        g->env = pr_job_env_new(g->inputs.content, g->team);
        pr_alloc_matrix_fail_at(fails_here(g) ? call : 0);
        pr_status_t status = pr_job_env_load(g->env, &why), leader = status;
        pr_alloc_matrix_fail_at(0);
        g->team->broadcast(g->team, &leader, sizeof leader);
        CHECK(status == leader && (status == PR_OK || status == PR_ERR_MEMORY));
        CHECK(status == PR_ERR_MEMORY || call > 1);
        TJ_OK(pr_job_env_load(g->env, &err));
        if (status == PR_OK)
            break;
        pr_job_env_free(&g->env);
    }
    run_well(g, STATES, false);
}

/* ---- numbers ---- */

// The ranks of the victim's row, or all of it: what each of them may see alone.
static bool bad_here(const grid_t *g, bool whole_row)
{
    return whole_row ? g->team->row == g->victim / g->team->cols : fails_here(g);
}

/* An expert that is not a number on one row, or on one rank of it. */
static void bad_adapter(grid_t *g, bool whole_row)
{
    pr_adapter_t *a = g->env->adapter[0].adapter; // of the evaluations done so far
    float keep = a->data[0];
    size_t every = a->n_data / 64; // some of each part
    float *saved = pr_alloc(a->n_data, sizeof *saved);
    memcpy(saved, a->data, a->n_data * sizeof *saved);
    for (size_t i = 0; bad_here(g, whole_row) && i < a->n_data; i += every)
        a->data[i] = NAN;
    check_fails(g, g->message[STATES], PR_ERR_NUMERIC);
    check_fails(g, g->message[PROBS], PR_ERR_NUMERIC);
    memcpy(a->data, saved, a->n_data * sizeof *saved);
    free(saved);
    CHECK(a->data[0] == keep);
    run_well(g, STATES, false);
}

/* A model that is not a number on one rank. */
static void bad_model(grid_t *g)
{
    TJ_OK(pr_model_make_writable(g->env->model, &err));
    float *w = (float *)(uintptr_t)g->env->model->norm_w, keep = *w;
    if (fails_here(g))
        *w = NAN;
    check_fails(g, g->message[TRAIN], PR_ERR_NUMERIC);
    *w = keep;
    run_well(g, TRAIN, false);
}

/* An advantage that only one row finds not to be a number. */
static void bad_advantage(grid_t *g)
{
    enum { N = 8, LEN = 6 };
    int start[N + 1], n_prompt[N];
    int32_t ids[N * LEN];
    double advantage[N];
    pr_adapter_options_t ao = {.r = 2, .alpha = 4};
    pr_rng_key_t key = pr_rng_key(1, "advantage", "");
    pr_trainer_options_t to = {
        .sampling = {.temperature = 1, .top_p = 1}, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .micro_tokens = 12};
    pr_adapter_t *a = NULL;
    pr_trainer_t *t = NULL;
    pr_step_stats_t well, stats;
    pr_error_t why;
    for (int i = 0; i <= N; i++)
        start[i] = i * LEN;
    for (int i = 0; i < N * LEN; i++)
        ids[i] = 5 + i;
    for (int i = 0; i < N; i++) {
        n_prompt[i] = 2;
        advantage[i] = i % 2 ? 1 : -1;
    }
    pr_rollout_t r = {N, start, n_prompt, ids, advantage, NULL, NULL, NULL};
    TJ_OK(pr_adapter_new(&g->env->model->config, &ao, &key, &a, &err));
    TJ_OK(pr_trainer_new(g->env->model, g->team, a, &to, &t, &err));
    TJ_OK(pr_trainer_loss(t, &r, &well, &err));
    for (int i = 0; bad_here(g, true) && i < N; i++)
        advantage[i] = NAN;
    CHECK(pr_trainer_step(t, &r, 0.1, &stats, &why) == PR_ERR_NUMERIC);
    for (int i = 0; i < N; i++)
        advantage[i] = i % 2 ? 1 : -1;
    TJ_OK(pr_trainer_step(t, &r, 0.1, &stats, &err));
    CHECK(stats.loss == well.loss && stats.grad_norm == well.grad_norm);
    pr_trainer_free(&t);
    pr_adapter_free(&a);
}

/* ---- what one node lacks, and scorers ---- */

/* A job on an environment of its own, which has what the content names. */
static pr_status_t run_other(const grid_t *g, const pr_content_t *content, const json_t *message, pr_error_t *err)
{
    pr_job_env_t *env = pr_job_env_new(content, g->team);
    json_t *result = NULL;
    tj_job_t j = {0};
    tj_forget(env); // what another grid left there
    pr_status_t status = tj_run(env, message, &j, &result, err);
    json_decref(result);
    pr_job_env_free(&env);
    return status;
}

/* Every text in value that begins so becomes another. */
static void replace_texts(json_t *value, const char *begin, const char *with)
{
    const char *key, *text;
    json_t *v;
    size_t i;
    json_array_foreach(value, i, v) replace_texts(v, begin, with);
    json_object_foreach(value, key, v)
    {
        text = json_string_value(v);
        replace_texts(v, begin, with);
        if (text && strncmp(text, begin, strlen(begin)) == 0)
            json_object_set_new(value, key, json_string(with));
    }
}

/* What lies there for the others is not on the victim's node. */
static pr_status_t run_without(const grid_t *g, const char *path, pr_error_t *why)
{
    json_t *value = json_deep_copy(pr_content_json(g->inputs.content));
    pr_content_t *content = NULL;
    if (fails_here(g))
        replace_texts(value, path, "/nowhere");
    TJ_OK(pr_content_from_json(value, &content, &err));
    json_decref(value);
    pr_status_t status = run_other(g, content, g->message[STATES], why);
    pr_content_free(&content);
    return status;
}

static void missing_on_one_node(const grid_t *g)
{
    pr_error_t err;
    char path[512];
    snprintf(path, sizeof path, "%s/tests/fixtures/reward-llama", tj_root());
    CHECK(run_without(g, path, &err) != PR_OK);
    CHECK(strstr(err.text, "nowhere") && strstr(err.text, "judge"));
    snprintf(path, sizeof path, "%s/a1", tj_dir);
    CHECK(run_without(g, path, &err) == PR_ERR_NOT_FOUND);
    CHECK(strstr(err.text, "nowhere"));
}

/* What one node has is not what rank 0 hashed: that rank alone says so, in one line, with both hashes. */
static void another_on_one_node(const grid_t *g)
{
    pr_error_t why;
    char path[512], other[512], found[PR_HASH_HEX];
    json_t *value = json_deep_copy(pr_content_json(g->inputs.content));
    pr_content_t *content = NULL;
    snprintf(path, sizeof path, "%s/a1", tj_dir);
    snprintf(other, sizeof other, "%s/a2", tj_dir);
    TJ_OK(pr_adapter_hash(other, found, &err));
    if (fails_here(g))
        replace_texts(value, path, other);
    TJ_OK(pr_content_from_json(value, &content, &err));
    pr_status_t status = pr_content_check(content, "node7", &why);
    CHECK(status == (fails_here(g) ? PR_ERR_FORMAT : PR_OK));
    if (status != PR_OK)
        CHECK(strstr(why.text, other) && strstr(why.text, "node7") && strstr(why.text, found) &&
              strstr(why.text, g->inputs.adapter[1]) && !strchr(why.text, '\n'));
    pr_content_free(&content);
    json_decref(value);
}

/* A job of another configuration, everywhere. */
static pr_status_t run_configured(const grid_t *g, tj_options_t o, int job, pr_error_t *why)
{
    pr_config_t *c = tj_config("other", o);
    pr_inputs_t in;
    TJ_OK(pr_inputs_read(c, &in, &err));
    json_t *message = job_of(&in, job);
    pr_status_t status = run_other(g, in.content, message, why);
    json_decref(message);
    pr_inputs_clear(&in);
    pr_config_free(&c);
    return status;
}

static void scorer_that_fails(const grid_t *g)
{
    pr_error_t err;
    CHECK(run_configured(g, (tj_options_t){.program = "exit 3; "}, STATES, &err) == PR_ERR_FIRST_SAMPLE);
    CHECK(strstr(err.text, "program"));
    CHECK(run_configured(g, (tj_options_t){.program = "exit 3; "}, TRAIN, &err) == PR_ERR_FIRST_SAMPLE);
    CHECK(run_configured(g, (tj_options_t){.lr = 1e30}, TRAIN, &err) == PR_ERR_NUMERIC);
    CHECK(strstr(err.text, "step"));
}

static void check_grid(int rows, int cols, int victim)
{
    static char name[64];
    snprintf(name, sizeof name, "grid %d x %d, rank %d fails", rows, cols, victim);
    tj_part(name);
    grid_t g = {.victim = victim, .config = tj_config("r", (tj_options_t){0})};
    TJ_OK(pr_inputs_read(g.config, &g.inputs, &err));
    pr_teams_open(test_world, 0, rows, cols, &g.team);
    g.env = pr_job_env_new(g.inputs.content, g.team);
    for (int i = 0; i < N_JOB; i++)
        g.message[i] = job_of(&g.inputs, i);
    short_of_memory(&g, TRAIN, 8);
    short_of_memory(&g, STATES, 5);
    short_of_memory(&g, PROBS, 5);
    short_of_memory_at_start(&g);
    bad_adapter(&g, true);
    bad_adapter(&g, false);
    bad_model(&g);
    bad_advantage(&g);
    missing_on_one_node(&g);
    another_on_one_node(&g);
    scorer_that_fails(&g);
    for (int i = 0; i < N_JOB; i++) {
        json_decref(g.message[i]);
        free(g.said[i].responses);
    }
    tj_expert_clear(&g.expert);
    pr_job_env_free(&g.env);
    pr_teams_close(&g.team);
    pr_inputs_clear(&g.inputs);
    pr_config_free(&g.config);
    pr_world_barrier(test_world);
}

int main(int argc, char **argv)
{
    tj_begin(&argc, &argv, 120);
    tj_make_adapters();
    int size = pr_world_size(test_world);
    for (int cols = 1; cols <= size && cols <= TJ_HEADS; cols++) {
        int rows = size / cols, last = rows < TJ_PROMPTS ? rows : TJ_PROMPTS; // rows that have something to do
        if (size % cols == 0)
            check_grid(rows, cols, cols % 2 ? last * cols - 1 : 0);
    }
    return tj_end();
}
