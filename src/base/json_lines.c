// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static pr_status_t take_line(const char *path, int line, const char *text, size_t len, pr_json_raw_line_fn each,
                             void *self, pr_error_t *err)
{
    pr_buf_t where = {0};
    json_t *value = NULL;
    pr_buf_printf(&where, "%s:%d", path, line);
    pr_status_t status = pr_json_parse(text, len, where.data, &value, err);
    if (status == PR_OK)
        status = each(self, value, text, len, where.data, err);
    json_decref(value);
    pr_buf_free(&where);
    return status;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r", text[i]) || !text[i])
            return false;
    return true;
}

pr_status_t pr_json_raw_lines(const char *path, size_t max, pr_json_raw_line_fn each, void *self, pr_error_t *err)
{
    char *data;
    size_t len;
    PR_TRY(pr_file_read_text(path, max, &data, &len, err));
    pr_status_t status = PR_OK;
    int line = 1;
    for (size_t i = 0; i < len && status == PR_OK; line++) {
        const char *end = memchr(data + i, '\n', len - i);
        size_t n = end ? (size_t)(end - data) - i : len - i;
        if (!is_blank(data + i, n))
            status = take_line(path, line, data + i, n, each, self, err);
        i += n + 1;
    }
    free(data);
    return status;
}

typedef struct plain {
    pr_json_line_fn each;
    void *self;
} plain_t;

static pr_status_t pass_value(void *self, const json_t *value, const char *text, size_t len, const char *where,
                              pr_error_t *err)
{
    const plain_t *p = self;
    (void)text;
    (void)len;
    return p->each(p->self, value, where, err);
}

pr_status_t pr_json_lines(const char *path, size_t max, pr_json_line_fn each, void *self, pr_error_t *err)
{
    return pr_json_raw_lines(path, max, pass_value, &(plain_t){each, self}, err);
}
