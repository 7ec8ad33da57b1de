// SPDX-License-Identifier: BSD-3-Clause
/* What the search strategies share: sets of points, and the replay. A strategy is written as if it evaluated its points
 * itself: it adds points and settles them; where results are missing the replay stops there and what is missing is the
 * answer. The same code so serves a fresh sweep, one in progress and a resumed one. */
#ifndef PR_SWEEPS_SEARCH_INTERNAL_H
#define PR_SWEEPS_SEARCH_INTERNAL_H

#include "pareto/envelope.h"
#include "sweeps/search/search.h"

/* The results, to be found by point and prompts. */
typedef struct pr_obs_index {
    const pr_observation_t *obs;
    pr_pointset_t points;
    size_t *first, *next; // chains of observations of a point: index + 1, 0 ends
} pr_obs_index_t;

/* A point that is missing at a fidelity. */
typedef struct pr_want {
    size_t id;
    int fidelity;
    int level; // of the request
} pr_want_t;

struct pr_replay {
    const pr_search_t *s;
    const pr_search_spec_t *spec;
    bool *stopped; // has pr_replay_stops been true? Borrowed; NULL: nobody is asked
    int k, d;      // objectives; coordinates of a point
    int n_fidelity;
    int prompts[PR_MAX_LIST]; // of each fidelity
    pr_obs_index_t index;
    size_t n_results;     // told
    pr_pointset_t points; // all points wanted so far; the arrays below are [points.n] (times k)
    size_t cap;
    int *level, *fidelity; // fidelity: index into prompts, -1 before any result
    bool chosen;           // the strategy says which points go on to more prompts, in place of the race
    int *due, *due_level;  // where it is: the fidelity that each is to have, and the level of that request
    int64_t *making;       // where it is: prompts that each counts beside its own
    const pr_observation_t **obs;
    double *mean, *se;
    bool *ok;            // false: the evaluation failed for good (a mean that is not finite)
    size_t n_settled;    // points with a result
    double core_seconds; // of all results used
    pr_want_t *want;     // what is missing, once settling has stopped
    size_t n_want, cap_want;
    char why[160]; // the strategy's own words for why it ended; "": pr_search_end's
};

void pr_replay_init(pr_replay_t *r, const pr_search_t *s, const pr_observation_t *obs, size_t n);
void pr_replay_free(pr_replay_t *r);
/* Is choosing to stop? Asked between pieces of work that take some milliseconds. Once it is true it stays, and what a
 * strategy's run returns after that is not looked at: it may end in any way that frees what it holds. */
bool pr_replay_stops(const pr_replay_t *r);
/* Wants a point; its id. A point wanted before keeps its level. */
size_t pr_replay_add(pr_replay_t *r, const pr_point_t *p, int level);
/* Where r->chosen: wants the next fidelity of a settled point, at a level of its own. */
void pr_replay_go_on(pr_replay_t *r, size_t id, int level);
/* The prompts of all that is wanted, and what making their policies counts; more: those beyond each point's first, or NULL.
 * A whole point has pr_replay_whole. */
int64_t pr_replay_prompts(const pr_replay_t *r, int64_t *more);
static inline int64_t pr_replay_whole(const pr_replay_t *r)
{
    return r->s->making + r->prompts[r->n_fidelity - 1];
}
/* What a new point counts before it is looked at again. */
int64_t pr_replay_new(const pr_replay_t *r, const pr_point_t *p);
/* What of a budget of points is used: each counts once, or where r->chosen by its prompts, rounded up at the end. */
int64_t pr_replay_used(const pr_replay_t *r);
/* True when every wanted point has its results at every fidelity that it is due; else r->want holds what is missing. */
bool pr_replay_settle(pr_replay_t *r);
/* How many more points the budgets allow, on the first number of prompts; INT64_MAX without a limit. */
int64_t pr_replay_room(const pr_replay_t *r);
/* The same of one budget of points. */
int64_t pr_replay_room_of(const pr_replay_t *r, int64_t budget);
/* The scalar score of a settled point: the sum of scalar_k * mean_k. */
double pr_replay_scalar(const pr_replay_t *r, size_t id);
/* Means and standard errors of the first n prompts of an observation that has them prompt by prompt. */
void pr_prefix_moments(const pr_observation_t *o, int n, int k, double *mean, double *se);

/* The settled points that no other dominates: ids in order and means [n,k]; caller frees both. */
size_t pr_replay_front(const pr_replay_t *r, size_t **ids, double **means);
/* Quantile of the normal distribution behind the confidence intervals of cells (95%, two-sided). */
#define PR_SEARCH_Z 1.959963984540054
/* maybe[id]: no point of the front dominates this one beyond the confidence interval of their difference; never for
 * failed points. [points.n], caller frees. */
bool *pr_replay_maybe_front(const pr_replay_t *r);

/* stays[id]: the race between fidelities does not drop this point (see search.h); never for failed points. [points.n],
 * caller frees. */
bool *pr_replay_race(const pr_replay_t *r);

/* A static tree over vectors that finds those that are at least another in every coordinate. */
typedef struct pr_domtree pr_domtree_t;
/* values [n,k], not copied. Caller frees. */
pr_domtree_t *pr_domtree_new(const double *values, size_t n, int k);
void pr_domtree_free(pr_domtree_t *t);
/* Whether some vector i is >= p in every coordinate, > in one, and accepted (accept may be NULL). */
bool pr_domtree_dominated(const pr_domtree_t *t, const double *p, bool (*accept)(void *context, size_t i),
                          void *context);
/* Whether some vector is >= p in every coordinate. */
bool pr_domtree_covered(const pr_domtree_t *t, const double *p);

/* The front of the settled points, and the gain in hypervolume that a vector would bring over it. */
typedef struct pr_gain {
    int k;
    size_t n;
    double *front;                       // [n,k]
    double reference[PR_MAX_OBJECTIVES]; // the search's; where that is not finite the declared lower bound, or the
                                         // least mean
    pr_domtree_t *tree;                  // over front
    double *scratch;                     // [n+k,k]
} pr_gain_t;

/* What volumes are measured from in objective j: see pr_gain_t.reference. */
double pr_replay_reference(const pr_replay_t *r, int j);
void pr_gain_init(pr_gain_t *g, const pr_replay_t *r);
void pr_gain_free(pr_gain_t *g);
/* An upper bound of the gain of u [k]; the gain itself for up to four objectives and moderate fronts. own [m,k], m <=
 * k: vectors <= u that the front is at least as good as, which make it cheaper. */
double pr_gain_of(const pr_gain_t *g, const double *u, const double *own, int m);
/* The volume between the reference and u. */
double pr_gain_box(const pr_gain_t *g, const double *u);

/* A cell of the simplex: an ordered list of K vertices (ids of the replay). */
typedef struct pr_cell {
    int depth;                          // its vertices have the step 2^-depth
    bool exact;                         // value is the gain over the whole front, not a bound from the cell alone
    double bound;                       // of its gain, from earlier rounds
    double value;                       // what it is ranked by
    uint32_t vertex[PR_MAX_OBJECTIVES]; // the first k count
} pr_cell_t;

typedef struct pr_cells {
    pr_cell_t *item;
    size_t n, cap;
} pr_cells_t;

void pr_cells_add(pr_cells_t *cells, const pr_cell_t *c);
/* The 2^(k-1) cells of the edgewise subdivision of c, and their vertices, of which new ones are wanted at c's depth
 * + 1. */
void pr_cell_divide(pr_replay_t *r, const pr_cell_t *c, pr_cells_t *children);
/* The midpoints of c's edges that are not wanted yet, in canonical order; out [k(k-1)/2], returns their number. */
int pr_cell_midpoints(const pr_replay_t *r, const pr_cell_t *c, pr_point_t *out);
/* Better first: by value, then the shallower, then by vertices in point order. */
bool pr_cell_before(const pr_replay_t *r, const pr_cell_t *a, const pr_cell_t *b);

/* The two halves of the hierarchical search, as pr_search_strategy_t has them. */
pr_status_t pr_search_check_cube(const pr_search_t *s, pr_error_t *err);
pr_status_t pr_search_run_cube(pr_replay_t *r, pr_error_t *err);
int pr_search_forecast_cube(const pr_search_t *s, int64_t *counts, int max);
pr_status_t pr_search_check_simplex(const pr_search_t *s, pr_error_t *err);
pr_status_t pr_search_run_simplex(pr_replay_t *r, pr_error_t *err);
int pr_search_forecast_simplex(const pr_search_t *s, int64_t *counts, int max);
/* Of a whole evaluation. */
int pr_search_most_prompts(const pr_search_t *s);
/* A forecast of one level of n points, of which a budget takes the first. */
int pr_search_flat(const pr_search_spec_t *spec, int64_t n, int64_t *counts);

/* More points than this in one search are refused. */
#define PR_SEARCH_MAX_POINTS 10000000
/* Points of the lattice of step 1/m on the simplex, and on the cube; PR_SEARCH_MAX_POINTS + 1 when there are more. */
int64_t pr_lattice_simplex(int k, int64_t m);
int64_t pr_lattice_cube(int k, int64_t m);
/* Calls back with every point num/m of the simplex, in point order. */
void pr_lattice_each(int k, int64_t m, void (*each)(void *context, const pr_point_t *p), void *context);

bool pr_search_is_cube(const pr_search_spec_t *spec);
/* "search 'name': message" as PR_ERR_CONFIG. */
pr_status_t pr_search_bad(const pr_search_spec_t *spec, pr_error_t *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
