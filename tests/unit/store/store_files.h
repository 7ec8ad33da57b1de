// SPDX-License-Identifier: BSD-3-Clause
/* A folder of its own for a test, whole files as bytes, and faults put into the system calls that write. */
#ifndef PR_TEST_STORE_FILES_H
#define PR_TEST_STORE_FILES_H

#include "base/file.h"
#include "base/mem.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];

__attribute__((unused)) static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/pr-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

__attribute__((unused)) static void remove_folder(void)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* folder/name, in one of a few buffers that take turns. */
__attribute__((unused)) static const char *in_folder(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

__attribute__((unused)) static void put_file(const char *path, const void *data, size_t len)
{
    unlink(path); // file systems flush a file that is cut and written again, but not a new one: much faster
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

__attribute__((unused)) static char *get_file(const char *path, size_t *len)
{
    char *data = NULL;
    pr_error_t e;
    ck_assert_msg(pr_file_read(path, 0, &data, len, &e) == PR_OK, "%s", e.text);
    return data;
}

__attribute__((unused)) static int count_files(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* In a child, Check's files are not ours to write to: all but stderr and `keep` lead nowhere from here on. */
static void leave_files(int keep)
{
    int nowhere = open("/dev/null", O_RDWR);
    for (int fd = 3; fd < 64; fd++)
        if (fd != keep && fd != nowhere && fcntl(fd, F_GETFD) >= 0)
            dup2(nowhere, fd);
}

/* Starts a child that runs work(arg) and exits with 0 if that returns; of the open files it has `keep` (-1: none). */
__attribute__((unused)) static pid_t start_child(void (*work)(int), int arg, int keep)
{
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        leave_files(keep);
        work(arg);
        _exit(0);
    }
    return pid;
}

__attribute__((unused)) static void kill_child(pid_t pid)
{
    int how;
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &how, 0), pid);
    ck_assert_msg(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL, "the child ended before it was killed");
}

/* Files of this process can grow to so many bytes from now on: writes beyond fail as on a full disk. */
__attribute__((unused)) static void limit_file_size(size_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#endif
