// SPDX-License-Identifier: BSD-3-Clause
/* paretorank run: a sweep on the ranks that mpirun or srun started, or the rest of one that was stopped. */
#include "base/duration.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/together.h"
#include "mpi/transport.h"
#include "run/run.h"
#include "sweeps/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *config;
    pr_texts_t set;
    int rows;
    bool quiet;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("SWEEP", STRING, offsetof(options_t, config), "SWEEP.cfg|DIR",
                    "The sweep's configuration file, or a results directory to go on with, wherever it is now."),
    PR_ARG("--set", STRINGS, offsetof(options_t, set), "KEY=VALUE", "Overrides a key of the file; may be repeated."),
    PR_ARG_DEFAULT("--rows", INT, offsetof(options_t, rows), "N", "20",
                   "Rows of the front that are printed at the end, 0 for all.", .min = 0, .max = 1000000),
    PR_ARG("--quiet", BOOL, offsetof(options_t, quiet), NULL, "No progress."),
    {0},
};

const pr_command_t pr_command_run = {
    .name = "run",
    .synopsis = "SWEEP.cfg|DIR [--set KEY=VALUE]...",
    .summary = "Run a sweep under mpirun or srun, or continue one that was stopped.",
    .help =
        "Start it with mpirun or srun: rank 0 schedules, the other ranks work; alone it does both. (mpirun -q "
        "leaves out "
        "mpirun's own notice when the exit code is not 0.) What is done "
        "already is not done "
        "again. A results directory may have been moved, renamed or copied: it is worked in where it is, and model, "
        "prompts, adapters and objectives' files are found as they were or, by their content, where they have moved "
        "along; else --set names them. With --set results=OTHER a directory is read for its configuration only. "
        "SIGTERM, SIGINT and SIGUSR1 save what is running and end the run with exit code 1; the same "
        "command continues it.",
    .args = args,
};

typedef struct screen {
    bool live; // a line that is written over; else one line per minute
    bool quiet;
    double last;
    int rows;
} screen_t;

static void show_progress(void *self, const pr_progress_t *p)
{
    screen_t *s = self;
    char line[1024];
    double now = pr_time_monotonic();
    if (s->quiet || now - s->last < (s->live ? 0.2 : 60))
        return;
    s->last = now;
    pr_progress_line(p, s->live ? pr_cli_columns() - 1 : 160, line, sizeof line);
    if (s->live)
        fprintf(stderr, "\r\033[K%s", line);
    else
        pr_log(PR_LOG_INFO, "%s", line);
}

static void show_front(void *self, const pr_sweep_t *sweep, bool complete)
{
    const screen_t *s = self;
    if (s->live && !s->quiet)
        fprintf(stderr, "\r\033[K");
    json_t *indicators = pr_sweep_indicators(sweep);
    char *table = pr_sweep_front_table(sweep, pr_cli_columns(), s->rows);
    if (table)
        printf("%s", table);
    if (json_array_size(indicators) > 0) {
        char *searches = pr_sweep_search_table(indicators);
        printf("\n%s", searches);
        free(searches);
    }
    free(table);
    json_decref(indicators);
    if (complete)
        printf("results: %s\n", pr_sweep_dir(sweep));
    fflush(stdout);
}

/* code: of the command line, where it says that there is nothing to run; -1: run. */
static int run(const options_t *o, int code, int *argc, char ***argv)
{
    pr_error_t err = {0};
    pr_world_t *w = NULL;
    pr_config_t *config = NULL;
    bool other = pr_world_is_other(), mixed;
    if (pr_world_open(argc, argv, &w, &err) != PR_OK)
        return other ? pr_status_exit_code(err.status) : pr_cli_fail("run", &err);
    pr_cli_catch_signals(); // after MPI's own
    screen_t screen = {.live = isatty(STDERR_FILENO), .quiet = o->quiet, .last = pr_time_monotonic(), .rows = o->rows};
    pr_run_hooks_t hooks = {pr_cli_stopping, show_progress, show_front, &screen};
    bool first = pr_world_rank(w) == 0;
    pr_status_t status = pr_cli_agree_on_options(w, code < 0, &mixed, &err);
    if (status == PR_OK) {
        if (first)
            status = pr_sweep_config_read(o->config, o->set.item, o->set.n, PR_PLACE_ALL, &config, &err);
        pr_transport_t t = pr_world_transport(w);
        status = pr_run_sweep(&t, config, status, &hooks, &err);
    }
    // Rank 0's exit code is the run's. Were another's not 0, mpirun could end rank 0 before it has said why.
    if (!first)
        code = 0;
    else if (code < 0 || (code == 0 && mixed))                 // its help is no success where others were to run
        code = status != PR_OK ? pr_cli_fail("run", &err) : 0; // else the first has said what is wrong with its own
    pr_config_free(&config);
    pr_world_close(&w);
    return code;
}

int pr_cmd_run_none(int code)
{
    char name[] = "paretorank", *words[] = {name, NULL}, **argv = words;
    int argc = 1;
    return pr_world_processes() > 1 ? run(&(options_t){0}, code, &argc, &argv) : code;
}

int pr_cmd_run(int argc, char **argv)
{
    options_t o = {0};
    int code;
    if (pr_cli_parse_together(&pr_command_run, argc, argv, &o, &code))
        code = run(&o, -1, &argc, &argv);
    else
        code = pr_cmd_run_none(code);
    pr_cli_free(&pr_command_run, &o);
    return code;
}
