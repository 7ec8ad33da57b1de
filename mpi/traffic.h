// SPDX-License-Identifier: BSD-3-Clause
/* How much this process sends, for benchmarks. The MPI calls that carry data, those of BLACS and PBLAS too, are counted
 * by a small library that stands before MPI (mpi/preload). It is loaded only where it is asked for: the program defines
 * none of MPI's functions, so that profilers which do the same (mpiP, IPM, Score-P, ...) see every call. */
#ifndef PR_MPI_TRAFFIC_H
#define PR_MPI_TRAFFIC_H

/* Sees to it that what is sent is counted: starts this program again, from its beginning and with the same arguments,
 * with the library loaded, unless it is. Returns only when that was done or cannot be. Before MPI is initialised.
 * Local. */
void pr_traffic_count(void);

/* Bytes sent since the program began: of point-to-point messages as they are; a collective as its fastest algorithm
 * would send them from each of P ranks (n bytes per rank): all-reduce 2 n (P-1)/P, reduce and broadcast n (P-1)/P,
 * gather to all n (P-1). NaN where they are not counted. Local. */
double pr_traffic_bytes(void);

#endif
