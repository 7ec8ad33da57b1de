// SPDX-License-Identifier: BSD-3-Clause
/* What mpi/'s own files share of the world. */
#ifndef PR_MPI_WORLD_INTERNAL_H
#define PR_MPI_WORLD_INTERNAL_H

#include "mpi/world.h"

#include <mpi.h>

/* The communicator of all ranks; errors are returned. */
MPI_Comm pr_world_comm(const pr_world_t *w);
/* Ends all processes when rc is an error of MPI itself, as no rank could rely on the others any more. */
void pr_mpi_check(pr_world_t *w, int rc, const char *what);
/* All ranks of comm agree: PR_OK when all say so, else the status and text of the lowest that does not. Blocking;
 * collective on comm. */
pr_status_t pr_comm_agree(pr_world_t *w, MPI_Comm comm, pr_status_t mine, pr_error_t *err);

#endif
