// SPDX-License-Identifier: BSD-3-Clause
/* A world as what a run needs of its processes (run/transport.h). */
#ifndef PR_MPI_TRANSPORT_H
#define PR_MPI_TRANSPORT_H

#include "mpi/world.h"
#include "run/transport.h"

/* w is borrowed. Local. */
pr_transport_t pr_world_transport(pr_world_t *w);

#endif
