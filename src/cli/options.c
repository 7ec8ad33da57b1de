// SPDX-License-Identifier: BSD-3-Clause
#include "cli/options.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "cli/fold.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pr_cli_usage(const pr_command_t *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "paretorank %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (see: paretorank %s --help)\n", command->name);
    return 2;
}

/* ---- values ---- */

static int store(const pr_command_t *command, const pr_option_t *arg, const char *text, void *out)
{
    void *at = (char *)out + arg->offset;
    if (arg->kind == PR_OPT_BOOL) {
        *(bool *)at = true;
        return 0;
    }
    bool free_text = !arg->value || strstr(arg->value, "TEXT"); // else it names something, which "" cannot
    if (!*text && !free_text && (arg->kind == PR_OPT_STRING || arg->kind == PR_OPT_STRINGS) && !arg->choices)
        return pr_cli_usage(command, "%s: found an empty text, expected %s", arg->key, arg->value);
    if (arg->kind == PR_OPT_STRINGS) {
        pr_texts_t *list = at;
        list->item = pr_realloc(list->item, (size_t)list->n + 1, sizeof *list->item);
        list->item[list->n++] = text;
        return 0;
    }
    bool any = arg->kind == PR_OPT_STRING && !arg->choices; // it need not even be UTF-8
    json_t *given = any ? NULL : pr_option_parse(arg, text), *value = NULL;
    bool good = any || (given && pr_option_check(arg, given, NULL, &value, NULL, NULL) == PR_OK);
    if (good && arg->kind == PR_OPT_STRING)
        *(const char **)at = text;
    else if (good)
        pr_option_store(arg, value, out);
    json_decref(given);
    json_decref(value);
    if (good)
        return 0;
    char expected[256];
    pr_option_expected(arg, expected, sizeof expected);
    bool list = arg->kind == PR_OPT_INTS || arg->kind == PR_OPT_REALS;
    return pr_cli_usage(command, "%s: found '%s', expected %s%s", arg->key, text, expected,
                        list ? ", with commas between" : "");
}

/* ---- the command line ---- */

static bool is_option(const pr_option_t *arg)
{
    return arg->key[0] == '-';
}

static const pr_option_t *find_option(const pr_command_t *command, const char *name, size_t len)
{
    for (const pr_option_t *arg = command->args; arg->key; arg++)
        if (is_option(arg) && strncmp(arg->key, name, len) == 0 && arg->key[len] == 0)
            return arg;
    return NULL;
}

static int unknown_option(const pr_command_t *command, const char *text)
{
    enum { MAX = 64 };
    const char *names[MAX] = {"--help"};
    size_t n = 1;
    for (const pr_option_t *arg = command->args; arg->key && n < MAX; arg++)
        if (is_option(arg))
            names[n++] = arg->key;
    char *name = pr_strndup(text, strcspn(text, "="));
    pr_error_t err;
    pr_unknown("option", "", name, names, n, "", &err);
    free(name);
    return pr_cli_usage(command, "%s", err.text);
}

// One option, at argv[*i]; moves *i on when the value is the next argument.
static int parse_option(const pr_command_t *command, int argc, char **argv, int *i, void *out, bool *given)
{
    const char *text = argv[*i], *value = strchr(text, '=');
    const pr_option_t *arg = find_option(command, text, value ? (size_t)(value - text) : strlen(text));
    if (!arg)
        return unknown_option(command, text);
    given[arg - command->args] = true;
    if (arg->kind == PR_OPT_BOOL && value)
        return pr_cli_usage(command, "%s takes no value", arg->key);
    if (value)
        value++;
    else if (arg->kind != PR_OPT_BOOL && *i + 1 >= argc)
        return pr_cli_usage(command, "%s: expected a value, %s", arg->key, arg->value);
    else if (arg->kind != PR_OPT_BOOL)
        value = argv[++*i];
    return store(command, arg, value, out);
}

// The next positional argument: the first that is not given yet, or one that may be repeated.
static int parse_positional(const pr_command_t *command, const char *text, void *out, bool *given)
{
    for (const pr_option_t *arg = command->args; arg->key; arg++)
        if (!is_option(arg) && (!given[arg - command->args] || arg->kind == PR_OPT_STRINGS)) {
            given[arg - command->args] = true;
            return store(command, arg, text, out);
        }
    return pr_cli_usage(command, "unexpected argument '%s'", text);
}

static int parse_all(const pr_command_t *command, int argc, char **argv, void *out, bool *given)
{
    int code = 0;
    bool options = true;
    for (const pr_option_t *arg = command->args; arg->key && code == 0; arg++)
        if (arg->dflt && *arg->dflt)
            code = store(command, arg, arg->dflt, out);
    for (int i = 1; i < argc && code == 0; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && argv[i][0] == '-' && argv[i][1])
            code = parse_option(command, argc, argv, &i, out, given);
        else
            code = parse_positional(command, argv[i], out, given);
    }
    for (const pr_option_t *arg = command->args; arg->key && code == 0; arg++)
        if (!arg->dflt && !given[arg - command->args])
            code = pr_cli_usage(command, "missing %s", arg->key);
    return code;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

bool pr_cli_parse(const pr_command_t *command, int argc, char **argv, void *out, int *exit_code)
{
    *exit_code = 0;
    if (wants_help(argc, argv)) {
        pr_cli_print_help(command);
        return false;
    }
    bool *given = pr_alloc(pr_option_count(command->args), sizeof *given);
    *exit_code = parse_all(command, argc, argv, out, given);
    free(given);
    return *exit_code == 0;
}

void pr_cli_free(const pr_command_t *command, void *out)
{
    for (const pr_option_t *arg = command->args; arg->key; arg++)
        if (arg->kind == PR_OPT_STRINGS) {
            pr_texts_t *list = (void *)((char *)out + arg->offset);
            free(list->item);
            *list = (pr_texts_t){0};
        } else if (arg->kind == PR_OPT_INTS || arg->kind == PR_OPT_REALS) {
            pr_option_clear(arg, out);
        }
}

/* ---- help ---- */

enum { HELP_COLUMN = 28, NARROW = 70, NARROW_COLUMN = 6 };

/* Name, value and help of an option, to be folded: beside each other where there is room. */
static void put_row(pr_buf_t *b, const char *name, const char *value, const char *help, int columns)
{
    size_t from = b->len, column = columns < NARROW ? NARROW_COLUMN : HELP_COLUMN;
    pr_buf_printf(b, "  %s%s%s", name, value ? " " : "", value ? value : "");
    size_t n = b->len - from;
    if (columns >= NARROW && n + 2 <= column)
        pr_buf_printf(b, "%*s%s\n", (int)(column - n), "", help);
    else
        pr_buf_printf(b, "\n%*s%s\n", (int)column, "", help);
}

void pr_cli_print_help(const pr_command_t *command)
{
    int columns = pr_cli_help_columns();
    pr_buf_t b = {0};
    pr_buf_printf(&b, "usage: paretorank %s %s\n\n%s\n", command->name, command->synopsis, command->summary);
    if (command->help[0])
        pr_buf_printf(&b, "\n%s\n", command->help);
    pr_buf_puts(&b, "\n");
    for (const pr_option_t *arg = command->args; arg->key; arg++) {
        pr_buf_t help = {0};
        pr_option_say(&help, arg);
        put_row(&b, arg->key, is_option(arg) ? arg->value : NULL, help.data, columns);
        pr_buf_free(&help);
    }
    put_row(&b, "--help", NULL, "Print this.", columns);
    pr_cli_put_folded(b.data, columns);
    pr_buf_free(&b);
}

void pr_cli_man(pr_buf_t *b, const pr_command_t *command)
{
    pr_buf_printf(b, ".SS \"paretorank %s ", command->name);
    for (const char *p = command->synopsis; *p; p++)
        pr_buf_printf(b, *p == '-' ? "\\-" : *p == '"' ? "\\(dq" : "%c", *p);
    pr_buf_puts(b, "\"\n");
    pr_roff_text(b, command->summary);
    pr_buf_puts(b, "\n");
    if (command->help[0]) {
        pr_roff_text(b, command->help);
        pr_buf_puts(b, "\n");
    }
    pr_options_roff(b, command->args, true);
}
