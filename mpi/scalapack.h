// SPDX-License-Identifier: BSD-3-Clause
/* BLACS, PBLAS and ScaLAPACK as we call them: they have no C header. Within mpi/. Matrices are column-major; a
 * descriptor has nine numbers (desc). */
#ifndef PR_MPI_SCALAPACK_H
#define PR_MPI_SCALAPACK_H

#include <mpi.h>
#include <stddef.h>

/* ---- BLACS ---- */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int nprow, int npcol);
void Cblacs_gridinfo(int context, int *nprow, int *npcol, int *myrow, int *mycol);
void Cblacs_gridexit(int context);
void Cblacs_exit(int go_on);

/* ---- PBLAS ---- */
void psgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k, const float *alpha,
             const float *a, const int *ia, const int *ja, const int *desca, const float *b, const int *ib,
             const int *jb, const int *descb, const float *beta, float *c, const int *ic, const int *jc,
             const int *descc);
void pdsyrk_(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha, const double *a,
             const int *ia, const int *ja, const int *desca, const double *beta, double *c, const int *ic,
             const int *jc, const int *descc);
void pdsymm_(const char *side, const char *uplo, const int *m, const int *n, const double *alpha, const double *a,
             const int *ia, const int *ja, const int *desca, const double *b, const int *ib, const int *jb,
             const int *descb, const double *beta, double *c, const int *ic, const int *jc, const int *descc);

/* ---- ScaLAPACK ---- */
int numroc_(const int *n, const int *nb, const int *iproc, const int *isrcproc, const int *nprocs);
void pdpotrf_(const char *uplo, const int *n, double *a, const int *ia, const int *ja, const int *desca, int *info);
void pdpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *ia, const int *ja,
              const int *desca, double *b, const int *ib, const int *jb, const int *descb, int *info);
double pdlansy_(const char *norm, const char *uplo, const int *n, const double *a, const int *ia, const int *ja,
                const int *desca, double *work);

/* The descriptor of an m x n matrix in blocks of mb x nb that begins at process row rsrc and column csrc; lld: rows of
 * the local array. */
static inline void pr_descriptor(int desc[9], int context, int m, int n, int mb, int nb, int rsrc, int csrc, int lld)
{
    const int v[9] = {1, context, m, n, mb, nb, rsrc, csrc, lld > 1 ? lld : 1};
    for (int i = 0; i < 9; i++)
        desc[i] = v[i];
}

#endif
