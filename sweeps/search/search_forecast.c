/* How many points a search will want, before it has any result. */
#include "sweeps/search/search_internal.h"

#include <stdlib.h>
#include <string.h>

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A design of one level; a budget cuts it. */
static int flat(const pr_search_spec_t *spec, int64_t n, int64_t *counts)
{
    counts[0] = spec->budget > 0 ? least(n, spec->budget) : n;
    return 1;
}

static int forecast_cube(const pr_search_t *s, int64_t *counts, int max)
{
    int64_t first = pr_lattice_cube(s->k, 2), next = first - (INT64_C(1) << s->k), spent = 0;
    int level = 0;
    for (; level < s->spec->levels && level < max; level++) {
        int64_t n = level == 0 ? first : next;
        if (s->spec->budget > 0 && spent + n > s->spec->budget)
            break;
        spent += counts[level] = n;
    }
    return level;
}

/* Points that refining cells can add at a level: no more than the lattice has, and k(k-1)/2 a cell refined. */
static int64_t level_bound(const pr_search_t *s, bool best, int level)
{
    const pr_search_spec_t *spec = s->spec;
    int64_t lattice = level > 0 ? pr_lattice_simplex(s->k, INT64_C(1) << level) : s->k;
    int64_t before = level > 0 ? pr_lattice_simplex(s->k, INT64_C(1) << (level - 1)) : 0;
    int64_t fresh = lattice > PR_SEARCH_MAX_POINTS ? lattice : lattice - before;
    if (level == 0)
        return fresh;
    /* One round a level, each refining at most `beam` cells of any depth; with a budget the rounds are not counted. */
    bool budget = spec->budget > 0 || spec->budget_core_hours > 0;
    int64_t beam = spec->beam > 0 ? spec->beam : best ? 1 : 0, cells = beam;
    if (!best)
        cells = beam == 0 || budget ? INT64_MAX / 256 : beam * (spec->levels - level + 1);
    if (level == 1)
        cells = 1;
    return least(fresh, cells * (s->k * (s->k - 1) / 2));
}

static int forecast_simplex(const pr_search_t *s, int64_t *counts, int max)
{
    const pr_search_spec_t *spec = s->spec;
    bool all = strcmp(spec->select, "all") == 0, best = strcmp(spec->select, "best") == 0;
    int64_t spent = 0;
    int level = 0;
    for (; level <= spec->levels && level < max; level++) {
        int64_t n = all ? pr_lattice_simplex(s->k, INT64_C(1) << level) - spent : level_bound(s, best, level);
        if (all && spec->budget > 0 && spent + n > spec->budget)
            break;
        counts[level] = spec->budget > 0 ? least(n, spec->budget - spent) : n;
        spent += counts[level];
        if (counts[level] == 0)
            break;
    }
    return level;
}

/* The number of corners of an envelope is not known before; every level may bring what the budget leaves. */
static int forecast_ols(const pr_search_t *s, int64_t *counts, int max)
{
    const pr_search_spec_t *spec = s->spec;
    counts[0] = s->k;
    int64_t left = spec->budget > 0 ? spec->budget - s->k : INT64_MAX;
    int level = 1;
    for (; level < max && level <= spec->levels && s->k > 1 && left > 0; level++) {
        /* Taking in k corners makes one region; each further value adds at most about k corners to the envelope. */
        int64_t fresh = spec->beam > 0 ? spec->beam : level == 1 ? 1 : counts[level - 1] * s->k;
        counts[level] = least(least(fresh, left), PR_SEARCH_MAX_POINTS + 1);
        left -= counts[level];
    }
    if (spec->budget > 0 && left > 0 && level < max && s->k > 1)
        counts[level++] = left;
    return level;
}

static int64_t list_length(const pr_search_t *s)
{
    pr_point_t *p = NULL;
    size_t n = 0;
    if (pr_search_list_read(s, &p, &n, NULL) != PR_OK)
        return 0;
    free(p);
    return (int64_t)n;
}

int pr_search_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    const pr_search_spec_t *spec = s->spec;
    const char *type = spec->type ? spec->type : "";
    if (max < 1 || s->k < 1 || s->k > PR_MAX_OBJECTIVES)
        return 0;
    if (strcmp(type, "hierarchical") == 0)
        return pr_search_is_cube(spec) ? forecast_cube(s, counts, max) : forecast_simplex(s, counts, max);
    if (strcmp(type, "ols") == 0)
        return forecast_ols(s, counts, max);
    if (strcmp(type, "grid") == 0)
        return flat(spec,
                    pr_search_is_cube(spec) ? pr_lattice_cube(s->k, spec->divisions)
                                            : pr_lattice_simplex(s->k, spec->divisions),
                    counts);
    if (strcmp(type, "random") == 0)
        return flat(spec, s->k == 1 && !pr_search_is_cube(spec) ? 1 : spec->points, counts);
    if (strcmp(type, "list") == 0)
        return flat(spec, list_length(s), counts);
    return 0;
}
