// SPDX-License-Identifier: BSD-3-Clause
/* A few lines that make a test program under mpiexec: every rank runs every test; a failed check prints rank, file and
 * line, and the program ends with a failure on all ranks. */
#ifndef PR_MPI_TEST_H
#define PR_MPI_TEST_H

#include "mpi/world.h"

#include <stdio.h>
#include <stdlib.h>

static pr_world_t *test_world;
static int test_checks;

#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        test_checks++;                                                                                                 \
        if (!(cond)) {                                                                                                 \
            fprintf(stderr, "rank %d: %s:%d: not true: %s\n", pr_world_rank(test_world), __FILE__, __LINE__, #cond);   \
            pr_world_abort(test_world, 1);                                                                             \
        }                                                                                                              \
    } while (0)

static inline void test_begin(int *argc, char ***argv)
{
    pr_error_t err;
    if (pr_world_open(argc, argv, &test_world, &err) != PR_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
}

static inline int test_end(void)
{
    int checks = test_checks;
    if (pr_world_rank(test_world) == 0)
        printf("%d checks on %d ranks\n", checks, pr_world_size(test_world));
    pr_world_close(&test_world);
    return checks > 0 ? 0 : 1;
}

#endif
