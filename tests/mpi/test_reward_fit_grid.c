// SPDX-License-Identifier: BSD-3-Clause
/* Fits of linear heads on teams of every shape against one process: samples spread unevenly over the team's rows, and
 * failures of one rank that all ranks are told of. */
#include "mpi_test.h"
#include "unit/reward/reward_samples.h"

#include "mpi/team.h"

enum { D = 70, N = 210 }; // more features than a block has

/* The part of a team row: some have few samples, some none. */
static void bounds_of(const pr_team_t *t, int row, int *first, int *n)
{
    *first = *n = 0;
    for (int r = 0; r <= row; r++) {
        *first += *n;
        int left = N - *first;
        *n = r + 1 == t->rows ? left : r % 3 == 1 ? 0 : left / 3;
    }
}

static samples_t part(const pr_team_t *t, double (*feature)(int, int), int *n_batch)
{
    int first, n;
    *n_batch = 0;
    for (int r = 0; r < t->rows; r++) {
        bounds_of(t, r, &first, &n);
        *n_batch = samples_batches(n) > *n_batch ? samples_batches(n) : *n_batch;
    }
    bounds_of(t, t->row, &first, &n);
    return samples_new(first, n, D, feature);
}

static void same_everywhere(const pr_team_t *t, const double *w, int n)
{
    double *first = pr_alloc((size_t)n, sizeof *first);
    memcpy(first, w, (size_t)n * sizeof *w);
    t->broadcast(t, first, (size_t)n * sizeof *first);
    CHECK(memcmp(first, w, (size_t)n * sizeof *w) == 0);
    free(first);
}

static void labels(const pr_team_t *t)
{
    int n_batch;
    samples_t all = samples_new(0, N, D, sample_feature), mine = part(t, sample_feature, &n_batch);
    pr_features_t fa = samples_features(&all, samples_batches(N)), fm = samples_features(&mine, n_batch);
    double w[D + 1], expected[D + 1];
    pr_fit_stats_t stats, alone;
    pr_fit_figures_t found, known;
    pr_error_t err;
    CHECK(pr_fit_labels(t, &fm, mine.y, 1e-2, w, &w[D], &stats, &err) == PR_OK);
    CHECK(pr_fit_labels(pr_team_local(), &fa, all.y, 1e-2, expected, &expected[D], &alone, &err) == PR_OK);
    CHECK(largest_difference(w, expected, D) < 1e-10 && largest_difference(&w[D], &expected[D], 1) < 1e-10);
    CHECK(stats.n == N && fabs(stats.loss - alone.loss) < 1e-9 * alone.loss);
    CHECK(fabs(stats.rcond - alone.rcond) < 1e-6 * alone.rcond);
    same_everywhere(t, w, D + 1);
    CHECK(pr_check_labels(t, &fm, mine.y, false, w, w[D], &found, &err) == PR_OK);
    CHECK(pr_check_labels(pr_team_local(), &fa, all.y, false, w, w[D], &known, &err) == PR_OK);
    CHECK(found.n == N && fabs(found.rmse - known.rmse) < 1e-10 && fabs(found.r2 - known.r2) < 1e-10);
    // Singular, and one team row that fails: all are told the same.
    CHECK(pr_fit_labels(t, &fm, mine.y, 0, w, &w[D], &stats, &err) == PR_OK);
    mine.feature = sample_difference;
    for (int i = 0; i < mine.n; i++)
        mine.y[i] = 1;
    if (t->row == t->rows - 1)
        mine.fails_at = 1;
    err.text[0] = 0;
    pr_status_t status = pr_fit_labels(t, &fm, mine.y, 1, w, &w[D], &stats, &err);
    CHECK(status == PR_ERR_FORMAT && strcmp(err.text, "batch 1 fails") == 0);
    free(all.y);
    free(mine.y);
}

static void pairs(const pr_team_t *t)
{
    int n_batch;
    samples_t all = samples_new(0, N, D, sample_difference), mine = part(t, sample_difference, &n_batch);
    pr_features_t fa = samples_features(&all, samples_batches(N)), fm = samples_features(&mine, n_batch);
    double w[D], expected[D];
    pr_fit_stats_t stats, alone;
    pr_fit_figures_t found;
    pr_error_t err;
    CHECK(pr_fit_pairs(t, &fm, NULL, 0.05, w, &stats, &err) == PR_OK);
    CHECK(pr_fit_pairs(pr_team_local(), &fa, NULL, 0.05, expected, &alone, &err) == PR_OK);
    CHECK(largest_difference(w, expected, D) < 1e-10);
    CHECK(stats.n == N && stats.steps == alone.steps && fabs(stats.loss - alone.loss) < 1e-12);
    same_everywhere(t, w, D);
    CHECK(pr_check_pairs(t, &fm, NULL, w, &found, &err) == PR_OK);
    CHECK(found.n == N && found.accuracy > 0.6 && fabs(found.loss - stats.loss) < 1e-12);
    free(all.y);
    free(mine.y);
}

static double same_feature(int i, int j)
{
    (void)j;
    return sample_difference(i, 1);
}

static void singular(const pr_team_t *t)
{
    int n_batch;
    samples_t mine = part(t, same_feature, &n_batch);
    pr_features_t f = samples_features(&mine, n_batch);
    double w[D], b;
    pr_fit_stats_t stats;
    pr_error_t err;
    CHECK(pr_fit_labels(t, &f, mine.y, 0, w, &b, &stats, &err) == PR_ERR_NUMERIC);
    CHECK(strstr(err.text, "set ridge to"));
    CHECK(pr_fit_pairs(t, &f, NULL, 0, w, &stats, &err) == PR_ERR_NUMERIC);
    CHECK(pr_fit_labels(t, &f, mine.y, 1e-3, w, &b, &stats, &err) == PR_OK); // the team goes on
    free(mine.y);
}

int main(int argc, char **argv)
{
    test_begin(&argc, &argv);
    int size = pr_world_size(test_world);
    for (int rows = 1; rows <= size; rows++)
        for (int cols = 1; rows * cols <= size; cols++) {
            pr_team_t *t;
            pr_teams_open(test_world, 0, rows, cols, &t);
            if (t) {
                labels(t);
                pairs(t);
                singular(t);
            }
            pr_teams_close(&t);
        }
    CHECK(true); // ranks that are in few teams
    return test_end();
}
