// SPDX-License-Identifier: BSD-3-Clause
/* Internal: a set of integers in [0,n) as a trie of 64-bit words (a van Emde Boas tree with fan-out 64), for sweeps
 * that ask for the next and the previous member. Up to 64^4 = 16.7 million members take 4 steps at most; sweeps over
 * more than that take one level more. */
#ifndef PR_PARETO_RANKSET_H
#define PR_PARETO_RANKSET_H

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PR_RANKSET_LEVELS = 6 };
#define PR_RANKSET_NONE UINT32_MAX

typedef struct pr_rankset {
    int levels;
    uint64_t *level[PR_RANKSET_LEVELS]; // level[0] has a bit a member, level[k+1] a bit a non-zero word of level[k]
    size_t words;                       // of all levels together, one block from level[0]
} pr_rankset_t;

/* An empty set for members below n (n < 2^32 - 1). Free with pr_rankset_free(). */
static inline pr_rankset_t pr_rankset_new(size_t n)
{
    pr_rankset_t set = {0};
    size_t sizes[PR_RANKSET_LEVELS];
    size_t size = n ? n : 1;
    do {
        size = (size + 63) / 64;
        sizes[set.levels++] = size;
        set.words += size;
    } while (size > 1);
    uint64_t *block = pr_alloc(set.words, sizeof *block);
    for (int k = 0; k < set.levels; k++) {
        set.level[k] = block;
        block += sizes[k];
    }
    return set;
}

static inline void pr_rankset_free(pr_rankset_t *set)
{
    free(set->level[0]);
    set->level[0] = NULL;
}

static inline void pr_rankset_clear(pr_rankset_t *set)
{
    memset(set->level[0], 0, set->words * sizeof(uint64_t));
}

static inline void pr_rankset_add(pr_rankset_t *set, uint32_t i)
{
    for (int k = 0; k < set->levels; k++, i >>= 6)
        set->level[k][i >> 6] |= UINT64_C(1) << (i & 63);
}

static inline void pr_rankset_remove(pr_rankset_t *set, uint32_t i)
{
    for (int k = 0; k < set->levels; k++, i >>= 6) {
        set->level[k][i >> 6] &= ~(UINT64_C(1) << (i & 63));
        if (set->level[k][i >> 6])
            return;
    }
}

static inline bool pr_rankset_has(const pr_rankset_t *set, uint32_t i)
{
    return set->level[0][i >> 6] >> (i & 63) & 1;
}

/* From the word of level k that is known to be non-zero down to its smallest (or largest) member. */
static inline uint32_t pr_rankset_descend(const pr_rankset_t *set, int k, uint32_t i, bool largest)
{
    while (k-- > 0) {
        uint64_t word = set->level[k][i];
        i = i << 6 | (uint32_t)(largest ? 63 - __builtin_clzll(word) : __builtin_ctzll(word));
    }
    return i;
}

/* The smallest member above i, or PR_RANKSET_NONE. */
static inline uint32_t pr_rankset_next(const pr_rankset_t *set, uint32_t i)
{
    for (int k = 0; k < set->levels; k++, i >>= 6) {
        unsigned bit = i & 63;
        uint64_t word = bit == 63 ? 0 : set->level[k][i >> 6] >> (bit + 1);
        if (word)
            return pr_rankset_descend(set, k, i + 1 + (uint32_t)__builtin_ctzll(word), false);
    }
    return PR_RANKSET_NONE;
}

/* The smallest member that is i or above, or PR_RANKSET_NONE. */
static inline uint32_t pr_rankset_from(const pr_rankset_t *set, uint32_t i)
{
    return pr_rankset_has(set, i) ? i : pr_rankset_next(set, i);
}

/* The largest member below i, or PR_RANKSET_NONE. */
static inline uint32_t pr_rankset_prev(const pr_rankset_t *set, uint32_t i)
{
    for (int k = 0; k < set->levels; k++, i >>= 6) {
        unsigned bit = i & 63;
        uint64_t word = bit == 0 ? 0 : set->level[k][i >> 6] << (64 - bit);
        if (word)
            return pr_rankset_descend(set, k, i - 1 - (uint32_t)__builtin_clzll(word), true);
    }
    return PR_RANKSET_NONE;
}

/* The smallest (largest) member, or PR_RANKSET_NONE. */
static inline uint32_t pr_rankset_first(const pr_rankset_t *set)
{
    return set->level[set->levels - 1][0] ? pr_rankset_descend(set, set->levels, 0, false) : PR_RANKSET_NONE;
}

static inline uint32_t pr_rankset_last(const pr_rankset_t *set)
{
    return set->level[set->levels - 1][0] ? pr_rankset_descend(set, set->levels, 0, true) : PR_RANKSET_NONE;
}

#endif
