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
    /* Of the parts before the last, the rightmost that has something behind it takes one more; the rest goes last. */
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

pr_status_t pr_search_run_grid(pr_replay_t *r, pr_error_t *err)
{
    bool cube = pr_search_is_cube(r->spec);
    int64_t m = r->spec->divisions;
    if (m < 1)
        return pr_search_bad(r->spec, err, "divisions: found %lld, expected at least 1", (long long)m);
    int64_t n = cube ? pr_lattice_cube(r->k, m) : pr_lattice_simplex(r->k, m);
    if (n > PR_SEARCH_MAX_POINTS)
        return pr_search_bad(r->spec, err, "divisions: %lld steps a side in %d dimensions are more than %d points",
                             (long long)m, r->k, PR_SEARCH_MAX_POINTS);
    if (r->spec->budget > 0 && n > r->spec->budget)
        return pr_search_bad(r->spec, err,
                             "divisions: %lld steps a side make %lld points, but budget allows %d; lower divisions",
                             (long long)m, (long long)n, r->spec->budget);
    if (r->check_only)
        return PR_OK;
    if (cube)
        add_cube(r, m);
    else
        pr_lattice_each(r->k, m, add_point, r);
    pr_replay_settle(r);
    return PR_OK;
}
