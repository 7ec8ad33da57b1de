// SPDX-License-Identifier: BSD-3-Clause
/* Jobs on every grid of all ranks there are, against one process alone: what they find differs by rounding only, is the
 * same bytes when they are done again, and a job that one grid leaves another one ends. */
#include "mpi/team_jobs.h"

typedef struct kind {
    const char *mix;
    int layer, first, count;
} kind_t;

// The last ones leave rows without a prompt, or with fewer than others.
static const kind_t kinds[] = {{"params", -1, 0, TJ_PROMPTS}, {"logits", -1, 0, 3},    {"probs", -1, 0, TJ_PROMPTS},
                               {"states", -1, 0, 3},          {"states", 3, 0, 4},     {"params", -1, 2, 1},
                               {"ties", -1, 0, TJ_PROMPTS},   {"multislerp", -1, 0, 3}};
enum { N_KIND = sizeof kinds / sizeof *kinds };

static pr_config_t *config;
static pr_inputs_t inputs;
static pr_job_env_t *env;
static json_t *train, *evaluate[N_KIND];
static struct {
    tj_expert_t expert;
    tj_said_t said[N_KIND];
} alone; // on rank 0

/* ---- grids ---- */

/* This rank's team of that grid, and the environment on it; NULL on ranks that are in none. */
static pr_team_t *enter(int rows, int cols)
{
    pr_team_t *team;
    pr_world_barrier(test_world);
    pr_teams_open(test_world, 0, rows, cols, &team);
    if (team && pr_world_rank(test_world) >= rows * cols) // another team than rank 0's
        pr_teams_close(&team);
    if (team) {
        pr_job_env_set_team(env, team);
        TJ_OK(pr_job_env_load(env, &err));
    }
    return team;
}

static void leave(pr_team_t *team)
{
    if (team)
        pr_job_env_set_team(env, pr_team_local());
    pr_teams_close(&team);
    pr_world_barrier(test_world);
}

/* ---- comparisons; on rank 0 ---- */

// |a - b| over |a|, as vectors.
static double distance(const tj_expert_t *a, const tj_expert_t *b)
{
    double apart = 0, all = 0;
    CHECK(a->n == b->n);
    for (size_t i = 0; i < a->n; i++) {
        apart += pow((double)a->data[i] - (double)b->data[i], 2);
        all += pow((double)a->data[i], 2);
    }
    return sqrt(apart / all);
}

static void check_near(const tj_expert_t *a)
{
    double d = distance(&alone.expert, a);
    if (!(d < 2e-4))
        fprintf(stderr, "%s: the adapter is %g away\n", tj_where, d);
    CHECK(d < 2e-4);
    for (int k = 0; k < TJ_K; k++)
        CHECK(fabs(a->reward[k] - alone.expert.reward[k]) < 1e-4 * (1 + fabs(a->reward[k])));
}

static void check_said(const tj_said_t *a, const tj_said_t *b)
{
    CHECK(strcmp(a->responses, b->responses) == 0);
    for (int i = 0; i < TJ_PROMPTS * TJ_K; i++)
        CHECK(fabs(a->scores[i] - b->scores[i]) < 1e-4);
    for (int k = 0; k < TJ_K; k++)
        CHECK(fabs(a->mean[k] - b->mean[k]) < 1e-4);
}

/* ---- one grid ---- */

static void tuned(tj_expert_t *out)
{
    tj_job_t j = {0};
    json_t *result = tj_run_ok(env, train, &j);
    if (tj_first())
        tj_read_expert(env, train, result, out);
    json_decref(result);
}

static void tune_twice(void)
{
    tj_expert_t e[2] = {{{0}, 0, NULL, {0}}};
    for (int i = 0; i < 2; i++) {
        tj_forget(env);
        tuned(&e[i]);
    }
    if (tj_first()) {
        check_near(&e[0]);
        CHECK(strcmp(e[0].hash, e[1].hash) == 0);
    }
    for (int i = 0; i < 2; i++)
        tj_expert_clear(&e[i]);
}

static void evaluated(int i, tj_said_t *out)
{
    tj_job_t j = {0};
    json_t *result = tj_run_ok(env, evaluate[i], &j);
    if (tj_first())
        tj_read_said(env, evaluate[i], result, out);
    json_decref(result);
}

static void evaluate_all(void)
{
    for (int i = 0; i < N_KIND; i++) {
        tj_said_t s[2] = {{{0}, {0}, NULL}};
        for (int j = 0; j < 1 + (i == 0); j++)
            evaluated(i, &s[j]);
        if (tj_first()) {
            check_said(&alone.said[i], &s[0]);
            CHECK(i > 0 || tj_same_said(&s[0], &s[1]));
        }
        free(s[0].responses);
        free(s[1].responses);
    }
}

/* Only the last rank that has prompts is asked to stop, at its n-th question. Returns the steps done. */
static int stop_at(const pr_team_t *team, const json_t *message, int call)
{
    json_t *result;
    pr_error_t err;
    int row = team->rows < TJ_PROMPTS ? team->rows - 1 : TJ_PROMPTS - 1;
    bool last = team->row == row && team->col == team->cols - 1;
    tj_job_t j = {.cancel_at_call = last ? call : 0};
    CHECK(tj_run(env, message, &j, &result, &err) == PR_ERR_INTERRUPTED);
    return j.steps;
}

static void stop_evaluation(const pr_team_t *team)
{
    for (int call = 1; call <= 4; call += 3) {
        tj_said_t s = {0};
        tj_forget(env);
        stop_at(team, evaluate[0], call);
        evaluated(0, &s);
        if (tj_first())
            check_said(&alone.said[0], &s);
        free(s.responses);
    }
}

/* Stopped on one grid, ended on another: the steps add up, and the adapter is what it would have been. */
static void tune_in_pieces(int rows, int cols, int call, int more_rows, int more_cols)
{
    int done = 0;
    pr_team_t *team = enter(rows, cols);
    if (team) {
        tj_forget(env);
        done = stop_at(team, train, call);
    }
    leave(team);
    team = enter(more_rows, more_cols);
    if (team) {
        tj_expert_t e = {0};
        tj_job_t j = {0};
        json_t *result = tj_run_ok(env, train, &j);
        if (tj_first()) {
            CHECK(done < TJ_STEPS && j.steps == TJ_STEPS - done && j.first_step == done + 1);
            tj_read_expert(env, train, result, &e);
            check_near(&e);
        }
        json_decref(result);
        tj_expert_clear(&e);
    }
    leave(team);
}

static void check_grid(int rows, int cols)
{
    char name[64];
    snprintf(name, sizeof name, "grid %d x %d", rows, cols);
    tj_part(name);
    pr_team_t *team = enter(rows, cols);
    tune_twice();
    evaluate_all();
    stop_evaluation(team);
    leave(team);
    snprintf(name, sizeof name, "grid %d x %d, going on with others", rows, cols);
    tj_part(name);
    // In the first roll-out, in a later one, and before a step.
    tune_in_pieces(rows, cols, 3, 1, 1);
    tune_in_pieces(rows, cols, 10, cols <= TJ_HEADS && rows <= TJ_HEADS ? cols : 1, rows <= TJ_HEADS ? rows : 1);
    if (rows * cols > 2)
        tune_in_pieces(1, 1, 8, rows, cols);
}

static void find_reference(void)
{
    tj_part("one process alone");
    if (tj_first()) {
        TJ_OK(pr_job_env_load(env, &err));
        tuned(&alone.expert);
        for (int i = 0; i < N_KIND; i++)
            evaluated(i, &alone.said[i]);
        double moved = 0;
        for (int i = 0; i < TJ_PROMPTS; i++)
            moved += alone.said[0].scores[i * TJ_K];
        CHECK(alone.expert.reward[0] > 0 && moved > 0); // or there would be little to see
        CHECK(strcmp(alone.said[0].responses, alone.said[2].responses) != 0);
    }
    pr_world_barrier(test_world);
}

int main(int argc, char **argv)
{
    tj_begin(&argc, &argv, 120);
    tj_make_adapters();
    int size = pr_world_size(test_world);
    config = tj_config("r", (tj_options_t){0});
    TJ_OK(pr_inputs_read(config, &inputs, &err));
    env = pr_job_env_new(inputs.content, pr_team_local());
    train = tj_train_job(&inputs);
    for (int i = 0; i < N_KIND; i++)
        evaluate[i] = tj_evaluate_job(&inputs, kinds[i].mix, kinds[i].layer, kinds[i].first, kinds[i].count);
    find_reference();
    for (int cols = 1; cols <= size && cols <= TJ_HEADS; cols++)
        if (size % cols == 0)
            check_grid(size / cols, cols);
    tj_expert_clear(&alone.expert);
    for (int i = 0; i < N_KIND; i++) {
        free(alone.said[i].responses);
        json_decref(evaluate[i]);
    }
    json_decref(train);
    pr_job_env_free(&env);
    pr_inputs_clear(&inputs);
    pr_config_free(&config);
    return tj_end();
}
