// SPDX-License-Identifier: BSD-3-Clause
#include "report/samples.h"
#include "base/file.h"
#include "report/text.h"

#include <string.h>

static json_t *text_value(const char *bytes, size_t len)
{
    return pr_text_json_string(bytes, len ? len : strlen(bytes));
}

static json_t *by_objective(int k, const char *const *objective, const double *values)
{
    json_t *object = json_object();
    for (int i = 0; i < k; i++) {
        json_t *name = text_value(objective[i], 0);
        json_object_set_new(object, json_string_value(name), pr_json_real(values[i]));
        json_decref(name);
    }
    return object;
}

static void put_sample(pr_buf_t *b, int k, int n_scored, const char *const *objective, const pr_sample_line_t *s)
{
    if (s->line) {
        pr_buf_puts(b, s->line);
        pr_buf_puts(b, "\n");
        return;
    }
    json_t *line = json_pack("{s:o, s:i, s:o, s:o, s:o, s:s?, s:o}", "search", text_value(s->search, 0), "seed",
                             s->seed, "weights", by_objective(k, objective, s->w), "prompt",
                             text_value(s->prompt, s->prompt_len), "response", text_value(s->response, s->response_len),
                             "finish", s->finish, "scores", by_objective(n_scored, objective, s->score));
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
    static const char *const keys[] = {"search", "seed", "weights"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_equal(json_object_get(sample, keys[i]), json_object_get(point, keys[i])))
            return false;
    return true;
}
