// SPDX-License-Identifier: BSD-3-Clause
/* Aggregation and decoding against PyTorch on every fixture, and the identities between the modes. */
#include "unit/policy/aggregate_checks.h"

static char models[FIXTURE_MAX][512];
static int n_models;

START_TEST(test_logits)
{
    check_logits(models[_i]);
}
END_TEST

START_TEST(test_logits_are_states)
{
    check_logits_are_states(models[_i]);
}
END_TEST

START_TEST(test_layer_and_norm)
{
    check_layer_and_norm(models[_i]);
}
END_TEST

START_TEST(test_one_expert)
{
    check_one_expert(models[_i]);
}
END_TEST

START_TEST(test_greedy_base)
{
    check_greedy_base(models[_i]);
}
END_TEST

START_TEST(test_greedy_aggregates)
{
    check_greedy_aggregates(models[_i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("aggregate");
    TCase *t = tcase_create("aggregate");
    n_models = fixture_list(false, models);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_logits, 0, n_models);
    tcase_add_loop_test(t, test_logits_are_states, 0, n_models);
    tcase_add_loop_test(t, test_layer_and_norm, 0, n_models);
    tcase_add_loop_test(t, test_one_expert, 0, n_models);
    tcase_add_loop_test(t, test_greedy_base, 0, n_models);
    tcase_add_loop_test(t, test_greedy_aggregates, 0, n_models);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
