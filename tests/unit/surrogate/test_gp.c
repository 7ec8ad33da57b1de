// SPDX-License-Identifier: BSD-3-Clause
/* Gaussian processes against what is known of them: the formulas on small matrices, and functions they were drawn for. */
#include "surrogate/gp.h"

#include "base/mem.h"
#include "base/rng.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Points and values of a smooth function of two inputs, of which the second matters little. */
typedef struct sample {
    int n;
    double x[2 * 60], y[60], noise[60];
} sample_t;

static double truth(const double *x)
{
    return sin(6 * x[0]) + 0.1 * x[1];
}

static sample_t sample(int n, double noise)
{
    sample_t s = {.n = n};
    pr_rng_key_t key = pr_rng_key(3, "gp", "");
    for (int i = 0; i < n; i++) {
        s.x[2 * i] = pr_rng_uniform(&key, (uint64_t)i, 0, 0, 0);
        s.x[2 * i + 1] = pr_rng_uniform(&key, (uint64_t)i, 1, 0, 0);
        s.y[i] = truth(s.x + 2 * i) + noise * pr_rng_normal(&key, (uint64_t)i, 2, 0, 0);
        s.noise[i] = noise * noise;
    }
    return s;
}

static pr_gp_data_t data_of(const sample_t *s, int smoothness)
{
    return (pr_gp_data_t){s->n, 2, s->x, s->y, s->noise, smoothness, 0.4};
}

static pr_gp_t *fitted(const sample_t *s, int smoothness, int room, pr_gp_theta_t *theta)
{
    pr_gp_data_t data = data_of(s, smoothness);
    pr_gp_start(&data, theta);
    double before = theta->density;
    pr_gp_ascend(&data, theta);
    ck_assert_double_ge(theta->density, before);
    return pr_gp_new(&data, theta, room);
}

START_TEST(interpolates)
{
    sample_t s = sample(30, 0);
    pr_gp_theta_t theta;
    pr_gp_t *g = fitted(&s, 2, 0, &theta);
    double mean[30], var[30], far[2] = {40, -40}, fm, fv;
    pr_gp_predict(g, s.x, 30, mean, var);
    for (int i = 0; i < 30; i++) {
        ck_assert_double_eq_tol(mean[i], s.y[i], 1e-4);
        ck_assert_double_lt(var[i], 1e-4 * theta.signal);
    }
    pr_gp_predict(g, far, 1, &fm, &fv); // the prior
    ck_assert_double_eq_tol(fm, 0, 1e-9);
    ck_assert_double_eq_tol(fv, theta.signal, 1e-9);
    double rms = 0, wide = 0;
    for (int i = 0; i < 100; i++) {
        double x[2] = {i / 100.0, (i * 37 % 100) / 100.0}, m, v;
        pr_gp_predict(g, x, 1, &m, &v);
        rms += (m - truth(x)) * (m - truth(x)) / 100;
        wide += fabs(m - truth(x)) > 3 * sqrt(v) + 1e-6;
    }
    ck_assert_double_lt(sqrt(rms), 0.05);
    ck_assert_double_lt(wide, 10);
    ck_assert_double_gt(theta.length[1], 2 * theta.length[0]); // the input that matters little
    pr_gp_free(g);
}
END_TEST

/* By the definition: mean k'(K + N)^-1 y, variance s - k'(K + N)^-1 k, by elimination. */
START_TEST(is_the_formula)
{
    sample_t s = sample(3, 0.2);
    pr_gp_data_t data = data_of(&s, _i);
    pr_gp_theta_t theta = {.length = {0.3, 0.8}, .signal = 1.7, .noise = 0.5};
    pr_gp_t *g = pr_gp_new(&data, &theta, 0);
    double at[2] = {0.4, 0.6}, a[4][6], m, v;
    const double *p[4] = {s.x, s.x + 2, s.x + 4, at};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            double d = hypot((p[i][0] - p[j][0]) / 0.3, (p[i][1] - p[j][1]) / 0.8), r = sqrt(2 * _i + 1) * d;
            double k = (_i == 0 ? 1 : _i == 1 ? 1 + r : 1 + r + r * r / 3) * exp(-r);
            a[i][j] = 1.7 * k + (i == j && i < 3 ? 0.5 * 0.04 + 1.7e-8 : 0);
        }
    for (int i = 0; i < 3; i++)
        a[i][4] = s.y[i];
    a[3][4] = 0;
    for (int c = 0; c < 3; c++) // Gauss: the last row becomes variance and minus the mean
        for (int i = c + 1; i < 4; i++) {
            double f = a[i][c] / a[c][c];
            for (int j = c; j < 5; j++)
                a[i][j] -= f * a[c][j];
        }
    pr_gp_predict(g, at, 1, &m, &v);
    ck_assert_double_eq_tol(m, -a[3][4], 1e-9);
    ck_assert_double_eq_tol(v, a[3][3], 1e-9);
    pr_gp_free(g);
}
END_TEST

START_TEST(leaves_one_out)
{
    sample_t s = sample(12, 0.1);
    pr_gp_theta_t theta = {.length = {0.3, 0.9}, .signal = 1.2, .noise = 0.7};
    pr_gp_data_t data = data_of(&s, 2);
    double mean[12], var[12];
    pr_gp_t *g = pr_gp_new(&data, &theta, 0);
    pr_gp_leave_one_out(g, mean, var);
    for (int out = 0; out < 12; out++) {
        sample_t rest = s;
        rest.n = 11;
        for (int i = out; i < 11; i++) {
            memcpy(rest.x + 2 * i, rest.x + 2 * i + 2, 2 * sizeof(double));
            rest.y[i] = rest.y[i + 1];
        }
        pr_gp_data_t other = data_of(&rest, 2);
        pr_gp_t *h = pr_gp_new(&other, &theta, 0);
        double m, v;
        pr_gp_predict(h, s.x + 2 * out, 1, &m, &v);
        ck_assert_double_eq_tol(mean[out], m, 1e-7);
        ck_assert_double_eq_tol(var[out], v + 0.7 * s.noise[out], 1e-6);
        pr_gp_free(h);
    }
    pr_gp_free(g);
}
END_TEST

/* One more at a time is the same as all at once; a value that was expected changes no mean. */
START_TEST(adds)
{
    sample_t s = sample(20, 0.05);
    pr_gp_theta_t theta = {.length = {0.4, 0.4}, .signal = 1, .noise = 1};
    pr_gp_data_t all = data_of(&s, 1), part = all;
    part.n = 12;
    pr_gp_t *g = pr_gp_new(&all, &theta, 1), *h = pr_gp_new(&part, &theta, 8);
    for (int i = 12; i < 20; i++)
        pr_gp_add(h, s.x + 2 * i, s.y[i], s.noise[i]);
    double x[2] = {0.33, 0.44}, near[2] = {0.34, 0.45}, m, v, m2, v2;
    pr_gp_predict(g, x, 1, &m, &v);
    pr_gp_predict(h, x, 1, &m2, &v2);
    ck_assert_double_eq_tol(m, m2, 1e-12);
    ck_assert_double_eq_tol(v, v2, 1e-12);
    pr_gp_predict(g, near, 1, &m2, &v2);
    pr_gp_add(g, near, m2, 0);
    pr_gp_predict(g, x, 1, &m2, &v2);
    ck_assert_double_eq_tol(m, m2, 1e-9);
    ck_assert_double_lt(v2, 0.5 * v);
    pr_gp_free(g);
    pr_gp_free(h);
}
END_TEST

/* What is rough is told from what is smooth by the densities, and what is said of the noise from what is there. */
START_TEST(tells_kinds_apart)
{
    sample_t smooth = sample(40, 0), walk = smooth;
    pr_rng_key_t key = pr_rng_key(5, "walk", "");
    for (int i = 0; i < 40; i++) { // a random walk is continuous and no more
        walk.x[2 * i] = i / 40.0;
        walk.x[2 * i + 1] = 0.5;
        walk.y[i] = (i > 0 ? walk.y[i - 1] : 0) + 0.3 * pr_rng_normal(&key, (uint64_t)i, 0, 0, 0);
    }
    pr_gp_theta_t rough, fine;
    pr_gp_free(fitted(&smooth, 0, 0, &rough));
    pr_gp_free(fitted(&smooth, 2, 0, &fine));
    ck_assert_double_gt(fine.density, rough.density + 3);
    pr_gp_free(fitted(&walk, 0, 0, &rough));
    pr_gp_free(fitted(&walk, 2, 0, &fine));
    ck_assert_double_gt(rough.density, fine.density + 3);
    sample_t told = smooth, noisy = sample(60, 0.3);
    for (int i = 0; i < 40; i++)
        told.noise[i] = 0.09; // but there is none
    pr_gp_free(fitted(&told, 2, 0, &fine));
    ck_assert_double_lt(fine.noise, 0.1);
    pr_gp_free(fitted(&noisy, 2, 0, &fine));
    ck_assert_double_gt(fine.noise, 0.4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gp");
    TCase *tcase = tcase_create("gp");
    tcase_add_test(tcase, interpolates);
    tcase_add_loop_test(tcase, is_the_formula, 0, 3);
    tcase_add_test(tcase, leaves_one_out);
    tcase_add_test(tcase, adds);
    tcase_add_test(tcase, tells_kinds_apart);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
