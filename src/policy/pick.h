// SPDX-License-Identifier: BSD-3-Clause
/* The largest of many magnitudes without sorting or holding them: two passes that count how often the upper, and then
 * the lower, half of their bits occurs. */
#ifndef PR_POLICY_PICK_H
#define PR_POLICY_PICK_H

#include <stdbool.h>
#include <stdint.h>

/* The first so many in the order: larger magnitudes first, of equal ones the lower index first. That is all above `at`,
 * and the first `ties` of those that are `at`. */
typedef struct pr_pick {
    uint32_t at; // a float's bits
    uint64_t ties;
} pr_pick_t;

/* out [n,cols]: magnitudes (>= 0) of rows row..row+n-1; asked for twice. */
typedef void (*pr_pick_fn)(void *self, int row, int n, float *out);
/* pick [n] of the first count [n] (each at most rows*cols) of all. false when memory is short. */
bool pr_pick_find(int rows, int cols, pr_pick_fn fn, void *self, int n, const uint64_t *count, pr_pick_t *pick);

/* takes [n]: are the next n, in the order of indices, among them, by the magnitudes of x? Counts down the ties of p. */
void pr_pick_takes(pr_pick_t *p, int n, const float *x, bool *takes);

#endif
