// SPDX-License-Identifier: BSD-3-Clause
/* AdamW against torch's numbers, schedules, clipping, advantages, token losses, and the cutting of responses. */
#include "learn/algorithm.h"
#include "learn/combine.h"
#include "learn/loss.h"
#include "learn/optim.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The update written out as in the paper (Loshchilov and Hutter 2019, algorithm 2), in double. */
START_TEST(adamw_follows_the_paper)
{
    enum { N = 5, STEPS = 7 };
    const double lr = 0.01, b1 = 0.9, b2 = 0.95, eps = 1e-8, wd = 0.1;
    double p[N], m[N] = {0}, v[N] = {0};
    float q[N], g[N];
    pr_adamw_t o;
    ck_assert_int_eq(pr_adamw_init(&o, N, b1, b2, eps, wd, NULL), PR_OK);
    for (int i = 0; i < N; i++)
        q[i] = (float)(p[i] = i - 2.0);
    for (int t = 1; t <= STEPS; t++) {
        for (int i = 0; i < N; i++) {
            g[i] = (float)sin(t * 1.7 + i);
            double gi = 0.5 * (double)g[i];
            m[i] = b1 * m[i] + (1 - b1) * gi;
            v[i] = b2 * v[i] + (1 - b2) * gi * gi;
            p[i] -= lr * wd * p[i];
            p[i] -= lr * (m[i] / (1 - pow(b1, t))) / (sqrt(v[i] / (1 - pow(b2, t))) + eps);
        }
        pr_adamw_step(&o, q, g, 0.5, lr);
    }
    for (int i = 0; i < N; i++)
        ck_assert_double_eq_tol((double)q[i], p[i], 1e-6);
    ck_assert_int_eq(o.step, STEPS);
    pr_adamw_clear(&o);
}
END_TEST

START_TEST(schedules)
{
    ck_assert_double_eq(pr_learning_rate(2, "constant", 0, 5, 10), 2);
    ck_assert_double_eq(pr_learning_rate(2, "constant", 4, 0, 10), 0.5);
    ck_assert_double_eq(pr_learning_rate(2, "constant", 4, 3, 10), 2);
    ck_assert_double_eq(pr_learning_rate(2, "linear", 0, 5, 10), 1);
    ck_assert_double_eq_tol(pr_learning_rate(2, "cosine", 0, 5, 10), 1, 1e-12);
    ck_assert_double_eq(pr_learning_rate(2, "cosine", 0, 0, 10), 2);
    for (long s = 1; s < 10; s++)
        ck_assert_double_lt(pr_learning_rate(2, "cosine", 0, s, 10), pr_learning_rate(2, "cosine", 0, s - 1, 10));
}
END_TEST

START_TEST(clipping)
{
    const float g[] = {3, 4};
    ck_assert_double_eq(pr_global_norm(g, 2), 5);
    ck_assert_double_eq(pr_clip_scale(5, 0), 1);
    ck_assert_double_eq(pr_clip_scale(0.5, 1), 1);
    ck_assert_double_eq_tol(5 * pr_clip_scale(5, 1), 1, 1e-5);
}
END_TEST

static void by_group(const pr_algorithm_t *m, const double r[6], double a[6])
{
    for (int g = 0; g < 6; g += 3)
        m->advantages(3, r + g, a + g);
}

START_TEST(advantages)
{
    const double r[] = {1, 2, 6, 0.5, 0.5, 0.5};
    double a[6];
    by_group(&pr_algorithm_rloo, r, a);
    const double rloo[] = {1 - 4.0, 2 - 3.5, 6 - 1.5, 0, 0, 0};
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq_tol(a[i], rloo[i], 1e-12);
    by_group(&pr_algorithm_scst, r, a);
    ck_assert_double_eq_tol(a[0], 1 - 3, 1e-12);
    by_group(&pr_algorithm_grpo, r, a);
    ck_assert_double_eq_tol(a[2], 3 / (sqrt(7) + 1e-4), 1e-12); // deviations -2, -1, 3: variance 14/2
    ck_assert_double_eq(a[4], 0);
    ck_assert_double_eq(pr_algorithm_rloo.share(4), 1);
    ck_assert_double_eq(pr_algorithm_scst.share(4), 0.75);
    ck_assert_double_eq(pr_algorithm_grpo.share(4), 1);
}
END_TEST

/* Every algorithm is found by the name that it is listed under, and no other is. */
START_TEST(algorithms_by_name)
{
    const pr_algorithm_t *m = NULL;
    pr_error_t err;
    size_t n;
    const pr_algorithm_t *const *all = pr_algorithms(&n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(pr_algorithm_find(all[i]->name, &m, &err), PR_OK);
        ck_assert_ptr_eq(m, all[i]);
    }
    ck_assert_int_eq(pr_algorithm_find("grpo", &m, &err), PR_OK);
    ck_assert_ptr_eq(m, &pr_algorithm_grpo);
    ck_assert_int_eq(pr_algorithm_find("a2c", &m, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "a2c"));
    ck_assert_ptr_nonnull(strstr(err.text, "there are: rloo, scst, grpo, odpo"));
}
END_TEST

/* The reward of several objectives; of one alone with weight 1 it is that objective's own score, bit for bit. */
START_TEST(combiners)
{
    const double score[] = {0.1, -3, 2, 1.0 / 3, 5, -0.25}, w[] = {0.5, 2, 0.1}, one = 1;
    const pr_combiner_t *c = NULL;
    pr_error_t err;
    double reward[6];
    ck_assert_int_eq(pr_combiner_find("linear", &c, &err), PR_OK);
    pr_score_group_t g = {.n = 2, .k = 3, .score = score, .w = w};
    c->reward(&g, reward);
    ck_assert_double_eq_tol(reward[0], 0.05 - 6 + 0.2, 1e-15);
    ck_assert_double_eq_tol(reward[1], 0.5 / 3 + 10 - 0.025, 1e-14);
    g = (pr_score_group_t){.n = 6, .k = 1, .score = score, .w = &one};
    c->reward(&g, reward);
    ck_assert_mem_eq(reward, score, sizeof score);
    ck_assert_int_eq(pr_combiner_find("lineal", &c, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "lineal"));
    ck_assert_ptr_nonnull(strstr(err.text, "linear"));
}
END_TEST

static double token_loss(const pr_token_loss_t *l, double lp, double ref, double entropy)
{
    double unused, unused_h;
    return pr_token_loss(l, lp, ref, entropy, &unused, &unused_h);
}

/* The derivatives are those of the loss (finite differences), for every estimator of the KL. */
START_TEST(token_loss_and_its_derivatives)
{
    const double h = 1e-6;
    for (int estimator = PR_KL_K1; estimator <= PR_KL_K3; estimator++)
        for (double lp = -6; lp < -0.1; lp += 0.7)
            for (double ref = -6; ref < -0.1; ref += 0.9) {
                pr_token_loss_t l = {0.8, 0.25, (pr_kl_t)estimator, 0.3, 0.2};
                double grad, grad_h, s = 1.3;
                pr_token_loss(&l, lp, ref, s, &grad, &grad_h);
                double by_lp = (token_loss(&l, lp + h, ref, s) - token_loss(&l, lp - h, ref, s)) / (2 * h);
                double by_h = (token_loss(&l, lp, ref, s + h) - token_loss(&l, lp, ref, s - h)) / (2 * h);
                ck_assert_double_eq_tol(grad, by_lp, 1e-6 * (1 + fabs(by_lp)));
                ck_assert_double_eq_tol(grad_h, by_h, 1e-6);
            }
}
END_TEST

/* By hand: -A lp, then the term of the KL, weights 1. */
START_TEST(token_losses_are_what_their_names_say)
{
    const double expected[] = {0, 0.5, exp(-1) + 1 - 1};
    for (int estimator = PR_KL_K1; estimator <= PR_KL_K3; estimator++) {
        pr_token_loss_t l = {2, 1, (pr_kl_t)estimator, 1, 0};
        ck_assert_double_eq_tol(token_loss(&l, -1, -2, 7), 2 + expected[estimator], 1e-12);
        ck_assert_double_eq_tol(token_loss(&l, -2, -2, 7), 4, 1e-12);
        l.kl = 0; // and no reference is needed
        ck_assert_double_eq_tol(token_loss(&l, -1, NAN, 7), 2, 1e-12);
    }
    pr_kl_t kl;
    pr_error_t err;
    ck_assert_int_eq(pr_kl_parse("k2", &kl, &err), PR_OK);
    ck_assert_int_eq(kl, PR_KL_K2);
    ck_assert_int_eq(pr_kl_parse("k4", &kl, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "k4"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("learn");
    TCase *c = tcase_create("numbers");
    tcase_add_test(c, adamw_follows_the_paper);
    tcase_add_test(c, schedules);
    tcase_add_test(c, clipping);
    tcase_add_test(c, advantages);
    tcase_add_test(c, algorithms_by_name);
    tcase_add_test(c, combiners);
    tcase_add_test(c, token_loss_and_its_derivatives);
    tcase_add_test(c, token_losses_are_what_their_names_say);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
