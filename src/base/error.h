// SPDX-License-Identifier: BSD-3-Clause
/* Status codes and the error that carries one line of text.
 *
 * A function that can fail returns pr_status_t and takes a last, optional pr_error_t. Three classes are kept apart: a
 * programming error asserts; an environment or input error is a status that reaches the user as one clear line; a job's
 * failure is data. */
#ifndef PR_BASE_ERROR_H
#define PR_BASE_ERROR_H

#include <stddef.h>

/* X(code, exit code, reason): the reason is what the journal records; exit codes: 1 the sweep failed or is incomplete,
 * 2 usage or configuration, 3 bad input file, 4 environment. */
#define PR_STATUS_LIST(X)                                                                                              \
    X(PR_OK, 0, "ok")                                                                                                  \
    X(PR_ERR_INCOMPLETE, 1, "incomplete")   /* the sweep or job did not finish */                                      \
    X(PR_ERR_INTERRUPTED, 1, "interrupted") /* a signal or a halt asked for the end; a checkpoint was written */       \
    X(PR_ERR_NUMERIC, 1, "numeric")         /* NaN, infinity, a matrix that is not positive definite */                \
    X(PR_ERR_SCORER, 1, "scorer")           /* an objective's program crashed or answered nonsense */                  \
    X(PR_ERR_TIMEOUT, 1, "timeout")                                                                                    \
    X(PR_ERR_FIRST_SAMPLE, 1, "first-sample") /* an objective failed before it had ever scored anything */             \
    X(PR_ERR_USAGE, 2, "usage")                                                                                        \
    X(PR_ERR_CONFIG, 2, "configuration")                                                                               \
    X(PR_ERR_FORMAT, 3, "bad-file")         /* a file's content is not what its format says */                         \
    X(PR_ERR_UNSUPPORTED, 3, "unsupported") /* a valid setting that this program does not have */                      \
    X(PR_ERR_NOT_FOUND, 3, "not-found")     /* an input file that is not there or cannot be read */                    \
    X(PR_ERR_IO, 4, "io")                   /* writing failed, disk full */                                            \
    X(PR_ERR_MEMORY, 4, "memory")                                                                                      \
    X(PR_ERR_LOCKED, 4, "locked") /* another process works in this results directory */                                \
    X(PR_ERR_ENV, 4, "environment")

typedef enum {
#define X(code, exit_code, reason) code,
    PR_STATUS_LIST(X)
#undef X
} pr_status_t;

typedef struct pr_error {
    pr_status_t status;
    char text[1024]; // one line, no newline
} pr_error_t;

/* The journal's word for a status, such as "numeric". */
const char *pr_status_reason(pr_status_t status);
/* The status of a reason word; PR_ERR_INCOMPLETE for an unknown one. */
pr_status_t pr_status_from_reason(const char *reason);
/* The documented exit code of the command for a status. */
int pr_status_exit_code(pr_status_t status);

/* Fills err (which may be NULL) and returns status. The text is cut to one line; control characters become '?'. */
pr_status_t pr_fail(pr_error_t *err, pr_status_t status, const char *format, ...) __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ // which sees one file at a time: a failure is never PR_OK
#define pr_fail(err, status, ...) ((void)(pr_fail)(err, status, __VA_ARGS__), (status))
#endif
/* Puts "prefix: " before the text of an error, keeps its status, and returns it; err is the one that the last failure
 * was told of, or NULL as it was there. */
pr_status_t pr_fail_in(pr_error_t *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns from the calling function when the expression's status is not PR_OK; for functions with nothing to clean
 * up. */
#define PR_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        pr_status_t pr_try_status_ = (expr);                                                                           \
        if (pr_try_status_ != PR_OK)                                                                                   \
            return pr_try_status_;                                                                                     \
    } while (0)

/* Sets the function's `status` and goes to its `done:` label when the expression's status is not PR_OK. */
#define PR_GO(expr)                                                                                                    \
    do {                                                                                                               \
        status = (expr);                                                                                               \
        if (status != PR_OK)                                                                                           \
            goto done;                                                                                                 \
    } while (0)

#endif
