// SPDX-License-Identifier: BSD-3-Clause
/* What each indicator says of a front, for help and the manual page. */
#ifndef PR_CLI_GLOSSARY_H
#define PR_CLI_GLOSSARY_H

typedef struct pr_indicator_help {
    const char *name;    // as in metrics.json and as `paretorank indicators` prints it
    const char *help;    // what it says, which way is better, whose it is
    const char *formula; // one line
} pr_indicator_help_t;

/* Ends with a NULL name. */
extern const pr_indicator_help_t pr_indicator_helps[];

#endif
