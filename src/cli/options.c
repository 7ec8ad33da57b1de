#include "cli/options.h"
#include "base/mem.h"
#include "base/nearest.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
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

static bool in_range(const pr_arg_t *arg, double value)
{
    return isfinite(value) && ((arg->min == 0 && arg->max == 0) || (value >= arg->min && value <= arg->max));
}

static bool parse_int(const pr_arg_t *arg, const char *text, char **end, long long *out)
{
    errno = 0;
    *out = strtoll(text, end, 10);
    return *end != text && errno == 0 && in_range(arg, (double)*out) &&
           (arg->kind == PR_ARG_INT64 || (*out >= INT_MIN && *out <= INT_MAX));
}

static bool parse_real(const pr_arg_t *arg, const char *text, char **end, double *out)
{
    *out = strtod(text, end);
    if (*end != text && **end == '/') { // weights are often fractions
        const char *below = *end + 1;
        *out /= strtod(below, end);
        if (*end == below)
            return false;
    }
    return *end != text && in_range(arg, *out);
}

static void expected(const pr_arg_t *arg, char *out, size_t size)
{
    const char *what = arg->kind == PR_ARG_REAL    ? "a number"
                       : arg->kind == PR_ARG_REALS ? "numbers such as 0.5,0.5 or 1/3,2/3"
                       : arg->kind == PR_ARG_INTS  ? "integers such as 1,2,3"
                                                   : "an integer";
    double min = arg->min, max = arg->max;
    if (min == 0 && max == 0) { // any
        min = arg->kind == PR_ARG_REAL || arg->kind == PR_ARG_REALS ? -DBL_MAX : INT_MIN;
        max = arg->kind == PR_ARG_REAL || arg->kind == PR_ARG_REALS ? DBL_MAX : INT_MAX;
    }
    if (max >= 0x1p63)
        snprintf(out, size, "%s, %.10g to %lld", what, min, LLONG_MAX);
    else
        snprintf(out, size, "%s, %.10g to %.10g", what, min, max);
}

static bool append_number(const pr_arg_t *arg, const char **p, void *at)
{
    char *end;
    if (arg->kind == PR_ARG_INTS) {
        pr_ints_t *list = at;
        long long value;
        if (!parse_int(arg, *p, &end, &value))
            return false;
        list->item = pr_realloc(list->item, (size_t)list->n + 1, sizeof *list->item);
        list->item[list->n++] = (int32_t)value;
    } else {
        pr_reals_t *list = at;
        double value;
        if (!parse_real(arg, *p, &end, &value))
            return false;
        list->item = pr_realloc(list->item, (size_t)list->n + 1, sizeof *list->item);
        list->item[list->n++] = value;
    }
    *p = end;
    return true;
}

static void clear(const pr_arg_t *arg, void *at)
{
    if (arg->kind == PR_ARG_TEXTS) {
        free(((pr_texts_t *)at)->item);
        *(pr_texts_t *)at = (pr_texts_t){0};
    } else if (arg->kind == PR_ARG_INTS) {
        free(((pr_ints_t *)at)->item);
        *(pr_ints_t *)at = (pr_ints_t){0};
    } else if (arg->kind == PR_ARG_REALS) {
        free(((pr_reals_t *)at)->item);
        *(pr_reals_t *)at = (pr_reals_t){0};
    }
}

// Numbers between commas or blanks.
static bool parse_numbers(const pr_arg_t *arg, const char *text, void *at)
{
    clear(arg, at);
    for (const char *p = text;;) {
        if (!append_number(arg, &p, at))
            return false;
        if (!*p)
            return true;
        if (*p != ',' && *p != ' ')
            return false;
        p++;
    }
}

static bool is_choice(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = words; *p; p += strspn(p, "|")) {
        size_t n = strcspn(p, "|");
        if (n == len && strncmp(p, word, n) == 0)
            return true;
        p += n;
    }
    return false;
}

static bool store_number(const pr_arg_t *arg, const char *text, void *at)
{
    char *end = NULL;
    long long i = 0;
    double r = 0;
    bool good = arg->kind == PR_ARG_REAL ? parse_real(arg, text, &end, &r) : parse_int(arg, text, &end, &i);
    if (!good || *end)
        return false;
    if (arg->kind == PR_ARG_REAL)
        *(double *)at = r;
    else if (arg->kind == PR_ARG_INT)
        *(int *)at = (int)i;
    else
        *(int64_t *)at = i;
    return true;
}

static int store(const pr_command_t *command, const pr_arg_t *arg, const char *text, void *at)
{
    char what[96];
    switch (arg->kind) {
    case PR_ARG_FLAG:
        *(bool *)at = true;
        return 0;
    case PR_ARG_TEXTS: {
        pr_texts_t *list = at;
        list->item = pr_realloc(list->item, (size_t)list->n + 1, sizeof *list->item);
        list->item[list->n++] = text;
        return 0;
    }
    case PR_ARG_CHOICE:
        if (!is_choice(arg->value, text))
            return pr_cli_usage(command, "%s: found '%s', expected %s", arg->name, text, arg->value);
        *(const char **)at = text;
        return 0;
    case PR_ARG_TEXT:
        *(const char **)at = text;
        return 0;
    default:
        break;
    }
    bool list = arg->kind == PR_ARG_INTS || arg->kind == PR_ARG_REALS;
    if (list ? parse_numbers(arg, text, at) : store_number(arg, text, at))
        return 0;
    expected(arg, what, sizeof what);
    return pr_cli_usage(command, "%s: found '%s', expected %s", arg->name, text, what);
}

/* ---- the command line ---- */

static bool is_option(const pr_arg_t *arg)
{
    return arg->name[0] == '-';
}

static const pr_arg_t *find_option(const pr_command_t *command, const char *name, size_t len)
{
    for (const pr_arg_t *arg = command->args; arg->name; arg++)
        if (is_option(arg) && strncmp(arg->name, name, len) == 0 && arg->name[len] == 0)
            return arg;
    return NULL;
}

static int unknown_option(const pr_command_t *command, const char *text)
{
    enum { MAX = 64 };
    const char *names[MAX] = {"--help"};
    size_t n = 1;
    for (const pr_arg_t *arg = command->args; arg->name && n < MAX; arg++)
        if (is_option(arg))
            names[n++] = arg->name;
    char *name = pr_strndup(text, strcspn(text, "="));
    const char *nearest = pr_nearest(name, names, n);
    int code = nearest ? pr_cli_usage(command, "unknown option '%s'; the nearest known one is '%s'", name, nearest)
                       : pr_cli_usage(command, "unknown option '%s'", name);
    free(name);
    return code;
}

// One option, at argv[*i]; moves *i on when the value is the next argument.
static int parse_option(const pr_command_t *command, int argc, char **argv, int *i, char *out, bool *given)
{
    const char *text = argv[*i], *value = strchr(text, '=');
    const pr_arg_t *arg = find_option(command, text, value ? (size_t)(value - text) : strlen(text));
    if (!arg)
        return unknown_option(command, text);
    given[arg - command->args] = true;
    if (arg->kind == PR_ARG_FLAG && value)
        return pr_cli_usage(command, "%s takes no value", arg->name);
    if (value)
        value++;
    else if (arg->kind != PR_ARG_FLAG && *i + 1 >= argc)
        return pr_cli_usage(command, "%s: expected a value, %s", arg->name, arg->value);
    else if (arg->kind != PR_ARG_FLAG)
        value = argv[++*i];
    return store(command, arg, value, out + arg->offset);
}

// The next positional argument: the first that is not given yet, or one that may be repeated.
static int parse_positional(const pr_command_t *command, const char *text, char *out, bool *given)
{
    for (const pr_arg_t *arg = command->args; arg->name; arg++)
        if (!is_option(arg) && (!given[arg - command->args] || arg->kind == PR_ARG_TEXTS)) {
            given[arg - command->args] = true;
            return store(command, arg, text, out + arg->offset);
        }
    return pr_cli_usage(command, "unexpected argument '%s'", text);
}

static int parse_all(const pr_command_t *command, int argc, char **argv, char *out, bool *given)
{
    int code = 0;
    bool options = true;
    for (int i = 1; i < argc && code == 0; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && argv[i][0] == '-' && argv[i][1])
            code = parse_option(command, argc, argv, &i, out, given);
        else
            code = parse_positional(command, argv[i], out, given);
    }
    for (const pr_arg_t *arg = command->args; arg->name && code == 0; arg++)
        if (arg->required && !given[arg - command->args])
            code = pr_cli_usage(command, "missing %s", arg->name);
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
    size_t n = 0;
    while (command->args[n].name)
        n++;
    bool *given = pr_alloc(n, sizeof *given);
    *exit_code = parse_all(command, argc, argv, out, given);
    free(given);
    return *exit_code == 0;
}

void pr_cli_free(const pr_command_t *command, void *out)
{
    for (const pr_arg_t *arg = command->args; arg->name; arg++)
        clear(arg, (char *)out + arg->offset);
}

/* ---- help ---- */

enum { HELP_COLUMN = 28, HELP_WIDTH = 100 };

// Words of text from column on, continued at column on further lines.
static void print_wrapped(const char *text, int column)
{
    int at = column;
    while (*text) {
        int n = (int)strcspn(text, " \n");
        if (at > column && at + 1 + n > HELP_WIDTH) {
            printf("\n%*s", column, "");
            at = column;
        }
        printf("%s%.*s", at > column ? " " : "", n, text);
        at += n + (at > column);
        text += n;
        if (*text == '\n') {
            printf("\n%*s", column, "");
            at = column;
        }
        text += *text != 0;
    }
    putchar('\n');
}

static void print_row(const char *name, const char *value, const char *help)
{
    int n = printf("  %s%s%s", name, value ? " " : "", value ? value : "");
    if (n < HELP_COLUMN)
        printf("%*s", HELP_COLUMN - n, "");
    else
        printf("\n%*s", HELP_COLUMN, "");
    print_wrapped(help, HELP_COLUMN);
}

void pr_cli_print_help(const pr_command_t *command)
{
    printf("usage: paretorank %s %s\n\n", command->name, command->synopsis);
    print_wrapped(command->summary, 0);
    if (command->help[0]) {
        putchar('\n');
        print_wrapped(command->help, 0);
    }
    putchar('\n');
    for (const pr_arg_t *arg = command->args; arg->name; arg++)
        print_row(arg->name, is_option(arg) ? arg->value : NULL, arg->help);
    print_row("--help", NULL, "Print this.");
}

void pr_cli_print_roff(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\\')
            fputs("\\e", stdout);
        else if (*p == '-')
            fputs("\\-", stdout);
        else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
            printf("\\&%c", *p);
        else
            putchar(*p);
    }
}

void pr_cli_print_man(const pr_command_t *command)
{
    printf(".SS \"paretorank %s ", command->name);
    for (const char *p = command->synopsis; *p; p++)
        printf(*p == '-' ? "\\-" : *p == '"' ? "\\(dq" : "%c", *p);
    printf("\"\n");
    pr_cli_print_roff(command->summary);
    putchar('\n');
    if (command->help[0]) {
        pr_cli_print_roff(command->help);
        putchar('\n');
    }
    for (const pr_arg_t *arg = command->args; arg->name; arg++) {
        printf(".TP\n\\fB");
        pr_cli_print_roff(arg->name);
        printf("\\fR");
        if (is_option(arg) && arg->value)
            printf(" \\fI%s\\fR", arg->value);
        putchar('\n');
        pr_cli_print_roff(arg->help);
        putchar('\n');
    }
}
