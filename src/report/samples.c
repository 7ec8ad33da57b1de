// SPDX-License-Identifier: BSD-3-Clause
#include "report/samples.h"
#include "base/file.h"
#include "report/table.h"
#include "report/text.h"

#include <string.h>

static json_t *text_value(const char *bytes, size_t len)
{
    return pr_text_json_string(bytes, len ? len : strlen(bytes));
}

static void put_sample(pr_buf_t *b, int k, int n_scored, const char *const *objective, const pr_sample_line_t *s)
{
    if (s->line) {
        pr_buf_puts(b, s->line);
        pr_buf_puts(b, "\n");
        return;
    }
    json_t *line = json_pack("{s:o, s:i, s:o}", "search", text_value(s->search, 0), "seed", s->seed, "weights",
                             pr_weights_json(k, objective, s->rows, s->w));
    if (s->params)
        json_object_set(line, "params", (json_t *)(uintptr_t)s->params);
    json_t *rest = json_pack("{s:o, s:o, s:s?, s:o}", "prompt", text_value(s->prompt, s->prompt_len), "response",
                             text_value(s->response, s->response_len), "finish", s->finish, "scores",
                             pr_weights_json(n_scored, objective, 1, s->score));
    json_object_update(line, rest);
    json_decref(rest);
    pr_text_json(b, line, 0);
    pr_buf_puts(b, "\n");
    json_decref(line);
}

pr_status_t pr_write_samples(const char *path, int k, int n_scored, const char *const *objective,
                             const pr_sample_line_t *sample, size_t n, pr_error_t *err)
{
    pr_buf_t b = {0};
    pr_buf_add(&b, "", 0);
    for (size_t i = 0; i < n; i++)
        put_sample(&b, k, n_scored, objective, &sample[i]);
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    pr_buf_free(&b);
    return status;
}

bool pr_sample_belongs(const json_t *sample, const json_t *point)
{
    static const char *const keys[] = {"search", "seed", "weights", "params"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *a = json_object_get(sample, keys[i]), *b = json_object_get(point, keys[i]);
        if ((a || b) && !json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b))
            return false;
    }
    return true;
}
