// SPDX-License-Identifier: BSD-3-Clause
#include "report/steps.h"
#include "base/file.h"
#include "base/mem.h"
#include "report/text.h"
#include "report/tfevents.h"

#include <math.h>
#include <stdlib.h>

static void put_name(pr_buf_t *b, const char *before, const char *name)
{
    pr_buf_t whole = {0};
    pr_buf_printf(&whole, "%s%s", before, name);
    pr_text_csv(b, whole.data);
    pr_buf_free(&whole);
}

static void put_heading(pr_buf_t *b, const pr_steps_t *s)
{
    pr_buf_puts(b, "training,job");
    for (size_t i = 0; i < s->columns; i++)
        pr_buf_printf(b, ",%s", s->name[i]);
    for (size_t k = 0; k < s->k; k++) {
        pr_buf_puts(b, ",");
        put_name(b, "reward_", s->objective[k]);
    }
    pr_buf_puts(b, "\n");
}

static void put_row(pr_buf_t *b, const pr_steps_training_t *t, const double *row, size_t width)
{
    pr_text_csv(b, t->label);
    pr_buf_printf(b, ",%s", t->job);
    for (size_t i = 0; i < width; i++) {
        pr_buf_puts(b, ",");
        if (isfinite(row[i]))
            pr_text_number(b, row[i]);
    }
    pr_buf_puts(b, "\n");
}

pr_status_t pr_write_steps_csv(const char *path, const pr_steps_t *s, pr_error_t *err)
{
    size_t width = s->columns + s->k;
    pr_buf_t b = {0};
    put_heading(&b, s);
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < s->training[i].n; j++)
            put_row(&b, &s->training[i], s->training[i].row + j * width, width);
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    pr_buf_free(&b);
    return status;
}

/* Valid UTF-8, as protobuf wants its texts. Caller frees. */
static char *new_tag(const char *before, const char *name)
{
    pr_buf_t tag = {0};
    pr_buf_puts(&tag, before);
    pr_text_cut(&tag, name, 256);
    return tag.data;
}

pr_status_t pr_write_steps_events(const char *path, const pr_steps_t *s, const pr_steps_training_t *t, pr_error_t *err)
{
    size_t width = s->columns + s->k;
    pr_buf_t b = {0};
    char **tag = pr_alloc(width, sizeof *tag);
    for (size_t i = 0; i < width; i++)
        tag[i] = i < s->columns ? new_tag("train/", s->name[i]) : new_tag("reward/", s->objective[i - s->columns]);
    pr_tfevents_begin(&b, 0);
    for (size_t j = 0; j < t->n; j++) {
        const double *row = t->row + j * width;
        pr_tfevents_add(&b, row[0], (int64_t)row[0], width - 1, (const char *const *)tag + 1, row + 1);
    }
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    for (size_t i = 0; i < width; i++)
        free(tag[i]);
    free(tag);
    pr_buf_free(&b);
    return status;
}
