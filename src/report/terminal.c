// SPDX-License-Identifier: BSD-3-Clause
/* The front as a table for a terminal. */
#include "base/mem.h"
#include "report/grid.h"
#include "report/table.h"
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_COLUMNS = 20, MIN_INLINE_SAMPLE = 24, MAX_HEADING = 16, MAX_SEARCH = 24, ID_DIGITS = 8 };

// ---- what stands in it ----

typedef struct pr_layout {
    bool id;           // points have ids: the beginning, which commands take for the whole
    bool search, seed; // more than one of them in the table
    bool se;           // with standard errors
    bool cut;          // some responses were cut
    const size_t *shown;
    int rows;  // points shown
    int front; // of them, on the front: the first
    const char *dir;
} pr_layout_t;

/* "0.500 0.500"; "0.500 0.500 | 1.000 0.000, density 0.3" of rows and parameters. */
static void choice_text(pr_buf_t *b, const pr_table_point_t *p, int k)
{
    const char *name;
    json_t *value;
    int rows = p->rows > 0 ? p->rows : 1;
    for (int i = 0; i < rows * k; i++)
        pr_buf_printf(b, "%s%.3f", i == 0 ? "" : i % k ? " " : " | ", p->w[i]);
    if (!p->params)
        return;
    json_object_foreach((json_t *)(uintptr_t)p->params, name, value)
    {
        char *text = json_is_string(value) ? pr_strdup(json_string_value(value))
                                           : pr_json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(4));
        pr_buf_printf(b, ", %s %s", name, text);
        free(text);
    }
}

static void set_headings(pr_grid_t *g, const pr_table_t *t, const pr_layout_t *l)
{
    int col = 0;
    pr_grid_set(g, 0, col++, "", 1);
    if (l->search)
        pr_grid_set(g, 0, col++, "search", MAX_SEARCH);
    if (l->seed)
        pr_grid_set(g, 0, col++, "seed", MAX_HEADING);
    pr_grid_set(g, 0, col++, "weights", MAX_HEADING);
    for (int i = 0; i < t->k; i++)
        pr_grid_set(g, 0, col++, t->objective[i], MAX_HEADING);
    for (int i = 0; i < t->n_report; i++) {
        pr_buf_t name = {0};
        pr_buf_printf(&name, "(%.*s)", MAX_HEADING - 2, t->report[i]); // as nothing aims at it
        pr_grid_set(g, 0, col++, name.data, MAX_HEADING);
        pr_buf_free(&name);
    }
    if (l->cut)
        pr_grid_set(g, 0, col++, "cut", MAX_HEADING);
    if (l->id)
        pr_grid_set(g, 0, col++, "point", MAX_HEADING);
}

static void set_number(pr_grid_t *g, int row, int col, double mean, double se, const pr_layout_t *l)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%.3f", mean);
    if (l->se && isfinite(se))
        pr_buf_printf(&b, " ± %.3f", se);
    else if (l->se)
        pr_buf_puts(&b, " ± –");
    pr_grid_set(g, row, col, b.data, 1 << 16);
    pr_buf_free(&b);
}

static void set_row(pr_grid_t *g, int row, const pr_table_t *t, const pr_table_point_t *p, const pr_layout_t *l)
{
    int col = 0;
    pr_buf_t b = {0};
    if (!p->base)
        pr_buf_printf(&b, "%d", row);
    pr_grid_set(g, row, col++, b.data ? b.data : "", MAX_HEADING);
    b.len = 0;
    if (l->search)
        pr_grid_set(g, row, col++, p->search, MAX_SEARCH);
    if (l->seed) {
        pr_buf_printf(&b, "%d", p->seed);
        pr_grid_set(g, row, col++, b.data, MAX_HEADING);
        b.len = 0;
    }
    choice_text(&b, p, t->k);
    pr_grid_set(g, row, col++, b.len ? b.data : "", 1 << 16);
    for (int i = 0; i < t->k; i++)
        set_number(g, row, col++, p->mean[i], p->se[i], l);
    for (int i = 0; i < t->n_report; i++)
        set_number(g, row, col++, p->reported[i], p->reported_se[i], l);
    if (l->cut) {
        b.len = 0;
        if (isfinite(p->cut))
            pr_buf_printf(&b, "%.0f %%", 100 * p->cut);
        pr_grid_set(g, row, col++, b.len > 0 ? b.data : "–", MAX_HEADING);
    }
    if (l->id) {
        b.len = 0;
        pr_buf_printf(&b, "%.*s", ID_DIGITS, p->id);
        pr_grid_set(g, row, col++, b.data, MAX_HEADING);
    }
    pr_buf_free(&b);
}

static pr_grid_t make_grid(const pr_table_t *t, const pr_layout_t *l)
{
    pr_grid_t g = pr_grid_new(l->rows + 1, 1 + l->search + l->seed + 1 + t->k + t->n_report + l->cut + l->id);
    set_headings(&g, t, l);
    for (int i = 0; i < l->rows; i++)
        set_row(&g, i + 1, t, &t->point[l->shown[i]], l);
    return g;
}

// ---- putting it out ----

static void put_spaces(pr_buf_t *b, int n)
{
    if (n > 0)
        pr_buf_printf(b, "%*s", n, "");
}

/* The row, and the sample after it where there is room, or indented below. */
static void put_row(pr_buf_t *b, const pr_grid_t *g, int row, const char *sample, int columns)
{
    int room = columns - pr_grid_width(g) - PR_GRID_GAP;
    pr_grid_put(b, g, row, columns);
    if (sample && room >= MIN_INLINE_SAMPLE) {
        put_spaces(b, PR_GRID_GAP);
        pr_text_cut(b, sample, room);
    } else if (sample) {
        pr_grid_end(b);
        put_spaces(b, 2 * PR_GRID_GAP);
        pr_text_cut(b, sample, columns - 2 * PR_GRID_GAP);
    }
    pr_grid_end(b);
}

static void put_left_out(pr_buf_t *b, const pr_layout_t *l, int columns, size_t n)
{
    pr_buf_t text = {0};
    pr_buf_printf(&text, "… and %zu more%s%s", n, l->dir ? ": paretorank front " : "", l->dir ? l->dir : "");
    pr_grid_wrap(b, text.data, columns, PR_GRID_GAP);
    pr_buf_free(&text);
}

static void put_grid(pr_buf_t *b, const pr_grid_t *g, const pr_layout_t *l, const char *const *sample, int columns,
                     size_t left_out)
{
    bool inline_sample = sample && columns - pr_grid_width(g) - PR_GRID_GAP >= MIN_INLINE_SAMPLE;
    put_row(b, g, 0, inline_sample ? "sample" : NULL, columns);
    for (int i = 0; i < l->rows; i++) {
        if (i == l->front && left_out > 0)
            put_left_out(b, l, columns, left_out);
        put_row(b, g, i + 1, sample ? sample[l->shown[i]] : NULL, columns);
    }
    if (l->rows == l->front && left_out > 0)
        put_left_out(b, l, columns, left_out);
}

/* Does a row stand in the table? base: of those of the base model and the experts. */
static bool belongs(const pr_table_point_t *p, bool base)
{
    return base ? p->base : p->front && !p->base;
}

static void choose_rows(const pr_table_t *t, bool base, int most, pr_layout_t *l, size_t *shown, size_t *left_out)
{
    *left_out = 0;
    for (size_t i = 0; i < t->n; i++) {
        const pr_table_point_t *p = &t->point[i], *first = &t->point[l->rows > 0 ? shown[0] : i];
        if (!belongs(p, base))
            continue;
        l->id |= p->id[0] != 0;
        l->search |= strcmp(p->search, first->search) != 0;
        l->seed |= p->seed != first->seed;
        l->cut |= p->cut > 0;
        if (l->rows < most)
            shown[l->rows++] = i;
        else
            ++*left_out;
    }
}

static pr_layout_t choose(const pr_table_t *t, size_t *shown, int max_rows, size_t *left_out)
{
    enum { MOST = 1 << 20 };
    pr_layout_t l = {.se = true, .shown = shown, .search = t->n_searches > 1, .seed = t->n_seeds > 1};
    size_t none;
    choose_rows(t, false, max_rows > 0 ? max_rows : MOST, &l, shown, left_out);
    l.front = l.rows;
    choose_rows(t, true, 2 * MOST, &l, shown, &none);
    return l;
}

char *pr_front_table(const pr_table_t *t, const char *const *sample, int columns, int max_rows, const char *dir)
{
    pr_buf_t b = {0};
    size_t left_out, *shown = pr_alloc(t->n, sizeof *shown);
    columns = columns > MIN_COLUMNS ? columns : MIN_COLUMNS;
    pr_layout_t l = choose(t, shown, max_rows, &left_out);
    l.dir = dir;
    pr_grid_t g = make_grid(t, &l);
    int whole = pr_grid_width(&g) - (l.id ? g.width[g.cols - 1] + PR_GRID_GAP : 0); // an id may stand below
    if (whole > columns) {
        pr_grid_clear(&g);
        l.se = false;
        g = make_grid(t, &l);
    }
    put_grid(&b, &g, &l, sample, columns, left_out);
    if (!l.se && l.rows > 0) {
        pr_buf_t text = {0};
        pr_buf_printf(&text, "standard errors (±) are left out: they need %d columns", whole);
        pr_grid_wrap(&b, text.data, columns, PR_GRID_GAP);
        pr_buf_free(&text);
    }
    pr_grid_clear(&g);
    free(shown);
    return b.data;
}
