// SPDX-License-Identifier: BSD-3-Clause
/* paretorank status: a sweep's progress, from its journal. */
#include "base/duration.h"
#include "cli/cli.h"
#include "sweeps/sweep.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    const char *dir;
    bool json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("DIR", STRING, offsetof(options_t, dir), "DIR", "The results directory."),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print JSON."),
    {0},
};

const pr_command_t pr_command_status = {
    .name = "status",
    .synopsis = "DIR [--json]",
    .summary = "Show a sweep's progress.",
    .help = "Reads the journal only, so it may be asked from any shell while the sweep runs. state is running, "
            "finished, incomplete, "
            "interrupted, or stopped: the run was killed, and the same command, or `paretorank run DIR`, continues it. "
            "Then the jobs that were running are named, with their ranks and hosts. Of every search: how many points "
            "it has "
            "asked for, why it asks for no more, and what is left of its budget. elapsed, or took, is of all starts; "
            "speed is "
            "of what runs now.",
    .args = args,
};

static void print_line(const char *what, const char *text)
{
    printf("%-12s%s\n", what, text);
}

static void print_killed(const json_t *details)
{
    const json_t *killed = json_object_get(details, "killed");
    const char *names = json_string_value(json_object_get(killed, "names"));
    char age[32];
    if (!killed)
        return;
    pr_duration_format(json_number_value(json_object_get(killed, "last_line_age")), age, sizeof age);
    printf(
        "%-12sthe run was killed (no end in the journal; its last line is of %s ago): start the same command again\n",
        "killed", age);
    print_line("no end of", names && names[0] ? names : "no job: none was running");
}

/* What each search has asked for, and why it ended. */
static void print_searches(const json_t *details)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(details, "searches"), i, one)
    {
        const char *ended = json_string_value(json_object_get(one, "ended"));
        json_int_t asked = json_integer_value(json_object_get(one, "asked"));
        json_int_t left = json_integer_value(json_object_get(one, "budget_left"));
        printf("%-12s%s, seed %lld: %lld asked for%s%s", "search", json_string_value(json_object_get(one, "search")),
               (long long)json_integer_value(json_object_get(one, "seed")), (long long)asked, ended ? "; " : " so far",
               ended ? ended : "");
        if (left > 0)
            printf("; %lld of its budget left", (long long)left);
        putchar('\n');
    }
}

static void print_text(const pr_progress_t *p, const json_t *details)
{
    const char *damage = json_string_value(json_object_get(details, "damage"));
    json_int_t starts = json_integer_value(json_object_get(details, "starts"));
    size_t i;
    json_t *f, *warning;
    print_line("sweep", json_string_value(json_object_get(details, "name")));
    print_line("state", json_string_value(json_object_get(details, "state")));
    char *text = pr_progress_text(p);
    fputs(text, stdout);
    free(text);
    if (starts > 1)
        printf("%-12s%lld\n", "starts", (long long)starts);
    print_searches(details);
    if (damage)
        printf("%-12sjournal.jsonl: %s\n", "damage", damage);
    print_killed(details);
    json_array_foreach(json_object_get(details, "warnings"), i, warning)
    {
        print_line("warning", json_string_value(warning));
    }
    json_array_foreach(json_object_get(details, "failures"), i, f)
    {
        printf("%-12s%s: %s\n", "failed", json_string_value(json_object_get(f, "label")),
               json_string_value(json_object_get(f, "error")));
    }
}

static int status_of(const options_t *o)
{
    pr_error_t err;
    pr_progress_t p;
    json_t *details = NULL;
    if (pr_sweep_status(o->dir, pr_time_wall(), &p, &details, &err) != PR_OK)
        return pr_cli_fail("status", &err);
    if (o->json)
        pr_cli_print_json(details);
    else
        print_text(&p, details);
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
