#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return pr_cmd_help(1, help);
    const pr_verb_t *verb = pr_verb_find(argv[1]);
    return verb ? verb->run(argc - 1, argv + 1) : unknown_verb(argv[1]);
}

int main(int argc, char **argv)
{
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
