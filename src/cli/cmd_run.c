// SPDX-License-Identifier: BSD-3-Clause
/* paretorank run: a sweep on the ranks that mpirun or srun started, or the rest of one that was stopped. */
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/screen.h"
#include "cli/together.h"
#include "mpi/launch.h"
#include "mpi/transport.h"
#include "run/run.h"
#include "sweeps/phases.h"
#include "sweeps/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *config;
    pr_texts_t set;
    const char *ranks;
    int rows;
    bool quiet, replace;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("SWEEP", STRING, offsetof(options_t, config), "SWEEP.cfg|DIR",
                    "The sweep's configuration file, or a results directory to go on with, wherever it is now."),
    PR_ARG("--ranks", STRING, offsetof(options_t, ranks), "N|auto",
           "Start mpirun with so many ranks. auto: what a batch system's allocation has, else one per core (or per "
           "`threads` cores) and one more, which schedules. Where mpirun or srun has started the command, it is not "
           "given."),
    PR_ARG("--set", STRINGS, offsetof(options_t, set), "KEY=VALUE", "Overrides a key of the file; may be repeated."),
    PR_ARG_DEFAULT("--rows", INT, offsetof(options_t, rows), "N", "20",
                   "Rows of the front that are printed at the end, 0 for all.", .min = 0, .max = 1000000),
    PR_ARG("--replace", BOOL, offsetof(options_t, replace), NULL,
           "Where the results directory holds results of another configuration: move its tables into replaced/N there "
           "and go on with this one. Without it such a run is refused, with the list of the keys that changed."),
    PR_ARG("--quiet", BOOL, offsetof(options_t, quiet), NULL, "No progress."),
    {0},
};

const pr_command_t pr_command_run = {
    .name = "run",
    .synopsis = "SWEEP.cfg|DIR [--ranks N|auto] [--set KEY=VALUE]...",
    .summary = "Run a sweep under mpirun or srun, or continue one that was stopped.",
    .help =
        "--ranks starts it on several ranks: rank 0 schedules, the other ranks work; alone it does both. mpirun or "
        "srun start it as well. (mpirun -q leaves "
        "out "
        "mpirun's own notice when the exit code is not 0.) What is done already is not done again. A changed "
        "configuration continues where it only adds work (seeds, points, budget, searches, policies, evaluation "
        "prompts) or changes how work is done; where it would make other results of those that are there, it is "
        "refused "
        "(see --replace). A results directory may have been moved, renamed or copied: it is worked in where it is, and "
        "model, "
        "prompts, adapters and objectives' files are found as they were or, by their content, where they have moved "
        "along; else --set names them. With --set results=OTHER a directory is read for its configuration only. "
        "SIGTERM, SIGINT and SIGUSR1 save what is running and end the run with exit code 1; the same "
        "command continues it.",
    .args = args,
};

typedef struct shown {
    pr_cli_screen_t screen;
    int rows; // of the front
} shown_t;

static void show_progress(void *self, const pr_progress_t *p)
{
    pr_cli_screen_progress(&((shown_t *)self)->screen, p);
}

static void show_started(void *self, const char *text)
{
    const shown_t *s = self;
    if (!s->screen.quiet)
        pr_log(PR_LOG_INFO, "%s", text);
}

static void show_front(void *self, const pr_sweep_t *sweep, bool complete)
{
    const shown_t *s = self;
    pr_cli_screen_clear(&s->screen);
    json_t *indicators = pr_sweep_indicators(sweep);
    char *table = pr_sweep_front_table(sweep, pr_cli_columns(), s->rows);
    if (table)
        printf("%s", table);
    if (json_array_size(indicators) > 0) {
        char *searches = pr_sweep_search_table(indicators, pr_cli_columns());
        printf("\n%s", searches);
        free(searches);
        char *reference = pr_sweep_reference_text(sweep);
        if (reference)
            printf("%s\n", reference);
        free(reference);
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
    shown_t shown = {{isatty(STDERR_FILENO) || getenv(PR_LAUNCH_TERMINAL), o->quiet, 10, pr_time_monotonic()}, o->rows};
    pr_run_hooks_t hooks = {pr_cli_stopping, show_progress, show_front, &shown, show_started, o->replace};
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

/* ---- --ranks ---- */

/* One per core, or per `threads` cores, at least a team, and rank 0, which hardly uses one. */
static int ranks_of_machine(const pr_config_t *c)
{
    int workers = pr_launch_cores() / c->threads, least = 1;
    pr_phase_spec_t phase[PR_MAX_PHASES];
    for (int n = pr_sweep_phases(c, phase), i = 0; i < n; i++)
        least = phase[i].team.rows * phase[i].team.cols > least ? phase[i].team.rows * phase[i].team.cols : least;
    workers = workers > least ? workers : least;
    return workers > 1 ? workers + 1 : 1;
}

/* *ranks: 1: here, without mpirun; 0: as many as the allocation has. */
static pr_status_t count_ranks(const options_t *o, int *ranks, pr_error_t *err)
{
    char *end;
    long n = strtol(o->ranks, &end, 10);
    pr_config_t *c = NULL;
    if (strcmp(o->ranks, "auto") != 0 && (*end || end == o->ranks || n < 1 || n > 1000000))
        return pr_fail(err, PR_ERR_USAGE, "--ranks: found \"%s\", expected a number 1 to 1000000, or auto", o->ranks);
    *ranks = (int)n;
    // What is wrong with the configuration is said once, and before there are ranks.
    pr_log_set_level(PR_LOG_ERROR);
    pr_status_t status = pr_sweep_config_read(o->config, o->set.item, o->set.n, PR_PLACE_ALL, &c, err);
    pr_log_set_level(PR_LOG_INFO);
    if (status == PR_OK && strcmp(o->ranks, "auto") == 0)
        *ranks = pr_launch_has_allocation() ? 0 : ranks_of_machine(c);
    if (status == PR_OK && *ranks > 0)
        status = pr_sweep_check_ranks(c, *ranks, err);
    pr_config_free(&c);
    return status;
}

/* The command line without --ranks. Caller frees. */
static char **words_without_ranks(int argc, char **argv)
{
    char **words = pr_alloc((size_t)argc + 2, sizeof *words);
    int n = 0;
    words[n++] = argv[0]; // the program's place
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--ranks") == 0)
            i++;
        else if (strncmp(argv[i], "--ranks=", strlen("--ranks=")) != 0)
            words[n++] = argv[i];
    }
    return words;
}

/* Runs it on ranks of its own, and returns true; *code is set. */
static bool launched(const options_t *o, int argc, char **argv, int *code)
{
    pr_error_t err;
    int ranks = 1;
    if (!o->ranks)
        return false;
    if (pr_world_processes() > 1) {
        if (!pr_world_is_other())
            fprintf(stderr,
                    "paretorank run: --ranks: found %d processes that were started together, expected it alone\n",
                    pr_world_processes());
        *code = pr_cmd_run_none(2);
        return true;
    }
    pr_status_t status = count_ranks(o, &ranks, &err);
    if (status == PR_OK && ranks == 1)
        return false;
    if (status == PR_OK) {
        char **words = words_without_ranks(argc, argv);
        status = pr_launch(ranks, words, isatty(STDERR_FILENO) ? pr_cli_columns() : 0, code, &err);
        free(words);
    }
    if (status != PR_OK)
        *code = pr_cli_fail("run", &err);
    return true;
}

int pr_cmd_run(int argc, char **argv)
{
    options_t o = {0};
    int code;
    if (!pr_cli_parse_together(&pr_command_run, argc, argv, &o, &code))
        code = pr_cmd_run_none(code);
    else if (!launched(&o, argc, argv, &code))
        code = run(&o, -1, &argc, &argv);
    pr_cli_free(&pr_command_run, &o);
    return code;
}
