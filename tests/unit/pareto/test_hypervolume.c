// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/hv_internal.h"
#include "pareto/hv_packed.h"
#include "pareto/hypervolume.h"
#include "points.h"

/* Inclusion and exclusion over all subsets of up to 12 points: the common box of a subset is bounded by its least
 * coordinates. */
static double slow_hypervolume(const double *points, size_t n, size_t m, const double *reference)
{
    double volume = 0;
    for (unsigned subset = 1; subset < 1U << n; subset++) {
        double box = 1;
        for (size_t k = 0; k < m; k++) {
            double least = INFINITY;
            for (size_t i = 0; i < n; i++)
                if (subset >> i & 1)
                    least = fmin(least, points[i * m + k] - reference[k]);
            box *= fmax(least, 0);
        }
        volume += __builtin_popcount(subset) & 1 ? box : -box;
    }
    return volume;
}

/* Counts the unit cells of integer points in [0,side]^m to the reference 0. */
static double grid_hypervolume(const double *points, size_t n, size_t m, size_t side)
{
    size_t cells = 1;
    for (size_t k = 0; k < m; k++)
        cells *= side;
    size_t inside = 0;
    for (size_t c = 0; c < cells; c++)
        for (size_t i = 0; i < n; i++) {
            size_t rest = c;
            bool in = true;
            for (size_t k = 0; k < m; k++, rest /= side)
                in &= (double)(rest % side) < points[i * m + k];
            if (in) {
                inside++;
                break;
            }
        }
    return (double)inside;
}

static const double ZERO[10];

START_TEST(agrees_with_inclusion_exclusion)
{
    const double reference[] = {0.1, 0.2, 0, 0.3, -0.5, 0.05};
    for (size_t m = 1; m <= 6; m++)
        for (uint64_t seed = 0; seed < 80; seed++) {
            size_t n = seed % 11;
            double *points = random_points(seed, (point_kind_t)(seed % KINDS), n, m);
            double expected = slow_hypervolume(points, n, m, reference);
            double found = pr_hypervolume(points, n, (int)m, reference);
            ck_assert_msg(fabs(found - expected) <= 1e-11 * (1 + expected), "seed %u m %zu: %.17g, expected %.17g",
                          (unsigned)seed, m, found, expected);
            free(points);
        }
}
END_TEST

START_TEST(agrees_with_counting_cells)
{
    for (size_t m = 1; m <= 6; m++)
        for (uint64_t seed = 0; seed < 40; seed++) {
            size_t n = 5 + seed * 4;
            size_t side = m < 5 ? 7 : 4;
            double *points = random_points(seed, CUBE, n, m);
            for (size_t i = 0; i < n * m; i++)
                points[i] = floor(points[i] * (double)(side + 1));
            ck_assert_double_eq(pr_hypervolume(points, n, (int)m, ZERO), grid_hypervolume(points, n, m, side));
            free(points);
        }
}
END_TEST

START_TEST(points_not_better_than_the_reference_add_nothing)
{
    const double reference[] = {1, 1, 1, 1, 1};
    for (int m = 1; m <= 5; m++) {
        const double points[] = {9, 9, 9, 9, 9};
        double outside[25];
        for (int i = 0; i < 25; i++)
            outside[i] = i % 5 == i / 5 ? 1.0 : 9.0;
        for (int i = 0; i < m; i++)
            memmove(outside + i * m, outside + i * 5, (size_t)m * sizeof *outside);
        ck_assert_double_eq(pr_hypervolume(outside, (size_t)m, m, reference), 0);
        ck_assert_double_eq(pr_hypervolume(points, 1, m, reference), pow(8, m));
        ck_assert_double_eq(pr_hypervolume(points, 0, m, reference), 0);
        double strange[] = {NAN, 9, 9, 9, 9};
        ck_assert_double_eq(pr_hypervolume(strange, 1, m, reference), 0);
        strange[0] = INFINITY;
        ck_assert_double_infinite(pr_hypervolume(strange, 1, m, reference));
    }
}
END_TEST

/* Fonseca et al.'s small sets with an answer that is easy to check by hand. */
START_TEST(known_values)
{
    const double stairs[] = {1, 3, 2, 2, 3, 1};
    ck_assert_double_eq(pr_hypervolume(stairs, 3, 2, ZERO), 6);
    const double corners[] = {1, 2, 2, 2, 1, 2, 2, 2, 1};
    ck_assert_double_eq(pr_hypervolume(corners, 3, 3, ZERO), 7);
    const double four[] = {1, 2, 2, 2, 2, 1, 2, 2, 2, 2, 1, 2, 2, 2, 2, 1};
    ck_assert_double_eq(pr_hypervolume(four, 4, 4, ZERO), 15);
}
END_TEST

/* With one more objective that is the same for all points, the volume is multiplied by it. */
START_TEST(a_constant_objective_is_a_factor)
{
    for (size_t m = 1; m <= 6; m++)
        for (uint64_t seed = 0; seed < 8; seed++) {
            size_t n = 60;
            double *points = random_points(seed, (point_kind_t)(seed % KINDS), n, m);
            double *lifted = pr_alloc(n * (m + 1), sizeof *lifted);
            size_t at = seed % (m + 1);
            for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k <= m; k++)
                    lifted[i * (m + 1) + k] = k == at ? 2 : points[i * m + k - (k > at)];
            assert_close(pr_hypervolume(lifted, n, (int)m + 1, ZERO), 2 * pr_hypervolume(points, n, (int)m, ZERO),
                         1e-12);
            free(points);
            free(lifted);
        }
}
END_TEST

/* Neither the order of rows nor that of objectives matters; more points never cover less; dominated points and
 * duplicates change nothing. */
START_TEST(invariances)
{
    for (size_t m = 2; m <= 7; m++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            size_t n = m < 5 ? 300 : 40;
            double *points = random_points(seed, (point_kind_t)(seed % KINDS), n, m);
            double *other = pr_alloc(2 * n * m, sizeof *other);
            double all = pr_hypervolume(points, n, (int)m, ZERO);
            shuffle_points(seed, points, n, m, other, NULL);
            assert_close(pr_hypervolume(other, n, (int)m, ZERO), all, 1e-12);
            ck_assert_double_le(pr_hypervolume(other, n / 2, (int)m, ZERO), all * (1 + 1e-12));
            for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < m; k++) {
                    other[i * m + k] = points[i * m + (k + 1) % m];
                    other[(n + i) * m + k] = other[i * m + k] * (i & 1 ? 1 : 0.75);
                }
            assert_close(pr_hypervolume(other, 2 * n, (int)m, ZERO), all, 1e-12);
            free(points);
            free(other);
        }
}
END_TEST

START_TEST(contributions_are_differences)
{
    for (size_t m = 1; m <= 6; m++)
        for (uint64_t seed = 0; seed < 16; seed++) {
            size_t n = seed < 8 ? 1 + seed : 45;
            double *points = random_points(seed, (point_kind_t)(seed % KINDS), n, m);
            double *rest = pr_alloc(n * m, sizeof *rest);
            double contributions[45];
            pr_hypervolume_contributions(points, n, (int)m, ZERO, contributions);
            double all = pr_hypervolume(points, n, (int)m, ZERO);
            for (size_t i = 0; i < n; i++) {
                memcpy(rest, points, n * m * sizeof *rest);
                memcpy(rest + i * m, points, m * sizeof *rest);
                double without = pr_hypervolume(rest + m, n - 1, (int)m, ZERO);
                ck_assert_msg(fabs(contributions[i] - (all - without)) <= 1e-12 * (1 + all),
                              "seed %u m %zu point %zu: %.17g, expected %.17g", (unsigned)seed, m, i, contributions[i],
                              all - without);
                ck_assert_double_ge(contributions[i], -1e-14 * all);
            }
            free(points);
            free(rest);
        }
}
END_TEST

START_TEST(duplicates_contribute_exactly_nothing)
{
    for (size_t m = 1; m <= 6; m++) {
        double *points = random_points(m, LINEAR, 20, m);
        memcpy(points + 19 * m, points + 4 * m, m * sizeof *points);
        double contributions[20];
        pr_hypervolume_contributions(points, 20, (int)m, ZERO, contributions);
        ck_assert_double_eq(contributions[4], 0);
        ck_assert_double_eq(contributions[19], 0);
        for (size_t i = 0; i < 20 && m > 1; i++)
            ck_assert(i == 4 || i == 19 || contributions[i] > 0);
        free(points);
    }
}
END_TEST

/* In two objectives the exclusive parts, and what pairs of neighbours share, add up; here: the staircase sum rule. */
START_TEST(two_objectives_sum_rule)
{
    size_t n = 5000;
    double *points = random_points(3, SPHERE, n, 2);
    double *contributions = pr_alloc(n, sizeof *contributions);
    pr_hypervolume_contributions(points, n, 2, ZERO, contributions);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += contributions[i];
    double all = pr_hypervolume(points, n, 2, ZERO);
    ck_assert(sum > 0 && sum < all);
    ck_assert(fabs(all - M_PI / 4) < 1e-3); // a dense quarter circle
    free(points);
    free(contributions);
}
END_TEST

/* The two recursions for many objectives agree, with ties too: on ranks in one register and in two, and on doubles. */
START_TEST(packed_and_plain_recursion_agree)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 17, 60};
    for (size_t m = 5; m <= 11; m++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int kind = 0; kind < KINDS; kind++) {
                size_t n = m > 7 && sizes[s] > 17 ? 25 : sizes[s];
                double *u = random_points(10 * m + s, (point_kind_t)kind, n, m);
                for (size_t i = 0; i < n * m; i++)
                    u[i] = s & 1 ? 2 - u[i] : u[i] + (kind == GRID); // both sides of the front; positive
                for (size_t i = 0; i < n * m && kind == GRID && s & 1; i++)
                    u[i] += 2;
                pr_hv_work_t *work = pr_hv_work_new(n, m);
                ck_assert(pr_hv_packed_fits(n, m));
                assert_close(pr_hv_packed(u, n, m, &(double){INFINITY}), pr_hv_many(work, u, n, m), 1e-12);
                pr_hv_work_free(work);
                free(u);
            }
}
END_TEST

START_TEST(many_objectives)
{
    ck_assert(!pr_hv_packed_fits(10, 17));
    ck_assert(!pr_hv_packed_fits(32768, 5));
    ck_assert(pr_hv_packed_fits(32767, 16));
    double ones[18 * 18]; // point i is 1 but for a 2 in objective i: each adds 1 to the unit cube
    double zero[18] = {0};
    for (size_t m = 1; m <= 18; m++) {
        for (size_t i = 0; i < m * m; i++)
            ones[i] = i % m == i / m ? 2 : 1;
        ck_assert_double_eq(pr_hypervolume(ones, m, (int)m, zero), 1 + (double)m);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("hypervolume");
    tcase_add_test(t, agrees_with_inclusion_exclusion);
    tcase_add_test(t, agrees_with_counting_cells);
    tcase_add_test(t, points_not_better_than_the_reference_add_nothing);
    tcase_add_test(t, known_values);
    tcase_add_test(t, a_constant_objective_is_a_factor);
    tcase_add_test(t, invariances);
    tcase_add_test(t, contributions_are_differences);
    tcase_add_test(t, duplicates_contribute_exactly_nothing);
    tcase_add_test(t, two_objectives_sum_rule);
    tcase_add_test(t, packed_and_plain_recursion_agree);
    tcase_add_test(t, many_objectives);
    return run_case(t, "hypervolume");
}
