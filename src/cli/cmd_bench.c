// SPDX-License-Identifier: BSD-3-Clause
/* paretorank bench: measurements of this machine, and of searches. */
#include "cli/cli.h"
#include "mpi/world.h"

#include <string.h>

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("WHAT", STRING, 0, "WHAT",
                    "model, merge, pareto, schedule, search or team; each has --help of its own."),
    {0},
};

const pr_command_t pr_command_bench = {
    .name = "bench",
    .synopsis = "model|merge|pareto|schedule|search|team [options]",
    .summary = "Measure this machine (model, merge, pareto, schedule, team) and searches (search).",
    .help = "",
    .args = args,
};

int pr_cmd_bench(int argc, char **argv)
{
    static const struct {
        const char *name;
        pr_verb_fn run;
        bool ranks; // works in several processes together
    } benches[] = {{"model", pr_bench_model, false},   {"merge", pr_bench_merge, false},
                   {"pareto", pr_bench_pareto, false}, {"schedule", pr_bench_schedule, true},
                   {"search", pr_bench_search, false}, {"team", pr_bench_team, true}};
    enum { N = sizeof benches / sizeof *benches };
    const char *names[N], *what;
    int code;
    for (size_t i = 0; i < N; i++) {
        names[i] = benches[i].name;
        if (argc > 1 && strcmp(argv[1], names[i]) == 0)
            return benches[i].ranks || pr_world_processes() == 1 ? benches[i].run(argc - 1, argv + 1)
                                                                 : pr_cli_one_process("bench");
    }
    if (!pr_cli_parse(&pr_command_bench, argc < 2 ? argc : 2, argv, &what, &code))
        return code;
    return pr_cli_unknown("bench", what, names, N);
}
