// SPDX-License-Identifier: BSD-3-Clause
/* Which points the default search looks at again, on more prompts: those of which it is in doubt whether they are on the
 * front, by what the model believes of each (the posterior that the search decides by, not the raw means). How probable
 * a point is to be on the front is the share of draws of all points in which no other dominates it. Those that the means
 * put on the front come first: a lucky one there hides others. */
#include "sweeps/search/search_auto.h"

#include "base/mem.h"
#include "base/rng.h"
#include "pareto/dominance.h"

#include <math.h>
#include <stdlib.h>

enum { DRAWS = 400 };
/* In doubt is what is neither as good as on the front nor as good as out. */
static const double LEAST = 0.05, MOST = 0.95;

/* share [n]: of the draws in which each point is on the front. */
static void find_shares(const pr_auto_model_t *m, double *share)
{
    size_t n = (size_t)m->n, k = (size_t)m->k;
    pr_rng_key_t key = pr_rng_key((uint64_t)m->s->seed, "search.recheck", "");
    double *mean = pr_alloc(3 * n * k, sizeof *mean), *sd = mean + n * k, *drawn = sd + n * k;
    bool *kept = pr_alloc(n, sizeof *kept);
    pr_auto_predict(m, m->w, m->n, mean, sd);
    for (uint64_t d = 0; d < DRAWS && !pr_replay_stops(m->r); d++) {
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < k; j++)
                drawn[i * k + j] =
                    mean[i * k + j] + sd[i * k + j] * pr_rng_normal(&key, m->r->points.n, d, m->id[i], j);
        pr_nondominated(drawn, n, m->k, true, kept);
        for (size_t i = 0; i < n; i++)
            share[i] += kept[i] ? 1.0 / DRAWS : 0;
    }
    free(kept);
    free(mean);
}

typedef struct doubt {
    size_t id;
    bool told; // by its mean it is on the front
    double from_even;
} doubt_t;

static int by_doubt(const void *a, const void *b)
{
    const doubt_t *p = a, *q = b;
    if (p->told != q->told)
        return p->told ? -1 : 1;
    if (p->from_even != q->from_even)
        return p->from_even < q->from_even ? -1 : 1;
    return (p->id > q->id) - (p->id < q->id);
}

/* told [points.n]: is it on the front by the results' means? Caller frees. */
static bool *find_told(const pr_replay_t *r)
{
    size_t *front = NULL;
    double *values = NULL;
    size_t n = pr_replay_front(r, &front, &values);
    bool *told = pr_alloc(r->points.n, sizeof *told);
    for (size_t i = 0; i < n; i++)
        told[front[i]] = true;
    free(front);
    free(values);
    return told;
}

int pr_auto_doubtful(const pr_auto_model_t *m, size_t **out)
{
    int n = 0;
    *out = NULL;
    if (pr_replay_stops(m->r) || !m->noisy)
        return 0;
    double *share = pr_alloc((size_t)m->n, sizeof *share);
    doubt_t *all = pr_alloc((size_t)m->n, sizeof *all);
    bool *told = find_told(m->r);
    find_shares(m, share);
    for (int i = 0; i < m->n; i++) {
        size_t id = m->id[i];
        if (m->r->fidelity[id] + 1 < m->r->n_fidelity && share[i] >= LEAST && share[i] <= MOST)
            all[n++] = (doubt_t){id, told[id], fabs(share[i] - 0.5)};
    }
    qsort(all, (size_t)n, sizeof *all, by_doubt);
    *out = pr_alloc((size_t)n, sizeof **out);
    for (int i = 0; i < n; i++)
        (*out)[i] = all[i].id;
    free(told);
    free(all);
    free(share);
    return n;
}
