// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/grid.h"
#include "mpi/scalapack.h"

void pr_grid_open(MPI_Comm comm, int nprow, int npcol, pr_grid_t *out)
{
    out->handle = Csys2blacs_handle(comm);
    out->context = out->handle;
    Cblacs_gridinit(&out->context, "Col", nprow, npcol);
    Cblacs_gridinfo(out->context, &out->nprow, &out->npcol, &out->myrow, &out->mycol);
}

void pr_grid_close(pr_grid_t *g)
{
    Cblacs_gridexit(g->context);
    Cfree_blacs_system_handle(g->handle);
    *g = (pr_grid_t){0};
}
