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

/* Queues bytes for its standard input; they are written while pr_program_line waits. */
void pr_program_send(pr_program_t *p, const void *bytes, size_t n);

/* The next line of its standard output, without the newline, valid until the next call; *line is NULL when the program
 * has ended or closed its output. deadline by pr_time_monotonic. Errors: PR_ERR_TIMEOUT; PR_ERR_SCORER (a line over 1
 * MiB); PR_ERR_ENV. */
pr_status_t pr_program_line(pr_program_t *p, double deadline, const char **line, size_t *len, pr_error_t *err);

/* The last line it wrote on stderr that is not blank; "" for none. */
const char *pr_program_stderr(const pr_program_t *p);

/* Ends it: closes its input, gives it `grace` seconds to leave, then kills its process group, and waits for it. how
 * [size] (NULL: not wanted) is filled with how it ended: "exited with status 3; its last line on stderr: '...'".
 * Accepts NULL, sets NULL. */
void pr_program_stop(pr_program_t **p, double grace, char *how, size_t size);

#endif
