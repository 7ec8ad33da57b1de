// SPDX-License-Identifier: BSD-3-Clause
/* The hierarchical search of the simplex: a lattice of step 2^-level, made finer only where it may gain. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Cells kept at a time; only a search of many objectives without beam or budget can come to so many. */
enum { MAX_CELLS = 1 << 22 };

typedef struct level_adder {
    pr_replay_t *r;
    int level;
} level_adder_t;

/* A lattice point that was not in the level before has the level's denominator. */
static void add_if_new(void *context, const pr_point_t *p)
{
    const level_adder_t *a = context;
    if (p->den == INT64_C(1) << a->level)
        pr_replay_add(a->r, p, a->level);
}

static pr_status_t check_level(const pr_search_t *s, int level, int64_t n, pr_error_t *err)
{
    if (n <= PR_SEARCH_MAX_POINTS)
        return PR_OK;
    return pr_search_bad(s->spec, err, "levels: the lattice of step 2^-%d in %d objectives has more than %d points",
                         level, s->k, PR_SEARCH_MAX_POINTS);
}

/* Is every level that the budget holds small enough? Before the first is made. With a budget of time nobody knows how
 * many there will be. */
static pr_status_t check_all(const pr_search_t *s, pr_error_t *err)
{
    const pr_search_spec_t *spec = s->spec;
    for (int level = 0; level <= spec->levels && !(spec->budget_core_hours > 0); level++) {
        int64_t n = pr_lattice_simplex(s->k, INT64_C(1) << level);
        if (spec->budget > 0 && n > spec->budget)
            break;
        PR_TRY(check_level(s, level, n, err));
    }
    return PR_OK;
}

/* select = "all": nothing is decided between the levels, so all that fit the budget are wanted at once; with a budget
 * of time, whose use only results can tell, one after the other. */
static pr_status_t run_all(pr_replay_t *r, pr_error_t *err)
{
    bool by_level = r->spec->budget_core_hours > 0;
    for (int level = 0; level <= r->spec->levels; level++) {
        int64_t n = pr_lattice_simplex(r->k, INT64_C(1) << level);
        if (n - (int64_t)r->points.n > pr_replay_room(r))
            break;
        PR_TRY(check_level(r->s, level, n, err));
        level_adder_t a = {r, level};
        pr_lattice_each(r->k, INT64_C(1) << level, add_if_new, &a);
        if (by_level && !pr_replay_settle(r))
            return PR_OK;
    }
    pr_replay_settle(r);
    return PR_OK;
}

static void add_root(pr_replay_t *r, pr_cells_t *cells)
{
    pr_cell_t root = {.bound = INFINITY};
    for (int i = 0; i < r->k; i++) {
        pr_point_t corner = {.den = 1};
        corner.num[i] = 1;
        root.vertex[i] = (uint32_t)pr_replay_add(r, &corner, 0);
    }
    pr_cells_add(cells, &root);
}

/* select = "best". */

/* The sum of the vertices' scalar scores; those of failed points count as the mean of the others. */
static double scalar_value(const pr_replay_t *r, const pr_cell_t *c)
{
    double sum = 0;
    int seen = 0;
    for (int i = 0; i < r->k; i++)
        if (r->ok[c->vertex[i]]) {
            sum += pr_replay_scalar(r, c->vertex[i]);
            seen++;
        }
    return seen > 0 ? sum * r->k / seen : -INFINITY;
}

static int by_value(const void *a, const void *b, void *replay)
{
    return pr_cell_before(replay, b, a) - pr_cell_before(replay, a, b);
}

static pr_status_t run_best(pr_replay_t *r)
{
    pr_cells_t cells = {0};
    size_t beam = r->spec->beam > 0 ? (size_t)r->spec->beam : 1;
    add_root(r, &cells);
    bool settled = pr_replay_settle(r);
    for (int level = 1; settled && level <= r->spec->levels; level++) {
        pr_cells_t children = {0};
        pr_point_t fresh[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES];
        for (size_t i = 0; i < cells.n; i++)
            cells.item[i].value = scalar_value(r, &cells.item[i]);
        if (cells.n > 0)
            qsort_r(cells.item, cells.n, sizeof cells.item[0], by_value, r);
        int64_t room = pr_replay_room(r);
        for (size_t i = 0; i < beam && i < cells.n; i++) {
            int n = pr_cell_midpoints(r, &cells.item[i], fresh);
            if (n > room)
                break; // a part of a cell could not be decided on
            pr_cell_divide(r, &cells.item[i], &children);
            room -= room == INT64_MAX ? 0 : n;
        }
        free(cells.item);
        cells = children;
        settled = pr_replay_settle(r);
    }
    free(cells.item);
    return PR_OK;
}

/* select = "front". The cells not yet refined, of every depth, are one pool: in each round the most promising ones are
 * refined, whichever their depth. A max-heap whose values are upper bounds; that of the top is made exact only when it
 * gets there, so that most exact gains are never computed. */

typedef struct pool {
    pr_replay_t *r;
    pr_cells_t heap;
    pr_gain_t gain;
    bool only_grows; // what the front holds: a gain once found bounds it for ever
} pool_t;

/* Means change with the fidelity, and the volume with a reference that is taken from the means. */
static bool front_only_grows(const pr_replay_t *r)
{
    bool fixed = r->n_fidelity == 1;
    for (int j = 0; j < r->k; j++)
        fixed = fixed && ((r->s->reference && isfinite(r->s->reference[j])) || (r->s->lo && isfinite(r->s->lo[j])));
    return fixed;
}

static void swap_cells(pool_t *p, size_t a, size_t b)
{
    pr_cell_t c = p->heap.item[a];
    p->heap.item[a] = p->heap.item[b];
    p->heap.item[b] = c;
}

static void sift_down(pool_t *p, size_t at)
{
    for (;;) {
        size_t best = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < p->heap.n; child++)
            if (pr_cell_before(p->r, &p->heap.item[child], &p->heap.item[best]))
                best = child;
        if (best == at)
            return;
        swap_cells(p, at, best);
        at = best;
    }
}

/* The means of a cell's vertices that did not fail; own [k,k], returns their number. */
static int own_means(const pr_replay_t *r, const pr_cell_t *c, double *own)
{
    int n = 0;
    for (int i = 0; i < r->k; i++)
        if (r->ok[c->vertex[i]])
            memcpy(&own[n++ * r->k], &r->mean[c->vertex[i] * (size_t)r->k], (size_t)r->k * sizeof own[0]);
    return n;
}

/* The optimistic vector of a cell: in each objective the greatest mean of its vertices, and a standard error more. u
 * [k]; false when every vertex failed. */
static bool optimistic(const pr_replay_t *r, const pr_cell_t *c, double *u)
{
    bool any = false;
    for (int j = 0; j < r->k; j++)
        u[j] = -INFINITY;
    for (int i = 0; i < r->k; i++) {
        size_t v = c->vertex[i];
        any = any || r->ok[v];
        for (int j = 0; r->ok[v] && j < r->k; j++)
            u[j] = fmax(u[j], r->mean[v * (size_t)r->k + (size_t)j] + r->se[v * (size_t)r->k + (size_t)j]);
    }
    return any;
}

/* The gain that the cell's own vertices leave open: the box of u less the greatest box of a vertex. */
static double local_bound(const pool_t *p, const pr_cell_t *c, const double *u)
{
    double most = 0;
    for (int i = 0; i < p->r->k; i++)
        if (p->r->ok[c->vertex[i]])
            most = fmax(most, pr_gain_box(&p->gain, &p->r->mean[c->vertex[i] * (size_t)p->r->k]));
    return fmax(pr_gain_box(&p->gain, u) - most, 0);
}

static bool touches(const pr_replay_t *r, const pr_cell_t *c, const bool *maybe)
{
    for (int i = 0; i < r->k; i++)
        if (maybe[c->vertex[i]])
            return true;
    return false;
}

/* Ranks the pool anew by the results there are now. A cell that does not touch the front stays: it may touch a later
 * one. */
static void pool_rank(pool_t *p)
{
    bool *maybe = pr_replay_maybe_front(p->r);
    pr_gain_init(&p->gain, p->r);
    for (size_t i = 0; i < p->heap.n && !pr_replay_stops(p->r); i++) {
        pr_cell_t *c = &p->heap.item[i];
        double u[PR_MAX_OBJECTIVES];
        bool live = optimistic(p->r, c, u) && touches(p->r, c, maybe);
        c->value = live ? fmin(c->bound, local_bound(p, c, u)) : -1;
        c->exact = !live;
    }
    free(maybe);
    for (size_t i = p->heap.n / 2; i-- > 0;)
        sift_down(p, i);
}

/* Takes out the best cell; false when none has more than the least gain. */
static bool pool_take(pool_t *p, pr_cell_t *out)
{
    while (p->heap.n > 0 && p->heap.item[0].value > p->r->spec->min_gain && !pr_replay_stops(p->r)) {
        pr_cell_t *top = &p->heap.item[0];
        if (top->exact) {
            *out = *top;
            swap_cells(p, 0, --p->heap.n);
            sift_down(p, 0);
            return true;
        }
        double u[PR_MAX_OBJECTIVES], own[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES];
        optimistic(p->r, top, u);
        top->value = fmin(top->value, pr_gain_of(&p->gain, u, own, own_means(p->r, top, own)));
        top->exact = true;
        top->bound = p->only_grows ? top->value : INFINITY;
        sift_down(p, 0);
    }
    return false;
}

/* How many points a round may spend. Without a beam, a budget of points is spread over the levels still to come, so
 * that the finest is reached. */
static int64_t round_quota(const pr_replay_t *r, int round)
{
    int64_t room = pr_replay_room(r);
    int left = r->spec->levels - round + 1;
    return r->spec->beam > 0 || room == INT64_MAX || left <= 1 ? room : (room + left - 1) / left;
}

/* Refines the best cells of the pool; the number refined. Cells of the finest level are not kept. */
static size_t pool_round(pool_t *p, int round)
{
    pr_replay_t *r = p->r;
    pr_cells_t children = {0};
    pr_cell_t c;
    size_t n = 0, beam = r->spec->beam > 0 ? (size_t)r->spec->beam : SIZE_MAX;
    int64_t quota = round_quota(r, round), room = pr_replay_room(r), spent = 0;
    for (; n < beam && spent < quota && pool_take(p, &c); n++) {
        pr_point_t fresh[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES];
        int want = pr_cell_midpoints(r, &c, fresh), i = 0;
        for (; i < want && spent < room; i++, spent++)
            pr_replay_add(r, &fresh[i], c.depth + 1);
        if (i == want && c.depth + 1 < r->spec->levels)
            pr_cell_divide(r, &c, &children);
    }
    for (size_t i = 0; i < children.n; i++)
        pr_cells_add(&p->heap, &children.item[i]);
    free(children.item);
    return n;
}

static pr_status_t run_front(pr_replay_t *r, pr_error_t *err)
{
    pool_t p = {.r = r, .only_grows = front_only_grows(r)};
    bool budget = r->spec->budget > 0 || r->spec->budget_core_hours > 0;
    pr_status_t status = PR_OK;
    add_root(r, &p.heap);
    bool settled = pr_replay_settle(r);
    for (int round = 1; settled && r->spec->levels > 0 && (budget || round <= r->spec->levels); round++) {
        pool_rank(&p);
        size_t refined = pool_round(&p, round);
        pr_gain_free(&p.gain);
        if (refined == 0)
            break;
        if (p.heap.n > MAX_CELLS) {
            status = pr_search_bad(r->spec, err, "found %zu cells to refine, expected at most %d; set beam or budget",
                                   p.heap.n, MAX_CELLS);
            break;
        }
        settled = pr_replay_settle(r);
    }
    free(p.heap.item);
    return status;
}

pr_status_t pr_search_check_simplex(const pr_search_t *s, pr_error_t *err)
{
    const pr_search_spec_t *spec = s->spec;
    const char *select = spec->select; // the table of keys has a default
    if (spec->levels < 0 || spec->levels > 60)
        return pr_search_bad(spec, err, "levels: found %d, expected 0 to 60", spec->levels);
    if (spec->budget > 0 && spec->budget < s->k)
        return pr_search_bad(spec, err, "budget: found %d, expected at least the %d corners of the simplex",
                             spec->budget, s->k);
    if (strcmp(select, "all") == 0)
        return check_all(s, err);
    if (strcmp(select, "best") != 0 && strcmp(select, "front") != 0)
        return pr_search_bad(spec, err, "select: found '%s', expected front, best or all", select);
    return PR_OK;
}

pr_status_t pr_search_run_simplex(pr_replay_t *r, pr_error_t *err)
{
    PR_TRY(pr_search_check_simplex(r->s, err));
    if (strcmp(r->spec->select, "all") == 0)
        return run_all(r, err);
    return strcmp(r->spec->select, "best") == 0 ? run_best(r) : run_front(r, err);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
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

int pr_search_forecast_simplex(const pr_search_t *s, int64_t *counts, int max)
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
