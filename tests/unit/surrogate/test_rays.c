// SPDX-License-Identifier: BSD-3-Clause
/* The expected gain in hypervolume along rays: against volumes that are known, and against draws. */
#include "surrogate/rays.h"

#include "base/rng.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

/* The mean of extent^k over the positive part of the sphere, times this, is the volume. */
static double factor(int k)
{
    return pow(M_PI, k / 2.0) / (pow(2, k) * tgamma(k / 2.0 + 1));
}

START_TEST(volumes)
{
    for (int k = 2; k <= 8; k++) {
        pr_rays_t *r = pr_rays_new(k, 4096);
        double v[8], box = 1;
        ck_assert_double_eq(pr_rays_volume(r), 0);
        for (int j = 0; j < k; j++)
            box *= v[j] = 0.5 + 0.06 * j;
        pr_rays_cover(r, v);
        double found = factor(k) * pr_rays_volume(r);
        ck_assert_msg(fabs(found - box) < 0.05 * box, "%d objectives: found %g, expected %g", k, found, box);
        pr_rays_free(r);
    }
}
END_TEST

/* What is known exactly gains what covering it adds. */
START_TEST(known_points)
{
    pr_rays_t *r = pr_rays_new(3, 512);
    const double a[3] = {0.9, 0.4, 0.5}, b[3] = {0.5, 0.8, 0.4}, below[3] = {0.4, 0.3, 0.3}, sd[3] = {0, 0, 0};
    pr_rays_cover(r, a);
    double before = pr_rays_volume(r), gain = pr_rays_gain(r, b, sd);
    ck_assert_double_eq_tol(pr_rays_gain(r, below, sd), 0, 1e-12);
    pr_rays_cover(r, b);
    ck_assert_double_eq_tol(pr_rays_volume(r) - before, gain, 1e-6);
    ck_assert_double_eq_tol(pr_rays_gain(r, b, sd), 0, 1e-12);
    pr_rays_free(r);
}
END_TEST

/* The integral is the mean over draws of the same normal numbers. */
START_TEST(against_draws)
{
    enum { DRAWS = 40000 };
    int k = _i;
    pr_rays_t *r = pr_rays_new(k, 64);
    pr_rng_key_t key = pr_rng_key(1, "rays", "");
    double point[8], mean[8], sd[8], zero[8] = {0}, sum = 0, squares = 0;
    for (int p = 0; p < 4; p++) {
        for (int j = 0; j < k; j++)
            point[j] = 0.3 + 0.6 * pr_rng_uniform(&key, (uint64_t)p, (uint64_t)j, 0, 0);
        pr_rays_cover(r, point);
    }
    for (int j = 0; j < k; j++) {
        mean[j] = 0.5 + 0.03 * j;
        sd[j] = 0.05 + 0.03 * (j % 4);
    }
    for (int i = 0; i < DRAWS; i++) {
        for (int j = 0; j < k; j++)
            point[j] = mean[j] + sd[j] * pr_rng_normal(&key, (uint64_t)i, (uint64_t)j, 1, 0);
        double gain = pr_rays_gain(r, point, zero);
        sum += gain;
        squares += gain * gain;
    }
    double expected = sum / DRAWS, error = sqrt(squares / DRAWS - expected * expected) / sqrt(DRAWS);
    double found = pr_rays_gain(r, mean, sd);
    ck_assert_msg(fabs(found - expected) < 4 * error + 0.003 * expected, "%d objectives: found %g, expected %g +- %g",
                  k, found, expected, error);
    pr_rays_free(r);
}
END_TEST

/* What is improbable still gains something, so that candidates can be told apart. */
START_TEST(small_gains)
{
    pr_rays_t *r = pr_rays_new(2, 256);
    const double front[2] = {1, 1}, sd[2] = {0.1, 0.1};
    double last = 0;
    pr_rays_cover(r, front);
    for (int i = 0; i < 5; i++) {
        const double mean[2] = {0.55 + 0.1 * i, 0.95};
        double gain = pr_rays_gain(r, mean, sd);
        ck_assert_double_gt(gain, last);
        last = gain;
    }
    pr_rays_free(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rays");
    TCase *tcase = tcase_create("rays");
    tcase_add_test(tcase, volumes);
    tcase_add_test(tcase, known_points);
    tcase_add_loop_test(tcase, against_draws, 2, 8);
    tcase_add_test(tcase, small_gains);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
