// SPDX-License-Identifier: BSD-3-Clause
/* paretorank evaluate: points of a sweep on a test set, and by another judge, on the ranks that mpirun or srun started. */
#include "base/duration.h"
#include "cli/cli.h"
#include "cli/screen.h"
#include "cli/together.h"
#include "mpi/transport.h"
#include "run/run_judging.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct options {
    pr_judging_wish_t wish;
    pr_texts_t set;
    bool quiet;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("DIR", STRING, offsetof(options_t, wish.dir), "DIR", "The sweep's results directory."),
    PR_ARG_REQUIRED(
        "--points", STRING, offsetof(options_t, wish.points), "front|ID,...",
        "Which points: the front, or ids of the column point of cells.csv and of `paretorank front`, or what "
        "only one of them begins with."),
    PR_ARG_REQUIRED("--prompts", STRING, offsetof(options_t, wish.prompts), "FILE.jsonl",
                    "The prompts: a JSON object with \"prompt\" a line. All of them are used."),
    PR_ARG(
        "--objectives", STRING, offsetof(options_t, wish.objectives), "JUDGE.cfg",
        "A configuration of which `objectives` is read, in place of the sweep's own; files in it are relative to it."),
    PR_ARG("--name", STRING, offsetof(options_t, wish.name), "NAME",
           "The results are in DIR/evaluations/NAME. Default: from the names of the two files, \"test\" or "
           "\"test-judge\"."),
    PR_ARG("--set", STRINGS, offsetof(options_t, set), "KEY=VALUE",
           "Overrides a key of the sweep's configuration, such as evaluate.max_new_tokens; may be repeated."),
    PR_ARG("--quiet", BOOL, offsetof(options_t, quiet), NULL, "No progress."),
    {0},
};

const pr_command_t pr_command_evaluate = {
    .name = "evaluate",
    .synopsis = "DIR --points front|ID,... --prompts FILE.jsonl [--objectives JUDGE.cfg] [--name NAME] "
                "[--set KEY=VALUE]...",
    .summary = "Evaluate points of a sweep on other prompts, by other objectives, without training again.",
    .help =
        "A sweep chooses its points by their scores, which are therefore better than they are on prompts that it has "
        "not seen. Each point's policy is what the sweep evaluated, by the journal; how it speaks is as the sweep's "
        "`evaluate` and `stop` say. Start it with mpirun or srun, as `run`. Tables of its own lie beside the sweep's: "
        "DIR/evaluations/NAME/cells.csv (front: among these rows, by these objectives) and samples.jsonl (every "
        "response). The same command continues one that was stopped; further points are added; other prompts, "
        "objectives or settings under the same name are refused, as nothing is overwritten.",
    .args = args,
};

static void show(const pr_judging_t *j, const pr_cli_screen_t *s)
{
    char *table = pr_judging_table(j);
    pr_cli_screen_clear(s);
    if (table)
        printf("%sresults: %s\n", table, pr_judging_dir(j));
    fflush(stdout);
    free(table);
}

static int run(options_t *o, int *argc, char ***argv)
{
    pr_error_t err = {0};
    pr_world_t *w = NULL;
    pr_judging_t *j = NULL;
    bool other = pr_world_is_other(), mixed;
    if (pr_world_open(argc, argv, &w, &err) != PR_OK)
        return other ? pr_status_exit_code(err.status) : pr_cli_fail("evaluate", &err);
    pr_cli_catch_signals(); // after MPI's own
    pr_cli_screen_t screen = {isatty(STDERR_FILENO), o->quiet, 60, pr_time_monotonic()};
    pr_judging_hooks_t hooks = {pr_cli_stopping, pr_cli_screen_progress, &screen};
    bool first = pr_world_rank(w) == 0;
    pr_status_t status = pr_cli_agree_on_options(w, true, &mixed, &err);
    if (status == PR_OK) {
        o->wish.set = o->set.item;
        o->wish.n_set = o->set.n;
        if (first)
            status = pr_judging_read(&o->wish, &j, &err);
        pr_transport_t t = pr_world_transport(w);
        status = pr_run_judging(&t, j, status, &hooks, &err);
    }
    // Rank 0's exit code is the command's.
    if (j && (status == PR_OK || status == PR_ERR_INTERRUPTED || status == PR_ERR_INCOMPLETE))
        show(j, &screen);
    int code = first && status != PR_OK ? pr_cli_fail("evaluate", &err) : 0;
    pr_judging_free(&j);
    pr_world_close(&w);
    return code;
}

int pr_cmd_evaluate(int argc, char **argv)
{
    options_t o = {.set = {0}};
    int code;
    if (pr_cli_parse_together(&pr_command_evaluate, argc, argv, &o, &code))
        code = run(&o, &argc, &argv);
    else
        code = pr_cmd_run_none(code);
    pr_cli_free(&pr_command_evaluate, &o);
    return code;
}
