// SPDX-License-Identifier: BSD-3-Clause
/* The inverse of a small positive definite matrix that grows by one row at a time, A += x x', kept as such (Sherman and
 * Morrison): what a bandit with a line per arm asks after each payment. Local; plain loops in one order, so that the bits
 * are the same on every rank and machine. */
#ifndef PR_PARALLEL_INVERSE_H
#define PR_PARALLEL_INVERSE_H

/* Of A = ridge I; inverse [d,d] is zero before. */
void pr_inverse_begin(int d, double ridge, double *inverse);
/* y [d] = inv(A) x; returns x' y. */
double pr_inverse_times(int d, const double *inverse, const double *x, double *y);
/* A += x x'. The inverse stays symmetric to the bit. y [d]: scratch. */
void pr_inverse_add(int d, double *inverse, const double *x, double *y);

#endif
