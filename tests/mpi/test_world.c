// SPDX-License-Identifier: BSD-3-Clause
/* Messages and agreements between ranks: of all sizes, in order, and without burning a core. */
#include "mpi_test.h"

#include "base/duration.h"
#include "base/mem.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>

static unsigned char byte_of(size_t i, int rank)
{
    return (unsigned char)(i * 31 + (size_t)rank);
}

static void send_pattern(int to, size_t n)
{
    int rank = pr_world_rank(test_world);
    pr_error_t err;
    unsigned char *bytes = pr_alloc(n, 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_of(i, rank);
    CHECK(pr_world_send(test_world, to, PR_TAG_TEST, bytes, n, &err) == PR_OK);
    memset(bytes, 0, n); // sending has copied it
    free(bytes);
}

static void receive_pattern(int from, size_t n)
{
    pr_message_t m;
    bool same = true;
    pr_world_wait(test_world, from, PR_TAG_TEST, &m);
    CHECK(m.from == from && m.tag == PR_TAG_TEST && m.n == n && m.bytes[n] == 0);
    for (size_t i = 0; i < n; i++)
        same = same && (unsigned char)m.bytes[i] == byte_of(i, from);
    CHECK(same);
    free(m.bytes);
}

/* Below and above the size from which MPI asks the receiver first; all to rank 0 at once, and back, in order. */
static void messages(void)
{
    static const size_t sizes[] = {0, 1, 100, 4096, 100000, 20000000, 3};
    enum { N = sizeof sizes / sizeof *sizes };
    int rank = pr_world_rank(test_world), size = pr_world_size(test_world);
    for (size_t i = 0; i < N && rank != 0; i++)
        send_pattern(0, sizes[i]);
    for (int from = 1; from < size && rank == 0; from++)
        for (size_t i = 0; i < N; i++)
            receive_pattern(from, sizes[i]);
    for (int to = 1; to < size && rank == 0; to++)
        for (size_t i = 0; i < N; i++)
            send_pattern(to, sizes[i]);
    for (size_t i = 0; i < N && rank != 0; i++)
        receive_pattern(0, sizes[i]);
    send_pattern(rank, 10); // to oneself
    receive_pattern(rank, 10);
    pr_message_t m;
    CHECK(!pr_world_poll(test_world, -1, (pr_tag_t)0, &m));
}

static void too_long(void)
{
    pr_error_t err;
    CHECK(pr_world_send(test_world, 0, PR_TAG_TEST, "", (size_t)1 << 31, &err) == PR_ERR_ENV);
    CHECK(strstr(err.text, "2147483648"));
}

static void broadcasts(void)
{
    static const size_t sizes[] = {0, 1, 70000, 5000000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        bool first = pr_world_rank(test_world) == 0, same = true;
        size_t n = first ? sizes[s] : 0;
        char *bytes = first ? pr_alloc(n + 1, 1) : NULL;
        pr_error_t err;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)byte_of(i, 5);
        CHECK(pr_world_broadcast(test_world, &bytes, &n, &err) == PR_OK);
        CHECK(n == sizes[s] && bytes[n] == 0);
        for (size_t i = 0; i < n; i++)
            same = same && (unsigned char)bytes[i] == byte_of(i, 5);
        CHECK(same);
        free(bytes);
    }
}

/* Whoever fails, all get the status and the line of the lowest rank that does. */
static void agreements(void)
{
    int rank = pr_world_rank(test_world), size = pr_world_size(test_world);
    for (int bad = 0; bad <= size; bad++) {
        pr_error_t err = {0};
        char words[32];
        pr_status_t mine =
            rank >= bad ? pr_fail(&err, rank == bad ? PR_ERR_FORMAT : PR_ERR_IO, "rank %d fails", rank) : PR_OK;
        pr_status_t all = pr_world_agree(test_world, mine, &err);
        snprintf(words, sizeof words, "rank %d fails", bad);
        CHECK(all == (bad < size ? PR_ERR_FORMAT : PR_OK));
        CHECK(bad == size || (strcmp(err.text, words) == 0 && err.status == PR_ERR_FORMAT));
    }
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Ranks that wait for one that takes its time use next to nothing: for a message, and in a collective call. */
static void waiting_is_cheap(void)
{
    int rank = pr_world_rank(test_world), size = pr_world_size(test_world);
    const double seconds = 1.5;
    pr_message_t m;
    for (int how = 0; how < 2 && size > 1; how++) {
        pr_world_barrier(test_world);
        double before = cpu_seconds(), begin = pr_time_monotonic();
        if (rank == 0)
            nanosleep(&(struct timespec){1, 500000000}, NULL);
        for (int to = 1; to < size && rank == 0 && how == 0; to++)
            pr_world_send(test_world, to, PR_TAG_TEST, "x", 1, NULL);
        if (rank != 0 && how == 0) {
            pr_world_wait(test_world, 0, PR_TAG_TEST, &m);
            free(m.bytes);
        }
        if (how == 1)
            pr_world_barrier(test_world);
        double waited = pr_time_monotonic() - begin;
        CHECK(waited > 0.9 * seconds);
        CHECK(cpu_seconds() - before < 0.05 * waited);
    }
}

int main(int argc, char **argv)
{
    test_begin(&argc, &argv);
    messages();
    too_long();
    broadcasts();
    agreements();
    waiting_is_cheap();
    return test_end();
}
