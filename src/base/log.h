// SPDX-License-Identifier: BSD-3-Clause
/* Diagnostics for people, on stderr: "paretorank: message", or of rank 3 of several "paretorank[3]: message". Data goes
 * to stdout and never through here. */
#ifndef PR_BASE_LOG_H
#define PR_BASE_LOG_H

typedef enum { PR_LOG_ERROR, PR_LOG_WARN, PR_LOG_INFO, PR_LOG_DEBUG } pr_log_level_t;

/* What is printed: messages up to this level (default PR_LOG_INFO). */
void pr_log_set_level(pr_log_level_t level);
/* Which of several ranks this process is; -1, as at first: the only one. */
void pr_log_set_rank(int rank);
void pr_log(pr_log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
