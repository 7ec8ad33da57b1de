// SPDX-License-Identifier: BSD-3-Clause
#include "cli/completion.h"
#include "cli/cli.h"
#include "config/config.h"
#include "policy/mix.h"

#include <stdlib.h>
#include <string.h>

/* ---- what a word of the command line may be ---- */

typedef enum { ANY, DIRECTORY, FILE_NAME, WORDS } word_kind_t;

/* words: separated by blanks, the caller frees; NULL for all but WORDS. */
typedef struct word {
    word_kind_t kind;
    char *words;
    bool open; // something follows the word at once, as after "finetune.steps="
} word_t;

static void add_word(pr_buf_t *b, const char *word, size_t len, const char *end)
{
    pr_buf_printf(b, "%s%.*s%s", b->len ? " " : "", (int)len, word, end);
}

/* "a|b|c" -> "a b c". */
static char *choices_of(const char *choices)
{
    pr_buf_t b = {0};
    pr_buf_puts(&b, "");
    for (size_t len; *choices; choices += len + (choices[len] == '|')) {
        len = strcspn(choices, "|");
        add_word(&b, choices, len, "");
    }
    return b.data;
}

static char *mixes(void)
{
    pr_buf_t b = {0};
    size_t n;
    const pr_mix_t *const *mix = pr_mix_all(&n);
    pr_buf_puts(&b, "");
    for (size_t i = 0; i < n; i++)
        add_word(&b, mix[i]->name, strlen(mix[i]->name), "");
    return b.data;
}

/* Keys in lists of groups are left out: which group it is is not known. */
static char *keys(void)
{
    pr_buf_t b = {0};
    pr_buf_puts(&b, "");
    for (const pr_option_t *o = pr_config_keys; o->key; o++)
        if (!strchr(o->key, '[') && o->kind != PR_OPT_GROUPS)
            add_word(&b, o->key, strlen(o->key), "=");
    return b.data;
}

static char *topics(void)
{
    static const char first[] = "config objectives methods mixes searches completion";
    pr_buf_t b = {0};
    pr_buf_puts(&b, first);
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        add_word(&b, v->name, strlen(v->name), "");
    return b.data;
}

static word_t word_of(const pr_option_t *o)
{
    const char *value = o->value ? o->value : "";
    if (o->choices)
        return (word_t){WORDS, choices_of(o->choices), false};
    if (strcmp(value, "MIX") == 0)
        return (word_t){WORDS, mixes(), false};
    if (strcmp(value, "KEY=VALUE") == 0)
        return (word_t){WORDS, keys(), true};
    if (strcmp(value, "TOPIC") == 0)
        return (word_t){WORDS, topics(), false};
    if (strstr(value, "FILE") || strstr(value, ".cfg") || o->kind == PR_OPT_FILE)
        return (word_t){FILE_NAME, NULL, false};
    if (strstr(value, "DIR") || o->kind == PR_OPT_DIR)
        return (word_t){DIRECTORY, NULL, false};
    return (word_t){ANY, NULL, false};
}

/* ---- commands ---- */

static const pr_command_t *const benches[] = {&pr_command_bench_model,  &pr_command_bench_merge,
                                              &pr_command_bench_pareto, &pr_command_bench_schedule,
                                              &pr_command_bench_search, &pr_command_bench_team};
enum { BENCHES = sizeof benches / sizeof *benches };

static bool is_option(const pr_option_t *o)
{
    return o->key[0] == '-';
}

/* Calls each() for every verb, and for every bench with its whole name. */
static void each_command(pr_buf_t *b, void (*each)(pr_buf_t *b, const char *name, const pr_command_t *c))
{
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        if (v->command != &pr_command_bench)
            each(b, v->name, v->command);
    for (size_t i = 0; i < BENCHES; i++)
        each(b, benches[i]->name, benches[i]);
}

/* "bench team" -> "team". */
static const char *last_word(const char *name)
{
    const char *blank = strrchr(name, ' ');
    return blank ? blank + 1 : name;
}

static void put_bench_names(pr_buf_t *b)
{
    for (size_t i = 0; i < BENCHES; i++)
        pr_buf_printf(b, "%s%s", i ? " " : "", last_word(benches[i]->name));
}

static void put_verb_names(pr_buf_t *b)
{
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        pr_buf_printf(b, "%s ", v->name);
    pr_buf_puts(b, "--version");
}

/* ---- bash ---- */

static void bash_word(pr_buf_t *b, const word_t *w)
{
    static const char *const action[] = {"", "_paretorank_files -d", "_paretorank_files -f", "_paretorank_words"};
    pr_buf_puts(b, w->kind == ANY ? ":" : action[w->kind]);
    if (w->words)
        pr_buf_printf(b, " '%s'%s", w->words, w->open ? "; compopt -o nospace" : "");
    pr_buf_puts(b, " ;;\n");
}

static void bash_values(pr_buf_t *b, const char *name, const pr_command_t *c)
{
    for (const pr_option_t *o = c->args; o->key; o++) {
        if (!is_option(o) || o->kind == PR_OPT_BOOL)
            continue;
        word_t w = word_of(o);
        pr_buf_printf(b, "    '%s %s') ", name, o->key);
        bash_word(b, &w);
        free(w.words);
    }
}

static void bash_options(pr_buf_t *b, const char *name, const pr_command_t *c)
{
    pr_buf_printf(b, "        '%s') _paretorank_words '", name);
    for (const pr_option_t *o = c->args; o->key; o++)
        if (is_option(o))
            pr_buf_printf(b, "%s ", o->key);
    pr_buf_puts(b, "--help' ;;\n");
}

/* Positional arguments are told apart by their place where they are words; files otherwise. */
static void bash_arguments(pr_buf_t *b, const char *name, const pr_command_t *c)
{
    int place = 1;
    for (const pr_option_t *o = c->args; o->key; o++) {
        if (is_option(o))
            continue;
        word_t w = word_of(o);
        if (w.kind != ANY) {
            pr_buf_printf(b, "        '%s %d') ", name, place);
            bash_word(b, &w);
        }
        free(w.words);
        place++;
    }
}

static void bash(pr_buf_t *b)
{
    pr_buf_puts(b,
                "# Completion of paretorank for bash. Made by `paretorank help completion bash`.\n"
                "_paretorank_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\"); }\n"
                "_paretorank_files() {\n"
                "    compopt -o filenames 2>/dev/null\n"
                "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$cur\")\n"
                "}\n"
                "_paretorank() {\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} i=2 "
                "place=1\n"
                "    COMPREPLY=()\n"
                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                "        _paretorank_words '");
    put_verb_names(b);
    pr_buf_puts(b, "'\n        return\n    fi\n"
                   "    if [ \"$verb\" = bench ]; then\n"
                   "        if [ \"$COMP_CWORD\" -eq 2 ]; then\n            _paretorank_words '");
    put_bench_names(b);
    pr_buf_puts(b, " --help'\n            return\n        fi\n"
                   "        verb=\"bench ${COMP_WORDS[2]}\" i=3\n    fi\n"
                   "    case \"$verb $prev\" in\n");
    each_command(b, bash_values);
    pr_buf_puts(b, "    *)\n        if [[ $cur == -* ]]; then\n            case $verb in\n");
    each_command(b, bash_options);
    pr_buf_puts(b, "            esac\n            return\n        fi\n"
                   "        for (( ; i < COMP_CWORD; i++)); do\n"
                   "            [[ ${COMP_WORDS[i]} == -* || ${COMP_WORDS[i - 1]} == --* ]] || place=$((place + 1))\n"
                   "        done\n"
                   "        case \"$verb $place\" in\n");
    each_command(b, bash_arguments);
    pr_buf_puts(b, "        esac\n        ;;\n    esac\n}\ncomplete -F _paretorank paretorank\n");
}

/* ---- zsh ---- */

/* Text within single quotes, of which some characters are _arguments' own. */
static void zsh_text(pr_buf_t *b, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            pr_buf_puts(b, "'\\''");
        else if (strchr("[]:\\", *text))
            pr_buf_printf(b, "\\%c", *text);
        else
            pr_buf_add(b, text, 1);
    }
}

static void zsh_word(pr_buf_t *b, const pr_option_t *o)
{
    word_t w = word_of(o);
    pr_buf_puts(b, ":");
    zsh_text(b, o->value ? o->value : o->key);
    pr_buf_puts(b, ":");
    if (w.kind == WORDS && w.open)
        pr_buf_printf(b, "{compadd -S \"\" -- %s}", w.words);
    else
        pr_buf_printf(b, "%s%s%s",
                      w.kind == DIRECTORY   ? "_directories"
                      : w.kind == FILE_NAME ? "_files"
                      : w.words             ? "("
                                            : "",
                      w.words ? w.words : "", w.words ? ")" : "");
    free(w.words);
}

static void zsh_command(pr_buf_t *b, const char *name, const pr_command_t *c)
{
    pr_buf_printf(b, "    '%s')\n        _arguments \\\n", name);
    for (const pr_option_t *o = c->args; o->key; o++) {
        if (is_option(o)) {
            pr_buf_printf(b, "            '%s%s[", o->kind == PR_OPT_STRINGS ? "*" : "", o->key);
            zsh_text(b, o->help);
            pr_buf_puts(b, "]");
            if (o->kind != PR_OPT_BOOL)
                zsh_word(b, o);
        } else {
            pr_buf_puts(b, o->kind == PR_OPT_STRINGS ? "            '*" : "            '");
            zsh_word(b, o);
        }
        pr_buf_puts(b, "' \\\n");
    }
    pr_buf_puts(b, "            '--help[Print help]'\n        ;;\n");
}

static void zsh(pr_buf_t *b)
{
    pr_buf_puts(b, "#compdef paretorank\n"
                   "# Completion of paretorank for zsh. Made by `paretorank help completion zsh`.\n"
                   "_paretorank() {\n    local -a verbs\n    local verb=$words[2]\n    verbs=(\n");
    for (const pr_verb_t *v = pr_verbs; v->name; v++) {
        pr_buf_printf(b, "        '%s:", v->name);
        zsh_text(b, v->command->summary);
        pr_buf_puts(b, "'\n");
    }
    pr_buf_puts(b, "    )\n    if ((CURRENT == 2)); then\n        _describe verb verbs\n        return\n    fi\n"
                   "    if [[ $verb == bench ]]; then\n        if ((CURRENT == 3)); then\n            compadd -- ");
    put_bench_names(b);
    pr_buf_puts(b, "\n            return\n        fi\n        verb=\"bench $words[3]\"\n        shift words\n"
                   "        ((CURRENT--))\n    fi\n"
                   "    shift words\n    ((CURRENT--))\n    case $verb in\n");
    each_command(b, zsh_command);
    pr_buf_puts(b, "    esac\n}\n_paretorank \"$@\"\n");
}

/* ---- fish ---- */

static void fish_text(pr_buf_t *b, const char *text)
{
    for (; *text; text++)
        pr_buf_printf(b, strchr("'\\", *text) ? "\\%c" : "%c", *text);
}

static void fish_word(pr_buf_t *b, const word_t *w)
{
    if (w->kind == DIRECTORY)
        pr_buf_puts(b, " -x -a '(__fish_complete_directories)'");
    else if (w->kind == FILE_NAME)
        pr_buf_puts(b, " -r -F");
    else if (w->words)
        pr_buf_printf(b, " -x -a '%s'", w->words);
    else
        pr_buf_puts(b, " -x");
}

static void fish_seen(pr_buf_t *b, const char *name)
{
    bool bench = strcmp(last_word(name), name) != 0;
    pr_buf_printf(b, "complete -c paretorank -n '__fish_seen_subcommand_from %s%s%s'", bench ? "bench" : name,
                  bench ? "; and __fish_seen_subcommand_from " : "", bench ? last_word(name) : "");
}

static void fish_command(pr_buf_t *b, const char *name, const pr_command_t *c)
{
    for (const pr_option_t *o = c->args; o->key; o++) {
        word_t w = word_of(o);
        if (is_option(o) || w.kind != ANY)
            fish_seen(b, name);
        if (is_option(o)) {
            pr_buf_printf(b, " -l %s", o->key + 2);
            if (o->kind != PR_OPT_BOOL)
                fish_word(b, &w);
            pr_buf_puts(b, " -d '");
            fish_text(b, o->help);
            pr_buf_puts(b, "'\n");
        } else if (w.kind != ANY) {
            fish_word(b, &w);
            pr_buf_puts(b, "\n");
        }
        free(w.words);
    }
    fish_seen(b, name);
    pr_buf_puts(b, " -l help -d 'Print help'\n");
}

static void fish(pr_buf_t *b)
{
    pr_buf_puts(b, "# Completion of paretorank for fish. Made by `paretorank help completion fish`.\n"
                   "complete -c paretorank -f\n");
    for (const pr_verb_t *v = pr_verbs; v->name; v++) {
        pr_buf_printf(b, "complete -c paretorank -n __fish_use_subcommand -a %s -d '", v->name);
        fish_text(b, v->command->summary);
        pr_buf_puts(b, "'\n");
    }
    pr_buf_puts(b, "complete -c paretorank -n '__fish_seen_subcommand_from bench' -a '");
    put_bench_names(b);
    pr_buf_puts(b, "'\n");
    each_command(b, fish_command);
}

bool pr_completion(pr_buf_t *b, const char *shell)
{
    static const struct {
        const char *name;
        void (*put)(pr_buf_t *b);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].put(b);
            return true;
        }
    return false;
}
