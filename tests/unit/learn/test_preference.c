// SPDX-License-Identifier: BSD-3-Clause
/* Preferences that are drawn, and mean scores over them. */
#include "learn/preference.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *options(const char *text)
{
    json_t *given = json_loads(text, 0, NULL), *out = NULL;
    ck_assert_ptr_nonnull(given);
    ck_assert_int_eq(pr_options_resolve(pr_preference_options, given, NULL, &out, NULL), PR_OK);
    json_decref(given);
    return out;
}

/* Means and variances of Dirichlet(alpha): 1/K and (K - 1) / (K^2 (K alpha + 1)). */
START_TEST(dirichlet)
{
    static const char *const text[] = {"{\"corners\": 0, \"alpha\": 0.3}", "{\"corners\": 0}",
                                       "{\"corners\": 0, \"alpha\": 4.0}"};
    static const double alpha[] = {0.3, 1, 4};
    enum { N = 20000, K = 3 };
    json_t *o = options(text[_i]);
    pr_rng_key_t key = pr_rng_key(1, "preference", "1");
    double sum[K] = {0}, squares[K] = {0};
    for (int i = 0; i < N; i++) {
        double w[K], all = 0;
        pr_preference_draw(o, K, &key, i / 16, i % 16, 16, w);
        for (int k = 0; k < K; k++) {
            ck_assert(w[k] >= 0 && w[k] <= 1);
            all += w[k];
            sum[k] += w[k] / N;
            squares[k] += w[k] * w[k] / N;
        }
        ck_assert_double_eq_tol(all, 1, 1e-12);
    }
    double variance = (K - 1) / (K * K * (K * alpha[_i] + 1));
    for (int k = 0; k < K; k++) {
        ck_assert_double_eq_tol(sum[k], 1.0 / K, 0.01);
        ck_assert_double_eq_tol(squares[k] - sum[k] * sum[k], variance, 0.04 * variance);
    }
    json_decref(o);
}
END_TEST

START_TEST(corners)
{
    enum { N = 4000, K = 4 };
    json_t *o = options("{\"corners\": 0.25}");
    pr_rng_key_t key = pr_rng_key(1, "preference", "1");
    int n = 0, of[K] = {0};
    for (int i = 0; i < N; i++) {
        double w[K];
        pr_preference_draw(o, K, &key, i, 0, 1, w);
        for (int k = 0; k < K; k++) {
            of[k] += w[k] == 1;
            n += w[k] == 1;
        }
    }
    ck_assert_double_eq_tol((double)n / N, 0.25, 0.03);
    for (int k = 0; k < K; k++)
        ck_assert_double_eq_tol((double)of[k] / N, 0.0625, 0.015);
    json_decref(o);
}
END_TEST

/* A function of the counters alone; prompts of a step differ unless the step has one for all. */
START_TEST(by_counters)
{
    json_t *each = options("{}"), *all = options("{\"per\": \"step\"}");
    pr_rng_key_t key = pr_rng_key(1, "preference", "1"), other = pr_rng_key(1, "preference", "2");
    double a[3], b[3], c[3];
    for (int step = 0; step < 20; step++) {
        pr_preference_draw(each, 3, &key, step, 5, 16, a);
        pr_preference_draw(each, 3, &key, step, 5, 99, b);
        ck_assert_mem_eq(a, b, sizeof a);
        pr_preference_draw(all, 3, &key, step, 5, 16, a);
        pr_preference_draw(all, 3, &key, step, 9, 16, b);
        ck_assert_mem_eq(a, b, sizeof a);
    }
    pr_preference_draw(each, 3, &key, 2, 5, 16, a);
    pr_preference_draw(each, 3, &key, 2, 6, 16, b);
    pr_preference_draw(each, 3, &other, 2, 5, 16, c);
    ck_assert(memcmp(a, b, sizeof a) != 0 && memcmp(a, c, sizeof a) != 0);
    json_decref(each);
    json_decref(all);
}
END_TEST

START_TEST(listed)
{
    json_t *o = options("{\"weights\": [1.0, 0.0, 0.25, 0.75, 0.5, 0.5]}"),
           *odd = options("{\"weights\": [1.0, 0.0, 0.5]}");
    pr_rng_key_t key = pr_rng_key(1, "preference", "1");
    double w[2];
    ck_assert_int_eq(pr_preference_check(o, 2, NULL), PR_OK);
    ck_assert_int_eq(pr_preference_check(o, 4, NULL), PR_ERR_CONFIG);
    ck_assert_int_eq(pr_preference_check(odd, 2, NULL), PR_ERR_CONFIG);
    for (int i = 0; i < 12; i++) {
        pr_preference_draw(o, 2, &key, i / 4, i % 4, 4, w);
        ck_assert_double_eq(w[0], i % 3 == 0 ? 1 : i % 3 == 1 ? 0.25 : 0.5);
        ck_assert_double_eq(w[1], 1 - w[0]);
    }
    json_decref(o);
    json_decref(odd);
}
END_TEST

/* Scores that are affine in w are found again, with noise to its size, and old ones are forgotten. */
START_TEST(surface)
{
    enum { K = 3, STEPS = 60, EACH = 16 };
    json_t *o = options("{}");
    pr_rng_key_t key = pr_rng_key(1, "preference", "1"), noise = pr_rng_key(1, "noise", "");
    double *state = calloc(pr_surface_numbers(K), sizeof *state), mean[K], w[K];
    pr_surface_at(K, state, (double[]){1, 0, 0}, mean);
    ck_assert(isnan(mean[0]));
    for (int step = 0; step < STEPS; step++) {
        pr_surface_age(K, 10, state);
        for (int i = 0; i < EACH; i++) {
            double f[K];
            pr_preference_draw(o, K, &key, step, i, EACH, w);
            for (int k = 0; k < K; k++) // the first steps say something else
                f[k] = (step < 5 ? 5 : 0.2 + 0.5 * w[k] - 0.3 * w[(k + 1) % K]) +
                       0.1 * pr_rng_normal(&noise, (uint64_t)step, (uint64_t)i, (uint64_t)k, 0);
            if (i == 3)
                f[0] = NAN; // no news
            pr_surface_add(K, w, f, state);
        }
    }
    for (int i = 0; i < 5; i++) {
        pr_preference_draw(o, K, &key, 999, i, 5, w);
        pr_surface_at(K, state, w, mean);
        for (int k = 0; k < K; k++)
            ck_assert_double_eq_tol(mean[k], 0.2 + 0.5 * w[k] - 0.3 * w[(k + 1) % K], 0.15);
    }
    free(state);
    json_decref(o);
}
END_TEST

/* Under one preference alone there is a mean and no slope. */
START_TEST(surface_of_one)
{
    double *state = calloc(pr_surface_numbers(2), sizeof *state), mean[2], f[2] = {0.25, 0.5};
    pr_surface_add(2, (double[]){0.5, 0.5}, f, state);
    pr_surface_at(2, state, (double[]){1, 0}, mean);
    ck_assert(mean[0] == 0.25 && mean[1] == 0.5);
    free(state);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("preference");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, dirichlet, 0, 3);
    tcase_add_test(t, corners);
    tcase_add_test(t, by_counters);
    tcase_add_test(t, listed);
    tcase_add_test(t, surface);
    tcase_add_test(t, surface_of_one);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
