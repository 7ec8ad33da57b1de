// SPDX-License-Identifier: BSD-3-Clause
/* paretorank clean: frees what a results directory does not need any more. */
#include "cli/cli.h"
#include "sweeps/clean.h"

#include <stdio.h>

typedef struct options {
    const char *dir;
    bool evaluations, dry;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("DIR", STRING, offsetof(options_t, dir), "DIR", "The results directory."),
    PR_ARG("--evaluations", BOOL, offsetof(options_t, evaluations), NULL,
           "Also the prompts' scores and responses of a finished sweep's points."),
    PR_ARG("--dry-run", BOOL, offsetof(options_t, dry), NULL, "Only say what would go."),
    {0},
};

const pr_command_t pr_command_clean = {
    .name = "clean",
    .synopsis = "DIR [--evaluations] [--dry-run]",
    .summary = "Delete what a results directory does not need any more, and say what that frees.",
    .help =
        "Half-written files; checkpoints of fine-tune jobs whose experts are there and whole; and, once the sweep is "
        "finished, checkpoints of earlier configurations. The tables, the experts and the journal stay, and the same "
        "command still finds everything done and writes the same tables. With --evaluations those of the points of a "
        "finished sweep go too: the samples and the intervals that are written are kept as long as the configuration "
        "stays; a search that is added later evaluates front points again for their samples. Refused while a run works "
        "in the directory.",
    .args = args,
};

static void print_freed(const options_t *o, const pr_clean_t *c)
{
    static const char *const what[] = {[PR_CLEAN_TEMPORARY] = "half-written",
                                       [PR_CLEAN_TUNED] = "checkpoints of experts that are there",
                                       [PR_CLEAN_LEFT] = "checkpoints of earlier configurations",
                                       [PR_CLEAN_EVALUATION] = "checkpoints of points"};
    char text[32];
    double all = 0;
    for (int i = 0; i < PR_CLEAN_KINDS; i++) {
        all += (double)c->bytes[i];
        if (c->files[i] > 0)
            printf("%-38s %zu file%s, %s\n", what[i], c->files[i], c->files[i] == 1 ? "" : "s",
                   pr_cli_bytes((double)c->bytes[i], text));
    }
    printf("%s %s%s\n", o->dry ? "would free" : "freed", pr_cli_bytes(all, text),
           c->finished ? "" : " (the sweep is not finished: what it needs to go on stays)");
}

int pr_cmd_clean(int argc, char **argv)
{
    options_t o = {0};
    pr_error_t err;
    pr_clean_t c;
    int code;
    if (pr_cli_parse(&pr_command_clean, argc, argv, &o, &code)) {
        if (pr_sweep_clean(o.dir, o.evaluations, o.dry, &c, &err) == PR_OK)
            print_freed(&o, &c);
        else
            code = pr_cli_fail(argv[0], &err);
    }
    pr_cli_free(&pr_command_clean, &o);
    return code;
}
