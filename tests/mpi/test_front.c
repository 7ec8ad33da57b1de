// SPDX-License-Identifier: BSD-3-Clause
/* The reduced front is the serial filter of all points, at any number of ranks, however the points are spread. */
#include "mpi_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "mpi/front.h"
#include "pareto/dominance.h"

#include <string.h>

/* Coordinates on a coarse grid make ties and duplicates. */
static double *random_points(int seed, size_t n, int m, int grid)
{
    pr_rng_key_t key = pr_rng_key((uint64_t)seed, "points", "");
    double *p = pr_alloc(n * (size_t)m, sizeof *p);
    for (size_t i = 0; i < n * (size_t)m; i++) {
        double u = pr_rng_uniform(&key, i, 0, 0, 0);
        p[i] = grid ? (double)(int)(u * grid) : u;
    }
    return p;
}

/* All points that no other dominates, equal ones among them: the serial definition. */
static void compare(pr_archive_t *a, const double *points, size_t n, int m)
{
    bool *kept = pr_alloc(n, sizeof *kept);
    size_t count = pr_nondominated(points, n, m, true, kept), at = 0;
    CHECK(pr_archive_size(a) == count);
    const int64_t *ids = pr_archive_ids(a);
    const double *values = pr_archive_points(a);
    for (size_t i = 0; i < n; i++) {
        if (!kept[i])
            continue;
        CHECK(ids[at] == (int64_t)i);
        CHECK(memcmp(values + at * (size_t)m, points + i * (size_t)m, (size_t)m * sizeof(double)) == 0);
        at++;
    }
    free(kept);
}

static void one(int seed, size_t n, int m, int grid)
{
    int rank = pr_world_rank(test_world), size = pr_world_size(test_world);
    double *points = random_points(seed, n, m, grid);
    pr_rng_key_t owner = pr_rng_key((uint64_t)seed, "owner", "");
    pr_archive_t *a = pr_archive_new(m);
    pr_error_t err;
    for (size_t i = n; i-- > 0;) // every point at one rank, some at two, in an order that is not the serial one
        if (pr_rng_below(&owner, (uint64_t)size, i, 0, 0, 0) == (uint64_t)rank ||
            (i % 7 == 0 && pr_rng_below(&owner, (uint64_t)size, i, 1, 0, 0) == (uint64_t)rank))
            pr_archive_insert(a, (int64_t)i, points + i * (size_t)m);
    CHECK(pr_front_reduce(test_world, a, &err) == PR_OK);
    if (rank == 0)
        compare(a, points, n, m);
    pr_archive_free(&a);
    free(points);
}

static void a_million(void)
{
    const size_t n = 1000000;
    const int m = 3;
    size_t rank = (size_t)pr_world_rank(test_world), size = (size_t)pr_world_size(test_world);
    size_t first = n * rank / size, last = n * (rank + 1) / size;
    double *points = random_points(99, n, m, 0);
    int64_t *ids = pr_alloc(n, sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int64_t)i;
    pr_archive_t *a = pr_archive_new(m);
    pr_error_t err;
    pr_archive_insert_many(a, ids + first, points + first * (size_t)m, last - first);
    CHECK(pr_front_reduce(test_world, a, &err) == PR_OK);
    if (rank == 0)
        compare(a, points, n, m);
    pr_archive_free(&a);
    free(ids);
    free(points);
}

static void different_objectives_are_an_error_for_all(void)
{
    int rank = pr_world_rank(test_world), size = pr_world_size(test_world);
    pr_archive_t *a = pr_archive_new(rank == size - 1 ? 3 : 2);
    pr_error_t err;
    pr_status_t status = pr_front_reduce(test_world, a, &err);
    CHECK(status == (size > 1 ? PR_ERR_FORMAT : PR_OK));
    pr_archive_free(&a);
}

int main(int argc, char **argv)
{
    test_begin(&argc, &argv);
    for (int seed = 1; seed <= 12; seed++)
        for (int m = 1; m <= 5; m++)
            one(seed * 10 + m, seed % 4 == 0 ? 0 : (size_t)(seed * 40), m, seed % 3 ? 4 : 0);
    a_million();
    different_objectives_are_an_error_for_all();
    return test_end();
}
