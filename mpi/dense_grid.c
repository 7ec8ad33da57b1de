// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/dense_grid.h"
#include "base/log.h"
#include "base/mem.h"
#include "mpi/scalapack.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Columns of x that one call of PBLAS takes from a team row: bounds the copy of x and keeps N an int. */
enum { PR_UPDATE_COLUMNS = 1024, PR_LARGEST_BLOCK = 64, PR_REDUCE_CHUNK = 1 << 26 };

typedef struct grid_self {
    pr_grid_t grid;
    MPI_Comm comm;
} grid_self_t;

/* Column-major, its upper triangle counts: the lower one of the row-major matrix that dense.h speaks of. */
struct pr_spd {
    int d, block;
    int rows, cols; // of the local part
    int desc[9];
    bool factored;
    double *a; // [cols][rows]
};

static const int zero = 0, one = 1;

static const pr_grid_t *grid_of(const pr_dense_t *dense)
{
    return &((const grid_self_t *)dense->self)->grid;
}

/* ---- agreement ---- */

/* An error of MPI itself: no rank could rely on the others any more. */
static void must(MPI_Comm comm, int rc, const char *what)
{
    char text[MPI_MAX_ERROR_STRING];
    int n = 0;
    if (rc == MPI_SUCCESS)
        return;
    MPI_Error_string(rc, text, &n);
    pr_log(PR_LOG_ERROR, "dense matrices: MPI: %s: %.*s", what, n, text);
    MPI_Abort(comm, pr_status_exit_code(PR_ERR_ENV));
}

static MPI_Comm comm_of(const pr_dense_t *dense)
{
    return ((const grid_self_t *)dense->self)->comm;
}

static int largest(const pr_dense_t *dense, int v)
{
    int most = v;
    must(comm_of(dense), MPI_Allreduce(&v, &most, 1, MPI_INT, MPI_MAX, comm_of(dense)), "maximum");
    return most;
}

/* PR_OK when no rank lacked memory for what is named. */
static pr_status_t have_memory(const pr_dense_t *dense, bool mine, const char *what, int rows, int cols,
                               pr_error_t *err)
{
    bool missing = largest(dense, !mine) != 0;
    if (mine && !missing)
        return PR_OK;
    return pr_fail(err, PR_ERR_MEMORY, "no memory on %s of the team for its part of %s of %d x %d",
                   mine ? "another rank" : "this rank", what, rows, cols);
}

/* v [n] becomes the sum over the team. Ranks add disjoint parts, so that no sum is rounded. */
static void assemble(const pr_dense_t *dense, double *v, size_t n)
{
    for (size_t i = 0; i < n; i += PR_REDUCE_CHUNK) {
        int count = (int)(n - i < PR_REDUCE_CHUNK ? n - i : PR_REDUCE_CHUNK);
        must(comm_of(dense), MPI_Allreduce(MPI_IN_PLACE, v + i, count, MPI_DOUBLE, MPI_SUM, comm_of(dense)),
             "assembling a matrix");
    }
}

/* The same bits for all, whatever the order in which a reduction added. */
static void same_on_all(const pr_dense_t *dense, double *v)
{
    must(comm_of(dense), MPI_Bcast(v, 1, MPI_DOUBLE, 0, comm_of(dense)), "broadcast");
}

/* ---- where entries lie ---- */

/* Global index of local index i of a dimension in blocks, of process `process` of n. */
static size_t global_index(size_t i, int block, int process, int n)
{
    size_t b = (size_t)block;
    return (i / b * (size_t)n + (size_t)process) * b + i % b;
}

static size_t global_row(const pr_dense_t *dense, const pr_spd_t *g, size_t i)
{
    return global_index(i, g->block, grid_of(dense)->myrow, grid_of(dense)->nprow);
}

static size_t global_col(const pr_dense_t *dense, const pr_spd_t *g, size_t j)
{
    return global_index(j, g->block, grid_of(dense)->mycol, grid_of(dense)->npcol);
}

static size_t local_size(const pr_spd_t *g)
{
    return (size_t)g->rows * (size_t)g->cols;
}

/* ---- life ---- */

/* Small matrices are cut into as many blocks as there are processes a side, so that all take part. */
static int block_for(int d, const pr_grid_t *grid)
{
    int most = grid->nprow > grid->npcol ? grid->nprow : grid->npcol, block = (d + most - 1) / most;
    return block < 1 ? 1 : block > PR_LARGEST_BLOCK ? PR_LARGEST_BLOCK : block;
}

static pr_status_t grid_create(const pr_dense_t *dense, int d, pr_spd_t **out, pr_error_t *err)
{
    const pr_grid_t *grid = grid_of(dense);
    pr_spd_t g = {.d = d, .block = block_for(d, grid)};
    g.rows = numroc_(&d, &g.block, &grid->myrow, &zero, &grid->nprow);
    g.cols = numroc_(&d, &g.block, &grid->mycol, &zero, &grid->npcol);
    pr_descriptor(g.desc, grid->context, d, d, g.block, g.block, 0, 0, g.rows);
    if (local_size(&g) <= INT_MAX) // ScaLAPACK counts with int
        g.a = pr_alloc_matrix(local_size(&g) + 1, sizeof *g.a);
    pr_status_t status = have_memory(dense, g.a != NULL, "a matrix", d, d, err);
    if (status != PR_OK) {
        free(g.a);
        return status;
    }
    memset(g.a, 0, local_size(&g) * sizeof *g.a);
    *out = pr_alloc(1, sizeof **out);
    **out = g;
    return PR_OK;
}

static void grid_destroy(const pr_dense_t *dense, pr_spd_t **g)
{
    (void)dense;
    if (!*g)
        return;
    free((*g)->a);
    free(*g);
    *g = NULL;
}

static void grid_clear(const pr_dense_t *dense, pr_spd_t *g)
{
    (void)dense;
    memset(g->a, 0, local_size(g) * sizeof *g->a);
    g->factored = false;
}

/* ---- sums ---- */

/* This rank's rows of the features of x [n,d], column-major, as `columns` columns: zeros where x has none. */
static void pack_update(const pr_dense_t *dense, const pr_spd_t *g, int n, const double *x, int columns, double *out)
{
    for (int t = 0; t < columns; t++)
        for (int i = 0; i < g->rows; i++)
            out[(size_t)t * (size_t)g->rows + (size_t)i] =
                t < n ? x[(size_t)t * (size_t)g->d + global_row(dense, g, (size_t)i)] : 0;
}

static void update(const pr_dense_t *dense, pr_spd_t *g, double keep, int columns, const double *x)
{
    const pr_grid_t *grid = grid_of(dense);
    const double unit = 1;
    int all = columns * grid->npcol, desc[9];
    pr_descriptor(desc, grid->context, g->d, all, g->block, columns, 0, 0, g->rows);
    pdsyrk_("U", "N", &g->d, &all, &unit, x, &one, &one, desc, &keep, g->a, &one, &one, g->desc);
}

static void scale(pr_spd_t *g, double c)
{
    for (size_t i = 0; i < local_size(g); i++)
        g->a[i] = c == 0 ? 0 : c * g->a[i];
}

static pr_status_t grid_add(const pr_dense_t *dense, pr_spd_t *g, double keep, int n, const double *x, pr_error_t *err)
{
    assert(!g->factored);
    int most = largest(dense, n), columns = most < PR_UPDATE_COLUMNS ? most : PR_UPDATE_COLUMNS;
    if (most == 0) {
        scale(g, keep);
        return PR_OK;
    }
    double *part = pr_alloc_matrix((size_t)g->rows * (size_t)columns + 1, sizeof *part);
    pr_status_t status = have_memory(dense, part != NULL, "rows", columns, g->d, err);
    for (int first = 0; first < most && status == PR_OK; first += columns) {
        int width = most - first < columns ? most - first : columns, here = n - first < width ? n - first : width;
        pack_update(dense, g, here, here > 0 ? x + (size_t)first * (size_t)g->d : NULL, width, part);
        update(dense, g, first == 0 ? keep : 1, width, part);
    }
    free(part);
    return status;
}

static void grid_add_matrix(const pr_dense_t *dense, pr_spd_t *g, double factor, const pr_spd_t *h)
{
    (void)dense;
    assert(!g->factored && !h->factored && g->d == h->d);
    for (size_t i = 0; i < local_size(g); i++)
        g->a[i] += factor * h->a[i];
}

/* ---- the diagonal ---- */

/* The local entries of the diagonal: position of the next at or after local column *j, which is left at its column;
 * NULL behind the last. */
static double *next_diagonal(const pr_dense_t *dense, const pr_spd_t *g, size_t *j)
{
    const pr_grid_t *grid = grid_of(dense);
    size_t block = (size_t)g->block, nprow = (size_t)grid->nprow;
    for (; *j < (size_t)g->cols; ++*j) {
        size_t at = global_col(dense, g, *j);
        if (at / block % nprow == (size_t)grid->myrow)
            return g->a + *j * (size_t)g->rows + at / (block * nprow) * block + at % block;
    }
    return NULL;
}

static void grid_add_diagonal(const pr_dense_t *dense, pr_spd_t *g, double v)
{
    assert(!g->factored);
    size_t j = 0;
    for (double *at; (at = next_diagonal(dense, g, &j)); j++)
        *at += v;
}

static void grid_scale_off_diagonal(const pr_dense_t *dense, pr_spd_t *g, double c)
{
    assert(!g->factored);
    for (size_t j = 0; j < (size_t)g->cols; j++)
        for (size_t i = 0; i < (size_t)g->rows; i++)
            if (global_row(dense, g, i) != global_col(dense, g, j))
                g->a[j * (size_t)g->rows + i] *= c;
}

static double grid_trace(const pr_dense_t *dense, const pr_spd_t *g)
{
    double mine = 0, sum = 0;
    size_t j = 0;
    for (const double *at; (at = next_diagonal(dense, g, &j)); j++)
        mine += *at;
    must(comm_of(dense), MPI_Reduce(&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, 0, comm_of(dense)), "trace");
    same_on_all(dense, &sum);
    return sum;
}

/* ---- right-hand sides ---- */

/* The rows of x [n,d], the same on every rank, as a distributed column-major [d,n]. */
typedef struct sides {
    int n, block, cols; // cols: local
    int desc[9];
    double *part; // [cols][g->rows]
} sides_t;

static pr_status_t sides_new(const pr_dense_t *dense, const pr_spd_t *g, int n, sides_t *s, pr_error_t *err)
{
    const pr_grid_t *grid = grid_of(dense);
    int each = (n + grid->npcol - 1) / grid->npcol;
    *s = (sides_t){.n = n, .block = each < PR_LARGEST_BLOCK ? each : PR_LARGEST_BLOCK};
    s->cols = numroc_(&n, &s->block, &grid->mycol, &zero, &grid->npcol);
    pr_descriptor(s->desc, grid->context, g->d, n, g->block, s->block, 0, 0, g->rows);
    size_t size = (size_t)g->rows * (size_t)s->cols;
    if (size <= INT_MAX)
        s->part = pr_alloc_matrix(size + 1, sizeof *s->part);
    pr_status_t status = have_memory(dense, s->part != NULL, "right-hand sides", n, g->d, err);
    if (status != PR_OK)
        free(s->part);
    return status;
}

/* Where entry (local row i, local column t) of the part stands in x [n,d]. */
static size_t side_place(const pr_dense_t *dense, const pr_spd_t *g, const sides_t *s, size_t i, size_t t)
{
    return global_index(t, s->block, grid_of(dense)->mycol, grid_of(dense)->npcol) * (size_t)g->d +
           global_row(dense, g, i);
}

static void sides_take(const pr_dense_t *dense, const pr_spd_t *g, sides_t *s, const double *x)
{
    for (size_t t = 0; t < (size_t)s->cols; t++)
        for (size_t i = 0; i < (size_t)g->rows; i++)
            s->part[t * (size_t)g->rows + i] = x[side_place(dense, g, s, i, t)];
}

/* x [n,d] on every rank from the parts. */
static void sides_give(const pr_dense_t *dense, const pr_spd_t *g, const sides_t *s, double *x)
{
    size_t size = (size_t)s->n * (size_t)g->d;
    memset(x, 0, size * sizeof *x);
    for (size_t t = 0; t < (size_t)s->cols; t++)
        for (size_t i = 0; i < (size_t)g->rows; i++)
            x[side_place(dense, g, s, i, t)] = s->part[t * (size_t)g->rows + i];
    assemble(dense, x, size);
}

static pr_status_t grid_multiply(const pr_dense_t *dense, const pr_spd_t *g, int n, const double *x, double *y,
                                 pr_error_t *err)
{
    assert(!g->factored);
    const double unit = 1, nothing = 0;
    sides_t in, out;
    if (n == 0)
        return PR_OK;
    PR_TRY(sides_new(dense, g, n, &in, err));
    pr_status_t status = sides_new(dense, g, n, &out, err);
    if (status == PR_OK) {
        sides_take(dense, g, &in, x);
        pdsymm_("L", "U", &g->d, &n, &unit, g->a, &one, &one, g->desc, in.part, &one, &one, in.desc, &nothing, out.part,
                &one, &one, out.desc);
        sides_give(dense, g, &out, y);
        free(out.part);
    }
    free(in.part);
    return status;
}

static pr_status_t grid_solve(const pr_dense_t *dense, const pr_spd_t *g, int n, double *b, pr_error_t *err)
{
    assert(g->factored);
    sides_t s;
    int info;
    if (n == 0)
        return PR_OK;
    PR_TRY(sides_new(dense, g, n, &s, err));
    sides_take(dense, g, &s, b);
    pdpotrs_("U", &g->d, &n, g->a, &one, &one, g->desc, s.part, &one, &one, s.desc, &info);
    assert(info == 0); // anything else says that the sizes make no sense
    sides_give(dense, g, &s, b);
    free(s.part);
    return PR_OK;
}

/* ---- the Cholesky factor ---- */

/* PDPOTRF would take NaN for a pivot above zero, and the norms' maxima may pass it over. */
static pr_status_t check_finite(const pr_dense_t *dense, const pr_spd_t *g, pr_error_t *err)
{
    bool finite = true;
    for (size_t i = 0; i < local_size(g) && finite; i++)
        finite = isfinite(g->a[i]);
    if (largest(dense, !finite) == 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_NUMERIC, "the matrix of %d x %d holds numbers that are not finite", g->d, g->d);
}

static pr_status_t norm_of(const pr_dense_t *dense, const pr_spd_t *g, double *norm, pr_error_t *err)
{
    // What PDLANSY asks for at most, on any grid.
    size_t n = 2 * ((size_t)g->rows + (size_t)g->cols + (size_t)g->block) + 1;
    double *work = pr_alloc_matrix(n, sizeof *work);
    pr_status_t status = have_memory(dense, work != NULL, "the norm of a matrix", g->d, g->d, err);
    if (status == PR_OK) {
        *norm = pdlansy_("1", "U", &g->d, g->a, &one, &one, g->desc, work);
        same_on_all(dense, norm);
    }
    free(work);
    return status;
}

/* LAPACK's estimate of the 1-norm of an operator, which DPOCON rests on: it asks for products until kase is 0. */
void dlacn2_(const int *n, double *v, double *x, int *isgn, double *est, int *kase, int *isave);

/* The reciprocal condition number from the factor and the matrix's norm. Not by PDPOCON, whose estimate ends after the
 * first step: it is too large by a factor that grows with d (1.5 at 2, 5 at 7). Every rank holds the same vectors and
 * so takes the same steps. */
static pr_status_t condition_of(const pr_dense_t *dense, const pr_spd_t *g, double norm, double *rcond, pr_error_t *err)
{
    size_t d = (size_t)g->d;
    double inverse = 0, *v = pr_alloc_matrix(2 * d + 1, sizeof *v), *x = v ? v + d : NULL;
    int kase = 0, isave[3] = {0}, *sign = pr_alloc_matrix(d + 1, sizeof *sign);
    pr_status_t status;
    PR_GO(have_memory(dense, v && sign, "the condition number of a matrix", g->d, g->d, err));
    do {
        dlacn2_(&g->d, v, x, sign, &inverse, &kase, isave);
        if (kase != 0)
            PR_GO(grid_solve(dense, g, 1, x, err));
    } while (kase != 0);
    *rcond = norm > 0 && inverse > 0 ? 1 / norm / inverse : 0;
done:
    free(v);
    free(sign);
    return status;
}

static pr_status_t grid_factor(const pr_dense_t *dense, pr_spd_t *g, double *rcond, pr_error_t *err)
{
    assert(!g->factored);
    double norm;
    int info;
    PR_TRY(check_finite(dense, g, err));
    PR_TRY(norm_of(dense, g, &norm, err));
    pdpotrf_("U", &g->d, g->a, &one, &one, g->desc, &info);
    info = largest(dense, info);
    if (info != 0)
        return pr_fail(err, PR_ERR_NUMERIC, "the matrix of %d x %d is not positive definite (leading minor %d)", g->d,
                       g->d, info);
    g->factored = true;
    return rcond ? condition_of(dense, g, norm, rcond, err) : PR_OK;
}

static void grid_get(const pr_dense_t *dense, const pr_spd_t *g, double *out)
{
    size_t d = (size_t)g->d;
    memset(out, 0, d * d * sizeof *out);
    for (size_t j = 0; j < (size_t)g->cols; j++)
        for (size_t i = 0; i < (size_t)g->rows; i++) {
            size_t row = global_row(dense, g, i), col = global_col(dense, g, j);
            if (row <= col) // column-major above is row-major below
                out[col * d + row] = g->a[j * (size_t)g->rows + i];
        }
    assemble(dense, out, d * d);
    for (size_t i = 0; i < d && !g->factored; i++)
        for (size_t j = 0; j < i; j++)
            out[j * d + i] = out[i * d + j];
}

void pr_dense_grid_new(const pr_grid_t *grid, MPI_Comm team_comm, pr_dense_t **out)
{
    grid_self_t *self = pr_alloc(1, sizeof *self);
    *self = (grid_self_t){*grid, team_comm};
    *out = pr_alloc(1, sizeof **out);
    **out = (pr_dense_t){.name = "grid",
                         .create = grid_create,
                         .destroy = grid_destroy,
                         .clear = grid_clear,
                         .add = grid_add,
                         .add_matrix = grid_add_matrix,
                         .add_diagonal = grid_add_diagonal,
                         .scale_off_diagonal = grid_scale_off_diagonal,
                         .trace = grid_trace,
                         .multiply = grid_multiply,
                         .factor = grid_factor,
                         .solve = grid_solve,
                         .get = grid_get,
                         .self = self};
}

void pr_dense_grid_free(pr_dense_t **dense)
{
    if (!*dense)
        return;
    free((*dense)->self);
    free(*dense);
    *dense = NULL;
}
