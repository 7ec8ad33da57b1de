// SPDX-License-Identifier: BSD-3-Clause
/* A sweep's results directory: what is in it, and the lock that lets one process at a time write. */
#ifndef PR_STORE_RESULTS_H
#define PR_STORE_RESULTS_H

#include "base/error.h"
#include "store/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pr_results pr_results_t;

/* Makes the directory (and artifacts/, checkpoints/) where needed and takes its lock: fcntl locks on DIR/journal.jsonl,
 * which no second run can do without, and on DIR/.lock, which holds host and process id for the message. The kernel
 * gives them back when the process dies. They belong to the open files, so that a second open in the same process is
 * refused too (where the file system knows only locks that belong to a process, those are taken). Errors: PR_ERR_LOCKED
 * (names who has it), PR_ERR_IO, those of pr_results_check_layout; then nothing was touched. */
pr_status_t pr_results_open(const char *dir, pr_results_t **out, pr_error_t *err);
/* As pr_results_open for a directory that is there, and makes nothing in it but .lock: for commands that tidy up.
 * Errors: also PR_ERR_NOT_FOUND (no such directory, or no journal in it). */
pr_status_t pr_results_hold(const char *dir, pr_results_t **out, pr_error_t *err);
/* Was what is in the directory, if anything, written in this version's layout, as its journal's first start says?
 * Errors: PR_ERR_UNSUPPORTED, which names both. */
pr_status_t pr_results_check_layout(const char *dir, pr_error_t *err);
/* The same where a start was read; layout: what it says, or 0 where it says nothing, as the first version's. */
pr_status_t pr_results_known_layout(const char *dir, int layout, pr_error_t *err);
/* Gives the lock back. .lock itself stays: removing it would let two processes lock two files of that name. */
void pr_results_close(pr_results_t **r);
/* Is what was locked still what a second run would find? A .lock that was removed is put back, with a warning. Errors:
 * PR_ERR_LOCKED: the journal was removed, replaced or moved away, or somebody else holds the new .lock: whoever writes
 * here must stop. */
pr_status_t pr_results_check(pr_results_t *r, pr_error_t *err);
/* Whether a living process holds DIR's lock, and who, as in "process 123 on node7" (owner may be NULL). Takes no lock
 * and makes nothing: for commands that only look. */
bool pr_results_locked(const char *dir, char *owner, size_t size);
/* Does the directory hold what only a sweep with a journal leaves: a table, an expert, a head, a checkpoint? *what: the
 * name of one, relative to dir (may be NULL). */
bool pr_results_has_work(const char *dir, char *what, size_t size);
/* A regular file in a results directory, or a link that is half made. */
typedef struct pr_results_file {
    int folder;     // where it is, open
    const char *in; // and its name: "", "checkpoints", "experts/empathy-s1"
    const char *name;
    uint64_t bytes; // on disk
} pr_results_file_t;
typedef pr_status_t (*pr_results_file_fn)(void *self, const pr_results_file_t *f, pr_error_t *err);
/* Calls fn, which may delete it, for each file here and up to two folders down; not PR_OK ends it. Follows no links and
 * passes over folders that cannot be read. Errors: PR_ERR_NOT_FOUND (no such directory), what fn returned. */
pr_status_t pr_results_each_file(const char *dir, pr_results_file_fn fn, void *self, pr_error_t *err);
/* Moves the tables and sweep.cfg into a new folder, replaced/1, replaced/2, ..: to [size] is its name in the directory.
 * Errors: PR_ERR_IO. */
pr_status_t pr_results_put_aside(const pr_results_t *r, char *to, size_t size, pr_error_t *err);
/* Removes files that a killed process left half-written (*.tmp-<digits>). */
void pr_results_sweep_temporaries(const pr_results_t *r);
/* Is it the name of such a file? */
bool pr_results_is_temporary(const char *name);
const char *pr_results_dir(const pr_results_t *r);

#endif
