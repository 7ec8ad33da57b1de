/* The linear-algebra provider: the table of operations that the transformer is written on. `local` is BLAS in one
 * process; a grid provider (PBLAS over a process grid, in mpi/) splits the same operations over the ranks of a team.
 * All matrices are row-major float. */
#ifndef PR_MODEL_LINALG_H
#define PR_MODEL_LINALG_H

#include <stdbool.h>
#include <stddef.h>

/* A linear map's weight, logically W [out,in], as it lies in memory. */
typedef struct pr_weight {
    const float *data;
    int out, in;
    int ld;          // elements between stored rows
    bool transposed; // stored [in,out] (GPT-2's Conv1D) instead of [out,in]
} pr_weight_t;

typedef struct pr_linalg pr_linalg_t;

struct pr_linalg {
    const char *name;
    int col, cols; // this rank's place among those that split the features; 0 of 1 for `local`

    /* y [n,out] (ldy) = x [n,in] (ldx) Wt, or += with accumulate. */
    void (*forward)(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx, float *y, int ldy,
                    bool accumulate);
    /* dx [n,in] (ldx) = dy [n,out] (ldy) W, or +=. */
    void (*backward_input)(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *dy, int ldy, float *dx,
                           int ldx, bool accumulate);
    /* dw, laid out as the weight itself, += dyt x. */
    void (*backward_weight)(const pr_linalg_t *la, const pr_weight_t *w, int n, const float *x, int ldx,
                            const float *dy, int ldy, float *dw);
    /* Sum or maximum of v [n] over the ranks that split the features; nothing to do for `local`. */
    void (*sum)(const pr_linalg_t *la, float *v, int n);
    void (*max)(const pr_linalg_t *la, float *v, int n);
    void *self;
};

/* BLAS in this process. Statically allocated; never freed. */
const pr_linalg_t *pr_linalg_local(void);
/* Threads that BLAS may use in this process (default 1, so that ranks do not fight for cores). Results may depend on
 * it. */
void pr_linalg_set_threads(int n);

#endif
