// SPDX-License-Identifier: BSD-3-Clause
/* System calls that fail on demand: defined here, they stand before the C library's for the whole program. Include in
 * one file of a program only. */
#ifndef PR_TEST_STORE_FAULTS_H
#define PR_TEST_STORE_FAULTS_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    bool on;
    long bytes;     // how many bytes can be written until the disk is full; -1: any number
    size_t most;    // the most one write() takes; 0: all
    int interrupts; // so many calls of write() fail with EINTR first
    bool no_sync, no_rename, no_truncate;
    bool skip_sync; // nothing is synced, and nobody told: for tests of many writes
    int calls;      // of write() while on
    int steps;      // calls of any function below while on
    int renamed_at; // the step that was the last rename()
    int kill_at;    // the step before which the process is killed; 0: none
} fault;

static void step(void)
{
    if (fault.on && ++fault.steps == fault.kill_at)
        raise(SIGKILL);
}

ssize_t write(int fd, const void *data, size_t n)
{
    step();
    if (fault.on) {
        fault.calls++;
        if (fault.interrupts > 0) {
            fault.interrupts--;
            errno = EINTR;
            return -1;
        }
        if (fault.most && n > fault.most)
            n = fault.most;
        if (fault.bytes == 0) {
            errno = ENOSPC;
            return -1;
        }
        if (fault.bytes > 0 && n > (size_t)fault.bytes)
            n = (size_t)fault.bytes;
        if (fault.bytes > 0)
            fault.bytes -= (long)n;
    }
    return syscall(SYS_write, fd, data, n);
}

static int fail_or(bool fails, long result)
{
    if (!fails)
        return (int)result;
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    step();
    return fail_or(fault.on && fault.no_sync, fault.on && fault.no_sync ? 0 : syscall(SYS_fsync, fd));
}

int fdatasync(int fd)
{
    step();
    bool skip = fault.on && (fault.no_sync || fault.skip_sync);
    return fail_or(fault.on && fault.no_sync, skip ? 0 : syscall(SYS_fdatasync, fd));
}

int ftruncate(int fd, off_t len)
{
    step();
    return fail_or(fault.on && fault.no_truncate, fault.on && fault.no_truncate ? 0 : syscall(SYS_ftruncate, fd, len));
}

int rename(const char *from, const char *to)
{
    step();
    fault.renamed_at = fault.steps;
    return fail_or(fault.on && fault.no_rename, fault.on && fault.no_rename ? 0 : syscall(SYS_rename, from, to));
}

#endif
