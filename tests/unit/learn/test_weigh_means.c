// SPDX-License-Identifier: BSD-3-Clause
/* Weighting rules that go by mean scores, validations and covariances: gradients against finite differences, and small
 * policies on which they have to end where theory says. */
#include "learn/algorithm.h"
#include "learn/weigh_internal.h"
#include "rule_checks.h"

enum { ACTIONS = 3 };

/* A softmax policy over actions with scores [actions,k], trained with exact gradients of sum lambda_k J_k - beta KL(policy ||
 * uniform); mean [k] is J of it. */
typedef struct bandit {
    int actions, k;
    const double *score;
    double logit[ACTIONS], p[ACTIONS];
} bandit_t;

static void play(bandit_t *b, double *mean)
{
    double sum = 0;
    for (int a = 0; a < b->actions; a++)
        sum += b->p[a] = exp(b->logit[a]);
    for (int j = 0; j < b->k; j++)
        mean[j] = 0;
    for (int a = 0; a < b->actions; a++) {
        b->p[a] /= sum;
        for (int j = 0; j < b->k; j++)
            mean[j] += b->p[a] * b->score[a * b->k + j];
    }
}

static void learn(bandit_t *b, const double *lambda, double beta, double lr)
{
    double s[ACTIONS], mean = 0;
    for (int a = 0; a < b->actions; a++) {
        s[a] = -beta * log(b->p[a] * b->actions);
        for (int j = 0; j < b->k; j++)
            s[a] += lambda[j] * b->score[a * b->k + j];
        mean += b->p[a] * s[a];
    }
    for (int a = 0; a < b->actions; a++)
        b->logit[a] += lr * b->p[a] * (s[a] - mean);
}

/* J at the end, and averaged over the last half. */
static void train(rule_t *r, bandit_t *b, int steps, double beta, double lr, double *average)
{
    int half = steps / 2;
    memset(average, 0, K * sizeof *average);
    for (int n = 0; n < steps; n++) {
        play(b, r->mean);
        learn(b, rule_step(r, NULL), beta, lr);
        for (int j = 0; n >= half && j < b->k; j++)
            average[j] += r->mean[j] / (steps - half);
    }
    play(b, r->mean);
}

/* ---- Chebyshev ---- */

static double smooth(int k, const double *w, const double *z, const double *mean, double mu, double rho)
{
    double sum = 0, linear = 0;
    for (int i = 0; i < k; i++) {
        sum += exp(w[i] * (z[i] - mean[i]) / mu);
        linear += w[i] * mean[i];
    }
    return -mu * log(sum) + rho * linear;
}

START_TEST(stch_is_the_gradient)
{
    const double w[] = {0.2, 0.3, 0.5}, z[] = {1, 0.9, 2}, mu = 0.1, rho = 0.01, h = 1e-6;
    rule_t r;
    rule_open(&r, "stch",
              "{\"mu\": 0.1, \"rho\": 0.01, \"half_life\": 0, \"ideal\": \"list\", \"ideal_at\": [1, 0.9, 2]}", 3, w);
    for (int n = 0; n < 5; n++) {
        for (int i = 0; i < 3; i++)
            r.mean[i] = uniform_at(1, (uint64_t)n, (uint64_t)i);
        r.mean[2] += 1;
        rule_step(&r, NULL);
        for (int i = 0; i < 3; i++) {
            double up[3], down[3];
            memcpy(up, r.mean, sizeof up);
            memcpy(down, r.mean, sizeof down);
            up[i] += h;
            down[i] -= h;
            double slope = (smooth(3, w, z, up, mu, rho) - smooth(3, w, z, down, mu, rho)) / (2 * h);
            ck_assert_double_eq_tol(r.lambda[i], slope, 1e-8);
        }
    }
    rule_close(&r);
}
END_TEST

START_TEST(chebyshev_takes_the_widest_gap)
{
    const double w[] = {0.2, 0.3, 0.5};
    rule_t r;
    rule_open(&r, "chebyshev", "{\"half_life\": 0, \"rho\": 0.01}", 3, w);
    r.mean[0] = 0.1, r.mean[1] = 0.3, r.mean[2] = 0.7; // gaps .18 .21 .15
    rule_step(&r, NULL);
    ck_assert_double_eq(r.lambda[0], 0.01 * 0.2);
    ck_assert_double_eq(r.lambda[1], 0.3 + 0.01 * 0.3);
    ck_assert_double_eq(r.lambda[2], 0.01 * 0.5);
    rule_close(&r);
    rule_open(&r, "chebyshev", "{\"half_life\": 0}", 3, NULL); // equal gaps: the first
    rule_step(&r, NULL);
    ck_assert(r.lambda[0] > 0 && r.lambda[1] == 0 && r.lambda[2] == 0);
    rule_close(&r);
    const double last[] = {0, 0, 1}; // beyond its ideal, and still the only one that has a say
    rule_open(&r, "chebyshev", "{\"half_life\": 0}", 3, last);
    r.mean[2] = 1.5;
    rule_step(&r, NULL);
    ck_assert(r.lambda[0] == 0 && r.lambda[1] == 0 && r.lambda[2] == 1);
    rule_close(&r);
}
END_TEST

START_TEST(stch_between_chebyshev_and_fixed)
{
    const double w[] = {0.2, 0.3, 0.5};
    rule_t sharp, flat, hard;
    rule_open(&sharp, "stch", "{\"mu\": 1e-4}", 3, w);
    rule_open(&flat, "stch", "{\"mu\": 1e5}", 3, w);
    rule_open(&hard, "chebyshev", NULL, 3, w);
    for (int i = 0; i < 3; i++)
        sharp.mean[i] = flat.mean[i] = hard.mean[i] = 0.2 + 0.3 * i;
    rule_step(&sharp, NULL), rule_step(&flat, NULL), rule_step(&hard, NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq_tol(sharp.lambda[i], hard.lambda[i], 1e-12);
        ck_assert_double_eq_tol(flat.lambda[i], w[i] / 3, 1e-5);
    }
    rule_close(&sharp), rule_close(&flat), rule_close(&hard);
}
END_TEST

/* After a half-life the mean is half-way; the ideal "max" is the largest step so far, whatever the mean is. */
START_TEST(running_means_and_ideals)
{
    rule_t r;
    rule_open(&r, "stch", "{\"half_life\": 5, \"ideal\": \"max\", \"mu\": 0.1}", 2, NULL);
    for (int n = 0; n < 6; n++) {
        r.mean[0] = n ? 1 : 0; // the first step sets it
        r.mean[1] = n == 1 ? 1 : 0.25;
        rule_step(&r, NULL);
    }
    pr_running_t mean = pr_running_at(2, r.state + 2);
    ck_assert_double_eq_tol(mean.mean[0], 0.5, 1e-12);
    double gap0 = 0.5 * (1 - mean.mean[0]), gap1 = 0.5 * (1 - mean.mean[1]);
    ck_assert_double_eq_tol(log(r.lambda[0] / r.lambda[1]), (gap0 - gap1) / 0.1, 1e-9);
    rule_close(&r);
}
END_TEST

/* A flat front, J1 + J2 = 1: fixed weights end in a corner. The smooth form ends where its own two pulls are equal, .6 (1 -
 * J1) + mu log(.6/.4) = .4 (1 - J2), and the hard one swings around .6 (1 - J1) = .4 (1 - J2). */
START_TEST(a_flat_front)
{
    const double score[] = {1, 0, 0, 1}, w[] = {0.6, 0.4};
    double average[K];
    rule_t r;
    bandit_t b = {.actions = 2, .k = 2, .score = score};
    rule_open(&r, "fixed", NULL, 2, w);
    train(&r, &b, 4000, 0, 0.5, average);
    ck_assert_double_gt(r.mean[0], 0.99);
    rule_close(&r);
    for (int mu = 1; mu <= 2; mu++) {
        bandit_t smooth_one = {.actions = 2, .k = 2, .score = score};
        rule_open(&r, "stch", mu == 1 ? "{\"mu\": 0.1}" : "{\"mu\": 0.02}", 2, w);
        train(&r, &smooth_one, 4000, 0, 0.5, average);
        double where = 0.6 + (mu == 1 ? 0.1 : 0.02) * log(1.5);
        ck_assert_double_eq_tol(r.mean[0], where, 1e-3);
        rule_close(&r);
    }
    bandit_t hard = {.actions = 2, .k = 2, .score = score};
    rule_open(&r, "chebyshev", NULL, 2, w);
    train(&r, &hard, 4000, 0, 0.5, average);
    ck_assert_double_eq_tol(average[0], 0.6, 0.02);
    rule_close(&r);
}
END_TEST

/* ---- max-min ---- */

/* Two that exclude each other, in units of 1 and of 10: both end at half of what they could be. */
START_TEST(maxmin_makes_equal)
{
    const double score[] = {1, 0, 0, 10};
    double average[K];
    bandit_t b = {.actions = 2, .k = 2, .score = score};
    rule_t r;
    rule_open(&r, "maxmin", "{\"low\": [0, 0], \"high\": [1, 10]}", 2, NULL);
    train(&r, &b, 20000, 0, 0.005, average);
    ck_assert_double_eq_tol(average[0], average[1] / 10, 0.02);
    ck_assert_double_eq_tol(average[0], 0.5, 0.02);
    rule_close(&r);
}
END_TEST

START_TEST(maxmin_by_hand)
{
    rule_t r;
    rule_open(&r, "maxmin", "{\"low\": [0.4, 0], \"high\": [1, 1]}", 2, NULL);
    r.mean[0] = 0.5, r.mean[1] = 0.3; // 1/6 and .3
    rule_step(&r, NULL);
    ck_assert(r.lambda[0] == 1 && r.lambda[1] == 0);
    r.mean[0] = 0.7; // 1/2: the authors' rule looks at this step alone
    rule_step(&r, NULL);
    ck_assert(r.lambda[0] == 0 && r.lambda[1] == 1);
    rule_close(&r);
}
END_TEST

/* One of three that cannot rise: it keeps all the weight, and the others stay where they are. */
START_TEST(maxmin_stalls)
{
    const double score[] = {1, 0, 0.1, 0, 1, 0.1, 0.5, 0.5, 0.1};
    double average[K], before[K];
    bandit_t b = {.actions = 3, .k = 3, .score = score};
    rule_t r;
    rule_open(&r, "maxmin", NULL, 3, NULL);
    play(&b, before);
    train(&r, &b, 50, 0, 0.5, average);
    ck_assert_double_eq(r.lambda[2], 1);
    for (int j = 0; j < 3; j++)
        ck_assert_double_eq_tol(r.mean[j], before[j], 1e-12);
    rule_close(&r);
}
END_TEST

/* ---- Lagrangian ---- */

START_TEST(multipliers_step_by_step)
{
    rule_t r;
    rule_open(&r, "lagrangian", "{\"thresholds\": [0.5, 0.2], \"half_life\": 0, \"primary\": 2}", 3, NULL);
    r.mean[0] = 0.1, r.mean[1] = 0.9, r.mean[2] = 0.4;
    double l0 = 1, l2 = 1;
    for (int n = 0; n < 3; n++) {
        l0 *= exp(0.1 * l0 * 0.4);
        l2 *= exp(0.1 * l2 * -0.2);
        rule_step(&r, NULL);
        ck_assert_double_eq_tol(r.lambda[0], l0 / (1 + l0 + l2), 1e-12);
        ck_assert_double_eq_tol(r.lambda[1], 1 / (1 + l0 + l2), 1e-12);
        ck_assert_double_eq_tol(r.lambda[2], l2 / (1 + l0 + l2), 1e-12);
    }
    rule_close(&r);
    rule_open(&r, "lagrangian", "{\"thresholds\": [0.5], \"half_life\": 0, \"form\": \"add\", \"lr\": 0.5}", 2, NULL);
    r.mean[1] = 0.1;
    rule_step(&r, NULL);
    ck_assert_double_eq_tol(r.lambda[1] / r.lambda[0], 1.2, 1e-12);
    rule_close(&r);
}
END_TEST

/* Three actions, of which the third is dominated by a mixture of the others. The policy has to end in the mixture that meets
 * the threshold with equality: a little KL makes it the only one. */
START_TEST(the_constraint_is_met_with_equality)
{
    const double score[] = {1, 0, 0, 1, 0.3, 0.3};
    const char *forms[] = {"{\"thresholds\": [0.4]}", "{\"thresholds\": [0.4], \"form\": \"add\"}"};
    for (int f = 0; f < 2; f++) {
        double average[K];
        bandit_t b = {.actions = 3, .k = 2, .score = score};
        rule_t r;
        rule_open(&r, "lagrangian", forms[f], 2, NULL);
        train(&r, &b, 20000, 0.05, 1, average);
        ck_assert_double_eq_tol(r.mean[1], 0.4, 2e-3);
        ck_assert_double_gt(r.mean[0], 0.55);
        ck_assert_double_lt(b.p[2], 0.05);
        ck_assert_double_gt(r.lambda[1], 0.1);
        rule_close(&r);
    }
}
END_TEST

/* The best action meets the threshold anyway: its multiplier goes to 0, and the policy to that action. Out of reach: the
 * multiplier stays at its most. */
START_TEST(slack_and_out_of_reach)
{
    const double slack[] = {1, 0.9, 0, 1, 0.3, 0.3};
    double average[K];
    bandit_t b = {.actions = 3, .k = 2, .score = slack}, c = b;
    rule_t r;
    rule_open(&r, "lagrangian", "{\"thresholds\": [0.5], \"form\": \"add\"}", 2, NULL);
    train(&r, &b, 2000, 0, 1, average);
    ck_assert_double_eq(r.lambda[1], 0);
    ck_assert_double_eq(r.lambda[0], 1);
    ck_assert_double_gt(r.mean[0], 0.99);
    rule_close(&r);
    rule_open(&r, "lagrangian", "{\"thresholds\": [0.5], \"form\": \"add\", \"start\": 0}", 2, NULL);
    for (int n = 0; n < 10; n++) {
        r.mean[1] = 0.6;
        ck_assert_double_eq(rule_step(&r, NULL)[1], 0);
    }
    rule_close(&r);
    rule_open(&r, "lagrangian", "{\"thresholds\": [2]}", 2, NULL);
    train(&r, &c, 500, 0, 1, average);
    ck_assert_double_eq_tol(r.lambda[1], 5.0 / 6, 1e-12);
    rule_close(&r);
}
END_TEST

/* ---- hypervolume ---- */

START_TEST(factors_of_gains)
{
    const double w[] = {0.3, 0.7}, base[] = {0.2, 0.2}, first[] = {0.5, 0.4}, second[] = {0.4, 0.5},
                 worse[] = {0.3, 0.3}, below[] = {0.9, 0.1}, hole[] = {NAN, 0.9};
    rule_t r;
    rule_open(&r, "drw_hv", NULL, 2, w);
    rule_step(&r, base);
    ck_assert_double_eq(r.lambda[0], 0.3); // the reference
    rule_step(&r, first);
    ck_assert_double_eq_tol(r.lambda[0], 0.3 * (0.5 + 1.5 * tanh(0.3 * 0.2)), 1e-12);
    rule_step(&r, second);
    double factor = 0.5 + 1.5 * tanh(0.2 * 0.3 - 0.2 * 0.2);
    ck_assert_double_eq_tol(r.lambda[1], 0.7 * factor, 1e-12);
    rule_step(&r, NULL);
    ck_assert_double_eq_tol(r.lambda[1], 0.7 * factor, 1e-12); // until the next
    rule_step(&r, hole);
    ck_assert_double_eq_tol(r.lambda[1], 0.7 * factor, 1e-12);
    rule_step(&r, worse);
    ck_assert_double_eq_tol(r.lambda[1], 0.7 * 0.5, 1e-12);
    rule_step(&r, below);
    ck_assert_double_eq_tol(r.lambda[1], 0.7 * 0.5, 1e-12);
    rule_close(&r);
}
END_TEST

/* Under grpo a factor of the whole reward is gone, up to the 1e-4 beside the deviation; under rloo it is not. */
START_TEST(a_factor_says_nothing_to_grpo)
{
    const double reward[] = {0.1, 0.7, 0.4, 0.9};
    double twice[4], a[4], b[4];
    for (int i = 0; i < 4; i++)
        twice[i] = 2 * reward[i];
    pr_algorithm_grpo.advantages(4, reward, a);
    pr_algorithm_grpo.advantages(4, twice, b);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(a[i], b[i], 3e-4);
    pr_algorithm_rloo.advantages(4, twice, b);
    pr_algorithm_rloo.advantages(4, reward, a);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(2 * a[i], b[i], 1e-12);
}
END_TEST

/* With room for two the oldest goes: what it alone covered is a gain again. One that dominates takes the others' places. */
START_TEST(points_that_are_remembered)
{
    const double base[] = {0, 0}, a[] = {0.2, 0.9}, b[] = {0.5, 0.5}, c[] = {0.9, 0.2}, all[] = {1, 1};
    rule_t r;
    rule_open(&r, "drw_hv", "{\"points\": 2}", 2, NULL);
    rule_step(&r, base), rule_step(&r, a), rule_step(&r, b), rule_step(&r, c);
    rule_step(&r, a);
    ck_assert_double_eq_tol(r.lambda[0], 0.5 * (0.5 + 1.5 * tanh(0.2 * 0.4)), 1e-12);
    rule_step(&r, all);
    rule_step(&r, a);
    ck_assert_double_eq(r.lambda[0], 0.25);
    ck_assert_double_eq(r.state[2], 1);
    rule_close(&r);
}
END_TEST

/* ---- covariances ---- */

START_TEST(weights_grow_where_covariance_lacks)
{
    const double w[] = {0.25, 0.75}, c[] = {0.04, -0.03, -0.03, 0.09};
    rule_t r;
    rule_open(&r, "ctwa", "{\"targets\": [0.15, 0.08], \"caps\": [1, 0.95]}", 2, w);
    memcpy(r.covariance, c, sizeof c);
    double u[] = {log(0.25), log(0.75)}, running[2] = {0};
    for (int n = 0; n < 4; n++) {
        r.mean[0] = n == 2 ? 1 : 0.5; // at its cap
        r.mean[1] = 0.5;
        double l[] = {exp(u[0]), exp(u[1])}, s[] = {c[0] * l[0] + c[1] * l[1], c[2] * l[0] + c[3] * l[1]};
        double std = sqrt(l[0] * s[0] + l[1] * s[1]);
        const double targets[] = {0.15, 0.08};
        for (int j = 0; j < 2; j++) {
            running[j] = n ? 0.9 * running[j] + 0.1 * s[j] / std : s[j] / std;
            if (!(j == 0 && n == 2))
                u[j] += 0.05 * fmax(targets[j] - running[j], 0);
        }
        rule_step(&r, NULL);
        for (int j = 0; j < 2; j++)
            ck_assert_double_eq_tol(r.lambda[j], exp(u[j]), 1e-12);
    }
    ck_assert_double_gt(r.lambda[0], 0.25); // falls with the other
    ck_assert_double_eq(r.lambda[1], 0.75); // above its target all the time
    rule_close(&r);
}
END_TEST

/* What ctwa takes for granted: to first order a step of softmax logits along s moves J_j by the covariance of r_j and s. */
START_TEST(covariance_predicts_the_step)
{
    int right = 0, total = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        double score[ACTIONS * 2], before[2], after[2];
        for (int i = 0; i < ACTIONS * 2; i++)
            score[i] = uniform_at(seed, (uint64_t)i, 9);
        bandit_t b = {.actions = ACTIONS, .k = 2, .score = score};
        play(&b, before);
        for (int j = 0; j < 2; j++) {
            double covariance = 0;
            for (int a = 0; a < ACTIONS; a++)
                covariance += (score[a * 2 + j] - before[j]) * (score[a * 2] + score[a * 2 + 1]) / ACTIONS;
            bandit_t next = b;
            for (int a = 0; a < ACTIONS; a++)
                next.logit[a] += 1e-4 * (score[a * 2] + score[a * 2 + 1]);
            play(&next, after);
            ck_assert_double_eq_tol((after[j] - before[j]) / 1e-4, covariance, 1e-4);
            right += (after[j] > before[j]) == (covariance > 0);
            total++;
        }
    }
    ck_assert_int_ge(right * 10, total * 8);
}
END_TEST

/* ---- without looking ---- */

START_TEST(baselines)
{
    rule_t r;
    rule_open(&r, "uniform", NULL, 4, NULL);
    rule_step(&r, NULL);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq(r.lambda[i], 0.25);
    rule_close(&r);
    rule_open(&r, "round_robin", "{\"turn\": 2}", 3, NULL);
    for (int n = 0; n < 14; n++) {
        rule_step(&r, NULL);
        for (int i = 0; i < 3; i++)
            ck_assert_double_eq(r.lambda[i], i == n / 2 % 3);
    }
    rule_close(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("weigh by means");
    TCase *c = tcase_create("rules");
    tcase_add_test(c, stch_is_the_gradient);
    tcase_add_test(c, chebyshev_takes_the_widest_gap);
    tcase_add_test(c, stch_between_chebyshev_and_fixed);
    tcase_add_test(c, running_means_and_ideals);
    tcase_add_test(c, a_flat_front);
    tcase_add_test(c, maxmin_makes_equal);
    tcase_add_test(c, maxmin_by_hand);
    tcase_add_test(c, maxmin_stalls);
    tcase_add_test(c, multipliers_step_by_step);
    tcase_add_test(c, the_constraint_is_met_with_equality);
    tcase_add_test(c, slack_and_out_of_reach);
    tcase_add_test(c, factors_of_gains);
    tcase_add_test(c, a_factor_says_nothing_to_grpo);
    tcase_add_test(c, points_that_are_remembered);
    tcase_add_test(c, weights_grow_where_covariance_lacks);
    tcase_add_test(c, covariance_predicts_the_step);
    tcase_add_test(c, baselines);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
