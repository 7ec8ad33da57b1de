// SPDX-License-Identifier: BSD-3-Clause
/* Starting a command of this program as several ranks: mpirun with what it needs here, and a stop that reaches the ranks
 * in order. For people at a terminal; a batch script may call mpirun or srun itself. */
#ifndef PR_MPI_LAUNCH_H
#define PR_MPI_LAUNCH_H

#include "base/error.h"

#include <stdbool.h>

/* Cores that this process may use: by its affinity, and by the quota of its control group. */
int pr_launch_cores(void);
/* Does a batch system's allocation say what there is to run on? Then mpirun takes nodes and ranks from it. */
bool pr_launch_has_allocation(void);
/* Runs this program's argv (NULL at the end; argv[0] does not matter) on so many ranks (0: as many as the allocation has)
 * under mpirun, and waits for its end. The first SIGINT, SIGTERM, SIGHUP or SIGUSR1 becomes SIGUSR1 of every rank, on which
 * a run saves what is running and ends; the next becomes SIGTERM of mpirun. columns: of the terminal that stderr is; 0: it is none, which ranks
 * find in PR_LAUNCH_TERMINAL. *code: the exit code. Errors: PR_ERR_ENV (there is no mpirun). */
pr_status_t pr_launch(int ranks, char *const *argv, int columns, int *code, pr_error_t *err);

/* The environment variable by which a rank knows that its standard error ends at a terminal. */
#define PR_LAUNCH_TERMINAL "PARETORANK_TERMINAL"

#endif
