// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/utility.h"
#include "points.h"

START_TEST(lattices)
{
    ck_assert_uint_eq(pr_lattice_size(3, 12), 91);
    ck_assert_uint_eq(pr_lattice_size(1, 5), 1);
    ck_assert_uint_eq(pr_lattice_size(60, 1000), SIZE_MAX);
    ck_assert_uint_eq(pr_lattice_steps(3, 91), 12);
    ck_assert_uint_eq(pr_lattice_steps(3, 92), 13);
    ck_assert_uint_eq(pr_lattice_steps(1, 100), 1);
    for (int m = 1; m <= 5; m++)
        for (size_t steps = 1; steps <= 6; steps++) {
            size_t n = pr_lattice_size(m, steps);
            double *w = pr_alloc(n * (size_t)m, sizeof *w);
            pr_lattice_weights(m, steps, w);
            bool *kept = pr_alloc(n, 1);
            for (size_t i = 0; i < n; i++) {
                double sum = 0;
                for (size_t k = 0; k < (size_t)m; k++) {
                    ck_assert(w[i * (size_t)m + k] >= 0);
                    sum += w[i * (size_t)m + k];
                }
                assert_close(sum, 1, 1e-15);
            }
            ck_assert_uint_eq(slow_nondominated(w, n, (size_t)m, false, kept), n); // all different
            free(w);
            free(kept);
        }
}
END_TEST

START_TEST(utilities_by_hand)
{
    const double points[] = {1, 0, 0, 1};
    const double front[] = {1, 0, 0, 1, 0.75, 0.75};
    const double weights[] = {1, 0, 0.5, 0.5, 0, 1};
    assert_close(pr_expected_utility(points, 2, 2, weights, 3), 2.5 / 3, 1e-15);
    assert_close(pr_expected_utility(front, 3, 2, weights, 3), 2.75 / 3, 1e-15);
    ck_assert_double_eq(pr_maximum_utility_loss(points, 2, front, 3, 2, weights, 3), 0.25);
    ck_assert_double_eq(pr_maximum_utility_loss(front, 3, points, 2, 2, weights, 3), 0);
    ck_assert_double_eq(pr_r2(points, 1, 2, weights, 3, (const double[]){1, 1}), 0.5);
    ck_assert_double_nan(pr_expected_utility(points, 0, 2, weights, 3));
    ck_assert_double_nan(pr_maximum_utility_loss(points, 2, front, 0, 2, weights, 3));
    ck_assert_double_nan(pr_r2(points, 0, 2, weights, 3, front));
}
END_TEST

/* Composite midpoint rule over the weights. */
static double integrated_r2(const double *points, size_t n, const double *ideal, size_t steps)
{
    double *weights = pr_alloc(2 * steps, sizeof *weights);
    for (size_t i = 0; i < steps; i++) {
        weights[2 * i] = ((double)i + 0.5) / (double)steps;
        weights[2 * i + 1] = 1 - weights[2 * i];
    }
    double r2 = pr_r2(points, n, 2, weights, steps, ideal);
    free(weights);
    return r2;
}

START_TEST(exact_r2_is_the_integral)
{
    const double ideal[] = {1.25, 1.125};
    for (uint64_t seed = 0; seed < 24; seed++) {
        size_t n = 1 + seed;
        double *points = random_points(seed, seed & 1 ? SPHERE : CUBE, n, 2);
        assert_close(pr_r2_exact(points, n, ideal), integrated_r2(points, n, ideal, 20000), 2e-8);
        free(points);
    }
}
END_TEST

START_TEST(exact_r2_at_the_edges)
{
    const double at_ideal[] = {1, 1};
    ck_assert_double_eq(pr_r2_exact(at_ideal, 1, at_ideal), 0);
    ck_assert_double_eq(pr_r2_exact((const double[]){1, 0}, 1, at_ideal), 0.5); // integral of 1-u
    ck_assert_double_eq(pr_r2_exact((const double[]){0, 0, 0, 0, -1, 0}, 3, at_ideal), 0.75);
    ck_assert_double_eq(pr_r2_exact((const double[]){1, 0, 0, 1}, 2, at_ideal), 0.25); // min(u, 1-u)
    ck_assert_double_nan(pr_r2_exact((const double[]){2, 0}, 1, at_ideal));
    ck_assert_double_nan(pr_r2_exact(at_ideal, 0, at_ideal));
}
END_TEST

/* A point that no weight prefers changes nothing. */
START_TEST(dominated_points_change_nothing)
{
    double *points = random_points(8, SPHERE, 40, 3);
    double all[240];
    double weights[3 * 91];
    pr_lattice_weights(3, 12, weights);
    for (size_t i = 0; i < 120; i++) {
        all[i] = points[i];
        all[120 + i] = points[i] * 0.9;
    }
    const double ideal[] = {1, 1, 1};
    ck_assert_double_eq(pr_expected_utility(all, 80, 3, weights, 91), pr_expected_utility(points, 40, 3, weights, 91));
    ck_assert_double_eq(pr_r2(all, 80, 3, weights, 91, ideal), pr_r2(points, 40, 3, weights, 91, ideal));
    ck_assert_double_eq(pr_maximum_utility_loss(points, 40, all, 80, 3, weights, 91), 0);
    free(points);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("utility");
    tcase_add_test(t, lattices);
    tcase_add_test(t, utilities_by_hand);
    tcase_add_test(t, exact_r2_is_the_integral);
    tcase_add_test(t, exact_r2_at_the_edges);
    tcase_add_test(t, dominated_points_change_nothing);
    return run_case(t, "utility");
}
