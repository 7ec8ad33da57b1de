/* How much this process sends, for benchmarks. The MPI calls that carry data are counted by way of MPI's profiling
 * interface, those of BLACS and PBLAS too. */
#ifndef PR_MPI_TRAFFIC_H
#define PR_MPI_TRAFFIC_H

/* Bytes sent since the program began: of point-to-point messages as they are; a collective as its fastest algorithm
 * would send them from each of P ranks (n bytes a rank): all-reduce 2 n (P-1)/P, reduce and broadcast n (P-1)/P, gather
 * to all n (P-1). Local. */
double pr_traffic_bytes(void);

#endif
