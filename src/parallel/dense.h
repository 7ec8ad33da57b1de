// SPDX-License-Identifier: BSD-3-Clause
/* Symmetric positive definite matrices in double precision: accumulated by rank-k updates, factorised by Cholesky,
 * solved. One table of operations per team: LAPACK in one process (`local`), PBLAS and ScaLAPACK block-cyclically over a
 * process grid (in mpi/). Everything is collective on the team, and every rank gets the same status and results. */
#ifndef PR_PARALLEL_DENSE_H
#define PR_PARALLEL_DENSE_H

#include "base/error.h"

#include <stddef.h>

/* One matrix [d,d] of a team. */
typedef struct pr_spd pr_spd_t;
typedef struct pr_dense pr_dense_t;

struct pr_dense {
    const char *name;
    /* A zero matrix. Errors: PR_ERR_MEMORY. */
    pr_status_t (*create)(const pr_dense_t *dense, int d, pr_spd_t **out, pr_error_t *err);
    void (*destroy)(const pr_dense_t *dense, pr_spd_t **g);
    /* Back to zero, not factorised. */
    void (*clear)(const pr_dense_t *dense, pr_spd_t *g);
    /* G = keep G + sum of x_i x_it over the rows x [n,d] of all team rows: ranks of one team row pass the same x, the
     * team's rows each their own, n may differ and be 0. Errors: PR_ERR_MEMORY. */
    pr_status_t (*add)(const pr_dense_t *dense, pr_spd_t *g, double keep, int n, const double *x, pr_error_t *err);
    /* G += scale H; neither factorised. */
    void (*add_matrix)(const pr_dense_t *dense, pr_spd_t *g, double scale, const pr_spd_t *h);
    /* G += v I. */
    void (*add_diagonal)(const pr_dense_t *dense, pr_spd_t *g, double v);
    /* Everything off the diagonal *= c (RegMean's shrinking). */
    void (*scale_off_diagonal)(const pr_dense_t *dense, pr_spd_t *g, double c);
    /* The trace of a matrix that is not factorised. */
    double (*trace)(const pr_dense_t *dense, const pr_spd_t *g);
    /* y [n,d] = x [n,d] G of a matrix that is not factorised; x the same on every rank. Errors: PR_ERR_MEMORY. */
    pr_status_t (*multiply)(const pr_dense_t *dense, const pr_spd_t *g, int n, const double *x, double *y,
                            pr_error_t *err);
    /* The Cholesky factor in G's place; *rcond (may be NULL): an estimate of the reciprocal condition number in the
     * 1-norm. Errors: PR_ERR_NUMERIC (not positive definite: names the leading minor; not finite),
     * PR_ERR_MEMORY. After an error only clear and destroy may be called on the matrix. */
    pr_status_t (*factor)(const pr_dense_t *dense, pr_spd_t *g, double *rcond, pr_error_t *err);
    /* b [n,d], the same on every rank, becomes b inv(G) of a factorised matrix. Errors: PR_ERR_MEMORY. */
    pr_status_t (*solve)(const pr_dense_t *dense, const pr_spd_t *g, int n, double *b, pr_error_t *err);
    /* out [d,d] on every rank: the matrix (its lower triangle mirrored), or of a factorised one the factor L with zeros
     * above. For tests and small matrices. */
    void (*get)(const pr_dense_t *dense, const pr_spd_t *g, double *out);
    void *self;
};

/* LAPACK in this process. Statically allocated. */
const pr_dense_t *pr_dense_local(void);

#endif
