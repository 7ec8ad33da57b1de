// SPDX-License-Identifier: BSD-3-Clause
#include "objective/program.h"
#include "base/duration.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINE = 1 << 20, READ_BLOCK = 1 << 16, STDERR_LINE = 400, POLL_MS = 200, FIRST_FREE_FD = 3, MAX_FD = 65536 };

struct pr_program {
    pid_t pid;
    int in, out, err; // our ends; -1 when closed
    pr_buf_t to_send;
    size_t sent;
    pr_buf_t got;
    size_t taken;           // bytes of got that earlier lines used
    char line[STDERR_LINE]; // the line of stderr that is being written
    size_t line_len;
    char last[STDERR_LINE]; // the last whole one
};

/* ---- starting ---- */
typedef struct start {
    const char *const *argv;
    const char *dir;
    int fd[3]; // what becomes its 0, 1 and 2
    pid_t parent;
    sigset_t mask;      // what it starts with: nothing blocked
    int n_fd;           // one more than the largest file number there can be, within reason
    volatile int error; // set by the child, which shares our memory until it executes
} start_t;

static void default_signals(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &dfl, NULL);
}

/* By its number, as C libraries before glibc 2.34 have no function for it; kernels before 5.9 do not have it. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static void close_inherited(int n_fd)
{
    if (syscall(SYS_close_range, (unsigned)FIRST_FREE_FD, ~0U, 0U) != 0)
        for (int fd = FIRST_FREE_FD; fd < n_fd; fd++)
            close(fd);
}

// In the child: only calls that are safe between vfork and exec.
static void become_program(start_t *s)
{
    default_signals();
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool ok = getppid() == s->parent; // else the parent died before the death signal was set
    for (int i = 0; i < 3 && ok; i++)
        ok = dup2(s->fd[i], i) >= 0;
    if (ok && s->dir && *s->dir)
        ok = chdir(s->dir) == 0;
    if (ok) {
        close_inherited(s->n_fd);
        sigprocmask(SIG_SETMASK, &s->mask, NULL);
        execvp(s->argv[0], (char *const *)(uintptr_t)s->argv);
    }
    s->error = errno ? errno : ECHILD;
    _exit(127);
}

static __attribute__((noinline)) pid_t spawn(start_t *s)
{
    pid_t pid = vfork();
    if (pid == 0)
        become_program(s);
    if (pid < 0)
        s->error = errno;
    return pid;
}

// All signals stay blocked meanwhile, so that no handler of ours runs in the child.
static pid_t spawn_quietly(start_t *s)
{
    sigset_t all, before;
    int state;
    sigfillset(&all);
    sigemptyset(&s->mask);
    s->parent = getpid();
    long most = sysconf(_SC_OPEN_MAX);
    s->n_fd = most > 0 && most < MAX_FD ? (int)most : MAX_FD;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = spawn(s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setcancelstate(state, NULL);
    if (pid > 0 && s->error) {
        waitpid(pid, NULL, 0);
        return -1;
    }
    return pid;
}

// A pipe whose ends lie above 2, so that moving them to 0, 1, 2 in the child cannot overwrite one another.
static int high_pipe(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (fd[i] < FIRST_FREE_FD) {
            int moved = fcntl(fd[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
            int error = errno;
            close(fd[i]);
            fd[i] = moved;
            errno = error;
        }
    return fd[0] < 0 || fd[1] < 0 ? -1 : 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

pr_status_t pr_program_start(const char *const *argv, const char *dir, pr_program_t **out, pr_error_t *err)
{
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    start_t start = {.argv = argv, .dir = dir};
    pid_t pid = -1;
    for (int i = 0; i < 3 && !start.error; i++)
        if (high_pipe(pipes[i]) != 0)
            start.error = errno;
    for (int i = 0; i < 3; i++)
        start.fd[i] = pipes[i][i == 0 ? 0 : 1];
    if (!start.error)
        pid = spawn_quietly(&start);
    for (int i = 0; i < 3; i++)
        close_fd(&pipes[i][i == 0 ? 0 : 1]);
    if (pid < 0) {
        for (int i = 0; i < 3; i++)
            close_fd(&pipes[i][i == 0 ? 1 : 0]);
        return pr_fail(err, PR_ERR_SCORER, "cannot start '%s'%s%s: %s", argv[0], dir && *dir ? " in " : "",
                       dir ? dir : "", strerror(start.error));
    }
    pr_program_t *p = pr_alloc(1, sizeof *p);
    *p = (pr_program_t){.pid = pid, .in = pipes[0][1], .out = pipes[1][0], .err = pipes[2][0]};
    set_nonblocking(p->in);
    set_nonblocking(p->out);
    set_nonblocking(p->err);
    *out = p;
    return PR_OK;
}

/* ---- talking ---- */
void pr_program_send(pr_program_t *p, const void *bytes, size_t n)
{
    if (p->in >= 0)
        pr_buf_add(&p->to_send, bytes, n);
}

// write() without the SIGPIPE of a reader that has gone, whatever the process does with that signal.
static ssize_t write_quietly(int fd, const void *data, size_t n)
{
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t wrote = write(fd, data, n);
    int error = errno;
    if (wrote < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe_only, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return wrote;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static void feed(pr_program_t *p)
{
    ssize_t n = write_quietly(p->in, p->to_send.data + p->sent, p->to_send.len - p->sent);
    if (n > 0)
        p->sent += (size_t)n;
    else if (n < 0 && !would_block())
        close_fd(&p->in); // it reads no more; what it still says, and how it ends, is seen on its output
    if (p->sent == p->to_send.len || p->in < 0)
        p->sent = p->to_send.len = 0;
}

static void keep_stderr(pr_program_t *p, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\n') {
            if (p->line_len + 1 < sizeof p->line)
                p->line[p->line_len++] = text[i];
            continue;
        }
        p->line[p->line_len] = 0;
        if (strspn(p->line, " \t\r") < p->line_len)
            memcpy(p->last, p->line, p->line_len + 1);
        p->line_len = 0;
    }
}

// Reads once from *fd into b; closes it at its end.
static void read_some(int *fd, pr_buf_t *b)
{
    char block[READ_BLOCK];
    ssize_t n = read(*fd, block, sizeof block);
    if (n > 0)
        pr_buf_add(b, block, (size_t)n);
    else if (n == 0 || !would_block())
        close_fd(fd);
}

static void read_stderr(pr_program_t *p)
{
    pr_buf_t b = {0};
    read_some(&p->err, &b);
    keep_stderr(p, b.data, b.len);
    pr_buf_free(&b);
}

// A whole line of what was read, or, once the output has ended, the rest of it.
static bool take_line(pr_program_t *p, const char **line, size_t *len)
{
    const char *from = p->got.data + p->taken;
    size_t n = p->got.len - p->taken;
    const char *eol = n ? memchr(from, '\n', n) : NULL;
    if (!eol && (p->out >= 0 || n == 0))
        return false;
    *line = from;
    *len = eol ? (size_t)(eol - from) : n;
    p->taken += *len + (eol != NULL);
    return true;
}

static void drop_taken(pr_program_t *p)
{
    if (p->taken == 0)
        return;
    memmove(p->got.data, p->got.data + p->taken, p->got.len - p->taken);
    p->got.len -= p->taken;
    p->taken = 0;
}

static bool has_ended(const pr_program_t *p)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

/* What poll is to wait for of one program. */
static void watch(const pr_program_t *p, struct pollfd fds[3])
{
    fds[0] = (struct pollfd){.fd = p->out, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = p->err, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = p->to_send.len ? p->in : -1, .events = POLLOUT};
}

static void serve_one(pr_program_t *p, const struct pollfd fds[3], bool ended)
{
    if (fds[1].revents)
        read_stderr(p);
    if (fds[2].revents)
        feed(p);
    if (fds[0].revents)
        read_some(&p->out, &p->got);
    else if (ended)
        close_fd(&p->out);
}

// Waits for what can be done on any pipe and does it. Something that a program left behind may hold its pipes open, so
// silence after its end counts as the end of its output.
static pr_status_t serve(pr_program_t *const *p, int n, double deadline, pr_error_t *err)
{
    struct pollfd fds[3 * PR_MAX_PROGRAMS];
    bool ended[PR_MAX_PROGRAMS], any = false;
    for (int i = 0; i < n; i++) {
        watch(p[i], fds + 3 * i);
        any |= ended[i] = has_ended(p[i]);
    }
    double left = deadline - pr_time_monotonic();
    int wait_ms = any ? 0 : left <= 0 ? 0 : left * 1000 < POLL_MS ? (int)(left * 1000) + 1 : POLL_MS;
    int ready = poll(fds, 3 * (nfds_t)n, wait_ms);
    if (ready < 0 && errno != EINTR)
        return pr_fail(err, PR_ERR_ENV, "poll: %s", strerror(errno));
    for (int i = 0; i < n && ready >= 0; i++)
        serve_one(p[i], fds + 3 * i, ended[i]);
    return PR_OK;
}

// Of the programs from *which + 1 on, round to *which: one that has a line, or has ended.
static bool take_any(pr_program_t *const *p, int n, int *which, const char **line, size_t *len)
{
    for (int i = 1; i <= n; i++) {
        int at = (*which + i) % n;
        if (take_line(p[at], line, len) || p[at]->out < 0) {
            *which = at;
            return true;
        }
    }
    return false;
}

pr_status_t pr_programs_line(pr_program_t *const *p, int n, double deadline, int *which, const char **line, size_t *len,
                             pr_error_t *err)
{
    assert(n > 0 && n <= PR_MAX_PROGRAMS && *which >= 0 && *which < n);
    *line = NULL;
    *len = 0;
    for (bool late = false; !take_any(p, n, which, line, len);) {
        if (late)
            return pr_fail(err, PR_ERR_TIMEOUT, "no answer in time");
        for (int i = 0; i < n; i++) {
            drop_taken(p[i]);
            if (p[i]->got.len > MAX_LINE) {
                *which = i;
                return pr_fail(err, PR_ERR_SCORER, "answered a line of over %d bytes", MAX_LINE);
            }
        }
        late = pr_time_monotonic() >= deadline; // what lies in the pipes by then is in time
        PR_TRY(serve(p, n, deadline, err));
    }
    return PR_OK;
}

const char *pr_program_stderr(const pr_program_t *p)
{
    return p->last;
}

/* ---- ending ---- */
void pr_program_end_input(pr_program_t *p)
{
    close_fd(&p->in);
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void describe(const pr_program_t *p, int wait_status, bool known, char *how, size_t size)
{
    pr_buf_t b = {0};
    if (!known)
        pr_buf_puts(&b, "ended");
    else if (WIFEXITED(wait_status))
        pr_buf_printf(&b, "exited with status %d", WEXITSTATUS(wait_status));
    else
        pr_buf_printf(&b, "was killed by signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    if (*p->last)
        pr_buf_printf(&b, "; its last line on stderr: '%s'", p->last);
    snprintf(how, size, "%s", b.data);
    pr_buf_free(&b);
}

// The rest of its stderr, as a dying program's last words are the ones wanted; at most 16 blocks of it.
static void drain_stderr(pr_program_t *p)
{
    for (int i = 0; i < 16 && p->err >= 0; i++) {
        struct pollfd fd = {.fd = p->err, .events = POLLIN};
        if (poll(&fd, 1, 0) <= 0)
            return;
        read_stderr(p);
    }
}

void pr_program_stop(pr_program_t **program, double grace, char *how, size_t size)
{
    pr_program_t *p = *program;
    if (!p)
        return;
    int wait_status = 0;
    double deadline = pr_time_monotonic() + grace;
    close_fd(&p->in);
    while (!has_ended(p) && pr_time_monotonic() < deadline) {
        drain_stderr(p);
        sleep_ms(2);
    }
    drain_stderr(p);
    keep_stderr(p, "\n", 1); // a last line without its newline
    kill(-p->pid, SIGKILL);  // before the wait, while the number is still its own
    pid_t got;
    while ((got = waitpid(p->pid, &wait_status, 0)) < 0 && errno == EINTR)
        ;
    if (how)
        describe(p, wait_status, got == p->pid, how, size);
    close_fd(&p->out);
    close_fd(&p->err);
    pr_buf_free(&p->to_send);
    pr_buf_free(&p->got);
    free(p);
    *program = NULL;
}
