// SPDX-License-Identifier: BSD-3-Clause
/* The sections of the manual page that are of no table. */
#ifndef PR_CLI_MAN_H
#define PR_CLI_MAN_H

#include "base/mem.h"

void pr_man_examples(pr_buf_t *b);
void pr_man_files(pr_buf_t *b);
void pr_man_environment(pr_buf_t *b);
void pr_man_exit_status(pr_buf_t *b);

#endif
