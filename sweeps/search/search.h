// SPDX-License-Identifier: BSD-3-Clause
/* Search over preference weights: a strategy is a pure function of its configuration and the results so far. It is
 * tested without MPI, and a resumed sweep takes the same decisions as an uninterrupted one. Points are exact rationals,
 * so that a vertex that several cells share is one point and is evaluated once.
 *
 * type = "hierarchical"
 *   domain = "cube": EMORL's search. A level evaluates the 3^K points linspace(lo, hi, 3) of a box, first [0,1]^K, and
 *     goes on in the sub-cube (of 2^K) with the greatest sum of its vertices' scalar scores (sum scalar_k * mean_k); of
 *     equal sums the first in x, y, z order. `levels` boxes; a level that `budget` does not hold whole is not begun.
 *     select, beam and min_gain do not apply. Weights need not sum to 1; the zero vector is a point (the base model
 *     without an expert).
 *   domain = "simplex": the corners are level 0; a point of level l has the denominator 2^l, and `levels` is the last
 *     level: the finest step is 2^-levels. Cells are divided into 2^(K-1) by edgewise subdivision.
 *     select = "front": in a round, cells of any depth that touch the front (a vertex that no point of it surely
 *       dominates) are refined in the order of an optimistic gain in hypervolume: that of the componentwise maximum of
 *       their vertices' means, each a standard error higher (exact for K <= 4 and fronts up to 1000 points, above that
 *       an upper bound). At most `beam` cells per round (0: no limit); none whose gain is <= min_gain. Without a budget
 *       there are `levels` rounds; with one, rounds go on until it is used. With a budget and no beam a round spends
 *       its share of what is left, so that the finest level is reached.
 *     select = "best": of each level's new cells the `beam` (0: one) with the greatest sum of scalar scores are
 *       refined.
 *     select = "all": the full lattices of every level that the budget holds whole.
 * type = "grid": the lattice of step 1/divisions on the simplex (Das-Dennis) or the cube.
 * type = "random": `points` Dirichlet(alpha) vectors (uniform ones on the cube), of denominator 2^30; equal seeds give
 *   equal points.
 * type = "list": the points of `file`, K numbers per line; on the simplex proportions.
 * The domain may be several rows of weights (a policy whose mix has blocks) times a box of the mix's searched parameters
 *   (method/domain.h) for auto, random and list; the others refuse it. A line of a list has the rows one after the other,
 *   then the parameters.
 * type = "ols": optimistic linear support on the simplex, K <= 10: `levels` rounds (with a budget: until it is used) of
 *   `beam` (0: all) corner weights whose possible improvement of the scalarised value is > min_gain.
 *
 * budget: points, never exceeded.
 * budget_core_hours: of the results used; nothing more is begun once they are spent, and a round wants no more points
 *   than the mean cost of a point lets expect; one-level designs are wanted at once.
 * fidelity: points start on the first number of prompts. Once all have that, those that may still be non-dominated go
 *   on to the next: a point drops out when one of the front is surely at least as good in every objective and better in
 *   one. Sure is Student's one-sided test of the mean difference (paired by prompt where both have per_prompt, else
 *   with sqrt(se^2 + se^2)) at the level 5 % / (other points x (fidelities - 1)), so that of policies that are all
 *   equal at most 5 % are expected to be dropped over the whole race; the spread of the differences is taken to be at least
 *   that of all points (what the two-way layout of points and prompts leaves) and the declared range (where it is not
 *   finite, that of all scores so far) over the number of prompts, and fewer than 5 prompts drop nothing. 32 prompts that are all ties are a tie. This is done at the end of every level, over all
 *   points so far. Decisions use a point's results at its highest fidelity. */
#ifndef PR_SWEEPS_SEARCH_H
#define PR_SWEEPS_SEARCH_H

#include "base/error.h"
#include "config/config.h"
#include "config/searches.h"
#include "method/domain.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a search wants evaluated: a point of its domain on the first n_prompts evaluation prompts. */
typedef struct pr_request {
    pr_point_t point;
    int level; // of the hierarchy at which it was first wanted; 0 first
    int n_prompts;
} pr_request_t;

/* A result: means and standard errors, turned so that every objective is to be maximised, in the objectives' own units.
 * A mean that is not finite (or mean = NULL) is an evaluation that failed for good: it is not asked for again and takes
 * part in no decision. Keep the results on fewer prompts when those on more arrive: where only the latter are given,
 * the first prompts of per_prompt stand for them. */
typedef struct pr_observation {
    const int64_t *point; // [1+d] denominator and numerators of the domain's coordinates
    int level, n_prompts;
    const double *mean, *se;  // [K]
    const double *per_prompt; // [n_prompts,K] or NULL: for paired comparisons
    double core_seconds;
} pr_observation_t;

typedef struct pr_search {
    const pr_search_spec_t *spec;
    int k;                     // objectives
    const pr_domain_t *domain; // of its points; NULL: one row of weights, on what spec->domain says
    int n_prompts;             // all evaluation prompts
    int64_t seed;
    const double *lo, *hi;        // [K] declared ranges after turning (may be infinite)
    const double *reference;      // [K] hypervolume reference after turning
    bool (*stopping)(void *self); // asked again and again while points are chosen; NULL: nothing stops it
    void *self;
    /* Where a point is a training of its own: what that costs beside an evaluation, in prompts; and whether others make
     * it whatever this search finds. made may be NULL: they make none. */
    int64_t making;
    bool (*made)(const void *of, const pr_point_t *p);
    const void *of;
} pr_search_t;

/* In canonical order: by level, then point order. The caller frees flat, level and n_prompts (pr_requests_free). */
typedef struct pr_requests {
    size_t n;
    int d;                  // coordinates of a point
    int64_t *flat;          // [n][1+d] points: denominators and numerators
    int *level, *n_prompts; // [n]
    bool done;              // nothing more will ever be wanted (then n = 0)
    char why[160];          // when done: why it ended, for people
    int64_t left;           // of the budget in points; -1: there is none
} pr_requests_t;

pr_request_t pr_requests_at(const pr_requests_t *r, size_t i);
/* Room for n, which it has; of points of d coordinates. */
void pr_requests_init(pr_requests_t *r, size_t n, int d);
void pr_requests_set(pr_requests_t *r, size_t i, const pr_request_t *q);
void pr_requests_free(pr_requests_t *r);

/* Coordinates of a search's points. */
int pr_search_size(const pr_search_t *s);

/* What is wanted now and not yet observed. With results of the current level still missing it returns exactly the
 * missing ones, so it may be called at any time with any subset of results; the order of observations does not matter,
 * and observations of other points have no effect. Errors: PR_ERR_CONFIG; for a list PR_ERR_NOT_FOUND, PR_ERR_FORMAT;
 * PR_ERR_INTERRUPTED once `stopping` has said so: nothing is chosen, and who asks again gets what he would have got.
 * O(n log n) in the number of points, but for the ranking of cells. */
pr_status_t pr_search_next(const pr_search_t *s, const pr_observation_t *obs, size_t n, pr_requests_t *out,
                           pr_error_t *err);
/* Whether pr_search_next would take the specification, by arithmetic: no point is made. Of a list, whose points are in
 * its file, all are read. Errors: as pr_search_next. */
pr_status_t pr_search_check(const pr_search_t *s, pr_error_t *err);
/* Points per level for `plan`: counts[level], returns the number of levels written (<= max; 0 for a specification that
 * pr_search_next refuses). Exact for grid, random, list, the cube and select = "all"; else the sum is an upper bound
 * (for ols without a budget an estimate). Every point counts once, whatever its fidelities. */
int pr_search_forecast(const pr_search_t *s, int64_t *counts, int max);

/* How many prompts the evaluations of all its points take at most, of which the forecast says that there are so many. */
int64_t pr_search_prompts(const pr_search_t *s, int64_t points);

/* How many points a search takes at most that was given no budget, where its strategy says so; else 0. */
int64_t pr_search_proposal(const pr_search_t *s);
/* Fills in why and left of a search that has ended after so many points, by what every strategy shares. */
void pr_search_end(const pr_search_spec_t *spec, int64_t points, double core_seconds, pr_requests_t *out);

/* Whether it asks for all its points in one call of pr_search_next, so that nothing is left to be asked. */
bool pr_search_asks_once(const pr_search_spec_t *spec);
/* Whether rounds that it asked for stand under another budget (pr_search_strategy_t.goes_on). */
bool pr_search_goes_on(const pr_search_spec_t *spec);

/* A strategy: one file, search_NAME.c, which fills this in, and one word of PR_SEARCH_LIST (config/searches.h). */
typedef struct pr_replay pr_replay_t; // search_internal.h
typedef struct pr_search_strategy {
    const char *name;
    const char *help; // one sentence or two
    const char *keys; // of search[], those that say something
    bool product;     // its points may have several rows of weights, and searched parameters
    bool asks_once;   // all its points are wanted at once, where there is neither a fidelity nor a budget of core hours
    bool goes_on;     // its rounds stand, whatever the budget is by now and whatever came of failed points since: it
                      // takes all results as they are. Otherwise a sweep of another budget asks it anew
    /* How many points it takes where no budget is said; NULL: what its settings make. */
    int64_t (*propose)(const pr_search_t *s);
    /* The prompts of all its evaluations at most; NULL: every point may have all. */
    int64_t (*prompts)(const pr_search_t *s);
    /* Its settings, by arithmetic. */
    pr_status_t (*check)(const pr_search_t *s, pr_error_t *err);
    /* Adds points and settles them (search_internal.h), having checked its settings. Returns PR_OK when it has come to
     * its end or to missing results (r->n_want > 0). */
    pr_status_t (*run)(pr_replay_t *r, pr_error_t *err);
    /* pr_search_forecast of it, where max > 0; the settings may not have been checked. */
    int (*forecast)(const pr_search_t *s, int64_t *counts, int max);
} pr_search_strategy_t;

#define PR_SEARCH_DECLARE(name) extern const pr_search_strategy_t pr_search_##name;
PR_SEARCH_LIST(PR_SEARCH_DECLARE)
#undef PR_SEARCH_DECLARE
/* A strategy of the caller's own, for as long as the process lives; before any thread. Errors: PR_ERR_CONFIG (the name is
 * taken, or there are too many). */
pr_status_t pr_search_add(const pr_search_strategy_t *strategy, pr_error_t *err);
/* All, in order of help. */
const pr_search_strategy_t *const *pr_search_strategies(size_t *n);
/* What the registry says of itself, as a page in Markdown. The caller frees. */
char *pr_search_page(void);

#endif
