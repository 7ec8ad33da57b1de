// SPDX-License-Identifier: BSD-3-Clause
/* The hypervolume by sampling, for sets of which the exact one takes too long. Estimates of which a trial on the
 * set itself chooses the one with less error for the same work:
 *
 * boxes: a point's box is drawn in proportion to its volume, and x uniformly in it; the volume is the sum of the boxes'
 *     volumes times the mean of 1 / (boxes that hold x). R. M. Karp, M. Luby & N. Madras (1989), "Monte-Carlo
 *     approximation algorithms for enumeration problems", J. Algorithms 10; K. Bringmann & T. Friedrich (2010),
 *     "Approximating the volume of unions and intersections of high-dimensional geometric objects", Computational
 *     Geometry 43. Its relative variance is below n / samples whatever the set and the number of objectives.
 * rays: the union of boxes is star-shaped, so its volume is the mean of the m-th power of its extent along a random
 *     direction d, max_a min_k a_k / d_k (J. Deng & Q. Zhang (2019), "Approximating hypervolume and hypervolume
 *     contributions using polar coordinate", IEEE TEVC 23(5)), here with directions uniform on the simplex, where the
 *     factor is 1/m!, or on the far faces of the cube, where it is 1. Few objectives, many points.
 *
 * Samples are randomised quasi-Monte Carlo: one Kronecker sequence (generalised golden ratio), moved by 32 random
 * vectors of the counter-based generator. Each of the 32 replicates is unbiased and they are independent, so that their
 * spread says how far their mean is off. Everything is a function of the points alone. */
#ifndef PR_PARETO_HV_ESTIMATE_H
#define PR_PARETO_HV_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { PR_HV_EXACT, PR_HV_BOXES, PR_HV_RAYS } pr_hv_method_t;
/* "exact", "estimate from boxes", "estimate from rays". */
const char *pr_hv_method_name(pr_hv_method_t method);

typedef struct pr_hv_estimate {
    pr_hv_method_t method;
    double volume;
    double error; // half the width of the 99.9 % interval (Student's, 31 degrees of freedom); 0 when exact
} pr_hv_estimate_t;

/* Called between pieces of work; true ends it. NULL: never. */
typedef bool (*pr_hv_stop_fn)(void *self);

/* Samples until the error is at most relative_error times the volume, or `steps` steps (about a nanosecond each) are
 * taken, or stop() says so: false then. points [n,m], reference [m] as for pr_hypervolume(); infinite volumes are
 * INFINITY with error 0, those of one point are exact. */
bool pr_hv_estimate(const double *points, size_t n, int m, const double *reference, double relative_error, double steps,
                    pr_hv_stop_fn stop, void *self, pr_hv_estimate_t *out);
/* Exact where that takes no more than exact_steps, else the estimate. */
bool pr_hv_exact_or_estimate(const double *points, size_t n, int m, const double *reference, double exact_steps,
                             double relative_error, double steps, pr_hv_stop_fn stop, void *self,
                             pr_hv_estimate_t *out);

/* contributions [n] as pr_hypervolume_contributions(), from the boxes' samples that no other box holds; error [n] as
 * above. */
bool pr_hv_estimate_contributions(const double *points, size_t n, int m, const double *reference, double steps,
                                  pr_hv_stop_fn stop, void *self, double *contributions, double *error);

/* A design is a method with its samples, made for one set and then used for others that are nearly like it (resamples
 * of it): the same samples at the same places, so that what is wrong with one is wrong with all, and differences are
 * good. */
typedef struct pr_hv_design pr_hv_design_t;
/* For points [n,m]; `steps`: of one pr_hv_design_volume(). Caller frees. */
pr_hv_design_t *pr_hv_design_new(const double *points, size_t n, int m, const double *reference, double steps);
void pr_hv_design_free(pr_hv_design_t **design);
pr_hv_method_t pr_hv_design_method(const pr_hv_design_t *design);
/* The volume of a set of as many points in the same order, unbiased; NaN stands for a point that is not there. */
double pr_hv_design_volume(const pr_hv_design_t *design, const double *points, const double *reference);

#endif
