// SPDX-License-Identifier: BSD-3-Clause
/* Uniform designs: the lattice of step 1/divisions on the simplex (Das and Dennis 1998, "Normal-boundary
 * intersection") or on the unit cube. */
#include "sweeps/search/search_internal.h"

#include <assert.h>

int64_t pr_lattice_simplex(int k, int64_t m)
{
    /* C(m+k-1, k-1), each partial product being a binomial and so an integer. */
    __int128 n = 1;
    for (int i = 1; i < k; i++) {
        n = n * (m + i) / i;
        if (n > PR_SEARCH_MAX_POINTS)
            return PR_SEARCH_MAX_POINTS + 1;
    }
    return (int64_t)n;
}

int64_t pr_lattice_cube(int k, int64_t m)
{
    int64_t n = 1;
    for (int i = 0; i < k; i++) {
        if (m >= PR_SEARCH_MAX_POINTS || n * (m + 1) > PR_SEARCH_MAX_POINTS)
            return PR_SEARCH_MAX_POINTS + 1;
        n *= m + 1;
    }
    return n;
}

/* Steps to the next composition of m into k parts, in lexicographic order. */
static bool next_composition(int64_t *part, int k)
{
    /* Of the parts before the last, the rightmost that has something after it takes one more; the rest goes last. */
    int64_t tail = part[k - 1];
    for (int i = k - 2; i >= 0; i--) {
        if (tail > 0) {
            part[i]++;
            for (int j = i + 1; j < k - 1; j++)
                part[j] = 0;
            part[k - 1] = tail - 1;
            return true;
        }
        tail += part[i];
    }
    return false;
}

void pr_lattice_each(int k, int64_t m, void (*each)(void *context, const pr_point_t *p), void *context)
{
    assert(k >= 1 && m >= 1);
    int64_t part[PR_MAX_OBJECTIVES] = {0};
    part[k - 1] = m;
    do {
        pr_point_t p = {.den = m};
        for (int i = 0; i < k; i++)
            p.num[i] = part[i];
        pr_point_reduce(&p, k);
        each(context, &p);
    } while (next_composition(part, k));
}

static void add_point(void *context, const pr_point_t *p)
{
    pr_replay_add(context, p, 0);
}

static void add_cube(pr_replay_t *r, int64_t m)
{
    int64_t at[PR_MAX_OBJECTIVES] = {0};
    int i = 0;
    while (i >= 0) {
        pr_point_t p = {.den = m};
        for (int j = 0; j < r->k; j++)
            p.num[j] = at[j];
        pr_point_reduce(&p, r->k);
        pr_replay_add(r, &p, 0);
        for (i = r->k - 1; i >= 0 && at[i] == m; i--)
            at[i] = 0;
        if (i >= 0)
            at[i]++;
    }
}

static int64_t lattice(const pr_search_t *s)
{
    int64_t m = s->spec->divisions;
    return pr_search_is_cube(s->spec) ? pr_lattice_cube(s->k, m) : pr_lattice_simplex(s->k, m);
}

static pr_status_t grid_check(const pr_search_t *s, pr_error_t *err)
{
    int64_t m = s->spec->divisions;
    if (m < 1)
        return pr_search_bad(s->spec, err, "divisions: found %lld, expected at least 1", (long long)m);
    int64_t n = lattice(s);
    if (n > PR_SEARCH_MAX_POINTS)
        return pr_search_bad(s->spec, err, "divisions: %lld steps per side in %d dimensions are more than %d points",
                             (long long)m, s->k, PR_SEARCH_MAX_POINTS);
    if (s->spec->budget > 0 && n > s->spec->budget)
        return pr_search_bad(s->spec, err,
                             "divisions: %lld steps per side make %lld points, but budget allows %d; lower divisions",
                             (long long)m, (long long)n, s->spec->budget);
    return PR_OK;
}

static pr_status_t grid_run(pr_replay_t *r, pr_error_t *err)
{
    PR_TRY(grid_check(r->s, err));
    if (pr_search_is_cube(r->spec))
        add_cube(r, r->spec->divisions);
    else
        pr_lattice_each(r->k, r->spec->divisions, add_point, r);
    pr_replay_settle(r);
    return PR_OK;
}

static int grid_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    (void)max;
    return pr_search_flat(s->spec, lattice(s), counts);
}

const pr_search_strategy_t pr_search_grid = {
    .name = "grid",
    .help = "A regular grid: the lattice of step 1/`divisions` on the simplex (Das and Dennis 1998) or on the cube.",
    .keys = PR_SEARCH_KEYS_grid,
    .asks_once = true,
    .check = grid_check,
    .run = grid_run,
    .forecast = grid_forecast};
