// SPDX-License-Identifier: BSD-3-Clause
/* The front as a table for a terminal. */
#include "report/table.h"
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2 // columns between two cells

enum { MIN_COLUMNS = 20, MIN_INLINE_SAMPLE = 24, MAX_HEADING = 16, MAX_SEARCH = 12, ID_DIGITS = 8 };

/* A table as text: cells[row * cols + col]; row 0 holds the headings. */
typedef struct pr_table_grid {
    int rows, cols;
    int *width; // [cols]
    char **cell;
} pr_table_grid_t;

static void set_cell(pr_table_grid_t *g, int row, int col, const char *text, int most)
{
    pr_buf_t b = {0};
    int width = pr_text_cut(&b, text, most);
    if (width > g->width[col])
        g->width[col] = width;
    g->cell[row * g->cols + col] = b.data;
}

static void free_grid(pr_table_grid_t *g)
{
    for (int i = 0; i < g->rows * g->cols; i++)
        free(g->cell[i]);
    free(g->cell);
    free(g->width);
}

static int grid_width(const pr_table_grid_t *g)
{
    int width = 0;
    for (int i = 0; i < g->cols; i++)
        width += g->width[i] + (i ? GAP : 0);
    return width;
}

static void put_spaces(pr_buf_t *b, int n)
{
    if (n > 0)
        pr_buf_printf(b, "%*s", n, "");
}

static void end_line(pr_buf_t *b)
{
    while (b->len > 0 && b->data[b->len - 1] == ' ')
        b->len--;
    pr_buf_puts(b, "\n");
}

/* One row of cells; where they do not fit side by side, the rest goes on indented lines below. Cells have the same
 * places in every row. Returns the columns used of the last line, as many in every row. */
static int put_cells(pr_buf_t *b, const pr_table_grid_t *g, int row, int columns)
{
    int used = 0;
    for (int i = 0; i < g->cols; i++) {
        const char *text = g->cell[row * g->cols + i];
        int indent = i ? GAP : 0;
        if (used > 0 && used + indent + g->width[i] > columns) {
            end_line(b);
            used = 0;
            indent = 2 * GAP;
        }
        int room = columns - used - indent, most = g->width[i] < room ? g->width[i] : room;
        put_spaces(b, indent);
        put_spaces(b, most - pr_text_cut(b, text, most));
        used += indent + most;
    }
    return used;
}

// ---- what stands in it ----

typedef struct pr_layout {
    bool id;           // points have ids: the beginning, which commands take for the whole
    bool search, seed; // more than one of them in the table
    bool se;           // with standard errors
    bool cut;          // some responses were cut
    const size_t *shown;
    int rows;  // points shown
    int front; // of them, on the front: the first
} pr_layout_t;

static void weights_text(pr_buf_t *b, const double *w, int k)
{
    for (int i = 0; i < k; i++)
        pr_buf_printf(b, "%s%.3f", i ? " " : "", w[i]);
}

static void set_headings(pr_table_grid_t *g, const pr_table_t *t, const pr_layout_t *l)
{
    int col = 0;
    if (l->search)
        set_cell(g, 0, col++, "search", MAX_SEARCH);
    if (l->seed)
        set_cell(g, 0, col++, "seed", MAX_HEADING);
    set_cell(g, 0, col++, "weights", MAX_HEADING);
    for (int i = 0; i < t->k; i++)
        set_cell(g, 0, col++, t->objective[i], MAX_HEADING);
    if (l->cut)
        set_cell(g, 0, col++, "cut", MAX_HEADING);
    if (l->id)
        set_cell(g, 0, col++, "point", MAX_HEADING);
}

static void set_row(pr_table_grid_t *g, int row, const pr_table_t *t, const pr_table_point_t *p, const pr_layout_t *l)
{
    int col = 0;
    pr_buf_t b = {0};
    if (l->search)
        set_cell(g, row, col++, p->search, MAX_SEARCH);
    if (l->seed) {
        pr_buf_printf(&b, "%d", p->seed);
        set_cell(g, row, col++, b.data, MAX_HEADING);
        b.len = 0;
    }
    weights_text(&b, p->w, t->k);
    set_cell(g, row, col++, b.data ? b.data : "", 1 << 16);
    for (int i = 0; i < t->k; i++) {
        b.len = 0;
        pr_buf_printf(&b, "%.3f", p->mean[i]);
        if (l->se && isfinite(p->se[i]))
            pr_buf_printf(&b, " ± %.3f", p->se[i]);
        else if (l->se)
            pr_buf_puts(&b, " ± –");
        set_cell(g, row, col++, b.data, 1 << 16);
    }
    if (l->cut) {
        b.len = 0;
        if (isfinite(p->cut))
            pr_buf_printf(&b, "%.0f %%", 100 * p->cut);
        set_cell(g, row, col++, b.len > 0 ? b.data : "–", MAX_HEADING);
    }
    if (l->id) {
        b.len = 0;
        pr_buf_printf(&b, "%.*s", ID_DIGITS, p->id);
        set_cell(g, row, col++, b.data, MAX_HEADING);
    }
    pr_buf_free(&b);
}

static pr_table_grid_t make_grid(const pr_table_t *t, const pr_layout_t *l)
{
    pr_table_grid_t g = {.rows = l->rows + 1, .cols = l->id + l->search + l->seed + 1 + t->k + l->cut};
    g.width = pr_alloc((size_t)g.cols, sizeof *g.width);
    g.cell = pr_alloc((size_t)g.cols * (size_t)g.rows, sizeof *g.cell);
    set_headings(&g, t, l);
    for (int i = 0; i < l->rows; i++)
        set_row(&g, i + 1, t, &t->point[l->shown[i]], l);
    return g;
}

// ---- putting it out ----

/* The row, and the sample, or its heading, after it where there is room; else a sample is indented below. */
static void put_row(pr_buf_t *b, const pr_table_grid_t *g, int row, const char *sample, const char *heading,
                    int columns)
{
    int room = columns - put_cells(b, g, row, columns) - GAP;
    if ((sample || heading) && room >= MIN_INLINE_SAMPLE) {
        put_spaces(b, GAP);
        pr_text_cut(b, sample ? sample : heading, room);
    } else if (sample) {
        end_line(b);
        put_spaces(b, 2 * GAP);
        pr_text_cut(b, sample, columns - 2 * GAP);
    }
    end_line(b);
}

static void put_grid(pr_buf_t *b, const pr_table_grid_t *g, const pr_layout_t *l, const char *const *sample,
                     int columns, size_t left_out)
{
    put_row(b, g, 0, NULL, sample ? "sample" : NULL, columns);
    for (int i = 0; i < l->rows; i++) {
        if (i == l->front && left_out > 0)
            pr_buf_printf(b, "... and %zu more\n", left_out);
        put_row(b, g, i + 1, sample ? sample[l->shown[i]] : NULL, NULL, columns);
    }
    if (l->rows == l->front && left_out > 0)
        pr_buf_printf(b, "... and %zu more\n", left_out);
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
    pr_layout_t l = {.se = true, .shown = shown};
    size_t none;
    choose_rows(t, false, max_rows > 0 ? max_rows : MOST, &l, shown, left_out);
    l.front = l.rows;
    choose_rows(t, true, 2 * MOST, &l, shown, &none);
    return l;
}

char *pr_front_table(const pr_table_t *t, const char *const *sample, int columns, int max_rows)
{
    pr_buf_t b = {0};
    size_t left_out, *shown = pr_alloc(t->n, sizeof *shown);
    columns = columns > MIN_COLUMNS ? columns : MIN_COLUMNS;
    pr_layout_t l = choose(t, shown, max_rows, &left_out);
    pr_table_grid_t g = make_grid(t, &l);
    int most = grid_width(&g) - (l.id ? g.width[g.cols - 1] + GAP : 0); // an id may stand below
    if (most > columns) {
        free_grid(&g);
        l.se = false;
        g = make_grid(t, &l);
    }
    put_grid(&b, &g, &l, sample, columns, left_out);
    free_grid(&g);
    free(shown);
    return b.data;
}
