// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/knee.h"
#include "points.h"

#include <math.h>

START_TEST(two_objectives)
{
    // The line through (0,1) and (1,0): the distance is (x + y - 1) / sqrt 2, at any scale and shift.
    const double points[] = {0, 1, 0.4, 0.8, 0.7, 0.7, 0.9, 0.2, 1, 0};
    double moved[10], d[5];
    bool spanned;
    ck_assert_uint_eq(pr_knee(points, 5, 2, d, &spanned), 2);
    ck_assert(spanned);
    for (int i = 0; i < 5; i++)
        ck_assert(fabs(d[i] - (points[2 * i] + points[2 * i + 1] - 1) / sqrt(2)) < 1e-15);
    for (int i = 0; i < 5; i++) {
        moved[2 * i] = 3 + 100 * points[2 * i];
        moved[2 * i + 1] = -7 + 0.01 * points[2 * i + 1];
    }
    ck_assert_uint_eq(pr_knee(moved, 5, 2, d, NULL), 2);
    assert_close(d[2], 0.4 / sqrt(2), 1e-12);
}
END_TEST

START_TEST(a_plane_through_three_extremes)
{
    // The extremes are (1,0,0.2), (0,1,0.2) and (0,0,1): the plane 0.8 x + 0.8 y + z = 1.
    const double points[] = {1, 0, 0.2, 0, 1, 0.2, 0, 0, 1, 0.5, 0.5, 0.1, 0.3, 0.3, 0.5, 0.6, 0.1, 0.6};
    const double scaled[] = {1, 0, 1. / 9, 0, 1, 1. / 9, 0, 0, 1, 0.5, 0.5, 0, 0.3, 0.3, 4. / 9, 0.6, 0.1, 5. / 9};
    double d[6], length = sqrt(2 * 64. / 81 + 1);
    bool spanned;
    ck_assert_uint_eq(pr_knee(points, 6, 3, d, &spanned), 5);
    ck_assert(spanned);
    for (int i = 0; i < 6; i++)
        ck_assert(fabs(d[i] - (8. / 9 * (scaled[3 * i] + scaled[3 * i + 1]) + scaled[3 * i + 2] - 1) / length) < 1e-12);
}
END_TEST

START_TEST(extremes_that_span_nothing)
{
    bool spanned;
    double d[3];
    // One point is the best in two objectives, and one objective is the same everywhere.
    const double shared[] = {1, 1, 0, 0, 0.5, 1, 0.9, 0.9, 0.9};
    ck_assert_uint_eq(pr_knee(shared, 3, 3, d, &spanned), 2);
    ck_assert(!spanned);
    const double flat[] = {0, 5, 1, 0.7, 5, 0.7, 1, 5, 0};
    ck_assert_uint_eq(pr_knee(flat, 3, 3, d, &spanned), 1);
    ck_assert(spanned);
    assert_close(d[1], 0.4 / sqrt(2), 1e-12);
    const double one[] = {3, 4, 5, 3, 4, 5};
    ck_assert_uint_eq(pr_knee(one, 2, 3, d, &spanned), 0);
    ck_assert(!spanned);
    ck_assert_double_eq(d[1], 0);
    // Numbers whose difference is none.
    const double large[] = {-1.7e308, 1.7e308, 1.7e308, -1.7e308, 1.2e308, 1.2e308};
    ck_assert_uint_eq(pr_knee(large, 3, 2, d, NULL), 2);
    ck_assert(isfinite(d[2]) && d[2] > 0.3);
}
END_TEST

START_TEST(a_slope_the_wrong_way_is_none)
{
    // Through these extremes the plane rises towards less of the third objective.
    const double points[] = {1, 0, 0.9, 0, 1, 0.9, 0.6, 0.6, 1, 0.7, 0.7, 0};
    bool spanned;
    double d[4];
    ck_assert_uint_eq(pr_knee(points, 4, 3, d, &spanned), 2);
    ck_assert(!spanned);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("knee");
    tcase_add_test(t, two_objectives);
    tcase_add_test(t, a_plane_through_three_extremes);
    tcase_add_test(t, extremes_that_span_nothing);
    tcase_add_test(t, a_slope_the_wrong_way_is_none);
    return run_case(t, "knee");
}
