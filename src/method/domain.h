// SPDX-License-Identifier: BSD-3-Clause
/* Where a search's points lie, and what their coordinates mean: rows of preference weights (one, or one per block of
 * layers), each on the simplex or in the unit cube, times a box of a mix's searched parameters.
 *
 *   coordinates  0 .. rows*K-1   weights, row after row
 *                then one per axis, in [0, 1]: of a range lo + (hi - lo) u; of a set of values the one at place u 2^p, 2^p
 *                being the least power of two that is >= (values - 1), so that denominators stay small
 *
 *   PR_TRY(pr_domain_split(mix->options, given, dir, &domain, &constants, err));
 *   domain.k = K; domain.rows = 1;
 *   ... pr_domain_choice(&domain, &point, w, &params) ...
 *   pr_domain_clear(&domain);
 */
#ifndef PR_METHOD_DOMAIN_H
#define PR_METHOD_DOMAIN_H

#include "method/point.h"
#include "option/option.h"

enum { PR_MAX_AXES = 16, PR_MAX_ROWS = 16 };

/* A searched parameter. */
typedef struct pr_axis {
    const char *name; // an option's key, for good
    bool real;        // a range of real numbers, lo to hi; else a set of values
    double lo, hi;
    json_t *values; // list; NULL of real ones
} pr_axis_t;

typedef struct pr_domain {
    int k, rows; // objectives; rows of weights
    bool cube;   // a row lies in [0,1]^K; else on the simplex
    int n_axes;
    pr_axis_t axis[PR_MAX_AXES];
} pr_domain_t;

/* Coordinates, and those of them that are weights. */
static inline int pr_domain_weights(const pr_domain_t *d)
{
    return d->rows * d->k;
}
static inline int pr_domain_size(const pr_domain_t *d)
{
    return pr_domain_weights(d) + d->n_axes;
}
/* Is it more than one row of weights? */
static inline bool pr_domain_is_product(const pr_domain_t *d)
{
    return d->rows != 1 || d->n_axes > 0;
}

/* Parts the options given of a table into those that have one value, *constants (a new reference, without defaults), and
 * the axes of *d, which is cleared before: {"from": lo, "to": hi} is a range, a list a set of values in order. Every value is
 * checked as the option's own. Options that are lists themselves stay as they are. The caller clears *d, also after an
 * error. Errors: PR_ERR_CONFIG. */
pr_status_t pr_domain_split(const pr_option_t *table, const json_t *given, const char *dir, pr_domain_t *d,
                            json_t **constants, pr_error_t *err);
void pr_domain_clear(pr_domain_t *d);

/* How many values an axis has; 0 of a range of real numbers. */
int pr_axis_count(const pr_axis_t *a);
/* The value at coordinate num/den. New reference. */
json_t *pr_axis_value(const pr_axis_t *a, int64_t num, int64_t den);
/* The coordinate of a value, exact of sets and to 1e-9 of ranges; false: it is none of the axis. */
bool pr_axis_find(const pr_axis_t *a, const json_t *value, int64_t *num, int64_t *den);
/* The coordinate nearest to u on a lattice of steps (0: of 1e-9). */
void pr_axis_nearest(const pr_axis_t *a, double u, int64_t steps, int64_t *num, int64_t *den);

/* Appends coordinate number at, num/den, to a point; false when that takes more than 62 bits. */
bool pr_point_append(pr_point_t *p, int at, int64_t num, int64_t den);
/* All rows e_k (k < 0: all weights 0), each axis in its middle. */
void pr_domain_alone(const pr_domain_t *d, int k, pr_point_t *p);
/* Sets a point of weights alone, w [rows*K] of a common denominator, to one with each axis in its middle. */
void pr_domain_middle(const pr_domain_t *d, pr_point_t *p);

/* What a point says: w [rows*K], and {name: value} of the axes, a new reference (NULL where there are none). */
void pr_domain_choice(const pr_domain_t *d, const pr_point_t *p, double *w, json_t **params);
enum { PR_POINT_TEXT = PR_MAX_COORDINATES * 44 + PR_MAX_AXES * 64 }; // room for
/* For people: "1/2,1/2", "1/2,1/2; 1,0; density=0.3". */
void pr_domain_text(const pr_domain_t *d, const pr_point_t *p, char *out, size_t size);

#endif
