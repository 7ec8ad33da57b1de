// SPDX-License-Identifier: BSD-3-Clause
/* The `grid` dense provider: matrices in double precision, block-cyclic over the process grid of a team, by PBLAS and
 * ScaLAPACK. Within mpi/.
 *
 * Every rank holds about d*d / (rows*cols) numbers of a matrix. Rank-k updates are computed where the rows are: each
 * team row's x is one block column of a [d,N] matrix, padded with zero columns to the team row that has most. */
#ifndef PR_MPI_DENSE_GRID_H
#define PR_MPI_DENSE_GRID_H

#include "mpi/grid.h"
#include "parallel/dense.h"

/* grid and team_comm are borrowed and must outlive the provider; ranks of team_comm are in the order that grid.h tells,
 * so that process column c of the grid is team row c. Local. */
void pr_dense_grid_new(const pr_grid_t *grid, MPI_Comm team_comm, pr_dense_t **out);
/* Its matrices must have been destroyed. Local. */
void pr_dense_grid_free(pr_dense_t **dense);

#endif
