// SPDX-License-Identifier: BSD-3-Clause
/* Memory that the processes of one user on one node hold once: the first that asks for it makes it, the others map what
 * it made, read-only. Whatever stands in the way, the caller gets none and makes a copy of its own.
 *
 * The memory is a memfd, sealed when it is done: it cannot change any more, and the kernel frees it with the last
 * process that has it. Who has it is written in a small file,
 *
 *   $TMPDIR/paretorank-<uid>/<node>-<key>      TMPDIR, or /tmp where that is not set; the folder has mode 0700
 *       "<pid> <fd>\n" for each process that has it; others map /proc/<pid>/fd/<fd>
 *
 * where <node> (16 digits) is a hash of the running kernel and the space of process numbers, and <key> (32 digits) one
 * of what the memory holds. The file is locked (flock) while the memory is made or the file changed; a lock ends with
 * its process, so that when a maker dies the next one makes it. A file that outlived its processes means nothing, and
 * whoever makes a block next removes it. A line is not believed: what it points at must be a memfd of that key, of this
 * user, sealed, and of that size. */
#ifndef PR_MODEL_SHARED_BLOCK_H
#define PR_MODEL_SHARED_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_shared_block pr_shared_block_t;

typedef enum {
    PR_SHARED_NONE, // not to be had
    PR_SHARED_MADE, // mapped, as somebody made it
    PR_SHARED_MAKE  // this process is to make it
} pr_shared_t;

enum { PR_SHARED_WHY = 512 }; // bytes of a reason

/* The block of `size` bytes (more than none) that `identity`, any text, names. PR_SHARED_MAKE: *out is zeros to be
 * written, and all others who want the block wait for pr_shared_block_publish or pr_shared_block_close: nothing that
 * waits for other processes may come before. PR_SHARED_NONE: *out is untouched, and `why` is one line for people, or
 * empty where the environment's PARETORANK_SHARE_WEIGHTS=0 asks for it. Waits while another makes it, as long as that
 * one gets on (pr_shared_block_progress). Local. */
pr_shared_t pr_shared_block_open(const char *identity, size_t size, pr_shared_block_t **out, char why[PR_SHARED_WHY]);
/* The bytes: to be read, or, after PR_SHARED_MAKE, to be written. They move when the block is published. */
void *pr_shared_block_data(const pr_shared_block_t *b);
/* Tells those who wait that the maker gets on; to be called now and then. */
void pr_shared_block_progress(const pr_shared_block_t *b);
/* The block is complete: seals it, lets others have it and ends their wait. False, with the reason, where that cannot
 * be: then its bytes are gone, and only pr_shared_block_close is left to call. */
bool pr_shared_block_publish(pr_shared_block_t *b, char why[PR_SHARED_WHY]);
/* Gives the block up; one that was not published is nobody's. */
void pr_shared_block_close(pr_shared_block_t **b);

/* For tests: gives a maker up after so many seconds without progress (0: the default); returns what it was. */
double pr_shared_block_patience(double seconds);

#endif
