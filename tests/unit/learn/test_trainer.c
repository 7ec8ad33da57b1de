// SPDX-License-Identifier: BSD-3-Clause
/* The policy-gradient step against PyTorch, and what a step does. */
#include "unit/learn/trainer_checks.h"

static char dirs[FIXTURE_MAX][512];
static int n_dirs;

START_TEST(reinforce)
{
    check_loss(dirs[_i], "pg.loss_reinforce", "pg.reinforce.grad", true, 0, 100000);
}
END_TEST

START_TEST(grpo_with_k3)
{
    check_loss(dirs[_i], "pg.loss_grpo", "pg.grpo.grad", false, 0.05, 100000);
}
END_TEST

START_TEST(micro_batches_of_one_sequence)
{
    check_loss(dirs[_i], "pg.loss_grpo", "pg.grpo.grad", false, 0.05, 1);
}
END_TEST

START_TEST(channels)
{
    check_channels(dirs[_i], PR_KL_K1, 0.3, 0, 1);
    check_channels(dirs[_i], PR_KL_K1, 0, 0, 100000);
    check_channels(dirs[_i], PR_KL_K2, 0.3, 0.2, 100000);
}
END_TEST

START_TEST(families)
{
    check_family(dirs[_i], "blocks", 100000);
    check_family(dirs[_i], "full", 40);
    check_family(dirs[_i], "diagonal", 100000);
}
END_TEST

START_TEST(critic)
{
    check_critic(dirs[_i], 100000);
    check_critic(dirs[_i], 40);
    check_critic_on_policy(dirs[_i]);
}
END_TEST

/* Steps along the gradient make the rewarded response likelier and the punished one less likely. */
START_TEST(steps_move_the_policy)
{
    subject_t s = {0};
    pr_trainer_t *t;
    pr_step_stats_t first, last;
    load(&s, dirs[0]);
    pr_trainer_options_t o = {.sampling = {.temperature = 1, .top_p = 1},
                              .clip_norm = 1,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = 1000};
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage, NULL, NULL, NULL};
    FIXTURE_OK(pr_trainer_new(s.f.m, pr_team_local(), s.adapter, &o, &t, err));
    FIXTURE_OK(pr_trainer_step(t, &r, 1e-2, &first, err));
    for (int i = 0; i < 10; i++)
        FIXTURE_OK(pr_trainer_step(t, &r, 1e-2, &last, err));
    ck_assert_double_lt(last.loss, first.loss);
    ck_assert_int_eq(pr_trainer_optimizer(t)->step, 11);
    pr_trainer_free(&t);
    unload(&s);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_changes_nothing)
{
    subject_t s = {0};
    pr_trainer_t *t;
    pr_step_stats_t stats;
    pr_error_t why;
    load(&s, dirs[0]);
    float *before = pr_alloc(s.adapter->n_data, sizeof *before);
    memcpy(before, s.adapter->data, s.adapter->n_data * sizeof *before);
    s.advantage[0] = NAN;
    pr_trainer_options_t o = {
        .sampling = {.temperature = 1, .top_p = 1}, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .micro_tokens = 1000};
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage, NULL, NULL, NULL};
    FIXTURE_OK(pr_trainer_new(s.f.m, pr_team_local(), s.adapter, &o, &t, err));
    ck_assert_int_eq(pr_trainer_step(t, &r, 1e-2, &stats, &why), PR_ERR_NUMERIC);
    ck_assert_int_eq(memcmp(before, s.adapter->data, s.adapter->n_data * sizeof *before), 0);
    ck_assert_int_eq(pr_trainer_optimizer(t)->step, 0);
    free(before);
    pr_trainer_free(&t);
    unload(&s);
}
END_TEST

int main(void)
{
    n_dirs = fixture_list(false, dirs);
    Suite *suite = suite_create("trainer");
    TCase *c = tcase_create("fixtures");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, reinforce, 0, n_dirs);
    tcase_add_loop_test(c, channels, 0, n_dirs);
    tcase_add_loop_test(c, grpo_with_k3, 0, n_dirs);
    tcase_add_loop_test(c, micro_batches_of_one_sequence, 0, n_dirs);
    tcase_add_loop_test(c, families, 0, n_dirs);
    tcase_add_loop_test(c, critic, 0, n_dirs);
    tcase_add_test(c, steps_move_the_policy);
    tcase_add_test(c, a_loss_that_is_not_finite_changes_nothing);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
