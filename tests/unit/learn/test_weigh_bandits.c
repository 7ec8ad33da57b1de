// SPDX-License-Identifier: BSD-3-Clause
/* DynaOpt's frame and the bandits in it: exp3 against a reference written from the authors' description, the others on
 * arms whose payments are known. */
#include "learn/weigh_bandit.h"
#include "rule_checks.h"

/* A rule and the validations that its arms lead to. */
typedef struct game {
    rule_t r;
    double validation[K], before[K];
} game_t;

static void game_open(game_t *g, const char *name, const char *options, int k)
{
    memset(g, 0, sizeof *g);
    rule_open(&g->r, name, options, k, NULL);
    for (int i = 0; i < k; i++)
        g->before[i] = 1.0 / k;
}

/* Feeds gains [k] since the last validation, and says which arm is played now: the one whose weight rose; k: none. */
static int next_arm(game_t *g, const double *gain)
{
    int k = g->r.in.k, arm = k;
    for (int i = 0; i < k; i++)
        g->validation[i] += gain[i];
    rule_step(&g->r, g->validation);
    for (int i = 0; i < k; i++)
        if (g->r.lambda[i] > g->before[i] * (1 + 1e-12))
            arm = i;
    memcpy(g->before, g->r.lambda, (size_t)k * sizeof *g->before);
    return arm;
}

/* ---- Exp3 ---- */

/* DynaOpt's loop with plain products, as its paper and code have it: weights of objectives v, of arms u. */
typedef struct reference {
    int k, arm;
    double u[K + 1], v[K], last[K];
    bool started;
} reference_t;

static void raise_weight(double *weights, int n, int at, double payment)
{
    double sum = 0, gamma = 0.07;
    for (int i = 0; i < n; i++)
        sum += weights[i];
    double p = (1 - gamma) * weights[at] / sum + gamma / n;
    weights[at] *= exp(payment / p * gamma / n);
}

static void reference_step(reference_t *f, const double *validation, double draw)
{
    double mean = 0, sum = 0;
    for (int i = 0; i < f->k; i++)
        mean += (validation[i] - f->last[i]) / f->k;
    if (f->started)
        raise_weight(f->u, f->k + 1, f->arm, mean);
    for (int i = 0; i <= f->k; i++)
        sum += f->u[i];
    for (f->arm = 0; f->arm < f->k; f->arm++) {
        draw -= 0.93 * f->u[f->arm] / sum + 0.07 / (f->k + 1);
        if (draw <= 0)
            break;
    }
    if (f->arm < f->k)
        raise_weight(f->v, f->k, f->arm, 1);
    memcpy(f->last, validation, sizeof f->last);
    f->started = true;
}

START_TEST(exp3_is_the_reference)
{
    const int k = 3;
    game_t g;
    game_open(&g, "exp3", NULL, k);
    reference_t f = {.k = k};
    for (int i = 0; i <= k; i++)
        f.u[i] = 1;
    for (int i = 0; i < k; i++)
        f.v[i] = 1;
    int played[4] = {0};
    for (int n = 0; n < 300; n++) {
        double validation[K] = {0}, sum = 0;
        for (int i = 0; i < k; i++)
            validation[i] = 2 * uniform_at(4, (uint64_t)n, (uint64_t)i);
        bool now = n % 3 == 0; // between validations nothing changes
        if (now)
            reference_step(&f, validation, pr_rng_uniform(&g.r.key, (uint64_t)n, 0, 0, 0));
        rule_step(&g.r, now ? validation : NULL);
        for (int i = 0; i < k; i++)
            sum += f.v[i];
        for (int i = 0; i < k; i++)
            ck_assert_double_eq_tol(g.r.lambda[i], f.v[i] / sum, 1e-12);
        played[f.arm]++;
    }
    for (int i = 0; i <= k; i++)
        ck_assert_int_gt(played[i], 0);
    rule_close(&g.r);
}
END_TEST

/* A longer history: a gain is measured from the mean of the last two validations. Seen in the arms' weights, which the
 * payments made. */
START_TEST(gains_from_the_mean_of_history)
{
    const double steps[][2] = {{1, 1}, {-2, -2}, {3, 3}, {1, 0}};
    for (int history = 1; history <= 2; history++) {
        game_t g;
        game_open(&g, "exp3", history == 1 ? NULL : "{\"history\": 2}", 2);
        double u[3] = {1, 1, 1}, before[5] = {0};
        int arm = 0;
        for (int n = 0; n < 4; n++) {
            double now = before[n] + (steps[n][0] + steps[n][1]) / 2; // the mean over objectives
            if (n)
                raise_weight(u, 3, arm, now - (history == 2 && n > 1 ? (before[n] + before[n - 1]) / 2 : before[n]));
            before[n + 1] = now;
            arm = next_arm(&g, steps[n]);
        }
        const double *logs = g.r.state + g.r.numbers - 3;
        for (int a = 1; a < 3; a++)
            ck_assert_double_eq_tol(logs[a] - logs[0], log(u[a] / u[0]), 1e-12);
        ck_assert(u[0] != u[1] || u[0] != u[2]);
        rule_close(&g.r);
    }
}
END_TEST

/* Against numpy.quantile: of 3, 1, 2, 5, 4 the 20 % quantile is 1.8 and the 80 % one 4.2. Only the last hundred count. */
START_TEST(payments_by_quantiles)
{
    rule_t r;
    rule_open(&r, "exp3_scaled", NULL, 2, NULL);
    pr_bandit_t b = pr_bandit_at(&r.in, r.state);
    const double first[] = {3, 1, 2, 5, 4}, expected[] = {0.5, 0, (2 - 1.4) / 1.2, 1, 1};
    for (int i = 0; i < 5; i++) // of 3, 1: 1.4 to 2.6; of 1, 2, 3, 5: 1.6 to 3.8
        ck_assert_double_eq_tol(pr_bandit_scaled(b, first[i]), expected[i], 1e-12);
    ck_assert_double_eq_tol(pr_bandit_scaled(b, 3), (3 - 1.8) / 2.4, 1e-12);
    for (int i = 0; i < PR_GAINS; i++)
        pr_bandit_scaled(b, 7);
    ck_assert_double_eq(pr_bandit_scaled(b, 6), 0);
    ck_assert_double_eq(pr_bandit_scaled(b, 7), 0.5);
    ck_assert_double_eq(pr_bandit_scaled(b, 8), 1);
    rule_close(&r);
}
END_TEST

/* ---- which arm is best ---- */

/* Gains of arm a: pay [a] and some noise, in every objective. Plays and returns how often the best was played in the last
 * fifth. */
static double share_of_best(const char *name, const char *options, const double *pay, int best, int rounds, double unit,
                            uint64_t seed)
{
    const int k = 3;
    game_t g;
    double gain[K] = {0};
    int good = 0;
    game_open(&g, name, options, k);
    g.r.key = pr_rng_key(seed, "game", name);
    for (int n = 0; n < rounds; n++) {
        int arm = next_arm(&g, gain);
        good += n >= rounds * 4 / 5 && arm == best;
        for (int i = 0; i < k; i++)
            gain[i] = unit * (pay[arm] + 0.2 * (uniform_at(seed, (uint64_t)n, (uint64_t)i) - 0.5));
    }
    rule_close(&g.r);
    return good / (rounds / 5.0);
}

/* The mean over games. */
static double mean_share(const char *name, const double *pay, int best, int rounds, double unit)
{
    enum { GAMES = 100 };
    double sum = 0;
    for (uint64_t seed = 0; seed < GAMES; seed++)
        sum += share_of_best(name, NULL, pay, best, rounds, unit, seed) / GAMES;
    return sum;
}

/* Of four arms, gains of some hundredths: exp3 stays near a quarter for a hundred validations, the scaled one plays the best
 * more than half of the time, and UCB1 nearly always. It does not matter which arm that is, or in what units it pays. */
START_TEST(the_best_of_four)
{
    const double pay[] = {-0.02, 1, -0.02, -0.02}, none[] = {-1, -1, -1, 1};
    ck_assert_double_eq_tol(mean_share("exp3", pay, 1, 100, 0.02), 0.25, 0.06);
    ck_assert_double_gt(mean_share("exp3_scaled", pay, 1, 100, 0.02), 0.5);
    ck_assert_double_gt(mean_share("exp3_scaled", none, 3, 100, 50), 0.5);
    ck_assert_double_gt(mean_share("ucb1", pay, 1, 100, 0.02), 0.7);
    ck_assert_double_gt(mean_share("ucb1", none, 3, 100, 50), 0.7);
}
END_TEST

/* UCB1 by hand, unscaled: arms in turn, then the largest bound, the first of equals. */
START_TEST(ucb1_by_hand)
{
    const double pay[] = {0.1, 0.5, 0.2};
    game_t g;
    double gain[2] = {0}, sum[3] = {0}, n[3] = {0};
    game_open(&g, "ucb1", "{\"scaled\": false, \"c\": 0.3}", 2);
    for (int t = 0; t < 60; t++) {
        int arm = next_arm(&g, gain), expected = 0;
        double most = -INFINITY;
        for (int a = 0; a < 3; a++) {
            double bound = n[a] > 0 ? sum[a] / n[a] + 0.3 * sqrt(log(t) / n[a]) : INFINITY;
            if (bound > most) {
                most = bound;
                expected = a;
            }
        }
        ck_assert_int_eq(arm, expected);
        gain[0] = pay[arm] + 0.05, gain[1] = pay[arm] - 0.05;
        n[arm]++;
        sum[arm] += pay[arm];
    }
    ck_assert_double_gt(n[1], 30);
    rule_close(&g.r);
}
END_TEST

/* ---- contexts ---- */

/* Two contexts in turn, told by which of the objectives gained more (their mean says nothing). In one the first arm pays 1
 * and the others 0, in the other the second. Without the context half of all is the best there is: regret of what was lost
 * against the best arm of each. */
static double regret(const char *name, const char *options, int rounds, uint64_t seed)
{
    game_t g;
    double gain[2] = {0.5, -0.5}, lost = 0;
    game_open(&g, name, options, 2);
    g.r.key = pr_rng_key(seed, "context", name);
    for (int n = 0; n < rounds; n++) {
        int context = n % 2, arm = next_arm(&g, gain);
        double paid = arm == context;
        lost += 1 - paid;
        gain[0] = paid + (context ? 0.5 : -0.5);
        gain[1] = paid + (context ? -0.5 : 0.5);
    }
    rule_close(&g.r);
    return lost;
}

START_TEST(linucb_knows_where_it_is)
{
    enum { ROUNDS = 400 };
    double exp3 = 0;
    for (uint64_t seed = 0; seed < 20; seed++)
        exp3 += fmin(regret("exp3", NULL, ROUNDS, seed), regret("exp3_scaled", NULL, ROUNDS, seed)) / 20;
    double ucb1 = regret("ucb1", NULL, ROUNDS, 0);
    double lin = regret("linucb", NULL, ROUNDS, 0), raw = regret("linucb", "{\"scaled\": false}", ROUNDS, 0);
    ck_assert_double_gt(exp3, 0.4 * ROUNDS);
    ck_assert_double_gt(ucb1, 0.4 * ROUNDS);
    ck_assert_double_lt(lin, 0.15 * ROUNDS);
    ck_assert_double_lt(raw, 0.15 * ROUNDS);
}
END_TEST

/* The fault of C-DynaOpt's code: paid by the first objective alone, an arm that raises it and lowers the rest is the best. */
START_TEST(linucb_is_paid_the_mean)
{
    const double pay[3][2] = {{1, -1.5}, {-0.2, 0.8}, {0, 0}};
    game_t g;
    double gain[2] = {0};
    int played[3] = {0};
    game_open(&g, "linucb", NULL, 2);
    for (int n = 0; n < 200; n++) {
        int arm = next_arm(&g, gain);
        memcpy(gain, pay[arm], sizeof gain);
        played[arm] += n >= 100;
    }
    ck_assert_int_gt(played[1], 80);
    rule_close(&g.r);
}
END_TEST

/* The kept inverse is that of I + sum x x' after many plays: checked by its product with the matrix. */
START_TEST(linucb_keeps_an_inverse)
{
    enum { D = 5 };
    game_t g;
    double a[3][D * D] = {{0}}, gain[2] = {0}, squares[2] = {0};
    game_open(&g, "linucb", "{\"scaled\": false}", 2);
    for (int arm = 0; arm < 3; arm++)
        for (int i = 0; i < D; i++)
            a[arm][i * D + i] = 1;
    for (int n = 0; n < 50; n++) {
        double x[D] = {g.before[0], g.before[1], 0, 0, 1};
        for (int i = 0; i < 2 && n; i++) {
            squares[i] += gain[i] * gain[i];
            x[2 + i] = gain[i] / sqrt(squares[i] / n);
        }
        int arm = next_arm(&g, gain);
        for (int i = 0; i < D * D && n < 49; i++) // the last is not paid yet
            a[arm][i] += x[i / D] * x[i % D];
        gain[0] = uniform_at(8, (uint64_t)n, 0) - 0.5;
        gain[1] = uniform_at(8, (uint64_t)n, 1) - 0.3;
    }
    for (int arm = 0; arm < 3; arm++) {
        const double *inverse = g.r.state + g.r.numbers - (ptrdiff_t)(3 - arm) * (D * D + D);
        for (int i = 0; i < D; i++)
            for (int j = 0; j < D; j++) {
                double sum = 0;
                for (int m = 0; m < D; m++)
                    sum += inverse[i * D + m] * a[arm][m * D + j];
                ck_assert_double_eq_tol(sum, i == j, 1e-9);
            }
    }
    rule_close(&g.r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("weigh by bandits");
    TCase *c = tcase_create("rules");
    tcase_add_test(c, exp3_is_the_reference);
    tcase_add_test(c, gains_from_the_mean_of_history);
    tcase_add_test(c, payments_by_quantiles);
    tcase_add_test(c, the_best_of_four);
    tcase_add_test(c, ucb1_by_hand);
    tcase_add_test(c, linucb_knows_where_it_is);
    tcase_add_test(c, linucb_is_paid_the_mean);
    tcase_add_test(c, linucb_keeps_an_inverse);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
