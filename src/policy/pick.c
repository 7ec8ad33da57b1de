// SPDX-License-Identifier: BSD-3-Clause
#include "policy/pick.h"
#include "base/mem.h"
#include "model/kernels_exp.h"
#include "policy/map.h"

#include <stdlib.h>
#include <string.h>

enum { SHIFT = 15, UPPER = 1 << 16, LOWER = 1 << SHIFT };
#define LOW_BITS (LOWER - 1u)
#define MAGNITUDE 0x7fffffffu

/* One pass: counts of the upper bits; or for each pick, of the lower bits of those whose upper ones are its. */
typedef struct pass {
    int rows, cols, n;
    pr_pick_fn fn;
    void *self;
    float *tile;      // [PR_MIX_TILE,cols]
    uint64_t *upper;  // [UPPER]
    uint64_t *lower;  // [n,LOWER]
    uint32_t *prefix; // [n] NULL: the first pass
} pass_t;

static void run(pass_t *p)
{
    for (int row = 0, n; row < p->rows; row += n) {
        n = p->rows - row < PR_MIX_TILE ? p->rows - row : PR_MIX_TILE;
        p->fn(p->self, row, n, p->tile);
        size_t size = (size_t)n * (size_t)p->cols;
        for (size_t i = 0; i < size; i++) {
            uint32_t bits;
            memcpy(&bits, &p->tile[i], sizeof bits);
            bits &= MAGNITUDE;
            if (!p->prefix) {
                p->upper[bits >> SHIFT]++;
                continue;
            }
            for (int j = 0; j < p->n; j++)
                if (bits >> SHIFT == p->prefix[j])
                    p->lower[(size_t)j * LOWER + (bits & LOW_BITS)]++;
        }
    }
}

/* The highest bin at which, counted from the top, *left of them are reached; *left becomes how many of it are. */
static uint32_t reach(const uint64_t *bins, uint32_t n, uint64_t *left)
{
    uint32_t bin = n - 1;
    while (bin > 0 && bins[bin] < *left)
        *left -= bins[bin--];
    return bin;
}

typedef union bits {
    float f;
    uint32_t u;
} bits_t;

/* takes [n] = above `at`; returns how many are that. */
PR_CLONES static int above(uint32_t at, int n, const float *x, bool *takes)
{
    int equal = 0;
    PR_SIMD
    for (int i = 0; i < n; i++) {
        bits_t v = {.f = x[i]};
        takes[i] = (v.u & MAGNITUDE) > at;
        equal += (v.u & MAGNITUDE) == at;
    }
    return equal;
}

void pr_pick_takes(pr_pick_t *p, int n, const float *x, bool *takes)
{
    if (above(p->at, n, x, takes) == 0)
        return;
    for (int i = 0; i < n && p->ties > 0; i++) {
        bits_t v = {.f = x[i]};
        if ((v.u & MAGNITUDE) == p->at) {
            takes[i] = true;
            p->ties--;
        }
    }
}

bool pr_pick_find(int rows, int cols, pr_pick_fn fn, void *self, int n, const uint64_t *count, pr_pick_t *pick)
{
    pass_t p = {.rows = rows, .cols = cols, .n = n, .fn = fn, .self = self};
    uint32_t *prefix = pr_alloc((size_t)n, sizeof *prefix);
    uint64_t *left = pr_alloc((size_t)n, sizeof *left);
    p.tile = pr_alloc_matrix((size_t)PR_MIX_TILE * (size_t)cols, sizeof *p.tile);
    p.upper = pr_alloc(UPPER, sizeof *p.upper);
    p.lower = pr_alloc((size_t)n * LOWER, sizeof *p.lower);
    if (p.tile) {
        run(&p);
        for (int j = 0; j < n; j++) {
            left[j] = count[j];
            prefix[j] = reach(p.upper, UPPER, &left[j]);
        }
        p.prefix = prefix;
        run(&p);
        for (int j = 0; j < n; j++) {
            uint32_t low = reach(p.lower + (size_t)j * LOWER, LOWER, &left[j]);
            pick[j] = count[j] > 0 ? (pr_pick_t){prefix[j] << SHIFT | low, left[j]} : (pr_pick_t){UINT32_MAX, 0};
        }
    }
    bool done = p.tile != NULL;
    free(prefix);
    free(left);
    free(p.tile);
    free(p.upper);
    free(p.lower);
    return done;
}
