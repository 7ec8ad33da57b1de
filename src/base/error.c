// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    pr_status_t status;
    int exit_code;
    const char *reason;
} table[] = {
#define X(code, exit_code, reason) {code, exit_code, reason},
    PR_STATUS_LIST(X)
#undef X
};

const char *pr_status_reason(pr_status_t status)
{
    return table[status].reason;
}

pr_status_t pr_status_from_reason(const char *reason)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].reason, reason) == 0)
            return table[i].status;
    return PR_ERR_INCOMPLETE;
}

int pr_status_exit_code(pr_status_t status)
{
    return table[status].exit_code;
}

static void one_line(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 32 || *p == 127)
            *p = '?';
}

/* Where a caller wants no error, the status of the last failure, so that pr_fail_in can keep it. */
static _Thread_local pr_status_t unheard = PR_ERR_INCOMPLETE;

pr_status_t(pr_fail)(pr_error_t *err, pr_status_t status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        err->status = status;
        one_line(err->text);
    } else {
        unheard = status;
    }
    return status;
}

pr_status_t pr_fail_in(pr_error_t *err, const char *format, ...)
{
    if (!err)
        return unheard;
    char prefix[512], rest[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(rest, err->text, sizeof rest);
    size_t n = strlen(prefix);
    snprintf(err->text, sizeof err->text, "%s: %.*s", prefix, (int)(sizeof rest - n - 3), rest);
    one_line(err->text);
    return err->status;
}
