// SPDX-License-Identifier: BSD-3-Clause
/* Matrices over process grids against the one-process provider, on every grid that fits the ranks: block edges, team
 * rows that differ and are empty, matrices that have no factor. With an argument D, one matrix of D x D instead, with
 * its times and residual. */
#include "mpi_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "mpi/dense_grid.h"

#include <math.h>
#include <mpi.h>
#include <string.h>

typedef struct team {
    int rows, cols, row;
    pr_grid_t grid;
    MPI_Comm comm;
    pr_dense_t *dense;
} team_t;

/* False on ranks that are not in the team. */
static bool team_open(int rows, int cols, team_t *t)
{
    int rank = pr_world_rank(test_world);
    *t = (team_t){.rows = rows, .cols = cols, .row = rank / cols};
    MPI_Comm_split(MPI_COMM_WORLD, rank < rows * cols ? 0 : MPI_UNDEFINED, rank, &t->comm);
    if (t->comm == MPI_COMM_NULL)
        return false;
    pr_grid_open(t->comm, cols, rows, &t->grid);
    CHECK(t->grid.mycol == t->row && t->grid.myrow == rank % cols);
    pr_dense_grid_new(&t->grid, t->comm, &t->dense);
    return true;
}

static void team_close(team_t *t)
{
    pr_dense_grid_free(&t->dense);
    CHECK(t->dense == NULL);
    pr_grid_close(&t->grid);
    MPI_Comm_free(&t->comm);
}

/* x [n,d] of team row r, in a call of its own. */
static double *rows_of(int r, int call, int n, int d)
{
    double *x = pr_alloc((size_t)n * (size_t)d, sizeof *x);
    pr_rng_key_t key = pr_rng_key((uint64_t)(r * 100 + call), "rows", "");
    for (size_t i = 0; i < (size_t)n * (size_t)d; i++)
        x[i] = pr_rng_uniform(&key, i, 0, 0, 0) - 0.5;
    return x;
}

static double largest_of(const double *v, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(v[i]));
    return most;
}

static void check_close(const double *found, const double *expected, size_t n, double tolerance)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        CHECK(isfinite(found[i]));
        worst = fmax(worst, fabs(found[i] - expected[i]));
    }
    CHECK(worst <= tolerance * largest_of(expected, n));
}

/* Every rank has the same bits. */
static void check_same(const team_t *t, const double *v, size_t n)
{
    double *first = pr_alloc(n, sizeof *first);
    memcpy(first, v, n * sizeof *first);
    MPI_Bcast(first, (int)n, MPI_DOUBLE, 0, t->comm);
    CHECK(memcmp(first, v, n * sizeof *first) == 0);
    free(first);
}

/* How many rows team row r adds in a call: differs, and some have none. */
static int count_of(int r, int call)
{
    return call == 0 ? 70 + 40 * r : r % 2 == 1 ? 0 : 33;
}

static void add_all(const team_t *t, pr_spd_t *g, pr_spd_t *local, int d, int call, double keep)
{
    pr_error_t err;
    double *mine = rows_of(t->row, call, count_of(t->row, call), d);
    CHECK(t->dense->add(t->dense, g, keep, count_of(t->row, call), mine, &err) == PR_OK);
    free(mine);
    for (int r = 0; r < t->rows; r++) {
        double *x = rows_of(r, call, count_of(r, call), d);
        CHECK(pr_dense_local()->add(pr_dense_local(), local, r == 0 ? keep : 1, count_of(r, call), x, &err) == PR_OK);
        free(x);
    }
}

static void compare(const team_t *t, const pr_spd_t *g, const pr_spd_t *local, int d, double tolerance)
{
    size_t n = (size_t)d * (size_t)d;
    double *found = pr_alloc(n, sizeof *found), *expected = pr_alloc(n, sizeof *expected);
    t->dense->get(t->dense, g, found);
    pr_dense_local()->get(pr_dense_local(), local, expected);
    check_close(found, expected, n, tolerance);
    check_same(t, found, n);
    free(found);
    free(expected);
}

/* x G, and inv(G) of a factorised one, of n rows. */
static void compare_products(const team_t *t, const pr_spd_t *g, const pr_spd_t *local, int n, int d, bool solve)
{
    pr_error_t err;
    const pr_dense_t *serial = pr_dense_local();
    double *x = rows_of(7, 3, n, d), *found = rows_of(7, 3, n, d), *expected = rows_of(7, 3, n, d);
    if (solve) {
        CHECK(t->dense->solve(t->dense, g, n, found, &err) == PR_OK);
        CHECK(serial->solve(serial, local, n, expected, &err) == PR_OK);
    } else {
        CHECK(t->dense->multiply(t->dense, g, n, x, found, &err) == PR_OK);
        CHECK(serial->multiply(serial, local, n, x, expected, &err) == PR_OK);
    }
    check_close(found, expected, (size_t)n * (size_t)d, 1e-10);
    check_same(t, found, (size_t)n * (size_t)d);
    free(x);
    free(found);
    free(expected);
}

static void sums(const team_t *t, pr_spd_t *g, pr_spd_t *h, pr_spd_t *local, pr_spd_t *local_h, int d)
{
    const pr_dense_t *grid = t->dense, *serial = pr_dense_local();
    add_all(t, g, local, d, 0, 0);
    compare(t, g, local, d, 1e-12);
    add_all(t, g, local, d, 1, 0.75);
    add_all(t, h, local_h, d, 1, 1);
    grid->add_matrix(grid, g, 0.5, h);
    serial->add_matrix(serial, local, 0.5, local_h);
    grid->scale_off_diagonal(grid, g, 0.9);
    serial->scale_off_diagonal(serial, local, 0.9);
    grid->add_diagonal(grid, g, 2.5);
    serial->add_diagonal(serial, local, 2.5);
    compare(t, g, local, d, 1e-12);
    double found = grid->trace(grid, g), expected = serial->trace(serial, local);
    check_close(&found, &expected, 1, 1e-12);
    check_same(t, &found, 1);
}

/* keep G alone, when no team row has anything to add. */
static void nothing_to_add(const team_t *t, pr_spd_t *g, int d)
{
    pr_error_t err;
    size_t n = (size_t)d * (size_t)d;
    double *before = pr_alloc(n, sizeof *before), *after = pr_alloc(n, sizeof *after);
    t->dense->get(t->dense, g, before);
    CHECK(t->dense->add(t->dense, g, 0.5, 0, NULL, &err) == PR_OK);
    t->dense->get(t->dense, g, after);
    for (size_t i = 0; i < n; i++)
        CHECK(after[i] == 0.5 * before[i]);
    CHECK(t->dense->add(t->dense, g, 0, 0, NULL, &err) == PR_OK);
    CHECK(t->dense->trace(t->dense, g) == 0);
    free(before);
    free(after);
}

static void against_local(const team_t *t, int d)
{
    pr_error_t err;
    double rcond = -1, expected = -2;
    pr_spd_t *g, *h, *local, *local_h;
    const pr_dense_t *grid = t->dense, *serial = pr_dense_local();
    CHECK(grid->create(grid, d, &g, &err) == PR_OK && grid->create(grid, d, &h, &err) == PR_OK);
    CHECK(serial->create(serial, d, &local, &err) == PR_OK && serial->create(serial, d, &local_h, &err) == PR_OK);
    CHECK(grid->trace(grid, g) == 0);
    sums(t, g, h, local, local_h, d);
    for (int n = 0; n < 3; n++)
        compare_products(t, g, local, n == 2 ? 131 : n, d, false);
    CHECK(grid->factor(grid, g, &rcond, &err) == PR_OK && serial->factor(serial, local, &expected, &err) == PR_OK);
    check_close(&rcond, &expected, 1, 1e-8);
    check_same(t, &rcond, 1);
    compare(t, g, local, d, 1e-10);
    for (int n = 0; n < 3; n++)
        compare_products(t, g, local, n == 2 ? 131 : n, d, true);
    grid->clear(grid, g);
    serial->clear(serial, local);
    sums(t, g, h, local, local_h, d); // as before; h has been added to twice
    nothing_to_add(t, g, d);
    grid->destroy(grid, &g);
    CHECK(g == NULL);
    grid->destroy(grid, &g);
    grid->destroy(grid, &h);
    serial->destroy(serial, &local);
    serial->destroy(serial, &local_h);
}

/* The bad pivot is in the last block, so that some ranks have long done their part when it is found. */
static void no_factor(const team_t *t, int d)
{
    pr_error_t err, expected;
    const pr_dense_t *grid = t->dense, *serial = pr_dense_local();
    double rcond, *last = pr_alloc((size_t)d, sizeof *last), *x = rows_of(7, 4, 2, d);
    pr_spd_t *g, *minus, *local;
    CHECK(grid->create(grid, d, &g, &err) == PR_OK && grid->create(grid, d, &minus, &err) == PR_OK);
    CHECK(serial->create(serial, d, &local, &err) == PR_OK);
    last[d - 1] = 3;
    CHECK(grid->add(grid, minus, 0, t->row == 0 ? 1 : 0, last, &err) == PR_OK);
    grid->add_diagonal(grid, g, 1);
    grid->add_matrix(grid, g, -1, minus);
    serial->add_diagonal(serial, local, 1);
    pr_spd_t *local_minus;
    CHECK(serial->create(serial, d, &local_minus, &err) == PR_OK);
    CHECK(serial->add(serial, local_minus, 0, 1, last, &err) == PR_OK);
    serial->add_matrix(serial, local, -1, local_minus);
    CHECK(grid->factor(grid, g, &rcond, &err) == PR_ERR_NUMERIC);
    CHECK(serial->factor(serial, local, &rcond, &expected) == PR_ERR_NUMERIC);
    CHECK(strcmp(err.text, expected.text) == 0);
    // Not a number, known to one team row alone.
    grid->clear(grid, g);
    grid->add_diagonal(grid, g, 1);
    last[d - 1] = NAN;
    CHECK(grid->add(grid, g, 1, t->row == t->rows - 1 ? 1 : 0, last, &err) == PR_OK);
    CHECK(grid->factor(grid, g, NULL, &err) == PR_ERR_NUMERIC);
    CHECK(strstr(err.text, "finite"));
    // And the team goes on.
    grid->clear(grid, g);
    grid->add_diagonal(grid, g, 4);
    CHECK(grid->factor(grid, g, &rcond, &err) == PR_OK);
    CHECK(fabs(rcond - 1) < 1e-14);
    CHECK(grid->solve(grid, g, 2, x, &err) == PR_OK);
    double *b = rows_of(7, 4, 2, d);
    for (size_t i = 0; i < 2 * (size_t)d; i++)
        CHECK(fabs(4 * x[i] - b[i]) < 1e-14);
    grid->destroy(grid, &g);
    grid->destroy(grid, &minus);
    serial->destroy(serial, &local);
    serial->destroy(serial, &local_minus);
    free(last);
    free(x);
    free(b);
}

/* More rows than one call of PBLAS takes. */
static void many_rows(const team_t *t)
{
    enum { D = 5 };
    pr_error_t err;
    const pr_dense_t *serial = pr_dense_local();
    pr_spd_t *g, *local;
    CHECK(t->dense->create(t->dense, D, &g, &err) == PR_OK && serial->create(serial, D, &local, &err) == PR_OK);
    for (int r = 0; r < t->rows; r++) {
        int n = 1000 * (r + 1) + 300 * r;
        double *x = rows_of(r, 5, n, D);
        if (r == t->row)
            CHECK(t->dense->add(t->dense, g, 0, n, x, &err) == PR_OK);
        CHECK(serial->add(serial, local, 1, n, x, &err) == PR_OK);
        free(x);
    }
    compare(t, g, local, D, 1e-12);
    t->dense->destroy(t->dense, &g);
    serial->destroy(serial, &local);
}

/* What one rank lacks, all are told of; no rank waits for ever. */
static void too_large(const team_t *t)
{
    pr_error_t err;
    pr_spd_t *g = NULL;
    CHECK(t->dense->create(t->dense, 2000000000, &g, &err) == PR_ERR_MEMORY);
    CHECK(g == NULL && strstr(err.text, "2000000000"));
}

/* ---- one large matrix, by hand ---- */

static double seconds(void)
{
    return MPI_Wtime();
}

static void large(int d)
{
    int size = pr_world_size(test_world), rows = size == 4 ? 2 : size, n = d / 2, sides = 8;
    team_t t;
    pr_error_t err;
    CHECK(team_open(rows, size / rows, &t));
    const pr_dense_t *kind[] = {t.dense, pr_dense_local()};
    size_t count = (size_t)sides * (size_t)d;
    double *mine = rows_of(t.row, 9, n, d), *b = rows_of(7, 9, sides, d), *x[2], took[2], rcond[2];
    for (int k = 0; k < 2; k++) {
        pr_spd_t *g;
        x[k] = pr_alloc(count, sizeof **x);
        memcpy(x[k], b, count * sizeof *b);
        MPI_Barrier(t.comm);
        double began = seconds();
        CHECK(kind[k]->create(kind[k], d, &g, &err) == PR_OK);
        for (int r = 0; r < (k == 0 ? 1 : rows); r++) {
            double *other = k == 0 ? mine : rows_of(r, 9, n, d);
            CHECK(kind[k]->add(kind[k], g, 1, n, other, &err) == PR_OK);
            if (k == 1)
                free(other);
        }
        kind[k]->add_diagonal(kind[k], g, 1);
        CHECK(kind[k]->factor(kind[k], g, &rcond[k], &err) == PR_OK);
        CHECK(kind[k]->solve(kind[k], g, sides, x[k], &err) == PR_OK);
        took[k] = seconds() - began;
        kind[k]->destroy(kind[k], &g);
        if (k == 0) { // residual: x G - b
            double *y = pr_alloc(count, sizeof *y);
            CHECK(kind[k]->create(kind[k], d, &g, &err) == PR_OK);
            CHECK(kind[k]->add(kind[k], g, 1, n, mine, &err) == PR_OK);
            kind[k]->add_diagonal(kind[k], g, 1);
            CHECK(kind[k]->multiply(kind[k], g, sides, x[k], y, &err) == PR_OK);
            for (size_t i = 0; i < count; i++)
                y[i] -= b[i];
            if (pr_world_rank(test_world) == 0)
                printf("d %d, grid %d x %d: residual %.3g of %.3g\n", d, rows, size / rows, largest_of(y, count),
                       largest_of(b, count));
            CHECK(largest_of(y, count) <= 1e-9 * largest_of(b, count));
            free(y);
            kind[k]->destroy(kind[k], &g);
        }
    }
    check_close(x[0], x[1], count, 1e-8);
    if (pr_world_rank(test_world) == 0)
        printf("grid %.2f s, local %.2f s (on every rank at once), ratio %.2f; rcond %.6g, %.6g\n", took[0], took[1],
               took[0] / took[1], rcond[0], rcond[1]);
    free(mine);
    free(b);
    free(x[0]);
    free(x[1]);
    team_close(&t);
}

static void every_grid(void)
{
    static const int sizes[] = {1, 3, 64, 200};
    int size = pr_world_size(test_world);
    for (int rows = 1; rows <= size; rows++)
        for (int cols = 1; rows * cols <= size; cols++) {
            team_t t;
            if (!team_open(rows, cols, &t))
                continue;
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                against_local(&t, sizes[i]);
                no_factor(&t, sizes[i]);
            }
            many_rows(&t);
            too_large(&t);
            team_close(&t);
        }
    CHECK(true); // ranks that are in few teams
}

int main(int argc, char **argv)
{
    test_begin(&argc, &argv);
    if (argc > 1)
        large(atoi(argv[1]));
    else
        every_grid();
    return test_end();
}
