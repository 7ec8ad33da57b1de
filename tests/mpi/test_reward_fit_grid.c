/* Fits of linear heads on teams of every shape against one process: samples spread unevenly over the team's rows, and
 * failures of one rank that all ranks are told of. */
#include "mpi_test.h"
#include "unit/learn/reward_samples.h"

#include "mpi/dense_grid.h"

#include <mpi.h>

enum { D = 70, N = 210 }; // more features than a block has

typedef struct team {
    pr_team_t team;
    pr_grid_t grid;
    MPI_Comm comm, column; // all; the ranks of one column, in order of their rows
    pr_dense_t *dense;
} team_t;

static void sum_rows(const pr_team_t *t, double *v, size_t n)
{
    const team_t *self = t->self;
    MPI_Allreduce(MPI_IN_PLACE, v, (int)n, MPI_DOUBLE, MPI_SUM, self->column);
}

static pr_status_t agree(const pr_team_t *t, pr_status_t mine, pr_error_t *err)
{
    const team_t *self = t->self;
    int rank, first;
    MPI_Comm_rank(self->comm, &rank);
    int bad = mine != PR_OK ? rank : 1 << 20;
    MPI_Allreduce(&bad, &first, 1, MPI_INT, MPI_MIN, self->comm);
    if (first == 1 << 20)
        return PR_OK;
    pr_error_t said = {0};
    if (rank == first)
        said = *err;
    MPI_Bcast(&said, sizeof said, MPI_BYTE, first, self->comm);
    *err = said;
    return err->status;
}

static bool team_open(int rows, int cols, team_t *t)
{
    int rank = pr_world_rank(test_world);
    MPI_Comm_split(MPI_COMM_WORLD, rank < rows * cols ? 0 : MPI_UNDEFINED, rank, &t->comm);
    if (t->comm == MPI_COMM_NULL)
        return false;
    MPI_Comm_split(t->comm, rank % cols, rank, &t->column);
    pr_grid_open(t->comm, cols, rows, &t->grid);
    pr_dense_grid_new(&t->grid, t->comm, &t->dense);
    t->team = (pr_team_t){.rows = rows,
                          .cols = cols,
                          .row = rank / cols,
                          .col = rank % cols,
                          .dense = t->dense,
                          .sum_rows = sum_rows,
                          .agree = agree,
                          .self = t};
    return true;
}

static void team_close(team_t *t)
{
    pr_dense_grid_free(&t->dense);
    pr_grid_close(&t->grid);
    MPI_Comm_free(&t->column);
    MPI_Comm_free(&t->comm);
}

/* The part of a team row: some have few samples, some none. */
static samples_t part(const team_t *t, double (*feature)(int, int), int *n_batch)
{
    int first = 0, n = 0;
    *n_batch = 0;
    for (int r = 0; r < t->team.rows; r++) {
        int left = N - (r == 0 ? 0 : first + n);
        first = r == 0 ? 0 : first + n;
        n = r + 1 == t->team.rows ? left : r % 3 == 1 ? 0 : left / 3;
        int batches = samples_batches(n);
        *n_batch = batches > *n_batch ? batches : *n_batch;
        if (r == t->team.row)
            break;
    }
    // The widest of all rows, as rows before this one do not know.
    MPI_Allreduce(MPI_IN_PLACE, n_batch, 1, MPI_INT, MPI_MAX, t->comm);
    return samples_new(first, n, D, feature);
}

static void same_everywhere(const team_t *t, const double *w, int n)
{
    double *first = pr_alloc((size_t)n, sizeof *first);
    memcpy(first, w, (size_t)n * sizeof *w);
    MPI_Bcast(first, n, MPI_DOUBLE, 0, t->comm);
    CHECK(largest_difference(w, first, n) < 1e-12);
    free(first);
}

static void labels(const team_t *t)
{
    int n_batch;
    samples_t all = samples_new(0, N, D, sample_feature), mine = part(t, sample_feature, &n_batch);
    pr_features_t fa = samples_features(&all, samples_batches(N)), fm = samples_features(&mine, n_batch);
    double w[D + 1], expected[D + 1];
    pr_fit_stats_t stats, alone;
    pr_fit_figures_t found, known;
    pr_error_t err;
    CHECK(pr_fit_labels(&t->team, &fm, mine.y, 1e-2, w, &w[D], &stats, &err) == PR_OK);
    CHECK(pr_fit_labels(pr_team_local(), &fa, all.y, 1e-2, expected, &expected[D], &alone, &err) == PR_OK);
    CHECK(largest_difference(w, expected, D) < 1e-10 && largest_difference(&w[D], &expected[D], 1) < 1e-10);
    CHECK(stats.n == N && fabs(stats.loss - alone.loss) < 1e-9 * alone.loss);
    CHECK(fabs(stats.rcond - alone.rcond) < 1e-6 * alone.rcond);
    same_everywhere(t, w, D + 1);
    CHECK(pr_check_labels(&t->team, &fm, mine.y, false, w, w[D], &found, &err) == PR_OK);
    CHECK(pr_check_labels(pr_team_local(), &fa, all.y, false, w, w[D], &known, &err) == PR_OK);
    CHECK(found.n == N && fabs(found.rmse - known.rmse) < 1e-10 && fabs(found.r2 - known.r2) < 1e-10);
    // Singular, and one team row that fails: all are told the same.
    CHECK(pr_fit_labels(&t->team, &fm, mine.y, 0, w, &w[D], &stats, &err) == PR_OK);
    mine.feature = sample_difference;
    for (int i = 0; i < mine.n; i++)
        mine.y[i] = 1;
    if (t->team.row == t->team.rows - 1)
        mine.fails_at = 1;
    err.text[0] = 0;
    pr_status_t status = pr_fit_labels(&t->team, &fm, mine.y, 1, w, &w[D], &stats, &err);
    CHECK(status == PR_ERR_FORMAT && strcmp(err.text, "batch 1 fails") == 0);
    free(all.y);
    free(mine.y);
}

static void pairs(const team_t *t)
{
    int n_batch;
    samples_t all = samples_new(0, N, D, sample_difference), mine = part(t, sample_difference, &n_batch);
    pr_features_t fa = samples_features(&all, samples_batches(N)), fm = samples_features(&mine, n_batch);
    double w[D], expected[D];
    pr_fit_stats_t stats, alone;
    pr_fit_figures_t found;
    pr_error_t err;
    CHECK(pr_fit_pairs(&t->team, &fm, 0.05, w, &stats, &err) == PR_OK);
    CHECK(pr_fit_pairs(pr_team_local(), &fa, 0.05, expected, &alone, &err) == PR_OK);
    CHECK(largest_difference(w, expected, D) < 1e-10);
    CHECK(stats.n == N && stats.steps == alone.steps && fabs(stats.loss - alone.loss) < 1e-12);
    same_everywhere(t, w, D);
    CHECK(pr_check_pairs(&t->team, &fm, w, &found, &err) == PR_OK);
    CHECK(found.n == N && found.accuracy > 0.6 && fabs(found.loss - stats.loss) < 1e-12);
    free(all.y);
    free(mine.y);
}

static double same_feature(int i, int j)
{
    (void)j;
    return sample_difference(i, 1);
}

static void singular(const team_t *t)
{
    int n_batch;
    samples_t mine = part(t, same_feature, &n_batch);
    pr_features_t f = samples_features(&mine, n_batch);
    double w[D], b;
    pr_fit_stats_t stats;
    pr_error_t err;
    CHECK(pr_fit_labels(&t->team, &f, mine.y, 0, w, &b, &stats, &err) == PR_ERR_NUMERIC);
    CHECK(strstr(err.text, "set ridge to"));
    CHECK(pr_fit_pairs(&t->team, &f, 0, w, &stats, &err) == PR_ERR_NUMERIC);
    CHECK(pr_fit_labels(&t->team, &f, mine.y, 1e-3, w, &b, &stats, &err) == PR_OK); // the team goes on
    free(mine.y);
}

int main(int argc, char **argv)
{
    test_begin(&argc, &argv);
    int size = pr_world_size(test_world);
    for (int rows = 1; rows <= size; rows++)
        for (int cols = 1; rows * cols <= size; cols++) {
            team_t t;
            if (!team_open(rows, cols, &t))
                continue;
            labels(&t);
            pairs(&t);
            singular(&t);
            team_close(&t);
        }
    CHECK(true); // ranks that are in few teams
    return test_end();
}
