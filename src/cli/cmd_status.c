/* paretorank status: how far a sweep is, from its journal. */
#include "base/duration.h"
#include "cli/cli.h"
#include "sweeps/sweep.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    const char *dir;
    bool json;
} options_t;

static const pr_arg_t args[] = {
    {"DIR", PR_ARG_TEXT, offsetof(options_t, dir), "DIR", "The results directory.", 0, 0, true},
    {"--json", PR_ARG_FLAG, offsetof(options_t, json), NULL, "Print JSON.", 0, 0, false},
    PR_ARG_END,
};

const pr_command_t pr_command_status = {
    .name = "status",
    .synopsis = "DIR [--json]",
    .summary = "Say how far a sweep is.",
    .help = "Reads the journal only, so it may be asked from any shell while the sweep runs. state is running, "
            "finished, incomplete, "
            "interrupted, or stopped (the run was killed; `paretorank run DIR` continues it).",
    .args = args,
};

static int status_of(const options_t *o)
{
    pr_error_t err;
    pr_progress_t p;
    json_t *details = NULL;
    if (pr_sweep_status(o->dir, pr_time_wall(), &p, &details, &err) != PR_OK)
        return pr_cli_fail("status", &err);
    if (o->json) {
        pr_cli_print_json(details);
    } else {
        char *text = pr_progress_text(&p);
        printf("sweep    %s\nstate    %s\n%s", json_string_value(json_object_get(details, "name")),
               json_string_value(json_object_get(details, "state")), text);
        free(text);
        size_t i;
        json_t *f;
        json_array_foreach(json_object_get(details, "failures"), i, f)
        {
            printf("failed   %s: %s\n", json_string_value(json_object_get(f, "label")),
                   json_string_value(json_object_get(f, "error")));
        }
    }
    json_decref(details);
    return 0;
}

int pr_cmd_status(int argc, char **argv)
{
    options_t o = {0};
    int code;
    if (pr_cli_parse(&pr_command_status, argc, argv, &o, &code))
        code = status_of(&o);
    pr_cli_free(&pr_command_status, &o);
    return code;
}
