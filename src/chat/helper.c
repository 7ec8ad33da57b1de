// SPDX-License-Identifier: BSD-3-Clause
#include "chat/helper.h"
#include "base/duration.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file in memory that holds these bytes, to be read from the start. -1 with errno set. */
static int memory_file(const char *name, const void *bytes, size_t len)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd >= 0 && (pr_fd_write(fd, bytes, len) != 0 || lseek(fd, 0, SEEK_SET) != 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* In a process group of its own, with default signals. */
static int start(char *const *argv, const int fd[3], pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&files, fd[i], i);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setsigmask(&how, &none);
    int error = posix_spawn(pid, argv[0], &files, &how, argv, environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* Reads to the end of its answer, or until it has been silent for too long or says too much. */
static void listen_to(int fd, double patience, size_t most, pr_helped_t *out)
{
    static const int step = 1000;
    char block[1 << 16];
    double heard = pr_time_monotonic();
    while (out->out.len <= most) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, step);
        ssize_t n = ready > 0 ? read(fd, block, sizeof block) : -1;
        if (n == 0)
            return;
        if (n > 0) {
            pr_buf_add(&out->out, block, (size_t)n);
            heard = pr_time_monotonic();
        } else if (pr_time_monotonic() - heard > patience) {
            out->late = true;
            return;
        }
    }
}

/* The last line of the file that is not blank. */
static void last_line(int fd, char *line, size_t size)
{
    char text[4096];
    off_t end = lseek(fd, 0, SEEK_END), from = end > (off_t)sizeof text - 1 ? end - (off_t)sizeof text + 1 : 0;
    ssize_t n = pread(fd, text, sizeof text - 1, from);
    while (n > 0 && strchr(" \t\r\n", text[n - 1]))
        n--;
    text[n > 0 ? n : 0] = 0;
    const char *newline = strrchr(text, '\n');
    snprintf(line, size, "%.*s", (int)size - 1, newline ? newline + 1 : text);
}

static void finish(pid_t pid, pr_helped_t *out)
{
    int status = 0;
    kill(-pid, SIGKILL); // whatever it started; it has closed its output, so that it ends or must be ended
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    out->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    out->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Gives it a moment to leave by itself, so that how it ended is its own. */
static void let_leave(pid_t pid)
{
    for (int i = 0; i < 500; i++) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0)
            return;
        usleep(2000);
    }
}

pr_status_t pr_helper_run(char *const *argv, const void *input, size_t len, double patience, size_t most,
                          pr_helped_t *out, pr_error_t *err)
{
    int pipes[2] = {-1, -1}, error = 0;
    pid_t pid = 0;
    *out = (pr_helped_t){.exit_code = -1};
    int in = memory_file("request", input, len), said = memory_file("errors", "", 0);
    if (in < 0 || said < 0 || pipe2(pipes, O_CLOEXEC) != 0)
        error = errno;
    else
        error = start(argv, (int[]){in, pipes[1], said}, &pid);
    if (pipes[1] >= 0)
        close(pipes[1]);
    if (error == 0) {
        pr_buf_add(&out->out, "", 0);
        listen_to(pipes[0], patience, most, out);
        if (!out->late)
            let_leave(pid);
        finish(pid, out);
        last_line(said, out->said, sizeof out->said);
    }
    if (pipes[0] >= 0)
        close(pipes[0]);
    if (in >= 0)
        close(in);
    if (said >= 0)
        close(said);
    return error == 0 ? PR_OK : pr_fail(err, PR_ERR_ENV, "%s: cannot be started: %s", argv[0], strerror(error));
}
