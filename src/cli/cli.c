// SPDX-License-Identifier: BSD-3-Clause
#include "cli/cli.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "mpi/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int pr_cli_fail(const char *verb, const pr_error_t *err)
{
    fprintf(stderr, "paretorank %s: %s\n", verb, err->text);
    return pr_status_exit_code(err->status);
}

int pr_cli_one_process(const char *verb)
{
    if (!pr_world_is_other())
        fprintf(stderr, "paretorank %s: found %d processes, expected one: start it without mpirun\n", verb,
                pr_world_processes());
    return pr_cmd_run_none(2);
}

int pr_cli_unknown(const char *what, const char *word, const char *const *names, size_t n)
{
    pr_error_t err;
    pr_unknown(what, "", word, names, n, "", &err);
    fprintf(stderr, "paretorank: %s (see: paretorank help)\n", err.text);
    return 2;
}

void pr_cli_print_json_digits(const json_t *value, unsigned digits)
{
    char *text = pr_json_text(value, JSON_REAL_PRECISION(digits));
    puts(text); // main() asks whether all of standard output was written
    free(text);
}

void pr_cli_print_json(const json_t *value)
{
    pr_cli_print_json_digits(value, 9);
}

const char *pr_cli_bytes(double bytes, char out[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    for (; bytes >= 1024 && unit < 4; unit++)
        bytes /= 1024;
    snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
    return out;
}

int pr_cli_columns(void)
{
    struct winsize w;
    const char *env = getenv("COLUMNS");
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        return w.ws_col;
    int columns = env ? atoi(env) : 0;
    return columns > 0 ? columns : 100;
}

pr_status_t pr_cli_read_stdin(char **text, size_t *len, pr_error_t *err)
{
    static char block[1 << 16];
    pr_buf_t b = {0};
    size_t n;
    pr_buf_puts(&b, "");
    while ((n = fread(block, 1, sizeof block, stdin)) > 0 && b.len < (size_t)1 << 30)
        pr_buf_add(&b, block, n);
    pr_status_t status = PR_OK;
    if (ferror(stdin))
        status = pr_fail(err, PR_ERR_IO, "standard input: cannot read");
    else if (b.len >= (size_t)1 << 30)
        status = pr_fail(err, PR_ERR_FORMAT, "standard input: more than 1 GiB");
    if (status != PR_OK) {
        pr_buf_free(&b);
        return status;
    }
    *text = b.data;
    *len = b.len;
    return PR_OK;
}
