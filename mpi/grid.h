// SPDX-License-Identifier: BSD-3-Clause
/* A BLACS process grid over a communicator. It lives and dies with the communicator that it was made from. Within mpi/.
 *
 * Activations are row-major [tokens, features], which is column-major [features, tokens]: so features lie along BLACS's
 * process rows and tokens along its process columns. A team of rows x cols is a BLACS grid of cols x rows. */
#ifndef PR_MPI_GRID_H
#define PR_MPI_GRID_H

#include <mpi.h>

typedef struct pr_grid {
    int handle, context;
    int nprow, npcol, myrow, mycol; // as BLACS counts them
} pr_grid_t;

/* Ranks of comm in order, process (r, c) is rank c * nprow + r: the ranks of one process column are neighbours.
 * Collective on comm, whose size is nprow * npcol. */
void pr_grid_open(MPI_Comm comm, int nprow, int npcol, pr_grid_t *out);
/* Collective on the communicator it was made from. */
void pr_grid_close(pr_grid_t *g);

#endif
