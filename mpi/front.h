// SPDX-License-Identifier: BSD-3-Clause
/* The global non-dominated set: every rank keeps an archive of the points it evaluated; the archives are merged up a
 * binomial tree into rank 0's. Of several points with equal values all are on the front. What an archive holds does not
 * depend on order, so the result is that of the serial filter of all points at any number of ranks. */
#ifndef PR_MPI_FRONT_H
#define PR_MPI_FRONT_H

#include "mpi/world.h"
#include "pareto/archive.h"

/* Merges the archives of all ranks into rank 0's; the others' are unchanged or hold part of it. Collective. Errors:
 * PR_ERR_FORMAT when the archives have different numbers of objectives (on every rank). */
pr_status_t pr_front_reduce(pr_world_t *w, pr_archive_t *archive, pr_error_t *err);

#endif
