// SPDX-License-Identifier: BSD-3-Clause
/* paretorank bench schedule: rank 0 with synthetic jobs. Under mpirun: dispatches a second with jobs of no length, and
 * the efficiency of the workers with jobs that sleep. */
#include "base/duration.h"
#include "base/mem.h"
#include "cli/bench_points.h"
#include "cli/cli.h"
#include "mpi/scheduler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

typedef struct options {
    int jobs, sleeping_jobs, points;
    double ms;
    bool json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_DEFAULT("--jobs", INT, offsetof(options_t, jobs), "N", "100000", "Jobs of no length.", .min = 1,
                   .max = 100000000),
    PR_ARG_DEFAULT("--rounds", INT, offsetof(options_t, sleeping_jobs), "N", "200", "Sleeping jobs per worker.",
                   .min = 1, .max = 1000000),
    PR_ARG_DEFAULT("--ms", REAL, offsetof(options_t, ms), "MS", "50",
                   "How long a sleeping job sleeps, in milliseconds.", .min = 0, .max = 60000),
    PR_ARG_DEFAULT("--points", INT, offsetof(options_t, points), "N", "0",
                   "Also run a sweep of N points whose jobs end at once, on rank 0 alone, for its memory; 0: none. A "
                   "million write a journal of 1 GB to TMPDIR.",
                   .min = 0, .max = 10000000),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print JSON."),
    {0},
};

const pr_command_t pr_command_bench_schedule = {
    .name = "bench schedule",
    .synopsis = "[--jobs N] [--rounds N] [--ms MS] [--points N] [--json]",
    .summary = "Measure dispatches per second of rank 0, and the efficiency of workers on short jobs.",
    .help = "Start it with mpirun -n (workers + 1).",
    .args = args,
};

/* A source of n jobs that sleep. */
typedef struct synthetic {
    long n, given, done;
    double seconds; // each
} synthetic_t;

static pr_source_next_t next_job(void *self, json_t **spec)
{
    synthetic_t *s = self;
    char id[24];
    if (s->given == s->n)
        return s->done == s->n ? PR_SOURCE_DONE : PR_SOURCE_WAIT;
    snprintf(id, sizeof id, "%ld", s->given++);
    *spec = json_pack("{s:s, s:s, s:o}", "id", id, "kind", "sleep", "seconds", pr_json_real(s->seconds));
    return PR_SOURCE_JOB;
}

static pr_status_t started(void *self, const char *id, int rank, const char *host, pr_error_t *err)
{
    (void)self, (void)id, (void)rank, (void)host, (void)err;
    return PR_OK;
}

static pr_status_t event(void *self, int rank, const char *host, const char *name, const json_t *fields,
                         pr_error_t *err)
{
    (void)self, (void)rank, (void)host, (void)name, (void)fields, (void)err;
    return PR_OK;
}

static pr_status_t finished(void *self, const char *id, int rank, const char *host, pr_status_t status,
                            const char *text, const json_t *result, pr_error_t *err)
{
    (void)id, (void)rank, (void)host, (void)result;
    ((synthetic_t *)self)->done++;
    return status == PR_OK ? PR_OK : pr_fail(err, status, "%s", text);
}

static pr_status_t commit(void *self, pr_error_t *err)
{
    (void)self, (void)err;
    return PR_OK;
}

static void nothing(void *self)
{
    (void)self;
}

static bool never(void *self)
{
    (void)self;
    return false;
}

static pr_status_t sleep_job(void *self, const json_t *spec, const pr_runner_hooks_t *hooks, json_t **result,
                             pr_error_t *err)
{
    (void)self, (void)hooks, (void)err;
    double s = json_number_value(json_object_get(spec, "seconds"));
    if (s > 0)
        nanosleep(&(struct timespec){(time_t)s, (long)(fmod(s, 1) * 1e9)}, NULL);
    *result = json_object();
    return PR_OK;
}

/* One round; returns its seconds on rank 0. */
static pr_status_t round_of(pr_world_t *w, long n, double seconds, double *took, pr_error_t *err)
{
    synthetic_t s = {.n = n, .seconds = seconds};
    pr_source_t source = {next_job, started, event, finished, commit, nothing, never, nothing, &s};
    pr_runner_t runner = {sleep_job, never, NULL};
    pr_schedule_options_t o = PR_SCHEDULE_DEFAULTS;
    pr_world_barrier(w);
    double begin = pr_time_monotonic();
    pr_status_t status = PR_OK;
    if (pr_world_rank(w) == 0)
        status = pr_schedule(w, &source, &runner, &o, err);
    else
        pr_work(w, 1, &runner);
    *took = pr_time_monotonic() - begin;
    return pr_world_agree(w, status, err);
}

typedef struct figures {
    int workers;
    double dispatch, sleeping; // seconds
    pr_bench_points_t sweep;
} figures_t;

static json_t *sweep_json(const pr_bench_points_t *p)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "points", (json_int_t)p->points, "open_seconds",
                     pr_json_real(p->open_seconds), "run_seconds", pr_json_real(p->run_seconds), "jobs_per_second",
                     pr_json_real((double)p->points / p->run_seconds), "run_mib", pr_json_real(p->run_mib),
                     "resume_seconds", pr_json_real(p->resume_seconds), "resume_mib", pr_json_real(p->resume_mib));
}

static void print(const options_t *o, const figures_t *f)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double rate = o->jobs / f->dispatch, efficiency = o->sleeping_jobs * o->ms / 1000 / f->sleeping;
    if (o->json) {
        json_t *v = json_pack("{s:i, s:i, s:o, s:o, s:o, s:I}", "workers", f->workers, "jobs", o->jobs,
                              "dispatches_per_second", pr_json_real(rate), "job_ms", pr_json_real(o->ms), "efficiency",
                              pr_json_real(efficiency), "rank0_max_rss_kib", (json_int_t)u.ru_maxrss);
        if (o->points > 0)
            json_object_set_new(v, "sweep", sweep_json(&f->sweep));
        pr_cli_print_json(v);
        json_decref(v);
        return;
    }
    printf("workers            %d\n", f->workers);
    printf("dispatches/s       %.0f   (%d jobs of no length)\n", rate, o->jobs);
    printf("efficiency         %.1f %%  (%d jobs of %g ms per worker)\n", 100 * efficiency, o->sleeping_jobs, o->ms);
    printf("rank 0's memory    %.0f MiB\n", (double)u.ru_maxrss / 1024);
    if (o->points > 0)
        printf("a sweep            %zu points: %.0f MiB, opened in %.1f s, %.0f jobs/s with their journal; resumed in "
               "%.1f s, %.0f MiB\n",
               f->sweep.points, f->sweep.run_mib, f->sweep.open_seconds, (double)f->sweep.points / f->sweep.run_seconds,
               f->sweep.resume_seconds, f->sweep.resume_mib);
}

static int bench(const options_t *o, int *argc, char ***argv)
{
    pr_error_t err = {0}, bad = {0};
    pr_world_t *w = NULL;
    figures_t f = {0};
    pr_status_t status = PR_OK;
    bool first = !pr_world_is_other();
    if (o->points > 0 && first) // forks, so before MPI is there
        status = pr_bench_points((size_t)o->points, &f.sweep, &bad);
    if (pr_world_open(argc, argv, &w, &err) != PR_OK)
        return pr_cli_fail("bench", &err);
    f.workers = pr_world_size(w) > 1 ? pr_world_size(w) - 1 : 1;
    status = pr_world_agree(w, status, &bad);
    err = bad;
    if (status == PR_OK)
        status = round_of(w, o->jobs, 0, &f.dispatch, &err);
    if (status == PR_OK)
        status = round_of(w, (long)o->sleeping_jobs * f.workers, o->ms / 1000, &f.sleeping, &err);
    int code = 0;
    if (pr_world_rank(w) == 0 && status == PR_OK)
        print(o, &f);
    else if (pr_world_rank(w) == 0)
        code = pr_cli_fail("bench", &err);
    pr_world_close(&w);
    return code;
}

int pr_bench_schedule(int argc, char **argv)
{
    options_t o = {0};
    int code;
    if (pr_cli_parse(&pr_command_bench_schedule, argc, argv, &o, &code))
        code = bench(&o, &argc, &argv);
    pr_cli_free(&pr_command_bench_schedule, &o);
    return code;
}
