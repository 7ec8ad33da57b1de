// SPDX-License-Identifier: BSD-3-Clause
/* A program that is kept alive, fed and listened to through pipes without ever blocking on one of them.
 *
 * It is started without a copy of this process's memory (vfork), in a process group of its own, with default signals,
 * no open files but its three pipes, and a death signal for when the thread that started it ends. Its last line on
 * stderr is kept for messages. */
#ifndef PR_OBJECTIVE_PROGRAM_H
#define PR_OBJECTIVE_PROGRAM_H

#include "base/error.h"

#include <stddef.h>

typedef struct pr_program pr_program_t;

/* argv ends with NULL; argv[0] is looked up in PATH when it has no '/'. dir: where it runs (NULL or "": here); relative
 * names start there. Errors: PR_ERR_SCORER (cannot be started; the message says why). */
pr_status_t pr_program_start(const char *const *argv, const char *dir, pr_program_t **out, pr_error_t *err);

/* Queues bytes for its standard input; they are written while pr_programs_line waits. */
void pr_program_send(pr_program_t *p, const void *bytes, size_t n);

enum { PR_MAX_PROGRAMS = 64 };
/* The next line of any of the programs [n], 1 to PR_MAX_PROGRAMS, without the newline, valid until the next call; *line
 * is NULL when one has ended or closed its output. *which: whose; in: the one to ask last, so that all have their turn.
 * deadline by pr_time_monotonic. Errors: PR_ERR_TIMEOUT; PR_ERR_SCORER (*which wrote a line over 1 MiB); PR_ERR_ENV. */
pr_status_t pr_programs_line(pr_program_t *const *p, int n, double deadline, int *which, const char **line, size_t *len,
                             pr_error_t *err);

/* Closes its input, upon which a program may leave while others are still asked to. */
void pr_program_end_input(pr_program_t *p);

/* The last line it wrote on stderr that is not blank; "" for none. */
const char *pr_program_stderr(const pr_program_t *p);

/* Ends it: closes its input, gives it `grace` seconds to leave, then kills its process group, and waits for it. how
 * [size] (NULL: not wanted) is filled with how it ended: "exited with status 3; its last line on stderr: '...'".
 * Accepts NULL, sets NULL. */
void pr_program_stop(pr_program_t **p, double grace, char *how, size_t size);

#endif
