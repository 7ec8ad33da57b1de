// SPDX-License-Identifier: BSD-3-Clause
/* Points: what searches choose and methods make policies of, with exact rational coordinates, so that the same point is
 * found again whatever it was computed by; sets of them; and their text. What the coordinates say is the domain's business
 * (method/domain.h): most are one row of weights. */
#ifndef PR_METHOD_POINT_H
#define PR_METHOD_POINT_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Coordinate i is num[i]/den, >= 0, in lowest terms (den > 0). Only the first d entries count; the others are 0. Where
 * there are many points, they are kept as their first 1 + d numbers. */
typedef struct pr_point {
    int64_t den;
    int64_t num[PR_MAX_COORDINATES];
} pr_point_t;

/* The greatest common divisor of a, b >= 0; of 0 and 0 it is 0. */
int64_t pr_gcd64(int64_t a, int64_t b);
/* Brings to lowest terms. */
void pr_point_reduce(pr_point_t *p, int d);
/* -1, 0, 1: a total order (lexicographic by value of the coordinates). Both reduced. */
int pr_point_compare(const pr_point_t *a, const pr_point_t *b, int d);
/* x [d] as doubles. */
void pr_point_weights(const pr_point_t *p, int d, double *x);
/* To and from flat [1+d]: denominator, numerators. */
void pr_point_store(const pr_point_t *p, int d, int64_t *flat);
pr_point_t pr_point_load(const int64_t *flat, int d);
/* "1/4,1/2,1/4" into out. */
void pr_point_text(const pr_point_t *p, int d, char *out, size_t size);

/* Parses [text, end): k non-negative numbers (integers, decimals or fractions) between commas or white space. They are
 * taken as they are written; numbers that would need a common denominator from 2^62 on, such as those that NumPy and
 * Python print of a double, as the nearest doubles over a power of two. *out is set on success only. */
pr_status_t pr_point_parse_span(const char *text, const char *end, int k, pr_point_t *out, pr_error_t *err);
/* Field number i of [text, end), as pr_point_parse_span has them; false: there are not so many. */
bool pr_point_field(const char *text, const char *end, int i, const char **field, size_t *len);
/* The point whose weights are in the same proportions and sum to 1; false for the zero vector. */
bool pr_point_normalise(pr_point_t *p, int k);
/* Exact rational weights that sum to 1, of denominator 2^30, nearest to w [k] (non-negative, sum about 1). */
void pr_point_quantise(const double *w, int k, pr_point_t *out);

#define PR_NO_POINT SIZE_MAX

/* A set of reduced points of d coordinates; ids count up in order of insertion. */
typedef struct pr_pointset {
    int d;
    size_t n, cap, n_slots;
    int64_t *flat; // [n][1+d]
    size_t *slot;  // [n_slots] id + 1, 0: free; open addressing
} pr_pointset_t;

/* The id of p, added when it was not there. */
size_t pr_pointset_add(pr_pointset_t *set, const pr_point_t *p, bool *is_new);
size_t pr_pointset_find(const pr_pointset_t *set, const pr_point_t *p);
pr_point_t pr_pointset_at(const pr_pointset_t *set, size_t id);
/* Its coordinates x [d] as doubles. */
void pr_pointset_weights(const pr_pointset_t *set, size_t id, double *x);
/* pr_point_compare of two of them. */
int pr_pointset_compare(const pr_pointset_t *set, size_t a, size_t b);
void pr_pointset_free(pr_pointset_t *set);

#endif
