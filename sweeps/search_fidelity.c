/* Multi-fidelity: which points may still be non-dominated. A race in the manner of Hoeffding races (Maron and Moore
 * 1994), with paired differences: points share prompts and random streams, so that the difference of two is known far
 * better than either. */
#include "sweeps/search_internal.h"

#include "base/mem.h"
#include "pareto/dominance.h"

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

/* Mean and standard error of q - p in objective j. */
static void difference(const pr_replay_t *r, size_t q, size_t p, int j, double *mean, double *se)
{
    size_t k = (size_t)r->k;
    const double *a = r->obs[q]->per_prompt, *b = r->obs[p]->per_prompt;
    if (!a || !b) {
        *mean = r->mean[q * k + (size_t)j] - r->mean[p * k + (size_t)j];
        *se = hypot(r->se[q * k + (size_t)j], r->se[p * k + (size_t)j]);
        return;
    }
    int nq = prompts_used(r, q), np = prompts_used(r, p), n = nq < np ? nq : np;
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

/* Whether q dominates p even at the lower end of the confidence interval of every difference. */
static bool dominates_surely(const pr_replay_t *r, size_t q, size_t p)
{
    bool better = false;
    for (int j = 0; j < r->k; j++) {
        double mean = 0, se = 0;
        difference(r, q, p, j, &mean, &se);
        double low = se == 0 ? mean : mean - PR_SEARCH_Z * se;
        if (!(low >= 0))
            return false;
        better = better || low > 0;
    }
    return better;
}

typedef struct race {
    const pr_replay_t *r;
    const size_t *front;
    size_t p;
} race_t;

static bool beats(void *context, size_t i)
{
    const race_t *race = context;
    return dominates_surely(race->r, race->front[i], race->p);
}

bool *pr_replay_maybe_front(const pr_replay_t *r)
{
    size_t *front = NULL;
    double *values = NULL;
    size_t n = pr_replay_front(r, &front, &values);
    pr_domtree_t *t = pr_domtree_new(values, n, r->k);
    bool *maybe = pr_alloc(r->points.n, sizeof maybe[0]);
    for (size_t p = 0; p < r->points.n; p++) {
        race_t race = {r, front, p};
        maybe[p] = r->ok[p] && !pr_domtree_dominated(t, &r->mean[p * (size_t)r->k], beats, &race);
    }
    pr_domtree_free(t);
    free(values);
    free(front);
    return maybe;
}
