// SPDX-License-Identifier: BSD-3-Clause
/* Internal: stable ordering of rows by one column in linear time, and sets of small integers with fast neighbours.
 *
 * Ordering is an LSD radix sort of the bit patterns of doubles (mapped so that unsigned order is numeric order); passes
 * over digits that are the same in every key are left out. Chaining calls from the last column to the first one gives
 * the lexicographic order, as each call is stable. */
#ifndef PR_PARETO_SORT_H
#define PR_PARETO_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pr_sort_item {
    uint64_t key;
    uint32_t row;
} pr_sort_item_t;

/* Scratch memory for orders of up to n rows. Caller frees with pr_sorter_free(). */
typedef struct pr_sorter {
    pr_sort_item_t *items; // [2 n]
    size_t n;
} pr_sorter_t;

pr_sorter_t pr_sorter_new(size_t n);
void pr_sorter_free(pr_sorter_t *sorter);

/* The unsigned integer whose order is x's numeric order; -0 and 0 are equal. x is not NaN. */
static inline uint64_t pr_sort_key(double x)
{
    union {
        double d;
        uint64_t u;
    } v = {.d = x + 0.0};
    return v.u >> 63 ? ~v.u : v.u | UINT64_C(1) << 63;
}

/* Stably reorders rows[0..n) by values[row * stride], ascending or descending. */
void pr_sort_rows(pr_sorter_t *sorter, const double *values, size_t stride, bool descending, uint32_t *rows, size_t n);

#endif
