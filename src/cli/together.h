// SPDX-License-Identifier: BSD-3-Clause
/* What verbs that work in several processes together share. */
#ifndef PR_CLI_TOGETHER_H
#define PR_CLI_TOGETHER_H

#include "cli/options.h"
#include "mpi/world.h"

/* pr_cli_parse in every process, as all read the same command line; what is wrong with it, or its help, is said by the
 * first. */
bool pr_cli_parse_together(const pr_command_t *command, int argc, char **argv, void *out, int *code);
/* From now on SIGTERM, SIGINT and SIGUSR1 are kept for pr_cli_stopping, and SIGPIPE is ignored. After MPI has begun. */
void pr_cli_catch_signals(void);
/* Has one come? self: not used. */
bool pr_cli_stopping(void *self);
/* Do all ranks have a command line that they can use? One that had not must not leave the others waiting for it.
 * *mixed: some have and some have not. Collective. */
pr_status_t pr_cli_agree_on_options(pr_world_t *w, bool usable, bool *mixed, pr_error_t *err);

#endif
