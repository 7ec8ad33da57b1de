// SPDX-License-Identifier: BSD-3-Clause
/* Lets the checks of fixtures, which are written with Check's assertions, run under mpirun: a failed one ends all
 * ranks. To be included before them. */
#ifndef TESTS_MPI_TEAM_FIXTURES_H
#define TESTS_MPI_TEAM_FIXTURES_H

#include "mpi/mpi_test.h"

#include <check.h>

#undef ck_assert_msg
#undef ck_assert
#undef ck_assert_ptr_nonnull
#undef ck_assert_int_gt
#undef ck_assert_uint_eq
#undef ck_assert_uint_ge
#undef ck_assert_int_eq
#undef ck_assert_double_eq
#undef ck_assert_double_gt
#undef ck_assert_double_eq_tol

#define ck_assert_msg(cond, ...)                                                                                       \
    do {                                                                                                               \
        test_checks++;                                                                                                 \
        if (!(cond)) {                                                                                                 \
            fprintf(stderr, "rank %d: %s:%d: ", pr_world_rank(test_world), __FILE__, __LINE__);                        \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fprintf(stderr, "\n");                                                                                     \
            pr_world_abort(test_world, 1);                                                                             \
        }                                                                                                              \
    } while (0)
#define ck_assert(cond) ck_assert_msg(cond, "not true: %s", #cond)
#define ck_assert_ptr_nonnull(p) ck_assert((p) != NULL)
#define ck_assert_int_gt(a, b) ck_assert((a) > (b))
#define ck_assert_int_eq(a, b) ck_assert((a) == (b))
#define ck_assert_double_eq(a, b) ck_assert((a) == (b))
#define ck_assert_double_gt(a, b) ck_assert((a) > (b))
#define ck_assert_double_eq_tol(a, b, tol) ck_assert(fabs((a) - (b)) < (tol))
#define ck_assert_uint_eq(a, b) ck_assert((a) == (b))
#define ck_assert_uint_ge(a, b) ck_assert((a) >= (b))

#endif
