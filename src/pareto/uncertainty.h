// SPDX-License-Identifier: BSD-3-Clause
/* How sure a number is: bootstrap confidence intervals over prompts and seeds, and a rank correlation. */
#ifndef PR_PARETO_UNCERTAINTY_H
#define PR_PARETO_UNCERTAINTY_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number computed from points [n,m], all objectives maximised; context is the caller's. Must not keep points. */
typedef double (*pr_statistic_fn)(const double *points, size_t n, int m, void *context);

/* A ready-made one: the hypervolume; context: the reference [m]. */
double pr_statistic_hypervolume(const double *points, size_t n, int m, void *reference);

typedef struct pr_interval {
    double estimate;       // the statistic of the means over all prompts (averaged over seeds)
    double low, high;      // the percentile interval
    double standard_error; // the standard deviation of the resampled statistics
} pr_interval_t;

/* One run's scores [n_points,n_prompts,m]: what each of its points got on each prompt. NaN stands for a prompt that a
 * point was not evaluated on, in all its objectives; means are over the others, and a point without any is left out. */
typedef struct pr_scores {
    const double *scores;
    size_t n_points;
} pr_scores_t;

/* How to resample: resamples >= 2, level in (0,1) such as 0.95. */
typedef struct pr_bootstrap {
    size_t resamples;
    double level;
    uint64_t seed;
} pr_bootstrap_t;

/* The two halves of pr_bootstrap(), for numbers that are kept, shared by several intervals or may be stopped.
 *
 * values [1 + resamples]: the statistic of one run's points over all prompts, then over each resample's. With `whole`,
 * a point without any prompt is a row of NaN, so that row i is always the same point; else it is left out. Draws depend
 * on the seed and the resample alone: the same for every run. stop (NULL: never) is asked once a resample. Errors:
 * PR_ERR_INTERRUPTED when it says so. */
typedef struct pr_resampling {
    size_t resamples;
    uint64_t seed;
    bool whole;
    bool (*stop)(void *self);
    void *self;
} pr_resampling_t;
pr_status_t pr_resample(const pr_scores_t *run, size_t n_prompts, int m, pr_statistic_fn statistic, void *context,
                        const pr_resampling_t *how, double *values, pr_error_t *err);
/* probability [n_points]: the share of the resamples in which a point is one that no other of the run dominates, equal
 * ones all. Prompts are drawn for all points together, so that what they share cancels. A point without any prompt is
 * never one. `whole` does not matter. Errors: as pr_resample. */
pr_status_t pr_front_probability(const pr_scores_t *run, size_t n_prompts, int m, const pr_resampling_t *how,
                                 double *probability, pr_error_t *err);
/* What follows from the values [1 + resamples] of each of n_runs runs, which are drawn with replacement too. Errors:
 * PR_ERR_NUMERIC when one of them is NaN or infinite. */
pr_status_t pr_resampled_interval(const double *const *values, size_t n_runs, const pr_bootstrap_t *how,
                                  pr_interval_t *out, pr_error_t *err);

/* The percentile bootstrap (Efron & Tibshirani 1993, "An introduction to the bootstrap", ch. 13) of a statistic of
 * points whose coordinates are means over prompts. Each resample draws n_prompts prompts with replacement, the same
 * ones for every point and run, so that what prompts have in common cancels in differences. With several runs (seeds of
 * one method) it draws runs with replacement too, and the statistic is the mean over them. Quantiles are interpolated
 * linearly.
 *
 * Draws come from the counter-based generator, keyed by seed, so the result depends on nothing else. Errors:
 * PR_ERR_NUMERIC when the statistic is NaN or infinite, or there is no run, prompt or point. */
pr_status_t pr_bootstrap(const pr_scores_t *runs, size_t n_runs, size_t n_prompts, int m, pr_statistic_fn statistic,
                         void *context, const pr_bootstrap_t *how, pr_interval_t *out, pr_error_t *err);

/* How many seeds a paired difference of this mean and standard deviation over seeds would need to be found: the smallest
 * number, 3 or more, with which Student's two-sided test at 5 % finds it in 80 of 100 cases. 0: more than a million, as
 * where the mean is 0. */
long pr_seeds_needed(double mean, double deviation);
/* The probability that Student's t of df > 0 degrees of freedom is t or more. */
double pr_student_tail(double t, double df);

/* Kendall's tau-b of x [n] and y [n]: concordant less discordant pairs, over the root of the product of the numbers of
 * pairs not tied in x and in y. 1: y rises with x; -1: it falls. NaN when one is constant or n < 2. For
 * controllability: x a weight, y its objective. O(n log n): Knight (1966), "A computer method for calculating Kendall's
 * tau with ungrouped data", JASA 61. No NaN in x or y. */
double pr_kendall_tau(const double *x, const double *y, size_t n);

#endif
