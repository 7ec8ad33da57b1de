// SPDX-License-Identifier: BSD-3-Clause
/* Routes: which point of a lattice of mixing weights suits a prompt (the contextual bandit over trained experts that Kong
 * et al. 2025 name as future work; nearest published: MoPE with PCM, arXiv 2407.04181). The context is a prompt's features
 * f, the actions are the points, and the score of every action on every prompt is known, so that nothing has to be
 * explored: of each point a and objective k a ridge regression
 *
 *   r_ak(f) = mean_ak + theta_ak . (f - mean)        minimise  mean (r - r_ak(f))^2 + ridge tr(C)/d |theta|^2
 *
 * with C the features' covariance: one system of d x d numbers for all points and objectives, solved by the team's dense
 * matrices. A user's w then takes the point of the largest sum w_k r_ak(f): one fit serves every w.
 *
 * Is there anything to gain? By w, over the prompts x of the fit:
 *   headroom   mean_x max_a w.r(x,a) - max_a mean_x w.r(x,a)              what a perfect choice gains; >= 0
 *   gain       the mean, over prompts that its fit has not seen (5 folds), of w.r at the point that is chosen, less that
 *              at the best point of the fold's other prompts             what this choice gains */
#ifndef PR_ROUTE_ROUTE_H
#define PR_ROUTE_ROUTE_H

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "parallel/team.h"

#include <stdbool.h>

typedef struct pr_route {
    int k, points, d;
    double *weight; // [points,k] mixing weights of each
    double *mean;   // [d] of the features
    double *level;  // [points,k] mean scores
    double *theta;  // [points,k,d]
    json_t *about;  // for people: what it was fitted on and what came of it; may be NULL
} pr_route_t;

/* What is known: of each of n prompts its features and, of each point, its scores, turned so that larger is better. */
typedef struct pr_route_data {
    int n, k, points, d;
    const double *weight;  // [points,k]
    const double *feature; // [n,d]
    const double *score;   // [n,points,k]
    double ridge;
    int components; // of the features' leading principal components alone; 0: of all features
} pr_route_data_t;

/* Everything here but choosing and files is collective on the team, whose ranks pass the same and get the same. Errors:
 * PR_ERR_NUMERIC (a matrix that cannot be solved with), PR_ERR_MEMORY. The caller frees. */
pr_status_t pr_route_fit(const pr_team_t *team, const pr_route_data_t *data, pr_route_t **out, pr_error_t *err);
/* One whose numbers are all 0. Local. The caller frees. */
pr_route_t *pr_route_new(int k, int points, int d);
void pr_route_free(pr_route_t **r);
/* The point for features f at preference w [k]; ties go to the first. */
int pr_route_choose(const pr_route_t *r, const double *w, const double *f);

/* What there is to gain at a preference, each with its standard error over prompts. */
typedef struct pr_route_gain {
    double headroom, headroom_se, gain, gain_se;
} pr_route_gain_t;
pr_status_t pr_route_measure(const pr_team_t *team, const pr_route_data_t *data, const double *w, pr_route_gain_t *out,
                             pr_error_t *err);

/* A safetensors file: weight [points,k], mean [d], level [points,k], theta [points,k,d], F32. Errors of reading:
 * PR_ERR_NOT_FOUND, PR_ERR_FORMAT. */
pr_status_t pr_route_write(const char *path, const pr_route_t *r, pr_error_t *err);
pr_status_t pr_route_read(const char *path, pr_route_t **out, pr_error_t *err);

#endif
