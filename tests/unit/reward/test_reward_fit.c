// SPDX-License-Identifier: BSD-3-Clause
/* Linear reward heads against equations written out and solved by elimination in long double. */
#include "reward_samples.h"

#include <check.h>
#include <stdio.h>

/* a [n,n], b [n] -> solution in b; with pivoting. */
static void eliminate(long double *a, long double *b, int n)
{
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k; i < n; i++)
            best = fabsl(a[i * n + k]) > fabsl(a[best * n + k]) ? i : best;
        for (int j = 0; j < n; j++) {
            long double keep = a[k * n + j];
            a[k * n + j] = a[best * n + j];
            a[best * n + j] = keep;
        }
        long double keep = b[k];
        b[k] = b[best];
        b[best] = keep;
        for (int i = k + 1; i < n; i++) {
            long double f = a[i * n + k] / a[k * n + k];
            for (int j = k; j < n; j++)
                a[i * n + j] -= f * a[k * n + j];
            b[i] -= f * b[k];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++)
            b[i] -= a[i * n + j] * b[j];
        b[i] /= a[i * n + i];
    }
}

/* The penalised normal equations with a coordinate for the intercept. */
static void ridge_by_hand(const samples_t *s, double ridge, double *w)
{
    int m = s->d + 1;
    long double *a = pr_alloc((size_t)(m * m), sizeof *a), *b = pr_alloc((size_t)m, sizeof *b);
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < m; j++) {
            long double x = j < s->d ? (long double)s->feature(s->first + i, j) : 1;
            b[j] += x * (long double)s->y[i] / s->n;
            for (int k = 0; k < m; k++)
                a[j * m + k] += x * (k < s->d ? (long double)s->feature(s->first + i, k) : 1) / s->n;
        }
    for (int j = 0; j < s->d; j++)
        a[j * m + j] += (long double)ridge;
    eliminate(a, b, m);
    for (int j = 0; j < m; j++)
        w[j] = (double)b[j];
    free(a);
    free(b);
}

static double labels_loss(const samples_t *s, const double *w, double b)
{
    double sum = 0;
    for (int i = 0; i < s->n; i++) {
        double guess = b;
        for (int j = 0; j < s->d; j++)
            guess += w[j] * s->feature(s->first + i, j);
        sum += pow(s->y[i] - guess, 2);
    }
    return sum / s->n;
}

static void check_labels(int n, int d, double ridge)
{
    samples_t s = samples_new(0, n, d, sample_feature);
    pr_features_t f = samples_features(&s, samples_batches(n) + 1);
    double *w = pr_alloc((size_t)d + 1, sizeof *w), *expected = pr_alloc((size_t)d + 1, sizeof *expected);
    pr_fit_stats_t stats = {0};
    pr_error_t err;
    ck_assert_msg(pr_fit_labels(pr_team_local(), &f, s.y, ridge, w, &w[d], &stats, &err) == PR_OK, "%s", err.text);
    ridge_by_hand(&s, ridge, expected);
    ck_assert_double_le(largest_difference(w, expected, d), 1e-10);
    ck_assert_double_le(fabs(w[d] - expected[d]), 1e-10 * fabs(expected[d]));
    ck_assert_int_eq(stats.n, n);
    ck_assert_int_eq(s.passes, 1);
    double loss = labels_loss(&s, expected, expected[d]);
    ck_assert_double_le(fabs(stats.loss - loss), 1e-9 * loss);
    free(w);
    free(expected);
    free(s.y);
}

START_TEST(labels)
{
    check_labels(60, 12, 0);
    check_labels(60, 12, 0.3);
    check_labels(5, 12, 0.3); // fewer samples than features
    check_labels(8, 1, 0);
    check_labels(SAMPLES_BATCH, 3, 1e-3);
}
END_TEST

/* The gradient of the loss at w by the definition, and the loss itself. */
static double pairs_by_hand(const samples_t *s, double ridge, const double *w, long double *gradient, long double *h)
{
    int d = s->d;
    long double loss = 0;
    memset(gradient, 0, (size_t)d * sizeof *gradient);
    memset(h, 0, (size_t)(d * d) * sizeof *h);
    for (int i = 0; i < s->n; i++) {
        long double m = 0;
        for (int j = 0; j < d; j++)
            m += (long double)w[j] * (long double)s->feature(s->first + i, j);
        long double p = 1 / (1 + expl(-m));
        loss -= logl(p) / s->n;
        for (int j = 0; j < d; j++) {
            gradient[j] += (p - 1) * (long double)s->feature(s->first + i, j) / s->n;
            for (int k = 0; k < d; k++)
                h[j * d + k] += p * (1 - p) * (long double)s->feature(s->first + i, j) *
                                (long double)s->feature(s->first + i, k) / s->n;
        }
    }
    for (int j = 0; j < d; j++) {
        gradient[j] += (long double)ridge * (long double)w[j];
        h[j * d + j] += (long double)ridge;
    }
    return (double)loss;
}

static void check_pairs(int n, int d, double ridge)
{
    samples_t s = samples_new(100, n, d, sample_difference);
    pr_features_t f = samples_features(&s, samples_batches(n));
    double *w = pr_alloc((size_t)d, sizeof *w), *better = pr_alloc((size_t)d, sizeof *better);
    long double *g = pr_alloc((size_t)d, sizeof *g), *h = pr_alloc((size_t)(d * d), sizeof *h);
    pr_fit_stats_t stats = {0};
    pr_error_t err;
    ck_assert_msg(pr_fit_pairs(pr_team_local(), &f, NULL, ridge, w, &stats, &err) == PR_OK, "%s", err.text);
    // The best weights, by Newton steps in long double from there.
    memcpy(better, w, (size_t)d * sizeof *w);
    double loss = 0;
    for (int i = 0; i < 4; i++) {
        loss = pairs_by_hand(&s, ridge, better, g, h);
        eliminate(h, g, d);
        for (int j = 0; j < d; j++)
            better[j] -= (double)g[j];
    }
    for (int j = 0; j < d; j++)
        ck_assert_double_le(fabs((double)g[j]), 1e-15); // or it would not be the best
    ck_assert_double_le(largest_difference(w, better, d), 1e-10);
    ck_assert_double_le(fabs(stats.loss - loss), 1e-12);
    ck_assert_double_lt(stats.loss, 0.66); // of log 2 = 0.693
    ck_assert_int_eq(stats.n, n);
    ck_assert_int_ge(stats.steps, 3);
    free(w);
    free(better);
    free(g);
    free(h);
    free(s.y);
}

START_TEST(pairs)
{
    check_pairs(80, 6, 0);
    check_pairs(80, 6, 0.1);
    check_pairs(20, 30, 1e-3); // can be told apart; the ridge keeps the weights finite
    check_pairs(90, 1, 0);
}
END_TEST

static double always_one(int i, int j)
{
    (void)i, (void)j;
    return 1;
}

/* One feature that is 1 in every pair, and one margin m: the best w solves ridge w = 1 / (1 + exp(w - m)). */
START_TEST(margins)
{
    enum { N = 20 };
    double m[N], w;
    samples_t s = samples_new(0, N, 1, always_one);
    pr_features_t f = samples_features(&s, samples_batches(N));
    pr_fit_stats_t stats;
    pr_fit_figures_t found;
    pr_error_t err;
    static const double margins_[] = {0, 0.5, 3};
    for (size_t k = 0; k < 3; k++) {
        double lo = 0, hi = 100, ridge = 0.1;
        for (int i = 0; i < N; i++)
            m[i] = margins_[k];
        for (int i = 0; i < 200; i++) {
            double mid = (lo + hi) / 2;
            *(ridge * mid < 1 / (1 + exp(mid - m[0])) ? &lo : &hi) = mid;
        }
        ck_assert_msg(pr_fit_pairs(pr_team_local(), &f, m, ridge, &w, &stats, &err) == PR_OK, "%s", err.text);
        ck_assert_double_eq_tol(w, lo, 1e-8);
        ck_assert_double_eq_tol(stats.loss, log1p(exp(m[0] - w)), 1e-10);
        ck_assert_int_eq(pr_check_pairs(pr_team_local(), &f, m, &w, &found, &err), PR_OK);
        ck_assert_double_eq_tol(found.loss, stats.loss, 1e-10);
        ck_assert_double_eq(found.accuracy, 1);
        ck_assert_double_eq(found.base_rate, 0.5);
    }
    free(s.y);
}
END_TEST

START_TEST(figures)
{
    enum { N = 30, D = 4 };
    samples_t s = samples_new(200, N, D, sample_feature), z = samples_new(200, N, D, sample_difference);
    pr_features_t f = samples_features(&s, samples_batches(N)), fz = samples_features(&z, samples_batches(N));
    double w[D] = {0.02, -0.03, 0.05, 0.01}, b = -0.5, mean = 0, spread = 0, right = 0, loss = 0;
    pr_fit_figures_t found;
    pr_error_t err;
    ck_assert_int_eq(pr_check_labels(pr_team_local(), &f, s.y, false, w, b, &found, &err), PR_OK);
    for (int i = 0; i < N; i++)
        mean += s.y[i] / N;
    for (int i = 0; i < N; i++)
        spread += pow(s.y[i] - mean, 2) / N;
    ck_assert_int_eq(found.n, N);
    ck_assert_double_eq_tol(found.rmse, sqrt(labels_loss(&s, w, b)), 1e-12);
    ck_assert_double_eq_tol(found.r2, 1 - labels_loss(&s, w, b) / spread, 1e-11);
    ck_assert(isnan(found.accuracy));
    for (int i = 0; i < N; i++) {
        double guess = b;
        for (int j = 0; j < D; j++)
            guess += w[j] * sample_feature(200 + i, j);
        s.y[i] = i % 3 == 0;
        right += (guess > 0.5) == (i % 3 == 0);
    }
    ck_assert(right > 0 && right < N);
    ck_assert_int_eq(pr_check_labels(pr_team_local(), &f, s.y, true, w, b, &found, &err), PR_OK);
    ck_assert_double_eq_tol(found.accuracy, right / N, 1e-15);
    for (int i = 0; i < N; i++)
        s.y[i] = 0.3;
    ck_assert_int_eq(pr_check_labels(pr_team_local(), &f, s.y, false, w, b, &found, &err), PR_OK);
    ck_assert(isnan(found.r2));
    ck_assert_int_eq(pr_check_pairs(pr_team_local(), &fz, NULL, w, &found, &err), PR_OK);
    right = 0;
    for (int i = 0; i < N; i++) {
        double m = 0;
        for (int j = 0; j < D; j++)
            m += w[j] * sample_difference(200 + i, j);
        right += m > 0;
        loss += log(1 + exp(-m)) / N;
    }
    ck_assert_double_eq_tol(found.accuracy, right / N, 1e-15);
    ck_assert_double_eq_tol(found.loss, loss, 1e-14);
    memset(w, 0, sizeof w);
    ck_assert_int_eq(pr_check_pairs(pr_team_local(), &fz, NULL, w, &found, &err), PR_OK);
    ck_assert_double_eq_tol(found.accuracy, 0.5, 1e-15);
    fz.n_batch = f.n_batch = 0;
    ck_assert_int_eq(pr_check_pairs(pr_team_local(), &fz, NULL, w, &found, &err), PR_OK);
    ck_assert(found.n == 0 && isnan(found.accuracy) && isnan(found.loss));
    ck_assert_int_eq(pr_check_labels(pr_team_local(), &f, s.y, false, w, b, &found, &err), PR_OK);
    ck_assert(found.n == 0 && isnan(found.rmse) && isnan(found.r2));
    free(s.y);
    free(z.y);
}
END_TEST

static double same_feature(int i, int j)
{
    (void)j;
    return sample_feature(i, 0);
}

static double broken_feature(int i, int j)
{
    return i == 11 && j == 1 ? NAN : sample_feature(i, j);
}

/* The text of a fit that must fail as numeric; labels or pairs. */
static void fails(bool of_pairs, int n, int d, double (*feature)(int, int), double ridge, const char *text)
{
    samples_t s = samples_new(0, n, d, feature);
    pr_features_t f = samples_features(&s, samples_batches(n));
    double *w = pr_alloc((size_t)d, sizeof *w), b;
    pr_fit_stats_t stats;
    pr_error_t err = {0};
    pr_status_t status = of_pairs ? pr_fit_pairs(pr_team_local(), &f, NULL, ridge, w, &stats, &err)
                                  : pr_fit_labels(pr_team_local(), &f, s.y, ridge, w, &b, &stats, &err);
    ck_assert_msg(status == PR_ERR_NUMERIC, "%s, not '%s'", err.text, text);
    ck_assert_msg(strstr(err.text, text), "%s, not '%s'", err.text, text);
    // What it says to set is enough.
    double advised = strstr(err.text, "set ridge to ") ? strtod(strstr(err.text, "set ridge to ") + 13, NULL) : 0;
    if (advised > 0 && of_pairs)
        ck_assert_int_eq(pr_fit_pairs(pr_team_local(), &f, NULL, advised, w, &stats, &err), PR_OK);
    else if (advised > 0)
        ck_assert_int_eq(pr_fit_labels(pr_team_local(), &f, s.y, advised, w, &b, &stats, &err), PR_OK);
    free(w);
    free(s.y);
}

START_TEST(equations_without_a_solution)
{
    fails(false, 5, 12, sample_feature, 0, "rcond 0, expected at least 1e-12, with ridge = 0; set ridge to ");
    fails(false, 40, 3, same_feature, 1e-15, "expected at least 1e-12, with ridge = 1e-15; set ridge to ");
    fails(false, 40, 3, broken_feature, 1e-3, "not finite");
    fails(true, 40, 3, broken_feature, 1e-3, "not finite");
    fails(true, 40, 3, same_feature, 0, "set ridge to ");
    fails(true, 20, 10, sample_difference, 0, "told apart without error");
}
END_TEST

START_TEST(nothing_and_failures)
{
    samples_t s = samples_new(0, 20, 3, sample_feature);
    pr_features_t f = samples_features(&s, 0);
    double w[3], b;
    pr_fit_stats_t stats;
    pr_error_t err;
    ck_assert_int_eq(pr_fit_labels(pr_team_local(), &f, s.y, 1, w, &b, &stats, &err), PR_ERR_FORMAT);
    ck_assert_int_eq(pr_fit_pairs(pr_team_local(), &f, NULL, 1, w, &stats, &err), PR_ERR_FORMAT);
    f.n_batch = 3;
    s.fails_at = 2;
    ck_assert_int_eq(pr_fit_labels(pr_team_local(), &f, s.y, 1, w, &b, &stats, &err), PR_ERR_FORMAT);
    ck_assert_str_eq(err.text, "batch 2 fails");
    ck_assert_int_eq(pr_fit_pairs(pr_team_local(), &f, NULL, 1, w, &stats, &err), PR_ERR_FORMAT);
    ck_assert_str_eq(err.text, "batch 2 fails");
    free(s.y);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reward fits");
    TCase *t = tcase_create("reward fits");
    tcase_add_test(t, labels);
    tcase_add_test(t, pairs);
    tcase_add_test(t, margins);
    tcase_add_test(t, figures);
    tcase_add_test(t, equations_without_a_solution);
    tcase_add_test(t, nothing_and_failures);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
