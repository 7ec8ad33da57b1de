// SPDX-License-Identifier: BSD-3-Clause
/* The hierarchical search of the unit cube: EMORL's (Kong et al. 2025, "EMORL: Ensemble multi-objective reinforcement
 * learning for efficient and flexible LLM fine-tuning") for any number of objectives. A level evaluates the 3^K points
 * of a box and goes on in the best of its 2^K sub-cubes. The zero vector is a point of the first box: the base model,
 * with no expert. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* The box of a level has the corner at/2^level and sides of 2^-level; its points have the step 2^-(level+1). */
typedef struct box {
    int level;
    int64_t at[PR_MAX_OBJECTIVES];
} box_t;

static int64_t power(int64_t base, int e)
{
    int64_t n = 1;
    while (e-- > 0)
        n *= base;
    return n;
}

/* The point of a box at offset digits 0..2 of `digits` in base 3, the first dimension the slowest. id [3^K]. */
static void add_box(pr_replay_t *r, const box_t *b, size_t *id, int64_t n)
{
    for (int64_t digits = 0; digits < n; digits++) {
        pr_point_t p = {.den = INT64_C(2) << b->level};
        int64_t rest = digits;
        for (int j = r->k - 1; j >= 0; j--, rest /= 3)
            p.num[j] = 2 * b->at[j] + rest % 3;
        pr_point_reduce(&p, r->k);
        id[digits] = pr_replay_add(r, &p, b->level);
    }
}

/* The index of a box's point, base 3, from two binary offsets a dimension: the sub-cube's and the vertex's. */
static int64_t vertex_index(int k, int64_t cube, int64_t vertex)
{
    int64_t index = 0;
    for (int j = k - 1; j >= 0; j--)
        index = 3 * index + ((cube >> j) & 1) + ((vertex >> j) & 1);
    return index;
}

/* The sum of the vertices' scalar scores; those of failed points count as the mean of the others. */
static double cube_score(const pr_replay_t *r, const size_t *id, int64_t cube)
{
    int64_t n = INT64_C(1) << r->k, seen = 0;
    double sum = 0;
    for (int64_t vertex = 0; vertex < n; vertex++) {
        size_t v = id[vertex_index(r->k, cube, vertex)];
        if (r->ok[v]) {
            sum += pr_replay_scalar(r, v);
            seen++;
        }
    }
    if (seen == 0)
        return -INFINITY;
    return seen == n ? sum : sum * ((double)n / (double)seen);
}

/* The first best sub-cube. Sums that differ by no more than rounding are equal. */
static int64_t best_cube(const pr_replay_t *r, const size_t *id)
{
    int64_t best = 0;
    double score = cube_score(r, id, 0);
    for (int64_t cube = 1; cube < INT64_C(1) << r->k; cube++) {
        double s = cube_score(r, id, cube);
        if (s > score + 1e-12 * fabs(score) || (isinf(score) && s > score)) {
            best = cube;
            score = s;
        }
    }
    return best;
}

pr_status_t pr_search_check_cube(const pr_search_t *s, pr_error_t *err)
{
    int64_t n = pr_lattice_cube(s->k, 2);
    if (s->spec->levels < 1 || s->spec->levels > 60)
        return pr_search_bad(s->spec, err, "levels: found %d, expected 1 to 60", s->spec->levels);
    if (n > PR_SEARCH_MAX_POINTS)
        return pr_search_bad(s->spec, err, "domain: the cube's first level has 3^%d points, more than %d", s->k,
                             PR_SEARCH_MAX_POINTS);
    if (s->spec->budget > 0 && n > s->spec->budget)
        return pr_search_bad(s->spec, err, "budget: found %d, expected at least the %lld points of the first level",
                             s->spec->budget, (long long)n);
    return PR_OK;
}

pr_status_t pr_search_run_cube(pr_replay_t *r, pr_error_t *err)
{
    int64_t n = pr_lattice_cube(r->k, 2), fresh = n;
    PR_TRY(pr_search_check_cube(r->s, err));
    size_t *id = pr_alloc((size_t)n, sizeof id[0]);
    box_t b = {0};
    /* A level that the budget does not hold whole could not be decided on, so it is not begun. */
    for (; b.level < r->spec->levels && fresh <= pr_replay_room(r); fresh = n - power(2, r->k)) {
        add_box(r, &b, id, n);
        if (!pr_replay_settle(r))
            break;
        int64_t cube = best_cube(r, id);
        for (int j = 0; j < r->k; j++)
            b.at[j] = 2 * b.at[j] + ((cube >> (r->k - 1 - j)) & 1);
        b.level++;
    }
    free(id);
    return PR_OK;
}

int pr_search_forecast_cube(const pr_search_t *s, int64_t *counts, int max)
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
