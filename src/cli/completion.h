// SPDX-License-Identifier: BSD-3-Clause
/* What shells complete of the command line, from the tables of options that the program itself goes by. */
#ifndef PR_CLI_COMPLETION_H
#define PR_CLI_COMPLETION_H

#include "base/mem.h"

#include <stdbool.h>

/* The shells there are a script for, as choices: "bash|zsh|fish". */
#define PR_COMPLETION_SHELLS "bash|zsh|fish"
/* Appends the script of a shell. false: there is none for it. */
bool pr_completion(pr_buf_t *b, const char *shell);

#endif
