// SPDX-License-Identifier: BSD-3-Clause
/* Text of help, folded at the terminal's width. */
#ifndef PR_CLI_FOLD_H
#define PR_CLI_FOLD_H

/* Columns that help fills: the terminal's, 40 to 100. */
int pr_cli_help_columns(void);
/* Prints text on stdout, its lines folded at blanks. A line goes on under where its text began: at the same indentation,
 * or after the gap of two blanks or more that a name has after it. */
void pr_cli_put_folded(const char *text, int columns);

#endif
