// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- what there is ---- */

/* Whole cores of a control group's quota, rounded up; 0: there is none. */
static int quota(void)
{
    char max[32];
    long period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    int n = f ? fscanf(f, "%31s %ld", max, &period) : 0;
    if (f)
        fclose(f);
    long long each = n == 2 ? atoll(max) : 0; // "max": no quota
    return each > 0 && period > 0 ? (int)((each + period - 1) / period) : 0;
}

int pr_launch_cores(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int most = quota();
    cores = most > 0 && most < cores ? most : cores;
    return cores > 0 ? cores : 1;
}

bool pr_launch_has_allocation(void)
{
    static const char *const names[] = {"SLURM_JOB_ID", "PBS_NODEFILE", "LSB_JOBID", "PE_HOSTFILE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]))
            return true;
    return false;
}

/* ---- mpirun ---- */

enum { WORDS = 10 };

/* The words before the program's own; returns how many. */
static int launcher_words(int ranks, char number[16], const char *words[WORDS])
{
    int n = 0;
    words[n++] = "mpirun";
#ifdef OPEN_MPI
    words[n++] = "-q"; // without pages of its own where the exit code is not 0
    if (geteuid() == 0)
        words[n++] = "--allow-run-as-root";
    if (!pr_launch_has_allocation()) { // rank 0, which schedules, shares a core
        words[n++] = "--oversubscribe";
        words[n++] = "--bind-to";
        words[n++] = "none";
    }
#endif
    snprintf(number, 16, "%d", ranks);
    if (ranks > 0) {
        words[n++] = "-n";
        words[n++] = number;
    }
    return n;
}

/* Open MPI wants ssh though all ranks run here, and copies between processes by a system call that containers forbid. */
static void set_environment(void)
{
#ifdef OPEN_MPI
    char from[8] = "", to[8];
    struct iovec local = {to, sizeof to}, remote = {from, sizeof from};
    if (!pr_launch_has_allocation())
        setenv("OMPI_MCA_plm", "isolated", 0);
    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) < 0)
        setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0);
#endif
}

/* In the child. Its own process group, as Ctrl-C is for the parent, who passes it on in the form that lets ranks save
 * their work: mpirun itself would give them a second. */
static void become(const char *const *words, int n, char *const *argv, const char *self, pid_t parent)
{
    size_t count = 0;
    while (argv[count])
        count++;
    char **all = calloc((size_t)n + count + 1, sizeof *all);
    int null = open("/dev/null", O_RDONLY);
    if (!all)
        _exit(126);
    for (int i = 0; i < n; i++)
        all[i] = (char *)(uintptr_t)words[i];
    all[n] = (char *)(uintptr_t)self;
    for (size_t i = 1; i < count; i++)
        all[(size_t)n + i] = argv[i];
    set_environment();
    setpgid(0, 0);
    if (null >= 0)
        dup2(null, STDIN_FILENO);     // a process group in the background may not read from a terminal
    prctl(PR_SET_PDEATHSIG, SIGUSR1); // whoever kills the parent has stopped the run
    if (getppid() != parent)
        _exit(126);
    execvp(all[0], all);
    _exit(127);
}

static volatile sig_atomic_t asked; // how often it was asked to stop

static void on_signal(int number)
{
    (void)number;
    asked = asked + 1;
}

static void catch_signals(struct sigaction *before, const int *caught, int n)
{
    struct sigaction a = {.sa_handler = on_signal}; // without SA_RESTART: a wait is to end
    sigemptyset(&a.sa_mask);
    for (int i = 0; i < n; i++)
        sigaction(caught[i], &a, &before[i]);
}

/* Passes on what comes until mpirun ends. */
static int wait_for(pid_t child)
{
    int status = 0, passed = 0;
    for (;;) {
        if (asked > passed) {
            kill(child, passed == 0 ? SIGUSR1 : SIGTERM);
            passed++;
        }
        struct timespec pause = {.tv_nsec = 50000000}; // a signal between the look and the wait is seen a moment later
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR))
            break;
        nanosleep(&pause, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 1;
}

pr_status_t pr_launch(int ranks, char *const *argv, int columns, int *code, pr_error_t *err)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    enum { CAUGHT = sizeof caught / sizeof *caught };
    const char *words[WORDS];
    char number[16], width[16], self[PATH_MAX];
    struct sigaction before[CAUGHT];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len < 0)
        return pr_fail(err, PR_ERR_ENV, "/proc/self/exe: cannot be read: %s", strerror(errno));
    self[len] = 0;
    int n = launcher_words(ranks, number, words);
    snprintf(width, sizeof width, "%d", columns);
    if (columns > 0) {
        setenv(PR_LAUNCH_TERMINAL, width, 1);
        setenv("COLUMNS", width, 1);
    }
    fflush(stdout);
    fflush(stderr);
    catch_signals(before, caught, CAUGHT);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        for (int i = 0; i < CAUGHT; i++)
            sigaction(caught[i], &before[i], NULL);
        become(words, n, argv, self, parent);
    }
    if (child > 0)
        *code = wait_for(child);
    for (int i = 0; i < CAUGHT; i++)
        sigaction(caught[i], &before[i], NULL);
    unsetenv(PR_LAUNCH_TERMINAL);
    if (child < 0)
        return pr_fail(err, PR_ERR_ENV, "cannot start mpirun: %s", strerror(errno));
    if (*code == 127)
        return pr_fail(err, PR_ERR_ENV,
                       "mpirun: not found in PATH; load your MPI, or start `mpirun -n N paretorank run`");
    return PR_OK;
}
