// SPDX-License-Identifier: BSD-3-Clause
/* Advantages token by token, what is clipped, and preferences between two responses: against closed forms and finite
 * differences. */
#include "learn/algorithm.h"
#include "learn/critic.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- generalised advantage estimation ---- */

/* Two responses, of 3 tokens and of 1. */
static const size_t start[] = {0, 3, 4};
static const double reward[] = {0.5, -1, 2, 3}, value[] = {0.1, 0.2, -0.3, 1};

START_TEST(whole_responses)
{
    double a[4], goal[4];
    pr_advantage_estimates(2, start, reward, value, 1, 1, a, goal);
    const double to_go[] = {1.5, 1, 2, 3}; // rewards from each token on
    for (int i = 0; i < 4; i++) {
        ck_assert_double_eq_tol(goal[i], to_go[i], 1e-15);
        ck_assert_double_eq_tol(a[i], to_go[i] - value[i], 1e-15);
    }
}
END_TEST

START_TEST(single_tokens)
{
    double a[4], goal[4];
    pr_advantage_estimates(2, start, reward, value, 0.9, 0, a, goal);
    const double delta[] = {0.5 + 0.9 * 0.2 - 0.1, -1 + 0.9 * -0.3 - 0.2, 2 + 0.3, 3 - 1};
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(a[i], delta[i], 1e-15);
}
END_TEST

/* The sum over later errors, written out. */
START_TEST(between)
{
    double a[4], goal[4], gamma = 0.9, lambda = 0.7;
    pr_advantage_estimates(2, start, reward, value, gamma, lambda, a, goal);
    for (size_t t = 0; t < 3; t++) {
        double sum = 0;
        for (size_t l = t; l < 3; l++)
            sum += pow(gamma * lambda, (double)(l - t)) * (reward[l] + (l < 2 ? gamma * value[l + 1] : 0) - value[l]);
        ck_assert_double_eq_tol(a[t], sum, 1e-14);
        ck_assert_double_eq_tol(goal[t], sum + value[t], 1e-14);
    }
}
END_TEST

START_TEST(whitened)
{
    double v[] = {1, 2, 6, 7}, one[] = {5}, same[] = {2, 2};
    pr_whiten(4, v);
    ck_assert_double_eq_tol(v[0] + v[1] + v[2] + v[3], 0, 1e-12);
    ck_assert_double_eq_tol(v[0] * v[0] + v[1] * v[1] + v[2] * v[2] + v[3] * v[3], 3, 1e-6);
    pr_whiten(1, one);
    ck_assert_double_eq(one[0], 0);
    pr_whiten(2, same);
    ck_assert_double_eq(same[1], 0);
}
END_TEST

/* ---- clipping ---- */

/* Of each sign of the advantage, below, within and above the range: value, and derivative by finite differences. */
START_TEST(clipped_ratios)
{
    for (int sign = -1; sign <= 1; sign += 2)
        for (double ratio = 0.5; ratio < 1.6; ratio += 0.5) {
            double a = 2.0 * sign, old = -1.5, lp = old + log(ratio), zero = 0, grad, h = 1e-6;
            bool held, ignored;
            pr_clipped_t c = {&a, &old, &zero, &zero, 0.2, 0, 0};
            double loss = pr_clipped_policy(&c, 0, lp, &grad, &held), up, down, unused;
            double expected = fmin(ratio * a, fmin(fmax(ratio, 0.8), 1.2) * a);
            ck_assert_double_eq_tol(loss, -expected, 1e-12);
            ck_assert_int_eq(held, (sign > 0 && ratio > 1.2) || (sign < 0 && ratio < 0.8));
            up = pr_clipped_policy(&c, 0, lp + h, &unused, &ignored);
            down = pr_clipped_policy(&c, 0, lp - h, &unused, &ignored);
            ck_assert_double_eq_tol(grad, (up - down) / (2 * h), 1e-8);
        }
}
END_TEST

START_TEST(clipped_values)
{
    for (double width = 0; width < 1; width += 0.5)
        for (double goal = -2; goal < 3; goal += 4)
            for (double v = -0.85; v < 2; v += 0.3) {
                double old = 0.5, zero = 0, grad, unused, h = 1e-6;
                pr_clipped_t c = {&zero, &zero, &old, &goal, 0.2, width, 0.3};
                double loss = pr_clipped_value(&c, 0, v, &grad);
                double held = width > 0 ? fmin(fmax(v, old - width), old + width) : v;
                ck_assert_double_eq_tol(loss, 0.15 * fmax(pow(v - goal, 2), pow(held - goal, 2)), 1e-12);
                double up = pr_clipped_value(&c, 0, v + h, &unused), down = pr_clipped_value(&c, 0, v - h, &unused);
                ck_assert_double_eq_tol(grad, (up - down) / (2 * h), 1e-8);
            }
}
END_TEST

/* ---- the value head ---- */

START_TEST(values_and_their_gradient)
{
    enum { N = 3, D = 4, K = 2 };
    pr_error_t err;
    pr_critic_t c;
    const pr_linalg_t *la = pr_linalg_local();
    float h[N * D], v[N], dv[] = {1, -2, 0.5f}, dh[N * D] = {0};
    const double w[] = {0.3, 0.7};
    ck_assert_int_eq(pr_critic_init(&c, D, K, 0.9, 0.999, 1e-8, 0, &err), PR_OK);
    ck_assert_uint_eq(c.n, D + K + 1);
    for (int i = 0; i < N * D; i++)
        h[i] = (float)sin(1 + i);
    pr_critic_values(&c, la, N, 0, D, h, w, v);
    for (int i = 0; i < N; i++)
        ck_assert_float_eq(v[i], 0); // before it has learnt
    for (size_t i = 0; i < c.n; i++)
        c.weight[i] = (float)cos(2 * (double)i);
    pr_critic_values(&c, la, N, 0, D, h, w, v);
    for (int i = 0; i < N; i++) {
        double sum = (double)c.weight[D + K] + w[0] * (double)c.weight[D] + w[1] * (double)c.weight[D + 1];
        for (int j = 0; j < D; j++)
            sum += (double)c.weight[j] * (double)h[i * D + j];
        ck_assert_float_eq_tol(v[i], (float)sum, 1e-6f);
    }
    pr_critic_backward(&c, la, N, 0, D, h, w, dv, dh);
    for (int j = 0; j < D; j++) {
        float sum = 0;
        for (int i = 0; i < N; i++) {
            sum += dv[i] * h[i * D + j];
            ck_assert_float_eq_tol(dh[i * D + j], dv[i] * c.weight[j], 1e-7f);
        }
        ck_assert_float_eq_tol(c.gradient[j], sum, 1e-6f);
    }
    ck_assert_float_eq_tol(c.gradient[D], -0.5f * 0.3f, 1e-6f);
    ck_assert_float_eq_tol(c.gradient[D + K], -0.5f, 1e-6f);
    pr_critic_clear(&c);
}
END_TEST

/* ---- preferences ---- */

static double log_prob(const double theta[5], int y)
{
    double z = 0;
    for (int i = 0; i < 5; i++)
        z += exp(theta[i]);
    return theta[y] - log(z);
}

/* What the step climbs with loss_norm "sequence", whose gradient advantages are to be: minus the loss of DPO. */
static double preferred(const double theta[5], const double base[5], const int y[4], double beta)
{
    double m = beta * (log_prob(theta, y[2]) - log_prob(base, y[2]) - log_prob(theta, y[1]) + log_prob(base, y[1]));
    return -log(1 + exp(-m));
}

START_TEST(preferences_are_dpo)
{
    const double base[] = {0.1, -0.4, 0.3, 0, 1}, gain[] = {0.5, -1, 2, 0}, beta = 0.7; // of the four drawn
    const int y[] = {0, 4, 2, 2}; // best is place 2, worst place 1
    double theta[] = {0.5, 0.2, -0.3, 0.9, 0}, d[4], a[4], h = 1e-5;
    for (int i = 0; i < 4; i++)
        d[i] = log_prob(theta, y[i]) - log_prob(base, y[i]);
    pr_algorithm_odpo.preferences(4, gain, beta, d, a);
    ck_assert(a[0] == 0 && a[3] == 0 && a[2] > 0 && a[1] == -a[2]);
    for (int p = 0; p < 5; p++) {
        double grad = 0, keep = theta[p];
        for (int i = 0; i < 4; i++)
            grad += a[i] / 4 * ((y[i] == p) - exp(log_prob(theta, p)));
        theta[p] = keep + h;
        double up = preferred(theta, base, y, beta);
        theta[p] = keep - h;
        double down = preferred(theta, base, y, beta);
        theta[p] = keep;
        ck_assert_double_eq_tol(grad, (up - down) / (2 * h), 1e-9);
    }
    const double same[] = {3, 3, 3, 3};
    pr_algorithm_odpo.preferences(4, same, beta, d, a);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq(a[i], 0);
    // only the order of rewards counts
    double b[4], far[4];
    for (int i = 0; i < 4; i++)
        far[i] = exp(3 * gain[i]);
    pr_algorithm_odpo.preferences(4, gain, beta, d, a);
    pr_algorithm_odpo.preferences(4, far, beta, d, b);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("critic");
    TCase *c = tcase_create("all");
    tcase_add_test(c, whole_responses);
    tcase_add_test(c, single_tokens);
    tcase_add_test(c, between);
    tcase_add_test(c, whitened);
    tcase_add_test(c, clipped_ratios);
    tcase_add_test(c, clipped_values);
    tcase_add_test(c, values_and_their_gradient);
    tcase_add_test(c, preferences_are_dpo);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
