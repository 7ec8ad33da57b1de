// SPDX-License-Identifier: BSD-3-Clause
/* The formulas and the noise against values from an implementation in Python, volumes against lattices. */
#include "base/file.h"
#include "landscape/curve.h"
#include "landscape/landscape.h"
#include "pareto/dominance.h"
#include "pareto/hypervolume.h"
#include "pareto/indicators.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *fixture(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tests/fixtures/landscapes/%s", getenv("PARETORANK_SOURCE_DIR"), name);
    char *text;
    size_t len;
    pr_error_t err;
    ck_assert_msg(pr_file_read_text(path, 0, &text, &len, &err) == PR_OK, "%s", err.text);
    return text;
}

/* name,K,w_0..,f_0.. */
static void check_values(const char *line, const pr_landscape_t *l)
{
    double w[PR_MAX_OBJECTIVES] = {0}, want[PR_MAX_OBJECTIVES] = {0}, f[PR_MAX_OBJECTIVES] = {0};
    char *end = strchr(line, ',');
    int k = (int)strtol(end + 1, &end, 10);
    for (int j = 0; j < 2 * k; j++)
        (j < k ? w : want)[j % k] = strtod(end + 1, &end);
    ck_assert_int_eq(*end, 0);
    l->at(w, k, f);
    for (int j = 0; j < k; j++)
        ck_assert_msg(fabs(f[j] - want[j]) <= 1e-12, "%.40s: objective %d is %.17g, expected %.17g", line, j, f[j],
                      want[j]);
}

/* noise,seed,point,objective,z */
static void check_noise(const char *line)
{
    char *end = strchr(line, ',');
    uint64_t seed = strtoull(end + 1, &end, 10), i = strtoull(end + 1, &end, 10);
    int k = (int)strtol(end + 1, &end, 10);
    ck_assert_double_eq_tol(pr_landscape_noise(seed, i, k), strtod(end + 1, &end), 1e-12);
}

START_TEST(values_and_noise_are_those_of_the_formulas)
{
    char *text = fixture("check.txt"), *rest = text;
    int values = 0, noise = 0;
    for (char *line = strtok_r(rest, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (line[0] == '#')
            continue;
        char name[32];
        ck_assert_int_eq(sscanf(line, "%31[^,]", name), 1);
        const pr_landscape_t *l = pr_landscape_find(name);
        if (l)
            check_values(line, l);
        else
            check_noise(line);
        *(l ? &values : &noise) += 1;
    }
    int n;
    pr_landscapes(&n);
    ck_assert_int_eq(n, 10);
    ck_assert_int_eq(values, 12 * n);
    ck_assert_int_eq(noise, 5);
    free(text);
}
END_TEST

START_TEST(names)
{
    int n;
    const pr_landscape_t *all = pr_landscapes(&n);
    const char *words = PR_LANDSCAPE_WORDS;
    for (int i = 0; i < n; i++) {
        ck_assert_ptr_eq(pr_landscape_find(all[i].name), &all[i]);
        ck_assert(strncmp(words, all[i].name, strlen(all[i].name)) == 0);
        words += strlen(all[i].name) + 1;
    }
    ck_assert_ptr_null(pr_landscape_find("bumps"));
}
END_TEST

START_TEST(volumes_are_those_of_fine_lattices)
{
    enum { M = 4000 };
    static const double zero[3] = {0};
    int n;
    const pr_landscape_t *all = pr_landscapes(&n);
    double *f = malloc((M + 1) * 4 * sizeof *f);
    for (int i = 0; i < n; i++) {
        double known, se;
        size_t at = 0;
        for (int a = 0; a <= M; a++)
            all[i].at((const double[]){(double)a / M, 1 - (double)a / M}, 2, f + 2 * a);
        ck_assert(pr_landscape_volume(&all[i], 2, &known, &se));
        double found = pr_hypervolume(f, M + 1, 2, zero);
        ck_assert_msg(found <= known * (1 + 1e-9) && found > 0.998 * known, "%s: %g, %g", all[i].name, found, known);
        for (int a = 0; a <= 88; a++)
            for (int b = 0; a + b <= 88; b++)
                all[i].at((const double[]){a / 88.0, b / 88.0, (88 - a - b) / 88.0}, 3, f + 3 * at++);
        ck_assert(pr_landscape_volume(&all[i], 3, &known, &se));
        found = pr_hypervolume(f, at, 3, zero);
        ck_assert_msg(found <= known * (1 + 1e-9) && found > 0.94 * known, "%s: %g, %g", all[i].name, found, known);
    }
    free(f);
}
END_TEST

START_TEST(volumes_are_known_for_five_numbers_of_objectives)
{
    int n;
    const pr_landscape_t *all = pr_landscapes(&n);
    for (int i = 0; i < n; i++)
        for (int k = 2; k <= PR_MAX_OBJECTIVES; k++) {
            double volume = 0, se = -1;
            bool known = k == 2 || k == 3 || k == 5 || k == 8 || k == 16;
            ck_assert_int_eq(pr_landscape_volume(&all[i], k, &volume, &se), known);
            ck_assert(!known || (volume > 0 && volume < 1 && se >= 0 && se < 0.15 * volume));
        }
}
END_TEST

START_TEST(fronts_are_the_same_every_time)
{
    double *front, *again;
    const pr_landscape_t *l = pr_landscape_find("ridge");
    size_t n = pr_landscape_front(l, 4, &front);
    ck_assert_uint_eq(pr_landscape_front(l, 4, &again), n);
    ck_assert_mem_eq(front, again, n * 4 * sizeof *front);
    free(front);
    free(again);
}
END_TEST

/* A sample of a front holds much of its volume: with some hundred points, the less the more objectives. */
START_TEST(fronts_hold_the_volume)
{
    static const double zero[PR_MAX_OBJECTIVES] = {0};
    static const struct {
        int k;
        double share;
    } cases[] = {{2, 0.98}, {3, 0.93}, {5, 0.6}};
    int n;
    const pr_landscape_t *all = pr_landscapes(&n);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int i = 0; i < n; i++) {
            double *front, known, se;
            int k = cases[c].k;
            size_t size = pr_landscape_front(&all[i], k, &front);
            bool kept[1024];
            ck_assert_uint_le(size, 1024);
            ck_assert_uint_eq(pr_nondominated(front, size, k, false, kept), size);
            pr_landscape_volume(&all[i], k, &known, &se);
            double share = pr_hypervolume(front, size, k, zero) / known;
            ck_assert_msg(share > cases[c].share && share < 1.01, "%s, %d objectives: %g of %zu points", all[i].name, k,
                          share, size);
            free(front);
        }
}
END_TEST

START_TEST(curves_are_the_indicators_of_every_beginning)
{
    enum { N = 40, K = 4 };
    static const double zero[K] = {0};
    const pr_landscape_t *l = pr_landscape_find("multimodal");
    double f[N * K], hv[N], igd[N], *front;
    for (uint64_t i = 0; i < N; i++) {
        double w[K], sum = 0;
        for (int j = 0; j < K; j++)
            sum += w[j] = fabs(pr_landscape_noise(3, i, j));
        for (int j = 0; j < K; j++)
            w[j] /= sum;
        l->at(w, K, f + i * K);
    }
    f[5 * K] = -1;    // adds nothing
    f[7 * K + 1] = 0; // nor does this one
    memcpy(f + 9 * K, f + 8 * K, K * sizeof *f);
    size_t n_front = pr_landscape_front(l, K, &front);
    ck_assert_int_eq(pr_curve_hypervolume(f, N, K, hv), PR_HV_EXACT);
    pr_curve_igd_plus(f, N, front, n_front, K, igd);
    for (size_t i = 0; i < N; i++) {
        ck_assert_double_eq_tol(hv[i], pr_hypervolume(f, i + 1, K, zero), 1e-12);
        ck_assert_double_eq_tol(igd[i], pr_igd_plus(f, i + 1, front, n_front, K), 1e-12);
    }
    ck_assert_double_gt(hv[N - 1], hv[0]);
    ck_assert_double_eq(hv[4], hv[5]);
    free(front);
}
END_TEST

START_TEST(curves_of_many_objectives_are_sampled)
{
    enum { N = 120, K = 16 };
    static const double zero[K] = {0};
    const pr_landscape_t *l = pr_landscape_find("concave");
    double *f = malloc(N * K * sizeof *f), hv[N];
    for (uint64_t i = 0; i < N; i++) {
        double w[K], sum = 0;
        for (int j = 0; j < K; j++)
            sum += w[j] = fabs(pr_landscape_noise(4, i, j));
        for (int j = 0; j < K; j++)
            w[j] /= sum;
        l->at(w, K, f + i * K);
    }
    ck_assert_int_ne(pr_curve_hypervolume(f, N, K, hv), PR_HV_EXACT);
    for (size_t i = 1; i < N; i++)
        ck_assert_double_ge(hv[i], hv[i - 1] * (1 - 1e-12));
    for (size_t i = 9; i < 40; i++)
        ck_assert_double_eq_tol(hv[i] / pr_hypervolume(f, i + 1, K, zero), 1, 1e-9);
    pr_hv_estimate_t whole;
    ck_assert(pr_hv_estimate(f, N, K, zero, 0.001, INFINITY, NULL, NULL, &whole));
    ck_assert_double_eq_tol(hv[N - 1] / whole.volume, 1, 0.004);
    free(f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("landscape");
    TCase *tests = tcase_create("landscape");
    tcase_add_test(tests, values_and_noise_are_those_of_the_formulas);
    tcase_add_test(tests, names);
    tcase_add_test(tests, volumes_are_those_of_fine_lattices);
    tcase_add_test(tests, volumes_are_known_for_five_numbers_of_objectives);
    tcase_add_test(tests, fronts_are_the_same_every_time);
    tcase_add_test(tests, fronts_hold_the_volume);
    tcase_add_test(tests, curves_are_the_indicators_of_every_beginning);
    tcase_add_test(tests, curves_of_many_objectives_are_sampled);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
