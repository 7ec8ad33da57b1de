// SPDX-License-Identifier: BSD-3-Clause
/* The engine against PyTorch, in one process. */
#include "unit/model/fixture_checks.h"

static char models[FIXTURE_MAX][512], rewards[FIXTURE_MAX][512];
static int n_models, n_rewards;

START_TEST(test_forward)
{
    check_forward(models[_i]);
}
END_TEST

START_TEST(test_full_gradients)
{
    check_full_gradients(models[_i]);
}
END_TEST

START_TEST(test_adapter_logits)
{
    check_adapter_logits(models[_i]);
}
END_TEST

START_TEST(test_adapter_gradients)
{
    check_adapter_gradients(models[_i]);
}
END_TEST

START_TEST(test_policy_gradients)
{
    check_policy_gradients(models[_i]);
}
END_TEST

START_TEST(test_reward_scores)
{
    check_reward_scores(rewards[_i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fixtures");
    TCase *t = tcase_create("fixtures");
    n_models = fixture_list(false, models);
    n_rewards = fixture_list(true, rewards);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_forward, 0, n_models);
    tcase_add_loop_test(t, test_full_gradients, 0, n_models);
    tcase_add_loop_test(t, test_adapter_logits, 0, n_models);
    tcase_add_loop_test(t, test_adapter_gradients, 0, n_models);
    tcase_add_loop_test(t, test_policy_gradients, 0, n_models);
    tcase_add_loop_test(t, test_reward_scores, 0, n_rewards);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
