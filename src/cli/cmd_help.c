// SPDX-License-Identifier: BSD-3-Clause
/* paretorank help: the verbs, one verb, the configuration's keys, what registries have; all of it as a man page. */
#include "base/mem.h"
#include "cli/completion.h"
#include "cli/fold.h"
#include "cli/glossary.h"
#include "cli/man.h"
#include "cli/point_verbs.h"
#include "config/config.h"
#include "family/core.h"
#include "learn/combine.h"
#include "learn/weigh.h"
#include "method/method.h"
#include "objective/objective.h"
#include "policy/mix.h"
#include "sweeps/search/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *topic, *shell;
    bool man, markdown;
} options_t;

static const pr_option_t args[] = {
    PR_ARG("TOPIC", STRING, offsetof(options_t, topic), "TOPIC",
           "A verb; config, objectives, methods, combiners, rules, cores, mixes, searches or glossary (the "
           "indicators); the "
           "name of one of "
           "them, such as brevity, finetune.steps or hypervolume; or completion."),
    PR_ARG("SHELL", STRING, offsetof(options_t, shell), "SHELL",
           "Of completion: what this shell reads to complete the command line.", .choices = PR_COMPLETION_SHELLS),
    PR_ARG("--man", BOOL, offsetof(options_t, man), NULL, "The manual page, in roff."),
    PR_ARG("--markdown", BOOL, offsetof(options_t, markdown), NULL,
           "With config, objectives, methods, mixes and searches: as Markdown."),
    {0},
};

const pr_command_t pr_command_help = {
    .name = "help",
    .synopsis =
        "[VERB | config | objectives | methods | combiners | rules | cores | mixes | searches | glossary | completion "
        "SHELL | NAME] [--man]",
    .summary = "Print this list, a verb's help, the configuration's keys, the objectives, methods, mixes, searches and "
               "indicators there are, or what one of them is.",
    .help = "",
    .args = args,
};

#define EXIT_CODES                                                                                                     \
    "0 all is well; 1 the sweep failed or is incomplete; 2 wrong usage or configuration; 3 bad input file; 4 the "     \
    "environment: no memory, disk full, MPI, a lock"

/* ---- the configuration's keys ---- */

static void print_and_free(pr_buf_t *b)
{
    fputs(b->data, stdout);
    pr_buf_free(b);
}

static void fold_and_free(pr_buf_t *b)
{
    pr_cli_put_folded(b->data, pr_cli_help_columns());
    pr_buf_free(b);
}

static void print_keys(bool markdown)
{
    pr_buf_t b = {0};
    if (markdown) {
        pr_buf_puts(&b,
                    "# Configuration\n\n"
                    "Made by `paretorank help config --markdown`; do not edit.\n\n"
                    "A sweep is described by one file in libconfig's syntax. Keys marked `[]` belong to each group of "
                    "a list. On\n"
                    "the command line: `--set key=value`, such as `--set finetune.steps=20` or `--set "
                    "objectives.[0].words=9`.\n"
                    "File names are relative to the file's directory, `results` to where the command is started.\n\n");
        pr_options_markdown(&b, pr_config_keys, "key");
    } else {
        pr_buf_puts(
            &b,
            "A sweep is described by one file in libconfig's syntax. Keys marked [] belong to each group of a list.\n"
            "On the command line: --set key=value, such as --set finetune.steps=20 or --set "
            "objectives.[0].words=9.\n\n");
        pr_options_help(&b, pr_config_keys, "");
    }
    if (markdown)
        print_and_free(&b);
    else
        fold_and_free(&b);
}

/* ---- registries ---- */

/* One of what a registry has. */
typedef struct entry {
    const char *name, *help, *formula, *keys; // formula, keys: NULL where there are none
    const pr_option_t *options;               // ends with a NULL key
} entry_t;

static const pr_option_t no_options[] = {{0}};

static bool objective_entry(size_t i, entry_t *out)
{
    size_t n;
    const pr_objective_type_t *const *type = pr_objective_types(&n);
    if (i < n)
        *out = (entry_t){type[i]->name, type[i]->help, type[i]->formula, NULL, type[i]->options};
    return i < n;
}

static bool mix_entry(size_t i, entry_t *out)
{
    size_t n;
    const pr_mix_t *const *mix = pr_mix_all(&n);
    if (i < n)
        *out = (entry_t){mix[i]->name, mix[i]->help, mix[i]->formula, NULL, mix[i]->options};
    return i < n;
}

static bool method_entry(size_t i, entry_t *out)
{
    size_t n;
    const pr_method_t *const *method = pr_methods(&n);
    if (i < n)
        *out = (entry_t){method[i]->name, method[i]->help, method[i]->formula, NULL, method[i]->options};
    return i < n;
}

static bool combiner_entry(size_t i, entry_t *out)
{
    size_t n;
    const pr_combiner_t *const *combiner = pr_combiners(&n);
    if (i < n)
        *out = (entry_t){combiner[i]->name, combiner[i]->help, combiner[i]->formula, NULL, combiner[i]->options};
    return i < n;
}

static bool rule_entry(size_t i, entry_t *out)
{
    size_t n;
    const pr_weigher_t *const *rule = pr_weighers(&n);
    if (i < n)
        *out = (entry_t){rule[i]->name, rule[i]->help, rule[i]->formula, NULL, rule[i]->options};
    return i < n;
}

static bool core_entry(size_t i, entry_t *out)
{
    size_t n;
    const pr_core_t *const *core = pr_cores(&n);
    if (i < n)
        *out = (entry_t){core[i]->name, core[i]->help, core[i]->formula, NULL, core[i]->options};
    return i < n;
}

static bool search_entry(size_t i, entry_t *out)
{
    size_t n;
    const pr_search_strategy_t *const *strategy = pr_search_strategies(&n);
    if (i < n)
        *out = (entry_t){strategy[i]->name, strategy[i]->help, NULL, strategy[i]->keys, no_options};
    return i < n;
}

static bool indicator_entry(size_t i, entry_t *out)
{
    const pr_indicator_help_t *h = &pr_indicator_helps[i];
    if (h->name)
        *out = (entry_t){h->name, h->help, h->formula, NULL, no_options};
    return h->name != NULL;
}

typedef struct topic {
    const char *name, *title, *one;        // "mixes"; of the manual page's section; "mix"
    bool (*entry)(size_t i, entry_t *out); // false: there are no more
    char *(*page)(void);                   // as Markdown; the caller frees. NULL: it has none
} topic_t;

static const topic_t topics[] = {
    {"objectives", "OBJECTIVES", "objective", objective_entry, pr_objective_page},
    {"methods", "METHODS", "method", method_entry, pr_method_page},
    {"combiners", "COMBINERS", "combiner of a training's objectives", combiner_entry, NULL}, // on the methods' page
    {"rules", "WEIGHTING RULES", "weighting rule of a training", rule_entry, NULL},          // likewise
    {"cores", "CORES", "core of a policy that is told the preference", core_entry, NULL},    // likewise
    {"mixes", "MIXES", "mix", mix_entry, pr_mix_page},
    {"searches", "SEARCHES", "search", search_entry, pr_search_page},
    {"glossary", "INDICATORS", "indicator", indicator_entry, NULL}, // `indicators` is a verb
};
enum { TOPICS = sizeof topics / sizeof *topics };

/* kind: of which it is one, or NULL where that is plain. */
static void put_entry(pr_buf_t *b, const entry_t *e, const char *kind)
{
    pr_buf_printf(b, "%s%s", b->len > 0 ? "\n" : "", e->name);
    if (kind)
        pr_buf_printf(b, " (%s)", kind);
    pr_buf_printf(b, "\n    %s\n", e->help);
    if (e->formula)
        pr_buf_printf(b, "    = %s\n", e->formula);
    if (e->keys)
        pr_buf_printf(b, "    Keys that it reads: %s.\n", e->keys);
    pr_options_help(b, e->options, "    ");
}

static void print_entries(const topic_t *t)
{
    pr_buf_t b = {0};
    entry_t e;
    for (size_t i = 0; t->entry(i, &e); i++)
        put_entry(&b, &e, NULL);
    fold_and_free(&b);
}

/* All that has a name: one of a registry's, keys. Returns whether there is any. */
static bool print_name(const char *name)
{
    pr_buf_t b = {0};
    entry_t e;
    for (size_t t = 0; t < TOPICS; t++)
        for (size_t i = 0; topics[t].entry(i, &e); i++)
            if (strcmp(e.name, name) == 0)
                put_entry(&b, &e, topics[t].one);
    size_t before = b.len;
    pr_buf_t keys = {0};
    if (pr_options_help_of(&keys, pr_config_keys, name) > 0)
        pr_buf_printf(&b, "%s%s", before ? "\n" : "", keys.data);
    pr_buf_free(&keys);
    if (b.len == 0)
        return false;
    fold_and_free(&b);
    return true;
}

/* ---- names that there are, for those that there are not ---- */

typedef struct known {
    char **name;
    size_t n;
} known_t;

static void add_known(void *self, const char *name)
{
    known_t *k = self;
    k->name = pr_realloc(k->name, k->n + 1, sizeof *k->name);
    k->name[k->n++] = pr_strdup(name);
}

static int unknown_topic(const char *topic)
{
    known_t k = {0};
    entry_t e;
    add_known(&k, "config");
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        add_known(&k, v->name);
    for (size_t t = 0; t < TOPICS; t++) {
        add_known(&k, topics[t].name);
        for (size_t i = 0; topics[t].entry(i, &e); i++)
            add_known(&k, e.name);
    }
    pr_options_each(pr_config_keys, add_known, &k);
    int code = pr_cli_unknown("topic", topic, (const char *const *)k.name, k.n);
    for (size_t i = 0; i < k.n; i++)
        free(k.name[i]);
    free(k.name);
    return code;
}

static void print_page(const topic_t *t)
{
    char *page = t->page();
    fputs(page, stdout);
    free(page);
}

/* ---- completion ---- */

static int print_completion(const char *shell)
{
    pr_buf_t b = {0};
    if (!shell || !pr_completion(&b, shell))
        return pr_cli_usage(&pr_command_help, "completion: expected a shell, bash, zsh or fish");
    print_and_free(&b);
    return 0;
}

/* ---- the man page ---- */

static void man_keys(pr_buf_t *b)
{
    pr_buf_puts(b,
                ".SH CONFIGURATION\nA sweep is described by one file in libconfig's syntax. Keys marked [] belong to "
                "each group of a list.\n");
    pr_options_roff(b, pr_config_keys, false);
}

static void man_entries(pr_buf_t *b, const topic_t *t)
{
    entry_t e;
    pr_buf_printf(b, ".SH %s\n", t->title);
    for (size_t i = 0; t->entry(i, &e); i++) {
        pr_buf_printf(b, ".TP\n\\fB%s\\fR\n", e.name);
        pr_roff_text(b, e.help);
        pr_buf_puts(b, e.formula ? "\nFormula: " : "\nKeys that it reads: ");
        pr_roff_text(b, e.formula ? e.formula : e.keys);
        pr_buf_puts(b, "\n.RS\n");
        pr_options_roff(b, e.options, false);
        pr_buf_puts(b, ".RE\n");
    }
}

static void print_man(void)
{
    static const pr_command_t *const benches[] = {&pr_command_bench_model,  &pr_command_bench_merge,
                                                  &pr_command_bench_pareto, &pr_command_bench_schedule,
                                                  &pr_command_bench_search, &pr_command_bench_team};
    pr_buf_t b = {0};
    pr_buf_printf(
        &b,
        ".TH PARETORANK 1 \"\" \"paretorank %s\" \"User Commands\"\n.SH NAME\n"
        "paretorank \\- fine-tune a language model towards several objectives and find the Pareto front\n"
        ".SH SYNOPSIS\n.B paretorank\n.I VERB\n[arguments]\n.br\n.B mpirun \\-n\n.I N\n.B paretorank run\n.I "
        "SWEEP.cfg\n"
        ".SH DESCRIPTION\nOne configuration file describes a sweep: a model, prompts, objectives, and a search over "
        "preference weights. The sweep fine-tunes one expert per objective, evaluates mixtures of the experts, and "
        "leaves a results directory with the non-dominated ones.\n.SH VERBS\n",
        PR_VERSION);
    for (const pr_verb_t *v = pr_verbs; v->name; v++) {
        pr_cli_man(&b, v->command);
        for (size_t i = 0; v->command == &pr_command_bench && i < sizeof benches / sizeof *benches; i++)
            pr_cli_man(&b, benches[i]);
    }
    pr_man_examples(&b);
    pr_man_exit_status(&b);
    pr_man_files(&b);
    pr_man_environment(&b);
    man_keys(&b);
    for (size_t i = 0; i < TOPICS; i++)
        man_entries(&b, &topics[i]);
    print_and_free(&b);
}

/* ---- the verb ---- */

static void print_verbs(void)
{
    pr_buf_t b = {0};
    pr_buf_puts(&b, "usage: paretorank VERB [arguments]\n       mpirun -n N paretorank run SWEEP.cfg\n\n");
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        pr_buf_printf(&b, "  %-14s%s\n", v->name, v->command->summary);
    pr_buf_puts(
        &b, "\nparetorank VERB --help says more, paretorank help config lists the keys of a sweep's configuration, "
            "paretorank help objectives (methods, combiners, rules, cores, mixes, searches, glossary) what there is of "
            "each, paretorank help "
            "brevity (or finetune.steps, hypervolume, ...) what that is. paretorank --version prints the version.\n"
            "Exit codes: " EXIT_CODES ".\n");
    fold_and_free(&b);
}

static int print_topic(const char *topic, bool markdown)
{
    char *help[] = {NULL, "--help", NULL};
    const pr_verb_t *verb = pr_verb_find(topic);
    if (strcmp(topic, "config") == 0) {
        print_keys(markdown);
        return 0;
    }
    if (verb) {
        help[0] = (char *)(uintptr_t)verb->name;
        return verb->run(2, help);
    }
    for (size_t i = 0; i < TOPICS; i++)
        if (strcmp(topic, topics[i].name) == 0) {
            (markdown && topics[i].page ? print_page : print_entries)(&topics[i]);
            return 0;
        }
    return print_name(topic) ? 0 : unknown_topic(topic);
}

int pr_cmd_help(int argc, char **argv)
{
    options_t o = {0};
    int code;
    if (!pr_cli_parse(&pr_command_help, argc, argv, &o, &code))
        return code;
    bool completion = o.topic && strcmp(o.topic, "completion") == 0;
    if (o.shell && !completion)
        return pr_cli_usage(&pr_command_help, "unexpected argument '%s'", o.shell);
    if (completion)
        return print_completion(o.shell);
    if (o.man)
        print_man();
    else if (o.topic)
        return print_topic(o.topic, o.markdown);
    else
        print_verbs();
    return 0;
}
