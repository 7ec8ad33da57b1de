// SPDX-License-Identifier: BSD-3-Clause
/* A program that reads what it is given and answers: once, and within a time. */
#ifndef PR_CHAT_HELPER_H
#define PR_CHAT_HELPER_H

#include "base/error.h"
#include "base/mem.h"

typedef struct pr_helped {
    pr_buf_t out;   // its standard output, NUL-terminated
    char said[256]; // the last line on its standard error; "" for none
    int exit_code;  // -1: ended by a signal, or by us
    int signal;     // 0: none
    bool late;      // it said nothing for too long and was ended
} pr_helped_t;

/* Runs argv (argv[0] is a path) with input [len] as its standard input; ends it, with all that it started, when it has
 * been silent for `patience` seconds or has answered more than most bytes. The caller frees out->out. Errors: PR_ERR_ENV
 * (it cannot be started). */
pr_status_t pr_helper_run(char *const *argv, const void *input, size_t len, double patience, size_t most,
                          pr_helped_t *out, pr_error_t *err);

#endif
