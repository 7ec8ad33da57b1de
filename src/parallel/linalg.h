// SPDX-License-Identifier: BSD-3-Clause
/* The linear-algebra provider: the table of operations that the transformer is written on. `local` is oneDNN and BLAS
 * in one process; the grid provider (PBLAS over a process grid, in mpi/) splits the same operations over the ranks that
 * share a model's features, its columns. All matrices are row-major float.
 *
 * Rows of activations are the same on all columns; their features are split: column c holds a contiguous range of them
 * (src/model/part.h). Operations on a split weight, sum, max, gather and agree are collective on the columns. */
#ifndef PR_PARALLEL_LINALG_H
#define PR_PARALLEL_LINALG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* How a weight lies over the columns. Blocks: column c has features [c block, (c+1) block) of a split dimension, cut at
 * its end. */
typedef enum {
    PR_WHOLE,     // every column has its own or all of it; products are local
    PR_SPLIT_OUT, // the outputs are split; x comes split and is brought together
    PR_SPLIT_IN   // the inputs are split; y is summed and leaves split
} pr_split_t;

/* A linear map's weight, logically W [out,in], as it lies in memory. Split: out and in are this column's (for
 * PR_SPLIT_OUT rows of W, for PR_SPLIT_IN columns of W, are left out), and all_out, all_in those of all columns. */
typedef struct pr_weight {
    const float *data;
    int out, in;
    int ld;          // elements between stored rows
    bool transposed; // stored [in,out] (GPT-2's Conv1D) instead of [out,in]
    pr_split_t split;
    int all_out, all_in;     // of all columns, when split
    int block_out, block_in; // the block of each
} pr_weight_t;

typedef struct pr_linalg pr_linalg_t;

struct pr_linalg {
    const char *name;
    int col, cols; // this rank's place among those that split the features; 0 of 1 for `local`
    int row_block; // rows that pass through a layer's products together

    /* y [n,out] (ldy) = x [n,in] (ldx) Wt, or += with accumulate. With a split weight x holds this column's inputs and
     * y its outputs: all_in and all_out of them over the columns. */
    void (*forward)(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx, float *y, int ldy,
                    bool accumulate);
    /* dx [n,in] (ldx) = dy [n,out] (ldy) W, or +=. */
    void (*backward_input)(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *dy, int ldy, float *dx,
                           int ldx, bool accumulate);
    /* dw, laid out as the weight itself, += dyt x. */
    void (*backward_weight)(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx,
                            const float *dy, int ldy, float *dw);
    /* Sum or maximum of v [n] over the columns, the same bits on each; nothing to do for `local`. */
    void (*sum)(const pr_linalg_t *la, float *v, size_t n);
    void (*max)(const pr_linalg_t *la, float *v, size_t n);
    /* full [n, first[cols]] on every column: columns first[c] .. first[c+1]-1 are column c's x [n, *] (ldx). */
    void (*gather)(const pr_linalg_t *la, int n, const float *x, int ldx, const int *first, float *full);
    /* The columns agree: PR_OK when all say so, else the status and text of the lowest one that does not. To be called
     * where one column alone may fail, before the next collective operation. */
    pr_status_t (*agree)(const pr_linalg_t *la, pr_status_t mine, pr_error_t *err);
    void *self;
};

/* BLAS in this process. Statically allocated; never freed. */
const pr_linalg_t *pr_linalg_local(void);
/* Threads that BLAS may use in this process (default 1, so that ranks do not fight for cores). Results may depend on
 * it. Under a limit of the address space (ulimit -v) the memory that BLAS needs is taken here, as OpenBLAS would later
 * ask for ever for what it cannot have. Errors: PR_ERR_MEMORY. Local. */
pr_status_t pr_linalg_start(int n, pr_error_t *err);

#endif
