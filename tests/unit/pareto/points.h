// SPDX-License-Identifier: BSD-3-Clause
/* Random points and slow, plain definitions to compare with. Points are small integers where ties and duplicates are
 * wanted. */
#ifndef PR_TEST_POINTS_H
#define PR_TEST_POINTS_H

#include "base/mem.h"
#include "base/rng.h"
#include "pareto/dominance.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { CUBE, GRID, LINEAR, SPHERE, KINDS } point_kind_t;

static inline double coordinate(const pr_rng_key_t *key, point_kind_t kind, size_t i, size_t k)
{
    if (kind == GRID)
        return (double)pr_rng_below(key, 4, i, k, 0, 0);
    double u = pr_rng_uniform(key, i, k, 0, 0);
    return kind == LINEAR ? -log(u) : kind == SPHERE ? fabs(pr_rng_normal(key, i, k, 0, 0)) : u;
}

/* points [n,m]; LINEAR and SPHERE give mutually non-dominated ones. Caller frees. */
static inline double *random_points(uint64_t seed, point_kind_t kind, size_t n, size_t m)
{
    pr_rng_key_t key = pr_rng_key(seed, "test points", "");
    double *points = pr_alloc(n * m, sizeof *points);
    for (size_t i = 0; i < n; i++) {
        double norm = 0;
        for (size_t k = 0; k < m; k++) {
            double x = coordinate(&key, kind, i, k);
            points[i * m + k] = x;
            norm += kind == SPHERE ? x * x : x;
        }
        for (size_t k = 0; k < m && kind >= LINEAR; k++)
            points[i * m + k] /= kind == SPHERE ? sqrt(norm) : norm;
    }
    return points;
}

/* to = points in another order; where[i] is the new place of row i (may be NULL). */
static inline void shuffle_points(uint64_t seed, const double *points, size_t n, size_t m, double *to, size_t *where)
{
    pr_rng_key_t key = pr_rng_key(seed, "test shuffle", "");
    size_t *order = pr_alloc(n, sizeof *order);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i-- > 1;) {
        size_t j = (size_t)pr_rng_below(&key, i + 1, i, 0, 0, 0);
        size_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(to + order[i] * m, points + i * m, m * sizeof *to);
        if (where)
            where[i] = order[i];
    }
    free(order);
}

static inline bool same_point(const double *a, const double *b, size_t m)
{
    for (size_t k = 0; k < m; k++)
        if (a[k] != b[k])
            return false;
    return true;
}

/* By definition, O(n^2 m). */
static inline size_t slow_nondominated(const double *points, size_t n, size_t m, bool keep_duplicates, bool *kept)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        kept[i] = true;
        for (size_t j = 0; j < n && kept[i]; j++)
            if (pr_dominates(points + j * m, points + i * m, (int)m) ||
                (!keep_duplicates && j < i && same_point(points + j * m, points + i * m, m)))
                kept[i] = false;
        count += kept[i];
    }
    return count;
}

/* Relative to the greater magnitude. */
static inline void assert_close(double found, double expected, double tolerance)
{
    double size = fmax(fabs(found), fabs(expected));
    ck_assert_msg(fabs(found - expected) <= tolerance * size, "found %.17g, expected %.17g", found, expected);
}

static inline int run_case(TCase *tests, const char *name)
{
    tcase_set_timeout(tests, 120);
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
