// SPDX-License-Identifier: BSD-3-Clause
/* Models whose features are split over the columns of a team, against PyTorch: every fixture on every number of columns
 * that there are ranks for and that its heads allow. */
#include "mpi/team_fixtures.h"

#include "mpi/team.h"
#include "unit/model/fixture_checks.h"

#include <string.h>

static bool splits(const char *dir, int cols)
{
    pr_model_config_t c;
    FIXTURE_OK(pr_model_config_read(dir, &c, err));
    bool fits = pr_part_check(&c, cols, NULL) == PR_OK;
    pr_model_config_clear(&c);
    return fits;
}

static void check_model(const char *dir)
{
    check_forward(dir);
    check_full_gradients(dir);
    check_adapter_logits(dir);
    check_adapter_gradients(dir);
    check_policy_gradients(dir);
}

/* Every weight of the model comes back as the file has it. */
static void check_weights(const char *dir, bool reward)
{
    fixture_t f = fixture_open(dir, reward);
    pr_model_t *whole = NULL;
    FIXTURE_OK(pr_model_load(dir, &whole, err));
    size_t n;
    pr_model_tensor_t *t = pr_model_tensors(whole, &n), found;
    ck_assert_uint_eq(pr_model_export_count(f.m), n);
    for (size_t i = 0; i < n; i++) {
        FIXTURE_OK(pr_model_export(f.m, fixture_la, i, NULL, PR_EXPORT_WEIGHTS, &found, err));
        ck_assert_msg(strcmp(found.name, t[i].name) == 0 && found.n == t[i].n &&
                          memcmp(found.data, t[i].data, t[i].n * sizeof *t[i].data) == 0,
                      "%s: %s is not what the file holds", dir, t[i].name);
        free(found.data);
    }
    free(t);
    pr_model_free(&whole);
    fixture_close_all(&f);
}

int main(int argc, char **argv)
{
    static char models[FIXTURE_MAX][512], rewards[FIXTURE_MAX][512];
    test_begin(&argc, &argv);
    int n_models = fixture_list(false, models), n_rewards = fixture_list(true, rewards),
        size = pr_world_size(test_world);
    for (int cols = 1; cols <= size; cols++) {
        pr_team_t *team;
        pr_teams_open(test_world, 0, 1, cols, &team);
        if (team)
            fixture_set_team(team);
        for (int i = 0; team && i < n_models; i++) {
            if (!splits(models[i], cols))
                continue;
            check_weights(models[i], false);
            check_model(models[i]);
        }
        for (int i = 0; team && i < n_rewards; i++)
            if (splits(rewards[i], cols)) {
                check_weights(rewards[i], true);
                check_reward_scores(rewards[i]);
            }
        pr_teams_close(&team);
        pr_world_barrier(test_world);
    }
    return test_end();
}
