// SPDX-License-Identifier: BSD-3-Clause
/* The ranks that do one job together, a grid of rows x cols: rows split the sequences, cols the features of every
 * layer. A team is what jobs see of the process grid: a table of operations, filled in by mpi/; a team of one rank is
 * pr_team_local. Every function is collective on the team unless it says otherwise. */
#ifndef PR_PARALLEL_TEAM_H
#define PR_PARALLEL_TEAM_H

#include "base/error.h"
#include "parallel/dense.h"
#include "parallel/linalg.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_team pr_team_t;

struct pr_team {
    int rows, cols;
    int row, col;            // of this rank
    const pr_linalg_t *la;   // over the cols of this rank's row
    const pr_dense_t *dense; // over the whole team
    /* v [n] becomes the sum over all ranks. */
    void (*sum)(const pr_team_t *t, float *v, size_t n);
    /* v [n] becomes the sum over the rows; ranks of one row hold the same. */
    void (*sum_rows)(const pr_team_t *t, double *v, size_t n);
    /* bytes [n] of the leader (row 0, column 0) to all. */
    void (*broadcast)(const pr_team_t *t, void *bytes, size_t n);
    /* Every row's bytes [n] (ranks of one row pass the same), one behind the other: *all (caller frees), row r's at
     * offset[r] .. offset[r+1]-1; offset [rows+1]. */
    void (*gather_rows)(const pr_team_t *t, const void *bytes, size_t n, void **all, size_t *offset);
    /* All ranks agree: PR_OK when all say so, else the status and text of the lowest rank that does not. */
    pr_status_t (*agree)(const pr_team_t *t, pr_status_t mine, pr_error_t *err);
    void *self;
};

/* This process alone, with pr_linalg_local and pr_dense_local. Statically allocated. */
const pr_team_t *pr_team_local(void);

static inline bool pr_team_is_leader(const pr_team_t *t)
{
    return t->row == 0 && t->col == 0;
}

/* The part [*first, *first + *count) of n things that falls to part `index` of `parts`: sizes differ by at most one.
 * Local. */
void pr_share(int n, int parts, int index, int *first, int *count);

#endif
