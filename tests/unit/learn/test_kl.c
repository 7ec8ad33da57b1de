// SPDX-License-Identifier: BSD-3-Clause
/* What a step climbs, on a policy that is a table: every group of samples that can be drawn, weighted with its
 * probability, is given to the advantages and losses of a step. The mean gradient is that of the documented objective,
 * and where it is 0 the policy is the optimum known in closed form.
 *
 * A response is one token, when the first is token 0, or two. Logits are theta[0] of the first token, theta[1 + a] of
 * the second after first token a. */
#include "base/mem.h"
#include "learn/algorithm.h"
#include "learn/loss.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { V = 3, ROWS = V, N_PARAM = ROWS * V, N_RESPONSE = 1 + (V - 1) * V };

typedef struct table {
    double row[ROWS][V]; // [0] the first token; [a] the second after a
} table_t;

typedef struct world {
    table_t base;
    double reward[N_RESPONSE];
    double beta, eta; // weights of KL and entropy
    const pr_algorithm_t *algorithm;
    pr_kl_t estimator;
    bool token_norm;
} world_t;

static double noise(int i)
{
    return sin(12.9898 * i) * 1.3;
}

static table_t softmax(const double *theta)
{
    table_t t;
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int v = 0; v < V; v++)
            sum += t.row[r][v] = exp(theta[r * V + v]);
        for (int v = 0; v < V; v++)
            t.row[r][v] /= sum;
    }
    return t;
}

static void some_theta(int seed, double *theta)
{
    for (int i = 0; i < N_PARAM; i++)
        theta[i] = noise(i + 100 * seed);
}

// In the order of help: rloo, scst, grpo.
static const pr_algorithm_t *algorithm_of(int i)
{
    size_t n;
    const pr_algorithm_t *const *all = pr_algorithms(&n);
    ck_assert_uint_ge(n, 3);
    for (size_t j = 0; j < n; j++) // the others take the KL in another way: test_critic.c
        ck_assert_int_eq(all[j]->kl_advantages != NULL, j < 3);
    return all[i];
}

static world_t some_world(const pr_algorithm_t *algorithm, pr_kl_t estimator)
{
    world_t w = {.beta = 0.7, .algorithm = algorithm, .estimator = estimator};
    double theta[N_PARAM];
    some_theta(5, theta);
    w.base = softmax(theta);
    for (int y = 0; y < N_RESPONSE; y++)
        w.reward[y] = noise(300 + y);
    return w;
}

// The tokens of response y: a (and b); the rows that they are drawn from are 0 and a.
static int tokens_of(int y, int token[2])
{
    token[0] = y == 0 ? 0 : 1 + (y - 1) / V;
    token[1] = (y - 1) % V;
    return y == 0 ? 1 : 2;
}

static int row_of(const int *token, int t)
{
    return t == 0 ? 0 : token[0];
}

static double log_probability(const table_t *p, int y)
{
    int token[2], n = tokens_of(y, token);
    double lp = 0;
    for (int t = 0; t < n; t++)
        lp += log(p->row[row_of(token, t)][token[t]]);
    return lp;
}

static double entropy_of(const double *p)
{
    double h = 0;
    for (int v = 0; v < V; v++)
        h -= p[v] * log(p[v]);
    return h;
}

/* ---- what the code does with one group ---- */

// The gradient by theta of -loss at these k responses, added to sum with this weight.
static void add_group(const world_t *w, const table_t *p, int k, const int *y, double weight, double *sum)
{
    double reward[8], divergence[8], advantage[8], share = w->algorithm->share(k);
    int tokens = 0, token[2];
    for (int i = 0; i < k; i++) {
        reward[i] = w->reward[y[i]];
        divergence[i] = log_probability(p, y[i]) - log_probability(&w->base, y[i]);
        tokens += tokens_of(y[i], token);
    }
    w->algorithm->advantages(k, reward, advantage);
    if (w->estimator == PR_KL_K1)
        w->algorithm->kl_advantages(k, w->beta, divergence, advantage);
    for (int i = 0; i < k; i++) {
        int n = tokens_of(y[i], token);
        for (int t = 0; t < n; t++) {
            const double *row = p->row[row_of(token, t)], h = entropy_of(row);
            double lp = log(row[token[t]]), ref = log(w->base.row[row_of(token, t)][token[t]]), by_lp, by_h;
            pr_token_loss_t l = {advantage[i], 1.0 / (w->token_norm ? tokens : k), w->estimator, share * w->beta,
                                 share * w->eta};
            pr_token_loss(&l, lp, ref, h, &by_lp, &by_h);
            for (int v = 0; v < V; v++)
                sum[row_of(token, t) * V + v] -=
                    weight * (by_lp * ((v == token[t]) - row[v]) - by_h * row[v] * (log(row[v]) + h));
        }
    }
}

static void mean_gradient(const world_t *w, const table_t *p, int k, double *sum)
{
    int y[8] = {0};
    memset(sum, 0, N_PARAM * sizeof *sum);
    for (bool more = true; more;) {
        double lp = 0;
        for (int i = 0; i < k; i++)
            lp += log_probability(p, y[i]);
        add_group(w, p, k, y, exp(lp), sum);
        int i = 0;
        while (i < k && ++y[i] == N_RESPONSE)
            y[i++] = 0;
        more = i < k;
    }
}

/* ---- what is documented, at a policy q whose prefixes are those of p ---- */

static double kl_row(const double *p, const double *q)
{
    double kl = 0;
    for (int v = 0; v < V; v++)
        kl += p[v] * log(p[v] / q[v]);
    return kl;
}

static double documented(const world_t *w, const table_t *p, const table_t *q)
{
    double sum = 0;
    for (int y = 0; y < N_RESPONSE; y++) {
        double lq = log_probability(q, y);
        sum += exp(lq) * w->reward[y];
        if (w->estimator == PR_KL_K1)
            sum -= w->beta * exp(lq) * (lq - log_probability(&w->base, y));
    }
    for (int r = 0; r < ROWS; r++) {
        double reached = r == 0 ? 1 : p->row[0][r]; // the prefix, as drawn
        if (w->estimator == PR_KL_K2)
            sum -= w->beta * reached * kl_row(q->row[r], w->base.row[r]);
        if (w->estimator == PR_KL_K3)
            sum -= w->beta * reached * kl_row(w->base.row[r], q->row[r]);
        sum += w->eta * reached * entropy_of(q->row[r]);
    }
    return sum;
}

static void documented_gradient(const world_t *w, const double *theta, double *grad)
{
    const double h = 1e-5;
    table_t p = softmax(theta);
    double moved[N_PARAM];
    memcpy(moved, theta, sizeof moved);
    for (int i = 0; i < N_PARAM; i++) {
        moved[i] = theta[i] + h;
        table_t up = softmax(moved);
        moved[i] = theta[i] - h;
        table_t down = softmax(moved);
        moved[i] = theta[i];
        grad[i] = (documented(w, &p, &up) - documented(w, &p, &down)) / (2 * h);
    }
}

static void same_gradient(const double *a, const double *b)
{
    for (int i = 0; i < N_PARAM; i++)
        ck_assert_double_eq_tol(a[i], b[i], 1e-8);
}

/* ---- the mean gradient ---- */

/* _i: algorithm and estimator. Responses of unequal length, groups of 2 and 3, KL and entropy at once. */
START_TEST(mean_gradients)
{
    world_t w = some_world(algorithm_of(_i / 3), (pr_kl_t)(_i % 3));
    double theta[N_PARAM], mean[N_PARAM], expected[N_PARAM];
    some_theta(1, theta);
    w.eta = 0.4;
    table_t p = softmax(theta);
    for (int k = 2; k <= 3; k++) {
        // grpo: rewards all equal: what is left is the KL and the entropy, in nats.
        for (int y = 0; y < N_RESPONSE && w.algorithm == &pr_algorithm_grpo; y++)
            w.reward[y] = 3;
        mean_gradient(&w, &p, k, mean);
        documented_gradient(&w, theta, expected);
        for (int i = 0; i < N_PARAM; i++)
            expected[i] *=
                w.algorithm == &pr_algorithm_scst ? (k - 1.0) / k : 1; // its baseline holds the response itself
        same_gradient(mean, expected);
    }
}
END_TEST

/* grpo's deviation is that of the rewards: the KL's part of an advantage is the same whatever the rewards are. */
START_TEST(the_kl_is_not_divided_by_the_rewards_deviation)
{
    const double rewards[3][3] = {{0, 0, 0}, {1, 0, 0}, {1e4, -3e4, 7}}, divergence[] = {0.5, 2, -1};
    const double expected[] = {-0.2 * (0.5 - 0.5), -0.2 * (2 + 0.25), -0.2 * (-1 - 1.25)};
    for (int i = 0; i < 3; i++) {
        double a[3], b[3];
        pr_algorithm_grpo.advantages(3, rewards[i], a);
        memcpy(b, a, sizeof b);
        pr_algorithm_grpo.kl_advantages(3, 0.2, divergence, b);
        for (int j = 0; j < 3; j++)
            ck_assert_double_eq_tol(b[j] - a[j], expected[j], 1e-12);
    }
}
END_TEST

/* In the reward means: the same advantages as of rewards r - beta divergence. */
START_TEST(k1_is_in_the_reward)
{
    const double r[] = {1, 2, 6, 0.5, 0.5, 0.5}, d[] = {0.1, 0, -2, 1, 2, 3};
    for (int n = 0; n < 2; n++) {
        const pr_algorithm_t *m = algorithm_of(n);
        double less[6], a[6], b[6];
        for (int i = 0; i < 6; i++)
            less[i] = r[i] - 0.3 * d[i];
        for (int g = 0; g < 6; g += 3) {
            m->advantages(3, less + g, a + g);
            m->advantages(3, r + g, b + g);
            m->kl_advantages(3, 0.3, d + g, b + g);
        }
        for (int i = 0; i < 6; i++)
            ck_assert_double_eq_tol(a[i], b[i], 1e-12);
    }
}
END_TEST

/* With loss_norm = "token" reward, KL and entropy are divided by the same number, so that beta means the same. */
START_TEST(token_norm_divides_all_alike)
{
    static const int y[] = {0, 4, 2, 0}; // 6 tokens of 4 responses
    for (int estimator = PR_KL_K1; estimator <= PR_KL_K3; estimator++) {
        world_t w = some_world(&pr_algorithm_rloo, (pr_kl_t)estimator);
        double theta[N_PARAM], sequence[N_PARAM] = {0}, token[N_PARAM] = {0};
        w.eta = 0.4;
        some_theta(1, theta);
        table_t p = softmax(theta);
        add_group(&w, &p, 4, y, 1, sequence);
        w.token_norm = true;
        add_group(&w, &p, 4, y, 6.0 / 4, token);
        same_gradient(sequence, token);
    }
}
END_TEST

/* ---- optima ---- */

static void climb(const world_t *w, double *theta)
{
    double grad[N_PARAM], largest;
    int steps = 0;
    do {
        table_t p = softmax(theta);
        mean_gradient(w, &p, 2, grad);
        largest = 0;
        for (int i = 0; i < N_PARAM; i++) {
            theta[i] += 1.5 * grad[i];
            largest = fmax(largest, fabs(grad[i]));
        }
    } while (largest > 1e-10 && ++steps < 200000);
    ck_assert_double_lt(largest, 1e-9);
}

// p [V] of base [V] and gain [V] that maximises sum p gain - beta KL: value log sum base e^(gain / beta), times beta.
static double tilted(const double *base, const double *gain, double beta, double *p)
{
    double sum = 0;
    for (int v = 0; v < V; v++)
        sum += p[v] = base[v] * exp(gain[v] / beta);
    for (int v = 0; v < V; v++)
        p[v] /= sum;
    return beta * log(sum);
}

// p [V] that maximises sum p gain - beta KL(base || p): p = beta base / (lambda - gain), lambda by bisection.
static double covering(const double *base, const double *gain, double beta, double *p)
{
    double low = -INFINITY, high;
    for (int v = 0; v < V; v++)
        low = fmax(low, gain[v]);
    high = low + beta;
    for (int i = 0; i < 200; i++) {
        double lambda = (low + high) / 2, sum = 0;
        for (int v = 0; v < V; v++)
            sum += p[v] = beta * base[v] / (lambda - gain[v]);
        *(sum > 1 ? &low : &high) = lambda;
    }
    return 0;
}

/* The optimum of each objective. k1: second tokens, then first ones by what is worth reaching, reward less KL; so that
 * whole responses have base times e^(reward / beta). k2 and k3: first tokens by the mean reward behind them, as their
 * KL does not see where a prefix leads. */
static table_t optimum(const world_t *w)
{
    table_t best = {0};
    double first[V] = {w->reward[0]};
    for (int a = 1; a < V; a++) {
        const double *gain = w->reward + 1 + (a - 1) * V;
        double value = (w->estimator == PR_KL_K3 ? covering : tilted)(w->base.row[a], gain, w->beta, best.row[a]);
        for (int v = 0; v < V; v++)
            first[a] += best.row[a][v] * gain[v];
        if (w->estimator == PR_KL_K1)
            first[a] = value;
    }
    (w->estimator == PR_KL_K3 ? covering : tilted)(w->base.row[0], first, w->beta, best.row[0]);
    return best;
}

START_TEST(optima)
{
    world_t w = some_world(algorithm_of(_i / 3), (pr_kl_t)(_i % 3));
    double theta[N_PARAM];
    some_theta(1, theta);
    climb(&w, theta);
    table_t found = softmax(theta), best = optimum(&w); // the same for scst: reward and KL have the same share
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < V; v++)
            ck_assert_double_eq_tol(found.row[r][v], best.row[r][v], 1e-7);
    if (w.estimator == PR_KL_K1) { // the known form, of whole responses
        double all = 0;
        for (int y = 0; y < N_RESPONSE; y++)
            all += exp(log_probability(&w.base, y) + w.reward[y] / w.beta);
        for (int y = 0; y < N_RESPONSE; y++)
            ck_assert_double_eq_tol(exp(log_probability(&found, y)),
                                    exp(log_probability(&w.base, y) + w.reward[y] / w.beta) / all, 1e-7);
    }
}
END_TEST

/* One token, three of ten rewarded that the base model gives 0.326, beta 0.1: 0.9999 with KL(policy || base), 0.9348
 * with KL(base || policy). */
START_TEST(a_rewarded_token_with_either_kl)
{
    const double p0 = 0.326, gain[] = {1, 0, 0}, base[] = {p0, 0.5, 1 - p0 - 0.5};
    double p[V];
    tilted(base, gain, 0.1, p);
    ck_assert_double_eq_tol(p[0], p0 * exp(10) / (p0 * exp(10) + 1 - p0), 1e-12);
    ck_assert_double_gt(p[0], 0.9999);
    covering(base, gain, 0.1, p);
    ck_assert_double_eq_tol(p[0], 0.9348, 2e-4); // 0.326 is rounded
}
END_TEST

/* ---- the figure ---- */

// The estimate from n tokens drawn from p [V] in equal strides of the cumulative distribution.
static double estimate(const double *p, const double *base, int n, bool nucleus)
{
    pr_kl_mean_t m = {0};
    for (int i = 0; i < n; i++) {
        double u = (i + 0.5) / n, sum = 0;
        int v = 0;
        while (v < V - 1 && (sum += p[v]) < u)
            v++;
        pr_kl_mean_add(&m, log(p[v]), log(base[v]));
    }
    return pr_kl_mean_of(&m, nucleus);
}

/* Near the base model, far from it with a token that is hardly ever drawn, and of a distribution without a token. */
START_TEST(the_figure)
{
    const double base[] = {0.326, 0.474, 0.2}, near[] = {0.33, 0.469, 0.201}, far[] = {0.9999, 0.00005, 0.00005};
    const double cut[] = {0.4, 0.6, 0};
    ck_assert_double_eq_tol(estimate(near, base, 100, false), kl_row(near, base), 2e-6);
    ck_assert_double_eq_tol(estimate(far, base, 100, false), kl_row(far, base), 2e-3); // no other token is drawn
    ck_assert_double_eq_tol(estimate(far, base, 100000, false), kl_row(far, base), 1e-9);
    ck_assert_double_eq_tol(estimate(cut, base, 100, true), 0.4 * log(0.4 / 0.326) + 0.6 * log(0.6 / 0.474), 1e-9);
    ck_assert_double_eq(estimate(base, base, 100, false), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kl");
    TCase *c = tcase_create("kl");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, mean_gradients, 0, 9);
    tcase_add_test(c, the_kl_is_not_divided_by_the_rewards_deviation);
    tcase_add_test(c, k1_is_in_the_reward);
    tcase_add_test(c, token_norm_divides_all_alike);
    tcase_add_loop_test(c, optima, 0, 6); // grpo's rewards have units of their own
    tcase_add_test(c, a_rewarded_token_with_either_kl);
    tcase_add_test(c, the_figure);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
