// SPDX-License-Identifier: BSD-3-Clause
/* Gaussian process regression of one output on d inputs (Rasmussen and Williams 2006, "Gaussian processes for machine
 * learning", chapters 2 and 5): a Matern kernel with a length per input, the observations' own noise, hyperparameters of
 * the greatest posterior density.
 *
 *     pr_gp_theta_t theta;
 *     pr_gp_start(&data, &theta);                  // from a grid
 *     pr_gp_ascend(&data, &theta);                 // and better
 *     pr_gp_t *g = pr_gp_new(&data, &theta, room);
 *     pr_gp_predict(g, x, m, mean, variance);
 *     pr_gp_add(g, x, y, noise);                   // what is taken to have been seen there
 *     pr_gp_free(g);
 *
 * Everything is a pure function of its arguments, by LAPACK at one thread. */
#ifndef PR_SURROGATE_GP_H
#define PR_SURROGATE_GP_H

enum { PR_GP_MAX_INPUTS = 64 };

/* What was seen; nothing is copied. */
typedef struct pr_gp_data {
    int n, d;
    const double *x;     // [n,d]
    const double *y;     // [n] of mean about 0 and variance about 1
    const double *noise; // [n] variances of y as they are told, >= 0
    int smoothness;      // the process has this many derivatives: 0, 1, 2 for Matern 1/2, 3/2, 5/2
    double typical;      // what lengths are expected to be about, in units of x
} pr_gp_data_t;

typedef struct pr_gp_theta {
    double length[PR_GP_MAX_INPUTS]; // [d]
    double signal;                   // variance of the process
    double noise;                    // share of the told variances that is there: (0,1]
    double density;                  // logarithm of the posterior density, comparable between kernels of the same y
} pr_gp_theta_t;

/* The best of a few equal lengths. O(n^3). */
void pr_gp_start(const pr_gp_data_t *data, pr_gp_theta_t *theta);
/* The nearest maximum of the posterior density by a quasi-Newton ascent. Log-normal priors of a common factor and of each
 * length keep those apart that few points cannot tell. O(n^3) a step. */
void pr_gp_ascend(const pr_gp_data_t *data, pr_gp_theta_t *theta);

/* The kernel, of a signal of 1, at the squared distance r2 in lengths. */
double pr_gp_kernel(int smoothness, double r2);

typedef struct pr_gp pr_gp_t;

/* room: how many may be added. Copies data. The caller frees. */
pr_gp_t *pr_gp_new(const pr_gp_data_t *data, const pr_gp_theta_t *theta, int room);
void pr_gp_free(pr_gp_t *g);
/* Adds an observation: O(n^2). At most `room`. */
void pr_gp_add(pr_gp_t *g, const double *x, double y, double noise);
/* x [m,d]: mean [m] and variance [m] of the process there, without noise. O(n^2 m). */
void pr_gp_predict(const pr_gp_t *g, const double *x, int m, double *mean, double *variance);
/* What each observation would be predicted to be from all others: mean [n], variance [n] with its noise. O(n^3). */
void pr_gp_leave_one_out(const pr_gp_t *g, double *mean, double *variance);

#endif
