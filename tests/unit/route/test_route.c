// SPDX-License-Identifier: BSD-3-Clause
/* Routes: regressions against what made the scores, choices, what there is to gain, files. */
#include "base/mem.h"
#include "base/rng.h"
#include "route/components.h"
#include "route/linucb.h"
#include "route/route.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K = 2, POINTS = 3, D = 6, N = 200 };
static const double weight[POINTS * K] = {1, 0, 0.5, 0.5, 0, 1};

typedef struct made {
    double feature[N * D], score[N * POINTS * K], theta[POINTS * K * D];
    pr_route_data_t data;
} made_t;

/* Scores that are linear in features, and noise. */
static made_t *linear(double noise)
{
    made_t *m = pr_alloc(1, sizeof *m);
    pr_rng_key_t key = pr_rng_key(3, "route", "");
    for (int i = 0; i < POINTS * K * D; i++)
        m->theta[i] = pr_rng_normal(&key, (uint64_t)i, 0, 0, 0);
    for (int i = 0; i < N * D; i++)
        m->feature[i] = 2 + pr_rng_normal(&key, (uint64_t)i, 1, 0, 0);
    for (int i = 0; i < N; i++)
        for (int y = 0; y < POINTS * K; y++) {
            double *s = &m->score[i * POINTS * K + y];
            *s = 0.3 * y + noise * pr_rng_normal(&key, (uint64_t)i, 2, (uint64_t)y, 0);
            for (int j = 0; j < D; j++)
                *s += m->theta[y * D + j] * m->feature[i * D + j];
        }
    m->data = (pr_route_data_t){N, K, POINTS, D, weight, m->feature, m->score, 1, 0};
    return m;
}

static double utility(const made_t *m, int prompt, int point, const double *w)
{
    double sum = 0;
    for (int k = 0; k < K; k++)
        sum += w[k] * m->score[(prompt * POINTS + point) * K + k];
    return sum;
}

static pr_route_t *fit(pr_route_data_t *data, double ridge)
{
    pr_route_t *r = NULL;
    pr_error_t err;
    data->ridge = ridge;
    ck_assert_msg(pr_route_fit(pr_team_local(), data, &r, &err) == PR_OK, "%s", err.text);
    return r;
}

/* Without noise and ridge the regressions are what made the scores, and the choice is the best of every prompt. */
START_TEST(exact)
{
    made_t *m = linear(0);
    pr_route_t *r = fit(&m->data, 1e-9);
    for (int i = 0; i < POINTS * K * D; i++)
        ck_assert_double_eq_tol(r->theta[i], m->theta[i], 1e-6);
    for (int x = 0; x <= 10; x++) {
        const double w[K] = {x / 10.0, 1 - x / 10.0};
        for (int i = 0; i < N; i++) {
            int chosen = pr_route_choose(r, w, m->feature + i * D);
            for (int a = 0; a < POINTS; a++)
                ck_assert_double_ge(utility(m, i, chosen, w), utility(m, i, a, w) - 1e-6);
        }
    }
    pr_route_free(&r);
    free(m);
}
END_TEST

/* The ridge's normal equations hold: X'(y - X theta) = n ridge tr(C)/d theta. */
START_TEST(normal_equations)
{
    made_t *m = linear(1);
    const double ridge = 0.7;
    pr_route_t *r = fit(&m->data, ridge);
    double trace = 0;
    for (int i = 0; i < N * D; i++)
        trace += pow(m->feature[i] - r->mean[i % D], 2) / N;
    for (int y = 0; y < POINTS * K; y++)
        for (int j = 0; j < D; j++) {
            double sum = 0;
            for (int i = 0; i < N; i++) {
                double off = m->score[i * POINTS * K + y] - r->level[y];
                for (int l = 0; l < D; l++)
                    off -= r->theta[y * D + l] * (m->feature[i * D + l] - r->mean[l]);
                sum += off * (m->feature[i * D + j] - r->mean[j]);
            }
            ck_assert_double_eq_tol(sum, N * ridge * trace / D * r->theta[y * D + j], 1e-8 * N);
        }
    pr_route_free(&r);
    free(m);
}
END_TEST

/* Prompts that are all alike: the best fixed point, and nothing to gain. */
START_TEST(alike)
{
    made_t *m = linear(0);
    pr_route_gain_t g;
    const double w[K] = {0.25, 0.75};
    for (int i = 1; i < N; i++) {
        memcpy(m->feature + i * D, m->feature, D * sizeof *m->feature);
        memcpy(m->score + i * POINTS * K, m->score, POINTS * K * sizeof *m->score);
    }
    ck_assert_int_eq(pr_route_measure(pr_team_local(), &m->data, w, &g, NULL), PR_OK);
    ck_assert_double_eq_tol(g.headroom, 0, 1e-12);
    ck_assert_double_eq_tol(g.gain, 0, 1e-12);
    pr_route_t *r = fit(&m->data, 1);
    int chosen = pr_route_choose(r, w, m->feature);
    for (int a = 0; a < POINTS; a++)
        ck_assert_double_ge(utility(m, 0, chosen, w), utility(m, 0, a, w));
    pr_route_free(&r);
    free(m);
}
END_TEST

/* Two clusters with opposite best points: the choice tells them apart, and gains half of what separates them. Scores that
 * have nothing to do with the features gain nothing on prompts that were not seen, whatever headroom their noise seems to
 * leave. */
START_TEST(clusters)
{
    made_t *m = linear(0);
    pr_rng_key_t key = pr_rng_key(4, "cluster", "");
    pr_route_gain_t g;
    const double w[K] = {1, 0};
    for (int noise = 0; noise < 2; noise++) {
        for (int i = 0; i < N; i++)
            for (int a = 0; a < POINTS; a++) {
                bool first = pr_rng_below(&key, 2, (uint64_t)i, 0, 0, 0) == 0;
                double *s = m->score + (i * POINTS + a) * K;
                s[0] = noise    ? pr_rng_normal(&key, (uint64_t)i, (uint64_t)a, 1, 0)
                       : a == 1 ? 0.1
                                : a == (first ? 0 : 2);
                s[1] = 0;
                m->feature[i * D] = first ? -1 : 1;
            }
        ck_assert_int_eq(pr_route_measure(pr_team_local(), &m->data, w, &g, NULL), PR_OK);
        ck_assert_double_gt(g.headroom, noise ? 0.5 : 0.4);
        if (noise)
            ck_assert_double_lt(g.gain, 2.5 * g.gain_se);
        else
            ck_assert_double_ge(g.gain, g.headroom - 0.02); // or more, where another fold's fixed point is a worse one
    }
    free(m);
}
END_TEST

/* Components are orthonormal, in the order of the variance that they hold; where scores follow the leading one alone, one
 * is enough. */
START_TEST(components)
{
    made_t *m = linear(0);
    double x[N * D], v[D * D], z[N * D], mean[D] = {0}, before = 0;
    for (int i = 0; i < N * D; i++)
        m->feature[i] *= i % D == 2 ? 10 : 1;
    for (int i = 0; i < N * D; i++)
        mean[i % D] += m->feature[i] / N;
    for (int i = 0; i < N * D; i++)
        x[i] = m->feature[i] - mean[i % D];
    ck_assert_int_eq(pr_components(N, D, x, D - 1, v, NULL), PR_OK);
    pr_components_of(N, D, x, D - 1, v, z);
    for (int p = 0; p < D - 1; p++) {
        double variance = 0;
        for (int q = 0; q <= p; q++) {
            double dot = 0;
            for (int j = 0; j < D; j++)
                dot += v[p * D + j] * v[q * D + j];
            ck_assert_double_eq_tol(dot, p == q, 1e-10);
        }
        for (int i = 0; i < N; i++)
            variance += z[i * (D - 1) + p] * z[i * (D - 1) + p];
        ck_assert_double_ge(variance, before);
        before = variance;
    }
    for (int i = 0; i < N * POINTS * K; i++)
        m->score[i] = (i % (POINTS * K)) * x[i / (POINTS * K) * D + 2];
    m->data.components = 1;
    pr_route_t *r = fit(&m->data, 1e-9);
    for (int y = 0; y < POINTS * K; y++)
        ck_assert_double_eq_tol(r->theta[y * D + 2], y, 0.05 * (1 + y));
    pr_route_free(&r);
    free(m);
}
END_TEST

/* The regressions are those of the ridge's normal equations, and the regret of T rounds grows about as the root of T. */
START_TEST(linucb)
{
    enum { P = 4, ARMS = 3, ROUNDS = 4000 };
    pr_rng_key_t key = pr_rng_key(9, "linucb", "");
    double theta[ARMS * K * P], regret = 0, quarter = 0, a[P * P] = {0}, b[P] = {0};
    pr_linucb_t *l = pr_linucb_new(ARMS, K, P, 2, 1);
    for (int i = 0; i < ARMS * K * P; i++)
        theta[i] = pr_rng_normal(&key, (uint64_t)i, 0, 0, 0);
    for (int i = 0; i < P; i++)
        a[i * P + i] = 2;
    for (int t = 0; t < ROUNDS; t++) {
        double z[P], r[K] = {0}, best = -INFINITY, own = 0, u = pr_rng_uniform(&key, (uint64_t)t, 1, 0, 0);
        const double w[K] = {u, 1 - u};
        for (int j = 0; j < P; j++)
            z[j] = pr_rng_normal(&key, (uint64_t)t, 2, (uint64_t)j, 0);
        int arm = pr_linucb_choose(l, w, z);
        for (int x = 0; x < ARMS; x++) {
            double value = 0;
            for (int k = 0; k < K; k++)
                for (int j = 0; j < P; j++)
                    value += w[k] * theta[(x * K + k) * P + j] * z[j];
            best = fmax(best, value);
            own = x == arm ? value : own;
        }
        regret += best - own;
        quarter = t == ROUNDS / 4 - 1 ? regret : quarter;
        for (int k = 0; k < K; k++) {
            for (int j = 0; j < P; j++)
                r[k] += theta[(arm * K + k) * P + j] * z[j];
            r[k] += 0.5 * pr_rng_normal(&key, (uint64_t)t, 3, (uint64_t)k, 0);
        }
        for (int i = 0; arm == 1 && i < P; i++) {
            b[i] += r[0] * z[i];
            for (int j = 0; j < P; j++)
                a[i * P + j] += z[i] * z[j];
        }
        pr_linucb_learn(l, arm, z, r);
    }
    ck_assert_double_lt(regret, 2.4 * quarter); // of four times the rounds: 2, where it is the root
    double fitted[P];
    pr_linucb_theta(l, 1, 0, fitted);
    for (int i = 0; i < P; i++) {
        double sum = -b[i];
        for (int j = 0; j < P; j++)
            sum += a[i * P + j] * fitted[j];
        ck_assert_double_eq_tol(sum, 0, 1e-6 * ROUNDS);
    }
    pr_linucb_free(&l);
}
END_TEST

START_TEST(files)
{
    char path[] = "/tmp/pr-route-XXXXXX", command[128];
    int fd = mkstemp(path);
    made_t *m = linear(1);
    pr_route_t *r = fit(&m->data, 1), *again = NULL;
    pr_error_t err;
    r->about = json_pack("{s:i}", "prompts", N);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pr_route_write(path, r, NULL), PR_OK);
    ck_assert_msg(pr_route_read(path, &again, &err) == PR_OK, "%s", err.text);
    ck_assert(again->k == K && again->points == POINTS && again->d == D);
    for (int i = 0; i < POINTS * K; i++)
        ck_assert(again->weight[i] == weight[i]);
    for (int i = 0; i < POINTS * K * D; i++)
        ck_assert(again->theta[i] == (double)(float)r->theta[i]);
    pr_route_free(&again);
    snprintf(command, sizeof command, "truncate -s -4 %s", path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(pr_route_read(path, &again, &err), PR_ERR_FORMAT);
    pr_route_free(&r);
    free(m);
    remove(path);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("route");
    TCase *t = tcase_create("all");
    tcase_add_test(t, exact);
    tcase_add_test(t, normal_equations);
    tcase_add_test(t, alike);
    tcase_add_test(t, clusters);
    tcase_add_test(t, components);
    tcase_add_test(t, linucb);
    tcase_add_test(t, files);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
