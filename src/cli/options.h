// SPDX-License-Identifier: BSD-3-Clause
/* Options of a verb: one table drives parsing, --help and the man page. GNU style: --name value, --name=value, -h, and
 * "--" before arguments that begin with '-'. */
#ifndef PR_CLI_OPTIONS_H
#define PR_CLI_OPTIONS_H

#include "option/option.h"

/* Rows of a verb's table of options. key: "--weights", or without dashes a positional argument, in the order of the
 * table. A bool is a flag, without a value; a string points into argv; STRINGS are a pr_texts_t, and the option may be
 * repeated. A default is a word of the command line too; without one the field stays what it is. More fields may
 * follow: .min = 1, .max = 9. */
#define PR_ARG_ROW(name, k, at, word, text, d, ...)                                                                    \
    {                                                                                                                  \
        .key = name, .kind = PR_OPT_##k, .offset = at, .value = word, .help = text, .dflt = d, __VA_ARGS__             \
    }
#define PR_ARG(name, k, at, word, text, ...) PR_ARG_ROW(name, k, at, word, text, "", __VA_ARGS__)
#define PR_ARG_REQUIRED(name, k, at, word, text, ...) PR_ARG_ROW(name, k, at, word, text, NULL, __VA_ARGS__)
#define PR_ARG_DEFAULT(name, k, at, word, d, text, ...) PR_ARG_ROW(name, k, at, word, text, d, __VA_ARGS__)
#define PR_ARG_CHOICE(name, at, words, d, text) PR_ARG_ROW(name, STRING, at, words, text, d, .choices = words)

typedef struct pr_texts {
    int n;
    const char **item; // texts are argv's
} pr_texts_t;

typedef struct pr_command {
    const char *name;        // "generate"
    const char *synopsis;    // "MODEL_DIR (--prompt TEXT | ...) [options]"
    const char *summary;     // one line
    const char *help;        // more, or ""
    const pr_option_t *args; // ends with a NULL key
} pr_command_t;

/* Fills the fields of out (which holds the defaults) from argv[1..]. Returns true when the verb should go on; false
 * when it should return *exit_code: 0 after --help, 2 after a wrong usage that was reported on stderr. Lists are freed
 * with pr_cli_free in both cases. */
bool pr_cli_parse(const pr_command_t *command, int argc, char **argv, void *out, int *exit_code);
void pr_cli_free(const pr_command_t *command, void *out);
/* Prints "paretorank VERB: text" and where help is, on stderr, and returns 2. */
int pr_cli_usage(const pr_command_t *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The help of a verb on stdout; its section of the manual page. */
void pr_cli_print_help(const pr_command_t *command);
void pr_cli_man(pr_buf_t *b, const pr_command_t *command);

#endif
