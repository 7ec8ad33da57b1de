/* The command's verbs: one file each, one row in the table of verbs. */
#ifndef PR_CLI_CLI_H
#define PR_CLI_CLI_H

#include "base/error.h"

/* A verb: argv[0] is its name; returns the exit code. */
typedef int (*pr_verb_fn)(int argc, char **argv);

int pr_cmd_plan(int argc, char **argv);
int pr_cmd_run(int argc, char **argv); // also resume: the only verb that starts MPI
int pr_cmd_status(int argc, char **argv);
int pr_cmd_front(int argc, char **argv);
int pr_cmd_export(int argc, char **argv);
int pr_cmd_tokenize(int argc, char **argv);
int pr_cmd_generate(int argc, char **argv);
int pr_cmd_logits(int argc, char **argv);
int pr_cmd_score(int argc, char **argv);
int pr_cmd_nondominated(int argc, char **argv);
int pr_cmd_indicators(int argc, char **argv);
int pr_cmd_bench(int argc, char **argv);
int pr_bench_pareto(int argc, char **argv);
int pr_bench_schedule(int argc, char **argv);
int pr_cmd_help(int argc, char **argv);

/* Prints "paretorank VERB: text" on stderr and returns the status's exit code. */
int pr_cli_fail(const char *verb, const pr_error_t *err);

#endif
