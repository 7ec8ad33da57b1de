/* A sweep's results directory: names of what is in it, and the lock that lets one process at a time write. */
#ifndef PR_STORE_RESULTS_H
#define PR_STORE_RESULTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_results pr_results_t;

/* Makes the directory (and experts/, checkpoints/) where needed and takes its lock: an fcntl lock on DIR/.lock, which
 * the kernel gives back when the process dies, holding host and process id for the message. The lock belongs to the
 * open file, so that a second open in the same process is refused too (where the file system knows only the lock that
 * belongs to a process, that one is taken). Errors: PR_ERR_LOCKED (names who has it), PR_ERR_IO. */
pr_status_t pr_results_open(const char *dir, pr_results_t **out, pr_error_t *err);
/* Gives the lock back. .lock itself stays: removing it would let two processes lock two files of that name. */
void pr_results_close(pr_results_t **r);
/* Whether a living process holds DIR's lock, and who, as in "process 123 on node7" (owner may be NULL). Takes no lock
 * and makes nothing: for commands that only look. */
bool pr_results_locked(const char *dir, char *owner, size_t size);
/* Removes files that a killed process left half-written (*.tmp-<digits>) here and up to two folders down. Follows no
 * links. */
void pr_results_sweep_temporaries(const pr_results_t *r);
const char *pr_results_dir(const pr_results_t *r);
/* DIR/name with printf-like name. Caller frees. */
char *pr_results_path(const char *dir, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
