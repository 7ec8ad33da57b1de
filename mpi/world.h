// SPDX-License-Identifier: BSD-3-Clause
/* The processes of one run: start and end of MPI, and messages of bytes between rank 0 and the others. The only layer
 * that knows MPI. MPI_COMM_WORLD is duplicated once, in world.c, and its errors are returned. */
#ifndef PR_MPI_WORLD_H
#define PR_MPI_WORLD_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_world pr_world_t;

/* All message tags of the program. */
typedef enum {
    PR_TAG_HELLO = 1, // worker -> 0: JSON {"rank", "host", "pid"}
    PR_TAG_JOB,       // 0 -> worker, worker -> its team: JSON list of jobs' specs
    PR_TAG_EVENT,     // worker -> 0: JSON {"event", "fields"}
    PR_TAG_RESULT,    // worker -> 0: JSON list of {"id", "kind", "status", "error", "result", "seconds"}
    PR_TAG_STOP,      // 0 -> all ranks of teams: save what is running, begin nothing more
    PR_TAG_SIGNAL,    // worker -> 0: a signal told this rank to stop
    PR_TAG_BYE,       // 0 -> all ranks of teams: no more jobs
    PR_TAG_ARCHIVE,   // tree of the front's reduction: packed archive
    PR_TAG_PIECE,     // to rank 0 and back: a piece of a fixed size (transport.c)
    PR_TAG_TEST,      // tests
} pr_tag_t;

/* Is this process, by what its launcher told it, another than the first of several? Before MPI is started, so that what
 * every process finds wrong is said once. Local. */
bool pr_world_is_other(void);
/* How many processes the launcher started together, by what it told this one; 1 without a launcher. Local. */
int pr_world_processes(void);
/* Starts MPI (once a process). Started under srun without PMI, where N processes would each be rank 0 of 1, this is
 * PR_ERR_ENV with advice. Collective on all processes. */
pr_status_t pr_world_open(int *argc, char ***argv, pr_world_t **out, pr_error_t *err);
/* Ends MPI. Collective. */
void pr_world_close(pr_world_t **w);
/* Ends all processes at once with that exit code: for programming errors and for rank 0 that cannot go on. Local; does
 * not return. */
void pr_world_abort(pr_world_t *w, int exit_code) __attribute__((noreturn));
int pr_world_rank(const pr_world_t *w);
int pr_world_size(const pr_world_t *w);
const char *pr_world_host(const pr_world_t *w);

/* Sends n bytes (at most 2^31-1) without waiting for the receiver; the bytes are copied. As everywhere here, an error
 * of MPI itself ends all processes with one line, as no rank could rely on the others any more. Errors: PR_ERR_ENV (too
 * long). Local. */
pr_status_t pr_world_send(pr_world_t *w, int to, pr_tag_t tag, const void *bytes, size_t n, pr_error_t *err);

typedef struct pr_message {
    int from;
    pr_tag_t tag;
    char *bytes; // NUL-terminated behind n; caller frees
    size_t n;
} pr_message_t;
/* A message that is there now, from anybody (from < 0) or one rank, of any tag (tag = 0) or one; false when there is
 * none. Local. */
bool pr_world_poll(pr_world_t *w, int from, pr_tag_t tag, pr_message_t *out);
/* Waits for one without burning a core: polls and sleeps. Local. */
void pr_world_wait(pr_world_t *w, int from, pr_tag_t tag, pr_message_t *out);
/* How long a loop that found nothing to do may sleep: grows from 20 us to 2 ms with each call, and to 10 ms when
 * nothing has been done for a second or two; anything done resets it. Local. */
typedef struct pr_backoff {
    long ns;
    int calls;
} pr_backoff_t;
void pr_backoff_sleep(pr_backoff_t *b);
void pr_backoff_reset(pr_backoff_t *b);

/* bytes [n] of rank 0 to all: *bytes is allocated on the others (NUL-terminated); caller frees it there. Collective. */
pr_status_t pr_world_broadcast(pr_world_t *w, char **bytes, size_t *n, pr_error_t *err);
/* All ranks agree: PR_OK when all say so, else the status and text of the lowest rank that does not. Collective. */
pr_status_t pr_world_agree(pr_world_t *w, pr_status_t mine, pr_error_t *err);
/* Waits for all ranks without burning a core. Collective. */
void pr_world_barrier(pr_world_t *w);

#endif
