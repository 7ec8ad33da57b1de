// SPDX-License-Identifier: BSD-3-Clause
/* Points: what searches choose and methods make policies of, with exact rational coordinates, so that the same point is
 * found again whatever it was computed by; sets of them; and their text. */
#ifndef PR_METHOD_POINT_H
#define PR_METHOD_POINT_H

#include "base/error.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One weight vector: w_k = num[k]/den, in lowest terms (den > 0). Only the first K entries count; the others are 0. */
typedef struct pr_point {
    int64_t den;
    int64_t num[PR_MAX_OBJECTIVES];
} pr_point_t;

/* Brings to lowest terms. */
void pr_point_reduce(pr_point_t *p, int k);
/* -1, 0, 1: a total order (lexicographic by value of w_1, w_2, ...). Both reduced. */
int pr_point_compare(const pr_point_t *a, const pr_point_t *b, int k);
/* w [K] as doubles. */
void pr_point_weights(const pr_point_t *p, int k, double *w);
/* "1/4,1/2,1/4" into out. */
void pr_point_text(const pr_point_t *p, int k, char *out, size_t size);

/* Parses [text, end): k non-negative numbers (integers, decimals or fractions) between commas or white space. They are
 * taken as they are written; numbers that would need a common denominator from 2^62 on, such as those that NumPy and
 * Python print of a double, as the nearest doubles over a power of two. *out is set on success only. */
pr_status_t pr_point_parse_span(const char *text, const char *end, int k, pr_point_t *out, pr_error_t *err);
/* The point whose weights are in the same proportions and sum to 1; false for the zero vector. */
bool pr_point_normalise(pr_point_t *p, int k);
/* Exact rational weights that sum to 1, of denominator 2^30, nearest to w [k] (non-negative, sum about 1). */
void pr_point_quantise(const double *w, int k, pr_point_t *out);

#define PR_NO_POINT SIZE_MAX

/* A set of reduced points; ids count up in order of insertion. */
typedef struct pr_pointset {
    int k;
    size_t n, cap, n_slots;
    pr_point_t *item; // [n]
    size_t *slot;     // [n_slots] id + 1, 0: free; open addressing
} pr_pointset_t;

/* The id of p, added when it was not there. */
size_t pr_pointset_add(pr_pointset_t *set, const pr_point_t *p, bool *is_new);
size_t pr_pointset_find(const pr_pointset_t *set, const pr_point_t *p);
void pr_pointset_free(pr_pointset_t *set);

#endif
