// SPDX-License-Identifier: BSD-3-Clause
/* The fit of a reward head on a model that the columns of a team hold together, its texts split over the rows: what one
 * process finds, on teams of every shape. */
#include "mpi_test.h"
#include "unit/jobs/reward_texts.h"

#include "mpi/team.h"
#include "reward/head.h"

#include <math.h>
#include <unistd.h>

static char model_dir[512], data[64];

static pr_status_t load_texts(pr_tokenizer_t **tokenizer, pr_error_t *err)
{
    char *path = pr_path_join(model_dir, "tokenizer.json");
    pr_status_t status = pr_tokenizer_load(path, tokenizer, err);
    free(path);
    return status;
}

/* A ridge that leaves the weights well determined, so that rounding in the model shows little in them. */
static pr_status_t fit(const pr_team_t *team, bool (*cancel)(void *self), void *self, pr_fit_output_t *out,
                       pr_error_t *err)
{
    pr_fit_input_t in = {
        .team = team, .data = data, .ridge = 1, .holdout = 0.3, .batch_tokens = 300, .cancel = cancel, .self = self};
    char template[] = "{prompt}{response}";
    pr_model_t *model = NULL;
    pr_tokenizer_t *tokenizer = NULL;
    in.text = (pr_templated_t){.template = template, .special = true, .keep_end = true};
    CHECK(team->cols > 1 ? pr_model_load_part(model_dir, team->cols, team->col, &model, err) == PR_OK
                         : pr_model_load(model_dir, &model, err) == PR_OK);
    CHECK(load_texts(&tokenizer, err) == PR_OK);
    in.model = model;
    in.tokenizer = tokenizer;
    pr_status_t status = pr_fit_reward(&in, out, err);
    pr_tokenizer_free(&tokenizer);
    pr_model_free(&model);
    return status;
}

static double figure(const pr_fit_output_t *o, const char *key)
{
    return json_number_value(json_object_get(o->figures, key));
}

static void compare(const pr_team_t *t, const pr_fit_output_t *found, const pr_fit_output_t *alone)
{
    static const char *const same[] = {"samples", "fitted", "held_out"};
    double worst = 0, scale = 0;
    for (int i = 0; i < alone->head->d; i++) {
        worst = fmax(worst, fabs((double)found->head->weight[i] - (double)alone->head->weight[i]));
        scale = fmax(scale, fabs((double)alone->head->weight[i]));
    }
    CHECK(worst < 1e-3 * scale);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        CHECK(figure(found, same[i]) == figure(alone, same[i]));
    CHECK(found->tokens == alone->tokens && alone->tokens > 1000);
    CHECK(fabs(figure(found, "train_loss") - figure(alone, "train_loss")) < 1e-4);
    CHECK(fabs(figure(found, "held_out_accuracy") - figure(alone, "held_out_accuracy")) < 0.05);
    CHECK(figure(alone, "held_out_accuracy") > 0.7);
    // All ranks hold the same bits.
    char *about = pr_strdup(json_string_value(json_object_get(found->head->metadata, "about"))),
         *mine = pr_strdup(about);
    t->broadcast(t, about, strlen(about));
    CHECK(strcmp(about, mine) == 0);
    free(about);
    free(mine);
}

static bool last_rank_stops(void *self)
{
    return ++*(int *)self > 1 && pr_world_rank(test_world) == pr_world_size(test_world) - 1;
}

static void on_team(const pr_team_t *t, const pr_fit_output_t *alone)
{
    pr_fit_output_t out;
    pr_error_t err;
    int asked = 0;
    CHECK(fit(t, NULL, NULL, &out, &err) == PR_OK);
    compare(t, &out, alone);
    pr_fit_output_clear(&out);
    // One rank is told to stop: all do, and nobody waits for ever.
    if (t->rows * t->cols == pr_world_size(test_world))
        CHECK(fit(t, last_rank_stops, &asked, &out, &err) == PR_ERR_INTERRUPTED);
}

static void every_team(bool pairs)
{
    int size = pr_world_size(test_world);
    pr_fit_output_t alone;
    pr_error_t err;
    if (pr_world_rank(test_world) == 0)
        CHECK(reward_texts(data, pairs, 0, 60, &err) == PR_OK);
    pr_world_barrier(test_world);
    CHECK(fit(pr_team_local(), NULL, NULL, &alone, &err) == PR_OK);
    for (int rows = 1; rows <= size && rows <= 4; rows++)
        for (int cols = 1; rows * cols <= size && cols <= 3; cols++) {
            pr_team_t *t;
            pr_teams_open(test_world, 0, rows, cols, &t);
            if (t)
                on_team(t, &alone);
            pr_teams_close(&t);
            pr_world_barrier(test_world);
        }
    pr_fit_output_clear(&alone);
}

int main(int argc, char **argv)
{
    test_begin(&argc, &argv);
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    char *name = data;
    size_t n = sizeof data;
    snprintf(model_dir, sizeof model_dir, "%s/sweeps/counsel/model", root ? root : ".");
    if (pr_world_rank(test_world) == 0)
        snprintf(data, sizeof data, "/tmp/pr-fit-reward-%d.jsonl", (int)getpid());
    CHECK(pr_world_broadcast(test_world, &name, &n, NULL) == PR_OK);
    if (pr_world_rank(test_world) != 0) {
        memcpy(data, name, sizeof data);
        free(name);
    }
    every_team(true);
    every_team(false);
    if (pr_world_rank(test_world) == 0)
        unlink(data);
    return test_end();
}
