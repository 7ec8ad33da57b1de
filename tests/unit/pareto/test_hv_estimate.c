// SPDX-License-Identifier: BSD-3-Clause
/* Estimated hypervolumes lie within their stated error of exact ones, of closed forms, and stop when asked. */
#include "pareto/hv_estimate.h"
#include "pareto/hypervolume.h"
#include "pareto/uncertainty.h"
#include "points.h"

static const double ZERO[20];

static pr_hv_estimate_t estimate(const double *points, size_t n, size_t m, double relative_error, double steps)
{
    pr_hv_estimate_t e = {0};
    ck_assert(pr_hv_estimate(points, n, (int)m, ZERO, relative_error, steps, NULL, NULL, &e));
    return e;
}

static void assert_within(const pr_hv_estimate_t *e, double exact)
{
    ck_assert_msg(fabs(e->volume - exact) <= e->error, "%s: %.9g with error %.3g, exactly %.9g",
                  pr_hv_method_name(e->method), e->volume, e->error, exact);
}

START_TEST(within_its_error_of_the_exact_value)
{
    double worst = 0, widest = 0;
    for (size_t m = 2; m <= 10; m++)
        for (uint64_t seed = 0; seed < 12; seed++) {
            size_t n = m <= 4 ? 300 : m <= 7 ? 100 : 30;
            double *points = random_points(seed, (point_kind_t)(seed % KINDS), n, m);
            double exact = pr_hypervolume(points, n, (int)m, ZERO);
            pr_hv_estimate_t e = estimate(points, n, m, 0.005, 1e8);
            assert_within(&e, exact);
            worst = e.error > 0 ? fmax(worst, fabs(e.volume - exact) / e.error) : worst;
            widest = fmax(widest, e.error / exact);
            free(points);
        }
    // The errors are neither hopeful nor idle.
    ck_assert_double_gt(worst, 0.3);
    ck_assert_double_le(widest, 0.01);
}
END_TEST

/* All pairs of a point of a [na,ma] and a point of b [nb,mb], one behind the other: a union of products of boxes is the
 * product of the unions. */
static double *product(const double *a, size_t na, size_t ma, const double *b, size_t nb, size_t mb)
{
    size_t m = ma + mb;
    double *points = pr_alloc(na * nb * m, sizeof *points);
    for (size_t i = 0; i < na * nb; i++) {
        memcpy(points + i * m, a + i / nb * ma, ma * sizeof *points);
        memcpy(points + i * m + ma, b + i % nb * mb, mb * sizeof *points);
    }
    return points;
}

START_TEST(sixteen_objectives)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        double *a = random_points(seed, seed & 1 ? SPHERE : LINEAR, 12, 8);
        double *b = random_points(seed + 100, seed & 1 ? SPHERE : CUBE, 12, 8);
        double *points = product(a, 12, 8, b, 12, 8);
        double exact = pr_hypervolume(a, 12, 8, ZERO) * pr_hypervolume(b, 12, 8, ZERO);
        pr_hv_estimate_t e = estimate(points, 144, 16, 0.005, 1e9);
        assert_within(&e, exact);
        ck_assert_double_le(e.error, 0.005 * exact);
        free(points);
        free(a);
        free(b);
    }
}
END_TEST

START_TEST(until_the_error_is_small_enough)
{
    double *points = random_points(4, SPHERE, 50, 7);
    double exact = pr_hypervolume(points, 50, 7, ZERO);
    pr_hv_estimate_t e = estimate(points, 50, 7, 0.003, INFINITY);
    assert_within(&e, exact);
    ck_assert_double_le(e.error, 0.003 * e.volume);
    free(points);
}
END_TEST

START_TEST(both_methods_are_used)
{
    bool used[3] = {false};
    for (size_t m = 3; m <= 12; m += 9) {
        double *points = random_points(1, LINEAR, 400, m);
        pr_hv_estimate_t e = estimate(points, 400, m, 0.01, 1e9);
        used[e.method] = true;
        free(points);
    }
    ck_assert(used[PR_HV_BOXES] && used[PR_HV_RAYS]);
}
END_TEST

/* Too many points for sets of them: the other way of counting boxes. */
START_TEST(many_points)
{
    double *a = random_points(3, LINEAR, 90, 2), *b = random_points(4, SPHERE, 90, 3);
    double *points = product(a, 90, 2, b, 90, 3);
    double exact = pr_hypervolume(a, 90, 2, ZERO) * pr_hypervolume(b, 90, 3, ZERO);
    pr_hv_estimate_t e = estimate(points, 8100, 5, 0, 5e8);
    assert_within(&e, exact);
    ck_assert_double_le(e.error, 0.1 * exact);
    free(points);
    free(a);
    free(b);
}
END_TEST

START_TEST(what_needs_no_samples_is_exact)
{
    double one[] = {2, 3, 4}, two[] = {2, 3, 4, 1, 3, 4}, outside[] = {1, 1, 0};
    pr_hv_estimate_t e = estimate(one, 1, 3, 0.1, 1e6);
    ck_assert(e.method == PR_HV_EXACT && e.volume == 24 && e.error == 0);
    e = estimate(two, 2, 3, 0.1, 1e6); // one dominates the other
    ck_assert(e.method == PR_HV_EXACT && e.volume == 24 && e.error == 0);
    e = estimate(outside, 1, 3, 0.1, 1e6);
    ck_assert(e.method == PR_HV_EXACT && e.volume == 0);
    one[1] = INFINITY;
    e = estimate(one, 1, 3, 0.1, 1e6);
    ck_assert(e.method == PR_HV_EXACT && isinf(e.volume));
}
END_TEST

START_TEST(the_exact_one_within_its_work)
{
    double *points = random_points(5, LINEAR, 60, 8);
    double exact = pr_hypervolume(points, 60, 8, ZERO), volume = -1, steps = 0x1p40; // without rounding
    ck_assert(pr_hypervolume_within(points, 60, 8, ZERO, &steps, &volume));
    ck_assert_double_eq(volume, exact);
    double took = 0x1p40 - steps;
    volume = -1;
    steps = took / 2;
    ck_assert(!pr_hypervolume_within(points, 60, 8, ZERO, &steps, &volume));
    ck_assert_double_eq(volume, -1);
    pr_hv_estimate_t e;
    ck_assert(pr_hv_exact_or_estimate(points, 60, 8, ZERO, took, 0.01, 1e9, NULL, NULL, &e));
    ck_assert(e.method == PR_HV_EXACT && e.volume == exact && e.error == 0);
    ck_assert(pr_hv_exact_or_estimate(points, 60, 8, ZERO, took / 2, 0.01, 1e9, NULL, NULL, &e));
    ck_assert(e.method != PR_HV_EXACT);
    assert_within(&e, exact);
    free(points);
}
END_TEST

typedef struct count {
    int calls, last;
} count_t;

static bool stop_at_last(void *self)
{
    count_t *c = self;
    return ++c->calls == c->last;
}

START_TEST(stops_when_asked)
{
    double *points = random_points(5, LINEAR, 60, 8), contributions[60], error[60];
    for (int last = 1; last <= 200; last += 66) {
        count_t c = {0, last};
        pr_hv_estimate_t e;
        ck_assert(!pr_hv_estimate(points, 60, 8, ZERO, 0, 1e12, stop_at_last, &c, &e)); // would take long
        ck_assert_int_eq(c.calls, last);
    }
    count_t c = {0, 2};
    ck_assert(!pr_hv_estimate_contributions(points, 60, 8, ZERO, 1e12, stop_at_last, &c, contributions, error));
    free(points);
}
END_TEST

START_TEST(contributions_too)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        double exact[40], found[40], error[40];
        double *points = random_points(seed, (point_kind_t)(seed % KINDS), 40, 6);
        pr_hypervolume_contributions(points, 40, 6, ZERO, exact);
        ck_assert(pr_hv_estimate_contributions(points, 40, 6, ZERO, 2e8, NULL, NULL, found, error));
        for (size_t i = 0; i < 40; i++)
            ck_assert_msg(fabs(found[i] - exact[i]) <= error[i],
                          "seed %d point %zu: %.9g with error %.3g, exactly %.9g", (int)seed, i, found[i], error[i],
                          exact[i]);
        free(points);
    }
}
END_TEST

/* A design is near the exact value, and far nearer in the difference of two sets that are nearly the same. */
START_TEST(designs_are_good_at_differences)
{
    for (size_t m = 4; m <= 10; m += 3) {
        enum { N = 60 };
        double *points = random_points(7, SPHERE, N, m);
        double *moved = pr_alloc(N * m, sizeof *moved);
        pr_rng_key_t key = pr_rng_key(9, "moved", "");
        for (size_t i = 0; i < N * m; i++)
            moved[i] = points[i] * (1 + 0.02 * pr_rng_normal(&key, i, 0, 0, 0));
        for (size_t k = 0; k < m; k++)
            moved[3 * m + k] = NAN; // not there
        pr_hv_design_t *d = pr_hv_design_new(points, N, (int)m, ZERO, 1e7);
        double a = pr_hypervolume(points, N, (int)m, ZERO), b = pr_hypervolume(moved, N, (int)m, ZERO);
        double ea = pr_hv_design_volume(d, points, ZERO), eb = pr_hv_design_volume(d, moved, ZERO);
        ck_assert_double_le(fabs(ea - a), 0.02 * a);
        ck_assert_double_le(fabs(eb - b), 0.02 * b);
        ck_assert_double_le(fabs((eb - ea) - (b - a)), 0.004 * a);
        ck_assert_double_eq(pr_hv_design_volume(d, moved, ZERO), eb);
        pr_hv_design_free(&d);
        free(points);
        free(moved);
    }
}
END_TEST

/* More points than samples: designs of rays. */
START_TEST(designs_of_many_points)
{
    enum { N = 2000, M = 6 };
    double *points = random_points(7, SPHERE, N, M);
    double exact = pr_hypervolume(points, N, M, ZERO);
    pr_hv_design_t *d = pr_hv_design_new(points, N, M, ZERO, 3e6);
    ck_assert_double_le(fabs(pr_hv_design_volume(d, points, ZERO) - exact), 0.2 * exact);
    pr_hv_design_free(&d);
    free(points);
}
END_TEST

static double by_design(const double *points, size_t n, int m, void *design)
{
    (void)n, (void)m;
    return pr_hv_design_volume(design, points, ZERO);
}

/* The interval of resamples that a design measured is that of exact ones, to a small part of its width. */
START_TEST(intervals_by_design)
{
    enum { N = 40, M = 6, PROMPTS = 16, RESAMPLES = 200 };
    double *truth = random_points(3, SPHERE, N, M), *scores = pr_alloc(N * PROMPTS * M, sizeof *scores);
    double *mean = pr_alloc(N * M, sizeof *mean), exact[1 + RESAMPLES], found[1 + RESAMPLES];
    pr_rng_key_t key = pr_rng_key(4, "prompts", "");
    for (size_t i = 0; i < N; i++)
        for (size_t p = 0; p < PROMPTS; p++)
            for (size_t k = 0; k < M; k++) {
                double x = truth[i * M + k] + 0.15 * pr_rng_normal(&key, i, p, k, 0);
                scores[(i * PROMPTS + p) * M + k] = x;
                mean[i * M + k] += x / PROMPTS;
            }
    pr_scores_t run = {scores, N};
    pr_resampling_t how = {RESAMPLES, 1, true, NULL, NULL};
    pr_hv_design_t *d = pr_hv_design_new(mean, N, M, ZERO, 2e6);
    ck_assert_int_eq(
        pr_resample(&run, PROMPTS, M, pr_statistic_hypervolume, (void *)(uintptr_t)ZERO, &how, exact, NULL), PR_OK);
    ck_assert_int_eq(pr_resample(&run, PROMPTS, M, by_design, d, &how, found, NULL), PR_OK);
    for (size_t i = 1; i <= RESAMPLES; i++)
        found[i] += exact[0] - found[0]; // the set's own volume is known
    const double *const one[] = {exact}, *const other[] = {found};
    pr_bootstrap_t interval = {RESAMPLES, 0.95, 1};
    pr_interval_t a, b;
    ck_assert_int_eq(pr_resampled_interval(one, 1, &interval, &a, NULL), PR_OK);
    ck_assert_int_eq(pr_resampled_interval(other, 1, &interval, &b, NULL), PR_OK);
    ck_assert_double_le(fabs(a.low - b.low), 0.1 * (a.high - a.low));
    ck_assert_double_le(fabs(a.high - b.high), 0.1 * (a.high - a.low));
    pr_hv_design_free(&d);
    free(truth);
    free(scores);
    free(mean);
}
END_TEST

START_TEST(volumes_beyond_all_numbers)
{
    enum { M = 16 };
    double *points = random_points(2, LINEAR, 20, M), *large = pr_alloc(20 * M, sizeof *large);
    double exact = pr_hypervolume(points, 20, M, ZERO);
    for (int e = 70; e >= -70; e -= 140) { // 2^1120 and 2^-1120
        for (size_t i = 0; i < 20 * M; i++)
            large[i] = ldexp(points[i], e);
        double volume = pr_hypervolume(large, 20, M, ZERO);
        ck_assert(e > 0 ? isinf(volume) && volume > 0 : volume == 0);
        pr_hv_estimate_t found = estimate(large, 20, M, 0.01, 1e7);
        ck_assert(e > 0 ? isinf(found.volume) : found.volume == 0);
    }
    // Objectives of very different sizes, whose products overflow or vanish only on the way.
    for (size_t i = 0; i < 20 * M; i++)
        large[i] = ldexp(points[i], i % M < M / 2 ? 140 : -140);
    ck_assert_double_eq(pr_hypervolume(large, 20, M, ZERO), exact);
    double *contributions = pr_alloc(40, sizeof *contributions);
    pr_hypervolume_contributions(points, 20, M, ZERO, contributions);
    pr_hypervolume_contributions(large, 20, M, ZERO, contributions + 20);
    for (size_t i = 0; i < 20; i++)
        ck_assert_double_eq(contributions[i], contributions[20 + i]);
    pr_hv_estimate_t found = estimate(large, 20, M, 0.01, 1e8);
    assert_within(&found, exact);
    free(contributions);
    free(points);
    free(large);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("hv_estimate");
    tcase_add_test(t, within_its_error_of_the_exact_value);
    tcase_add_test(t, sixteen_objectives);
    tcase_add_test(t, until_the_error_is_small_enough);
    tcase_add_test(t, both_methods_are_used);
    tcase_add_test(t, many_points);
    tcase_add_test(t, what_needs_no_samples_is_exact);
    tcase_add_test(t, the_exact_one_within_its_work);
    tcase_add_test(t, stops_when_asked);
    tcase_add_test(t, contributions_too);
    tcase_add_test(t, designs_are_good_at_differences);
    tcase_add_test(t, designs_of_many_points);
    tcase_add_test(t, intervals_by_design);
    tcase_add_test(t, volumes_beyond_all_numbers);
    return run_case(t, "hv_estimate");
}
