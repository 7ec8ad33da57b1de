// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "objective/type.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 4 << 20 };

static pr_status_t each_line(const char *path, const char *text, size_t len, pr_line_fn each, void *self,
                             pr_error_t *err)
{
    const char *end = text + len;
    size_t number = 1;
    for (const char *p = text; p < end; number++) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        eol = eol ? eol : end;
        const char *hash = memchr(p, '#', (size_t)(eol - p));
        pr_span_t line = pr_text_strip(p, (size_t)((hash ? hash : eol) - p));
        if (line.len > 0)
            PR_TRY(each(self, path, number, line, err));
        p = eol + (eol < end);
    }
    return PR_OK;
}

static pr_status_t check_utf8(const char *path, const char *text, size_t len, pr_error_t *err)
{
    for (size_t i = 0, n; i < len; i += n) {
        int32_t cp;
        n = pr_utf8_next(text + i, len - i, &cp);
        if (text[i] == 0 || (cp == 0xFFFD && n == 1))
            return pr_fail(err, PR_ERR_FORMAT, "%s: byte %zu: found 0x%02x, expected UTF-8 text", path, i,
                           (unsigned char)text[i]);
    }
    return PR_OK;
}

pr_status_t pr_read_lines(const char *path, pr_line_fn each, void *self, pr_error_t *err)
{
    char *data;
    size_t len;
    PR_TRY(pr_file_read_text(path, MAX_FILE, &data, &len, err));
    pr_status_t status = check_utf8(path, data, len, err);
    if (status == PR_OK)
        status = each_line(path, data, len, each, self, err);
    free(data);
    return status;
}
