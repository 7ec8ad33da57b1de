// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/history.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X(name) #name,
const char *const pr_step_columns[PR_STEP_COLUMNS] = {PR_STEP_LIST(X)};
#undef X

static const char section_name[] = "steps";
enum { MOST_STEPS = 1 << 24, MOST_BYTES = 1 << 30 }; // of a file that may be hostile

void pr_history_clear(pr_history_t *h)
{
    free(h->row);
    h->row = NULL;
    h->n = h->cap = 0;
}

size_t pr_history_width(const pr_history_t *h)
{
    return PR_STEP_COLUMNS + (size_t)h->k;
}

double *pr_history_add(pr_history_t *h)
{
    size_t width = pr_history_width(h);
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->row = pr_realloc(h->row, h->cap * width, sizeof *h->row);
    }
    double *row = h->row + h->n++ * width;
    for (size_t i = 0; i < width; i++)
        row[i] = NAN;
    return row;
}

/* ---- what the columns are ---- */

static json_t *columns_json(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < PR_STEP_COLUMNS; i++)
        json_array_append_new(list, json_string(pr_step_columns[i]));
    return list;
}

static json_t *objectives_json(const pr_history_t *h)
{
    json_t *list = json_array();
    for (int i = 0; i < h->k; i++)
        json_array_append_new(list, json_string(h->objective[i]));
    return list;
}

/* Where each of h's columns is among those of a file; SIZE_MAX: nowhere. */
static void find_columns(const pr_history_t *h, const json_t *columns, const json_t *objectives, size_t *at)
{
    for (size_t i = 0; i < pr_history_width(h); i++) {
        const json_t *list = i < PR_STEP_COLUMNS ? columns : objectives, *name;
        const char *own = i < PR_STEP_COLUMNS ? pr_step_columns[i] : h->objective[i - PR_STEP_COLUMNS];
        size_t j, first = i < PR_STEP_COLUMNS ? 0 : json_array_size(columns);
        at[i] = SIZE_MAX;
        json_array_foreach(list, j, name) if (json_is_string(name) && strcmp(json_string_value(name), own) == 0 &&
                                              at[i] == SIZE_MAX) at[i] = first + j;
    }
}

/* ---- in checkpoints ---- */

pr_section_t pr_history_section(const pr_history_t *h)
{
    static double none;
    pr_section_t s = {.elem = sizeof *h->row, .count = h->n * pr_history_width(h), .data = h->row ? h->row : &none};
    memcpy(s.name, section_name, sizeof section_name);
    return s;
}

void pr_history_meta(const pr_history_t *h, json_t *meta)
{
    json_object_set_new(meta, "step_columns", columns_json());
    json_object_set_new(meta, "step_objectives", objectives_json(h));
}

pr_status_t pr_history_restore(pr_history_t *h, const pr_checkpoint_t *c, const char *path, long last, pr_error_t *err)
{
    const json_t *columns = json_object_get(c->meta, "step_columns"),
                 *objectives = json_object_get(c->meta, "step_objectives");
    size_t width = json_array_size(columns) + json_array_size(objectives), at[PR_STEP_COLUMNS + 2 * PR_MAX_OBJECTIVES];
    const pr_section_t *s = NULL;
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->section[i].name, section_name) == 0)
            s = &c->section[i];
    if (!s)
        return PR_OK;
    if (s->elem != sizeof(double) || width == 0 || s->count % width != 0)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: section '%s': found %zu elements of %zu bytes, expected rows of %zu numbers", path,
                       section_name, s->count, s->elem, width);
    find_columns(h, columns, objectives, at);
    const double *value = s->data;
    for (size_t i = 0; i < s->count / width; i++, value += width) {
        double *row = pr_history_add(h);
        for (size_t j = 0; j < pr_history_width(h); j++)
            row[j] = at[j] < width ? value[at[j]] : NAN;
        if (!(row[PR_STEP_step] >= 1 && row[PR_STEP_step] <= (double)last))
            h->n--;
    }
    return PR_OK;
}

/* ---- beside adapters ---- */

static json_t *history_json(const pr_history_t *h)
{
    json_t *columns = columns_json(), *steps = json_array();
    size_t width = pr_history_width(h);
    for (int i = 0; i < h->k; i++)
        json_array_append_new(columns, json_string("reward"));
    for (size_t i = 0; i < h->n; i++)
        json_array_append_new(steps, pr_json_reals(h->row + i * width, width));
    return json_pack("{s:o, s:o, s:o}", "columns", columns, "objectives", objectives_json(h), "steps", steps);
}

pr_status_t pr_history_write(const pr_history_t *h, const char *dir, char hash[PR_HASH_HEX], pr_error_t *err)
{
    json_t *v = history_json(h);
    char *text = pr_json_canonical(v), *path = pr_results_path(dir, PR_FILE_HISTORY);
    size_t len = strlen(text);
    pr_hash_hex(text, len, hash);
    pr_status_t status = pr_file_write(path, text, len, err);
    free(path);
    free(text);
    json_decref(v);
    return status;
}

static pr_status_t parse(const json_t *v, const char *path, pr_history_t *h, pr_error_t *err)
{
    const json_t *objectives = json_object_get(v, "objectives"), *steps = json_object_get(v, "steps"), *x;
    size_t i, j, most = sizeof h->objective / sizeof *h->objective;
    if (!json_is_array(objectives) || json_array_size(objectives) > most || !json_is_array(steps) ||
        json_array_size(steps) > MOST_STEPS)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found no lists 'objectives' and 'steps'", path);
    h->k = (int)json_array_size(objectives);
    json_array_foreach(objectives, i, x)
        snprintf(h->objective[i], sizeof h->objective[i], "%s", json_string_value(x) ? json_string_value(x) : "");
    json_array_foreach(steps, i, x)
    {
        if (json_array_size(x) != pr_history_width(h))
            return pr_fail(err, PR_ERR_FORMAT, "%s: steps[%zu]: found %zu numbers, expected %zu", path, i,
                           json_array_size(x), pr_history_width(h));
        double *row = pr_history_add(h);
        for (j = 0; j < pr_history_width(h); j++)
            row[j] = json_is_number(json_array_get(x, j)) ? json_number_value(json_array_get(x, j)) : NAN;
    }
    return PR_OK;
}

pr_status_t pr_history_read(const char *dir, const char *hash, pr_history_t *h, pr_error_t *err)
{
    char *path = pr_results_path(dir, PR_FILE_HISTORY), *text = NULL, found[PR_HASH_HEX];
    size_t len;
    json_t *v = NULL;
    pr_status_t status = PR_OK;
    PR_GO(pr_file_read(path, MOST_BYTES, &text, &len, err));
    pr_hash_hex(text, len, found);
    if (strcmp(found, hash) != 0)
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: not what its training wrote (its hash is %s, the journal says %s)", path,
                      found, hash));
    PR_GO(pr_json_parse(text, len, path, &v, err));
    status = parse(v, path, h, err);
done:
    json_decref(v);
    free(text);
    free(path);
    return status;
}
