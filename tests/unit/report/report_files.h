// SPDX-License-Identifier: BSD-3-Clause
/* A folder of its own for a test, whole files, and a reader of CSV as RFC 4180 has it. */
#ifndef PR_TEST_REPORT_FILES_H
#define PR_TEST_REPORT_FILES_H

#include "base/file.h"
#include "base/mem.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

static char folder[64], path[128];

__attribute__((unused)) static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/pr-report-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

__attribute__((unused)) static void remove_folder(void)
{
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0); // nothing else was left in it
}

__attribute__((unused)) static char *get_text(void)
{
    char *text = NULL;
    size_t len;
    pr_error_t e;
    ck_assert_msg(pr_file_read(path, 0, &text, &len, &e) == PR_OK, "%s", e.text);
    return text;
}

/* Reads the next CSV field of *s into out (256 bytes); returns what ended it: ',' '\n' or 0. */
__attribute__((unused)) static int next_field(const char **s, char *out)
{
    size_t n = 0;
    bool quoted = **s == '"';
    for (*s += quoted;; ++*s) {
        if (quoted && **s == '"' && (*s)[1] == '"')
            ++*s;
        else if (quoted && **s == '"')
            quoted = (++*s, false);
        if (!quoted && (**s == ',' || **s == '\n' || **s == 0))
            break;
        ck_assert(**s != 0 && n < 255);
        out[n++] = **s;
    }
    out[n] = 0;
    int end = **s;
    *s += end != 0;
    return end;
}

/* Whether text is valid UTF-8 (as utf8proc reads it). */
__attribute__((unused)) static bool valid_utf8(const char *text, size_t len)
{
    utf8proc_int32_t c;
    while (len > 0) {
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &c);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

#endif
