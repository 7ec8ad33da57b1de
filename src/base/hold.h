// SPDX-License-Identifier: BSD-3-Clause
/* Moments for tests: a process can be made to wait at a point of its work, so that what a test does to it falls into
 * exactly that moment, at any speed of the machine. Nothing happens unless the environment says so:
 *
 *   PARETORANK_TEST_HOLD="journal:job_done 2 FILE"
 *
 * The first process that passes the point journal:job_done for the second time makes FILE, writes its process number
 * into it, and waits until there is a FILE.go or until it is told to stop. Where FILE is there already, nobody waits.
 * Points are journal:EVENT (the event is in the journal) and told:EVENT (whoever does the job has told rank 0). */
#ifndef PR_BASE_HOLD_H
#define PR_BASE_HOLD_H

#include <stdbool.h>

/* Passes the point where:event. stopping (may be NULL) is asked meanwhile. A description that is none ends the process
 * with one line, as a test would otherwise wait for ever. */
void pr_hold_at(const char *where, const char *event, bool (*stopping)(void *self), void *self);

#endif
