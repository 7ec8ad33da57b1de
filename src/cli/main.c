// SPDX-License-Identifier: BSD-3-Clause
#include "cli/cli.h"
#include "mpi/world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int unknown_verb(const char *name)
{
    enum { MAX = 64 };
    const char *names[MAX];
    size_t n = 0;
    for (const pr_verb_t *v = pr_verbs; v->name && n < MAX; v++)
        names[n++] = v->name;
    return pr_cli_unknown(name[0] == '-' ? "option" : "verb", name, names, n);
}

static int dispatch(int argc, char **argv)
{
    char *help[] = {"help", NULL};
    if (argc < 2) {
        fprintf(stderr, "usage: paretorank VERB [arguments] (see: paretorank help)\n");
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        printf("paretorank %s\n", PR_VERSION);
        return pr_cmd_run_none(0);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return pr_cmd_run_none(pr_cmd_help(1, help));
    const pr_verb_t *verb = pr_verb_find(argv[1]);
    if (verb && !verb->ranks && pr_world_processes() > 1)
        return pr_cli_one_process(verb->name);
    return verb ? verb->run(argc - 1, argv + 1) : unknown_verb(argv[1]);
}

/* OpenBLAS starts a thread per core when it is loaded, before main(), with memory and a process's limits spent on what
 * nobody asked for; under a limit of the address space it may then never end. Only the environment that a process is
 * begun with says otherwise, so that the process begins again with it. The variable goes once it has been read, as
 * programs that we start are to have the user's own. */
static void begin_with_one_thread(char **argv)
{
    static const char threads[] = "OPENBLAS_NUM_THREADS", mark[] = "PARETORANK_STARTED_AGAIN";
    if (getenv(mark)) {
        unsetenv(threads);
        unsetenv(mark);
        return;
    }
    if (getenv(threads) || setenv(threads, "1", 1) != 0 || setenv(mark, "1", 1) != 0)
        return;
    execv("/proc/self/exe", argv);
    unsetenv(threads); // where there is no /proc it goes on as it is
    unsetenv(mark);
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); // a file that may not grow is an error to report, not an end; before any is written
    begin_with_one_thread(argv);
    int code = dispatch(argc, argv);
    // Output that was not written must not look like success.
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "paretorank: cannot write to standard output%s%s\n", errno ? ": " : "",
                errno ? strerror(errno) : "");
        return code ? code : 4;
    }
    return code;
}
