// SPDX-License-Identifier: BSD-3-Clause
/* Activations are row-major [n, features], column-major [features, n]: features lie along the grid's process rows, in
 * blocks, and the n rows are all on the one process column. A weight whose outputs are split lies as a column-major
 * [all out, all in] with its outputs along process rows (stored [in, own out] row-major), one whose inputs are split as
 * [all in, all out] with its inputs along them (stored [out, own in]). So every product is one psgemm_: PBLAS brings
 * panels of x together for the first kind, and adds up partial results for the second.
 *
 * Whole weights (adapters, score heads) are a column's own: their products are local, and whoever calls sums. */
#include "mpi/linalg_grid.h"
#include "base/mem.h"
#include "mpi/scalapack.h"
#include "mpi/world_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 1 << 20, LARGEST = 1 << 28 }; // floats of a gather; elements of one reduction

typedef struct grid_self {
    pr_world_t *w;
    MPI_Comm comm;
    pr_grid_t grid;
    float *buffer; // [n_buffer]
    size_t n_buffer;
    int *count, *start; // [cols]
} grid_self_t;

static int largest_block = 256, pblas_block = 256;

void pr_pblas_set_block(int n)
{
    largest_block = n;
}

/* The logical block of a product whose inner dimension is split into blocks of that size, if it is: a whole part of
 * them, as a remainder of a few columns would be a product of its own. PBLAS copies panels so wide, and needs memory
 * for them. */
static int block_for(int inner)
{
    int parts = inner > 0 ? (inner + largest_block - 1) / largest_block : 0;
    return parts > 0 ? (inner + parts - 1) / parts : largest_block;
}

/* PBLAS's own function, which would say 32: on small blocks it spends its time on messages. ScaLAPACK's library finds
 * this one first, as the program defines it. */
int pilaenv_(const int *context, const char *precision);
int pilaenv_(const int *context, const char *precision)
{
    (void)context, (void)precision;
    return pblas_block;
}

static const grid_self_t *self_of(const pr_linalg_t *la)
{
    return la->self;
}

// Activations x [n, features] (ld) of all columns.
static void describe_rows(const pr_linalg_t *la, int all, int block, int n, int ld, int desc[9])
{
    pr_descriptor(desc, self_of(la)->grid.context, all, n, block, n, 0, 0, ld);
}

/* The weight as PBLAS sees it; true when its first dimension is the outputs. */
static bool describe_weight(const pr_linalg_t *la, const pr_weight_t *w, int desc[9])
{
    bool out = w->split == PR_SPLIT_OUT;
    assert(out == w->transposed);
    pr_descriptor(desc, self_of(la)->grid.context, out ? w->all_out : w->all_in, out ? w->all_in : w->all_out,
                  out ? w->block_out : w->block_in, out ? w->all_in : w->all_out, 0, 0, w->ld);
    return out;
}

// c [m,n] = op(a) op(b), or +=; k the inner dimension.
static void multiply(bool ta, bool tb, int m, int n, int k, const float *a, const int *desca, const float *b,
                     const int *descb, bool accumulate, float *c, const int *descc)
{
    const int one = 1;
    pblas_block = block_for(ta || tb ? 0 : descb[4]); // b's rows are the inner dimension, in blocks of its MB_
    const float alpha = 1.0f, beta = accumulate ? 1.0f : 0.0f;
    psgemm_(ta ? "T" : "N", tb ? "T" : "N", &m, &n, &k, &alpha, a, &one, &one, desca, b, &one, &one, descb, &beta, c,
            &one, &one, descc);
}

static void grid_forward(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx, float *y, int ldy,
                         bool accumulate)
{
    int dw[9], dx[9], dy[9];
    if (w->split == PR_WHOLE) {
        pr_linalg_local()->forward(la, w, n, x, ldx, y, ldy, accumulate);
        return;
    }
    if (n == 0)
        return;
    describe_rows(la, w->all_in, w->block_in, n, ldx, dx);
    describe_rows(la, w->all_out, w->block_out, n, ldy, dy);
    bool out_first = describe_weight(la, w, dw);
    multiply(!out_first, false, w->all_out, n, w->all_in, w->data, dw, x, dx, accumulate, y, dy);
}

static void grid_backward_input(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *dy, int ldy, float *dx,
                                int ldx, bool accumulate)
{
    int dw[9], ddx[9], ddy[9];
    if (w->split == PR_WHOLE) {
        pr_linalg_local()->backward_input(la, w, n, dy, ldy, dx, ldx, accumulate);
        return;
    }
    if (n == 0)
        return;
    describe_rows(la, w->all_in, w->block_in, n, ldx, ddx);
    describe_rows(la, w->all_out, w->block_out, n, ldy, ddy);
    bool out_first = describe_weight(la, w, dw);
    multiply(out_first, false, w->all_in, n, w->all_out, w->data, dw, dy, ddy, accumulate, dx, ddx);
}

static void grid_backward_weight(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx,
                                 const float *dy, int ldy, float *dw)
{
    int ddw[9], ddx[9], ddy[9];
    if (w->split == PR_WHOLE) {
        pr_linalg_local()->backward_weight(la, w, n, x, ldx, dy, ldy, dw);
        return;
    }
    if (n == 0)
        return;
    describe_rows(la, w->all_in, w->block_in, n, ldx, ddx);
    describe_rows(la, w->all_out, w->block_out, n, ldy, ddy);
    if (describe_weight(la, w, ddw))
        multiply(false, true, w->all_out, w->all_in, n, dy, ddy, x, ddx, true, dw, ddw);
    else
        multiply(false, true, w->all_in, w->all_out, n, x, ddx, dy, ddy, true, dw, ddw);
}

static void reduce(const pr_linalg_t *la, float *v, size_t n, MPI_Op op)
{
    const grid_self_t *s = self_of(la);
    for (size_t k; n > 0; v += k, n -= k) {
        k = n < LARGEST ? n : LARGEST;
        pr_mpi_check(s->w, MPI_Allreduce(MPI_IN_PLACE, v, (int)k, MPI_FLOAT, op, s->comm), "allreduce");
    }
}

static void grid_sum(const pr_linalg_t *la, float *v, size_t n)
{
    reduce(la, v, n, MPI_SUM);
}

static void grid_max(const pr_linalg_t *la, float *v, size_t n)
{
    reduce(la, v, n, MPI_MAX);
}

static void gather_rows(const pr_linalg_t *la, int n, const float *x, int ldx, const int *first, float *full)
{
    grid_self_t *s = la->self;
    size_t total = (size_t)first[la->cols], own = (size_t)(first[la->col + 1] - first[la->col]);
    float *mine = s->buffer + (size_t)n * (size_t)first[la->col];
    for (int c = 0; c < la->cols; c++) {
        s->count[c] = n * (first[c + 1] - first[c]);
        s->start[c] = n * first[c];
    }
    for (size_t i = 0; i < (size_t)n; i++)
        memcpy(mine + i * own, x + i * (size_t)ldx, own * sizeof *x);
    pr_mpi_check(s->w, MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_FLOAT, s->buffer, s->count, s->start, MPI_FLOAT, s->comm),
                 "allgather");
    for (int c = 0; c < la->cols; c++) {
        size_t width = (size_t)(first[c + 1] - first[c]);
        for (size_t i = 0; i < (size_t)n; i++)
            memcpy(full + i * total + first[c], s->buffer + s->start[c] + i * width, width * sizeof *full);
    }
}

static void grid_gather(const pr_linalg_t *la, int n, const float *x, int ldx, const int *first, float *full)
{
    grid_self_t *s = la->self;
    size_t total = (size_t)first[la->cols];
    if (total == 0)
        return;
    if (total > s->n_buffer) {
        s->n_buffer = total;
        s->buffer = pr_realloc(s->buffer, total, sizeof *s->buffer);
    }
    int most = (int)(s->n_buffer / total);
    for (int r = 0, k; r < n; r += k) {
        k = n - r < most ? n - r : most;
        gather_rows(la, k, x + (size_t)r * (size_t)ldx, ldx, first, full + (size_t)r * total);
    }
}

static pr_status_t grid_agree(const pr_linalg_t *la, pr_status_t mine, pr_error_t *err)
{
    const grid_self_t *s = self_of(la);
    return pr_comm_agree(s->w, s->comm, mine, err);
}

void pr_linalg_grid_new(pr_world_t *w, MPI_Comm comm, pr_linalg_t **out)
{
    int col, cols;
    MPI_Comm_rank(comm, &col);
    MPI_Comm_size(comm, &cols);
    grid_self_t *s = pr_alloc(1, sizeof *s);
    *s = (grid_self_t){.w = w, .comm = comm, .n_buffer = BUFFER};
    s->buffer = pr_alloc(BUFFER, sizeof *s->buffer);
    s->count = pr_alloc((size_t)cols, sizeof *s->count);
    s->start = pr_alloc((size_t)cols, sizeof *s->start);
    pr_grid_open(comm, cols, 1, &s->grid);
    pr_linalg_local(); // decides on BLAS's threads
    pr_linalg_t *la = pr_alloc(1, sizeof *la);
    *la = (pr_linalg_t){.name = "grid",
                        .col = col,
                        .cols = cols,
                        .row_block = 512, // fewer, larger products, as each has its messages
                        .forward = grid_forward,
                        .backward_input = grid_backward_input,
                        .backward_weight = grid_backward_weight,
                        .sum = grid_sum,
                        .max = grid_max,
                        .gather = grid_gather,
                        .agree = grid_agree,
                        .self = s};
    *out = la;
}

void pr_linalg_grid_free(pr_linalg_t **la)
{
    if (!*la)
        return;
    grid_self_t *s = (*la)->self;
    pr_grid_close(&s->grid);
    free(s->buffer);
    free(s->count);
    free(s->start);
    free(s);
    free(*la);
    *la = NULL;
}
