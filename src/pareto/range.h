// SPDX-License-Identifier: BSD-3-Clause
/* Ranges of objectives: ideal and nadir points, the rule for a reference point, normalisation. All objectives
 * maximised. */
#ifndef PR_PARETO_RANGE_H
#define PR_PARETO_RANGE_H

#include <stddef.h>

/* ideal [m]: the greatest value of each objective; nadir [m]: the least among the non-dominated points. n >= 1. */
void pr_ideal(const double *points, size_t n, int m, double *ideal);
void pr_nadir(const double *points, size_t n, int m, double *nadir);

/* The reference point for the hypervolume where nothing better is known: nadir - 0.1 (ideal - nadir), and where the two
 * are equal, nadir - 0.1 max(|nadir|, 1), so that every non-dominated point adds volume. A sweep whose objectives
 * declare ranges takes the declared lower bounds instead, which makes values comparable across sweeps. n >= 1. */
void pr_reference_rule(const double *points, size_t n, int m, double *reference);

/* to [n,m] = (points - low) / (high - low), low and high [m] with high > low: declared ranges become [0,1]. to may be
 * points. */
void pr_normalise(const double *points, size_t n, int m, const double *low, const double *high, double *to);

#endif
