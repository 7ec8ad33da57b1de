// SPDX-License-Identifier: BSD-3-Clause
#include "cli/together.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    signalled = number;
}

/* Signals get a stack of their own: oneDNN's kernels use the stack pointer for their work space, and what the kernel
 * puts there when a signal comes would fall on the heap below it. */
void pr_cli_catch_signals(void)
{
    static char stack[1 << 16] __attribute__((aligned(64)));
    static const int caught[] = {SIGTERM, SIGINT, SIGUSR1};
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaddset(&a.sa_mask, caught[i]); // one at a time on that stack
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &a, NULL);
    signal(SIGPIPE, SIG_IGN); // a scorer or a terminal that goes away is an error to report, not an end
}

bool pr_cli_stopping(void *self)
{
    (void)self;
    return signalled != 0;
}

pr_status_t pr_cli_agree_on_options(pr_world_t *w, bool usable, bool *mixed, pr_error_t *err)
{
    pr_status_t status = PR_OK, any = pr_world_agree(w, usable ? PR_ERR_USAGE : PR_OK, NULL);
    if (!usable)
        status =
            pr_fail(err, PR_ERR_USAGE,
                    "rank %d on %s was given a command line that is wrong or asks for help only, while others were "
                    "not; all must be given the same",
                    pr_world_rank(w), pr_world_host(w));
    status = pr_world_agree(w, status, err);
    *mixed = status != PR_OK && any != PR_OK;
    return status;
}

bool pr_cli_parse_together(const pr_command_t *command, int argc, char **argv, void *o, int *code)
{
    int keep[2] = {-1, -1}, null = pr_world_is_other() ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    for (int i = 0; i < 2 && null >= 0; i++) {
        keep[i] = dup(STDOUT_FILENO + i);
        dup2(null, STDOUT_FILENO + i);
    }
    bool ok = pr_cli_parse(command, argc, argv, o, code);
    fflush(stdout);
    for (int i = 0; i < 2 && keep[i] >= 0; i++) {
        dup2(keep[i], STDOUT_FILENO + i);
        close(keep[i]);
    }
    if (null >= 0)
        close(null);
    return ok;
}
