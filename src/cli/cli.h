/* The command's verbs: one file each, one row in the table of verbs (verbs.c). */
#ifndef PR_CLI_CLI_H
#define PR_CLI_CLI_H

#include "base/error.h"
#include "base/json.h"
#include "cli/options.h"

/* A verb: argv[0] is its name; returns the exit code. */
typedef int (*pr_verb_fn)(int argc, char **argv);

int pr_cmd_plan(int argc, char **argv);
int pr_cmd_run(int argc, char **argv); // and goes on with a sweep that was stopped
/* For a process that has nothing to run, and has done what it was asked for with this exit code: others that mpirun
 * started with it may have been told to run, and must not wait for it. Returns the exit code. */
int pr_cmd_run_none(int code);
int pr_cmd_status(int argc, char **argv);
int pr_cmd_front(int argc, char **argv);
int pr_cmd_export(int argc, char **argv);
int pr_cmd_clean(int argc, char **argv);
int pr_cmd_tokenize(int argc, char **argv);
int pr_cmd_generate(int argc, char **argv);
int pr_cmd_logits(int argc, char **argv);
int pr_cmd_score(int argc, char **argv);
int pr_cmd_fit_reward(int argc, char **argv);
int pr_cmd_nondominated(int argc, char **argv);
int pr_cmd_indicators(int argc, char **argv);
int pr_cmd_bench(int argc, char **argv);
int pr_bench_pareto(int argc, char **argv);
int pr_bench_schedule(int argc, char **argv);
int pr_bench_team(int argc, char **argv);
int pr_bench_model(int argc, char **argv);
int pr_cmd_help(int argc, char **argv);

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
/* Reads standard input to its end; NUL-terminated behind *len; caller frees. Errors: PR_ERR_IO, PR_ERR_FORMAT (over 1
 * GiB). */
pr_status_t pr_cli_read_stdin(char **text, size_t *len, pr_error_t *err);

extern const pr_command_t pr_command_plan;
extern const pr_command_t pr_command_run;
extern const pr_command_t pr_command_status;
extern const pr_command_t pr_command_front;
extern const pr_command_t pr_command_export;
extern const pr_command_t pr_command_clean;
extern const pr_command_t pr_command_tokenize;
extern const pr_command_t pr_command_generate;
extern const pr_command_t pr_command_logits;
extern const pr_command_t pr_command_score;
extern const pr_command_t pr_command_fit_reward;
extern const pr_command_t pr_command_bench;
extern const pr_command_t pr_command_bench_schedule;
extern const pr_command_t pr_command_bench_team;
extern const pr_command_t pr_command_bench_model;
extern const pr_command_t pr_command_help;

#endif
