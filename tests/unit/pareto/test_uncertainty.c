// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/hypervolume.h"
#include "pareto/uncertainty.h"
#include "points.h"

/* tau-b by definition. */
static double slow_tau(const double *x, const double *y, size_t n)
{
    double sum = 0, untied_x = 0, untied_y = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            int a = (x[i] > x[j]) - (x[i] < x[j]);
            int b = (y[i] > y[j]) - (y[i] < y[j]);
            sum += a * b;
            untied_x += a != 0;
            untied_y += b != 0;
        }
    return sum / sqrt(untied_x * untied_y);
}

START_TEST(kendall_agrees_with_definition)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        size_t n = 2 + seed * 3;
        double *x = random_points(seed, seed & 1 ? GRID : CUBE, n, 1);
        double *y = random_points(seed + 77, seed & 2 ? GRID : CUBE, n, 1);
        double expected = slow_tau(x, y, n);
        double found = pr_kendall_tau(x, y, n);
        ck_assert(isnan(expected) ? isnan(found) : fabs(found - expected) < 1e-13);
        free(x);
        free(y);
    }
}
END_TEST

START_TEST(kendall_extremes)
{
    const double up[] = {1, 2, 3, 4, 4};
    const double down[] = {4, 3, 2, 1, 1};
    const double level[] = {7, 7, 7, 7, 7};
    assert_close(pr_kendall_tau(up, up, 5), 1, 1e-15);
    assert_close(pr_kendall_tau(up, down, 5), -1, 1e-15);
    ck_assert_double_nan(pr_kendall_tau(up, level, 5));
    ck_assert_double_nan(pr_kendall_tau(up, up, 1));
    // an example of the textbooks: 2 discordant pairs of 10
    assert_close(pr_kendall_tau((const double[]){1, 2, 3, 4, 5}, (const double[]){2, 1, 3, 5, 4}, 5), 0.6, 1e-15);
}
END_TEST

static double first_mean(const double *points, size_t n, int m, void *context)
{
    (void)context;
    (void)m;
    return n ? points[0] : NAN;
}

static pr_interval_t interval_of(const double *scores, size_t n_prompts, uint64_t seed)
{
    pr_scores_t run = {scores, 1};
    pr_bootstrap_t how = {400, 0.95, seed};
    pr_interval_t found = {0};
    ck_assert_int_eq(pr_bootstrap(&run, 1, n_prompts, 1, first_mean, NULL, &how, &found, NULL), PR_OK);
    return found;
}

START_TEST(interval_of_a_mean)
{
    double *scores = random_points(4, CUBE, 100, 1);
    double mean = 0, square = 0;
    for (size_t i = 0; i < 100; i++) {
        mean += scores[i] / 100;
        square += scores[i] * scores[i] / 100;
    }
    pr_interval_t found = interval_of(scores, 100, 1);
    assert_close(found.estimate, mean, 1e-14);
    double standard_error = sqrt((square - mean * mean) / 100);
    ck_assert(fabs(found.standard_error / standard_error - 1) < 0.15);
    ck_assert(fabs((found.high - found.low) / (2 * 1.96 * standard_error) - 1) < 0.2);
    pr_interval_t again = interval_of(scores, 100, 1);
    ck_assert_mem_eq(&again, &found, sizeof found);
    pr_interval_t other = interval_of(scores, 100, 2);
    ck_assert(other.low != found.low && other.estimate == found.estimate);
    free(scores);
}
END_TEST

/* 95% intervals hold the true mean about 95 times of 100. */
START_TEST(coverage)
{
    size_t held = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        double *scores = random_points(seed, CUBE, 60, 1);
        pr_interval_t found = interval_of(scores, 60, seed);
        held += found.low <= 0.5 && 0.5 <= found.high;
        free(scores);
    }
    ck_assert_msg(held >= 270 && held <= 296, "%zu of 300", held);
}
END_TEST

static double difference(const double *points, size_t n, int m, void *context)
{
    (void)context;
    (void)m;
    return n == 2 ? points[1] - points[0] : NAN;
}

/* Prompts are drawn once for all points: what they have in common cancels. */
START_TEST(points_are_paired)
{
    double *scores = random_points(9, CUBE, 100, 1);
    for (size_t i = 0; i < 50; i++)
        scores[50 + i] = scores[i] + 0.25;
    pr_scores_t run = {scores, 2};
    pr_bootstrap_t how = {200, 0.9, 3};
    pr_interval_t found;
    ck_assert_int_eq(pr_bootstrap(&run, 1, 50, 1, difference, NULL, &how, &found, NULL), PR_OK);
    assert_close(found.low, 0.25, 1e-12);
    assert_close(found.high, 0.25, 1e-12);
    free(scores);
}
END_TEST

START_TEST(unscored_prompts_and_points)
{
    const double scores[] = {1, 3, NAN, NAN, NAN, NAN}; // two points, three prompts
    pr_scores_t run = {scores, 2};
    pr_bootstrap_t how = {2, 0.5, 0};
    pr_interval_t found = {0};
    pr_error_t err;
    ck_assert_int_eq(pr_bootstrap(&run, 1, 3, 1, difference, NULL, &how, &found, &err), PR_ERR_NUMERIC);
    ck_assert_double_eq(found.estimate, 0); // nothing was written
    ck_assert_int_eq(pr_bootstrap(&run, 0, 3, 1, difference, NULL, &how, &found, &err), PR_ERR_NUMERIC);
    const double all[] = {1, 1, NAN};
    pr_scores_t one = {all, 1};
    double reference = 0;
    ck_assert_int_eq(pr_bootstrap(&one, 1, 3, 1, pr_statistic_hypervolume, &reference, &how, &found, &err), PR_OK);
    ck_assert_double_eq(found.estimate, 1); // the mean over the two scored prompts
}
END_TEST

/* With several runs the estimate is their mean, and their spread widens the interval. */
/* Three points on 40 prompts: the first surely better than the third; the second differs from the first by chance alone,
 * in one objective each way. */
START_TEST(probability_of_the_front)
{
    enum { PROMPTS = 40 };
    double scores[4][PROMPTS][2], probability[4];
    pr_rng_key_t key = pr_rng_key(1, "front", "");
    for (int i = 0; i < PROMPTS; i++) {
        double common = pr_rng_normal(&key, (uint64_t)i, 0, 0, 0), own = pr_rng_normal(&key, (uint64_t)i, 1, 0, 0);
        scores[0][i][0] = common;
        scores[0][i][1] = common;
        scores[1][i][0] = common + own - 0.02; // better or worse in both, as prompts are drawn
        scores[1][i][1] = common + own - 0.02;
        scores[2][i][0] = common - 0.5; // paired: worse on every prompt
        scores[2][i][1] = common - 0.5;
        scores[3][i][0] = scores[3][i][1] = NAN;
    }
    pr_scores_t run = {&scores[0][0][0], 4};
    pr_resampling_t how = {.resamples = 2000, .seed = 3};
    pr_error_t err;
    ck_assert_int_eq(pr_front_probability(&run, PROMPTS, 2, &how, probability, &err), PR_OK);
    ck_assert_double_eq(probability[2], 0);
    ck_assert_double_eq(probability[3], 0);
    ck_assert_double_gt(probability[0], 0.05);
    ck_assert_double_lt(probability[0], 0.95);
    ck_assert_double_eq_tol(probability[0] + probability[1], 1, 1e-9); // never equal, one beats the other
    for (int i = 0; i < PROMPTS; i++)                                  // now one each way: both are always on it
        scores[1][i][1] = scores[0][i][1] - fabs(scores[1][i][0] - scores[0][i][0]) - 1;
    for (int i = 0; i < PROMPTS; i++)
        scores[1][i][0] = scores[0][i][0] + 1;
    ck_assert_int_eq(pr_front_probability(&run, PROMPTS, 2, &how, probability, &err), PR_OK);
    ck_assert_double_eq(probability[0], 1);
    ck_assert_double_eq(probability[1], 1);
}
END_TEST

START_TEST(runs_are_resampled_too)
{
    double scores[4][6];
    pr_scores_t runs[4];
    for (size_t r = 0; r < 4; r++) {
        for (size_t i = 0; i < 6; i++)
            scores[r][i] = (double)r; // no variation over prompts
        runs[r] = (pr_scores_t){scores[r], 1};
    }
    pr_bootstrap_t how = {500, 0.9, 5};
    pr_interval_t found;
    ck_assert_int_eq(pr_bootstrap(runs, 4, 6, 1, first_mean, NULL, &how, &found, NULL), PR_OK);
    ck_assert_double_eq(found.estimate, 1.5);
    assert_close(found.standard_error, sqrt(1.25 / 4), 0.1);
    ck_assert_int_eq(pr_bootstrap(runs + 1, 1, 6, 1, first_mean, NULL, &how, &found, NULL), PR_OK);
    ck_assert_double_eq(found.low, 1);
    ck_assert_double_eq(found.high, 1);
}
END_TEST

START_TEST(statistics)
{
    double *points = random_points(2, SPHERE, 12, 3);
    double reference[] = {0, 0, 0};
    ck_assert_double_eq(pr_statistic_hypervolume(points, 12, 3, reference), pr_hypervolume(points, 12, 3, reference));
    free(points);
}
END_TEST

/* Quantiles of printed tables (Abramowitz & Stegun 26.10), and closed forms for one and two degrees of freedom. */
START_TEST(student)
{
    static const struct {
        double t, df, tail;
    } table[] = {{6.314, 1, 0.05},   {12.706, 1, 0.025}, {4.541, 3, 0.01},    {2.228, 10, 0.025},
                 {3.169, 10, 0.005}, {1.697, 30, 0.05},  {3.646, 30, 0.0005}, {1.980, 120, 0.025}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_double_eq_tol(pr_student_tail(table[i].t, table[i].df), table[i].tail, 1e-3 * table[i].tail);
    for (double t = -50; t <= 50; t += 0.37) {
        assert_close(pr_student_tail(t, 1), 0.5 - atan(t) / acos(-1), 1e-10);
        assert_close(pr_student_tail(t, 2), 0.5 - t / (2 * sqrt(2 + t * t)), 1e-10);
        ck_assert_double_eq_tol(pr_student_tail(t, 7) + pr_student_tail(-t, 7), 1, 1e-14);
    }
    ck_assert_double_eq(pr_student_tail(0, 5), 0.5);
    ck_assert_double_eq(pr_student_tail(INFINITY, 5), 0);
}
END_TEST

/* The sample sizes of published power tables for the paired t test, two-sided at 5 %, power 80 % (G*Power 3.1). */
START_TEST(seeds_needed)
{
    static const struct {
        double ratio;
        long n;
    } table[] = {{0.2, 199}, {0.5, 34}, {0.8, 15}, {1, 10}, {2, 5}, {100, 3}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ck_assert_int_eq(pr_seeds_needed(table[i].ratio * 0.03, 0.03), table[i].n);
        ck_assert_int_eq(pr_seeds_needed(-table[i].ratio * 7, 7), table[i].n);
    }
    ck_assert_int_eq(pr_seeds_needed(1, 0), 3);
    ck_assert_int_eq(pr_seeds_needed(0, 1), 0);
    ck_assert_int_eq(pr_seeds_needed(0, 0), 0);
    ck_assert_int_eq(pr_seeds_needed(1e-9, 1), 0);
    ck_assert_int_eq(pr_seeds_needed(1, NAN), 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("uncertainty");
    tcase_add_test(t, kendall_agrees_with_definition);
    tcase_add_test(t, kendall_extremes);
    tcase_add_test(t, interval_of_a_mean);
    tcase_add_test(t, coverage);
    tcase_add_test(t, points_are_paired);
    tcase_add_test(t, unscored_prompts_and_points);
    tcase_add_test(t, runs_are_resampled_too);
    tcase_add_test(t, probability_of_the_front);
    tcase_add_test(t, statistics);
    tcase_add_test(t, student);
    tcase_add_test(t, seeds_needed);
    return run_case(t, "uncertainty");
}
