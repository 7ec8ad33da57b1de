// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/team.h"
#include "base/mem.h"
#include "mpi/dense_grid.h"
#include "mpi/grid.h"
#include "mpi/linalg_grid.h"
#include "mpi/world_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1 << 28 }; // elements of one call of MPI

typedef struct team_self {
    pr_world_t *w;
    MPI_Comm comm;     // the team
    MPI_Comm row_comm; // ranks of this row: they split the features
    MPI_Comm col_comm; // ranks of this column: they split the sequences
    pr_linalg_t *la;
    pr_grid_t grid; // of the dense matrices: open where there is more than one rank
    pr_dense_t *dense;
} team_self_t;

static const team_self_t *self_of(const pr_team_t *t)
{
    return t->self;
}

static void team_sum(const pr_team_t *t, float *v, size_t n)
{
    const team_self_t *s = self_of(t);
    for (size_t k; n > 0; v += k, n -= k) {
        k = n < LARGEST ? n : LARGEST;
        pr_mpi_check(s->w, MPI_Allreduce(MPI_IN_PLACE, v, (int)k, MPI_FLOAT, MPI_SUM, s->comm), "allreduce");
    }
}

static void team_sum_rows(const pr_team_t *t, double *v, size_t n)
{
    const team_self_t *s = self_of(t);
    for (size_t k; n > 0; v += k, n -= k) {
        k = n < LARGEST ? n : LARGEST;
        pr_mpi_check(s->w, MPI_Allreduce(MPI_IN_PLACE, v, (int)k, MPI_DOUBLE, MPI_SUM, s->col_comm), "allreduce");
    }
}

static void team_broadcast(const pr_team_t *t, void *bytes, size_t n)
{
    const team_self_t *s = self_of(t);
    char *p = bytes;
    for (size_t k; n > 0; p += k, n -= k) {
        k = n < LARGEST ? n : LARGEST;
        pr_mpi_check(s->w, MPI_Bcast(p, (int)k, MPI_BYTE, 0, s->comm), "broadcast");
    }
}

static void team_gather_rows(const pr_team_t *t, const void *bytes, size_t n, void **all, size_t *offset)
{
    const team_self_t *s = self_of(t);
    uint64_t mine = n, *size = pr_alloc((size_t)t->rows, sizeof *size);
    pr_mpi_check(s->w, MPI_Allgather(&mine, 1, MPI_UINT64_T, size, 1, MPI_UINT64_T, s->col_comm), "allgather");
    offset[0] = 0;
    for (int r = 0; r < t->rows; r++)
        offset[r + 1] = offset[r] + (size_t)size[r];
    free(size);
    *all = pr_alloc(offset[t->rows], 1);
    // Row by row, so that no count passes 2^31.
    if (n > 0)
        memcpy((char *)*all + offset[t->row], bytes, n);
    for (int r = 0; r < t->rows; r++)
        for (size_t at = offset[r], k; at < offset[r + 1]; at += k) {
            k = offset[r + 1] - at < LARGEST ? offset[r + 1] - at : LARGEST;
            pr_mpi_check(s->w, MPI_Bcast((char *)*all + at, (int)k, MPI_BYTE, r, s->col_comm), "broadcast");
        }
}

static pr_status_t team_agree(const pr_team_t *t, pr_status_t mine, pr_error_t *err)
{
    const team_self_t *s = self_of(t);
    return pr_comm_agree(s->w, s->comm, mine, err);
}

static void fill(pr_team_t *t, team_self_t *s)
{
    pr_team_t local = *pr_team_local();
    t->self = s;
    t->sum = team_sum;
    t->sum_rows = team_sum_rows;
    t->broadcast = team_broadcast;
    t->gather_rows = team_gather_rows;
    t->agree = team_agree;
    t->la = local.la;
    t->dense = local.dense;
    if (t->cols > 1) {
        pr_linalg_grid_new(s->w, s->row_comm, &s->la);
        t->la = s->la;
    }
    if (t->rows * t->cols > 1) {
        pr_grid_open(s->comm, t->cols, t->rows, &s->grid);
        pr_dense_grid_new(&s->grid, s->comm, &s->dense);
        t->dense = s->dense;
    }
}

void pr_teams_open(pr_world_t *w, int first, int rows, int cols, pr_team_t **out)
{
    MPI_Comm comm;
    int rank = pr_world_rank(w), size = rows * cols, teams = (pr_world_size(w) - first) / size;
    bool member = rank >= first && rank < first + teams * size;
    int place = member ? (rank - first) % size : 0;
    pr_mpi_check(w, MPI_Comm_split(pr_world_comm(w), member ? (rank - first) / size : MPI_UNDEFINED, place, &comm),
                 "split");
    *out = NULL;
    if (!member)
        return;
    team_self_t *s = pr_alloc(1, sizeof *s);
    pr_team_t *t = pr_alloc(1, sizeof *t);
    *s = (team_self_t){.w = w, .comm = comm};
    *t = (pr_team_t){.rows = rows, .cols = cols, .row = place / cols, .col = place % cols};
    // BLACS does not look at what MPI returns.
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_ARE_FATAL);
    pr_mpi_check(w, MPI_Comm_split(comm, t->row, t->col, &s->row_comm), "split");
    pr_mpi_check(w, MPI_Comm_split(comm, t->col, t->row, &s->col_comm), "split");
    fill(t, s);
    *out = t;
}

void pr_teams_close(pr_team_t **team)
{
    if (!*team)
        return;
    team_self_t *s = (*team)->self;
    pr_linalg_grid_free(&s->la);
    if (s->dense) {
        pr_dense_grid_free(&s->dense);
        pr_grid_close(&s->grid);
    }
    MPI_Comm_free(&s->row_comm);
    MPI_Comm_free(&s->col_comm);
    MPI_Comm_free(&s->comm);
    free(s);
    free(*team);
    *team = NULL;
}
