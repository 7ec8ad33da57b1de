// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/world.h"
#include "base/log.h"
#include "base/mem.h"
#include "mpi/world_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* A message on its way out. */
typedef struct pr_outgoing {
    MPI_Request request;
    char *bytes;
    struct pr_outgoing *next;
} pr_outgoing_t;

struct pr_world {
    MPI_Comm comm;
    int rank, size;
    char host[256];
    pr_outgoing_t *out;
};

/* The tasks of the srun step that this process is one of; 0 when mpirun or nothing started it. */
static int srun_tasks(void)
{
    const char *tasks = getenv("SLURM_NTASKS");
    if (!getenv("SLURM_STEP_ID") || !getenv("SLURM_PROCID") || getenv("OMPI_COMM_WORLD_SIZE"))
        return 0;
    return tasks && atoi(tasks) > 0 ? atoi(tasks) : 1;
}

/* Did a launcher that speaks PMI start this process? */
static bool has_pmi(void)
{
    return getenv("PMIX_RANK") || getenv("PMI_RANK");
}

/* Before MPI_Init, which would end the program with a page of its own advice. */
static pr_status_t check_pmi(pr_error_t *err)
{
    int tasks = srun_tasks();
    if (tasks > 0 && !has_pmi())
        return pr_fail(err, PR_ERR_ENV,
                       "srun started %d task%s without PMIx, so MPI cannot join them; use `srun --mpi=pmix` or, inside "
                       "sbatch or salloc, `mpirun`",
                       tasks, tasks == 1 ? "" : "s");
    return PR_OK;
}

/* Did mpirun, or an srun that speaks PMI, start this process? */
static bool was_launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || has_pmi() || srun_tasks() > 0;
}

/* A process by itself needs none of the daemon that Open MPI would start for it, which fails on long host names and
 * without a network. */
static void stand_alone(void)
{
    if (!was_launched())
        setenv("OMPI_MCA_ess_singleton_isolated", "1", 1);
}

/* Writes a file into a new folder and removes both; 0 or errno. */
static int try_to_write(const char *dir)
{
    static const char block[4096];
    char path[PATH_MAX + 8];
    snprintf(path, sizeof path, "%s/probe", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : write(fd, block, sizeof block) == (ssize_t)sizeof block ? 0 : errno ? errno : ENOSPC;
    if (fd >= 0)
        close(fd);
    unlink(path);
    rmdir(dir);
    return error;
}

/* What MPI_Init would end the program over: a folder for its session that can be written to. */
static pr_status_t check_session(pr_error_t *err)
{
    const char *dir = getenv("TMPDIR");
    char path[PATH_MAX];
    dir = dir && *dir ? dir : "/tmp";
    if (was_launched()) // then mpirun's daemon has it already
        return PR_OK;
    if (snprintf(path, sizeof path, "%s/paretorank-XXXXXX", dir) >= (int)sizeof path)
        return pr_fail(err, PR_ERR_ENV, "TMPDIR: found a name of %zu bytes, too long for MPI", strlen(dir));
    int error = mkdtemp(path) ? try_to_write(path) : errno;
    if (error)
        return pr_fail(err, PR_ERR_ENV, "%s: MPI needs a temporary folder and cannot write there: %s (see TMPDIR)", dir,
                       strerror(error));
    return PR_OK;
}

/* MPI maps its libraries and shared memory at the start, and ends the program where it cannot. */
static pr_status_t check_address_space(pr_error_t *err)
{
    const size_t need = (size_t)256 << 20;
    size_t limit;
    if (pr_address_limit(&limit) && !pr_address_has_room(need))
        return pr_fail(err, PR_ERR_MEMORY,
                       "this process may have %zu MiB of address space (ulimit -v), too few: MPI needs about %zu MiB "
                       "more",
                       limit >> 20, need >> 20);
    return PR_OK;
}

/* MPI opens its components and its channels at the start, and ends the program where it cannot. */
static pr_status_t check_descriptors(pr_error_t *err)
{
    enum { NEED = 16 };
    int free_ones[NEED], n = 0;
    while (n < NEED && (free_ones[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    int error = errno;
    for (int i = 0; i < n; i++)
        close(free_ones[i]);
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (n < NEED && error == EMFILE)
        return pr_fail(
            err, PR_ERR_ENV,
            "this process may open %llu files (ulimit -n), of which %d are free, too few: MPI needs about %d",
            (unsigned long long)limit.rlim_cur, n, NEED);
    return PR_OK;
}

/* An MPI that does not understand this srun's PMI makes as many worlds of one rank as there are tasks. */
static pr_status_t check_size(int size, pr_error_t *err)
{
    int tasks = srun_tasks();
    if (size == 1 && tasks > 1)
        return pr_fail(err, PR_ERR_ENV,
                       "srun started %d tasks but each is alone in its MPI world; use `srun --mpi=pmix` or, inside "
                       "sbatch or salloc, `mpirun`",
                       tasks);
    return PR_OK;
}

bool pr_world_is_other(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank)
            return atoi(rank) > 0;
    }
    return false;
}

int pr_world_processes(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE"), *tasks = getenv("SLURM_STEP_NUM_TASKS");
    if (!size && has_pmi())
        size = getenv("PMI_SIZE") ? getenv("PMI_SIZE") : tasks;
    return size && atoi(size) > 1 ? atoi(size) : 1;
}

static void die(pr_world_t *w, int rc, const char *what)
{
    char text[MPI_MAX_ERROR_STRING];
    int n = 0;
    MPI_Error_string(rc, text, &n);
    pr_log(PR_LOG_ERROR, "rank %d: MPI: %s: %.*s", w->rank, what, n, text);
    pr_world_abort(w, pr_status_exit_code(PR_ERR_ENV));
}

MPI_Comm pr_world_comm(const pr_world_t *w)
{
    return w->comm;
}

void pr_mpi_check(pr_world_t *w, int rc, const char *what)
{
    if (rc != MPI_SUCCESS)
        die(w, rc, what);
}

pr_status_t pr_world_open(int *argc, char ***argv, pr_world_t **out, pr_error_t *err)
{
    PR_TRY(check_pmi(err));
    PR_TRY(check_session(err));
    PR_TRY(check_address_space(err));
    PR_TRY(check_descriptors(err));
    stand_alone();
    pr_world_t *w = pr_alloc(1, sizeof *w);
    if (MPI_Init(argc, argv) != MPI_SUCCESS) {
        free(w);
        return pr_fail(err, PR_ERR_ENV, "MPI cannot be started");
    }
    MPI_Comm_dup(MPI_COMM_WORLD, &w->comm);
    MPI_Comm_set_errhandler(w->comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(w->comm, &w->rank);
    MPI_Comm_size(w->comm, &w->size);
    gethostname(w->host, sizeof w->host - 1);
    pr_log_set_rank(w->size > 1 ? w->rank : -1);
    pr_status_t status = check_size(w->size, err);
    if (status != PR_OK) {
        pr_world_close(&w);
        return status;
    }
    *out = w;
    return PR_OK;
}

/* Frees what has been sent. */
static void reap(pr_world_t *w, bool wait)
{
    for (pr_outgoing_t **p = &w->out; *p;) {
        pr_outgoing_t *m = *p;
        int done = 0;
        if (wait) {
            pr_mpi_check(w, MPI_Wait(&m->request, MPI_STATUS_IGNORE), "send");
            done = 1;
        } else {
            pr_mpi_check(w, MPI_Test(&m->request, &done, MPI_STATUS_IGNORE), "send");
        }
        if (!done) {
            p = &m->next;
            continue;
        }
        *p = m->next;
        free(m->bytes);
        free(m);
    }
}

void pr_world_close(pr_world_t **p)
{
    pr_world_t *w = *p;
    if (!w)
        return;
    reap(w, true);
    MPI_Comm_free(&w->comm);
    MPI_Finalize();
    free(w);
    *p = NULL;
}

void pr_world_abort(pr_world_t *w, int exit_code)
{
    MPI_Abort(w->comm, exit_code);
    _exit(exit_code);
}

int pr_world_rank(const pr_world_t *w)
{
    return w->rank;
}

int pr_world_size(const pr_world_t *w)
{
    return w->size;
}

const char *pr_world_host(const pr_world_t *w)
{
    return w->host;
}

pr_status_t pr_world_send(pr_world_t *w, int to, pr_tag_t tag, const void *bytes, size_t n, pr_error_t *err)
{
    if (n > INT32_MAX)
        return pr_fail(err, PR_ERR_ENV, "a message of %zu bytes is too long", n);
    reap(w, false);
    pr_outgoing_t *m = pr_alloc(1, sizeof *m);
    m->bytes = pr_alloc(n, 1);
    memcpy(m->bytes, bytes, n);
    pr_mpi_check(w, MPI_Isend(m->bytes, (int)n, MPI_BYTE, to, (int)tag, w->comm, &m->request), "send");
    m->next = w->out;
    w->out = m;
    return PR_OK;
}

bool pr_world_poll(pr_world_t *w, int from, pr_tag_t tag, pr_message_t *out)
{
    int there = 0, n = 0;
    MPI_Status s;
    MPI_Message handle;
    int source = from < 0 ? MPI_ANY_SOURCE : from;
    pr_mpi_check(w, MPI_Improbe(source, tag ? (int)tag : MPI_ANY_TAG, w->comm, &there, &handle, &s), "probe");
    if (!there)
        return false;
    MPI_Get_count(&s, MPI_BYTE, &n);
    *out = (pr_message_t){
        .from = s.MPI_SOURCE, .tag = (pr_tag_t)s.MPI_TAG, .bytes = pr_alloc((size_t)n + 1, 1), .n = (size_t)n};
    pr_mpi_check(w, MPI_Mrecv(out->bytes, n, MPI_BYTE, &handle, MPI_STATUS_IGNORE), "receive");
    return true;
}

void pr_backoff_sleep(pr_backoff_t *b)
{
    enum { first = 20000, longest = 2000000, resting = 10000000, rest_after = 1000 };
    b->calls += b->calls < rest_after;
    long most = b->calls < rest_after ? longest : resting;
    b->ns = b->ns ? b->ns + b->ns / 2 : first;
    b->ns = b->ns > most ? most : b->ns;
    nanosleep(&(struct timespec){0, b->ns}, NULL);
}

void pr_backoff_reset(pr_backoff_t *b)
{
    *b = (pr_backoff_t){0};
}

void pr_world_wait(pr_world_t *w, int from, pr_tag_t tag, pr_message_t *out)
{
    pr_backoff_t b = {0};
    while (!pr_world_poll(w, from, tag, out)) {
        reap(w, false);
        pr_backoff_sleep(&b);
    }
}

/* Waits for a collective without the busy loop of a blocking call. */
static void wait_for(pr_world_t *w, MPI_Request *r)
{
    pr_backoff_t b = {0};
    for (int done = 0;;) {
        pr_mpi_check(w, MPI_Test(r, &done, MPI_STATUS_IGNORE), "collective");
        if (done)
            return;
        pr_backoff_sleep(&b);
    }
}

pr_status_t pr_world_broadcast(pr_world_t *w, char **bytes, size_t *n, pr_error_t *err)
{
    MPI_Request r;
    uint64_t size = w->rank == 0 ? *n : 0;
    pr_mpi_check(w, MPI_Ibcast(&size, 1, MPI_UINT64_T, 0, w->comm, &r), "collective");
    wait_for(w, &r);
    if (size > INT32_MAX)
        return pr_fail(err, PR_ERR_ENV, "a broadcast of %llu bytes is too long", (unsigned long long)size);
    if (w->rank != 0)
        *bytes = pr_alloc((size_t)size + 1, 1);
    *n = (size_t)size;
    pr_mpi_check(w, MPI_Ibcast(*bytes, (int)size, MPI_BYTE, 0, w->comm, &r), "collective");
    wait_for(w, &r);
    return PR_OK;
}

// The error of the rank that the others take theirs from.
static pr_status_t take_error(const pr_error_t *e, pr_error_t *err)
{
    return pr_fail(err, e->status, "%.*s", (int)sizeof e->text - 1, e->text);
}

pr_status_t pr_comm_agree(pr_world_t *w, MPI_Comm comm, pr_status_t mine, pr_error_t *err)
{
    int rank, size, first;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    int bad = mine != PR_OK ? rank : size;
    pr_mpi_check(w, MPI_Allreduce(&bad, &first, 1, MPI_INT, MPI_MIN, comm), "allreduce");
    if (first == size)
        return PR_OK;
    pr_error_t e = {.status = mine};
    if (rank == first && err)
        e = *err;
    pr_mpi_check(w, MPI_Bcast(&e, sizeof e, MPI_BYTE, first, comm), "broadcast");
    return take_error(&e, err);
}

pr_status_t pr_world_agree(pr_world_t *w, pr_status_t mine, pr_error_t *err)
{
    MPI_Request r;
    int bad = mine != PR_OK ? w->rank : w->size, first;
    pr_mpi_check(w, MPI_Iallreduce(&bad, &first, 1, MPI_INT, MPI_MIN, w->comm, &r), "collective");
    wait_for(w, &r);
    if (first == w->size)
        return PR_OK;
    pr_error_t e = {.status = mine};
    if (w->rank == first && err)
        e = *err;
    pr_mpi_check(w, MPI_Ibcast(&e, sizeof e, MPI_BYTE, first, w->comm, &r), "collective");
    wait_for(w, &r);
    return take_error(&e, err);
}

void pr_world_barrier(pr_world_t *w)
{
    MPI_Request r;
    pr_mpi_check(w, MPI_Ibarrier(w->comm, &r), "collective");
    wait_for(w, &r);
}
