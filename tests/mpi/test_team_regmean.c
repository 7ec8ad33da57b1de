// SPDX-License-Identifier: BSD-3-Clause
/* RegMean on teams: an expert's Gram matrices and the merged adapter do not depend on the team's shape, up to
 * rounding. */
#include "mpi/team_fixtures.h"

#include "mpi/team.h"
#include "policy/regmean.h"
#include "unit/model/fixture_files.h"

enum { EXPERTS = 3 };

static const double weight[EXPERTS] = {0.5, 0.3, 0.2};

static pr_adapter_t *merged_on(const pr_team_t *team, const char *dir)
{
    fixture_la = team->la;
    fixture_t f = fixture_open(dir, false);
    pr_adapter_t *expert[EXPERTS], *out = NULL;
    pr_grams_t *grams[EXPERTS] = {NULL};
    bool need[64] = {false};
    ck_assert_int_eq(fixture_adapters(&f, expert, EXPERTS), EXPERTS);
    pr_gram_options_t o = {.n_prompt = f.n_seq,
                           .prompt_start = f.seq_start,
                           .prompt_ids = f.ids,
                           .max_new_tokens = 6,
                           .off_diagonal = 0.9,
                           .ridge = 1e-4};
    for (int k = 0; k < EXPERTS; k++)
        pr_gram_groups(expert[k], need);
    for (int k = 0; k < EXPERTS; k++)
        FIXTURE_OK(pr_grams_new(f.m, team, expert[k], need, &o, &grams[k], err));
    FIXTURE_OK(pr_regmean(team, &f.m->config, EXPERTS, (const pr_adapter_t *const *)expert, weight,
                          (const pr_grams_t *const *)grams, &out, err));
    for (int k = 0; k < EXPERTS; k++) {
        pr_grams_free(&grams[k]);
        pr_adapter_free(&expert[k]);
    }
    fixture_close_all(&f);
    return out;
}

static bool splits(const char *dir, int cols)
{
    pr_model_config_t c;
    FIXTURE_OK(pr_model_config_read(dir, &c, err));
    bool fits = pr_part_check(&c, cols, NULL) == PR_OK;
    pr_model_config_clear(&c);
    return fits;
}

/* Do the rows of the team have matrices in common? Those of one process alone only sum what it sees itself. */
static bool shares(const pr_team_t *team)
{
    return team->rows == 1 || team->dense != pr_dense_local();
}

int main(int argc, char **argv)
{
    static char models[FIXTURE_MAX][512];
    test_begin(&argc, &argv);
    int n = fixture_list(false, models), size = pr_world_size(test_world);
    for (int cols = 1; cols <= size; cols++)
        for (int rows = 1; rows * cols <= size; rows++) {
            pr_team_t *team;
            pr_teams_open(test_world, 0, rows, cols, &team);
            for (int i = 0; team && i < n; i++) {
                if (!splits(models[i], cols) || !shares(team))
                    continue;
                pr_adapter_t *expected = merged_on(pr_team_local(), models[i]), *found = merged_on(team, models[i]);
                ck_assert_uint_eq(found->n_data, expected->n_data);
                fixture_close(models[i], "merged adapter", found->n_data, found->data, expected->data, 1e-4);
                pr_adapter_free(&expected);
                pr_adapter_free(&found);
            }
            pr_teams_close(&team);
            pr_world_barrier(test_world);
        }
    return test_end();
}
