// SPDX-License-Identifier: BSD-3-Clause
/* LinUCB (Li et al. 2010, "A contextual-bandit approach to personalized news article recommendation"), of vectors of
 * rewards: each arm has one ridge regression per objective over the features z, and the arm with the largest upper bound of
 * the user's utility is tried,
 *
 *   argmax_a  sum_k w_k theta_ak . z + c sqrt(z' inv(A_a) z),   A_a = ridge I + sum z z',   theta_ak = inv(A_a) sum r_k z
 *
 * Local; nothing depends on anything but the calls and their order. */
#ifndef PR_ROUTE_LINUCB_H
#define PR_ROUTE_LINUCB_H

typedef struct pr_linucb {
    int arms, k, p;
    double c;
    double *inverse; // [arms,p,p] of A_a
    double *sum;     // [arms,k,p] of r_k z
} pr_linucb_t;

/* The caller frees. */
pr_linucb_t *pr_linucb_new(int arms, int k, int p, double ridge, double c);
void pr_linucb_free(pr_linucb_t **l);
/* The arm to try for features z [p] at w [k]; ties go to the first. */
int pr_linucb_choose(const pr_linucb_t *l, const double *w, const double *z);
/* What it gave: r [k]. */
void pr_linucb_learn(pr_linucb_t *l, int arm, const double *z, const double *r);
/* theta [p] of an arm's regression of objective k. */
void pr_linucb_theta(const pr_linucb_t *l, int arm, int k, double *theta);

#endif
