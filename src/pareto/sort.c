// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/sort.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 6, BUCKETS = 1 << DIGIT_BITS, INSERTION_MAX = 48 };

pr_sorter_t pr_sorter_new(size_t n)
{
    assert(n <= UINT32_MAX);
    return (pr_sorter_t){pr_alloc(2 * n, sizeof(pr_sort_item_t)), n};
}

void pr_sorter_free(pr_sorter_t *sorter)
{
    free(sorter->items);
    *sorter = (pr_sorter_t){0};
}

static void insertion_sort(pr_sort_item_t *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        pr_sort_item_t item = items[i];
        size_t j = i;
        for (; j > 0 && items[j - 1].key > item.key; j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
}

static void scatter(const pr_sort_item_t *from, pr_sort_item_t *to, size_t n, unsigned shift, const uint32_t *counts)
{
    uint32_t next[BUCKETS];
    uint32_t sum = 0;
    for (size_t b = 0; b < BUCKETS; b++) {
        next[b] = sum;
        sum += counts[b];
    }
    for (size_t i = 0; i < n; i++)
        to[next[from[i].key >> shift & (BUCKETS - 1)]++] = from[i];
}

/* Sorts items[0..n) with items[n..2n) as the other buffer; returns where the result is. */
static pr_sort_item_t *radix_sort(pr_sort_item_t *items, size_t n)
{
    static const uint32_t zero[DIGITS][BUCKETS];
    uint32_t counts[DIGITS][BUCKETS];
    memcpy(counts, zero, sizeof counts);
    for (size_t i = 0; i < n; i++)
        for (unsigned d = 0; d < DIGITS; d++)
            counts[d][items[i].key >> (d * DIGIT_BITS) & (BUCKETS - 1)]++;
    pr_sort_item_t *from = items;
    pr_sort_item_t *to = items + n;
    for (unsigned d = 0; d < DIGITS; d++) {
        unsigned shift = d * DIGIT_BITS;
        if (counts[d][from[0].key >> shift & (BUCKETS - 1)] == n)
            continue; // every key has this digit
        scatter(from, to, n, shift, counts[d]);
        pr_sort_item_t *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

void pr_sort_rows(pr_sorter_t *sorter, const double *values, size_t stride, bool descending, uint32_t *rows, size_t n)
{
    assert(n <= sorter->n);
    pr_sort_item_t *items = sorter->items;
    uint64_t flip = descending ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        items[i] = (pr_sort_item_t){pr_sort_key(values[rows[i] * stride]) ^ flip, rows[i]};
    if (n <= INSERTION_MAX)
        insertion_sort(items, n);
    else
        items = radix_sort(items, n);
    for (size_t i = 0; i < n; i++)
        rows[i] = items[i].row;
}
