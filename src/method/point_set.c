// SPDX-License-Identifier: BSD-3-Clause
/* Sets of points, by hash. */
#include "method/point.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const pr_pointset_t *set, const pr_point_t *p)
{
    return pr_hash64(p, offsetof(pr_point_t, num) + (size_t)set->k * sizeof p->num[0]) & (set->n_slots - 1);
}

static bool same(const pr_pointset_t *set, size_t id, const pr_point_t *p)
{
    const pr_point_t *q = &set->item[id];
    return q->den == p->den && memcmp(q->num, p->num, (size_t)set->k * sizeof p->num[0]) == 0;
}

/* The slot that holds p, or the free one where it belongs. */
static size_t probe(const pr_pointset_t *set, const pr_point_t *p)
{
    size_t at = slot_of(set, p);
    while (set->slot[at] != 0 && !same(set, set->slot[at] - 1, p))
        at = (at + 1) & (set->n_slots - 1);
    return at;
}

static void grow(pr_pointset_t *set)
{
    set->cap = set->cap ? 2 * set->cap : 64;
    set->item = pr_realloc(set->item, set->cap, sizeof set->item[0]);
    free(set->slot);
    set->n_slots = 2 * set->cap; // a power of two, at most half full
    set->slot = pr_alloc(set->n_slots, sizeof set->slot[0]);
    for (size_t id = 0; id < set->n; id++)
        set->slot[probe(set, &set->item[id])] = id + 1;
}

size_t pr_pointset_find(const pr_pointset_t *set, const pr_point_t *p)
{
    if (set->n == 0)
        return PR_NO_POINT;
    size_t at = probe(set, p);
    return set->slot[at] == 0 ? PR_NO_POINT : set->slot[at] - 1;
}

size_t pr_pointset_add(pr_pointset_t *set, const pr_point_t *p, bool *is_new)
{
    if (set->n == set->cap)
        grow(set);
    size_t at = probe(set, p);
    bool fresh = set->slot[at] == 0;
    if (fresh) {
        set->item[set->n++] = *p;
        set->slot[at] = set->n;
    }
    if (is_new)
        *is_new = fresh;
    return set->slot[at] - 1;
}

void pr_pointset_free(pr_pointset_t *set)
{
    free(set->item);
    free(set->slot);
    *set = (pr_pointset_t){.k = set->k};
}
