// SPDX-License-Identifier: BSD-3-Clause
#include "points.h"

static const double EXAMPLE[] = {1, 5, 3, 3, 2, 2, 5, 1, 3, 3, 3, 1};

START_TEST(dominance_is_strict_somewhere)
{
    const double a[] = {1, 2};
    const double b[] = {1, 1};
    const double c[] = {2, 1};
    ck_assert(pr_dominates(a, b, 2));
    ck_assert(!pr_dominates(b, a, 2));
    ck_assert(!pr_dominates(a, a, 2));
    ck_assert(pr_weakly_dominates(a, a, 2));
    ck_assert(!pr_dominates(a, c, 2) && !pr_dominates(c, a, 2));
    const double nan[] = {NAN, 5};
    ck_assert(!pr_weakly_dominates(nan, b, 2) && !pr_weakly_dominates(a, nan, 2));
}
END_TEST

START_TEST(first_duplicate_is_kept)
{
    bool kept[6];
    ck_assert_uint_eq(pr_nondominated(EXAMPLE, 6, 2, false, kept), 3);
    const bool expected[] = {true, true, false, true, false, false};
    ck_assert_mem_eq(kept, expected, sizeof kept);
    ck_assert_uint_eq(pr_nondominated(EXAMPLE, 6, 2, true, kept), 4);
    ck_assert(kept[4]);
}
END_TEST

START_TEST(nan_and_infinity)
{
    const double points[] = {NAN, 9, 1, INFINITY, 2, -INFINITY, 2, -1, -0.0, INFINITY};
    bool kept[5];
    ck_assert_uint_eq(pr_nondominated(points, 5, 2, false, kept), 2);
    ck_assert(!kept[0] && kept[1] && !kept[2] && kept[3] && !kept[4]);
    uint32_t rank[5];
    ck_assert_uint_eq(pr_nondominated_rank(points, 5, 2, rank), 2);
    ck_assert_uint_eq(rank[0], PR_RANK_NONE);
    ck_assert_uint_eq(rank[1], 0);
    ck_assert_uint_eq(rank[2], 1);
    const double zeros[] = {0.0, -0.0, -0.0, 0.0};
    ck_assert_uint_eq(pr_nondominated(zeros, 2, 2, false, kept), 1);
    ck_assert(kept[0]);
}
END_TEST

START_TEST(empty_and_single)
{
    bool kept[1];
    uint32_t rank[1];
    const double point[8] = {0};
    for (int m = 1; m <= 8; m++) {
        ck_assert_uint_eq(pr_nondominated(point, 0, m, false, kept), 0);
        ck_assert_uint_eq(pr_nondominated_rank(point, 0, m, rank), 0);
        ck_assert_uint_eq(pr_nondominated(point, 1, m, false, kept), 1);
        ck_assert_uint_eq(pr_nondominated_rank(point, 1, m, rank), 1);
        ck_assert_uint_eq(rank[0], 0);
    }
}
END_TEST

static void check_filter(uint64_t seed, point_kind_t kind, size_t n, size_t m)
{
    double *points = random_points(seed, kind, n, m);
    bool *kept = pr_alloc(n, 1);
    bool *expected = pr_alloc(n, 1);
    for (int duplicates = 0; duplicates < 2; duplicates++) {
        size_t count = slow_nondominated(points, n, m, duplicates, expected);
        size_t found = pr_nondominated(points, n, (int)m, duplicates, kept);
        ck_assert_msg(found == count && memcmp(kept, expected, n) == 0, "seed %u kind %d n %zu m %zu: %zu of %zu",
                      (unsigned)seed, (int)kind, n, m, found, count);
    }
    free(points);
    free(kept);
    free(expected);
}

START_TEST(filter_agrees_with_definition)
{
    static const size_t sizes[] = {2, 3, 17, 40, 70, 300, 900};
    for (size_t m = 1; m <= 7; m++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int kind = 0; kind < KINDS; kind++)
                check_filter(100 * m + s, (point_kind_t)kind, sizes[s], m);
}
END_TEST

/* Objectives in very different units, and one that is constant. */
START_TEST(filter_ignores_units)
{
    size_t n = 800;
    double *points = random_points(5, CUBE, n, 4);
    for (size_t i = 0; i < n; i++) {
        points[4 * i] = points[4 * i] * 1e200 - 5e199;
        points[4 * i + 1] *= 1e-300;
        points[4 * i + 2] = -7;
    }
    bool *kept = pr_alloc(n, 1);
    bool *expected = pr_alloc(n, 1);
    slow_nondominated(points, n, 4, false, expected);
    pr_nondominated(points, n, 4, false, kept);
    ck_assert_mem_eq(kept, expected, n);
    free(points);
    free(kept);
    free(expected);
}
END_TEST

/* The set of kept values does not depend on the order of the rows. */
START_TEST(filter_is_invariant_under_permutation)
{
    for (size_t m = 2; m <= 6; m++)
        for (uint64_t seed = 0; seed < 4; seed++) {
            size_t n = 2000;
            double *points = random_points(seed, seed & 1 ? GRID : CUBE, n, m);
            double *other = pr_alloc(n * m, sizeof *other);
            size_t *where = pr_alloc(n, sizeof *where);
            shuffle_points(seed + 9, points, n, m, other, where);
            bool *kept = pr_alloc(2 * n, 1);
            ck_assert_uint_eq(pr_nondominated(points, n, (int)m, true, kept),
                              pr_nondominated(other, n, (int)m, true, kept + n));
            for (size_t i = 0; i < n; i++)
                ck_assert(kept[i] == kept[n + where[i]]);
            ck_assert_uint_eq(pr_nondominated(points, n, (int)m, false, kept),
                              pr_nondominated(other, n, (int)m, false, kept));
            free(points);
            free(other);
            free(where);
            free(kept);
        }
}
END_TEST

/* Peels fronts by the filter. */
static uint32_t slow_rank(const double *points, size_t n, size_t m, uint32_t *rank)
{
    double *left = pr_alloc(n * m, sizeof *left);
    size_t *rows = pr_alloc(n, sizeof *rows);
    bool *kept = pr_alloc(n, 1);
    memcpy(left, points, n * m * sizeof *left);
    for (size_t i = 0; i < n; i++)
        rows[i] = i;
    uint32_t front = 0;
    for (; n > 0; front++) {
        slow_nondominated(left, n, m, true, kept);
        size_t rest = 0;
        for (size_t i = 0; i < n; i++) {
            if (kept[i]) {
                rank[rows[i]] = front;
                continue;
            }
            memmove(left + rest * m, left + i * m, m * sizeof *left);
            rows[rest++] = rows[i];
        }
        n = rest;
    }
    free(left);
    free(rows);
    free(kept);
    return front;
}

START_TEST(rank_agrees_with_peeling)
{
    static const size_t sizes[] = {2, 5, 60, 200, 700};
    uint32_t rank[700], expected[700];
    for (size_t m = 1; m <= 6; m++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int kind = 0; kind < 3; kind++) {
                size_t n = sizes[s];
                double *points = random_points(31 * m + s, (point_kind_t)kind, n, m);
                uint32_t fronts = slow_rank(points, n, m, expected);
                ck_assert_uint_eq(pr_nondominated_rank(points, n, (int)m, rank), fronts);
                ck_assert_msg(memcmp(rank, expected, n * sizeof *rank) == 0, "kind %d n %zu m %zu", kind, n, m);
                free(points);
            }
}
END_TEST

START_TEST(rank_zero_is_the_filter_at_size)
{
    for (size_t m = 2; m <= 5; m++) {
        size_t n = 30000;
        double *points = random_points(m, CUBE, n, m);
        for (size_t i = 0; i < n * m; i++)
            points[i] = floor(points[i] * 500);
        bool *kept = pr_alloc(n, 1);
        uint32_t *rank = pr_alloc(n, sizeof *rank);
        size_t count = pr_nondominated(points, n, (int)m, true, kept);
        ck_assert_uint_gt(count, 0);
        pr_nondominated_rank(points, n, (int)m, rank);
        for (size_t i = 0; i < n; i++)
            ck_assert(kept[i] == (rank[i] == 0));
        free(points);
        free(kept);
        free(rank);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("dominance");
    tcase_add_test(t, dominance_is_strict_somewhere);
    tcase_add_test(t, first_duplicate_is_kept);
    tcase_add_test(t, nan_and_infinity);
    tcase_add_test(t, empty_and_single);
    tcase_add_test(t, filter_agrees_with_definition);
    tcase_add_test(t, filter_ignores_units);
    tcase_add_test(t, filter_is_invariant_under_permutation);
    tcase_add_test(t, rank_agrees_with_peeling);
    tcase_add_test(t, rank_zero_is_the_filter_at_size);
    return run_case(t, "dominance");
}
