// SPDX-License-Identifier: BSD-3-Clause
/* Sets of points, by hash. */
#include "method/point.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const pr_pointset_t *set)
{
    return (size_t)(1 + set->d) * sizeof *set->flat;
}

static const int64_t *flat_of(const pr_pointset_t *set, size_t id)
{
    return set->flat + id * (size_t)(1 + set->d);
}

/* The slot that holds a point [1+d], or the free one where it belongs. */
static size_t probe(const pr_pointset_t *set, const int64_t *flat)
{
    size_t at = pr_hash64(flat, bytes_of(set)) & (set->n_slots - 1);
    while (set->slot[at] != 0 && memcmp(flat_of(set, set->slot[at] - 1), flat, bytes_of(set)) != 0)
        at = (at + 1) & (set->n_slots - 1);
    return at;
}

static void grow(pr_pointset_t *set)
{
    set->cap = set->cap ? 2 * set->cap : 64;
    set->flat = pr_realloc(set->flat, set->cap, bytes_of(set));
    free(set->slot);
    set->n_slots = 2 * set->cap; // a power of two, at most half full
    set->slot = pr_alloc(set->n_slots, sizeof set->slot[0]);
    for (size_t id = 0; id < set->n; id++)
        set->slot[probe(set, flat_of(set, id))] = id + 1;
}

size_t pr_pointset_find(const pr_pointset_t *set, const pr_point_t *p)
{
    int64_t flat[1 + PR_MAX_COORDINATES];
    if (set->n == 0)
        return PR_NO_POINT;
    pr_point_store(p, set->d, flat);
    size_t at = probe(set, flat);
    return set->slot[at] == 0 ? PR_NO_POINT : set->slot[at] - 1;
}

size_t pr_pointset_add(pr_pointset_t *set, const pr_point_t *p, bool *is_new)
{
    int64_t flat[1 + PR_MAX_COORDINATES];
    if (set->n == set->cap)
        grow(set);
    pr_point_store(p, set->d, flat);
    size_t at = probe(set, flat);
    bool fresh = set->slot[at] == 0;
    if (fresh) {
        memcpy(set->flat + set->n++ * (size_t)(1 + set->d), flat, bytes_of(set));
        set->slot[at] = set->n;
    }
    if (is_new)
        *is_new = fresh;
    return set->slot[at] - 1;
}

pr_point_t pr_pointset_at(const pr_pointset_t *set, size_t id)
{
    return pr_point_load(flat_of(set, id), set->d);
}

void pr_pointset_weights(const pr_pointset_t *set, size_t id, double *x)
{
    const int64_t *flat = flat_of(set, id);
    for (int i = 0; i < set->d; i++)
        x[i] = (double)flat[1 + i] / (double)flat[0];
}

int pr_pointset_compare(const pr_pointset_t *set, size_t a, size_t b)
{
    const int64_t *x = flat_of(set, a), *y = flat_of(set, b);
    for (int i = 1; i <= set->d; i++) {
        __int128 left = (__int128)x[i] * y[0], right = (__int128)y[i] * x[0];
        if (left != right)
            return left < right ? -1 : 1;
    }
    return 0;
}

void pr_pointset_free(pr_pointset_t *set)
{
    free(set->flat);
    free(set->slot);
    *set = (pr_pointset_t){.d = set->d};
}
