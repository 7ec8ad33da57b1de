// SPDX-License-Identifier: BSD-3-Clause
/* Policies and their training on teams, against PyTorch: every fixture, on every grid of rows x columns that there are
 * ranks for and that its heads allow. Rows that get no sequence are meant to be among them. */
#include "mpi/team_fixtures.h"

#include "mpi/team.h"
#include "unit/learn/trainer_checks.h"
#include "unit/policy/aggregate_checks.h"

static bool splits(const char *dir, int cols)
{
    pr_model_config_t c;
    FIXTURE_OK(pr_model_config_read(dir, &c, err));
    bool fits = pr_part_check(&c, cols, NULL) == PR_OK;
    pr_model_config_clear(&c);
    return fits;
}

static void check_fixture(const char *dir, bool whole)
{
    check_loss(dir, "pg.loss_reinforce", "pg.reinforce.grad", true, 0, 100000);
    check_loss(dir, "pg.loss_grpo", "pg.grpo.grad", false, 0.05, 100000);
    check_loss(dir, "pg.loss_grpo", "pg.grpo.grad", false, 0.05, 1);
    check_sampled(dir, PR_KL_K2, 0.8, 0.7);
    check_channels(dir, PR_KL_K1, 0.3, 0, 40);
    check_family(dir, "full", 40);
    check_critic_team(dir);
    check_sampled(dir, PR_KL_K3, 1, 1.5);
    if (!whole) // rows have no part in what follows
        return;
    check_logits(dir);
    check_logits_are_states(dir);
    check_layer_and_norm(dir);
    check_one_expert(dir);
    check_greedy_base(dir);
    check_greedy_aggregates(dir);
}

int main(int argc, char **argv)
{
    static char models[FIXTURE_MAX][512];
    test_begin(&argc, &argv);
    int n = fixture_list(false, models), size = pr_world_size(test_world);
    for (int rows = 1; rows <= size; rows++)
        for (int cols = 1; rows * cols <= size; cols++) {
            pr_team_t *team;
            if (size > 4 && rows * cols <= 4) // done with fewer ranks
                continue;
            pr_teams_open(test_world, 0, rows, cols, &team);
            if (team)
                fixture_set_team(team);
            for (int i = 0; team && i < n; i++)
                if (splits(models[i], cols))
                    check_fixture(models[i], rows == 1);
            pr_teams_close(&team);
            pr_world_barrier(test_world);
        }
    return test_end();
}
