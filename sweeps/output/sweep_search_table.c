// SPDX-License-Identifier: BSD-3-Clause
/* The indicators of the searches as a table for a terminal. */
#include "report/grid.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_number(pr_buf_t *b, const json_t *v, const char *format)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (json_is_number(v))
        pr_buf_printf(b, format, json_number_value(v));
    else
        pr_buf_puts(b, "–");
#pragma GCC diagnostic pop
}

/* Means of counts over seeds. */
static void put_count(pr_buf_t *b, const json_t *v)
{
    double x = json_number_value(v);
    put_number(b, v, x == floor(x) ? "%.0f" : "%.1f");
}

/* Volumes of many objectives are small. */
static void put_volume(pr_buf_t *b, const json_t *v)
{
    double x = json_number_value(v);
    put_number(b, v, x != 0 && fabs(x) < 1e-3 ? "%.3e" : "%.4f");
}

static void put_interval(pr_buf_t *b, const json_t *of, const char *format)
{
    const json_t *low = json_object_get(of, "low"), *high = json_object_get(of, "high");
    if (!json_is_number(low))
        return;
    pr_buf_puts(b, " (");
    format ? put_number(b, low, format) : put_volume(b, low);
    pr_buf_puts(b, " to ");
    format ? put_number(b, high, format) : put_volume(b, high);
    pr_buf_puts(b, ")");
}

/* "95% over prompts and seeds", of the first that has an interval; NULL: none has. */
static const char *over_of(const json_t *indicators, const char *key)
{
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)(uintptr_t)indicators, i, v)
    {
        const json_t *over = json_object_get(json_object_get(v, key), "over");
        if (json_is_array(over))
            return json_array_size(over) > 1 ? "95% over prompts and seeds" : "95% over prompts";
    }
    return NULL;
}

static void set_cell(pr_grid_t *g, int row, int *col, pr_buf_t *b)
{
    pr_grid_set(g, row, (*col)++, b->len ? b->data : "", 1 << 10); // what was there before is still behind it
    b->len = 0;
}

static const char *name_of(const json_t *v)
{
    return json_string_value(json_object_get(v, "search"));
}

static void set_headings(pr_grid_t *g, const json_t *indicators, bool several)
{
    static const char *const plain[] = {"search", "seeds", "points", "own front", "joint front"};
    const char *over = over_of(indicators, "hypervolume"), *over_more = over_of(indicators, "more_than_first");
    int col = 0;
    pr_buf_t b = {0};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (several || i < 4) {
            pr_buf_puts(&b, several || i != 3 ? plain[i] : "front");
            set_cell(g, 0, &col, &b);
        }
    pr_buf_printf(&b, "hypervolume%s%s%s", over ? " (" : "", over ? over : "", over ? ")" : "");
    set_cell(g, 0, &col, &b);
    pr_buf_puts(&b, "expected utility");
    set_cell(g, 0, &col, &b);
    if (several) {
        pr_buf_printf(&b, "hypervolume more than %s%s%s%s", name_of(json_array_get(indicators, 0)),
                      over_more ? " (" : "", over_more ? over_more : "", over_more ? ")" : "");
        set_cell(g, 0, &col, &b);
    }
    pr_buf_free(&b);
}

static void set_row(pr_grid_t *g, int row, const json_t *v, bool several)
{
    static const char *const counts[] = {"seeds", "points", "front", "joint_front"};
    const json_t *h = json_object_get(v, "hypervolume"), *more = json_object_get(v, "more_than_first");
    int col = 0;
    pr_buf_t b = {0};
    pr_buf_puts(&b, name_of(v));
    set_cell(g, row, &col, &b);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (several || i < 3) {
            put_count(&b, json_object_get(v, counts[i]));
            set_cell(g, row, &col, &b);
        }
    put_volume(&b, json_object_get(h, "mean"));
    put_interval(&b, h, NULL);
    set_cell(g, row, &col, &b);
    put_number(&b, json_object_get(v, "expected_utility"), "%.4f");
    set_cell(g, row, &col, &b);
    if (several) {
        if (json_is_object(more))
            put_number(&b, json_object_get(more, "mean"), "%+.4f");
        put_interval(&b, more, "%+.4f");
        set_cell(g, row, &col, &b);
    }
    pr_buf_free(&b);
}

static void put_note(pr_buf_t *b, const char *text, int columns)
{
    pr_grid_wrap(b, text, columns, PR_GRID_GAP);
}

/* What a difference without an interval is worth, and how many seeds one of its size would take. */
static void put_needed(pr_buf_t *b, const json_t *v, int columns)
{
    const json_t *more = json_object_get(v, "more_than_first"), *needed = json_object_get(more, "seeds_needed");
    json_int_t seeds = json_integer_value(json_object_get(more, "seeds")), n = json_integer_value(needed);
    pr_buf_t text = {0};
    if (!json_is_object(more) || (n > 0 && n <= seeds))
        return;
    pr_buf_printf(&text, "%s: ", name_of(v));
    if (!json_is_number(json_object_get(more, "low")))
        pr_buf_printf(&text, "%lld seed%s, so no interval of the difference (from 3 on); ", (long long)seeds,
                      seeds == 1 ? "" : "s");
    if (seeds < 2)
        pr_buf_puts(&text, "one seed does not tell how many a difference of this size would need");
    else if (n > 0)
        pr_buf_printf(&text, "a difference of this size would need about %lld seeds to be found in 4 of 5 cases",
                      (long long)n);
    else
        pr_buf_puts(&text, "no number of seeds would find a difference of this size");
    put_note(b, text.data, columns);
    pr_buf_free(&text);
}

char *pr_sweep_search_table(const json_t *indicators, int columns)
{
    enum { LEAST = 20 };
    pr_buf_t b = {0};
    size_t i;
    json_t *v;
    bool several = json_array_size(indicators) > 1, estimated = false, nothing = false;
    columns = columns > LEAST ? columns : LEAST;
    pr_grid_t g = pr_grid_new((int)json_array_size(indicators) + 1, several ? 8 : 6);
    set_headings(&g, indicators, several);
    json_array_foreach((json_t *)(uintptr_t)indicators, i, v)
    {
        const json_t *h = json_object_get(v, "hypervolume");
        set_row(&g, (int)i + 1, v, several);
        estimated = estimated || json_number_value(json_object_get(h, "error")) > 0;
        nothing = nothing ||
                  (json_is_number(json_object_get(h, "mean")) && json_number_value(json_object_get(h, "mean")) == 0);
    }
    for (int row = 0; row < g.rows; row++) {
        pr_grid_put(&b, &g, row, columns);
        pr_grid_end(&b);
    }
    pr_grid_clear(&g);
    json_array_foreach((json_t *)(uintptr_t)indicators, i, v) put_needed(&b, v, columns);
    if (estimated)
        put_note(&b, "hypervolumes are estimates: metrics.json has their method and error", columns);
    if (nothing)
        put_note(&b, "a hypervolume of 0: no point is better than the reference point in every objective", columns);
    return b.data;
}
