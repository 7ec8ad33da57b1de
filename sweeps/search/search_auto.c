// SPDX-License-Identifier: BSD-3-Clause
/* The default search: a start all over the domain, then rounds of points that are chosen by a model of all results so
 * far. A round is a function of the rounds before it, so that the points of a smaller budget are the first of a larger
 * one, at any number of workers. */
#include "sweeps/search/search_auto.h"
#include "base/mem.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Points per objective without a budget, and where only core hours are given. */
enum { POINTS_EACH = 8, MOST_EACH = 800 };
/* Of the volume: less than this expected of any point ends the search. */
static const double MIN_GAIN = 0.001;
/* Hyperparameters are found again with each round up to so many points, then when there are a tenth more. */
enum { OFTEN = 30 };

/* Points where no budget is said. */
static int64_t propose(const pr_search_t *s)
{
    int64_t each = s->spec->budget_core_hours > 0 ? MOST_EACH : POINTS_EACH;
    int free = pr_auto_free(s);
    return free == 0 ? 1 : each * (free + !pr_search_is_cube(s->spec)); // the simplex of one objective is one point
}

static int64_t budget_of(const pr_search_t *s)
{
    return s->spec->budget > 0 ? s->spec->budget : propose(s);
}

static int64_t batch_of(const pr_search_t *s)
{
    int k = pr_auto_size(s);
    return s->spec->batch > 0 ? s->spec->batch : k > 3 ? k - 2 : 1;
}

static double min_gain(const pr_search_t *s)
{
    return s->spec->min_gain > 0 ? s->spec->min_gain : MIN_GAIN;
}

static pr_status_t auto_check(const pr_search_t *s, pr_error_t *err)
{
    if (s->spec->budget < 0 || s->spec->budget > PR_SEARCH_MAX_POINTS)
        return pr_search_bad(s->spec, err, "budget: found %d, expected 0 to %d", s->spec->budget, PR_SEARCH_MAX_POINTS);
    if (s->spec->batch < 0)
        return pr_search_bad(s->spec, err, "batch: found %d, expected 0 or more", s->spec->batch);
    if (!(s->spec->min_gain >= 0 && s->spec->min_gain < 1))
        return pr_search_bad(s->spec, err, "min_gain: found %g, expected a share of the volume: 0 to below 1",
                             s->spec->min_gain);
    if (!(s->spec->recheck >= 0 && s->spec->recheck <= 0.9))
        return pr_search_bad(s->spec, err, "recheck: found %g, expected a share of the budget: 0 to 0.9",
                             s->spec->recheck);
    if (s->spec->recheck > 0 && s->spec->n_fidelity < 2)
        return pr_search_bad(s->spec, err,
                             "recheck: found %g and %d number%s of fidelity, expected two or more: the prompts that "
                             "points begin with, and those that points in doubt go on to",
                             s->spec->recheck, s->spec->n_fidelity, s->spec->n_fidelity == 1 ? "" : "s");
    return PR_OK;
}

/* ---- the rounds that were ---- */

/* The points of each round, by the level of their results: a whole round is its own record, so that it is not computed
 * again. Where the search chooses which points go on to more prompts, those are a part of the round that chose them. */
typedef struct history {
    pr_point_t *point; // by round, each in point order
    size_t *first;     // [rounds + 1]
    int rounds;
} history_t;

typedef struct placed {
    pr_point_t point;
    int level, d;
} placed_t;

static int by_level(const void *a, const void *b)
{
    const placed_t *p = a, *q = b;
    if (p->level != q->level)
        return p->level < q->level ? -1 : 1;
    return pr_point_compare(&p->point, &q->point, p->d);
}

/* The results of point i of the index, of each number of prompts one; else one of them, as the levels are the same.
 * Returns the new n. */
static size_t place(const pr_replay_t *r, size_t i, placed_t *all, size_t n)
{
    size_t from = n;
    for (size_t o = r->index.first[i]; o != 0; o = r->index.next[o - 1]) {
        int level = r->index.obs[o - 1].level;
        bool seen = false;
        for (size_t x = from; x < n; x++)
            seen = seen || !r->chosen || all[x].level == level;
        if (!seen)
            all[n++] = (placed_t){pr_pointset_at(&r->index.points, i), level < 0 ? 0 : level, r->d};
    }
    return n;
}

static history_t history_new(const pr_replay_t *r, size_t n_results)
{
    size_t n = 0;
    placed_t *all = pr_alloc(n_results, sizeof *all);
    for (size_t i = 0; i < r->index.points.n; i++)
        n = place(r, i, all, n);
    history_t h = {.point = pr_alloc(n, sizeof *h.point)};
    qsort(all, n, sizeof *all, by_level);
    h.rounds = n > 0 ? all[n - 1].level + 1 : 0;
    h.first = pr_alloc((size_t)h.rounds + 1, sizeof *h.first);
    size_t at = 0;
    for (int round = 0; round <= h.rounds; round++) {
        while (at < n && all[at].level < round)
            at++;
        h.first[round] = at;
    }
    for (size_t i = 0; i < n; i++)
        h.point[i] = all[i].point;
    free(all);
    return h;
}

static void history_free(history_t *h)
{
    free(h->point);
    free(h->first);
}

/* ---- rounds ---- */

static int by_point(const void *a, const void *b, void *set)
{
    return pr_pointset_compare(set, *(const size_t *)a, *(const size_t *)b);
}

/* The next points of the start's sequence: where no results are there to model. */
static int64_t fill(const pr_replay_t *r, int64_t n, pr_point_t *out)
{
    double w[PR_MAX_COORDINATES];
    pr_pointset_t chosen = {.d = r->d};
    for (uint64_t i = 0; (int64_t)chosen.n < n && i < 100 * (uint64_t)n + 1000 + r->points.n; i++) {
        pr_point_t p;
        pr_auto_uniform(r->s, i, NULL, w);
        pr_auto_point(r->s, w, &p);
        if (pr_pointset_find(&r->points, &p) == PR_NO_POINT)
            pr_pointset_add(&chosen, &p, NULL);
    }
    n = (int64_t)chosen.n;
    for (size_t i = 0; i < chosen.n; i++)
        out[i] = pr_pointset_at(&chosen, i);
    pr_pointset_free(&chosen);
    return n;
}

static size_t n_ok(const pr_replay_t *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->points.n; i++)
        n += r->ok[i];
    return n;
}

/* What the next request of a point takes: of one that is there already, the prompts to the next fidelity. */
static int64_t prompts_for(const pr_replay_t *r, const pr_point_t *p)
{
    size_t id = pr_pointset_find(&r->points, p);
    if (id == PR_NO_POINT)
        return pr_replay_new(r, p);
    int f = r->fidelity[id];
    return f + 1 < r->n_fidelity ? r->prompts[f + 1] - r->prompts[f] : 0;
}

/* Prompts that the budget still has, with what making policies counts. */
static int64_t prompts_left(const pr_replay_t *r)
{
    return budget_of(r->s) * pr_replay_whole(r) - pr_replay_prompts(r, NULL);
}

/* Adds the points of a round: those that were asked for before, then of what is chosen now, in its order, as many as are
 * missing. Both are the same on one machine; rounding may choose others on another one. A point that is there already
 * goes on to more prompts. */
static void add_round(pr_replay_t *r, int round, int64_t size, const pr_point_t *given, size_t n_given,
                      const pr_auto_choice_t *c)
{
    pr_pointset_t all = {.d = r->d};
    int64_t left = prompts_left(r);
    for (size_t i = 0; i < n_given; i++) {
        left -= prompts_for(r, &given[i]);
        pr_pointset_add(&all, &given[i], NULL);
    }
    for (int i = 0; i < c->n && (int64_t)all.n < size; i++) {
        int64_t prompts = r->chosen ? prompts_for(r, &c->point[i]) : 0;
        if (pr_pointset_find(&all, &c->point[i]) != PR_NO_POINT)
            continue;
        if (prompts > left) // nothing else takes its place, which a larger budget would not do either
            break;
        left -= prompts;
        pr_pointset_add(&all, &c->point[i], NULL);
    }
    size_t *order = pr_alloc(all.n, sizeof *order);
    for (size_t i = 0; i < all.n; i++)
        order[i] = i;
    qsort_r(order, all.n, sizeof *order, by_point, &all);
    for (size_t i = 0; i < all.n; i++) {
        pr_point_t p = pr_pointset_at(&all, order[i]);
        size_t id = pr_pointset_find(&r->points, &p);
        if (id != PR_NO_POINT && r->chosen)
            pr_replay_go_on(r, id, round);
        else
            pr_replay_add(r, &p, round);
    }
    free(order);
    pr_pointset_free(&all);
}

/* Points that may still be wanted. */
static int64_t room_of(const pr_replay_t *r)
{
    int64_t left = pr_replay_room_of(r, budget_of(r->s)), room = pr_replay_room(r);
    return room < left ? room : left;
}

/* The first round. One that was as large and of other points is taken as it was: another version or machine began it. */
static void begin(pr_replay_t *r, const history_t *h)
{
    pr_pointset_t start = {.d = r->d};
    pr_auto_start(r->s, room_of(r), &start);
    size_t given = h->rounds > 0 ? h->first[1] : 0;
    bool other = false;
    for (size_t i = 0; i < given && given == start.n; i++)
        other = other || pr_pointset_find(&start, &h->point[i]) == PR_NO_POINT;
    for (size_t i = 0; i < start.n; i++) {
        pr_point_t p = other ? h->point[i] : pr_pointset_at(&start, i);
        pr_replay_add(r, &p, 0);
    }
    pr_pointset_free(&start);
}

/* Which of a round's points are new ones (c->point, in their order) and which go on to more prompts (c->again): each time
 * the latter as long as all that went to more prompts is within its share of all prompts, so that the points of a smaller
 * budget are the first of a larger one. Once nothing is gained by new ones, only the latter. */
static void mix_round(const pr_replay_t *r, int64_t size, bool fresh, pr_auto_choice_t *c)
{
    pr_point_t *mixed = pr_alloc((size_t)size, sizeof *mixed);
    int64_t more = 0, all = pr_replay_prompts(r, &more);
    int n = 0, next = 0, again = 0;
    while (n < size && (again < c->n_again || (fresh && next < c->n))) {
        bool any = again < c->n_again;
        pr_point_t p = any ? pr_pointset_at(&r->points, c->again[again]) : (pr_point_t){0};
        int64_t prompts = any ? prompts_for(r, &p) : 0;
        bool due = any && (!fresh || (double)(more + prompts) <= r->spec->recheck * (double)(all + prompts));
        if (due) {
            more += prompts;
            again++;
        } else if (fresh && next < c->n) {
            p = c->point[next++];
            prompts = pr_replay_new(r, &p);
        } else {
            break;
        }
        all += prompts;
        mixed[n++] = p;
    }
    free(c->point);
    c->point = mixed;
    c->n = n;
}

/* Chooses the points of a round. false: the search has come to its end, which r->why says. */
static bool choose_round(pr_replay_t *r, int64_t size, size_t n_fit, pr_auto_choice_t *c)
{
    *c = (pr_auto_choice_t){.gain = INFINITY};
    if (n_ok(r) < 2) {
        c->point = pr_alloc((size_t)size, sizeof *c->point);
        c->n = (int)fill(r, size, c->point);
    } else {
        pr_auto_choose(r, n_fit, (int)size, c);
    }
    bool fresh = c->n > 0 && c->gain >= min_gain(r->s);
    if (r->chosen && (fresh || c->n_again > 0)) {
        mix_round(r, size, fresh, c);
        return true;
    }
    if (c->n == 0)
        snprintf(r->why, sizeof r->why, "there is no other point");
    else if (c->gain < min_gain(r->s))
        snprintf(r->why, sizeof r->why, "no point is expected to add %.3g %% to the volume (min_gain)",
                 100 * min_gain(r->s));
    else
        return true;
    return false;
}

static pr_status_t auto_run(pr_replay_t *r, pr_error_t *err)
{
    PR_TRY(auto_check(r->s, err));
    r->chosen = r->spec->recheck > 0;
    history_t h = history_new(r, r->n_results);
    size_t n_fit = 0;
    begin(r, &h);
    for (int round = 1; pr_replay_settle(r) && room_of(r) > 0; round++) {
        int64_t room = room_of(r), size = batch_of(r->s) < room ? batch_of(r->s) : room;
        if (r->points.n <= OFTEN || (double)r->points.n >= 1.1 * (double)n_fit)
            n_fit = r->points.n;
        int64_t before = pr_replay_prompts(r, NULL);
        size_t first = round < h.rounds ? h.first[round] : 0;
        size_t given = round < h.rounds ? h.first[round + 1] - first : 0;
        pr_auto_choice_t c = {0};
        bool chosen = (int64_t)given >= size || choose_round(r, size, n_fit, &c);
        if (chosen)
            add_round(r, round, size, h.point + first, given, &c);
        free(c.point);
        free(c.again);
        if (!chosen || pr_replay_prompts(r, NULL) == before)
            break;
    }
    if (room_of(r) == 0 && r->spec->budget == 0 && r->spec->budget_core_hours == 0)
        snprintf(r->why, sizeof r->why, "the %lld points that are proposed for %d objectives%s are evaluated",
                 (long long)budget_of(r->s), r->k,
                 r->s->domain && pr_domain_is_product(r->s->domain) ? " and what else is open" : "");
    history_free(&h);
    return PR_OK;
}

static int auto_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    int most = pr_search_most_prompts(s);
    (void)max;
    counts[0] = budget_of(s);
    if (s->spec->recheck > 0 && s->spec->n_fidelity > 0 && s->spec->fidelity[0] < most)
        counts[0] = counts[0] * (s->making + most) / (s->making + s->spec->fidelity[0]); // all may go to new points
    return 1;
}

static int64_t auto_prompts(const pr_search_t *s)
{
    return budget_of(s) * pr_search_most_prompts(s);
}

const pr_search_strategy_t pr_search_auto = {
    .name = "auto",
    .help =
        "The default, which needs no tuning: experts alone, the centre and a space-filling start, then the points that "
        "are expected to add most to the hypervolume, by Gaussian processes over the weights, with halving where "
        "objectives have cliffs. Points of a smaller budget are the first of a larger one.",
    .keys = PR_SEARCH_KEYS_auto,
    .product = true,
    .goes_on = true,
    .propose = propose,
    .prompts = auto_prompts,
    .check = auto_check,
    .run = auto_run,
    .forecast = auto_forecast};
