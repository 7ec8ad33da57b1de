// SPDX-License-Identifier: BSD-3-Clause
/* Cells of text side by side for a terminal. Where they do not fit, the rest of a row goes on below, indented, at the same
 * places in every row; a cell that is wider than a line alone is broken at its spaces. */
#ifndef PR_REPORT_GRID_H
#define PR_REPORT_GRID_H

#include "base/mem.h"

enum { PR_GRID_GAP = 2 }; // columns between two cells

/* cell[row * cols + col]; row 0 holds the headings. */
typedef struct pr_grid {
    int rows, cols;
    int *width; // [cols]
    char **cell;
} pr_grid_t;

/* The caller clears it. */
pr_grid_t pr_grid_new(int rows, int cols);
void pr_grid_clear(pr_grid_t *g);
/* most: columns; what is longer is cut. */
void pr_grid_set(pr_grid_t *g, int row, int col, const char *text, int most);
/* Columns of a row that is not folded. */
int pr_grid_width(const pr_grid_t *g);
/* Appends a row without a newline. */
void pr_grid_put(pr_buf_t *b, const pr_grid_t *g, int row, int columns);
/* Appends a newline in place of the spaces at the end. */
void pr_grid_end(pr_buf_t *b);
/* Appends text broken at its spaces, with newlines; lines after the first begin with so many spaces. */
void pr_grid_wrap(pr_buf_t *b, const char *text, int columns, int indent);

#endif
