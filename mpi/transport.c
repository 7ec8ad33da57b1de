// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/transport.h"
#include "mpi/front.h"
#include "mpi/scheduler.h"
#include "mpi/team.h"

#include <stdlib.h>
#include <string.h>

static pr_status_t agree(void *self, pr_status_t mine, pr_error_t *err)
{
    return pr_world_agree(self, mine, err);
}

static pr_status_t broadcast(void *self, char **bytes, size_t *n, pr_error_t *err)
{
    return pr_world_broadcast(self, bytes, n, err);
}

/* Waits for n bytes of a rank; another number would be another program. */
static void receive(pr_world_t *w, int from, size_t n, void *out)
{
    pr_message_t m;
    pr_world_wait(w, from, PR_TAG_PIECE, &m);
    if (m.n != n)
        pr_world_abort(w, pr_status_exit_code(PR_ERR_ENV));
    if (n > 0)
        memcpy(out, m.bytes, n);
    free(m.bytes);
}

static void gather(void *self, const void *mine, size_t n, void *all)
{
    if (pr_world_rank(self) > 0) {
        pr_world_send(self, 0, PR_TAG_PIECE, mine, n, NULL);
        return;
    }
    memcpy(all, mine, n);
    for (int rank = 1; rank < pr_world_size(self); rank++)
        receive(self, rank, n, (char *)all + (size_t)rank * n);
}

static void scatter(void *self, const void *all, size_t n, void *mine)
{
    if (pr_world_rank(self) > 0) {
        receive(self, 0, n, mine);
        return;
    }
    memcpy(mine, all, n);
    for (int rank = 1; rank < pr_world_size(self); rank++)
        pr_world_send(self, rank, PR_TAG_PIECE, (const char *)all + (size_t)rank * n, n, NULL);
}

static void barrier(void *self)
{
    pr_world_barrier(self);
}

static void open_teams(void *self, int rows, int cols, pr_team_t **out)
{
    pr_teams_open(self, 1, rows, cols, out);
}

static pr_status_t schedule(void *self, const pr_source_t *source, const pr_runner_t *runner,
                            const pr_schedule_options_t *o, pr_error_t *err)
{
    return pr_schedule(self, source, runner, o, err);
}

static void work(void *self, int team, const pr_runner_t *runner)
{
    pr_work(self, team, runner);
}

static pr_status_t reduce(void *self, pr_archive_t *archive, pr_error_t *err)
{
    return pr_front_reduce(self, archive, err);
}

pr_transport_t pr_world_transport(pr_world_t *w)
{
    return (pr_transport_t){.rank = pr_world_rank(w),
                            .size = pr_world_size(w),
                            .host = pr_world_host(w),
                            .agree = agree,
                            .broadcast = broadcast,
                            .gather = gather,
                            .scatter = scatter,
                            .barrier = barrier,
                            .open_teams = open_teams,
                            .close_team = pr_teams_close,
                            .schedule = schedule,
                            .work = work,
                            .reduce = reduce,
                            .self = w};
}
