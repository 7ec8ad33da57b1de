// SPDX-License-Identifier: BSD-3-Clause
/* The command's verbs: one file each, one line of PR_VERB_LIST. */
#ifndef PR_CLI_CLI_H
#define PR_CLI_CLI_H

#include "base/error.h"
#include "base/json.h"
#include "cli/options.h"

/* A verb: argv[0] is its name; returns the exit code. */
typedef int (*pr_verb_fn)(int argc, char **argv);

/* Every verb's line, in the order of help: X(SYMBOL, word, works in several processes together). Its file, cmd_SYMBOL.c,
 * has the function pr_cmd_SYMBOL and what help says of it, pr_command_SYMBOL. */
#define PR_VERB_LIST(X)                                                                                                \
    X(plan, "plan", false)                                                                                             \
    X(run, "run", true)                                                                                                \
    X(status, "status", false)                                                                                         \
    X(front, "front", false)                                                                                           \
    X(evaluate, "evaluate", true)                                                                                      \
    X(export, "export", false)                                                                                         \
    X(convert, "convert", false)                                                                                       \
    X(clean, "clean", false)                                                                                           \
    X(tokenize, "tokenize", false)                                                                                     \
    X(chat, "chat", false)                                                                                             \
    X(generate, "generate", false)                                                                                     \
    X(logits, "logits", false)                                                                                         \
    X(score, "score", false)                                                                                           \
    X(fit_reward, "fit-reward", false)                                                                                 \
    X(nondominated, "nondominated", false)                                                                             \
    X(indicators, "indicators", false)                                                                                 \
    X(bench, "bench", true)                                                                                            \
    X(help, "help", false)
#define PR_VERB_DECLARE(symbol, word, ranks)                                                                           \
    int pr_cmd_##symbol(int argc, char **argv);                                                                        \
    extern const pr_command_t pr_command_##symbol;
PR_VERB_LIST(PR_VERB_DECLARE)
#undef PR_VERB_DECLARE

/* For a process that has nothing to run, and has done what it was asked for with this exit code: others that mpirun
 * started with it may have been told to run, and must not wait for it. Returns the exit code. */
int pr_cmd_run_none(int code);
int pr_bench_pareto(int argc, char **argv);
int pr_bench_schedule(int argc, char **argv);
int pr_bench_search(int argc, char **argv);
int pr_bench_team(int argc, char **argv);
int pr_bench_model(int argc, char **argv);
int pr_bench_merge(int argc, char **argv);
extern const pr_command_t pr_command_bench_pareto, pr_command_bench_schedule, pr_command_bench_search,
    pr_command_bench_team, pr_command_bench_model, pr_command_bench_merge;

typedef struct pr_verb {
    const char *name;
    pr_verb_fn run;
    const pr_command_t *command; // what help and the manual page say of it
    bool ranks;                  // works in several processes together
} pr_verb_t;
/* In the order of help; ends with a NULL name. */
extern const pr_verb_t pr_verbs[];
/* NULL for an unknown name. */
const pr_verb_t *pr_verb_find(const char *name);
/* Reports an unknown word on stderr, with the nearest of names [n], and returns 2. */
int pr_cli_unknown(const char *what, const char *word, const char *const *names, size_t n);

/* Says, in the first of several processes, that what was started works in one, and returns 2; 0 in the others, as
 * mpirun could end the first before it has said so. */
int pr_cli_one_process(const char *verb);
/* Prints "paretorank VERB: text" on stderr and returns the status's exit code. */
int pr_cli_fail(const char *verb, const pr_error_t *err);
/* Prints a value on one line of stdout, numbers with 9 significant digits (which identify a float). */
void pr_cli_print_json(const json_t *value);
/* The same with as many digits. */
void pr_cli_print_json_digits(const json_t *value, unsigned digits);
/* "12.5 MiB" into out; returns it. */
const char *pr_cli_bytes(double bytes, char out[32]);
/* The terminal's width; COLUMNS or 100 where standard output is not one. */
int pr_cli_columns(void);
/* Reads standard input to its end; NUL-terminated after *len; caller frees. Errors: PR_ERR_IO, PR_ERR_FORMAT (over 1
 * GiB). */
pr_status_t pr_cli_read_stdin(char **text, size_t *len, pr_error_t *err);

#endif
