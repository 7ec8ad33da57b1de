// SPDX-License-Identifier: BSD-3-Clause
#include "report/costs.h"
#include "base/file.h"
#include "report/text.h"

#include <math.h>

static void put_text(pr_buf_t *b, const char *text)
{
    if (text)
        pr_text_csv(b, text);
}

static void put_cost(pr_buf_t *b, const pr_cost_t *c)
{
    put_text(b, c->job);
    pr_buf_puts(b, ",");
    put_text(b, c->kind);
    pr_buf_puts(b, ",");
    put_text(b, c->label);
    pr_buf_puts(b, ",");
    if (c->rank >= 0)
        pr_buf_printf(b, "%d", c->rank);
    pr_buf_puts(b, ",");
    put_text(b, c->host);
    pr_buf_puts(b, ",");
    if (isfinite(c->seconds))
        pr_text_number(b, c->seconds);
    pr_buf_printf(b, ",%ld,%d,", c->tokens, c->attempts);
    put_text(b, c->status);
    pr_buf_puts(b, "\n");
}

pr_status_t pr_write_costs_csv(const char *path, const pr_cost_t *cost, size_t n, pr_error_t *err)
{
    pr_buf_t b = {0};
    pr_buf_puts(&b, "job,kind,label,rank,host,seconds,tokens,attempts,status\n");
    for (size_t i = 0; i < n; i++)
        put_cost(&b, &cost[i]);
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    pr_buf_free(&b);
    return status;
}
