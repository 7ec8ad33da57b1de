// SPDX-License-Identifier: BSD-3-Clause
/* Linear reward heads, fitted on features: ridge regression of labels with an intercept that is not penalised, and the
 * Bradley-Terry model of preference pairs (Bradley and Terry 1952) by Newton's method, which is iteratively reweighted
 * least squares, with ridge. Features come in batches and are never held here beyond one; d x d matrices are the
 * team's (dense.h), so that they are spread over it. Everything is collective on the team, whose ranks all get the same
 * result.
 *
 *   labels   minimise  mean (y - w.x - b)^2 / 2 + ridge |w|^2 / 2
 *   pairs    minimise  mean log(1 + exp(m - w.z))  + ridge |w|^2 / 2,   z = x(chosen) - x(rejected), m the pair's
 * margin (Touvron et al. 2023, "Llama 2", 3.2.2), 0 where none is given
 *
 * As losses are means, a ridge means the same at any number of samples. */
#ifndef PR_REWARD_FIT_H
#define PR_REWARD_FIT_H

#include "parallel/team.h"

#include <stdbool.h>

/* The samples of this rank's team row, in batches; may be gone through several times. */
typedef struct pr_features {
    int d;
    int n_batch;  // of one pass, the same on all ranks: a team row that has fewer gives empty ones at the end
    int max_rows; // rows that a batch has at most here
    /* Batch `batch`: x [*n,d]; its first row is this team row's sample *first. Ranks of one team row get the same.
     * Collective on the team row; an error of one rank need not be agreed. */
    pr_status_t (*batch)(void *self, int batch, double *x, int *first, int *n, pr_error_t *err);
    void *self;
} pr_features_t;

typedef struct pr_fit_stats {
    long n;       // samples of the whole team
    int steps;    // of Newton's method; 1 for labels
    double loss;  // mean squared error, or mean -log p(chosen), without the ridge
    double rcond; // of the last matrix solved with, an estimate
} pr_fit_stats_t;

/* w [d] and *b from labels y of this team row's samples. Errors: PR_ERR_FORMAT (no samples), PR_ERR_NUMERIC (the
 * equations are singular, or nearly so: names the condition number and a ridge to set), PR_ERR_MEMORY, those of the
 * features. */
pr_status_t pr_fit_labels(const pr_team_t *team, const pr_features_t *x, const double *y, double ridge, double *w,
                          double *b, pr_fit_stats_t *stats, pr_error_t *err);
/* w [d] from differences z and margins of this team row's pairs (NULL: none). Errors: as pr_fit_labels; PR_ERR_NUMERIC
 * also for pairs that some w tells apart without error when ridge is 0, as no finite w is best then. */
pr_status_t pr_fit_pairs(const pr_team_t *team, const pr_features_t *z, const double *margin, double ridge, double *w,
                         pr_fit_stats_t *stats, pr_error_t *err);

/* How well w and b do on samples; NAN where there is nothing to tell from. */
typedef struct pr_fit_figures {
    long n;
    double accuracy;  // pairs: share with w.z > 0, ties half; labels of 0 and 1: share on their side of 1/2
    double base_rate; // what answering always the same would give: pairs 1/2; labels of 0 and 1: the share of the more
                      // frequent one
    double loss;      // pairs: mean -log p(chosen), margins taken off
    double rmse, r2;  // labels
} pr_fit_figures_t;

/* binary: labels are 0 and 1. Errors: PR_ERR_MEMORY, those of the features. */
pr_status_t pr_check_labels(const pr_team_t *team, const pr_features_t *x, const double *y, bool binary,
                            const double *w, double b, pr_fit_figures_t *out, pr_error_t *err);
pr_status_t pr_check_pairs(const pr_team_t *team, const pr_features_t *z, const double *margin, const double *w,
                           pr_fit_figures_t *out, pr_error_t *err);

#endif
