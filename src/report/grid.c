// SPDX-License-Identifier: BSD-3-Clause
#include "report/grid.h"
#include "report/text.h"

#include <stdlib.h>
#include <string.h>

enum { INDENT = 2 * PR_GRID_GAP }; // of what goes on below

pr_grid_t pr_grid_new(int rows, int cols)
{
    pr_grid_t g = {.rows = rows, .cols = cols};
    g.width = pr_alloc((size_t)cols, sizeof *g.width);
    g.cell = pr_alloc((size_t)cols * (size_t)rows, sizeof *g.cell);
    return g;
}

void pr_grid_clear(pr_grid_t *g)
{
    for (int i = 0; i < g->rows * g->cols; i++)
        free(g->cell[i]);
    free(g->cell);
    free(g->width);
    *g = (pr_grid_t){0};
}

void pr_grid_set(pr_grid_t *g, int row, int col, const char *text, int most)
{
    pr_buf_t b = {0};
    int width = pr_text_cut(&b, text, most);
    if (width > g->width[col])
        g->width[col] = width;
    free(g->cell[row * g->cols + col]);
    g->cell[row * g->cols + col] = b.data;
}

int pr_grid_width(const pr_grid_t *g)
{
    int width = 0;
    for (int i = 0; i < g->cols; i++)
        width += g->width[i] + (i ? PR_GRID_GAP : 0);
    return width;
}

static void put_spaces(pr_buf_t *b, int n)
{
    if (n > 0)
        pr_buf_printf(b, "%*s", n, "");
}

void pr_grid_end(pr_buf_t *b)
{
    while (b->len > 0 && b->data[b->len - 1] == ' ')
        b->len--;
    pr_buf_puts(b, "\n");
}

/* Appends as many of the words as fit, at least one, which is cut where it alone does not; returns the columns used.
 * *words moves past them. */
static int put_words(pr_buf_t *b, const char **words, int columns)
{
    int used = 0;
    while (**words) {
        size_t n = strcspn(*words, " ");
        char *word = pr_strndup(*words, n);
        int width = pr_text_width(word);
        bool fits = used + (used > 0) + width <= columns;
        if (used > 0 && !fits) {
            free(word);
            break;
        }
        if (used > 0)
            pr_buf_puts(b, " ");
        used += (used > 0) + pr_text_cut(b, word, columns - used - (used > 0));
        free(word);
        *words += n + strspn(*words + n, " ");
    }
    return used;
}

void pr_grid_wrap(pr_buf_t *b, const char *text, int columns, int indent)
{
    for (int first = 1; first || *text; first = 0) {
        put_spaces(b, first ? 0 : indent);
        put_words(b, &text, columns - (first ? 0 : indent));
        pr_grid_end(b);
    }
}

void pr_grid_put(pr_buf_t *b, const pr_grid_t *g, int row, int columns)
{
    int used = 0;
    for (int i = 0; i < g->cols; i++) {
        const char *text = g->cell[row * g->cols + i] ? g->cell[row * g->cols + i] : "";
        int indent = i ? PR_GRID_GAP : 0;
        if (used > 0 && used + indent + g->width[i] > columns) {
            pr_grid_end(b);
            used = 0;
            indent = INDENT;
        }
        int room = columns - used - indent, most = g->width[i] < room ? g->width[i] : room;
        put_spaces(b, indent);
        int width = put_words(b, &text, most);
        for (; *text; width = put_words(b, &text, most)) { // wider than a line
            pr_grid_end(b);
            put_spaces(b, indent);
        }
        put_spaces(b, most - width);
        used += indent + most;
    }
}
