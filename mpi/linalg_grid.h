// SPDX-License-Identifier: BSD-3-Clause
/* The grid linear-algebra provider: products with split weights by PBLAS over a BLACS grid of cols x 1. Within mpi/. */
#ifndef PR_MPI_LINALG_GRID_H
#define PR_MPI_LINALG_GRID_H

#include "mpi/grid.h"
#include "mpi/world.h"
#include "parallel/linalg.h"

/* A provider over the ranks of comm, which are the columns of one team row in order. world and comm are borrowed and
 * must outlive it. Collective on comm. */
void pr_linalg_grid_new(pr_world_t *w, MPI_Comm comm, pr_linalg_t **out);
void pr_linalg_grid_free(pr_linalg_t **la);

/* PBLAS works in blocks of this many rows or columns (its function pilaenv_ asks); for benchmarks. Default 256. Local
 * to the process, to be the same on all. */
void pr_pblas_set_block(int n);

#endif
