// SPDX-License-Identifier: BSD-3-Clause
/* The scheduler with synthetic jobs: every job is done once, whatever fails, repeats or stops in between. */
#include "mpi_test.h"

#include "base/mem.h"
#include "base/rng.h"
#include "mpi/scheduler.h"

#include <mpi.h>
#include <string.h>
#include <time.h>

enum { MAX_JOBS = 500 };

typedef enum { WAITING, RUNNING, DONE } state_t;

typedef struct source {
    int n, released; // jobs; how many may start before others have ended
    int limit;       // no more than so many are given at all; 0: all
    state_t state[MAX_JOBS];
    int failures[MAX_JOBS]; // times it still has to fail
    int finished, events, most_running, running, stop_after, ticks;
    bool interrupted[MAX_JOBS], signalled;
    int kept; // finished, as of the last commit
} source_t;

static pr_source_next_t next_job(void *self, json_t **spec)
{
    source_t *s = self;
    CHECK(s->kept == s->finished); // nothing is given before what ended is kept
    for (int i = 0; i < s->n; i++) {
        if (s->state[i] != WAITING || i >= s->released + s->finished || (s->limit && i >= s->limit))
            continue;
        s->state[i] = RUNNING;
        s->running++;
        s->most_running = s->running > s->most_running ? s->running : s->most_running;
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        *spec = json_pack("{s:s, s:i, s:b}", "id", id, "number", i, "fail", s->failures[i] > 0);
        return PR_SOURCE_JOB;
    }
    return s->running > 0 || s->finished < s->n ? PR_SOURCE_WAIT : PR_SOURCE_DONE;
}

static pr_status_t started(void *self, const char *id, int rank, const char *host, pr_error_t *err)
{
    (void)err;
    CHECK(((source_t *)self)->state[atoi(id)] == RUNNING);
    CHECK(host && host[0]);
    CHECK(rank > 0 || pr_world_size(test_world) == 1);
    return PR_OK;
}

static pr_status_t on_event(void *self, int rank, const char *host, const char *event, const json_t *fields,
                            pr_error_t *err)
{
    (void)rank, (void)host, (void)err;
    CHECK(strcmp(event, "half") == 0);
    CHECK(json_is_integer(json_object_get(fields, "number")));
    ((source_t *)self)->events++;
    return PR_OK;
}

static pr_status_t on_finished(void *self, const char *id, int rank, const char *host, pr_status_t status,
                               const char *text, const json_t *result, pr_error_t *err)
{
    source_t *s = self;
    int i = atoi(id);
    (void)rank, (void)host, (void)err;
    CHECK(s->state[i] == RUNNING);
    s->running--;
    CHECK(status == PR_OK || json_number_value(json_object_get(result, "seconds")) >= 0);
    CHECK(status == PR_OK || json_is_number(json_object_get(result, "seconds")));
    if (status == PR_OK) {
        CHECK(s->failures[i] == 0);
        CHECK(json_integer_value(json_object_get(result, "square")) == (json_int_t)i * i);
        s->state[i] = DONE;
        s->finished++;
    } else if (status == PR_ERR_INTERRUPTED) {
        s->state[i] = WAITING;
        s->interrupted[i] = true;
    } else {
        CHECK(status == PR_ERR_NUMERIC);
        CHECK(strstr(text, "meant to fail"));
        s->failures[i]--;
        s->state[i] = WAITING;
    }
    return PR_OK;
}

static void tick(void *self)
{
    ((source_t *)self)->ticks++;
}

static pr_status_t commit(void *self, pr_error_t *err)
{
    (void)err;
    ((source_t *)self)->kept = ((source_t *)self)->finished;
    return PR_OK;
}

static void signalled(void *self)
{
    ((source_t *)self)->signalled = true;
}

static bool stopping(void *self)
{
    const source_t *s = self;
    return s->stop_after > 0 && s->finished >= s->stop_after;
}

static bool never(void *self)
{
    (void)self;
    return false;
}

/* While set, a worker's first job does not end before every worker has one. */
static MPI_Comm meeting = MPI_COMM_NULL;

static void meet(void)
{
    if (meeting != MPI_COMM_NULL) {
        MPI_Barrier(meeting);
        MPI_Comm_free(&meeting);
    }
}

static pr_status_t run(void *self, const json_t *spec, const pr_runner_hooks_t *hooks, json_t **result, pr_error_t *err)
{
    (void)self;
    int i = (int)json_integer_value(json_object_get(spec, "number"));
    pr_rng_key_t key = pr_rng_key(7, "sleep", "");
    json_t *fields = json_pack("{s:i}", "number", i);
    hooks->event(hooks->self, "half", fields);
    json_decref(fields);
    meet();
    nanosleep(&(struct timespec){0, (long)pr_rng_below(&key, 2000000, (uint64_t)i, 0, 0, 0)}, NULL);
    if (hooks->cancel(hooks->self))
        return pr_fail(err, PR_ERR_INTERRUPTED, "cancelled");
    if (json_is_true(json_object_get(spec, "fail")))
        return pr_fail(err, PR_ERR_NUMERIC, "job %d was meant to fail", i);
    *result = json_pack("{s:I}", "square", (json_int_t)i * i);
    return PR_OK;
}

static void schedule(source_t *s, int depth)
{
    pr_error_t err;
    pr_source_t source = {next_job, started, on_event, on_finished, commit, tick, stopping, signalled, s};
    pr_runner_t runner = {run, never, NULL};
    pr_schedule_options_t o = {.team = 1, .depth = depth, .short_seconds = 1, .ahead_seconds = 1};
    pr_status_t status = PR_OK;
    if (pr_world_rank(test_world) == 0)
        status = pr_schedule(test_world, &source, &runner, &o, &err);
    else
        pr_work(test_world, 1, &runner);
    CHECK(pr_world_agree(test_world, status, &err) == PR_OK);
}

static void every_job_once(void)
{
    for (int depth = 1; depth <= 3; depth++) {
        source_t *s = pr_alloc(1, sizeof *s);
        s->n = s->released = 60;
        int works = pr_world_size(test_world) == 1 || pr_world_rank(test_world) > 0;
        MPI_Comm_split(MPI_COMM_WORLD, works ? 0 : MPI_UNDEFINED, 0, &meeting);
        schedule(s, depth);
        if (pr_world_rank(test_world) == 0) {
            int workers = pr_world_size(test_world) > 1 ? pr_world_size(test_world) - 1 : 1;
            CHECK(s->finished == 60 && s->running == 0 && s->events == 60);
            CHECK(s->most_running <= workers * depth);
            CHECK(s->most_running >= (workers < 60 ? workers : 60));
            CHECK(s->ticks > 0);
        }
        free(s);
    }
}

/* Jobs that come free only as others end: nobody is forgotten while there is nothing to give. */
static void jobs_that_wait_for_others(void)
{
    source_t *s = pr_alloc(1, sizeof *s);
    s->n = 40;
    s->released = 1;
    schedule(s, 2);
    if (pr_world_rank(test_world) == 0)
        CHECK(s->finished == 40 && s->most_running == 1);
    free(s);
}

static void failures_come_back(void)
{
    source_t *s = pr_alloc(1, sizeof *s);
    s->n = s->released = 30;
    for (int i = 0; i < s->n; i += 3)
        s->failures[i] = 1 + i % 2;
    schedule(s, 2);
    if (pr_world_rank(test_world) == 0)
        CHECK(s->finished == 30 && s->events > 30);
    free(s);
}

static void stopping_leaves_the_rest(void)
{
    source_t *s = pr_alloc(1, sizeof *s);
    s->n = s->released = 400;
    s->stop_after = 5;
    schedule(s, 2);
    if (pr_world_rank(test_world) == 0) {
        CHECK(s->running == 0);
        CHECK(s->finished >= 5 && s->finished < 400);
        s->stop_after = 0; // and the same source can be gone on with
    }
    schedule(s, 2);
    if (pr_world_rank(test_world) == 0)
        CHECK(s->finished == 400);
    free(s);
}

/* ---- the ends that are not the usual one ---- */

static pr_status_t no_disk(void *self, const char *id, int rank, const char *host, pr_status_t status, const char *text,
                           const json_t *result, pr_error_t *err)
{
    source_t *s = self;
    (void)rank, (void)host, (void)status, (void)text, (void)result;
    s->running--;
    s->state[atoi(id)] = DONE;
    s->kept = ++s->finished;
    return s->finished == 7 ? pr_fail(err, PR_ERR_IO, "no room for job %s", id) : PR_OK;
}

static pr_status_t keep(void *self, pr_error_t *err)
{
    (void)self, (void)err;
    return PR_OK;
}

/* An error of the source ends the schedule with it; the workers come home, whatever they had. */
static void an_error_of_the_source(void)
{
    source_t *s = pr_alloc(1, sizeof *s);
    pr_error_t err;
    s->n = s->released = 200;
    pr_source_t source = {next_job, started, on_event, no_disk, keep, tick, stopping, signalled, s};
    pr_runner_t runner = {run, never, NULL};
    pr_schedule_options_t o = {.team = 1, .depth = 4, .short_seconds = 1, .ahead_seconds = 1};
    pr_status_t status = PR_OK;
    if (pr_world_rank(test_world) == 0)
        status = pr_schedule(test_world, &source, &runner, &o, &err);
    else
        pr_work(test_world, 1, &runner);
    CHECK(pr_world_agree(test_world, status, &err) == PR_ERR_IO);
    CHECK(strstr(err.text, "no room for job"));
    free(s);
}

static bool last_rank(void *self)
{
    (void)self;
    return pr_world_rank(test_world) == pr_world_size(test_world) - 1;
}

/* A signal to one worker stops the schedule, also where that worker has nothing to do. */
static void a_signal_to_one_worker(void)
{
    if (pr_world_size(test_world) == 1)
        return; // there the source is asked
    for (int released = 0; released <= 100; released += 100) {
        source_t *s = pr_alloc(1, sizeof *s);
        pr_error_t err;
        s->n = 400;
        s->released = released;
        s->limit = 200; // the rest never comes, so the signal has all the time that it needs
        pr_source_t source = {next_job, started, on_event, on_finished, commit, tick, stopping, signalled, s};
        pr_runner_t runner = {run, last_rank, NULL};
        pr_schedule_options_t o = {.team = 1, .depth = 2, .short_seconds = 1, .ahead_seconds = 1};
        pr_status_t status = PR_OK;
        if (pr_world_rank(test_world) == 0)
            status = pr_schedule(test_world, &source, &runner, &o, &err);
        else
            pr_work(test_world, 1, &runner);
        CHECK(pr_world_agree(test_world, status, &err) == PR_OK);
        if (pr_world_rank(test_world) == 0)
            CHECK(s->signalled && s->running == 0 && s->finished < 400);
        free(s);
        pr_world_barrier(test_world);
    }
}

/* ---- long and short jobs ---- */

typedef struct mixed {
    int given, long_at, finished, running;
    int behind_long; // jobs given to the worker that had the long one, before that ended
    int long_rank;
} mixed_t;

static pr_source_next_t mixed_next(void *self, json_t **spec)
{
    mixed_t *s = self;
    char id[16];
    if (s->given == 400)
        return s->running ? PR_SOURCE_WAIT : PR_SOURCE_DONE;
    bool is_long = s->given == s->long_at;
    snprintf(id, sizeof id, "%d", s->given++);
    s->running++;
    *spec =
        json_pack("{s:s, s:s, s:f}", "id", id, "kind", is_long ? "long" : "short", "seconds", is_long ? 0.3 : 0.0005);
    return PR_SOURCE_JOB;
}

static pr_status_t mixed_started(void *self, const char *id, int rank, const char *host, pr_error_t *err)
{
    mixed_t *s = self;
    (void)host, (void)err;
    if (atoi(id) == s->long_at)
        s->long_rank = rank;
    else if (rank == s->long_rank)
        s->behind_long++;
    return PR_OK;
}

static pr_status_t mixed_finished(void *self, const char *id, int rank, const char *host, pr_status_t status,
                                  const char *text, const json_t *result, pr_error_t *err)
{
    mixed_t *s = self;
    (void)rank, (void)host, (void)text, (void)result, (void)err;
    CHECK(status == PR_OK);
    s->running--;
    s->finished++;
    if (atoi(id) == s->long_at)
        s->long_rank = -1;
    return PR_OK;
}

static bool mixed_stopping(void *self)
{
    (void)self;
    return false;
}

static void mixed_tick(void *self)
{
    (void)self;
}

static pr_status_t sleep_so(void *self, const json_t *spec, const pr_runner_hooks_t *hooks, json_t **result,
                            pr_error_t *err)
{
    (void)self, (void)hooks, (void)err;
    nanosleep(&(struct timespec){0, (long)(json_number_value(json_object_get(spec, "seconds")) * 1e9)}, NULL);
    *result = json_object();
    return PR_OK;
}

/* No job is made to wait behind one of a kind that is long, or not known. */
static void nothing_waits_behind_a_long_job(void)
{
    mixed_t s = {.long_at = 250, .long_rank = -1};
    pr_error_t err;
    pr_source_t source = {mixed_next,     mixed_started, on_event, mixed_finished, keep, mixed_tick,
                          mixed_stopping, mixed_tick,    &s};
    pr_runner_t runner = {sleep_so, never, NULL};
    pr_schedule_options_t o = PR_SCHEDULE_DEFAULTS;
    pr_status_t status = PR_OK;
    if (pr_world_rank(test_world) == 0)
        status = pr_schedule(test_world, &source, &runner, &o, &err);
    else
        pr_work(test_world, 1, &runner);
    CHECK(pr_world_agree(test_world, status, &err) == PR_OK);
    if (pr_world_rank(test_world) == 0)
        CHECK(s.finished == 400 && s.behind_long == 0);
}

int main(int argc, char **argv)
{
    test_begin(&argc, &argv);
    every_job_once();
    jobs_that_wait_for_others();
    failures_come_back();
    stopping_leaves_the_rest();
    an_error_of_the_source();
    a_signal_to_one_worker();
    nothing_waits_behind_a_long_job();
    return test_end();
}
