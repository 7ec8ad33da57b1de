// SPDX-License-Identifier: BSD-3-Clause
/* Multi-fidelity: which points may still be non-dominated. A race in the manner of Hoeffding races (Maron and Moore
 * 1994), with paired differences: points share prompts and random streams, so that the difference of two is known far
 * better than either. The bounds are Student's, at a level that is shared by all comparisons of the race (Bonferroni): of
 * policies that are all equally good, at most 5 % are expected to be dropped. Two policies that by chance answer the
 * same on the few prompts there are show no spread, which is no certainty: prompts are blocks, as in F-Race (Birattari,
 * Stuetzle, Paquete and Varrentrapp 2002), and what is left of the scores of all points in the two-way layout of points
 * and prompts (Fisher's randomised blocks) says how much the difference of two scatters; the spread of a pair is taken to
 * be no less than that, nor than the range over the number of prompts. */
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
    double level;                                  // of one comparison
    double range[PR_MAX_OBJECTIVES];               // of the scores
    double pooled[PR_MAX_LIST][PR_MAX_OBJECTIVES]; // of each fidelity: the variance of a prompt's difference
    double apart[PR_MAX_OBJECTIVES];               // the same of points that are not known prompt by prompt
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

/* The variance of the difference of two points' scores on a prompt, over all points that have the first n prompts: twice
 * what the scores differ from the sum of their point's and their prompt's means. 0: not two points have them. */
static double pooled_variance(const pr_replay_t *r, int n, int j)
{
    size_t k = (size_t)r->k, at = (size_t)j, points = 0;
    double *prompt = pr_alloc((size_t)n, sizeof *prompt), squares = 0;
    for (int pass = 0; pass < 2; pass++) {
        points = 0;
        for (size_t i = 0; i < r->points.n; i++) {
            const double *score = r->ok[i] ? r->obs[i]->per_prompt : NULL;
            if (!score || prompts_used(r, i) < n)
                continue;
            double mean = 0;
            for (int x = 0; x < n; x++)
                mean += score[(size_t)x * k + at] / n;
            for (int x = 0; x < n; x++) {
                double d = score[(size_t)x * k + at] - mean;
                if (pass == 0)
                    prompt[x] = (prompt[x] * (double)points + d) / (double)(points + 1);
                else
                    squares += (d - prompt[x]) * (d - prompt[x]);
            }
            points++;
        }
    }
    free(prompt);
    return points > 1 && n > 1 ? 2 * squares / ((double)(points - 1) * (n - 1)) : 0;
}

static int fidelity_of(const pr_replay_t *r, int prompts)
{
    int f = 0;
    while (f + 1 < r->n_fidelity && r->prompts[f + 1] <= prompts)
        f++;
    return f;
}

/* The same without the prompts' own scores: twice the mean variance of a score. */
static double pooled_apart(const pr_replay_t *r, int j)
{
    double sum = 0, points = 0;
    for (size_t i = 0; i < r->points.n; i++) {
        double se = r->ok[i] ? r->se[i * (size_t)r->k + (size_t)j] : 0;
        sum += r->ok[i] ? se * se * prompts_used(r, i) : 0;
        points += r->ok[i];
    }
    return points > 0 ? 2 * sum / points : 0;
}

/* The variance of a prompt's difference of q and p in objective j, by all points. */
static double pooled_of(const race_t *race, const pr_replay_t *r, size_t q, size_t p, int n, int j)
{
    if (!r->obs[q]->per_prompt || !r->obs[p]->per_prompt)
        return race->apart[j];
    return race->pooled[fidelity_of(r, n)][j];
}

/* How improbable it is that q is no better than p in objective j. The spread of the differences is taken to be at least
 * that of all points, and the range over the number of prompts: n prompts on which two policies differ by the same do not
 * show that the next will not differ by all of it. */
static double doubt(const race_t *race, const pr_replay_t *r, size_t q, size_t p, int j, bool *tie)
{
    double mean = 0, se = 0;
    int n = 0;
    difference(r, q, p, j, &mean, &se, &n);
    *tie = mean == 0 && se == 0 && n >= TIE_PROMPTS;
    double least = race->range[j] / n / sqrt(n);
    double spread = fmax(fmax(se, least), sqrt(pooled_of(race, r, q, p, n, j) / n));
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
    race_t race = {0};
    // Each point meets every other that is not known to be out, after each fidelity but the last.
    double others = r->points.n > 1 ? (double)(r->points.n - 1) : 1, rounds = r->n_fidelity > 1 ? r->n_fidelity - 1 : 1;
    race.level = WRONGLY_DROPPED / (others * rounds);
    for (int j = 0; j < r->k; j++) {
        race.range[j] = range_of(r, j);
        race.apart[j] = pooled_apart(r, j);
        for (int f = 0; f < r->n_fidelity; f++)
            race.pooled[f][j] = pooled_variance(r, r->prompts[f], j);
    }
    return unbeaten(r, beats, &race);
}
