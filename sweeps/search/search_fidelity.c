// SPDX-License-Identifier: BSD-3-Clause
/* Multi-fidelity: which points may still be non-dominated. A race in the manner of Hoeffding races (Maron and Moore
 * 1994), with paired differences: points share prompts and random streams, so that the difference of two is known far
 * better than either. The bounds are Student's, with a floor under the spread, at a level that is shared by all
 * comparisons of the race (Bonferroni): of policies that are all equally good, at most 5 % are expected to be
 * dropped. */
#include "sweeps/search/search_internal.h"

#include "base/mem.h"
#include "pareto/dominance.h"
#include "pareto/uncertainty.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t pr_replay_front(const pr_replay_t *r, size_t **ids, double **means)
{
    size_t n = 0, k = (size_t)r->k, n_front = 0;
    size_t *id = pr_alloc(r->points.n, sizeof id[0]);
    double *values = pr_alloc(r->points.n * k, sizeof values[0]);
    for (size_t i = 0; i < r->points.n; i++)
        if (r->ok[i]) {
            memcpy(&values[n * k], &r->mean[i * k], k * sizeof values[0]);
            id[n++] = i;
        }
    bool *kept = pr_alloc(n, sizeof kept[0]);
    pr_nondominated(values, n, r->k, true, kept);
    for (size_t i = 0; i < n; i++)
        if (kept[i]) {
            id[n_front] = id[i];
            memmove(&values[n_front++ * k], &values[i * k], k * sizeof values[0]);
        }
    free(kept);
    *ids = id;
    *means = values;
    return n_front;
}

/* The results of a point as they stand in the replay: at most the prompts of its fidelity. */
static int prompts_used(const pr_replay_t *r, size_t id)
{
    int n = r->prompts[r->fidelity[id]];
    return r->obs[id]->n_prompts < n ? r->obs[id]->n_prompts : n;
}

/* Mean and standard error of q - p in objective j, and over how many prompts. Without the prompts' own scores nothing
 * is known of what two points share. Of one prompt there is no standard error: it is infinite. */
static void difference(const pr_replay_t *r, size_t q, size_t p, int j, double *mean, double *se, int *prompts)
{
    size_t k = (size_t)r->k;
    const double *a = r->obs[q]->per_prompt, *b = r->obs[p]->per_prompt;
    int nq = prompts_used(r, q), np = prompts_used(r, p), n = nq < np ? nq : np;
    *prompts = n;
    if (!a || !b) {
        *mean = r->mean[q * k + (size_t)j] - r->mean[p * k + (size_t)j];
        *se = hypot(r->se[q * k + (size_t)j], r->se[p * k + (size_t)j]);
        return;
    }
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += a[(size_t)i * k + (size_t)j] - b[(size_t)i * k + (size_t)j];
    *mean = sum / n;
    for (int i = 0; i < n; i++) {
        double d = a[(size_t)i * k + (size_t)j] - b[(size_t)i * k + (size_t)j] - *mean;
        squares += d * d;
    }
    *se = n > 1 ? sqrt(squares / (n - 1) / n) : INFINITY;
}

/* ---- points that none of the front beats ---- */

/* Does q beat p? */
typedef bool (*beats_fn)(const void *self, const pr_replay_t *r, size_t q, size_t p);

typedef struct meeting {
    const pr_replay_t *r;
    const size_t *front;
    size_t p;
    beats_fn beats;
    const void *self;
} meeting_t;

static bool meet(void *context, size_t i)
{
    const meeting_t *m = context;
    return m->beats(m->self, m->r, m->front[i], m->p);
}

/* [points.n]; never failed points. Caller frees. */
static bool *unbeaten(const pr_replay_t *r, beats_fn beats, const void *self)
{
    size_t *front = NULL;
    double *values = NULL;
    size_t n = pr_replay_front(r, &front, &values);
    pr_domtree_t *t = pr_domtree_new(values, n, r->k);
    bool *stays = pr_alloc(r->points.n, sizeof stays[0]);
    meeting_t m = {.r = r, .front = front, .beats = beats, .self = self};
    for (m.p = 0; m.p < r->points.n; m.p++)
        stays[m.p] = r->ok[m.p] && !pr_domtree_dominated(t, &r->mean[m.p * (size_t)r->k], meet, &m);
    pr_domtree_free(t);
    free(values);
    free(front);
    return stays;
}

/* ---- cells that may touch the front ---- */

/* Whether q dominates p even at the lower end of the confidence interval of every difference. */
static bool dominates_surely(const void *self, const pr_replay_t *r, size_t q, size_t p)
{
    (void)self;
    bool better = false;
    for (int j = 0; j < r->k; j++) {
        double mean = 0, se = 0;
        int n = 0;
        difference(r, q, p, j, &mean, &se, &n);
        double low = se == 0 ? mean : mean - PR_SEARCH_Z * se;
        if (!(low >= 0))
            return false;
        better = better || low > 0;
    }
    return better;
}

bool *pr_replay_maybe_front(const pr_replay_t *r)
{
    return unbeaten(r, dominates_surely, NULL);
}

/* ---- the race ---- */

/* Fewer prompts drop nothing; as many that are all ties are a tie. */
enum { LEAST_PROMPTS = 5, TIE_PROMPTS = 32 };
/* Of policies that are all equal, the share that the whole race may drop. */
static const double WRONGLY_DROPPED = 0.05;

typedef struct race {
    double level;                    // of one comparison
    double range[PR_MAX_OBJECTIVES]; // of the scores
} race_t;

/* The declared range of an objective, else that of all scores so far. */
static double range_of(const pr_replay_t *r, int j)
{
    size_t k = (size_t)r->k, at = (size_t)j;
    double lo = r->s->lo ? r->s->lo[j] : -INFINITY, hi = r->s->hi ? r->s->hi[j] : INFINITY;
    if (isfinite(lo) && isfinite(hi) && hi > lo)
        return hi - lo;
    lo = INFINITY;
    hi = -INFINITY;
    for (size_t i = 0; i < r->points.n; i++) {
        const pr_observation_t *o = r->ok[i] ? r->obs[i] : NULL;
        for (int x = 0; o && o->per_prompt && x < prompts_used(r, i); x++) {
            lo = fmin(lo, o->per_prompt[(size_t)x * k + at]);
            hi = fmax(hi, o->per_prompt[(size_t)x * k + at]);
        }
        if (o && !o->per_prompt) {
            lo = fmin(lo, r->mean[i * k + at]);
            hi = fmax(hi, r->mean[i * k + at]);
        }
    }
    return hi > lo ? hi - lo : 0;
}

/* How improbable it is that q is no better than p in objective j. The spread of the differences is taken to be at least
 * the range over the number of prompts: n prompts on which two policies differ by the same do not show that the next
 * will not differ by all of it. */
static double doubt(const race_t *race, const pr_replay_t *r, size_t q, size_t p, int j, bool *tie)
{
    double mean = 0, se = 0;
    int n = 0;
    difference(r, q, p, j, &mean, &se, &n);
    *tie = mean == 0 && se == 0 && n >= TIE_PROMPTS;
    double least = race->range[j] / n / sqrt(n);
    double spread = fmax(se, least);
    if (n < LEAST_PROMPTS || !(spread > 0) || !isfinite(spread))
        return 1;
    return pr_student_tail(mean / spread, n - 1);
}

static bool beats(const void *self, const pr_replay_t *r, size_t q, size_t p)
{
    const race_t *race = self;
    bool better = false;
    for (int j = 0; j < r->k; j++) {
        bool tie = false;
        bool sure = doubt(race, r, q, p, j, &tie) <= race->level;
        if (!sure && !tie)
            return false;
        better = better || sure;
    }
    return better;
}

bool *pr_replay_race(const pr_replay_t *r)
{
    race_t race;
    // Each point meets every other that is not known to be out, after each fidelity but the last.
    double others = r->points.n > 1 ? (double)(r->points.n - 1) : 1, rounds = r->n_fidelity > 1 ? r->n_fidelity - 1 : 1;
    race.level = WRONGLY_DROPPED / (others * rounds);
    for (int j = 0; j < r->k; j++)
        race.range[j] = range_of(r, j);
    return unbeaten(r, beats, &race);
}
