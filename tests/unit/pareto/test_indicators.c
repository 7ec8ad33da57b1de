// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/indicators.h"
#include "pareto/range.h"
#include "points.h"

/* The examples of Ishibuchi et al. (2015), to be minimised, so negated. */
static const double ISHIBUCHI_FRONT[] = {0, -10, -1, -6, -2, -2, -6, -1, -10, 0};
static const double ISHIBUCHI_A[] = {-2, -4, -3, -3, -4, -2};
static const double ISHIBUCHI_B[] = {-2, -8, -4, -4, -8, -2};

START_TEST(published_distances)
{
    const double *f = ISHIBUCHI_FRONT;
    assert_close(pr_igd(ISHIBUCHI_A, 3, f, 5, 2, 1), 3.707092031609239, 1e-14);
    assert_close(pr_igd(ISHIBUCHI_B, 3, f, 5, 2, 1), 2.59148346584763, 1e-14);
    assert_close(pr_igd_plus(ISHIBUCHI_A, 3, f, 5, 2), 1.482842712474619, 1e-14);
    assert_close(pr_igd_plus(ISHIBUCHI_B, 3, f, 5, 2), 2.260112615949154, 1e-14);
    assert_close(pr_average_hausdorff(ISHIBUCHI_A, 3, f, 5, 2, 1), 3.707092031609239, 1e-14);
    assert_close(pr_average_hausdorff(ISHIBUCHI_B, 3, f, 5, 2, 1), 2.59148346584763, 1e-14);
}
END_TEST

/* moocore's documented example, to be minimised, so negated. */
static const double EPSILON_A1[] = {-9, -2, -8, -4, -7, -5, -5, -6, -4, -7};
static const double EPSILON_A2[] = {-8, -4, -7, -5, -5, -6, -4, -7};
static const double EPSILON_A3[] = {-10, -4, -9, -5, -8, -6, -7, -7, -6, -8};

START_TEST(published_epsilons)
{
    assert_close(pr_epsilon_multiplicative(EPSILON_A1, 5, EPSILON_A3, 5, 2), 0.9, 1e-15);
    assert_close(pr_epsilon_multiplicative(EPSILON_A1, 5, EPSILON_A2, 4, 2), 1, 1e-15);
    assert_close(pr_epsilon_multiplicative(EPSILON_A2, 4, EPSILON_A1, 5, 2), 2, 1e-15);
    ck_assert_double_eq(pr_epsilon_additive(EPSILON_A1, 5, EPSILON_A3, 5, 2), -1);
    ck_assert_double_eq(pr_epsilon_additive(EPSILON_A1, 5, EPSILON_A2, 4, 2), 0);
    ck_assert_double_eq(pr_epsilon_additive(EPSILON_A2, 4, EPSILON_A1, 5, 2), 2);
}
END_TEST

/* The multiplicative epsilon is the additive one of logarithms, for values to be maximised and for negated ones. */
START_TEST(epsilons_agree_through_logarithms)
{
    double *a = random_points(1, SPHERE, 30, 3);
    double *b = random_points(2, SPHERE, 40, 3);
    double logs[70 * 3];
    for (size_t i = 0; i < 90; i++)
        logs[i] = log(a[i]);
    for (size_t i = 0; i < 120; i++)
        logs[90 + i] = log(b[i]);
    assert_close(log(pr_epsilon_multiplicative(a, 30, b, 40, 3)), pr_epsilon_additive(logs, 30, logs + 90, 40, 3),
                 1e-13);
    for (size_t i = 0; i < 210; i++)
        logs[i] = -logs[i];
    for (size_t i = 0; i < 90; i++)
        a[i] = -a[i];
    for (size_t i = 0; i < 120; i++)
        b[i] = -b[i];
    assert_close(log(pr_epsilon_multiplicative(a, 30, b, 40, 3)), pr_epsilon_additive(logs, 30, logs + 90, 40, 3),
                 1e-13);
    a[4] = 1; // both signs in one objective
    ck_assert_double_nan(pr_epsilon_multiplicative(a, 30, b, 40, 3));
    a[4] = 0;
    ck_assert_double_nan(pr_epsilon_multiplicative(a, 30, b, 40, 3));
    free(a);
    free(b);
}
END_TEST

START_TEST(a_set_is_at_no_distance_from_itself)
{
    for (size_t m = 1; m <= 6; m++) {
        double *a = random_points(m, SPHERE, 25, m);
        ck_assert_double_eq(pr_gd(a, 25, a, 25, (int)m, 2), 0);
        ck_assert_double_eq(pr_igd(a, 25, a, 25, (int)m, 1), 0);
        ck_assert_double_eq(pr_igd_plus(a, 25, a, 25, (int)m), 0);
        ck_assert_double_eq(pr_gd_plus(a, 25, a, 25, (int)m), 0);
        ck_assert_double_eq(pr_epsilon_additive(a, 25, a, 25, (int)m), 0);
        free(a);
    }
}
END_TEST

/* By hand: two points to one front point. */
START_TEST(generational_distances)
{
    const double points[] = {0, 0, 3, 4};
    const double front[] = {0, 4};
    ck_assert_double_eq(pr_gd(points, 2, front, 1, 2, 1), 3.5);
    assert_close(pr_gd(points, 2, front, 1, 2, 2), sqrt(12.5), 1e-15);
    ck_assert_double_eq(pr_igd(points, 2, front, 1, 2, 1), 3);
    ck_assert_double_eq(pr_average_hausdorff(points, 2, front, 1, 2, 1), 3.5);
    ck_assert_double_eq(pr_gd_plus(points, 2, front, 1, 2), 2);  // lacks of 4 and 0
    ck_assert_double_eq(pr_igd_plus(points, 2, front, 1, 2), 0); // (3,4) covers it
}
END_TEST

/* A better set is never worse in the weakly Pareto compliant indicators. */
START_TEST(compliance)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        double *front = random_points(seed + 50, SPHERE, 40, 3);
        double *worse = random_points(seed, CUBE, 20, 3);
        double better[60];
        for (size_t i = 0; i < 60; i++)
            better[i] = worse[i] + (i % 3 == seed % 3 ? 0.1 : 0);
        ck_assert_double_le(pr_igd_plus(better, 20, front, 40, 3), pr_igd_plus(worse, 20, front, 40, 3));
        ck_assert_double_le(pr_epsilon_additive(better, 20, front, 40, 3),
                            pr_epsilon_additive(worse, 20, front, 40, 3));
        free(front);
        free(worse);
    }
}
END_TEST

static double slow_spacing(const double *points, size_t n, size_t m)
{
    double distance[200];
    double mean = 0;
    for (size_t i = 0; i < n; i++) {
        distance[i] = INFINITY;
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < m; k++)
                sum += fabs(points[i * m + k] - points[j * m + k]);
            distance[i] = j == i ? distance[i] : fmin(distance[i], sum);
        }
        mean += distance[i] / (double)n;
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += pow(mean - distance[i], 2);
    return sqrt(sum / (double)(n - 1));
}

START_TEST(spacing_and_sparsity)
{
    const double even[] = {0, 2, 1, 1, 2, 0};
    ck_assert_double_eq(pr_spacing(even, 3, 2), 0);
    ck_assert_double_eq(pr_sparsity(even, 3, 2), 2);
    const double uneven[] = {0, 4, 1, 3, 4, 0}; // nearest: 2, 2, 6
    assert_close(pr_spacing(uneven, 3, 2), sqrt(16.0 / 3), 1e-15);
    ck_assert_double_eq(pr_sparsity(uneven, 3, 2), 10);
    for (size_t m = 1; m <= 4; m++)
        for (int kind = 0; kind < KINDS; kind++) {
            double *points = random_points(m, (point_kind_t)kind, 200, m);
            ck_assert(fabs(pr_spacing(points, 200, (int)m) - slow_spacing(points, 200, m)) < 1e-14);
            free(points);
        }
}
END_TEST

START_TEST(undefined_is_nan)
{
    const double p[] = {1, 2};
    ck_assert_double_nan(pr_gd(p, 0, p, 1, 2, 1));
    ck_assert_double_nan(pr_igd(p, 1, p, 0, 2, 1));
    ck_assert_double_nan(pr_average_hausdorff(p, 0, p, 1, 2, 1));
    ck_assert_double_nan(pr_igd_plus(p, 0, p, 1, 2));
    ck_assert_double_nan(pr_gd_plus(p, 1, p, 0, 2));
    ck_assert_double_nan(pr_epsilon_additive(p, 0, p, 1, 2));
    ck_assert_double_nan(pr_epsilon_multiplicative(p, 1, p, 0, 2));
    ck_assert_double_nan(pr_spacing(p, 1, 2));
    ck_assert_double_nan(pr_sparsity(p, 0, 2));
    ck_assert_double_eq(pr_sparsity(p, 1, 2), 0);
    ck_assert_uint_eq(pr_cardinality(p, 0, 2), 0);
}
END_TEST

START_TEST(cardinality_counts_distinct_points)
{
    const double points[] = {1, 2, 2, 1, 1, 2, 0, 0};
    ck_assert_uint_eq(pr_cardinality(points, 4, 2), 2);
}
END_TEST

START_TEST(reference_rule_and_normalisation)
{
    const double points[] = {0, 10, 4, 5, 3, 1}; // the last is dominated: not in the nadir
    double ideal[2], nadir[2], reference[2], to[6];
    pr_ideal(points, 3, 2, ideal);
    pr_nadir(points, 3, 2, nadir);
    pr_reference_rule(points, 3, 2, reference);
    ck_assert(same_point(ideal, (const double[]){4, 10}, 2));
    ck_assert(same_point(nadir, (const double[]){0, 5}, 2));
    ck_assert(same_point(reference, (const double[]){-0.4, 4.5}, 2));
    const double level[] = {3, -50, 3, -50};
    pr_reference_rule(level, 2, 2, reference);
    assert_close(reference[0], 2.7, 1e-15);
    assert_close(reference[1], -55, 1e-15);
    pr_normalise(points, 3, 2, (const double[]){0, 1}, (const double[]){4, 11}, to);
    ck_assert(same_point(to, (const double[]){0, 0.9, 1, 0.4, 0.75, 0}, 6));
}
END_TEST

/* Each indicator by its definition, looking at all pairs. */
static void slow_distances(const double *a, size_t n, const double *r, size_t n_r, size_t m, double *igd,
                           double *igd_plus, double *epsilon)
{
    *igd = *igd_plus = 0;
    *epsilon = -INFINITY;
    for (size_t j = 0; j < n_r; j++) {
        double d = INFINITY, plus = INFINITY, lack = INFINITY;
        for (size_t i = 0; i < n; i++) {
            double squares = 0, lacks = 0, most = -INFINITY;
            for (size_t k = 0; k < m; k++) {
                double x = r[j * m + k] - a[i * m + k];
                squares += x * x;
                lacks += x > 0 ? x * x : 0;
                most = fmax(most, x);
            }
            d = fmin(d, sqrt(squares));
            plus = fmin(plus, sqrt(lacks));
            lack = fmin(lack, most);
        }
        *igd += d / (double)n_r;
        *igd_plus += plus / (double)n_r;
        *epsilon = fmax(*epsilon, lack);
    }
}

START_TEST(the_tree_finds_what_a_look_at_all_finds)
{
    for (size_t m = 1; m <= 8; m++)
        for (uint64_t seed = 0; seed < 12; seed++) {
            size_t n = 1 + (size_t)seed * 37, n_r = 1 + (size_t)(seed * 53 % 290);
            double *a = random_points(seed, (point_kind_t)(seed % KINDS), n, m);
            double *r = random_points(seed + 50, (point_kind_t)(seed / 2 % KINDS), n_r, m);
            double igd, igd_plus, epsilon, gd, mirrored;
            slow_distances(a, n, r, n_r, m, &igd, &igd_plus, &epsilon);
            assert_close(pr_igd(a, n, r, n_r, (int)m, 1), igd, 1e-12);
            assert_close(pr_igd_plus(a, n, r, n_r, (int)m), igd_plus, 1e-12);
            ck_assert_double_eq(pr_epsilon_additive(a, n, r, n_r, (int)m), epsilon);
            slow_distances(r, n_r, a, n, m, &gd, &mirrored, &epsilon);
            assert_close(pr_gd(a, n, r, n_r, (int)m, 1), gd, 1e-12);
            for (size_t i = 0; i < n * m; i++) // GD+ is the IGD+ of everything turned round
                a[i] = -a[i];
            for (size_t i = 0; i < n_r * m; i++)
                r[i] = -r[i];
            slow_distances(r, n_r, a, n, m, &gd, &mirrored, &epsilon);
            for (size_t i = 0; i < n * m; i++)
                a[i] = -a[i];
            for (size_t i = 0; i < n_r * m; i++)
                r[i] = -r[i];
            assert_close(pr_gd_plus(a, n, r, n_r, (int)m), mirrored, 1e-12);
            free(a);
            free(r);
        }
}
END_TEST

static bool at_once(void *self)
{
    ++*(int *)self;
    return true;
}

/* Steps are counted, so that this says nothing of the machine: all pairs would be 10^10 times 3. */
START_TEST(large_sets_take_few_steps)
{
    enum { N = 100000 };
    double *a = random_points(1, LINEAR, N, 3), *b = random_points(2, LINEAR, N, 3), igd;
    int calls = 0;
    ck_assert(pr_igd_plus_within(a, N, a, N, 3, 1e3 * N, NULL, NULL, &igd));
    ck_assert_double_eq(igd, 0);
    ck_assert(pr_igd_plus_within(a, N, b, N, 3, 1e4 * N, NULL, NULL, &igd));
    ck_assert_double_gt(igd, 0);
    ck_assert(!pr_igd_plus_within(a, N, b, N, 3, 1e4, NULL, NULL, &igd));
    ck_assert(!pr_igd_plus_within(a, N, b, N, 3, INFINITY, at_once, &calls, &igd));
    ck_assert_int_eq(calls, 1);
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("indicators");
    tcase_add_test(t, published_distances);
    tcase_add_test(t, published_epsilons);
    tcase_add_test(t, epsilons_agree_through_logarithms);
    tcase_add_test(t, a_set_is_at_no_distance_from_itself);
    tcase_add_test(t, generational_distances);
    tcase_add_test(t, compliance);
    tcase_add_test(t, spacing_and_sparsity);
    tcase_add_test(t, undefined_is_nan);
    tcase_add_test(t, cardinality_counts_distinct_points);
    tcase_add_test(t, reference_rule_and_normalisation);
    tcase_add_test(t, the_tree_finds_what_a_look_at_all_finds);
    tcase_add_test(t, large_sets_take_few_steps);
    return run_case(t, "indicators");
}
