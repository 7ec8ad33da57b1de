/* paretorank help: the verbs, one verb, the configuration's keys, the objectives, the mixes; all of it as a man page.
 */
#include "base/mem.h"
#include "cli/cli.h"
#include "config/config.h"
#include "objective/objective.h"
#include "policy/mix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *topic;
    bool man, markdown;
} options_t;

static const pr_arg_t args[] = {
    {"TOPIC", PR_ARG_TEXT, offsetof(options_t, topic), "TOPIC", "A verb, \"config\", \"objectives\" or \"mixes\".", 0,
     0, false},
    {"--man", PR_ARG_FLAG, offsetof(options_t, man), NULL, "The manual page, in roff.", 0, 0, false},
    {"--markdown", PR_ARG_FLAG, offsetof(options_t, markdown), NULL, "With config, objectives and mixes: as Markdown.",
     0, 0, false},
    PR_ARG_END,
};

const pr_command_t pr_command_help = {
    .name = "help",
    .synopsis = "[VERB | config | objectives | mixes] [--man]",
    .summary = "Prints what there is to know about a verb, the configuration, the objectives or the mixes.",
    .help = "",
    .args = args,
};

#define EXIT_CODES                                                                                                     \
    "0 all is well; 1 the sweep failed or is incomplete; 2 wrong usage or configuration; 3 bad input file; 4 the "     \
    "environment: no memory, disk full, MPI, a lock"

/* ---- the configuration's keys ---- */

static bool is_required(const pr_config_key_t *key)
{
    return strcmp(key->dflt, "required") == 0;
}

static void print_keys(void)
{
    size_t n;
    const pr_config_key_t *key = pr_config_keys(&n);
    printf(
        "A sweep is described by one file in libconfig's syntax. Keys marked [] belong to each group of a list.\n"
        "On the command line: --set key=value, such as --set finetune.steps=20 or --set objectives.[0].words=9.\n\n");
    for (size_t i = 0; i < n; i++, key++) {
        printf("%s (%s", key->key, key->type);
        if (key->range[0])
            printf("; %s", key->range);
        if (key->dflt[0])
            printf(is_required(key) ? "; %s" : "; default %s", key->dflt);
        printf(")\n    %s\n", key->help);
    }
}

// A '|' would end the table's cell.
static void print_in_cell(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_cell(const char *text)
{
    print_in_cell(text);
    printf(" | ");
}

static void print_markdown(void)
{
    size_t n;
    const pr_config_key_t *key = pr_config_keys(&n);
    printf(
        "# Configuration\n\n"
        "Made by `paretorank help config --markdown`; do not edit.\n\n"
        "A sweep is described by one file in libconfig's syntax. Keys marked `[]` belong to each group of a list. On\n"
        "the command line: `--set key=value`, such as `--set finetune.steps=20` or `--set objectives.[0].words=9`.\n"
        "File names are relative to the file's directory, `results` to where the command is started.\n\n"
        "| key | type | default | range | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < n; i++, key++) {
        printf("| `%s` | ", key->key);
        print_cell(key->type);
        if (key->dflt[0] && !is_required(key))
            printf("`%s` | ", key->dflt);
        else
            print_cell(key->dflt);
        print_cell(key->range);
        print_in_cell(key->help);
        printf(" |\n");
    }
}

/* ---- objectives ---- */

static void print_options(const pr_option_t *option)
{
    for (; option && option->key; option++) {
        if (!option->dflt)
            printf("    %s (required): %s\n", option->key, option->help);
        else
            printf("    %s = %s: %s\n", option->key, option->dflt, option->help);
    }
}

static void print_objectives(void)
{
    size_t n;
    const pr_objective_type_t *const *type = pr_objective_types(&n);
    for (size_t i = 0; i < n; i++) {
        printf("%s%s\n    %s\n    = %s\n", i ? "\n" : "", type[i]->name, type[i]->help, type[i]->formula);
        print_options(type[i]->options);
    }
}

/* ---- mixes ---- */

static void print_mixes(void)
{
    size_t n;
    const pr_mix_t *const *mix = pr_mix_all(&n);
    for (size_t i = 0; i < n; i++) {
        printf("%s%s\n    %s\n    = %s\n", i ? "\n" : "", mix[i]->name, mix[i]->help, mix[i]->formula);
        print_options(mix[i]->options);
    }
}

/* ---- the man page ---- */

static void man_keys(void)
{
    size_t n;
    const pr_config_key_t *key = pr_config_keys(&n);
    printf(".SH CONFIGURATION\nA sweep is described by one file in libconfig's syntax. Keys marked [] belong to each "
           "group of a list.\n");
    for (size_t i = 0; i < n; i++, key++) {
        printf(".TP\n\\fB");
        pr_cli_print_roff(key->key);
        printf("\\fR (");
        pr_cli_print_roff(key->type);
        if (key->range[0])
            printf("; ");
        pr_cli_print_roff(key->range);
        if (key->dflt[0])
            printf(is_required(key) ? "; " : "; default ");
        pr_cli_print_roff(key->dflt);
        printf(")\n");
        pr_cli_print_roff(key->help);
        printf("\n");
    }
}

static void man_entry(const char *name, const char *help, const char *formula, const pr_option_t *options)
{
    printf(".TP\n\\fB%s\\fR\n", name);
    pr_cli_print_roff(help);
    printf("\nFormula: ");
    pr_cli_print_roff(formula);
    printf("\n");
    for (const pr_option_t *o = options; o && o->key; o++) {
        printf(".br\n\\fB%s\\fR", o->key);
        printf(o->dflt ? " = " : " (required)");
        pr_cli_print_roff(o->dflt ? o->dflt : "");
        printf(": ");
        pr_cli_print_roff(o->help);
        printf("\n");
    }
}

static void man_objectives(void)
{
    size_t n;
    const pr_objective_type_t *const *type = pr_objective_types(&n);
    printf(".SH OBJECTIVES\n");
    for (size_t i = 0; i < n; i++)
        man_entry(type[i]->name, type[i]->help, type[i]->formula, type[i]->options);
}

static void man_mixes(void)
{
    size_t n;
    const pr_mix_t *const *mix = pr_mix_all(&n);
    printf(".SH MIXES\n");
    for (size_t i = 0; i < n; i++)
        man_entry(mix[i]->name, mix[i]->help, mix[i]->formula, mix[i]->options);
}

static void print_man(void)
{
    printf(".TH PARETORANK 1 \"\" \"paretorank %s\" \"User Commands\"\n.SH NAME\n"
           "paretorank \\- fine-tune a language model towards several objectives and find the Pareto front\n"
           ".SH SYNOPSIS\n.B paretorank\n.I VERB\n[arguments]\n.br\n.B mpirun \\-n\n.I N\n.B paretorank run\n.I "
           "SWEEP.cfg\n"
           ".SH DESCRIPTION\nOne configuration file describes a sweep: a model, prompts, objectives, and a search over "
           "preference weights. The sweep fine-tunes an expert an objective, evaluates mixtures of the experts, and "
           "leaves a results directory with the non-dominated ones.\n.SH VERBS\n",
           PR_VERSION);
    for (const pr_verb_t *v = pr_verbs; v->name; v++) {
        if (v->command == &pr_command_bench) {
            pr_cli_print_man(v->command);
            pr_cli_print_man(&pr_command_bench_model);
            pr_cli_print_man(&pr_command_bench_schedule);
            pr_cli_print_man(&pr_command_bench_team);
        } else if (v->command) {
            pr_cli_print_man(v->command);
        } else {
            printf(".SS \"paretorank %s\"\n", v->name);
            pr_cli_print_roff(v->summary);
            printf(" See \\fBparetorank %s \\-\\-help\\fR.\n", v->name);
        }
    }
    printf(".SH EXIT STATUS\n");
    pr_cli_print_roff(EXIT_CODES ".");
    printf("\n");
    man_keys();
    man_objectives();
    man_mixes();
}

/* ---- the verb ---- */

static void print_verbs(void)
{
    printf("usage: paretorank VERB [arguments]\n       mpirun -n N paretorank run SWEEP.cfg\n\n");
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        printf("  %-14s%s\n", v->name, v->summary);
    printf("\nparetorank VERB --help says more, paretorank help config lists the keys of a sweep's configuration,\n"
           "paretorank help objectives the objectives, paretorank help mixes the mixes. paretorank --version prints "
           "the version.\n"
           "Exit codes: " EXIT_CODES ".\n");
}

static int print_topic(const char *topic, bool markdown)
{
    enum { MAX = 64 };
    char *help[] = {NULL, "--help", NULL};
    const char *names[MAX] = {"config", "objectives", "mixes"};
    size_t n = 3;
    if (strcmp(topic, "config") == 0) {
        if (markdown)
            print_markdown();
        else
            print_keys();
        return 0;
    }
    if (strcmp(topic, "objectives") == 0) {
        char *page = markdown ? pr_objective_page() : NULL;
        if (page)
            fputs(page, stdout);
        else
            print_objectives();
        free(page);
        return 0;
    }
    if (strcmp(topic, "mixes") == 0) {
        char *page = markdown ? pr_mix_page() : NULL;
        if (page)
            fputs(page, stdout);
        else
            print_mixes();
        free(page);
        return 0;
    }
    const pr_verb_t *verb = pr_verb_find(topic);
    if (!verb) {
        for (const pr_verb_t *v = pr_verbs; v->name && n < MAX; v++)
            names[n++] = v->name;
        return pr_cli_unknown("topic", topic, names, n);
    }
    help[0] = (char *)(uintptr_t)verb->name;
    return verb->run(2, help);
}

int pr_cmd_help(int argc, char **argv)
{
    options_t o = {0};
    int code;
    if (!pr_cli_parse(&pr_command_help, argc, argv, &o, &code))
        return code;
    if (o.man)
        print_man();
    else if (o.topic)
        return print_topic(o.topic, o.markdown);
    else
        print_verbs();
    return 0;
}
